//! How often a connection and a user may send something, and what comes of sending more.

mod cases;
mod support;

use std::time::Duration;

use cases::cases;
use lobbykeeper::{
    Answer, Answers, Closing, Command, Config, ConfigError, ConnId, Frame, Inbound, Notice, PingFormat, Rate,
    RateScope, Receipt, Retry, Time,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Desk, frame, secs, without_pings};

const fn rate(events: u32, per: Duration, burst: u32) -> Rate {
    Rate { events, per, burst }
}

const MILLI: Duration = Duration::from_millis(1);

/// Three at once, then two each second.
const RATE: Rate = rate(2, secs(1), 3);

fn of_connections(message_rate: Rate) -> Config {
    Config {
        message_rate: Some(message_rate),
        ..Config::default()
    }
}

fn of_users(message_rate: Rate) -> Config {
    Config {
        user_message_rate: Some(message_rate),
        ..Config::default()
    }
}

fn is_dropped(inbound: Inbound) -> bool {
    matches!(inbound, Inbound::Dropped(_))
}

fn send(desk: &mut Desk, conn: ConnId, frame: &Frame<'_>) -> Inbound {
    desk.call(|manager, now, out| manager.message(now, conn, frame.clone(), out))
}

/// When somebody said something, in nanoseconds, and which of three connections of two users it was.
type Chatter = Vec<(u64, usize)>;

fn chatter() -> impl Strategy<Value = Chatter> {
    let gap = prop_oneof![6 => Just(0_u64), 3 => 0_u64..400, 1 => 0_u64..3_000];
    vec((gap, 0_usize..3), 1..80).prop_map(|said| {
        let mut now = 0;
        let said = said.into_iter().map(|(gap, who)| {
            now += gap;
            (now, who)
        });
        said.collect()
    })
}

/// The law for all windows of these instants.
fn keeps(taken: &[u64], rate: Rate) -> bool {
    let per = u64::try_from(rate.per.as_nanos()).unwrap();
    let mut windows = (0..taken.len()).flat_map(|first| (first..taken.len()).map(move |last| (first, last)));
    windows.all(|(first, last)| {
        let given = u64::from(rate.events) * (taken[last] - taken[first]) / per;
        (last - first + 1) as u64 <= u64::from(rate.burst) + given
    })
}

proptest! {
    #![proptest_config(cases(300, "proptest-regressions/message_rates.txt"))]

    #[test]
    fn in_no_window_is_more_taken_of_a_connection_or_of_a_user_than_their_rates_give(
        said in chatter(),
        own in (1_u32..4, 1_u64..900, 1_u32..5),
        shared in (1_u32..4, 1_u64..900, 1_u32..5),
    ) {
        let [own, shared] = [own, shared].map(|(events, per, burst)| rate(events, Duration::from_nanos(per), burst));
        let mut desk = Desk::with(Config {
            message_rate: Some(own),
            user_message_rate: Some(shared),
            ..Config::default()
        });
        let conns = ["ann", "ann", "bob"].map(|user| desk.connect("den", user));
        let mut taken: Vec<(u64, usize)> = Vec::new();
        for (now, who) in said {
            desk.now = Time::from_nanos(now);
            let mut patient = desk.clone();
            if desk.say(conns[who], "hello") == Inbound::Deliver {
                taken.push((now, who));
                continue;
            }
            // The advice holds, and to the nanosecond.
            let (_, retry_after) = patient.say_too_soon(conns[who], "hello");
            patient.wait(retry_after.saturating_sub(Duration::from_nanos(1)));
            prop_assert!(is_dropped(patient.say(conns[who], "too early")));
            patient.wait(Duration::from_nanos(1));
            prop_assert_eq!(patient.say(conns[who], "now"), Inbound::Deliver);
        }
        let of = |wanted: &[usize]| -> Vec<u64> {
            let theirs = taken.iter().filter(|(_, who)| wanted.contains(who));
            theirs.map(|&(now, _)| now).collect()
        };
        for who in 0..3 {
            prop_assert!(keeps(&of(&[who]), own));
        }
        prop_assert!(keeps(&of(&[0, 1]), shared) && keeps(&of(&[2]), shared));
    }
}

