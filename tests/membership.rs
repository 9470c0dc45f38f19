//! Who is in which lobby, from the first `Joined` to the one `Ended`: lines 8, 9, 10 and 24.

mod support;

use lobbykeeper::{
    Cause, Config, ConnId, Except, Inbound, JoinError, LobbyId, LobbyRef, Notice, Output, RefusalRule, UserOverflow,
};
use support::{Desk, frame, hi, secs};

/// Connections may be in so many lobbies, and nobody is pinged.
fn lobbies(max: Option<u32>) -> Desk {
    Desk::with(Config {
        max_lobbies_per_connection: max,
        ping_interval: None,
        ..Config::default()
    })
}

fn join(desk: &mut Desk, conn: ConnId, lobby: &str) -> Result<LobbyId, JoinError> {
    desk.call(|manager, now, out| manager.join(now, conn, lobby, out))
}

fn switch(desk: &mut Desk, conn: ConnId, from: &str, to: &str) -> Result<LobbyId, JoinError> {
    desk.call(|manager, now, out| manager.switch_lobby(now, conn, from, to, out))
}

fn leave(desk: &mut Desk, conn: ConnId, lobby: &str) -> bool {
    desk.call(|manager, now, out| manager.leave(now, conn, lobby, out))
}

fn names(desk: &Desk, conn: ConnId) -> Vec<&str> {
    let lobbies = desk.manager.lobbies_of(conn);
    lobbies.map(|lobby| desk.manager.lobby_name(lobby).unwrap()).collect()
}

fn refused(entered: Result<LobbyId, JoinError>) -> RefusalRule {
    match entered {
        Err(JoinError::Refused(refusal)) => refusal.rule(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_is_in_one_lobby_unless_the_settings_allow_more() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    assert!(matches!(
        join(&mut desk, ann, "attic"),
        Err(JoinError::TooManyLobbies(_))
    ));
    assert_eq!(names(&desk, ann), ["den"]);

    let mut desk = lobbies(Some(3));
    let ann = desk.connect("den", "ann");
    for lobby in ["attic", "cellar"] {
        join(&mut desk, ann, lobby).unwrap();
    }
    assert_eq!(names(&desk, ann), ["den", "attic", "cellar"], "in the order of joining");
    assert!(matches!(
        join(&mut desk, ann, "roof"),
        Err(JoinError::TooManyLobbies(_))
    ));
    assert!(leave(&mut desk, ann, "attic"));
    join(&mut desk, ann, "roof").unwrap();
    assert_eq!(names(&desk, ann), ["den", "cellar", "roof"]);

    let mut desk = lobbies(None);
    let ann = desk.connect("0", "ann");
    for number in 1..200 {
        join(&mut desk, ann, &number.to_string()).unwrap();
    }
    assert_eq!(desk.manager.stats().active_lobbies, 200);
    desk.closed(ann);
    assert_eq!(desk.manager.stats().active_lobbies, 0);
}

#[test]
fn a_connection_may_be_in_no_lobby_and_stays_connected() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    assert!(leave(&mut desk, ann, "den"));
    assert!(!leave(&mut desk, ann, "den"));
    assert!(desk.manager.is_open(ann) && desk.manager.is_user_connected("ann"));
    assert_eq!(desk.say(ann, "still here"), Inbound::Deliver);
    join(&mut desk, ann, "attic").unwrap();
    assert_eq!(names(&desk, ann), ["attic"]);
}

#[test]
fn joining_again_keeps_the_place() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    let bob = desk.connect("den", "bob");
    let den = desk.manager.lobby_id("den").unwrap();
    assert_eq!(join(&mut desk, ann, "den"), Ok(den));
    assert_eq!((desk.members("den"), desk.said().len()), (vec![ann, bob], 0));
}

