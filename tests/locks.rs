//! Locked lobbies: new users stay out, and who is seated there may come back.

mod support;

use lobbykeeper::{Config, ConnId, Except, JoinError, Limit, LobbyId, LobbyRef, RefusalRule, Time, UserOverflow};
use support::{Desk, frame};

use RefusalRule::{InvalidName, LobbyFull, LobbyLocked, ServerFull, UserLimit};

/// Why a connection that is in `from` cannot switch to `to`.
fn switch(desk: &mut Desk, conn: ConnId, from: &str, to: &str) -> Option<RefusalRule> {
    rule(desk.call(|manager, now, out| manager.switch_lobby(now, conn, from, to, out)))
}

fn join(desk: &mut Desk, conn: ConnId, lobby: &str) -> Option<RefusalRule> {
    rule(desk.call(|manager, now, out| manager.join(now, conn, lobby, out)))
}

fn rule(entered: Result<LobbyId, JoinError>) -> Option<RefusalRule> {
    entered.err().map(|error| match error {
        JoinError::Refused(refusal) => refusal.rule(),
        other => panic!("{other}"),
    })
}

fn many_lobbies() -> Desk {
    Desk::with(Config {
        max_lobbies_per_connection: None,
        ..Config::default()
    })
}

#[test]
fn a_lock_keeps_new_users_out_by_every_door() {
    let mut desk = many_lobbies();
    desk.connect("den", "ann");
    let bob = desk.connect("hall", "bob");
    assert!(desk.lock("den"));
    assert_eq!(
        desk.refused("den", "bob"),
        Some(LobbyLocked),
        "he is connected, but elsewhere"
    );
    assert_eq!(desk.refused("den", "cat"), Some(LobbyLocked));
    assert_eq!(switch(&mut desk, bob, "hall", "den"), Some(LobbyLocked));
    assert_eq!(join(&mut desk, bob, "den"), Some(LobbyLocked));
    assert_eq!(desk.members("hall"), [bob], "he stays where he was");
    assert_eq!(desk.said(), [""; 0]);
    assert_eq!(desk.manager.stats().refusals.lobby_locked, 4);
}

#[test]
fn a_user_who_is_seated_there_may_come_with_another_connection_by_every_door() {
    let mut desk = many_lobbies();
    desk.connect("den", "ann");
    let second = desk.connect("hall", "ann");
    let third = desk.connect("hall", "ann");
    desk.lock("den");
    assert_eq!(join(&mut desk, second, "den"), None);
    assert_eq!(switch(&mut desk, third, "hall", "den"), None);
    assert!(desk.try_connect("den", "ann").is_ok());
    assert_eq!(desk.members("den").len(), 4);
    assert_eq!(desk.manager.stats().refusals.lobby_locked, 0);
}

