//! Connections that may stay until an instant: what they were let in for has an end.

mod cases;
mod support;

use std::time::Duration;

use cases::cases;
use lobbykeeper::testing::check_invariants;
use lobbykeeper::{
    Answer, Answers, Closing, Command, Config, ConnId, Ending, Eviction, Handshake, Notice, RefusalRule, Retry, Time,
};
use proptest::prelude::*;
use support::{Desk, at, frame, secs, without_pings};

fn until(desk: &mut Desk, user: &str, expires: Time) -> ConnId {
    let conn = desk.admit(Handshake::new("den", user).expires(expires)).unwrap();
    desk.out.clear();
    conn
}

fn extend(desk: &mut Desk, conn: ConnId, expires: impl Into<Option<Time>>) -> bool {
    desk.call(|manager, now, out| manager.extend(now, conn, expires.into(), out))
}

/// Who is closed because of that, in order.
fn expired(desk: &mut Desk) -> Vec<ConnId> {
    let closes = desk.out.commands().filter_map(|command| match command {
        Command::Close {
            conn,
            cause: Closing::Expired,
            ..
        } => Some(conn),
        _ => None,
    });
    let closes = closes.collect();
    desk.out.clear();
    closes
}

proptest! {
    #![proptest_config(cases(100, "proptest-regressions/doors.txt"))]

    /// The law: the next deadline is the earliest instant that there is, a tick before it closes nobody, a tick at it
    /// closes who is due and nobody else, and after it the deadline lies ahead.
    #[test]
    fn everyone_is_closed_at_their_instant_and_not_before_it(
        steps in prop::collection::vec((0_u8..4, 0_u64..20, any::<prop::sample::Index>()), 0..60),
    ) {
        let mut desk = Desk::with(Config { close_timeout: Duration::from_secs(1 << 30), ..without_pings() });
        let mut model: Vec<(Option<Time>, ConnId)> = Vec::new();
        for (what, number, who) in steps {
            let expires = (number > 0).then(|| desk.now + secs(number));
            match what {
                0 => {
                    let mut handshake = Handshake::new("den", "ann");
                    handshake.expires = expires;
                    model.push((expires, desk.admit(handshake).unwrap()));
                }
                1 if !model.is_empty() => {
                    let number = who.index(model.len());
                    let (old, conn) = &mut model[number];
                    prop_assert!(extend(&mut desk, *conn, expires));
                    *old = expires;
                }
                2 if !model.is_empty() => {
                    let (_, conn) = model.remove(who.index(model.len()));
                    prop_assert!(desk.closed(conn));
                }
                _ => {
                    desk.out.clear();
                    desk.wait(secs(number));
                    desk.tick();
                    let mut due: Vec<_> = model
                        .iter()
                        .filter_map(|&(expires, conn)| Some((expires.filter(|&time| time <= desk.now)?, conn)))
                        .collect();
                    due.sort_by_key(|&(expires, conn)| (expires, conn.index()));
                    let due: Vec<_> = due.into_iter().map(|(_, conn)| conn).collect();
                    model.retain(|(_, conn)| !due.contains(conn));
                    prop_assert_eq!(expired(&mut desk), due);
                    prop_assert!(desk.manager.next_deadline().is_none_or(|next| next > desk.now));
                }
            }
            let earliest = model.iter().filter_map(|(expires, _)| *expires).min();
            let deadline = desk.manager.next_deadline().filter(|&next| next < Time::from_secs(1 << 30));
            prop_assert_eq!(deadline, earliest);
            for &(expires, conn) in &model {
                prop_assert_eq!(desk.manager.expires(conn), expires);
            }
            prop_assert_eq!(check_invariants(&desk.manager), Ok(()));
        }
    }
}

