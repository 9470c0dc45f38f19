//! Limits that change while the server runs: nobody is sent away, and admission follows at once.

mod cases;
mod support;

use cases::cases;
use lobbykeeper::testing::check_invariants;
use lobbykeeper::{
    Config, ConfigError, Handshake, JoinError, Limit, Manager, RefusalRule, Snapshot, Source, UserOverflow,
};
use proptest::prelude::*;
use support::Desk;

use RefusalRule::{LobbyFull, ServerFull, SourceLimit, UserLimit};

fn restored(manager: &Manager) -> Manager {
    let json = serde_json::to_string(&manager.snapshot()).unwrap();
    Manager::restore(serde_json::from_str(&json).unwrap(), [1, 2]).unwrap()
}

proptest! {
    #![proptest_config(cases(100, "proptest-regressions/doors.txt"))]

    /// The law: whatever the limit was, it decides as it is now, and nothing else changes by a change.
    #[test]
    fn each_newcomer_is_judged_by_the_limit_of_that_instant(
        mut limit in prop::option::of(0_u32..5), steps in prop::collection::vec(prop_oneof![3 => Just(None), 2 => (0_u32..6).prop_map(Some)], 0..40),
    ) {
        let mut desk = Desk::with(Config { max_connections: limit, ..Config::default() });
        let (mut here, mut users) = (0, 0);
        for step in steps {
            if let Some(max) = step {
                limit = (max < 5).then_some(max);
                desk.set_limit(Limit::Connections, limit);
                prop_assert_eq!(desk.manager.config().max_connections, limit);
                prop_assert_eq!(desk.manager.stats().max_connections, limit);
                prop_assert!(desk.said().is_empty());
            } else {
                users += 1;
                let admitted = desk.try_connect("den", &users.to_string()).is_ok();
                prop_assert_eq!(admitted, limit.is_none_or(|max| here < max));
                here += u32::from(admitted);
                desk.out.clear();
            }
            prop_assert_eq!(desk.manager.stats().total_connections, here);
            prop_assert_eq!(check_invariants(&desk.manager), Ok(()));
            // What stands above a lowered limit does so after a restart, too.
            desk.manager = restored(&desk.manager);
        }
    }
}

/// Three connections of Ann, the first in two lobbies, all from one source.
fn desk() -> Desk {
    let mut desk = Desk::with(Config {
        max_lobbies_per_connection: Some(2),
        ..Config::default()
    });
    let [first, ..] = [(); 3].map(|()| desk.admit(here("ann")).unwrap());
    desk.call(|manager, now, out| manager.join(now, first, "hall", out))
        .unwrap();
    desk.out.clear();
    desk
}

fn here(user: &str) -> Handshake<'_> {
    Handshake::new("den", user).source(Source::from_bits(1))
}

#[test]
fn a_lowered_limit_sends_nobody_away_and_lets_nobody_in_until_there_is_room() {
    for (limit, rule) in [
        (Limit::Connections, ServerFull),
        (Limit::ConnectionsPerLobby, LobbyFull),
        (Limit::ConnectionsPerUser, UserLimit),
        (Limit::ConnectionsPerSource, SourceLimit),
    ] {
        let mut desk = desk();
        desk.set_limit(limit, 2);
        assert_eq!(desk.said(), [""; 0]);
        let mut theirs: Vec<_> = desk.manager.user_connections("ann").collect();
        assert_eq!(theirs.len(), 3);
        desk.manager = restored(&desk.manager);
        for seen in [3, 2] {
            let refusal = desk.admit(here("ann")).unwrap_err();
            assert_eq!(refusal.rule(), rule);
            assert_eq!((refusal.receipt().seen, refusal.receipt().threshold), (seen, 2));
            desk.closed(theirs.pop().unwrap());
        }
        assert!(desk.admit(here("ann")).is_ok(), "{limit}");
        assert_eq!(desk.admit(here("ann")).unwrap_err().rule(), rule);
        desk.set_limit(limit, None);
        assert!(desk.admit(here("ann")).is_ok(), "{limit}");
        assert_eq!(check_invariants(&desk.manager), Ok(()));
    }
}

