//! The known flaws of the usual connection manager, a dictionary of sets with check-then-add: each is impossible here,
//! and each has its test.

mod support;

use std::sync::{Arc, Mutex};
use std::thread;

use lobbykeeper::{
    Command, Config, Except, Frame, Handshake, Inbound, Manager, Notice, Outbox, RefusalRule, Time, UserOverflow,
};
use support::{Desk, secs};

#[test]
fn the_late_close_of_a_users_old_socket_does_not_erase_the_new_one() {
    let mut desk = Desk::with(Config {
        max_connections_per_user: Some(1),
        user_overflow: UserOverflow::ReplaceOldest,
        ..Config::default()
    });
    let old = desk.connect("den", "ann");
    let new = desk.connect("den", "ann");
    assert!(desk.closed(old));
    // And once more, when the old one's slot has another tenant.
    let bob = desk.connect("den", "bob");
    assert_eq!(bob.index(), old.index());
    assert!(!desk.closed(old));
    assert!(desk.manager.is_user_connected("ann") && desk.manager.is_open(bob));
    assert_eq!(desk.manager.user_connections("ann").collect::<Vec<_>>(), [new]);
    desk.said();
    desk.hail("den", Except::Nobody);
    assert_eq!(desk.recipients(), [new, bob]);
}

#[test]
fn simultaneous_joins_do_not_overrun_a_limit() {
    // A hundred threads race for the ten seats. The lock is the driver's; between check and registration there is
    // nothing to interleave.
    let config = Config {
        max_connections_per_lobby: Some(10),
        ..Config::default()
    };
    let manager = Arc::new(Mutex::new(Manager::new(config).unwrap()));
    let racers: Vec<_> = (0..100)
        .map(|number| {
            let manager = Arc::clone(&manager);
            thread::spawn(move || {
                let user = format!("user {number}");
                // All look first, as the usual manager does; that all were told yes is worth nothing.
                let _ = manager.lock().unwrap().can_accept("den", &user);
                let handshake = Handshake::new("den", user);
                manager
                    .lock()
                    .unwrap()
                    .connected(Time::ZERO, handshake, &mut Outbox::new())
                    .map_err(|refusal| refusal.rule())
            })
        })
        .collect();
    let results: Vec<_> = racers.into_iter().map(|racer| racer.join().unwrap()).collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 10);
    let refused = results.into_iter().filter_map(Result::err);
    assert!(refused.into_iter().all(|rule| rule == RefusalRule::LobbyFull));
    assert_eq!(manager.lock().unwrap().lobby_connections("den").count(), 10);
}

#[test]
fn a_join_or_leave_during_a_broadcast_disturbs_nothing() {
    let mut desk = Desk::open();
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|user| desk.connect("den", user));
    desk.hail("den", Except::Nobody);
    // The driver is in the middle of sending when one goes, one comes and one moves out.
    let mut next = Outbox::new();
    let mut reached = Vec::new();
    for command in desk.out.commands() {
        let Command::Send { to, .. } = command else { panic!() };
        for &conn in to {
            reached.push(conn);
            if conn == ann {
                let (manager, now) = (&mut desk.manager, desk.now);
                manager.closed(now, bob, lobbykeeper::Cause::SendFailed, &mut next);
                manager.connected(now, Handshake::new("den", "dan"), &mut next).unwrap();
                assert!(manager.leave(now, cid, "den", &mut next));
            }
        }
    }
    assert_eq!(
        reached,
        [ann, bob, cid],
        "those who were members when it was sent, each once"
    );
    assert_eq!(next.commands().count(), 0);
    assert_eq!(desk.members("den").len(), 2);
}

/// The time stamp of the ping in the outbox, if one was written.
fn ping(desk: &mut Desk) -> Option<u64> {
    let timestamp = desk.out.commands().find_map(|command| match command {
        Command::Send { payload, .. } => {
            let json: serde_json::Value = serde_json::from_slice(payload.as_bytes()).unwrap();
            json["timestamp"].as_u64()
        }
        _ => None,
    });
    desk.out.clear();
    timestamp
}

