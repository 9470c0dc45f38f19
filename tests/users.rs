//! The same user again, across the server: line 4.

mod support;

use lobbykeeper::{Config, ConnId, RefusalRule, UserOverflow};
use support::{Desk, secs};

fn replace(per_user: u32) -> Config {
    Config {
        max_connections_per_user: Some(per_user),
        user_overflow: UserOverflow::ReplaceOldest,
        max_lobbies_per_connection: None,
        ping_interval: None,
        ..Config::default()
    }
}

fn connections(desk: &Desk, user: &str) -> Vec<ConnId> {
    desk.manager.user_connections(user).collect()
}

#[test]
fn by_default_a_user_has_as_many_connections_as_he_likes() {
    let mut desk = Desk::open();
    let all: Vec<_> = (0..100)
        .map(|number| desk.connect(["den", "attic"][number % 2], "ann"))
        .collect();
    assert_eq!(connections(&desk, "ann"), all);
    assert_eq!(desk.manager.stats().users, 1);
}

#[test]
fn with_a_limit_the_new_connection_is_refused_across_all_lobbies() {
    let mut desk = Desk::with(Config {
        max_connections_per_user: Some(2),
        ..Config::default()
    });
    let first = desk.connect("den", "ann");
    desk.connect("attic", "ann");
    assert_eq!(desk.refused("cellar", "ann"), Some(RefusalRule::UserLimit));
    assert_eq!(desk.refused("cellar", "bob"), None, "another user");
    desk.closed(first);
    assert_eq!(desk.refused("cellar", "ann"), None);
}

#[test]
fn with_replacement_the_oldest_gives_way_and_is_told_never_to_come_back() {
    let mut desk = Desk::with(replace(2));
    let first = desk.connect("den", "ann");
    let second = desk.connect("den", "ann");
    let third = desk.try_connect("den", "ann").unwrap();
    assert_eq!(
        desk.said(),
        [format!("close {first} 4005 replaced")],
        "no `;retry`, and nothing else"
    );
    assert_eq!(connections(&desk, "ann"), [second, third]);
    desk.try_connect("den", "ann").unwrap();
    let said = desk.said();
    assert_eq!(said.last(), Some(&format!("close {second} 4005 replaced")));
}

#[test]
fn the_oldest_open_one_gives_way_and_a_closing_one_does_not_count() {
    let mut desk = Desk::with(replace(2));
    let first = desk.connect("den", "ann");
    let second = desk.connect("den", "ann");
    desk.kick(first);
    desk.said();
    let third = desk.try_connect("den", "ann").unwrap();
    assert_eq!(desk.said(), [""; 0], "only one was open, so nobody gives way");
    desk.try_connect("den", "ann").unwrap();
    assert_eq!(desk.said(), [format!("close {second} 4005 replaced")]);
    assert!(desk.manager.is_open(third));
}

#[test]
fn the_replaced_one_leaves_all_its_lobbies() {
    let mut desk = Desk::with(replace(1));
    desk.connect("den", "bob");
    desk.connect("attic", "cid");
    let old = desk.connect("den", "ann");
    for lobby in ["attic", "cellar"] {
        desk.call(|manager, now, out| manager.join(now, old, lobby, out).unwrap());
    }
    desk.said();
    let new = desk.try_connect("den", "ann").unwrap();
    assert_eq!(
        desk.said(),
        [
            &format!("close {old} 4005 replaced"),
            // In the den, where the newcomer took over, not a word.
            "left attic ann 3",
            "left cellar ann 2",
            "closed cellar",
        ]
    );
    assert!(desk.members("den").contains(&new) && !desk.members("den").contains(&old));
    assert_eq!(desk.manager.lobbies_of(old).count(), 0);
}

#[test]
fn a_takeover_is_silent_and_keeps_the_users_place_in_the_roster() {
    let mut desk = Desk::with(replace(1));
    for user in ["ann", "bob"] {
        desk.connect("den", user);
    }
    let before = desk.roster("den").0.into_iter().map(String::from).collect::<Vec<_>>();
    let (id, revision) = (desk.manager.lobby_id("den"), desk.roster("den").1);
    desk.try_connect("den", "ann").unwrap();
    assert_eq!(desk.said().len(), 1, "the close alone");
    assert_eq!(
        desk.roster("den"),
        (before.iter().map(String::as_str).collect(), revision)
    );
    // Even the last one in the lobby may be replaced without its closing.
    let mut desk = Desk::with(replace(1));
    desk.connect("den", "ann");
    desk.connect("den", "ann");
    assert_eq!(desk.manager.lobby_id("den"), id);
}