#[test]
fn who_is_replaced_in_a_locked_lobby_returns_there_and_who_is_replaced_elsewhere_does_not_enter_it() {
    let mut desk = Desk::with(Config {
        max_connections_per_user: Some(1),
        user_overflow: UserOverflow::ReplaceOldest,
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    let bob = desk.connect("hall", "bob");
    desk.lock("den");
    let again = desk.connect("den", "ann");
    assert!(!desk.manager.is_open(ann));
    assert_eq!(desk.members("den"), [again]);
    assert!(desk.manager.is_locked("den"), "the lobby was never empty");
    assert_eq!(desk.refused("den", "bob"), Some(LobbyLocked));
    assert!(desk.manager.is_open(bob));
}

#[test]
fn a_connection_that_is_told_to_close_is_no_seat() {
    let mut desk = Desk::open();
    desk.connect("den", "ann");
    let bob = desk.connect("den", "bob");
    desk.lock("den");
    desk.kick(bob);
    assert_eq!(desk.refused("den", "bob"), Some(LobbyLocked));
}

#[test]
fn who_leaves_a_locked_lobby_cannot_come_back() {
    let mut desk = many_lobbies();
    desk.connect("den", "ann");
    let bob = desk.connect("den", "bob");
    desk.lock("den");
    assert!(desk.call(|manager, now, out| manager.leave(now, bob, "den", out)));
    assert_eq!(join(&mut desk, bob, "den"), Some(LobbyLocked));
}

#[test]
fn a_lock_is_looked_at_behind_the_servers_limit_and_before_the_lobbys() {
    for (server, lobby, user, wanted) in [
        (2, 1, 1, Some(ServerFull)),
        (3, 1, 1, Some(LobbyLocked)),
        (3, 2, 1, Some(LobbyLocked)),
    ] {
        let mut desk = Desk::with(Config {
            max_connections: Some(server),
            max_connections_per_lobby: Some(lobby),
            max_connections_per_user: Some(user),
            ..Config::default()
        });
        desk.connect("den", "ann");
        desk.connect("hall", "bob");
        desk.lock("den");
        assert_eq!(desk.refused("den", "bob"), wanted);
        assert_eq!(
            desk.manager
                .can_accept("den", "bob")
                .err()
                .map(|refusal| refusal.rule()),
            wanted
        );
    }
    let mut desk = Desk::with(Config {
        max_connections_per_user: Some(1),
        max_connections_per_lobby: Some(1),
        max_name_bytes: 4,
        ..Config::default()
    });
    let bob = (desk.connect("den", "ann"), desk.connect("hall", "bob")).1;
    desk.lock("den");
    assert_eq!(switch(&mut desk, bob, "hall", "den"), Some(LobbyLocked));
    assert_eq!(switch(&mut desk, bob, "hall", "a name"), Some(InvalidName));
    desk.unlock("den");
    assert_eq!(switch(&mut desk, bob, "hall", "den"), Some(LobbyFull));
    desk.set_limit(Limit::ConnectionsPerLobby, None);
    assert_eq!(desk.refused("den", "bob"), Some(UserLimit));
}

#[test]
fn a_lock_belongs_to_an_open_lobby_and_goes_with_it() {
    let mut desk = Desk::open();
    assert!(!desk.lock("den"), "there is no such lobby");
    assert!(!desk.manager.is_locked("den"));
    let ann = desk.connect("den", "ann");
    let first = desk.manager.lobby_id("den").unwrap();
    assert!(desk.lock("den"));
    desk.closed(ann);
    assert!(!desk.manager.is_locked("den") && !desk.unlock("den"));
    desk.connect("den", "bob");
    assert!(!desk.manager.is_locked("den") && !desk.manager.is_locked(first));
    assert!(desk.try_connect("den", "cat").is_ok());
    assert!(
        !desk.call(|manager, now, out| manager.lock_lobby(now, first, out)),
        "that one is gone"
    );
}

#[test]
fn a_lobby_is_named_by_name_id_or_member_and_only_a_change_is_one() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    let den = desk.manager.lobby_id("den").unwrap();
    let all: [LobbyRef<'_>; 3] = ["den".into(), den.into(), ann.into()];
    for which in all {
        assert!(desk.call(|manager, now, out| manager.lock_lobby(now, which.clone(), out)));
        assert!(!desk.call(|manager, now, out| manager.lock_lobby(now, which.clone(), out)));
        assert!(desk.manager.is_locked(which.clone()) && desk.manager.is_locked("den"));
        assert!(desk.call(|manager, now, out| manager.unlock_lobby(now, which.clone(), out)));
        assert!(!desk.call(|manager, now, out| manager.unlock_lobby(now, which.clone(), out)));
        assert!(!desk.manager.is_locked(which));
    }
    assert!(desk.out.is_empty());
    assert!(desk.try_connect("den", "bob").is_ok());
}

#[test]
fn the_refusal_says_what_it_saw_and_when_to_come_again() {
    let mut desk = Desk::open();
    desk.connect("den", "ann");
    desk.lock("den");
    desk.now = Time::from_secs(4);
    let refusal = desk.try_connect("den", "bob").unwrap_err();
    let receipt = refusal.receipt();
    assert_eq!((receipt.seen, receipt.threshold, receipt.at), (0, 1, desk.now));
    assert_eq!(refusal.close_frame(), frame(4006, "lobby_locked;retry=30000"));
    assert_eq!(refusal.to_string(), "refused: lobby locked (4006 lobby_locked)");
}

#[test]
fn the_lobbys_other_members_notice_nothing() {
    let mut desk = Desk::open();
    let (ann, bob) = (desk.connect("den", "ann"), desk.connect("den", "bob"));
    desk.lock("den");
    assert_eq!(desk.hail("den", Except::Nobody), 2);
    assert_eq!(desk.recipients(), [ann, bob]);
}
