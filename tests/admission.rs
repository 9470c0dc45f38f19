//! Who is admitted, who is refused, and in which words: lines 1, 2, 3 and 7.

mod support;

use lobbykeeper::{
    Answer, Answers, CloseFrame, CloseFrameError, Config, ConfigError, JoinError, Manager, RefusalRule, Retry,
    UserOverflow,
};
use support::{Desk, frame, secs};

use RefusalRule::{
    ConnectRate, Draining, Expired, InvalidName, LobbyFull, LobbyLocked, ReservationVoid, ServerFull, SourceLimit,
    UserLimit,
};

fn limits(server: u32, lobby: u32, user: u32) -> Config {
    Config {
        max_connections: Some(server),
        max_connections_per_lobby: Some(lobby),
        max_connections_per_user: Some(user),
        ..Config::default()
    }
}

fn replacing(config: Config) -> Config {
    Config {
        user_overflow: UserOverflow::ReplaceOldest,
        ..config
    }
}

#[test]
fn the_first_rule_that_fails_is_the_reason() {
    for (config, lobby, wanted) in [
        (limits(2, 1, 1), "", Some(InvalidName)),
        (limits(2, 1, 1), "den", Some(ServerFull)),
        (limits(3, 1, 1), "den", Some(LobbyFull)),
        (limits(3, 2, 1), "den", Some(UserLimit)),
        (limits(3, 2, 2), "den", None),
    ] {
        let mut desk = Desk::with(config);
        desk.connect("den", "ann");
        desk.connect("attic", "bob");
        assert_eq!(desk.refused(lobby, "ann"), wanted, "{wanted:?}");
    }
    assert_eq!(
        RefusalRule::ALL,
        [
            Draining,
            InvalidName,
            Expired,
            ReservationVoid,
            ServerFull,
            LobbyLocked,
            LobbyFull,
            UserLimit,
            SourceLimit,
            ConnectRate
        ]
    );
}

#[test]
fn the_seat_of_the_one_to_be_replaced_is_set_aside_before_any_check() {
    let mut desk = Desk::with(replacing(limits(1, 1, 1)));
    let mut old = desk.connect("den", "ann");
    for _ in 0..5 {
        let new = desk.connect("den", "ann");
        assert_eq!(desk.members("den"), [new]);
        assert!(!desk.manager.is_open(old));
        old = new;
    }
    assert_eq!(desk.refused("den", "bob"), Some(ServerFull));
}

#[test]
fn the_seat_that_is_set_aside_is_the_ghosts_own_and_no_other() {
    let mut desk = Desk::with(replacing(limits(9, 1, 1)));
    let ghost = desk.connect("den", "ann");
    desk.connect("attic", "bob");
    assert_eq!(
        desk.refused("attic", "ann"),
        Some(LobbyFull),
        "her ghost sits in the den"
    );
    assert!(desk.manager.is_open(ghost), "a refusal replaces nobody");
    assert_eq!(desk.said(), [""; 0]);
}

#[test]
fn nobody_makes_way_who_is_within_the_users_limit() {
    let mut desk = Desk::with(replacing(limits(1, 9, 2)));
    let first = desk.connect("den", "ann");
    assert_eq!(desk.refused("den", "ann"), Some(ServerFull));
    assert!(desk.manager.is_open(first));
}

