//! Every number that is told: line 29.

mod support;

use lobbykeeper::{Command, Config, Except, Frame, Payload, Stats, UserOverflow};
use support::{Desk, hi, secs};

fn stats(desk: &Desk) -> Stats {
    desk.manager.stats()
}

#[test]
fn a_new_manager_has_counted_nothing() {
    let stats = stats(&Desk::open());
    let json = serde_json::to_value(&stats).unwrap();
    for (name, value) in json.as_object().unwrap() {
        let zero = match value {
            serde_json::Value::Object(counts) => counts.values().all(|count| *count == 0),
            serde_json::Value::Null => ["max_connections", "capacity_percent", "backlog"].contains(&name.as_str()),
            serde_json::Value::Bool(is_so) => !is_so,
            value => *value == 0,
        };
        assert!(zero, "{name}: {value}");
    }
}

#[test]
fn connections_users_and_lobbies_are_counted_as_they_come_and_go() {
    let mut desk = Desk::with(Config {
        max_connections_per_user: Some(2),
        user_overflow: UserOverflow::ReplaceOldest,
        max_lobbies_per_connection: None,
        ..Config::default()
    });
    let count = |desk: &Desk| {
        let stats = stats(desk);
        assert_eq!(stats.open_connections as usize, {
            let mut members: Vec<_> = desk
                .manager
                .lobbies()
                .flat_map(|lobby| desk.manager.lobby_connections(lobby))
                .collect();
            members.sort_unstable();
            members.dedup();
            members.len()
        });
        [
            stats.total_connections,
            stats.open_connections,
            stats.closing_connections,
            stats.users,
            stats.active_lobbies,
        ]
    };
    let ann = desk.connect("den", "ann");
    assert_eq!(count(&desk), [1, 1, 0, 1, 1]);
    let second = desk.connect("attic", "ann");
    desk.connect("den", "bob");
    assert_eq!(count(&desk), [3, 3, 0, 2, 2]);
    desk.call(|manager, now, out| manager.join(now, second, "cellar", out).unwrap());
    assert_eq!(count(&desk), [3, 3, 0, 2, 3]);
    desk.connect("den", "ann");
    assert_eq!(
        count(&desk),
        [3, 3, 1, 2, 3],
        "the replaced one is closing and forgiven"
    );
    desk.kick(second);
    assert_eq!(count(&desk), [3, 2, 2, 2, 1], "the kicked one is closing and counts");
    desk.closed(ann);
    assert_eq!(count(&desk), [3, 2, 1, 2, 1]);
    desk.closed(second);
    assert_eq!(count(&desk), [2, 2, 0, 2, 1]);
    let stats = stats(&desk);
    assert_eq!((stats.admissions, stats.closes), (4, 2));
}

#[test]
fn refusals_are_counted_by_their_rule() {
    let mut desk = Desk::with(Config {
        max_connections: Some(3),
        max_connections_per_lobby: Some(2),
        max_connections_per_user: Some(1),
        ..Config::default()
    });
    desk.connect("den", "ann");
    let bob = desk.connect("den", "bob");
    desk.refused("den", "");
    for _ in 0..2 {
        desk.refused("den", "cid");
    }
    for _ in 0..3 {
        desk.refused("attic", "ann");
    }
    let dan = desk.connect("attic", "dan");
    for _ in 0..4 {
        desk.refused("attic", "eve");
    }
    // A lobby change that is refused counts as well, one that is impossible does not.
    desk.call(|manager, now, out| manager.switch_lobby(now, dan, "attic", "den", out).unwrap_err());
    desk.call(|manager, now, out| manager.join(now, bob, "attic", out).unwrap_err());
    let refusals = stats(&desk).refusals;
    assert_eq!(
        (
            refusals.invalid_name,
            refusals.lobby_full,
            refusals.user_limit,
            refusals.server_full
        ),
        (1, 3, 3, 4)
    );
    assert_eq!(stats(&desk).admissions, 3);
}

