//! Who gets a message, in which order and at what cost: lines 11, 12 and 13.

mod support;

use lobbykeeper::{Cause, Command, Config, ConnId, Except, LobbyRef, Payload};
use support::{Desk, hi, secs};

fn several_lobbies() -> Desk {
    Desk::with(Config {
        max_lobbies_per_connection: None,
        ping_interval: None,
        ..Config::default()
    })
}

fn broadcast<'a>(desk: &mut Desk, lobby: impl Into<LobbyRef<'a>>, except: Except<'_>) -> Vec<ConnId> {
    desk.out.clear();
    let addressed = desk.call(|manager, now, out| manager.broadcast(now, lobby, hi(), except, out));
    let to = desk.recipients();
    assert_eq!(addressed, to.len());
    to
}

#[test]
fn a_broadcast_is_one_record_with_one_shared_payload() {
    let mut desk = Desk::open();
    let all: Vec<_> = (0..100)
        .map(|number| desk.connect("den", &number.to_string()))
        .collect();
    for payload in [
        Payload::text(String::from("no copy is made")),
        Payload::binary(vec![1, 2, 3]),
    ] {
        let bytes = payload.as_bytes().as_ptr();
        let except = Except::Conn(all[50]);
        assert_eq!(
            desk.call(|manager, now, out| manager.broadcast(now, "den", payload.clone(), except, out)),
            99
        );
        {
            let [Command::Send { to, payload: written }] = desk.out.commands().collect::<Vec<_>>()[..] else {
                panic!("one send")
            };
            assert_eq!(to, [&all[..50], &all[51..]].concat());
            assert_eq!(written, &payload);
            assert_eq!(written.as_bytes().as_ptr(), bytes);
        }
        desk.out.clear();
    }
}

#[test]
fn a_broadcast_goes_to_the_members_of_that_instant_in_the_order_of_joining() {
    let mut desk = Desk::open();
    let mut members: Vec<_> = (0..50).map(|number| desk.connect("den", &number.to_string())).collect();
    desk.connect("attic", "elsewhere");
    for step in 0..200 {
        if step % 3 == 0 || members.is_empty() {
            // The newcomer takes the slot of one who left, and yet comes last.
            members.push(desk.connect("den", &format!("new {step}")));
        } else {
            desk.closed(members.remove(step * 7 % members.len()));
        }
        if step % 4 == 0 {
            assert_eq!(broadcast(&mut desk, "den", Except::Nobody), members, "step {step}");
        }
        assert_eq!(desk.members("den"), members, "step {step}");
    }
}

#[test]
fn one_who_comes_back_into_a_lobby_comes_last() {
    let mut desk = several_lobbies();
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|user| desk.connect("den", user));
    desk.call(|manager, now, out| manager.leave(now, ann, "den", out));
    desk.call(|manager, now, out| manager.join(now, ann, "den", out).unwrap());
    assert_eq!(broadcast(&mut desk, "den", Except::Nobody), [bob, cid, ann]);
}

#[test]
fn excluding_a_user_excludes_all_his_connections_and_excluding_a_connection_it_alone() {
    let mut desk = Desk::open();
    let [first, bob, second, cid, third] = ["ann", "bob", "ann", "cid", "ann"].map(|user| desk.connect("den", user));
    desk.connect("attic", "ann");
    assert_eq!(broadcast(&mut desk, "den", Except::user("ann")), [bob, cid]);
    assert_eq!(broadcast(&mut desk, "den", Except::UserOf(second)), [bob, cid]);
    assert_eq!(
        broadcast(&mut desk, "den", Except::Conn(second)),
        [first, bob, cid, third]
    );
    assert_eq!(
        broadcast(&mut desk, "den", Except::user("cid")),
        [first, bob, second, third]
    );
}

#[test]
fn a_users_connections_are_excluded_in_whatever_order_they_joined() {
    let mut desk = Desk::open();
    let [oldest, older] = [(); 2].map(|()| desk.connect("attic", "ann"));
    let mut others = Vec::new();
    for mover in [None, Some(older), None, Some(oldest), None] {
        if let Some(conn) = mover {
            desk.call(|manager, now, out| manager.switch_lobby(now, conn, "attic", "den", out).unwrap());
        } else {
            desk.connect("den", "ann");
        }
        others.push(desk.connect("den", "bob"));
    }
    assert_eq!(broadcast(&mut desk, "den", Except::user("ann")), others);
}