#[test]
fn a_burst_is_taken_at_once_and_then_one_each_interval() {
    let mut desk = Desk::with(of_connections(RATE));
    let ann = desk.connect("den", "ann");
    for _ in 0..3 {
        assert_eq!(desk.say(ann, "hello"), Inbound::Deliver);
    }
    assert!(desk.said().is_empty());
    assert_eq!(desk.say_too_soon(ann, "hello"), (RateScope::Connection, 500 * MILLI));
    assert_eq!(
        desk.said(),
        ["c0v1 is throttled by the rate of its connection: again after 500ms (violation 1)"]
    );
    desk.wait(Duration::from_nanos(499_999_999));
    assert_eq!(
        desk.say_too_soon(ann, "hello"),
        (RateScope::Connection, Duration::from_nanos(1))
    );
    desk.wait(Duration::from_nanos(1));
    assert_eq!(desk.say(ann, "hello"), Inbound::Deliver);
    desk.wait(secs(60));
    let taken = ["a", "b", "c", "d"].map(|text| desk.say(ann, text) == Inbound::Deliver);
    assert_eq!(taken, [true, true, true, false], "a rest gives a burst and not more");
    let stats = desk.manager.stats();
    assert_eq!((stats.messages_in, stats.violations), (10, 3));
    assert_eq!((stats.drops.connection_rate, stats.drops.user_rate), (3, 0));
}

