//! How often the server admits a connection, whoever it is.

mod cases;
mod support;

use std::time::Duration;

use cases::cases;
use lobbykeeper::{
    Answers, Config, ConfigError, Handshake, Manager, Outbox, Rate, Refusal, RefusalRule, Retry, Time, UserOverflow,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Desk, frame, secs};

/// Two at once, then one each second.
const RATE: Rate = Rate {
    events: 1,
    per: secs(1),
    burst: 2,
};

fn settings() -> Config {
    Config {
        connect_rate: Some(RATE),
        ..Config::default()
    }
}

fn is_too_soon(refusal: &Refusal) -> bool {
    refusal.rule() == RefusalRule::ConnectRate
}

proptest! {
    #![proptest_config(cases(200, "proptest-regressions/connect_rate.txt"))]

    #[test]
    fn in_no_window_are_more_admitted_than_the_rate_gives_and_the_advice_is_exact(
        gaps in vec(prop_oneof![3 => Just(0_u64), 2 => 1_u64..300, 1 => 300_u64..2_000], 1..60),
        (events, per, burst) in (1_u32..4, 1_u64..900, 1_u32..5),
    ) {
        let connect_rate = Some(Rate { events, per: Duration::from_nanos(per), burst });
        let mut manager = Manager::new(Config { connect_rate, ..Config::default() }).unwrap();
        let (mut out, mut now, mut admitted) = (Outbox::new(), 0, Vec::new());
        for gap in gaps {
            now += gap;
            let at = Time::from_nanos(now);
            let Err(refusal) = manager.connected(at, Handshake::new("den", "ann"), &mut out) else {
                admitted.push(now);
                continue;
            };
            prop_assert!(is_too_soon(&refusal));
            let Retry::After(delay) = refusal.retry() else {
                panic!("{refusal:?}")
            };
            let mut patient = manager.clone();
            let early = patient.connected(at + delay.saturating_sub(Duration::from_nanos(1)), Handshake::new("den", "ann"), &mut out);
            prop_assert!(early.is_err());
            let in_time = patient.connected(at + delay, Handshake::new("den", "ann"), &mut out);
            prop_assert!(in_time.is_ok());
        }
        for (first, start) in admitted.iter().enumerate() {
            for (last, end) in admitted.iter().enumerate().skip(first) {
                let given = u64::from(events) * (end - start) / per;
                prop_assert!((last - first + 1) as u64 <= u64::from(burst) + given);
            }
        }
    }
}

#[test]
fn who_comes_too_soon_is_told_exactly_when_to_come_again() {
    let mut desk = Desk::with(settings());
    desk.connect("den", "ann");
    desk.wait(Duration::from_nanos(1));
    desk.connect("den", "bob");
    let refusal = desk.try_connect("den", "cat").unwrap_err();
    assert!(is_too_soon(&refusal));
    let left = Duration::from_nanos(999_999_999);
    assert_eq!(refusal.retry(), Retry::After(left));
    assert_eq!((refusal.code(), refusal.reason()), (1013, "connect_rate"));
    // Rounded up, since who comes earlier is too early.
    assert_eq!(refusal.close_frame(), frame(1013, "connect_rate;retry=1000"));
    let receipt = refusal.receipt();
    assert_eq!((receipt.seen, receipt.threshold), (1_999_999_999, 1_000_000_000));
    assert_eq!(desk.manager.stats().refusals.connect_rate, 1);
    assert_eq!(refusal.to_string(), "refused: connect rate (1013 connect_rate)");
    desk.wait(left);
    desk.connect("den", "cat");
}

#[test]
fn a_hint_looks_and_takes_nothing() {
    let mut desk = Desk::with(settings());
    for _ in 0..10 {
        assert_eq!(desk.manager.can_accept("den", "ann"), Ok(()));
    }
    desk.connect("den", "ann");
    desk.connect("den", "bob");
    let hint = desk.manager.can_accept("den", "cat").unwrap_err();
    assert_eq!(hint, desk.try_connect("den", "cat").unwrap_err());
    assert_eq!(desk.manager.stats().refusals.connect_rate, 1, "a hint is not counted");
}