#[test]
fn evictions_are_counted_by_their_cause() {
    let mut desk = Desk::with(Config {
        max_connections_per_user: Some(1),
        user_overflow: UserOverflow::ReplaceOldest,
        max_missed: 1,
        ..Config::default()
    });
    for _ in 0..3 {
        desk.try_connect("den", "ann").unwrap();
    }
    let bob = desk.try_connect("den", "bob").unwrap();
    desk.kick(bob);
    desk.wait(secs(5));
    while let Some(deadline) = desk.manager.next_deadline() {
        desk.now = desk.now.max(deadline);
        desk.tick();
    }
    let evictions = stats(&desk).evictions;
    assert_eq!(
        (evictions.replaced, evictions.close_timeout, evictions.stale),
        (1, 2, 1)
    );
    let written = desk
        .out
        .commands()
        .filter(|command| matches!(command, Command::Evict { .. }));
    assert_eq!(written.count(), 4);
    assert_eq!(stats(&desk).total_connections, 0);
}

#[test]
fn messages_and_bytes_are_counted_in_and_out_one_per_recipient() {
    let mut desk = Desk::with(Config {
        ping_interval: None,
        ..Config::default()
    });
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|user| desk.connect("den", user));
    desk.kick(cid);
    for (conn, frame) in [
        (ann, Frame::text("é")),
        (ann, Frame::binary(&[1, 2, 3])),
        (bob, Frame::ping(b"1")),
        (bob, Frame::pong(b"")),
        (cid, Frame::text("too late")),
    ] {
        desk.call(|manager, now, out| manager.message(now, conn, frame, out));
    }
    let counted = stats(&desk);
    assert_eq!((counted.messages_in, counted.bytes_in), (4, 6));

    desk.hail("den", Except::Nobody);
    desk.hail("den", Except::Conn(ann));
    desk.hail("nowhere", Except::Nobody);
    desk.call(|manager, now, out| manager.send_to(now, ann, Payload::binary(vec![0; 10]), out));
    desk.call(|manager, now, out| manager.send_to(now, cid, hi(), out));
    desk.call(|manager, now, out| manager.send_to_user(now, "bob", Payload::text(""), out));
    desk.call(|manager, now, out| manager.broadcast_all(now, hi(), Except::Nobody, out));
    let counted = stats(&desk);
    assert_eq!((counted.messages_out, counted.bytes_out), (3 + 1 + 1 + 2, 6 + 10 + 4));
}

#[test]
fn pings_pongs_and_misses_are_counted() {
    let mut desk = Desk::with(Config {
        ping_interval: None,
        ..Config::default()
    });
    let [ann, _] = ["ann", "ann"].map(|user| desk.connect("den", user));
    desk.wait(secs(7));
    desk.call(|manager, now, out| manager.ping_user(now, "ann", None, out));
    let pong = r#"{"type":"health_pong","timestamp":7000}"#;
    for _ in 0..2 {
        desk.say(ann, pong);
    }
    let counted = stats(&desk);
    assert_eq!((counted.pings, counted.pongs), (2, 1));
    assert_eq!((counted.messages_out, counted.messages_in), (2, 2));
    assert_eq!(counted.bytes_out, 2 * pong.len() as u64);

    let mut desk = Desk::open();
    desk.connect("den", "bob");
    while let Some(deadline) = desk.manager.next_deadline() {
        desk.now = deadline;
        desk.tick();
    }
    let counted = stats(&desk);
    assert_eq!(
        (counted.pings, counted.missed_pings, counted.evictions.stale),
        (2, 2, 1)
    );
}

#[test]
fn events_for_ids_that_are_not_open_are_counted() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    desk.kick(ann);
    desk.say(ann, "closing");
    assert_eq!(stats(&desk).stale_ids, 1);
    assert!(desk.closed(ann), "for a closing one this is no stale event");
    assert_eq!(stats(&desk).stale_ids, 1);
    desk.closed(ann);
    desk.say(ann, "gone");
    assert_eq!(stats(&desk).stale_ids, 3);
}