#[test]
fn a_takeover_from_another_lobby_is_told_in_both() {
    let mut desk = Desk::with(replace(1));
    let old = desk.connect("den", "ann");
    desk.try_connect("attic", "ann").unwrap();
    assert_eq!(
        desk.said(),
        [
            "opened attic",
            "joined attic ann 1",
            &format!("close {old} 4005 replaced"),
            "left den ann 2",
            "closed den"
        ]
    );
}

#[test]
fn a_user_has_at_most_one_replaced_connection_still_closing() {
    let mut desk = Desk::with(replace(1));
    let first = desk.connect("den", "ann");
    let second = desk.connect("den", "ann");
    desk.try_connect("den", "ann").unwrap();
    assert_eq!(
        desk.said(),
        [
            format!("evict {first} replaced"),
            format!("ended {first} ann: evicted: replaced"),
            format!("close {second} 4005 replaced"),
        ]
    );
    assert_eq!(desk.manager.stats().closing_connections, 1);
    // One that was closed in time needs no eviction.
    assert!(desk.closed(second));
    desk.said();
    desk.try_connect("den", "ann").unwrap();
    assert_eq!(desk.said().len(), 1);
    assert_eq!(desk.manager.stats().evictions.replaced, 1);
}

#[test]
fn one_that_was_kicked_is_not_evicted_as_replaced() {
    let mut desk = Desk::with(replace(1));
    let kicked = desk.connect("den", "ann");
    desk.kick(kicked);
    desk.connect("den", "ann");
    desk.connect("den", "ann");
    assert!(!desk.said().contains(&format!("evict {kicked} replaced")));
    assert_eq!(desk.manager.stats().closing_connections, 2);
}

#[test]
fn a_replaced_connection_that_is_closing_does_not_count_for_the_server() {
    let mut desk = Desk::with(Config {
        max_connections: Some(2),
        ..replace(1)
    });
    desk.connect("den", "ann");
    let ghost = desk.connect("den", "ann");
    desk.connect("den", "ann");
    assert_eq!(desk.manager.stats().total_connections, 1);
    assert_eq!(desk.refused("den", "bob"), None);
    assert_eq!(desk.refused("den", "cid"), Some(RefusalRule::ServerFull));
    desk.closed(ghost);
    assert_eq!(
        desk.refused("den", "cid"),
        Some(RefusalRule::ServerFull),
        "forgiven once, not twice"
    );
}

#[test]
fn a_replaced_connection_that_does_not_close_is_evicted_in_time() {
    let mut desk = Desk::with(replace(1));
    let old = desk.connect("den", "ann");
    desk.connect("den", "ann");
    desk.wait(secs(5));
    desk.tick();
    assert_eq!(
        desk.said(),
        [
            format!("evict {old} close timeout"),
            format!("ended {old} ann: evicted: close timeout")
        ]
    );
}

#[test]
fn connections_and_users_find_each_other_oldest_first() {
    let mut desk = Desk::open();
    let first = desk.connect("den", "ann");
    let other = desk.connect("den", "bob");
    let second = desk.connect("attic", "ann");
    let third = desk.connect("den", "ann");
    assert_eq!(connections(&desk, "ann"), [first, second, third]);
    assert_eq!(
        [first, second, third, other].map(|conn| desk.manager.user_of(conn)),
        [Some("ann"), Some("ann"), Some("ann"), Some("bob")]
    );
    // The oldest goes, and another takes its slot: it is the youngest all the same.
    desk.closed(first);
    let fourth = desk.connect("den", "ann");
    assert_eq!(fourth.index(), first.index());
    assert_eq!(connections(&desk, "ann"), [second, third, fourth]);
    for conn in [second, third] {
        desk.closed(conn);
    }
    assert!(desk.manager.is_user_connected("ann"));
    desk.kick(fourth);
    assert!(!desk.manager.is_user_connected("ann"), "closing is not connected");
    assert_eq!(
        (connections(&desk, "ann"), desk.manager.user_of(fourth)),
        (vec![], None)
    );
    assert_eq!(connections(&desk, "nobody"), []);
    assert!(!desk.manager.is_user_connected(""));
}

#[test]
fn a_user_who_comes_back_while_his_last_connection_is_closing_is_the_same_user() {
    let mut desk = Desk::open();
    let old = desk.connect("den", "ann");
    desk.kick(old);
    let new = desk.connect("den", "ann");
    desk.closed(old);
    assert_eq!(
        desk.said().last().unwrap(),
        &format!("ended {old} ann: closed by the peer")
    );
    assert_eq!(connections(&desk, "ann"), [new]);
    assert_eq!(desk.manager.stats().users, 1);
}