#[test]
fn it_is_checked_last_and_whom_another_rule_refuses_pays_nothing() {
    assert_eq!(RefusalRule::ALL.last(), Some(&RefusalRule::ConnectRate));
    let mut desk = Desk::with(Config {
        max_connections: Some(3),
        max_connections_per_lobby: Some(1),
        max_connections_per_user: Some(1),
        ..settings()
    });
    desk.connect("den", "ann");
    for _ in 0..9 {
        assert_eq!(desk.refused("", "bob"), Some(RefusalRule::InvalidName));
        assert_eq!(desk.refused("den", "bob"), Some(RefusalRule::LobbyFull));
        assert_eq!(desk.refused("hall", "ann"), Some(RefusalRule::UserLimit));
    }
    desk.connect("hall", "bob");
    // Now the rate refuses, but the others still come first.
    assert_eq!(desk.refused("pit", "cat"), Some(RefusalRule::ConnectRate));
    assert_eq!(desk.refused("den", "cat"), Some(RefusalRule::LobbyFull));
    assert_eq!(desk.refused("pit", "ann"), Some(RefusalRule::UserLimit));
    desk.wait(secs(1));
    desk.connect("pit", "cat");
    assert_eq!(desk.refused("inn", "dan"), Some(RefusalRule::ServerFull));
}

#[test]
fn who_is_refused_pays_nothing_so_that_a_crowd_at_the_door_does_not_shut_it() {
    let mut desk = Desk::with(settings());
    desk.connect("den", "ann");
    desk.connect("den", "bob");
    for _ in 0..1_000 {
        assert_eq!(desk.refused("den", "cat"), Some(RefusalRule::ConnectRate));
    }
    desk.wait(secs(1));
    desk.connect("den", "cat");
}

#[test]
fn a_newcomer_who_replaces_another_pays_as_well_and_one_who_is_refused_replaces_nobody() {
    let mut desk = Desk::with(Config {
        max_connections_per_user: Some(1),
        user_overflow: UserOverflow::ReplaceOldest,
        ..settings()
    });
    desk.connect("den", "ann");
    let second = desk.connect("den", "ann");
    assert_eq!(desk.refused("den", "ann"), Some(RefusalRule::ConnectRate));
    assert!(desk.said().is_empty() && desk.manager.is_open(second));
    desk.wait(secs(1));
    desk.connect("den", "ann");
    assert!(!desk.manager.is_open(second));
}

#[test]
fn to_join_or_switch_a_lobby_is_no_connection() {
    let mut desk = Desk::with(Config {
        max_lobbies_per_connection: None,
        ..settings()
    });
    let (ann, _) = (desk.connect("den", "ann"), desk.connect("den", "bob"));
    for lobby in ["hall", "pit", "inn"] {
        assert!(
            desk.call(|manager, now, out| manager.join(now, ann, lobby, out))
                .is_ok()
        );
    }
    let moved = desk.call(|manager, now, out| manager.switch_lobby(now, ann, "inn", "attic", out));
    assert!(moved.is_ok());
}

#[test]
fn the_seats_of_those_who_left_are_free_but_the_rate_forgets_nothing() {
    let mut desk = Desk::with(settings());
    for _ in 0..2 {
        let ann = desk.connect("den", "ann");
        assert!(desk.closed(ann));
    }
    assert_eq!(desk.refused("den", "ann"), Some(RefusalRule::ConnectRate));
}

#[test]
fn a_pause_of_the_server_earns_nothing() {
    let mut desk = Desk::with(Config {
        connect_rate: Some(Rate { per: secs(100), ..RATE }),
        ..Config::default()
    });
    desk.connect("den", "ann");
    desk.connect("den", "bob");
    let deadline = desk.manager.next_deadline().unwrap();
    desk.now = deadline + secs(3_600);
    let refusal = desk.try_connect("den", "cat").unwrap_err();
    let awake = deadline.saturating_since(Time::ZERO);
    assert_eq!(refusal.retry(), Retry::After(secs(100).saturating_sub(awake)));
}

#[test]
fn an_answer_has_to_have_room_for_the_longest_advice() {
    // `;retry=18446744073710` is 21 bytes.
    let worded = |bytes: usize| Config {
        answers: Answers {
            connect_rate: frame(4020, &"x".repeat(bytes)),
            ..Answers::default()
        },
        ..Config::default()
    };
    assert_eq!(worded(102).validate(), Ok(()));
    let rule = RefusalRule::ConnectRate;
    assert_eq!(worded(103).validate(), Err(ConfigError::Answer { rule, bytes: 124 }));
    let mut desk = Desk::with(Config {
        connect_rate: Some(Rate {
            events: 1,
            per: Duration::MAX,
            burst: 1,
        }),
        ..worded(102)
    });
    desk.connect("den", "ann");
    let close = desk.try_connect("den", "bob").unwrap_err().close_frame();
    assert_eq!(close.reason().len(), 123);
}
