//! Rates, and what else limits messages, that change while the server runs: what has changed begins anew.

mod cases;
mod support;

use std::time::Duration;

use cases::cases;
use lobbykeeper::testing::check_invariants;
use lobbykeeper::{
    Closing, Command, Config, ConfigError, ConnId, DropReason, Inbound, Limit, Manager, Rate, RateLimit, RateScope,
    RefusalRule,
};
use proptest::prelude::*;
use support::{Desk, secs};

/// One in so many seconds, and so many at once.
const fn rate(seconds: u64, burst: u32) -> Rate {
    Rate {
        events: 1,
        per: secs(seconds),
        burst,
    }
}

fn restored(manager: &Manager) -> Manager {
    let json = serde_json::to_string(&manager.snapshot()).unwrap();
    Manager::restore(serde_json::from_str(&json).unwrap(), [1, 2]).unwrap()
}

/// How many of so many messages are taken.
fn taken(desk: &mut Desk, conn: ConnId, count: u32) -> u32 {
    let said = (0..count).filter(|_| desk.say(conn, "hello") == Inbound::Deliver);
    u32::try_from(said.count()).unwrap()
}

proptest! {
    #![proptest_config(cases(100, "proptest-regressions/rates_at_run_time.txt"))]

    /// The law: each message is judged by the rate of its instant, of which nothing had been used when it was set.
    #[test]
    fn whatever_has_been_used_of_a_rate_a_changed_one_has_its_whole_burst(
        scope in prop::sample::select(vec![RateLimit::Messages, RateLimit::UserMessages]),
        changes in prop::collection::vec((prop::option::of(1_u32..5), 0_u32..8), 1..20),
    ) {
        let mut desk = Desk::open();
        let ann = desk.connect("den", "ann");
        for (number, (burst, said)) in (1..).zip(changes) {
            // No two in a row are alike.
            let changed = burst.map(|burst| rate(1_000 + number, burst));
            desk.out.clear();
            desk.set_rate(scope, changed);
            prop_assert!(desk.out.is_empty());
            prop_assert_eq!(desk.manager.config().rate(scope), changed);
            prop_assert_eq!(taken(&mut desk, ann, said), burst.map_or(said, |burst| said.min(burst)));
            prop_assert_eq!(check_invariants(&desk.manager), Ok(()));
            desk.manager = restored(&desk.manager);
        }
    }
}