#[test]
fn a_join_that_cannot_be_says_why_and_changes_nothing() {
    let mut desk = Desk::with(Config {
        max_connections_per_lobby: Some(1),
        max_lobbies_per_connection: Some(2),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    let bob = desk.connect("attic", "bob");
    let cid = desk.connect("cellar", "cid");
    desk.kick(cid);
    desk.said();
    assert_eq!(refused(join(&mut desk, ann, "attic")), RefusalRule::LobbyFull);
    assert_eq!(refused(join(&mut desk, ann, "")), RefusalRule::InvalidName);
    assert_eq!(join(&mut desk, cid, "roof"), Err(JoinError::UnknownConnection));
    assert_eq!(
        switch(&mut desk, ann, "cellar", "roof"),
        Err(JoinError::NotMember),
        "closed"
    );
    assert_eq!(
        switch(&mut desk, ann, "attic", "roof"),
        Err(JoinError::NotMember),
        "bob's"
    );
    assert_eq!(
        switch(&mut desk, cid, "cellar", "roof"),
        Err(JoinError::UnknownConnection)
    );
    assert!(!leave(&mut desk, ann, "attic") && !leave(&mut desk, ann, "nowhere"));
    assert_eq!(desk.said(), [""; 0]);
    assert_eq!((names(&desk, ann), names(&desk, bob)), (vec!["den"], vec!["attic"]));
    let refusals = desk.manager.stats().refusals;
    assert_eq!((refusals.lobby_full, refusals.invalid_name), (1, 1));
}

#[test]
fn a_switch_to_a_full_lobby_is_refused_and_leaves_the_source_untouched() {
    let mut desk = Desk::with(Config {
        max_connections_per_lobby: Some(1),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    let bob = desk.connect("attic", "bob");
    let before = (desk.manager.lobby_id("den"), desk.roster("den").1);
    assert_eq!(refused(switch(&mut desk, ann, "den", "attic")), RefusalRule::LobbyFull);
    assert_eq!((desk.manager.lobby_id("den"), desk.roster("den").1), before);
    assert_eq!((desk.members("den"), desk.members("attic")), (vec![ann], vec![bob]));
    assert_eq!(desk.said(), [""; 0]);
}

#[test]
fn a_switch_to_ones_own_lobby_keeps_the_place() {
    let mut desk = Desk::with(Config {
        max_connections_per_lobby: Some(2),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    let bob = desk.connect("den", "bob");
    let den = desk.manager.lobby_id("den").unwrap();
    assert_eq!(switch(&mut desk, ann, "den", "den"), Ok(den), "full, of herself too");
    assert_eq!((desk.members("den"), desk.said().len()), (vec![ann, bob], 0));
}

#[test]
fn a_switch_into_another_of_ones_lobbies_only_leaves() {
    let mut desk = lobbies(Some(2));
    let ann = desk.connect("den", "ann");
    let attic = join(&mut desk, ann, "attic").unwrap();
    desk.said();
    assert_eq!(switch(&mut desk, ann, "den", "attic"), Ok(attic));
    assert_eq!(desk.said(), ["left den ann 2", "closed den"]);
    assert_eq!(names(&desk, ann), ["attic"]);
}

#[test]
fn a_switch_of_the_last_member_opens_joins_leaves_and_closes_in_this_order() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    let attic = switch(&mut desk, ann, "den", "attic").unwrap();
    assert_eq!(
        desk.said(),
        ["opened attic", "joined attic ann 1", "left den ann 2", "closed den"]
    );
    assert_eq!(desk.manager.lobby_id("attic"), Some(attic));
    // However the source is named.
    for from in [LobbyRef::Id(attic), LobbyRef::Of(ann)] {
        let mut desk = desk.clone();
        desk.call(|manager, now, out| manager.switch_lobby(now, ann, from, "den", out).unwrap());
        assert_eq!(names(&desk, ann), ["den"]);
    }
}

#[test]
fn a_switch_needs_no_second_lobby_to_be_allowed() {
    let mut desk = lobbies(Some(1));
    let ann = desk.connect("den", "ann");
    for lobby in ["attic", "den", "cellar"] {
        let from = names(&desk, ann)[0].to_owned();
        switch(&mut desk, ann, &from, lobby).unwrap();
        assert_eq!(names(&desk, ann), [lobby]);
    }
}

#[test]
fn a_lobby_opens_with_its_first_member_and_closes_with_its_last() {
    let mut desk = Desk::open();
    assert_eq!(desk.manager.lobbies().count(), 0);
    let ann = desk.try_connect("den", "ann").unwrap();
    let bob = desk.try_connect("den", "bob").unwrap();
    desk.closed(ann);
    desk.closed(bob);
    assert_eq!(
        desk.said(),
        [
            "opened den",
            "joined den ann 1",
            "joined den bob 2",
            "left den ann 3",
            &format!("ended {ann} ann: closed by the peer"),
            "left den bob 4",
            "closed den",
            &format!("ended {bob} bob: closed by the peer"),
        ]
    );
    assert_eq!(
        (desk.manager.lobbies().count(), desk.manager.lobby_id("den")),
        (0, None)
    );
    assert_eq!(desk.hail("den", Except::Nobody), 0);
}

#[test]
fn a_lobby_that_reopens_has_another_id_and_starts_at_revision_1() {
    let mut desk = Desk::open();
    let mut ids = Vec::new();
    for _ in 0..5 {
        let ann = desk.try_connect("den", "ann").unwrap();
        assert_eq!(desk.said(), ["opened den", "joined den ann 1"]);
        let den = desk.manager.lobby_id("den").unwrap();
        for &stale in &ids {
            assert_ne!(den, stale);
            assert_eq!(desk.manager.lobby_name(stale), None);
            assert!(desk.manager.lobby_users(stale).is_none());
        }
        ids.push(den);
        desk.closed(ann);
        desk.said();
    }
}

#[test]
fn a_user_joins_with_the_first_of_his_connections_and_leaves_with_the_last() {
    let mut desk = Desk::open();
    let first = desk.connect("den", "ann");
    let second = desk.try_connect("den", "ann").unwrap();
    desk.try_connect("attic", "ann").unwrap();
    assert_eq!(desk.said(), ["opened attic", "joined attic ann 1"], "lobby by lobby");
    assert!(leave(&mut desk, first, "den"));
    assert_eq!(desk.said(), [""; 0]);
    assert!(leave(&mut desk, second, "den"));
    assert_eq!(desk.said(), ["left den ann 2", "closed den"]);
}

#[test]
fn revisions_are_consecutive_and_the_roster_carries_the_last_of_them() {
    let mut desk = Desk::open();
    let mut conns = Vec::new();
    let mut revision = 0;
    for step in 0..200_usize {
        if step % 5 < 3 {
            conns.push(desk.try_connect("den", &format!("user {}", step % 11)).unwrap());
        } else {
            desk.closed(conns.remove(step * 7 % conns.len()));
        }
        for notice in desk.out.notices() {
            if let Notice::Joined { revision: told, .. } | Notice::Left { revision: told, .. } = notice {
                revision += 1;
                assert_eq!(told, revision);
            }
        }
        desk.out.clear();
        assert_eq!(desk.roster("den").1, revision);
    }
    assert!(revision > 20);
}

#[test]
fn the_roster_names_each_user_once_in_the_order_of_arrival() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    for user in ["bob", "ann", "cid", "bob"] {
        desk.connect("den", user);
    }
    assert_eq!(desk.roster("den"), (vec!["ann", "bob", "cid"], 3));
    desk.closed(ann);
    assert_eq!(
        desk.roster("den"),
        (vec!["ann", "bob", "cid"], 3),
        "she has another connection"
    );
    desk.connect("attic", "dan");
    assert_eq!(desk.roster("attic"), (vec!["dan"], 1));
    assert!(desk.manager.lobby_users("cellar").is_none());
}

#[test]
fn a_client_that_has_the_roster_drops_the_changes_which_it_already_holds() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    // A turn of the loop in which three things happen before anybody reads the outbox.
    desk.try_connect("den", "bob").unwrap();
    let cid = desk.try_connect("den", "cid").unwrap();
    let (users, revision) = desk.roster("den");
    let mut seen: Vec<String> = users.into_iter().map(String::from).collect();
    desk.closed(ann);
    desk.closed(cid);
    for notice in desk.out.notices() {
        match notice {
            Notice::Joined { user, revision: at, .. } if at > revision => seen.push(user.into()),
            Notice::Left { user, revision: at, .. } if at > revision => seen.retain(|known| known != user),
            _ => {}
        }
    }
    assert_eq!(seen, desk.roster("den").0);
}

#[test]
fn with_the_close_written_the_connection_is_out_of_everything_at_once() {
    let mut desk = lobbies(Some(2));
    let ann = desk.connect("den", "ann");
    let bob = desk.connect("den", "bob");
    join(&mut desk, ann, "attic").unwrap();
    desk.said();
    assert!(desk.kick(ann));
    assert_eq!(
        desk.said(),
        [
            &format!("close {ann} 4000 bye"),
            "left den ann 3",
            "left attic ann 2",
            "closed attic"
        ]
    );
    assert_eq!((desk.members("den"), desk.roster("den").0), (vec![bob], vec!["bob"]));
    assert_eq!(desk.manager.lobbies_of(ann).count(), 0);
    assert_eq!(desk.hail("den", Except::Nobody), 1);
    let send_to = desk.call(|manager, now, out| manager.send_to(now, ann, hi(), out));
    let send_to_user = desk.call(|manager, now, out| manager.send_to_user(now, "ann", hi(), out));
    let all = desk.call(|manager, now, out| manager.broadcast_all(now, hi(), Except::Nobody, out));
    let pinged = desk.call(|manager, now, out| manager.ping_user(now, "ann", None, out));
    assert_eq!((send_to, send_to_user, all, pinged), (0, 0, 1, 0));
    assert_eq!(desk.recipients(), [bob, bob]);
    assert!(!desk.manager.is_open(ann) && !desk.manager.is_user_connected("ann"));
    let stats = desk.manager.stats();
    assert_eq!(
        (stats.open_connections, stats.closing_connections, stats.users),
        (1, 1, 1)
    );
}

#[test]
fn a_closing_connection_counts_for_the_server_only() {
    let mut desk = Desk::with(Config {
        max_connections: Some(2),
        max_connections_per_lobby: Some(1),
        max_connections_per_user: Some(1),
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    desk.kick(ann);
    assert_eq!(desk.manager.stats().total_connections, 1);
    let again = desk.connect("den", "ann");
    assert_eq!(desk.members("den"), [again], "neither the lobby nor the user is full");
    assert_eq!(desk.refused("attic", "bob"), Some(RefusalRule::ServerFull));
    desk.closed(ann);
    assert_eq!(desk.refused("attic", "bob"), None);
}

#[test]
fn a_message_from_a_closing_connection_is_stale_and_proves_nothing() {
    let mut desk = lobbies(Some(1));
    let ann = desk.connect("den", "ann");
    desk.kick(ann);
    desk.said();
    let deadline = desk.manager.next_deadline();
    desk.wait(secs(4));
    assert_eq!(desk.say(ann, "wait!"), Inbound::Stale);
    assert_eq!(desk.manager.next_deadline(), deadline, "it has no more time for that");
    let stats = desk.manager.stats();
    assert_eq!((stats.messages_in, stats.stale_ids), (0, 1));
}

#[test]
fn a_closing_connection_cannot_be_kicked_again() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    assert!(desk.kick(ann));
    desk.said();
    assert!(!desk.kick(ann));
    let words = frame(1001, "shutdown");
    assert_eq!(
        desk.call(|manager, now, out| manager.close_all(now, &words, out)),
        0,
        "nor with the rest"
    );
    assert_eq!(desk.said(), [""; 0]);
    assert_eq!(desk.manager.stats().closes, 1);
}

#[test]
fn close_all_closes_every_open_connection_once() {
    let mut desk = Desk::open();
    let all: Vec<_> = ["ann", "bob", "cid"].map(|user| desk.connect("den", user)).into();
    desk.kick(all[1]);
    desk.said();
    let words = frame(1001, "shutdown");
    assert_eq!(desk.call(|manager, now, out| manager.close_all(now, &words, out)), 2);
    assert_eq!(
        desk.said(),
        [
            &format!("close {} 1001 shutdown", all[0]),
            "left den ann 5",
            &format!("close {} 1001 shutdown", all[2]),
            "left den cid 6",
            "closed den",
        ]
    );
    assert_eq!(desk.manager.stats().closing_connections, 3);
}

#[test]
fn one_that_does_not_close_in_time_is_evicted() {
    let mut desk = Desk::with(Config {
        close_timeout: secs(7),
        ping_interval: None,
        ..Config::default()
    });
    let ann = desk.connect("den", "ann");
    desk.wait(secs(1));
    desk.kick(ann);
    desk.said();
    desk.wait(secs(7));
    assert_eq!(desk.manager.next_deadline(), Some(desk.now));
    desk.tick();
    assert_eq!(
        desk.said(),
        [
            format!("evict {ann} close timeout"),
            format!("ended {ann} ann: evicted: close timeout")
        ]
    );
    assert_eq!(desk.manager.next_deadline(), None);
    assert_eq!(desk.manager.stats().total_connections, 0);
}

#[test]
fn an_id_ends_once_and_the_late_closed_is_a_counted_no_op() {
    type End = fn(&mut Desk, ConnId);
    let end_by_closed = |desk: &mut Desk, conn| {
        desk.closed(conn);
    };
    let end_by_handshake = |desk: &mut Desk, conn| {
        desk.kick(conn);
        desk.wait(secs(1));
        desk.closed(conn);
    };
    let end_by_eviction = |desk: &mut Desk, conn| {
        desk.kick(conn);
        desk.wait(secs(5));
        desk.tick();
    };
    let end_by_replacement = |desk: &mut Desk, _| {
        desk.try_connect("den", "ann").unwrap();
        desk.try_connect("den", "ann").unwrap();
    };
    let ways: [End; 4] = [end_by_closed, end_by_handshake, end_by_eviction, end_by_replacement];
    for (way, end) in ways.into_iter().enumerate() {
        let mut desk = Desk::with(Config {
            max_connections_per_user: Some(1),
            user_overflow: UserOverflow::ReplaceOldest,
            ping_interval: None,
            ..Config::default()
        });
        let ann = desk.connect("den", "ann");
        end(&mut desk, ann);
        for cause in [Cause::Peer, Cause::Error, Cause::SendFailed] {
            assert!(
                !desk.call(|manager, now, out| manager.closed(now, ann, cause, out)),
                "way {way}"
            );
        }
        assert_eq!(desk.manager.stats().stale_ids, 3, "way {way}");
        let ended = desk
            .out
            .iter()
            .filter(|output| matches!(output, Output::Notice(Notice::Ended { conn, .. }) if *conn == ann));
        assert_eq!(ended.count(), 1, "way {way}");
    }
}

#[test]
fn an_open_connection_that_is_closed_leaves_its_lobbies_before_it_ends() {
    let mut desk = lobbies(Some(2));
    let ann = desk.connect("den", "ann");
    join(&mut desk, ann, "attic").unwrap();
    desk.said();
    assert!(desk.closed(ann));
    assert_eq!(
        desk.said(),
        [
            "left den ann 2",
            "closed den",
            "left attic ann 2",
            "closed attic",
            &format!("ended {ann} ann: closed by the peer"),
        ]
    );
}

#[test]
fn lobbies_can_be_listed_and_found_by_name_and_by_id() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    desk.connect("attic", "bob");
    let ids: Vec<_> = desk.manager.lobbies().collect();
    assert_eq!(
        ids.iter()
            .map(|&id| desk.manager.lobby_name(id).unwrap())
            .collect::<Vec<_>>(),
        ["den", "attic"]
    );
    for lobby in [LobbyRef::from("den"), LobbyRef::from(ids[0]), LobbyRef::from(ann)] {
        assert_eq!(desk.manager.lobby_connections(lobby.clone()).collect::<Vec<_>>(), [ann]);
        assert_eq!(
            desk.manager.lobby_users(lobby).unwrap().iter().collect::<Vec<_>>(),
            ["ann"]
        );
    }
}