/// Sends a pong. Returns whether it gave a time.
fn pong(desk: &mut Desk, conn: lobbykeeper::ConnId, timestamp: u64) -> bool {
    let text = format!(r#"{{"type":"health_pong","timestamp":{timestamp}}}"#);
    assert_eq!(desk.say(conn, &text), Inbound::Handled);
    let told = desk.out.notices().any(|notice| matches!(notice, Notice::Pong { .. }));
    desk.out.clear();
    told
}

#[test]
fn overlapping_pings_do_not_destroy_each_other() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    let ask = |desk: &mut Desk| desk.call(|manager, now, out| manager.ping_user(now, "ann", Some(secs(5)), out));
    assert_eq!(ask(&mut desk), 1);
    let first = ping(&mut desk).unwrap();
    desk.wait(secs(1));
    assert_eq!(ask(&mut desk), 1);
    assert_eq!(ping(&mut desk), None, "the second question waits for the same answer");
    desk.wait(secs(1));
    assert!(pong(&mut desk, ann, first), "the first ping is still good");
    assert_eq!(desk.manager.latency(ann).unwrap().last, secs(2));
}

#[test]
fn a_late_pong_does_not_falsify_the_latency() {
    let mut desk = Desk::with(Config {
        ping_interval: None,
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    let ask = |desk: &mut Desk| desk.call(|manager, now, out| manager.ping_user(now, "ann", None, out));
    ask(&mut desk);
    let late = ping(&mut desk).unwrap();
    desk.wait(secs(2));
    desk.tick();
    assert_eq!(desk.said(), ["c0v1 did not answer"]);
    ask(&mut desk);
    let current = ping(&mut desk).unwrap();
    assert!(!pong(&mut desk, ann, late));
    assert_eq!(desk.manager.latency(ann), None, "neither two seconds nor none");
    desk.wait(secs(1));
    assert!(pong(&mut desk, ann, current));
    assert_eq!(desk.manager.latency(ann).unwrap().last, secs(1));
}

#[test]
fn a_pong_or_message_for_an_unknown_connection_creates_nothing() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    desk.closed(ann);
    desk.said();
    let before = desk.manager.stats();
    for unknown in [ann, "c7v1".parse().unwrap(), "c4294967295v4294967295".parse().unwrap()] {
        for frame in [
            Frame::text(r#"{"type":"health_pong","timestamp":1}"#),
            Frame::text("hello"),
            Frame::pong(b"1"),
        ] {
            let inbound = desk.call(|manager, now, out| manager.message(now, unknown, frame, out));
            assert_eq!(inbound, Inbound::Stale);
        }
    }
    let mut after = desk.manager.stats();
    assert_eq!(after.stale_ids, 9);
    after.stale_ids = before.stale_ids;
    assert_eq!(after, before);
    assert!(desk.out.is_empty());
    assert_eq!(desk.manager.next_deadline(), None);
}

#[test]
fn an_empty_user_id_does_not_mean_exclude_nobody() {
    // It cannot be a user's at all, so nobody can be hidden behind it.
    let mut desk = Desk::open();
    assert_eq!(desk.refused("den", ""), Some(RefusalRule::InvalidName));
    // Nobody and a user without a name are two things that a caller has to spell differently.
    let ann = desk.connect("den", "ann");
    assert_ne!(Except::user(""), Except::Nobody);
    desk.hail("den", Except::user(""));
    assert_eq!(desk.recipients(), [ann], "one who is not there leaves nobody out");
    // And a short name is a name like any other: it is not taken for "none".
    for odd in ["0", " ", "null", "\u{0}"] {
        let conn = desk.connect("den", odd);
        desk.hail("den", Except::user(odd));
        assert_eq!(desk.recipients(), [ann], "{odd:?}");
        desk.closed(conn);
        desk.said();
    }
}

#[test]
fn a_statistic_does_not_divide_by_a_limit_of_zero() {
    let mut desk = Desk::with(Config {
        max_connections: Some(0),
        ..Config::default()
    });
    assert_eq!(desk.refused("den", "ann"), Some(RefusalRule::ServerFull));
    let percent = desk.manager.stats().capacity_percent.unwrap();
    assert_eq!((percent.tenths(), percent.to_string().as_str()), (1_000, "100.0 %"));
    assert_eq!(serde_json::to_string(&percent).unwrap(), "100.0");
}

#[test]
fn a_user_is_not_refused_by_his_own_ghost() {
    let mut desk = Desk::with(Config {
        max_connections: Some(2),
        max_connections_per_lobby: Some(2),
        max_connections_per_user: Some(1),
        user_overflow: UserOverflow::ReplaceOldest,
        ..Config::default()
    });
    let bob = desk.connect("den", "bob");
    // The old socket is never reported closed: the network is gone, and she comes back again and again.
    let mut last = desk.connect("den", "ann");
    for _ in 0..10 {
        last = desk.connect("den", "ann");
    }
    assert_eq!(desk.members("den"), [bob, last]);
    assert_eq!(desk.refused("den", "cid"), Some(RefusalRule::ServerFull));
}
