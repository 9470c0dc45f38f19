//! Snapshots: a restored manager goes on as the first would have, and its ids, timers and counters with it.

mod cases;
mod snapshots;
mod support;

use std::net::Ipv4Addr;

use cases::cases;
use lobbykeeper::testing::strategy::{
    arrival, chatty_settings, chatty_step, crowd_settings, crowd_step, crowded_settings, door_step, drain_step,
    hasty_step, knobs, newcomer, patient_steps, seat_step, slow_step, steps,
};
use lobbykeeper::testing::{Pair, Seen, Steps, View};
use lobbykeeper::{
    Command, Config, ConnId, Except, Handshake, Inbound, Input, Limit, Manager, Outbox, Payload, Rate, RateScope,
    RefusalRule, Snapshot, Time, UserOverflow,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use snapshots::{draining, version_1};
use support::{Desk, secs};

/// The snapshot after a way through JSON.
fn saved(manager: &Manager) -> Snapshot {
    let json = serde_json::to_string(&manager.snapshot()).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// The manager that comes back from there, under another hash key.
fn restored(manager: &Manager) -> Manager {
    Manager::restore(saved(manager), [17, u64::MAX]).unwrap()
}

/// The reply and all outputs, as they are written.
fn apply(manager: &mut Manager, input: &Input<'_>) -> String {
    let mut out = Outbox::new();
    let reply = manager.apply(input.clone(), &mut out);
    serde_json::to_string(&(reply, out.iter().collect::<Vec<_>>())).unwrap()
}

/// A manager that is saved and restored after every input does what one does that runs through.
fn goes_on_from_everywhere(config: Config, steps: &Steps) -> Result<(), TestCaseError> {
    let (pair, inputs) = Pair::after(config.clone(), steps);
    let seen = pair.reference.seen;
    let mut through = Manager::new(config).unwrap();
    let mut again = restored(&through);
    for input in &inputs {
        prop_assert_eq!(apply(&mut again, input), apply(&mut through, input), "{:?}", input);
        again = restored(&again);
        prop_assert_eq!(again.snapshot(), through.snapshot());
        prop_assert_eq!(View::of(&again, &seen), View::of(&through, &seen), "{:?}", input);
    }
    Ok(())
}

fn hangs_on(
    manager: &mut Manager,
    other: &mut Manager,
    inputs: &[Input<'_>],
    seen: &Seen,
) -> Result<(), TestCaseError> {
    for input in inputs {
        prop_assert_eq!(apply(other, input), apply(manager, input), "{:?}", input);
        prop_assert_eq!(View::of(other, seen), View::of(manager, seen), "{:?}", input);
    }
    prop_assert_eq!(other.snapshot(), manager.snapshot());
    Ok(())
}

proptest! {
    #![proptest_config(cases(60, "proptest-regressions/snapshot.txt"))]

    #[test]
    fn a_manager_that_is_restored_after_every_step_does_what_it_would_have_done(knobs in knobs(), steps in steps()) {
        goes_on_from_everywhere(knobs.into(), &steps)?;
    }

    #[test]
    fn so_it_does_where_it_is_about_who_may_be_where(knobs in knobs(), steps in vec(hasty_step(), 1..=120)) {
        goes_on_from_everywhere(knobs.into(), &Steps(steps))?;
    }

    #[test]
    fn so_it_does_where_it_is_about_who_is_still_there(knobs in knobs(), steps in patient_steps()) {
        goes_on_from_everywhere(knobs.into(), &steps)?;
    }

    #[test]
    fn so_it_does_where_it_is_about_who_may_come_in_and_for_how_long(
        knobs in knobs(), steps in vec(door_step(), 1..=120),
    ) {
        goes_on_from_everywhere(knobs.into(), &Steps(steps))?;
    }

    #[test]
    fn so_it_does_where_it_is_about_backlogs(knobs in knobs(), steps in vec(slow_step(), 1..=120)) {
        goes_on_from_everywhere(knobs.into(), &Steps(steps))?;
    }

    #[test]
    fn so_it_does_where_it_is_about_whom_a_seat_is_held_for(
        settings in crowded_settings(), steps in vec(seat_step(), 1..=120),
    ) {
        goes_on_from_everywhere(settings, &Steps(steps))?;
    }

    #[test]
    fn so_it_does_where_it_is_about_who_has_to_go_when(
        knobs in knobs(), before in vec(arrival(), 2..=12), steps in vec(drain_step(), 1..=120),
    ) {
        goes_on_from_everywhere(knobs.into(), &Steps([before, steps].concat()))?;
    }

    #[test]
    fn so_it_does_where_too_many_are_silent(
        settings in crowd_settings(), crowd in vec(newcomer(), 2..=12), steps in vec(crowd_step(), 1..=120),
    ) {
        goes_on_from_everywhere(settings, &Steps([crowd, steps].concat()))?;
    }

    #[test]
    fn so_it_does_where_much_is_said(settings in chatty_settings(), steps in vec(chatty_step(), 1..=120)) {
        goes_on_from_everywhere(settings, &Steps(steps))?;
    }

    #[test]
    fn a_restored_manager_and_a_clone_go_on_alike_for_ever_after(
        knobs in knobs(), steps in steps(), share in 0_usize..=100,
    ) {
        let (pair, inputs) = Pair::after(knobs.into(), &steps);
        let seen = pair.reference.seen;
        let (first, rest) = inputs.split_at(inputs.len() * share / 100);
        let mut manager = Manager::new(knobs.into()).unwrap();
        for input in first {
            apply(&mut manager, input);
        }
        let (mut fork, mut back) = (manager.clone(), restored(&manager));
        prop_assert_eq!(fork.snapshot(), manager.snapshot());
        hangs_on(&mut manager.clone(), &mut back, rest, &seen)?;
        hangs_on(&mut manager, &mut fork, rest, &seen)?;
    }
}

/// One in so many seconds.
fn rate(seconds: u64, burst: u32) -> Rate {
    Rate {
        events: 1,
        per: secs(seconds),
        burst,
    }
}

/// A manager that has been through much, in small settings, and its connections by index.
fn desk() -> (Desk, [ConnId; 5]) {
    let mut desk = Desk::with(Config {
        max_connections: Some(5),
        max_connections_per_lobby: Some(3),
        max_connections_per_user: Some(2),
        user_overflow: UserOverflow::ReplaceOldest,
        max_lobbies_per_connection: Some(2),
        max_name_bytes: 4,
        max_backlog_bytes: Some(100),
        max_backlog_messages: Some(4),
        max_total_backlog_bytes: Some(200),
        message_rate: Some(rate(10, 2)),
        user_message_rate: Some(rate(1, 5)),
        connect_rate: Some(rate(10, 20)),
        max_violations: Some(5),
        max_message_bytes: Some(200),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    let bob = desk.connect("den", "bob");
    let second = desk.connect("hall", "ann");
    let cat = desk.connect("pit", "cat");
    desk.call(|manager, now, out| manager.join(now, bob, "hall", out))
        .unwrap();
    assert!(desk.closed(cat));
    assert!(desk.try_connect("a long name", "dan").is_err());
    desk.out.clear();
    // Ann answers, Bob does not; a tick comes late by more than can be an accident.
    let mut late = secs(3);
    while let Some(deadline) = desk
        .manager
        .next_deadline()
        .filter(|&deadline| deadline < Time::from_secs(30))
    {
        desk.now = deadline + std::mem::take(&mut late);
        desk.tick();
        for command in desk.out.clone().commands() {
            if let Command::Send { to, payload } = command {
                let ping = String::from_utf8(payload.as_bytes().to_vec()).unwrap();
                for &conn in to.iter().filter(|&&conn| conn != bob) {
                    desk.say(conn, &ping.replace("ping", "pong"));
                }
            }
        }
        desk.out.clear();
    }
    desk.now = Time::from_secs(30);
    desk.call(|manager, now, out| manager.ping_user(now, "ann", Some(secs(2)), out));
    let home = Handshake::new("den", "ann").source(Ipv4Addr::new(192, 0, 2, 1));
    let third = desk.admit(home.clone().expires(Time::from_secs(90))).unwrap();
    assert!(desk.admit(home.expires(Time::from_secs(30))).is_err());
    let dan = desk.connect("den", "dan");
    assert!(desk.kick(dan));
    let eve = desk.connect("pit", "eve");
    assert!(desk.closed(eve));
    // One more might come in for a while, and nobody new comes into the hall.
    desk.set_limit(Limit::Connections, 6);
    desk.set_limit(Limit::Connections, 5);
    assert!(desk.lock("hall") && desk.try_connect("hall", "dan").is_err());
    // The driver begins to report, of something that was written before.
    desk.call(|manager, now, out| manager.flushed(now, bob, 45, 1, out));
    let frame = || Payload::binary(vec![0; 45]);
    for (conn, addressed) in [(bob, 1), (bob, 1), (bob, 0), (second, 1), (bob, 0)] {
        let sent = desk.call(|manager, now, out| manager.send_to(now, conn, frame().droppable(), out));
        assert_eq!(sent, addressed);
    }
    // Two messages are taken, one is dropped.
    for _ in 0..3 {
        desk.say(third, "hello");
    }
    // Ann is to come once more, in the place of her connection in the hall; Fay where nobody is.
    let given_back = desk.reserve(Handshake::new("pit", "eve")).unwrap();
    assert!(desk.release(given_back));
    desk.reserve(Handshake::new("hall", "ann")).unwrap();
    let fay = Handshake::new("pit", "fay").source(Ipv4Addr::new(192, 0, 2, 1));
    desk.reserve(fay).unwrap();
    let late = Handshake::new("pit", "eve").reservation(given_back);
    assert!(desk.admit(late).is_err());
    desk.out.clear();
    (desk, [ann, bob, second, third, dan])
}

#[test]
fn a_snapshot_of_version_1_is_written_as_ever_and_is_read_in_any_order_of_its_members() {
    let (mut desk, _) = desk();
    let snapshot = desk.manager.snapshot();
    assert_eq!(snapshot.version(), 1);
    assert_eq!(serde_json::to_value(&snapshot).unwrap(), version_1());
    let json = serde_json::to_string(&snapshot).unwrap();
    assert!(json.starts_with(r#"{"version":1,"config":{"#));
    assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), snapshot);
    // A value sorts its members, so that the version comes last.
    let sorted = version_1().to_string();
    assert!(sorted.ends_with(r#","version":1}"#));
    assert_eq!(serde_json::from_str::<Snapshot>(&sorted).unwrap(), snapshot);
    let back = Manager::restore(snapshot.clone(), [1, 2]).unwrap();
    assert_eq!(back.snapshot(), snapshot);
    desk.call(|manager, now, out| manager.drain(now, secs(1), Time::from_secs(90), out));
    assert_eq!(serde_json::to_value(desk.manager.snapshot()).unwrap(), draining());
}

#[test]
fn the_hash_key_is_not_in_a_snapshot_but_in_the_restored_manager() {
    let hash_key = [0x5eed_5eed_5eed_5eed, 0xfeed_feed_feed_feed];
    let manager = Manager::new(Config {
        hash_key,
        ..Config::default()
    });
    let snapshot = manager.unwrap().snapshot();
    let written = format!("{snapshot:?} {}", serde_json::to_string(&snapshot).unwrap());
    assert!(!hash_key.iter().any(|part| written.contains(&part.to_string())));
    assert_eq!(snapshot, Manager::new(Config::default()).unwrap().snapshot());
    assert_eq!(Manager::restore(snapshot, [3, 4]).unwrap().config().hash_key, [3, 4]);
}

#[test]
fn later_newcomers_get_the_ids_that_they_would_have_got() {
    let mut desk = Desk::open();
    let conns: Vec<_> = ["a", "b", "c", "d"].map(|name| desk.connect(name, name)).into();
    for number in [1, 3, 0] {
        desk.closed(conns[number]);
    }
    let mut back = desk.clone();
    back.manager = restored(&desk.manager);
    for mut desk in [desk, back] {
        let newcomers = ["e", "f", "g", "h"].map(|name| desk.connect(name, name).to_string());
        assert_eq!(
            newcomers,
            ["c0v2", "c3v2", "c1v2", "c4v1"],
            "the slot that was left last comes first"
        );
        let lobbies = ["e", "f", "g", "h"].map(|name| desk.manager.lobby_id(name).unwrap().to_string());
        assert_eq!(lobbies, ["l0v2", "l3v2", "l1v2", "l4v1"]);
    }
}

#[test]
fn a_slot_whose_generations_are_used_up_is_not_used_again_after_a_restart_either() {
    let mut snapshot = version_1();
    snapshot["free_connections"] = json!(["c5v4294967295"]);
    snapshot["free_lobbies"] = json!(["l2v4294967295"]);
    snapshot["free_reservations"] = json!(["r2v4294967295"]);
    snapshot["config"]["max_connections"] = json!(6);
    let mut desk = Desk::open();
    desk.manager = Manager::restore(serde_json::from_value(snapshot).unwrap(), [0, 0]).unwrap();
    desk.now = Time::from_secs(30);
    let last = desk.connect("pit", "eve");
    assert_eq!(last.to_string(), "c5v4294967295");
    desk.closed(last);
    let seat = desk.reserve(Handshake::new("pit", "eve")).unwrap();
    assert!(seat.to_string() == "r2v4294967295" && desk.release(seat));
    let saved = serde_json::to_value(desk.manager.snapshot()).unwrap();
    assert_eq!(
        [
            &saved["retired_connections"],
            &saved["free_connections"],
            &saved["retired_lobbies"],
            &saved["retired_reservations"],
            &saved["free_reservations"],
        ],
        [&json!([5]), &json!([]), &json!([2]), &json!([2]), &json!([])]
    );
    desk.manager = restored(&desk.manager);
    assert_eq!(desk.connect("pit", "eve").to_string(), "c6v1");
    assert_eq!(desk.manager.lobby_id("pit").unwrap().to_string(), "l3v1");
    desk.closed("c6v1".parse().unwrap());
    let seat = desk.reserve(Handshake::new("pit", "eve")).unwrap();
    assert_eq!(seat.to_string(), "r3v1");
}

#[test]
fn whoever_was_closing_still_has_to_be_done_in_time_and_whoever_is_asked_still_has_to_answer() {
    let (mut desk, [replaced, _, second, third, closing]) = desk();
    desk.manager = restored(&desk.manager);
    assert!(!desk.manager.is_open(replaced) && !desk.manager.is_open(closing));
    desk.wait(secs(2));
    desk.tick();
    assert_eq!(desk.said(), [format!("{second} did not answer")]);
    desk.wait(secs(3));
    desk.tick();
    let said = desk.said();
    let evicted: Vec<_> = said.iter().filter(|line| line.starts_with("evict")).collect();
    assert_eq!(
        evicted,
        [
            &format!("evict {replaced} close timeout"),
            &format!("evict {closing} close timeout")
        ]
    );
    assert_eq!(
        desk.manager.user_connections("ann").collect::<Vec<_>>(),
        [second, third]
    );
    let stats = desk.manager.stats();
    assert_eq!(
        (stats.total_connections, stats.closing_connections, stats.users),
        (4, 0, 2),
        "one of them is a reserved seat"
    );
}

#[test]
fn the_time_until_a_manager_is_restored_is_a_pause_that_nobody_is_evicted_for() {
    let (mut desk, [_, bob, ..]) = desk();
    let before = desk.manager.stats();
    desk.manager = restored(&desk.manager);
    assert_eq!(desk.manager.stats(), before);
    desk.wait(secs(3_600));
    desk.tick();
    let said = desk.said();
    assert!(said[0].contains("stood still"), "{said:?}");
    assert!(!said.iter().any(|line| line.starts_with("evict")), "{said:?}");
    assert!(desk.manager.is_open(bob), "a ping from before cannot be missed");
    assert_eq!(desk.manager.stats().pauses, before.pauses + 1);
}

#[test]
fn what_has_been_used_of_the_rates_stays_used() {
    let (mut desk, [_, _, second, third, _]) = desk();
    desk.manager = restored(&desk.manager);
    assert_eq!(desk.say_too_soon(third, "hello"), (RateScope::Connection, secs(10)));
    assert!(desk.said()[0].ends_with("(violation 2)"));
    // Three of the user's five are left, one of which the second connection may not use.
    let said = [second, second].map(|conn| desk.say(conn, "hello"));
    assert_eq!(said, [Inbound::Deliver; 2]);
    assert_eq!(desk.say_too_soon(second, "hello"), (RateScope::Connection, secs(10)));
    // At one each ten seconds, since the start 10 of 20 were used, 3 of them by reserved seats, and of those 2 earned again.
    desk.set_limit(Limit::Connections, 6);
    let more = (0..20).take_while(|_| {
        let conn = desk.try_connect("pit", "eve");
        conn.is_ok_and(|conn| desk.closed(conn))
    });
    assert_eq!(more.count(), 12);
    assert_eq!(desk.refused("pit", "eve"), Some(RefusalRule::ConnectRate));
}

#[test]
fn the_order_of_joining_survives_whoever_has_left() {
    let mut desk = Desk::open();
    let conns = ["a", "b", "c", "d", "e"].map(|name| desk.connect("den", name));
    desk.connect("den", "a");
    desk.closed(conns[1]);
    desk.closed(conns[0]);
    let late = desk.connect("den", "b");
    let (users, revision) = desk.roster("den");
    let (users, members): (Vec<String>, _) = (users.into_iter().map(String::from).collect(), desk.members("den"));
    assert_eq!((users.join(" "), members.last()), ("a c d e b".into(), Some(&late)));
    desk.manager = restored(&desk.manager);
    assert_eq!(desk.members("den"), members);
    assert_eq!(
        desk.roster("den"),
        (users.iter().map(String::as_str).collect(), revision)
    );
    assert_eq!(desk.hail("den", Except::user("b")), 4);
    assert_eq!(desk.recipients(), members[..4]);
}