#[test]
fn a_refusal_leaves_no_trace_but_a_counter() {
    for (config, lobby, user) in [
        (limits(9, 9, 9), "den", ""),
        (limits(1, 9, 9), "new lobby", "new user"),
        (limits(9, 1, 9), "den", "new user"),
        (limits(9, 9, 1), "new lobby", "ann"),
    ] {
        let mut desk = Desk::with(config);
        desk.connect("den", "ann");
        let mut untouched = desk.clone();
        let rule = desk.refused(lobby, user).unwrap();

        assert!(desk.out.is_empty());
        let (stats, mut wanted) = (desk.manager.stats(), untouched.manager.stats());
        let counter = match rule {
            InvalidName => &mut wanted.refusals.invalid_name,
            ServerFull => &mut wanted.refusals.server_full,
            LobbyFull => &mut wanted.refusals.lobby_full,
            _ => &mut wanted.refusals.user_limit,
        };
        *counter += 1;
        assert_eq!(stats, wanted);
        assert_eq!(desk.manager.next_deadline(), untouched.manager.next_deadline());
        assert_eq!(desk.manager.lobby_id("new lobby"), None);
        assert!(!desk.manager.is_user_connected("new user"));
        // No slot was taken and no id spent: the future is the same.
        for desk in [&mut desk, &mut untouched] {
            let ann = desk.members("den")[0];
            desk.closed(ann);
            desk.try_connect("attic", "bob").unwrap();
        }
        assert_eq!(desk.said(), untouched.said());
        assert_eq!(desk.members("attic"), untouched.members("attic"));
    }
}

#[test]
fn a_refusal_tells_code_reason_and_when_to_come_again() {
    let later = Retry::After(secs(5));
    for (config, user, code, reason, retry) in [
        (limits(9, 9, 9), "", 4004, "invalid_name", Retry::Never),
        (limits(1, 9, 9), "bob", 4002, "server_full", later),
        (limits(9, 1, 9), "bob", 4002, "lobby_full", later),
        (limits(9, 9, 1), "ann", 4003, "user_limit", later),
    ] {
        let mut desk = Desk::with(config);
        desk.connect("den", "ann");
        let refusal = desk.try_connect("den", user).unwrap_err();
        assert_eq!(
            (refusal.code(), refusal.reason(), refusal.retry()),
            (code, reason, retry)
        );
    }
}

#[test]
fn the_driver_finds_the_words_for_the_unauthorized_in_the_table() {
    assert_eq!(Answers::default().unauthorized, frame(4001, "unauthorized"));
}

/// The close frame of one refused by this rule when its answer is this.
fn sent(rule: RefusalRule, answer: Answer) -> CloseFrame {
    let mut config = limits(9, 9, 9);
    let (limit, entry) = match rule {
        ServerFull => (Some(&mut config.max_connections), &mut config.answers.server_full),
        LobbyFull => (
            Some(&mut config.max_connections_per_lobby),
            &mut config.answers.lobby_full,
        ),
        UserLimit => (
            Some(&mut config.max_connections_per_user),
            &mut config.answers.user_limit,
        ),
        _ => (None, &mut config.answers.invalid_name),
    };
    *entry = answer;
    let user = if let Some(limit) = limit {
        *limit = Some(0);
        "ann"
    } else {
        ""
    };
    Desk::with(config).try_connect("den", user).unwrap_err().close_frame()
}

#[test]
fn the_close_frame_carries_the_advice_behind_the_reason() {
    let answer = |retry| Answer {
        close: frame(4444, "why"),
        retry,
    };
    for rule in [UserLimit, InvalidName] {
        for (retry, wanted) in [
            (Retry::After(secs(5)), "why;retry=5000"),
            (Retry::After(std::time::Duration::from_micros(1_500)), "why;retry=2"),
            (Retry::Now, "why;retry=0"),
            (Retry::Never, "why"),
        ] {
            assert_eq!(sent(rule, answer(retry)), frame(4444, wanted), "{rule} {retry:?}");
        }
    }
    // Clients compare these two.
    for rule in [ServerFull, LobbyFull] {
        for retry in [Retry::After(secs(5)), Retry::Now, Retry::Never] {
            assert_eq!(sent(rule, answer(retry)), frame(4444, "why"), "{rule} {retry:?}");
        }
    }
}

#[test]
fn by_default_the_full_say_so_verbatim_and_the_user_limit_with_its_advice() {
    let close = |config, user| {
        let mut desk = Desk::with(config);
        desk.connect("den", "ann");
        desk.try_connect("den", user).unwrap_err().close_frame()
    };
    assert_eq!(close(limits(1, 9, 9), "bob"), frame(4002, "server_full"));
    assert_eq!(close(limits(9, 1, 9), "bob"), frame(4002, "lobby_full"));
    assert_eq!(close(limits(9, 9, 1), "ann"), frame(4003, "user_limit;retry=5000"));
    assert_eq!(close(limits(9, 9, 9), ""), frame(4004, "invalid_name"));
}

