//! Every refusal, close and eviction says what it rests on: the value seen, the threshold and the times.

mod support;

use std::time::Duration;

use lobbykeeper::{Closing, Command, Config, ConnId, Eviction, JoinError, Receipt, RefusalRule, Time, UserOverflow};
use support::{Desk, at, secs};

/// Seen, threshold, how long was waited, when.
type Figures = (u64, u64, Duration, Time);

fn figures(receipt: Receipt) -> Figures {
    (receipt.seen, receipt.threshold, receipt.waited, receipt.at)
}

fn closes(desk: &Desk) -> Vec<(ConnId, Closing, Figures)> {
    let closes = desk.out.commands().filter_map(|command| match command {
        Command::Close {
            conn, cause, receipt, ..
        } => Some((conn, cause, figures(receipt))),
        _ => None,
    });
    closes.collect()
}

fn evictions(desk: &Desk) -> Vec<(ConnId, Eviction, Figures)> {
    let evictions = desk.out.commands().filter_map(|command| match command {
        Command::Evict {
            conn, cause, receipt, ..
        } => Some((conn, cause, figures(receipt))),
        _ => None,
    });
    evictions.collect()
}

/// Ticks at each deadline up to an instant.
fn run_until(desk: &mut Desk, end: Time) {
    while let Some(deadline) = desk.manager.next_deadline().filter(|&deadline| deadline <= end) {
        desk.now = deadline;
        desk.tick();
    }
    desk.now = end;
}

#[test]
fn a_refusal_tells_how_many_there_were_and_how_many_may_be() {
    let mut desk = Desk::with(Config {
        max_connections: Some(3),
        max_connections_per_lobby: Some(2),
        max_connections_per_user: Some(1),
        max_name_bytes: 5,
        ..Config::default()
    });
    desk.connect("den", "ann");
    desk.connect("den", "bob");
    desk.now = at(7);
    let mut refused = |lobby: &str, user: &str| {
        let refusal = desk.try_connect(lobby, user).unwrap_err();
        (refusal.rule(), figures(refusal.receipt()))
    };
    let none = Duration::ZERO;
    assert_eq!(refused("den", "cat"), (RefusalRule::LobbyFull, (2, 2, none, at(7))));
    assert_eq!(refused("hall", "ann"), (RefusalRule::UserLimit, (1, 1, none, at(7))));
    assert_eq!(refused("hall", ""), (RefusalRule::InvalidName, (0, 5, none, at(7))));
    assert_eq!(
        refused("hallway", "cat"),
        (RefusalRule::InvalidName, (7, 5, none, at(7)))
    );
    desk.connect("hall", "cat");
    let refusal = desk.try_connect("pit", "dan").unwrap_err();
    assert_eq!(
        (refusal.rule(), figures(refusal.receipt())),
        (RefusalRule::ServerFull, (3, 3, none, at(7)))
    );
}

#[test]
fn the_seats_that_are_set_aside_are_not_counted() {
    let mut desk = Desk::with(Config {
        max_connections_per_lobby: Some(1),
        max_connections_per_user: Some(1),
        user_overflow: UserOverflow::ReplaceOldest,
        ..Config::default()
    });
    desk.connect("den", "ann");
    desk.connect("hall", "bob");
    let refusal = desk.try_connect("hall", "ann").unwrap_err();
    assert_eq!((refusal.receipt().seen, refusal.receipt().threshold), (1, 1));
    assert!(desk.try_connect("den", "ann").is_ok());
}

#[test]
fn a_hint_tells_the_time_of_the_latest_call() {
    let mut desk = Desk::with(Config {
        max_connections: Some(0),
        ..Config::default()
    });
    desk.now = at(9);
    desk.tick();
    let refusal = desk.manager.can_accept("den", "ann").unwrap_err();
    assert_eq!(figures(refusal.receipt()), (0, 0, Duration::ZERO, at(9)));
}