#[test]
fn without_a_rate_nothing_is_ever_too_much() {
    let mut desk = Desk::with(Config {
        max_violations: Some(1),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    for _ in 0..1_000 {
        assert_eq!(desk.say(ann, "hello"), Inbound::Deliver);
    }
    assert!(desk.said().is_empty());
}

#[test]
fn a_frame_of_any_kind_pays() {
    let late_pong = r#"{"type":"health_pong","timestamp":7}"#;
    for paid in [
        Frame::text("hello"),
        Frame::binary(b"hello"),
        Frame::Ping(b"hello"[..].into()),
        Frame::Pong(b"hello"[..].into()),
        Frame::text(late_pong),
    ] {
        let mut desk = Desk::with(of_connections(rate(1, secs(1), 1)));
        let ann = desk.connect("den", "ann");
        assert!(!is_dropped(send(&mut desk, ann, &paid)));
        assert!(is_dropped(send(&mut desk, ann, &paid)), "{paid:?}");
    }
}

/// The time stamp of the ping that was just written.
fn stamp(desk: &mut Desk) -> u64 {
    let said = desk.said();
    let digits = said.iter().find_map(|line| {
        let ping = line.strip_prefix("send c0v1: ")?;
        Some(ping.chars().filter(char::is_ascii_digit).collect::<String>())
    });
    digits.unwrap().parse().unwrap()
}

#[test]
fn the_pong_that_answers_the_outstanding_ping_is_free_and_any_other_pays() {
    for format in [PingFormat::Json, PingFormat::WebSocket] {
        let pong = |stamp: u64| match format {
            PingFormat::Json => Frame::Text(format!(r#"{{"type":"health_pong","timestamp":{stamp}}}"#).into()),
            PingFormat::WebSocket => Frame::Pong(stamp.to_string().into_bytes().into()),
        };
        let mut desk = Desk::with(Config {
            ping_format: format,
            ping_interval: None,
            ..of_connections(rate(1, secs(100), 2))
        });
        let ann = desk.connect("den", "ann");
        desk.wait(secs(1));
        assert_eq!(desk.say(ann, "one"), Inbound::Deliver);
        desk.call(|manager, now, out| manager.ping_user(now, "ann", None, out));
        let first = stamp(&mut desk);
        assert_eq!(
            send(&mut desk, ann, &pong(first)),
            Inbound::Handled,
            "free, and charged nothing"
        );
        assert_eq!(
            send(&mut desk, ann, &pong(first)),
            Inbound::Handled,
            "a second time it pays"
        );
        assert!(is_dropped(send(&mut desk, ann, &pong(first))), "all is used up");
        desk.out.clear();
        desk.call(|manager, now, out| manager.ping_user(now, "ann", None, out));
        let second = stamp(&mut desk);
        assert!(is_dropped(send(&mut desk, ann, &pong(first))), "late");
        assert!(is_dropped(send(&mut desk, ann, &pong(second + 1))), "forged");
        assert_eq!(
            send(&mut desk, ann, &pong(second)),
            Inbound::Handled,
            "free though all is used up"
        );
        assert_eq!(desk.manager.stats().pongs, 2);
    }
}

#[test]
fn the_pong_to_a_ping_from_before_a_pause_gives_no_time_and_is_free_all_the_same() {
    let mut desk = Desk::with(of_connections(rate(1, secs(1_000), 1)));
    let ann = desk.connect("den", "ann");
    assert_eq!(desk.say(ann, "one"), Inbound::Deliver);
    desk.now = desk.manager.next_deadline().unwrap();
    desk.tick();
    let stamp = stamp(&mut desk);
    desk.now = desk.manager.next_deadline().unwrap() + secs(60);
    let pong = format!(r#"{{"type":"health_pong","timestamp":{stamp}}}"#);
    assert_eq!(desk.say(ann, &pong), Inbound::Handled);
    assert_eq!(desk.manager.stats().pongs, 0);
    assert!(is_dropped(desk.say(ann, &pong)), "the same once more");
}

#[test]
fn all_connections_of_a_user_draw_on_one_rate_and_other_users_on_their_own() {
    let mut desk = Desk::with(of_users(RATE));
    let [phone, laptop] = ["den", "hall"].map(|lobby| desk.connect(lobby, "ann"));
    let bob = desk.connect("den", "bob");
    let said = [phone, laptop, phone].map(|conn| desk.say(conn, "hello"));
    assert_eq!(said, [Inbound::Deliver; 3]);
    assert_eq!(desk.say_too_soon(laptop, "hello"), (RateScope::User, 500 * MILLI));
    assert_eq!(
        desk.said(),
        ["c1v1 is throttled by the rate of its user: again after 500ms (violation 1)"]
    );
    assert_eq!(desk.say(bob, "hello"), Inbound::Deliver);
    let drops = desk.manager.stats().drops;
    assert_eq!((drops.connection_rate, drops.user_rate), (0, 1));
}

#[test]
fn what_one_rate_drops_the_other_is_not_charged_for() {
    let mut desk = Desk::with(Config {
        message_rate: Some(rate(1, secs(100), 2)),
        user_message_rate: Some(rate(1, secs(100), 3)),
        ..without_pings()
    });
    let [phone, laptop] = ["den", "hall"].map(|lobby| desk.connect(lobby, "ann"));
    // The phone has used up its own rate; its drops leave the third of the user's to the laptop.
    let said = ["a", "b"].map(|text| desk.say(phone, text));
    assert_eq!(said, [Inbound::Deliver; 2]);
    let said = ["c", "d"].map(|text| desk.say_too_soon(phone, text));
    assert_eq!(said, [(RateScope::Connection, secs(100)); 2]);
    assert_eq!(desk.say(laptop, "e"), Inbound::Deliver);
    // Now the user's is used up; the laptop's drops leave it its own second.
    assert_eq!(desk.say_too_soon(laptop, "f"), (RateScope::User, secs(100)));
    desk.wait(secs(99));
    assert_eq!(desk.say_too_soon(laptop, "g"), (RateScope::User, secs(1)));
    desk.wait(secs(1));
    assert_eq!(desk.say(laptop, "h"), Inbound::Deliver);
}

#[test]
fn of_two_rates_the_one_that_holds_up_for_longer_is_named_and_its_delay_told() {
    for (own, shared, by, retry_after) in [
        (5, 9, RateScope::User, secs(9)),
        (9, 5, RateScope::Connection, secs(9)),
        (7, 7, RateScope::Connection, secs(7)),
    ] {
        let mut desk = Desk::with(Config {
            message_rate: Some(rate(1, secs(own), 1)),
            user_message_rate: Some(rate(1, secs(shared), 1)),
            ..without_pings()
        });
        let ann = desk.connect("den", "ann");
        assert_eq!(desk.say(ann, "one"), Inbound::Deliver);
        assert_eq!(desk.say_too_soon(ann, "two"), (by, retry_after));
        desk.wait(retry_after);
        assert_eq!(desk.say(ann, "three"), Inbound::Deliver);
    }
}

#[test]
fn what_is_dropped_proves_life() {
    let mut desk = Desk::with(of_connections(rate(1, secs(1_000), 1)));
    let ann = desk.connect("den", "ann");
    assert_eq!(desk.say(ann, "one"), Inbound::Deliver);
    for _ in 0..20 {
        desk.now = desk.manager.next_deadline().unwrap();
        desk.tick();
        assert!(is_dropped(desk.say(ann, "more")));
    }
    assert!(desk.manager.is_open(ann));
    assert_eq!(desk.manager.stats().missed_pings, 0);
}

#[test]
fn the_violation_that_is_one_too_many_closes_the_connection() {
    let mut desk = Desk::with(Config {
        max_violations: Some(3),
        ..of_connections(RATE)
    });
    let (ann, bob) = (desk.connect("den", "ann"), desk.connect("den", "bob"));
    desk.wait(secs(1));
    let said = ["a", "b", "c", "d", "e", "f", "g"].map(|text| desk.say(ann, text));
    assert_eq!(said[..3], [Inbound::Deliver; 3]);
    assert!(said[3..6].iter().all(|&said| is_dropped(said)));
    assert_eq!(said[6], Inbound::Stale);
    let receipts = desk.out.commands().filter_map(|command| match command {
        Command::Close { cause, receipt, .. } => Some((cause, receipt)),
        _ => None,
    });
    let receipts: Vec<(Closing, Receipt)> = receipts.collect();
    let [(Closing::RateLimited, receipt)] = receipts[..] else {
        panic!("{receipts:?}")
    };
    assert_eq!(
        (receipt.seen, receipt.threshold, receipt.at),
        (3, 3, Time::from_secs(1))
    );
    let throttled = desk.out.notices().filter_map(|notice| match notice {
        Notice::Throttled {
            violations, receipt, ..
        } => Some((violations, receipt.seen, receipt.threshold)),
        _ => None,
    });
    let throttled: Vec<_> = throttled.collect();
    // Three intervals until it is full, two of which may be owed.
    let owed = [
        (1, 1_500_000_000, 1_000_000_000),
        (2, 1_500_000_000, 1_000_000_000),
        (3, 1_500_000_000, 1_000_000_000),
    ];
    assert_eq!(throttled, owed);
    assert_eq!(
        desk.said()[2..],
        [
            "c0v1 is throttled by the rate of its connection: again after 500ms (violation 3)",
            "close c0v1 1008 rate_limited;retry=5000",
            "left den ann 3",
        ]
    );
    let stats = desk.manager.stats();
    assert_eq!((stats.violations, stats.closes_rate_limited, stats.closes), (3, 1, 1));
    assert_eq!(desk.say(bob, "what was that?"), Inbound::Deliver);
}

#[test]
fn violations_of_the_users_rate_are_those_of_the_connection_that_sent() {
    let mut desk = Desk::with(Config {
        max_violations: Some(2),
        ..of_users(rate(1, secs(100), 1))
    });
    let [phone, laptop] = ["den", "hall"].map(|lobby| desk.connect(lobby, "ann"));
    assert_eq!(desk.say(phone, "one"), Inbound::Deliver);
    for conn in [laptop, phone] {
        assert!(is_dropped(desk.say(conn, "two")));
    }
    assert!(
        desk.manager.is_open(phone) && desk.manager.is_open(laptop),
        "each has one"
    );
    assert!(is_dropped(desk.say(laptop, "three")));
    assert!(desk.manager.is_open(phone) && !desk.manager.is_open(laptop));
}

/// How many violations the next message makes.
fn violations(desk: &mut Desk, conn: ConnId) -> u32 {
    desk.out.clear();
    assert!(is_dropped(desk.say(conn, "too much")));
    let mut notices = desk.out.notices();
    notices
        .find_map(|notice| match notice {
            Notice::Throttled { violations, .. } => Some(violations),
            _ => None,
        })
        .unwrap()
}

#[test]
fn a_message_from_a_rested_connection_is_forgiveness_and_one_from_a_busy_connection_is_not() {
    let mut desk = Desk::with(of_connections(RATE));
    let ann = desk.connect("den", "ann");
    for text in ["a", "b", "c"] {
        desk.say(ann, text);
    }
    assert_eq!([violations(&mut desk, ann), violations(&mut desk, ann)], [1, 2]);
    // A second later two more are taken, but not a whole burst: she is not rested.
    desk.wait(secs(1));
    assert_eq!(["d", "e"].map(|text| desk.say(ann, text)), [Inbound::Deliver; 2]);
    assert_eq!(violations(&mut desk, ann), 3);
    // Nor is she a nanosecond before a whole burst may come.
    desk.wait(Duration::from_nanos(1_499_999_999));
    assert_eq!(["f", "g"].map(|text| desk.say(ann, text)), [Inbound::Deliver; 2]);
    assert_eq!(violations(&mut desk, ann), 4);
    desk.wait(1_500 * MILLI);
    assert_eq!(["h", "i", "j"].map(|text| desk.say(ann, text)), [Inbound::Deliver; 3]);
    assert_eq!(violations(&mut desk, ann), 1);
}

#[test]
fn without_a_rate_of_its_own_a_connection_is_rested_when_its_user_is() {
    let mut desk = Desk::with(of_users(RATE));
    let [phone, laptop] = ["den", "hall"].map(|lobby| desk.connect(lobby, "ann"));
    for text in ["a", "b", "c"] {
        desk.say(phone, text);
    }
    assert_eq!([violations(&mut desk, laptop), violations(&mut desk, laptop)], [1, 2]);
    desk.wait(500 * MILLI);
    assert_eq!(desk.say(laptop, "d"), Inbound::Deliver);
    assert_eq!(violations(&mut desk, laptop), 3);
    desk.wait(secs(2));
    assert_eq!(
        ["e", "f", "g"].map(|text| desk.say(laptop, text)),
        [Inbound::Deliver; 3]
    );
    assert_eq!(violations(&mut desk, laptop), 1);
}

#[test]
fn what_comes_while_the_server_is_paused_earns_nothing() {
    let mut desk = Desk::with(of_connections(rate(1, secs(100), 1)));
    let ann = desk.connect("den", "ann");
    assert_eq!(desk.say(ann, "one"), Inbound::Deliver);
    let deadline = desk.manager.next_deadline().unwrap();
    desk.now = deadline + secs(3_600);
    // An hour has passed, but until the deadline only was anybody awake.
    let awake = deadline.saturating_since(Time::ZERO);
    assert_eq!(
        desk.say_too_soon(ann, "two"),
        (RateScope::Connection, secs(100).saturating_sub(awake))
    );
    assert_eq!(desk.manager.stats().suspended, secs(3_600));
}

#[test]
fn what_a_user_has_sent_is_forgotten_with_the_last_connection_and_not_before() {
    let mut desk = Desk::with(of_users(rate(1, secs(1_000), 1)));
    let first = desk.connect("den", "ann");
    assert_eq!(desk.say(first, "one"), Inbound::Deliver);
    let second = desk.connect("den", "ann");
    assert!(desk.closed(first));
    assert!(is_dropped(desk.say(second, "two")), "another connection is there");
    assert!(desk.kick(second));
    let third = desk.connect("den", "ann");
    assert!(is_dropped(desk.say(third, "three")), "one is there that still closes");
    assert!(desk.closed(second) && desk.closed(third));
    let fourth = desk.connect("den", "ann");
    assert_eq!(desk.say(fourth, "four"), Inbound::Deliver);
}

#[test]
fn a_newcomer_in_a_used_slot_has_used_up_nothing_and_violated_nothing() {
    let mut desk = Desk::with(Config {
        max_violations: Some(2),
        ..of_connections(rate(1, secs(1_000), 1))
    });
    let ann = desk.connect("den", "ann");
    assert_eq!(desk.say(ann, "one"), Inbound::Deliver);
    assert_eq!(violations(&mut desk, ann), 1);
    assert!(desk.closed(ann));
    let bob = desk.connect("den", "bob");
    assert_eq!(bob.index(), ann.index());
    assert_eq!(desk.say(bob, "one"), Inbound::Deliver);
    assert_eq!(violations(&mut desk, bob), 1);
}

#[test]
fn the_answer_and_its_advice_are_settings() {
    for (retry, reason) in [
        (Retry::Never, "calm down"),
        (Retry::Now, "calm down;retry=0"),
        (
            Retry::After(Duration::from_nanos(60_000_000_001)),
            "calm down;retry=60001",
        ),
    ] {
        let close = frame(4777, "calm down");
        let mut desk = Desk::with(Config {
            max_violations: Some(1),
            answers: Answers {
                rate_limited: Answer { close, retry },
                ..Answers::default()
            },
            ..of_connections(rate(1, secs(1), 1))
        });
        let ann = desk.connect("den", "ann");
        desk.say(ann, "one");
        desk.say(ann, "two");
        assert_eq!(desk.said()[1], format!("close c0v1 4777 {reason}"));
    }
}

#[test]
fn rates_and_answers_that_cannot_be_are_refused() {
    let nothing = Duration::ZERO;
    for (rate, field) in [
        (rate(0, secs(1), 1), "events"),
        (rate(1, nothing, 1), "per"),
        (rate(1, secs(1), 0), "burst"),
    ] {
        let named = |rate| Err(ConfigError::ZeroRate { rate, field });
        assert_eq!(of_connections(rate).validate(), named("message_rate"));
        assert_eq!(of_users(rate).validate(), named("user_message_rate"));
        let connects = Config {
            connect_rate: Some(rate),
            ..Config::default()
        };
        assert_eq!(connects.validate(), named("connect_rate"));
        assert_eq!(
            connects.validate().unwrap_err().to_string(),
            format!("connect_rate.{field} must not be 0")
        );
    }
    let never = Config {
        max_violations: Some(0),
        ..Config::default()
    };
    assert_eq!(never.validate(), Err(ConfigError::Zero("max_violations")));

    // `;retry=5000` is eleven bytes.
    let worded = |bytes: usize| Config {
        answers: Answers {
            rate_limited: Answer {
                close: frame(1008, &"x".repeat(bytes)),
                retry: Retry::After(secs(5)),
            },
            ..Answers::default()
        },
        ..Config::default()
    };
    assert_eq!(worded(112).validate(), Ok(()));
    let error = worded(113).validate().unwrap_err();
    assert_eq!(error, ConfigError::RateLimitedAnswer { bytes: 124 });
    assert!(error.to_string().contains("takes 124 bytes"), "{error}");
}