#[test]
fn the_words_for_the_replaced_come_from_the_table_too() {
    let mut desk = Desk::with(Config {
        answers: Answers {
            replaced: frame(4900, "elsewhere"),
            ..Answers::default()
        },
        ..replacing(limits(9, 9, 1))
    });
    let old = desk.connect("den", "ann");
    desk.try_connect("den", "ann").unwrap();
    assert_eq!(desk.said(), [format!("close {old} 4900 elsewhere")]);
}

#[test]
fn a_limit_of_zero_refuses_all() {
    for overflow in [UserOverflow::Reject, UserOverflow::ReplaceOldest] {
        for (server, lobby, user, wanted) in [
            (0, 9, 9, ServerFull),
            (9, 0, 9, LobbyFull),
            (9, 9, 0, UserLimit),
            (0, 0, 0, ServerFull),
        ] {
            let mut desk = Desk::with(Config {
                user_overflow: overflow,
                ..limits(server, lobby, user)
            });
            for _ in 0..2 {
                assert_eq!(desk.refused("den", "ann"), Some(wanted));
            }
        }
    }
}

#[test]
fn a_close_code_that_cannot_be_sent_is_refused() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
        assert_eq!(CloseFrame::new(code, ""), Err(CloseFrameError::Code(code)));
        let json = format!(r#"{{"code":{code},"reason":""}}"#);
        assert!(serde_json::from_str::<CloseFrame>(&json).is_err(), "{code}");
    }
    for code in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4002, 4999] {
        assert_eq!(CloseFrame::new(code, "").unwrap().code(), code);
    }
}

