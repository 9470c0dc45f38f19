//! What players see.

mod common;

use common::{Client, ENOUGH, Server};
use tungstenite::Message;

fn closed(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

/// Reads states until this holds, and adds the number of each.
fn read_until(client: &mut Client, steps: &mut Vec<u32>, mut is_enough: impl FnMut(u32) -> bool) {
    for _ in 0..ENOUGH {
        let step = client.state().step;
        steps.push(step);
        if is_enough(step) {
            return;
        }
    }
    panic!("it does not come to that");
}

/// Whether so many messages were left out. Not asked with every state, or it would be most of what the server does.
fn has_dropped(server: &Server, step: u32, number: u64) -> bool {
    step.is_multiple_of(15) && server.stats()["dropped_messages"].as_u64().unwrap() >= number
}

#[test]
fn everybody_in_a_room_sees_the_same_move_and_nobody_elsewhere_does() {
    let server = Server::start(&[]);
    let (mut ann, mut bob, mut cid) = (
        server.connect("den", "ann"),
        server.connect("den", "bob"),
        server.connect("attic", "cid"),
    );
    let seat = ann.seat();
    let mut first = ann.state();
    while first.places.len() < 2 {
        first = ann.state();
    }
    let from = first.place(seat).0;
    // Away from the nearer wall.
    let right = from < 480 * 16;
    ann.steer(if right { 127 } else { -127 }, 0);
    let mut moved = ann.state();
    while moved.place(seat).0.abs_diff(from) < 100 * 16 {
        moved = ann.state();
    }
    assert_eq!(moved.place(seat).0 > from, right);
    let mut seen = bob.state();
    while seen.step < moved.step {
        seen = bob.state();
    }
    assert_eq!(seen, moved);
    assert_eq!(cid.state().places.len(), 1);
}

#[test]
fn who_is_in_the_room_is_told_to_all_whenever_it_changes() {
    let server = Server::start(&[]);
    let mut ann = server.connect("den", "ann");
    assert_eq!(ann.players(), ["ann"]);
    let bob = server.connect("den", "bob");
    assert_eq!(ann.players(), ["ann", "bob"]);
    drop(bob);
    assert_eq!(ann.players(), ["ann"]);
    assert_eq!(ann.state().places.len(), 1);
}

#[test]
fn one_who_stops_reading_is_skipped_and_then_has_the_latest_state_and_the_others_miss_nothing() {
    let server = Server::start(&[]);
    let mut ann = server.connect("den", "ann");
    let mut slow = server.connect_narrow("den", "slow");
    slow.seat();
    let (mut sent, mut seen) = (Vec::new(), Vec::new());
    read_until(&mut ann, &mut sent, |step| has_dropped(&server, step, 60));
    let newest = *sent.last().unwrap();
    // It reads again.
    read_until(&mut slow, &mut seen, |step| step >= newest);
    read_until(&mut ann, &mut sent, |step| step >= newest + 30);
    read_until(&mut slow, &mut seen, |step| step >= newest + 30);

    let stats = server.stats();
    assert_eq!(stats["open_connections"], 2, "nobody is evicted for being slow");
    assert!(seen.iter().all(|step| *step < sent[0] || sent.contains(step)));
    let missed: Vec<_> = sent
        .iter()
        .filter(|&&step| step > seen[0] && !seen.contains(&step))
        .collect();
    // Whatever was left out was left out for the one who did not read.
    assert_eq!(stats["dropped_messages"], missed.len());
    assert!(
        seen.ends_with(&sent[sent.len() - 10..]),
        "the latest states, of which none is missing"
    );
}

#[test]
fn one_who_stops_reading_hears_later_who_has_come_meanwhile() {
    let server = Server::start(&[]);
    let (mut ann, mut slow) = (server.connect("den", "ann"), server.connect_narrow("den", "slow"));
    slow.seat();
    read_until(&mut ann, &mut Vec::new(), |step| has_dropped(&server, step, 60));
    let _bob = server.connect("den", "bob");
    while ann.players() != ["ann", "slow", "bob"] {}
    while slow.players() != ["ann", "slow", "bob"] {}
}

#[test]
fn one_too_many_for_a_room_is_refused() {
    let server = Server::start(&["--max-per-room", "2"]);
    let (mut ann, mut bob) = (server.connect("den", "ann"), server.connect("den", "bob"));
    ann.seat();
    bob.seat();
    assert_eq!(server.connect("den", "cid").closed(), closed(4002, "lobby_full"));
    server.connect("attic", "cid").seat();
}

#[test]
fn one_too_many_for_the_server_and_one_without_a_name_are_refused() {
    let server = Server::start(&["--max-players", "1"]);
    assert_eq!(server.connect("den", "").closed(), closed(4004, "invalid_name"));
    server.connect("den", "ann").seat();
    let mut ann = server.connect("den", "ann");
    ann.seat();
    assert_eq!(server.connect("den", "bob").closed(), closed(4002, "server_full"));
}

#[test]
fn one_who_returns_before_they_are_missed_has_their_seat_again() {
    let server = Server::start(&["--max-per-room", "2"]);
    let (mut ann, mut bob) = (server.connect("den", "ann"), server.connect("den", "bob"));
    let seat = ann.seat();
    bob.seat();
    let mut again = server.connect("den", "ann");
    assert_eq!(again.seat(), seat);
    assert_eq!(again.players(), ["ann", "bob"]);
    assert_eq!(ann.closed(), closed(4005, "replaced"));
}

#[test]
fn a_flood_of_steering_is_throttled_and_disturbs_nobody() {
    let server = Server::start(&[]);
    let (mut ann, mut flood) = (server.connect("den", "ann"), server.connect("den", "flood"));
    let seat = flood.seat();
    for _ in 0..600 {
        flood.steer(0, 0);
    }
    flood.steer(127, 127);
    let milliseconds = flood.told("throttled")["milliseconds"].as_u64().unwrap();
    assert!(
        (1..=17).contains(&milliseconds),
        "at 60 messages in a second: {milliseconds} ms"
    );
    let violations = server.stats()["violations"].as_u64().unwrap();
    assert!((1..600).contains(&violations), "{violations}");
    let place = flood.state().place(seat);
    for _ in 0..10 {
        assert_eq!(flood.state().place(seat), place, "that steering was dropped");
    }
    // Whoever goes on is closed.
    for _ in 0..1_000 {
        flood.steer(1, 1);
    }
    assert_eq!(flood.closed(), closed(1008, "rate_limited;retry=5000"));
    let begin = ann.state().step;
    read_until(&mut ann, &mut Vec::new(), |step| step > begin + 30);
    assert_eq!(server.stats()["dropped_messages"], 0);
}

#[test]
fn one_who_says_what_is_no_steering_is_closed() {
    let server = Server::start(&[]);
    let messages = [
        Message::text("left, please"),
        Message::binary(vec![1, 2, 3]),
        Message::binary(vec![1; 126]),
    ];
    let ends = messages.map(|message| {
        let mut client = server.connect("den", "ann");
        client.seat();
        client.say(message);
        client.closed()
    });
    let not_steering = closed(1003, "not_steering");
    assert_eq!(
        ends,
        [not_steering.clone(), not_steering, closed(1009, "message too long")]
    );
}

#[cfg(unix)]
#[test]
fn when_told_to_stop_it_sends_everybody_away_and_refuses_whoever_comes() {
    let server = Server::start(&[]);
    let (mut ann, mut silent) = (server.connect("den", "ann"), server.connect("den", "silent"));
    silent.seat();
    ann.seat();
    server.terminate();
    let (code, reason) = ann.closed();
    assert_eq!((code, reason.starts_with("draining;retry=")), (1012, true), "{reason}");
    // It waits for the other one, who does not answer.
    assert_eq!(
        server.connect("den", "bob").closed(),
        closed(1012, "draining;retry=5000")
    );
    assert!(server.wait().success());
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let server = Server::start(&[]);
    let page = server.get("/");
    assert!(page.starts_with("HTTP/1.1 200 OK") && page.ends_with("</html>\n"));
    for elsewhere in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    assert!(server.get("/nothing").starts_with("HTTP/1.1 404"));
}
