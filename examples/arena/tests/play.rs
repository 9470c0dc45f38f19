//! What players see.

mod common;

use common::{Client, Server};
use tungstenite::Message;

fn closed(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

/// Reads the states of somebody who reads them all, for as long as this is asked for with the number of each.
fn read_without_a_gap(client: &mut Client, mut goes_on: impl FnMut(u32) -> bool) {
    let mut step = client.state().step;
    while goes_on(step) {
        let next = client.state().step;
        assert_eq!(next, step + 1, "a state is missing");
        step = next;
    }
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
}

#[test]
fn one_who_stops_reading_is_skipped_and_then_has_the_latest_state_and_the_others_miss_nothing() {
    let server = Server::start(&[]);
    let mut ann = server.connect("den", "ann");
    let mut slow = server.connect_narrow("den", "slow");
    slow.seat();
    read_without_a_gap(&mut ann, |step| {
        // Not with every state, or the questions would be most of what the server does.
        step % 15 != 0 || server.stats()["dropped_messages"].as_u64().unwrap() < 60
    });
    assert_eq!(
        server.stats()["open_connections"],
        2,
        "nobody is evicted for being slow"
    );

    let newest = ann.state().step;
    let mut seen = vec![slow.state().step];
    while *seen.last().unwrap() < newest {
        seen.push(slow.state().step);
    }
    let missed = (seen[seen.len() - 1] - seen[0]) as usize + 1 - seen.len();
    assert!(missed >= 60, "{missed}");
    // From there on it misses nothing, like everybody else.
    read_without_a_gap(&mut slow, |step| step < newest + 30);
}

#[test]
fn one_who_stops_reading_hears_later_who_has_come_meanwhile() {
    let server = Server::start(&[]);
    let (mut ann, mut slow) = (server.connect("den", "ann"), server.connect_narrow("den", "slow"));
    slow.seat();
    while server.stats()["dropped_messages"] == 0 {
        for _ in 0..15 {
            ann.state();
        }
    }
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
    flood.seat();
    for _ in 0..200 {
        flood.steer(1, 1);
    }
    let milliseconds = flood.told("throttled")["milliseconds"].as_u64().unwrap();
    assert!(
        (1..=17).contains(&milliseconds),
        "at 60 messages in a second: {milliseconds} ms"
    );
    let violations = server.stats()["violations"].as_u64().unwrap();
    assert!((1..200).contains(&violations), "{violations}");
    // Whoever goes on is closed.
    for _ in 0..1_000 {
        flood.steer(1, 1);
    }
    assert_eq!(flood.closed(), closed(1008, "rate_limited;retry=5000"));
    let begin = ann.state().step;
    read_without_a_gap(&mut ann, |step| step < begin + 30);
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