#[test]
fn a_close_reason_of_more_than_123_bytes_is_refused() {
    assert_eq!(frame(4000, &"x".repeat(123)).reason().len(), 123);
    let bytes = 124;
    let too_long = Err(CloseFrameError::Reason { bytes });
    assert_eq!(CloseFrame::new(4000, "x".repeat(bytes)), too_long);
    assert_eq!(CloseFrame::new(4000, "é".repeat(62)), too_long, "bytes, not letters");
    let json = format!(r#"{{"code":4000,"reason":"{}"}}"#, "x".repeat(bytes));
    assert!(serde_json::from_str::<CloseFrame>(&json).is_err());
}

#[test]
fn settings_whose_answer_would_not_fit_a_close_frame_are_refused() {
    let long = |retry| Answer {
        close: frame(4000, &"x".repeat(112)),
        retry,
    };
    let with = |change: fn(&mut Answers, Answer), answer| {
        let mut config = Config::default();
        change(&mut config.answers, answer);
        Manager::new(config).map(drop)
    };
    let five_seconds = Retry::After(secs(5));
    let too_long = |rule| Err(ConfigError::Answer { rule, bytes: 123 + 1 });
    let user_limit: fn(&mut Answers, Answer) = |answers, answer| answers.user_limit = answer;
    let invalid_name: fn(&mut Answers, Answer) = |answers, answer| answers.invalid_name = answer;
    let lobby_full: fn(&mut Answers, Answer) = |answers, answer| answers.lobby_full = answer;
    // `;retry=5000` is eleven bytes, `;retry=50000` twelve.
    assert_eq!(with(user_limit, long(five_seconds)), Ok(()));
    assert_eq!(with(user_limit, long(Retry::After(secs(50)))), too_long(UserLimit));
    assert_eq!(with(invalid_name, long(Retry::After(secs(50)))), too_long(InvalidName));
    assert_eq!(with(lobby_full, long(Retry::After(secs(50)))), Ok(()), "sent verbatim");
    assert_eq!(with(user_limit, long(Retry::Never)), Ok(()));
}

#[test]
fn settings_that_no_manager_can_follow_are_refused() {
    type Change = fn(&mut Config);
    let wrong: [(Change, ConfigError); 8] = [
        (
            |config| config.max_lobbies_per_connection = Some(0),
            ConfigError::Zero("max_lobbies_per_connection"),
        ),
        (|config| config.max_name_bytes = 0, ConfigError::Zero("max_name_bytes")),
        (|config| config.max_missed = 0, ConfigError::Zero("max_missed")),
        (
            |config| config.ping_interval = Some(secs(0)),
            ConfigError::Zero("ping_interval"),
        ),
        (
            |config| config.ping_timeout = secs(0),
            ConfigError::Zero("ping_timeout"),
        ),
        (
            |config| config.ping_user_timeout = secs(0),
            ConfigError::Zero("ping_user_timeout"),
        ),
        (
            |config| config.close_timeout = secs(0),
            ConfigError::Zero("close_timeout"),
        ),
        (
            |config| config.ping_timeout = secs(21),
            ConfigError::PingTimeoutBeyondInterval,
        ),
    ];
    for (change, error) in wrong {
        let mut config = Config::default();
        change(&mut config);
        assert_eq!(config.validate(), Err(error));
        assert_eq!(Manager::new(config).map(drop), Err(error));
    }
    let off = Config {
        ping_interval: None,
        ping_timeout: secs(1_000),
        max_lobbies_per_connection: None,
        ..Config::default()
    };
    assert_eq!(off.validate(), Ok(()), "without an interval no ping overlaps another");
}

#[test]
fn a_name_has_1_to_128_bytes() {
    for (name, good) in [
        (String::new(), false),
        ("x".into(), true),
        ("x".repeat(128), true),
        ("x".repeat(129), false),
        ("é".repeat(64), true),
        ("é".repeat(65), false), // 65 letters, 130 bytes
        (" \u{0}\n".into(), true),
    ] {
        let mut desk = Desk::with(Config {
            max_lobbies_per_connection: None,
            ..Config::default()
        });
        let wanted = (!good).then_some(InvalidName);
        assert_eq!(desk.refused(&name, "ann"), wanted, "lobby {name:?}");
        assert_eq!(desk.refused("den", &name), wanted, "user {name:?}");

        let bob = desk.connect("den", "bob");
        let joined = desk.call(|manager, now, out| manager.join(now, bob, &name, out));
        let switched = desk.call(|manager, now, out| manager.switch_lobby(now, bob, "den", &name, out));
        for entered in [joined, switched] {
            let rule = match entered {
                Ok(_) => None,
                Err(JoinError::Refused(refusal)) => Some(refusal.rule()),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(rule, wanted, "{name:?}");
        }
    }
}

#[test]
fn how_long_a_name_may_be_is_a_setting() {
    let mut desk = Desk::with(Config {
        max_name_bytes: 3,
        ..Config::default()
    });
    assert_eq!(desk.refused("den", "ann"), None);
    assert_eq!(desk.refused("attic", "ann"), Some(InvalidName));
    assert_eq!(desk.refused("den", "anna"), Some(InvalidName));
}

#[test]
fn can_accept_says_what_connected_does_and_counts_nothing() {
    let long = "x".repeat(129);
    for overflow in [UserOverflow::Reject, UserOverflow::ReplaceOldest] {
        let mut desk = Desk::with(Config {
            user_overflow: overflow,
            ..limits(5, 2, 2)
        });
        for (step, user) in ["ann", "bob", "ann", "ann", "cid", "dan", "ann", "bob"]
            .into_iter()
            .enumerate()
        {
            let before = desk.manager.stats();
            for lobby in ["den", "attic", "cellar", "", &long] {
                for user in ["ann", "bob", "cid", "eve", "", &long] {
                    let promised = desk.manager.can_accept(lobby, user);
                    let done = desk.clone().try_connect(lobby, user).map(drop);
                    assert_eq!(promised, done, "step {step}: {user} into {lobby}");
                }
            }
            assert_eq!(desk.manager.stats(), before);
            // Some are refused, some of the admitted are told to go.
            let lobby = ["den", "attic"][step % 2];
            if let Ok(conn) = desk.try_connect(lobby, user)
                && step % 3 == 2
            {
                desk.kick(conn);
            }
        }
    }
}