#[test]
fn at_its_instant_a_connection_is_closed_with_a_receipt_and_has_its_time_to_close() {
    let mut desk = Desk::with(without_pings());
    let ann = until(&mut desk, "ann", at(60));
    assert_eq!(desk.manager.next_deadline(), Some(at(60)));
    desk.now = at(60);
    desk.tick();
    let command = desk.out.commands().next().unwrap();
    let Command::Close {
        conn,
        code,
        reason,
        cause,
        receipt,
        ..
    } = command
    else {
        panic!("{command:?}");
    };
    assert_eq!(
        (conn, code, reason, cause),
        (ann, 4008, "token_expired", Closing::Expired)
    );
    let nanos = at(60).as_nanos();
    assert_eq!(
        (receipt.seen, receipt.threshold, receipt.waited, receipt.at),
        (nanos, nanos, Duration::ZERO, at(60))
    );
    desk.out.clear();
    assert_eq!(desk.manager.next_deadline(), Some(at(65)));
    assert_eq!(desk.manager.expires(ann), None, "it is not open any more");
    desk.now = at(65);
    desk.tick();
    assert_eq!(
        desk.said(),
        [
            format!("evict {ann} close timeout"),
            format!("ended {ann} ann: evicted: close timeout")
        ]
    );
    let stats = desk.manager.stats();
    assert_eq!((stats.expired, stats.closes, stats.refusals.expired), (1, 1, 0));
    assert_eq!(desk.manager.next_deadline(), None);
}

#[test]
fn a_tick_before_the_instant_writes_nothing() {
    let mut desk = Desk::with(without_pings());
    until(&mut desk, "ann", at(60));
    desk.now = Time::from_nanos(at(60).as_nanos() - 1);
    desk.tick();
    assert!(desk.out.is_empty());
}

#[test]
fn what_has_expired_does_not_get_in() {
    let mut desk = Desk::with(Config {
        max_connections: Some(0),
        max_name_bytes: 4,
        ..Config::default()
    });
    desk.now = at(9);
    for expires in [at(0), at(9)] {
        let refusal = desk.admit(Handshake::new("den", "ann").expires(expires)).unwrap_err();
        assert_eq!(
            refusal.rule(),
            RefusalRule::Expired,
            "a full server would say to come again"
        );
        let receipt = refusal.receipt();
        assert_eq!(
            (receipt.seen, receipt.threshold),
            (at(9).as_nanos(), expires.as_nanos())
        );
        assert_eq!(refusal.close_frame(), frame(4008, "token_expired"));
    }
    let invalid = desk.admit(Handshake::new("den", "annie").expires(at(0))).unwrap_err();
    assert_eq!(invalid.rule(), RefusalRule::InvalidName);
    let full = desk.admit(Handshake::new("den", "ann").expires(at(10))).unwrap_err();
    assert_eq!(full.rule(), RefusalRule::ServerFull);
    // The clock is the latest reading, and no driver's step back makes an old token good.
    desk.now = at(5);
    let refusal = desk.admit(Handshake::new("den", "ann").expires(at(7))).unwrap_err();
    assert_eq!(refusal.rule(), RefusalRule::Expired);
    assert_eq!(desk.manager.stats().refusals.expired, 3);
}

#[test]
fn the_words_and_the_advice_come_from_the_table() {
    let mut desk = Desk::with(Config {
        answers: Answers {
            expired: Answer {
                close: frame(4900, "renew"),
                retry: Retry::Now,
            },
            ..Answers::default()
        },
        ..without_pings()
    });
    let ann = until(&mut desk, "ann", at(1));
    desk.now = at(1);
    desk.tick();
    assert_eq!(desk.said()[0], format!("close {ann} 4900 renew;retry=0"));
}

#[test]
fn whoever_authenticates_again_in_time_stays() {
    let mut desk = Desk::with(without_pings());
    let ann = until(&mut desk, "ann", at(60));
    desk.now = at(59);
    assert!(extend(&mut desk, ann, at(120)));
    assert!(desk.out.is_empty());
    assert_eq!(desk.manager.next_deadline(), Some(at(120)));
    desk.now = at(119);
    desk.tick();
    assert!(desk.out.is_empty());
    assert!(extend(&mut desk, ann, None));
    assert_eq!(desk.manager.next_deadline(), None);
    // One who came without an end can be given one, and it may lie behind.
    let bob = desk.connect("den", "bob");
    assert!(extend(&mut desk, bob, at(3)));
    assert_eq!(desk.manager.next_deadline(), Some(at(3)));
    desk.tick();
    assert_eq!(expired(&mut desk), [bob]);
    assert!(!extend(&mut desk, bob, at(999)), "it is closing");
    desk.closed(bob);
    assert!(!extend(&mut desk, bob, at(999)), "it is gone");
    assert_eq!(desk.manager.stats().expired, 1);
}

