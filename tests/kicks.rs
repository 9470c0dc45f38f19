//! Kicks of all connections of a user, and of all in a lobby.

mod support;

use lobbykeeper::{Closing, Command, Config, ConnId};
use support::{Desk, frame};

fn kick_user(desk: &mut Desk, user: &str) -> usize {
    desk.call(|manager, now, out| manager.kick_user(now, user, &frame(4000, "bye"), out))
}

fn kick_lobby(desk: &mut Desk, lobby: &str) -> usize {
    desk.call(|manager, now, out| manager.kick_lobby(now, lobby, &frame(4000, "bye"), out))
}

/// Who is told to close, in order, because somebody asked for it.
fn kicked(desk: &Desk) -> Vec<ConnId> {
    let closes = desk.out.commands().filter_map(|command| match command {
        Command::Close {
            conn, cause, reason, ..
        } if (cause, reason) == (Closing::Requested, "bye") => Some(conn),
        _ => None,
    });
    closes.collect()
}

#[test]
fn a_users_connections_are_closed_oldest_first_wherever_they_are() {
    let mut desk = Desk::open();
    let first = desk.connect("den", "ann");
    let gone = desk.connect("den", "cat");
    desk.connect("hall", "bob");
    let second = desk.connect("hall", "ann");
    desk.closed(gone);
    let third = desk.connect("den", "ann");
    assert!(third < second, "its slot comes first");
    desk.out.clear();
    assert_eq!(kick_user(&mut desk, "ann"), 3);
    assert_eq!(kicked(&desk), [first, second, third]);
    assert_eq!(
        desk.said(),
        [
            format!("close {first} 4000 bye"),
            format!("close {second} 4000 bye"),
            "left hall ann 3".into(),
            format!("close {third} 4000 bye"),
            "left den ann 4".into(),
            "closed den".into(),
        ]
    );
    assert!(!desk.manager.is_user_connected("ann") && desk.manager.is_user_connected("bob"));
    assert_eq!(desk.manager.stats().closes, 3);
}

#[test]
fn a_user_who_is_not_there_or_is_closing_already_is_kicked_by_nobody() {
    let mut desk = Desk::open();
    assert_eq!(kick_user(&mut desk, "ann"), 0);
    desk.connect("den", "ann");
    assert_eq!(kick_user(&mut desk, "ann"), 1);
    desk.out.clear();
    assert_eq!(kick_user(&mut desk, "ann"), 0);
    assert!(desk.out.is_empty());
}

#[test]
fn a_lobbys_members_are_closed_in_the_order_of_joining_and_leave_their_other_lobbies_too() {
    let mut desk = Desk::with(Config {
        max_lobbies_per_connection: None,
        ..Config::default()
    });
    let ann = desk.connect("hall", "ann");
    let bob = desk.connect("den", "bob");
    let cat = desk.connect("den", "cat");
    let dan = desk.connect("hall", "dan");
    desk.call(|manager, now, out| manager.join(now, ann, "den", out))
        .unwrap();
    desk.closed(bob);
    desk.out.clear();
    assert_eq!(kick_lobby(&mut desk, "den"), 2);
    assert_eq!(kicked(&desk), [cat, ann]);
    assert_eq!(
        desk.said(),
        [
            format!("close {cat} 4000 bye"),
            "left den cat 5".into(),
            format!("close {ann} 4000 bye"),
            "left hall ann 3".into(),
            "left den ann 6".into(),
            "closed den".into(),
        ]
    );
    assert_eq!(desk.members("hall"), [dan]);
    assert!(desk.manager.lobby_id("den").is_none());
}

#[test]
fn a_lobby_that_is_not_open_has_nobody_to_kick() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    let den = desk.manager.lobby_id("den").unwrap();
    assert_eq!(kick_lobby(&mut desk, "hall"), 0);
    assert_eq!(kick_lobby(&mut desk, "den"), 1);
    desk.out.clear();
    let close = frame(4000, "bye");
    for which in [den.into(), ann.into()] {
        let which: lobbykeeper::LobbyRef<'_> = which;
        assert_eq!(
            desk.call(|manager, now, out| manager.kick_lobby(now, which, &close, out)),
            0
        );
    }
    assert!(desk.out.is_empty());
}