#[test]
fn a_connection_keeps_the_lobbies_that_it_is_in_and_enters_no_more() {
    let mut desk = desk();
    let first = desk.manager.user_connections("ann").next().unwrap();
    desk.set_limit(Limit::LobbiesPerConnection, 1);
    desk.manager = restored(&desk.manager);
    assert_eq!(desk.manager.lobbies_of(first).count(), 2);
    let mut join = |lobby| desk.call(|manager, now, out| manager.join(now, first, lobby, out));
    let Err(JoinError::TooManyLobbies(receipt)) = join("pit") else {
        panic!("a third lobby");
    };
    assert_eq!((receipt.seen, receipt.threshold), (2, 1));
    assert!(join("hall").is_ok(), "it is there already");
    let moved = desk.call(|manager, now, out| manager.switch_lobby(now, first, "hall", "pit", out));
    assert!(moved.is_ok(), "a move is not one more");
    assert_eq!(check_invariants(&desk.manager), Ok(()));
}

#[test]
fn one_more_replacement_does_not_keep_a_user_above_a_lowered_limit() {
    let mut desk = Desk::with(Config {
        max_connections_per_user: Some(3),
        user_overflow: UserOverflow::ReplaceOldest,
        ..Config::default()
    });
    let [first, second, third] = ["ann"; 3].map(|user| desk.connect("den", user));
    desk.set_limit(Limit::ConnectionsPerUser, 1);
    assert_eq!(
        desk.refused("den", "ann"),
        Some(UserLimit),
        "the other two are one too many"
    );
    assert!(desk.manager.is_open(first));
    for conn in [first, second] {
        desk.closed(conn);
    }
    assert!(desk.try_connect("den", "ann").is_ok());
    assert!(!desk.manager.is_open(third));
}

#[test]
fn the_share_of_a_lowered_limit_that_is_taken_is_more_than_all() {
    let mut desk = desk();
    desk.set_limit(Limit::Connections, 2);
    assert_eq!(desk.manager.stats().capacity_percent.unwrap().to_string(), "150.0 %");
    desk.set_limit(Limit::Connections, 0);
    assert_eq!(desk.manager.stats().capacity_percent.unwrap().to_string(), "100.0 %");
}

#[test]
fn a_value_that_no_manager_can_follow_is_refused_and_nothing_changes() {
    let mut desk = desk();
    let before = desk.manager.snapshot();
    for (limit, max, error) in [
        (
            Limit::LobbiesPerConnection,
            0,
            ConfigError::Zero("max_lobbies_per_connection"),
        ),
        (Limit::Violations, 0, ConfigError::Zero("max_violations")),
        (Limit::MessageBytes, 124, ConfigError::MessageBytes(124)),
    ] {
        let refused = desk.call(|manager, now, out| manager.set_limit(now, limit, Some(max), out));
        assert_eq!(refused, Err(error));
        assert_eq!(desk.manager.snapshot(), before);
        assert!(desk.out.is_empty());
    }
    for limit in [
        Limit::Connections,
        Limit::ConnectionsPerLobby,
        Limit::ConnectionsPerUser,
        Limit::ConnectionsPerSource,
    ] {
        desk.set_limit(limit, 0);
        assert_eq!(desk.manager.config().limit(limit), Some(0));
    }
    assert_eq!(desk.refused("den", "bob"), Some(ServerFull));
}

#[test]
fn a_snapshot_cannot_claim_more_than_any_limit_of_its_life_allowed() {
    let mut desk = desk();
    for max in [3, 1] {
        desk.set_limit(Limit::Connections, max);
    }
    // It began without a limit, so any number can have come in.
    assert!(Manager::restore(desk.manager.snapshot(), [0, 0]).is_ok());
    let mut json = serde_json::to_value(desk.manager.snapshot()).unwrap();
    json["peaks"][0] = 2.into();
    let snapshot: Snapshot = serde_json::from_value(json).unwrap();
    assert!(Manager::restore(snapshot, [0, 0]).is_err(), "three are there");
}