#[test]
fn one_with_more_connections_than_the_lobby_has_members_is_excluded_all_the_same() {
    let mut desk = Desk::open();
    for _ in 0..20 {
        desk.connect("attic", "ann");
    }
    let [_, bob, _] = ["ann", "bob", "ann"].map(|user| desk.connect("den", user));
    assert_eq!(broadcast(&mut desk, "den", Except::user("ann")), [bob]);
}

#[test]
fn excluding_one_who_is_not_there_excludes_nobody() {
    let mut desk = Desk::open();
    let [ann, bob] = ["ann", "bob"].map(|user| desk.connect("den", user));
    let elsewhere = desk.connect("attic", "cid");
    let gone = desk.connect("den", "dan");
    desk.closed(gone);
    let closing = desk.connect("den", "eve");
    desk.kick(closing);
    for except in [
        Except::user("cid"),
        Except::user("nobody"),
        Except::user("dan"),
        Except::user("eve"),
        Except::Conn(elsewhere),
        Except::Conn(gone),
        Except::Conn(closing),
        Except::UserOf(elsewhere),
        Except::UserOf(gone),
        Except::UserOf(closing),
    ] {
        assert_eq!(broadcast(&mut desk, "den", except.clone()), [ann, bob], "{except:?}");
    }
}

#[test]
fn the_sender_need_not_be_a_member() {
    let mut desk = Desk::open();
    let [ann, bob] = ["ann", "bob"].map(|user| desk.connect("den", user));
    let elsewhere = desk.connect("attic", "cid");
    assert_eq!(broadcast(&mut desk, "den", Except::UserOf(elsewhere)), [ann, bob]);
}

#[test]
fn the_lobby_of_a_connection_is_the_first_that_it_joined() {
    let mut desk = several_lobbies();
    let ann = desk.connect("den", "ann");
    let bob = desk.connect("attic", "bob");
    desk.call(|manager, now, out| manager.join(now, ann, "attic", out).unwrap());
    assert_eq!(broadcast(&mut desk, ann, Except::Nobody), [ann], "the den");
    desk.call(|manager, now, out| manager.leave(now, ann, "den", out));
    assert_eq!(broadcast(&mut desk, ann, Except::Nobody), [bob, ann], "now the attic");
    desk.call(|manager, now, out| manager.join(now, ann, "den", out).unwrap());
    assert_eq!(
        broadcast(&mut desk, ann, Except::Nobody),
        [bob, ann],
        "the den comes second now"
    );
}

#[test]
fn a_broadcast_to_nobody_writes_nothing() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    let den = desk.manager.lobby_id("den").unwrap();
    let lost = desk.connect("cellar", "cid");
    desk.call(|manager, now, out| manager.leave(now, lost, "cellar", out));
    let gone = desk.connect("cellar", "dan");
    desk.closed(gone);
    desk.said();
    for (lobby, except) in [
        (LobbyRef::from("nowhere"), Except::Nobody),
        (LobbyRef::from(""), Except::Nobody),
        (LobbyRef::from("cellar"), Except::Nobody),
        (LobbyRef::Of(lost), Except::Nobody), // open, but in no lobby
        (LobbyRef::Of(gone), Except::Nobody),
        (LobbyRef::from("den"), Except::user("ann")),
        (LobbyRef::Id(den), Except::Conn(ann)),
    ] {
        assert_eq!(
            desk.call(|manager, now, out| manager.broadcast(now, lobby.clone(), hi(), except, out)),
            0
        );
        assert!(desk.out.is_empty(), "{lobby:?}");
    }
    assert_eq!(desk.manager.stats().messages_out, 0);
}