#[test]
fn steps_back_and_pauses_of_the_clock_are_counted() {
    let mut desk = Desk::open();
    desk.wait(secs(10));
    desk.connect("den", "ann");
    let mut earlier = desk.clone();
    earlier.now = lobbykeeper::Time::from_secs(9);
    for _ in 0..2 {
        earlier.tick();
    }
    assert_eq!(stats(&earlier).clock_steps_back, 2);

    let deadline = desk.manager.next_deadline().unwrap();
    desk.now = deadline + secs(3_600);
    desk.tick();
    let counted = stats(&desk);
    assert_eq!((counted.pauses, counted.suspended), (1, secs(3_600)));
    assert_eq!(counted.clock_steps_back, 0);
}

fn percent(max: u32, connections: u32) -> (u32, String, String) {
    let mut desk = Desk::with(Config {
        max_connections: Some(max),
        ..Config::default()
    });
    for number in 0..connections {
        desk.connect("den", &number.to_string());
    }
    let percent = stats(&desk).capacity_percent.unwrap();
    (
        percent.tenths(),
        percent.to_string(),
        serde_json::to_string(&percent).unwrap(),
    )
}

#[test]
fn the_capacity_has_one_decimal_and_is_kept_in_tenths() {
    for (max, connections, tenths, json) in [
        (6, 5, 833, "83.3"),
        (3, 2, 666, "66.6"),
        (500, 417, 834, "83.4"),
        (1_000, 1, 1, "0.1"),
        (1_001, 1, 0, "0.0"),
        (7, 7, 1_000, "100.0"),
        (7, 0, 0, "0.0"),
        (u32::MAX, 1, 0, "0.0"),
        (0, 0, 1_000, "100.0"),
    ] {
        assert_eq!(
            percent(max, connections),
            (tenths, format!("{json} %"), json.to_owned()),
            "{connections} of {max}"
        );
    }
}

#[test]
fn without_a_limit_there_is_no_capacity() {
    let mut desk = Desk::open();
    desk.connect("den", "ann");
    let stats = stats(&desk);
    assert_eq!((stats.max_connections, stats.capacity_percent), (None, None));
    let json = serde_json::to_value(&stats).unwrap();
    assert!(json["max_connections"].is_null() && json["capacity_percent"].is_null());
}

#[test]
fn the_json_has_the_names_at_its_top_level() {
    let mut desk = Desk::with(Config {
        max_connections: Some(6),
        ..Config::default()
    });
    for user in ["ann", "bob", "cid", "dan", "eve"] {
        desk.connect("den", user);
    }
    let json = serde_json::to_string(&stats(&desk)).unwrap();
    assert_eq!(
        json,
        concat!(
            r#"{"total_connections":5,"max_connections":6,"capacity_percent":83.3,"active_lobbies":1,"#,
            r#""open_connections":5,"closing_connections":0,"users":5,"admissions":5,"#,
            r#""refusals":{"invalid_name":0,"server_full":0,"lobby_full":0,"user_limit":0,"#,
            r#""lobby_locked":0,"source_limit":0,"expired":0,"reservation_void":0,"connect_rate":0,"draining":0},"#,
            r#""evictions":{"stale":0,"close_timeout":0,"replaced":0,"slow_consumer":0,"over_budget":0},"closes":0,"#,
            r#""messages_in":0,"bytes_in":0,"messages_out":0,"bytes_out":0,"#,
            r#""pings":0,"pongs":0,"missed_pings":0,"#,
            r#""stale_ids":0,"clock_steps_back":0,"pauses":0,"suspended":0,"expired":0,"#,
            r#""backlog":null,"dropped_messages":0,"excess_flushes":0,"#,
            r#""drops":{"connection_rate":0,"user_rate":0,"too_big":0},"violations":0,"closes_rate_limited":0,"#,
            r#""reserved_seats":0,"reservations":{"made":0,"used":0,"released":0,"lapsed":0},"#,
            r#""draining":false,"drained":0}"#,
        )
    );
}