#[test]
fn one_who_may_not_join_one_more_lobby_learns_the_limit() {
    let mut desk = Desk::with(Config {
        max_lobbies_per_connection: Some(2),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    desk.now = at(3);
    desk.call(|manager, now, out| manager.join(now, ann, "hall", out))
        .unwrap();
    let Err(JoinError::TooManyLobbies(receipt)) = desk.call(|manager, now, out| manager.join(now, ann, "pit", out))
    else {
        panic!("a third lobby");
    };
    assert_eq!(figures(receipt), (2, 2, Duration::ZERO, at(3)));
}

#[test]
fn a_close_that_was_asked_for_says_so_and_when() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    desk.now = at(4);
    desk.kick(ann);
    assert_eq!(
        closes(&desk),
        [(ann, Closing::Requested, (0, 0, Duration::ZERO, at(4)))]
    );
}

#[test]
fn the_replaced_one_learns_how_many_were_open_and_the_one_before_it_how_long_it_lingered() {
    let mut desk = Desk::with(Config {
        max_connections_per_user: Some(2),
        user_overflow: UserOverflow::ReplaceOldest,
        close_timeout: secs(60),
        ..Config::default()
    });
    let first = desk.connect("den", "ann");
    let second = desk.connect("den", "ann");
    desk.now = at(1);
    desk.try_connect("den", "ann").unwrap();
    assert_eq!(
        closes(&desk),
        [(first, Closing::Replaced, (2, 2, Duration::ZERO, at(1)))]
    );
    assert_eq!(evictions(&desk), []);
    desk.out.clear();

    run_until(&mut desk, at(4));
    desk.out.clear();
    desk.try_connect("den", "ann").unwrap();
    assert_eq!(
        closes(&desk),
        [(second, Closing::Replaced, (2, 2, Duration::ZERO, at(4)))]
    );
    assert_eq!(evictions(&desk), [(first, Eviction::Replaced, (2, 1, secs(3), at(4)))]);
}

#[test]
fn a_stale_one_learns_its_missed_pings_and_since_when_it_was_silent() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    desk.now = at(0) + Duration::from_millis(1);
    desk.say(ann, "hello");
    run_until(&mut desk, at(60));
    let [(conn, Eviction::Stale, (seen, threshold, waited, when))] = evictions(&desk)[..] else {
        panic!("one eviction");
    };
    assert_eq!((conn, seen, threshold), (ann, 2, 2));
    assert_eq!(when, at(0) + Duration::from_millis(1) + waited);
    assert!(waited > secs(20) && waited <= secs(40), "{waited:?}");
}

#[test]
fn what_the_server_slept_was_not_waited_for() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    let asleep = secs(3_600);
    desk.now = desk.manager.next_deadline().unwrap() + asleep;
    desk.tick();
    run_until(&mut desk, at(4_000));
    let [(conn, Eviction::Stale, (2, 2, waited, when))] = evictions(&desk)[..] else {
        panic!("one eviction");
    };
    assert_eq!(conn, ann);
    assert_eq!(when, at(0) + asleep + waited);
}

#[test]
fn one_that_was_spared_once_has_missed_one_ping_more() {
    let mut desk = Desk::with(Config {
        stale_wave_floor: Some(0),
        ..Config::default()
    });
    desk.connect("den", "ann");
    run_until(&mut desk, at(60));
    let evictions = evictions(&desk);
    assert!(
        matches!(evictions[..], [(_, Eviction::Stale, (3, 2, ..))]),
        "{evictions:?}"
    );
}

#[test]
fn one_that_does_not_close_learns_how_long_it_took() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    desk.now = at(2);
    desk.kick(ann);
    desk.now = at(7) + Duration::from_millis(300);
    desk.tick();
    let late = Duration::from_millis(5_300);
    let [(conn, Eviction::CloseTimeout, (seen, threshold, waited, when))] = evictions(&desk)[..] else {
        panic!("one eviction");
    };
    assert_eq!((conn, waited, when), (ann, late, at(2) + late));
    assert_eq!(
        (Duration::from_nanos(seen), Duration::from_nanos(threshold)),
        (late, secs(5))
    );
}

#[test]
fn receipts_word_themselves_for_logs() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    desk.kick(ann);
    desk.now = at(5);
    desk.tick();
    let words = desk.out.commands().filter_map(|command| match command {
        Command::Close { cause, receipt, .. } => Some(format!("{cause}: {receipt}")),
        Command::Evict { cause, receipt, .. } => Some(format!("{cause}: {receipt}")),
        Command::Send { .. } => None,
    });
    assert_eq!(
        words.collect::<Vec<_>>(),
        [
            "requested: at 0ns",
            "close timeout: saw 5000000000, threshold 5000000000, after 5s, at 5s"
        ]
    );
}