#[test]
fn who_goes_after_a_broadcast_stays_in_its_run_of_ids() {
    let mut desk = Desk::with(Config {
        ping_interval: None,
        ..Config::default()
    });
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|user| desk.connect("den", user));
    desk.hail("den", Except::Nobody);
    desk.kick(bob);
    desk.wait(secs(5));
    desk.tick();
    desk.closed(cid);
    desk.hail("den", Except::Nobody);
    assert_eq!(
        desk.said(),
        [
            &format!("send {ann} {bob} {cid}: hi"),
            &format!("close {bob} 4000 bye"),
            "left den bob 4",
            &format!("evict {bob} close timeout"),
            &format!("ended {bob} bob: evicted: close timeout"),
            "left den cid 5",
            &format!("ended {cid} cid: closed by the peer"),
            &format!("send {ann}: hi"),
        ]
    );
}

#[test]
fn broadcast_all_reaches_every_open_connection_in_the_order_of_their_indices() {
    let mut desk = several_lobbies();
    let [ann, bob, cid, dan] = [("den", "ann"), ("attic", "bob"), ("den", "cid"), ("cellar", "dan")]
        .map(|(lobby, user)| desk.connect(lobby, user));
    desk.call(|manager, now, out| manager.join(now, ann, "attic", out).unwrap());
    desk.closed(bob);
    let eve = desk.connect("attic", "eve");
    assert_eq!(eve.index(), bob.index());
    let second = desk.connect("den", "ann");
    desk.kick(dan);
    let lost = desk.connect("den", "lost");
    desk.call(|manager, now, out| manager.leave(now, lost, "den", out));
    desk.said();
    for (except, wanted) in [
        (Except::Nobody, vec![ann, eve, cid, second, lost]),
        (Except::Conn(ann), vec![eve, cid, second, lost]),
        (Except::user("ann"), vec![eve, cid, lost]),
        (Except::UserOf(second), vec![eve, cid, lost]),
        (Except::user("nobody"), vec![ann, eve, cid, second, lost]),
        (Except::Conn(bob), vec![ann, eve, cid, second, lost]),
        (Except::UserOf(dan), vec![ann, eve, cid, second, lost]),
    ] {
        let addressed = desk.call(|manager, now, out| manager.broadcast_all(now, hi(), except.clone(), out));
        assert_eq!(addressed, wanted.len());
        assert_eq!(desk.recipients(), wanted, "{except:?}");
    }
}

#[test]
fn a_message_to_a_user_reaches_each_of_his_connections_oldest_first() {
    let mut desk = Desk::open();
    let first = desk.connect("den", "ann");
    let second = desk.connect("attic", "ann");
    desk.connect("den", "bob");
    desk.closed(first);
    let third = desk.connect("den", "ann");
    assert_eq!(third.index(), first.index());
    let closing = desk.connect("den", "ann");
    desk.kick(closing);
    desk.said();
    let send = |desk: &mut Desk, user: &str| desk.call(|manager, now, out| manager.send_to_user(now, user, hi(), out));
    assert_eq!(send(&mut desk, "ann"), 2);
    assert_eq!(desk.said(), [format!("send {second} {third}: hi")]);
    assert_eq!((send(&mut desk, "nobody"), send(&mut desk, "")), (0, 0));
    assert!(desk.out.is_empty());
}

#[test]
fn a_message_to_a_connection_reaches_it_alone() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    desk.connect("den", "ann");
    let send = |desk: &mut Desk, conn| desk.call(|manager, now, out| manager.send_to(now, conn, hi(), out));
    assert_eq!(send(&mut desk, ann), 1);
    assert_eq!(desk.said(), [format!("send {ann}: hi")]);
    desk.closed(ann);
    desk.said();
    assert_eq!(send(&mut desk, ann), 0);
    assert!(desk.out.is_empty());
}

#[test]
fn a_failed_send_is_cleaned_up_like_any_other_end() {
    let ended = |cause| {
        let mut desk = Desk::open();
        let ann = desk.connect("den", "ann");
        desk.connect("den", "bob");
        assert!(desk.call(|manager, now, out| manager.closed(now, ann, cause, out)));
        assert_eq!(desk.manager.stats().open_connections, 1);
        desk.said()
    };
    let [failed, closed] = [Cause::SendFailed, Cause::Peer].map(ended);
    assert_eq!(failed, ["left den ann 3", "ended c0v1 ann: a send failed"]);
    assert_eq!(closed, ["left den ann 3", "ended c0v1 ann: closed by the peer"]);
}