#[test]
fn the_earlier_of_both_clocks_deadlines_is_the_next() {
    let mut desk = Desk::open();
    desk.connect("den", "ann");
    let ping = desk.manager.next_deadline().unwrap();
    let bob = until(&mut desk, "bob", at(1_000));
    let bobs_ping = desk.manager.next_deadline().unwrap().min(ping);
    assert_eq!(desk.manager.next_deadline(), Some(bobs_ping));
    let earlier = Time::from_nanos(bobs_ping.as_nanos() - 1);
    extend(&mut desk, bob, earlier);
    assert_eq!(desk.manager.next_deadline(), Some(earlier));
}

#[test]
fn nobody_is_pinged_who_is_told_to_go_at_the_same_instant() {
    let mut desk = Desk::open();
    let ann = until(&mut desk, "ann", at(1_000));
    let ping = desk.manager.next_deadline().unwrap();
    extend(&mut desk, ann, ping);
    desk.now = ping;
    desk.tick();
    assert_eq!(
        desk.said(),
        [
            format!("close {ann} 4008 token_expired"),
            "left den ann 2".into(),
            "closed den".into()
        ]
    );
}

#[test]
fn a_pause_of_the_server_postpones_no_expiry_and_evicts_nobody() {
    let mut desk = Desk::open();
    let ann = until(&mut desk, "ann", at(100));
    let bob = desk.connect("den", "bob");
    desk.now = at(3_600);
    desk.tick();
    let paused = |notice| matches!(notice, Notice::Paused { .. });
    assert!(desk.out.notices().any(paused));
    assert_eq!(expired(&mut desk), [ann]);
    assert!(desk.manager.is_open(bob));
    // The time to close begins when it was told to.
    desk.now = at(3_604) + Duration::from_nanos(999_999_999);
    desk.tick();
    let ended = |notice| matches!(notice, Notice::Ended { .. });
    assert!(!desk.out.notices().any(ended));
    desk.now = at(3_605);
    desk.tick();
    let evicted = Notice::Ended {
        conn: ann,
        user: "ann",
        ending: Ending::Evicted(Eviction::CloseTimeout),
    };
    assert!(desk.out.notices().any(|notice| notice == evicted));
}

#[test]
fn an_expiry_that_was_overslept_is_no_pause() {
    // Only Ann's ping tells whether the server slept: her silence is due at 10 s.
    let mut desk = Desk::with(without_pings());
    let ann = desk.connect("den", "ann");
    desk.call(|manager, now, out| manager.ping_user(now, "ann", Some(secs(10)), out));
    until(&mut desk, "bob", at(1));
    // The driver is kept busy, and comes to tick only now.
    for second in 2..=9 {
        desk.now = at(second);
        desk.say(ann, "hello");
    }
    desk.now = at(10);
    desk.tick();
    assert_eq!(desk.manager.stats().pauses, 0);
    assert_eq!(desk.manager.stats().suspended, Duration::ZERO);
    assert!(desk.said().iter().any(|line| *line == format!("{ann} did not answer")));
    // Nor is one that had passed when it was set.
    extend(&mut desk, ann, at(0));
    desk.now = at(3_600);
    desk.call(|manager, now, out| manager.leave(now, ann, "den", out));
    assert_eq!(desk.manager.stats().pauses, 1, "Bob's time to close was overslept");
    assert_eq!(desk.manager.stats().suspended, secs(3_600 - 15));
}

#[test]
fn whoever_closes_or_is_told_to_close_before_does_not_expire() {
    let mut desk = Desk::with(without_pings());
    let (ann, bob) = (until(&mut desk, "ann", at(60)), until(&mut desk, "bob", at(60)));
    desk.closed(ann);
    desk.kick(bob);
    desk.out.clear();
    assert_eq!(desk.manager.next_deadline(), Some(at(5)));
    desk.now = at(60);
    desk.tick();
    assert_eq!(expired(&mut desk), []);
    // The slot of one who is gone means nothing to the next one in it.
    let cat = desk.connect("den", "cat");
    assert_eq!(desk.manager.expires(cat), None);
}