#[test]
fn the_value_that_a_rate_has_already_gives_no_new_burst() {
    let mut desk = Desk::with(Config {
        message_rate: Some(rate(100, 2)),
        user_message_rate: Some(rate(100, 3)),
        connect_rate: Some(rate(100, 1)),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    assert_eq!(taken(&mut desk, ann, 5), 2);
    let before = desk.manager.snapshot();
    for limit in RateLimit::ALL {
        let same = desk.manager.config().rate(limit);
        desk.set_rate(limit, same);
    }
    assert_eq!(desk.manager.snapshot(), before);
}

#[test]
fn each_rate_is_changed_alone() {
    let mut desk = Desk::with(Config {
        message_rate: Some(rate(100, 2)),
        user_message_rate: Some(rate(100, 4)),
        ..Config::default()
    });
    let [phone, laptop] = ["den", "hall"].map(|lobby| desk.connect(lobby, "ann"));
    assert_eq!(taken(&mut desk, phone, 3), 2);
    // A new burst for each connection, but what Ann has used of hers stays used.
    desk.set_rate(RateLimit::Messages, rate(200, 3));
    assert_eq!(taken(&mut desk, phone, 1), 1);
    assert_eq!(taken(&mut desk, laptop, 1), 1);
    assert_eq!(desk.say_too_soon(laptop, "hello"), (RateScope::User, secs(100)));
    // And the other way round: each connection has two of its three left.
    desk.set_rate(RateLimit::UserMessages, rate(200, 3));
    assert_eq!(taken(&mut desk, phone, 2), 2);
    assert_eq!(desk.say_too_soon(phone, "hello"), (RateScope::Connection, secs(200)));
    assert_eq!(taken(&mut desk, laptop, 1), 1);
    assert_eq!(desk.say_too_soon(laptop, "hello"), (RateScope::User, secs(200)));
}

#[test]
fn a_faster_connect_rate_opens_the_door_at_once_and_a_slower_one_shuts_it() {
    let mut desk = Desk::with(Config {
        connect_rate: Some(rate(1_000, 1)),
        ..Config::default()
    });
    desk.connect("den", "ann");
    assert_eq!(desk.refused("den", "bob"), Some(RefusalRule::ConnectRate));
    desk.set_rate(RateLimit::Connects, rate(2_000, 2));
    desk.connect("den", "bob");
    desk.connect("den", "cat");
    let refusal = desk.try_connect("den", "dan").unwrap_err();
    assert_eq!(
        (refusal.receipt().seen, refusal.receipt().threshold),
        (4_000_000_000_000, 2_000_000_000_000)
    );
    desk.set_rate(RateLimit::Connects, None);
    desk.connect("den", "dan");
    assert_eq!(check_invariants(&desk.manager), Ok(()));
}

#[test]
fn when_nothing_limits_messages_any_more_violations_are_forgotten() {
    let mut desk = Desk::with(Config {
        message_rate: Some(rate(1_000, 1)),
        user_message_rate: Some(rate(1_000, 5)),
        max_violations: Some(3),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    assert_eq!(taken(&mut desk, ann, 3), 1);
    // The other rate is there still.
    desk.set_rate(RateLimit::Messages, None);
    assert_eq!(taken(&mut desk, ann, 4), 4);
    desk.set_rate(RateLimit::UserMessages, None);
    assert_eq!(taken(&mut desk, ann, 100), 100);
    desk.set_rate(RateLimit::UserMessages, rate(1_000, 1));
    assert_eq!(taken(&mut desk, ann, 3), 1);
    assert!(desk.manager.is_open(ann), "two violations since");
    assert_eq!(taken(&mut desk, ann, 1), 0);
    assert!(!desk.manager.is_open(ann));
}

#[test]
fn lowered_violations_close_nobody_before_the_next() {
    let mut desk = Desk::with(Config {
        message_rate: Some(rate(1_000, 1)),
        max_violations: Some(5),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    assert_eq!(taken(&mut desk, ann, 4), 1);
    desk.out.clear();
    desk.set_limit(Limit::Violations, 2);
    assert!(desk.out.is_empty() && desk.manager.is_open(ann));
    assert_eq!(check_invariants(&desk.manager), Ok(()));
    desk.manager = restored(&desk.manager);
    assert_eq!(taken(&mut desk, ann, 1), 0);
    let receipts = desk.out.commands().filter_map(|command| match command {
        Command::Close { cause, receipt, .. } => Some((cause, receipt.seen, receipt.threshold)),
        _ => None,
    });
    assert_eq!(receipts.collect::<Vec<_>>(), [(Closing::RateLimited, 4, 2)]);
}

#[test]
fn the_length_of_a_message_is_limited_from_the_next_one_on_and_no_longer_when_that_is_off() {
    let mut desk = Desk::open();
    let [ann, bob] = ["ann", "bob"].map(|user| desk.connect("den", user));
    let long = "x".repeat(126);
    assert_eq!(desk.say(ann, &long), Inbound::Deliver);
    desk.set_limit(Limit::MessageBytes, 125);
    assert!(desk.manager.is_open(ann));
    assert_eq!(desk.say(ann, &long), Inbound::Dropped(DropReason::TooBig));
    desk.set_limit(Limit::MessageBytes, None);
    assert_eq!(desk.say(bob, &long), Inbound::Deliver);
}

#[test]
fn a_rate_that_cannot_be_is_refused_and_nothing_changes() {
    let mut desk = Desk::with(Config {
        connect_rate: Some(rate(100, 2)),
        message_rate: Some(rate(100, 2)),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    assert_eq!(taken(&mut desk, ann, 3), 2);
    desk.out.clear();
    let before = desk.manager.snapshot();
    for limit in RateLimit::ALL {
        let rate = Rate {
            per: Duration::ZERO,
            ..rate(1, 1)
        };
        let refused = desk.call(|manager, now, out| manager.set_rate(now, limit, Some(rate), out));
        let named = ConfigError::ZeroRate {
            rate: limit.as_str(),
            field: "per",
        };
        assert_eq!(refused, Err(named));
        assert_eq!(desk.manager.snapshot(), before);
        assert!(desk.out.is_empty());
    }
}

#[test]
fn limits_and_rates_are_worded_as_the_settings_that_they_change() {
    let settings = serde_json::to_value(Config::default()).unwrap();
    let limits = Limit::ALL.map(|limit| limit.to_string());
    let rates = RateLimit::ALL.map(|limit| limit.to_string());
    for name in limits.into_iter().chain(rates) {
        assert!(settings.get(&name).is_some(), "{name:?}");
    }
}
