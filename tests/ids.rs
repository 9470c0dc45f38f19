//! Handles that never lie: law 7.

mod support;

use std::collections::HashSet;

use lobbykeeper::{Cause, Config, ConnId, Except, Frame, Inbound, JoinError, LobbyId, ParseIdError};
use support::{Desk, frame, hi};

#[test]
fn an_id_has_one_text_form() {
    for (text, index, generation) in [
        ("c3v17", 3, 17),
        ("c0v1", 0, 1),
        ("c4294967295v4294967295", u32::MAX, u32::MAX),
    ] {
        let conn: ConnId = text.parse().unwrap();
        assert_eq!((conn.index(), conn.generation().get()), (index, generation));
        assert_eq!((conn.to_string(), format!("{conn:?}")), (text.into(), text.into()));
        let lobby: LobbyId = text.replace('c', "l").parse().unwrap();
        assert_eq!(lobby.to_string(), text.replace('c', "l"));
        assert_eq!((lobby.index(), lobby.generation().get()), (index, generation));
    }
}

#[test]
fn what_is_not_exactly_that_form_is_no_id() {
    for text in [
        "",
        "c",
        "v",
        "cv",
        "c0",
        "c0v",
        "cv1",
        "c0v0",
        "c00v1",
        "c0v01",
        "c+0v1",
        "c-0v1",
        "c0v1 ",
        " c0v1",
        "c 0v1",
        "C0v1",
        "c0V1",
        "0v1",
        "l0v1",
        "c0v1v1",
        "c4294967296v1",
        "c0v4294967296",
        "c٣v1",
        "c0v99999999999999999999999999",
    ] {
        assert_eq!(text.parse::<ConnId>(), Err(ParseIdError), "{text:?}");
        assert!(
            serde_json::from_str::<ConnId>(&format!("{text:?}")).is_err(),
            "{text:?}"
        );
    }
    assert_eq!("c0v1".parse::<LobbyId>(), Err(ParseIdError));
}

#[test]
fn the_bits_of_an_id_lead_back_to_it() {
    let conn: ConnId = "c3v17".parse().unwrap();
    assert_eq!(conn.to_bits(), (17 << 32) | 3);
    for bits in [1 << 32, (17 << 32) | 3, u64::MAX, (1 << 32) | 0xffff_ffff] {
        assert_eq!(ConnId::from_bits(bits).unwrap().to_bits(), bits);
        assert_eq!(LobbyId::from_bits(bits).unwrap().to_bits(), bits);
    }
    for bits in [0, 1, 0xffff_ffff] {
        assert_eq!(ConnId::from_bits(bits), None, "no id has the generation 0");
    }
    assert_eq!((size_of::<ConnId>(), size_of::<Option<ConnId>>()), (8, 8));
}

#[test]
fn no_id_is_given_twice() {
    let mut desk = Desk::open();
    let (mut conns, mut lobbies) = (HashSet::new(), HashSet::new());
    let mut open = Vec::new();
    for step in 0..500_usize {
        let conn = desk.connect(&format!("lobby {}", step % 7), "ann");
        assert!(conns.insert(conn), "{conn}");
        open.push(conn);
        if step % 3 != 0 {
            desk.closed(open.swap_remove(step * 5 % open.len()));
        }
        for gone in desk.said().iter().filter(|line| line.starts_with("closed ")) {
            assert_eq!(desk.manager.lobby_id(gone.trim_start_matches("closed ")), None);
        }
    }
    for _ in 0..50 {
        let conn = desk.connect("den", "ann");
        assert!(lobbies.insert(desk.manager.lobby_id("den").unwrap()));
        desk.closed(conn);
    }
}

#[test]
fn a_stale_connection_id_never_touches_the_new_tenant_of_its_slot() {
    let mut desk = Desk::with(Config {
        max_lobbies_per_connection: None,
        ..Config::default()
    });
    let old = desk.connect("den", "ann");
    desk.closed(old);
    let new = desk.connect("den", "bob");
    assert_eq!((new.index(), new == old), (old.index(), false));
    desk.said();
    let before = (desk.manager.next_deadline(), desk.members("den"));

    let words = frame(4000, "bye");
    for stale in [old, "c9v1".parse().unwrap(), ConnId::from_bits(u64::MAX).unwrap()] {
        for cause in [Cause::Peer, Cause::Error, Cause::SendFailed] {
            assert!(!desk.call(|manager, now, out| manager.closed(now, stale, cause, out)));
        }
        let message = desk.call(|manager, now, out| manager.message(now, stale, Frame::text("x"), out));
        assert_eq!(message, Inbound::Stale);
        assert!(!desk.call(|manager, now, out| manager.kick(now, stale, &words, out)));
        assert!(!desk.call(|manager, now, out| manager.leave(now, stale, "den", out)));
        assert!(!desk.call(|manager, now, out| manager.leave(now, new, stale, out)));
        for entered in [
            desk.call(|manager, now, out| manager.join(now, stale, "attic", out)),
            desk.call(|manager, now, out| manager.switch_lobby(now, stale, "den", "attic", out)),
        ] {
            assert_eq!(entered, Err(JoinError::UnknownConnection));
        }
        assert_eq!(
            desk.call(|manager, now, out| manager.switch_lobby(now, new, stale, "attic", out)),
            Err(JoinError::NotMember)
        );
        assert_eq!(desk.call(|manager, now, out| manager.send_to(now, stale, hi(), out)), 0);
        assert_eq!(
            desk.call(|manager, now, out| manager.broadcast(now, stale, hi(), Except::Nobody, out)),
            0
        );
        assert_eq!(desk.said(), [""; 0]);
        desk.hail("den", Except::Conn(stale));
        desk.hail("den", Except::UserOf(stale));
        assert_eq!(desk.recipients(), [new, new]);

        assert!(!desk.manager.is_open(stale));
        assert_eq!((desk.manager.user_of(stale), desk.manager.latency(stale)), (None, None));
        assert_eq!(desk.manager.lobbies_of(stale).count(), 0);
        assert_eq!(desk.manager.lobby_connections(stale).count(), 0);
        assert!(desk.manager.lobby_users(stale).is_none());
    }
    assert_eq!((desk.manager.next_deadline(), desk.members("den")), before);
    assert_eq!(desk.manager.stats().stale_ids, 3 * 4);
    assert!(desk.manager.is_open(new));
}

#[test]
fn a_stale_lobby_id_never_touches_the_new_tenant_of_its_slot() {
    let mut desk = Desk::open();
    let ann = desk.connect("den", "ann");
    let old = desk.manager.lobby_id("den").unwrap();
    desk.closed(ann);
    let bob = desk.connect("attic", "bob");
    let new = desk.manager.lobby_id("attic").unwrap();
    assert_eq!((new.index(), new == old), (old.index(), false));
    desk.said();
    for stale in [old, "l9v1".parse().unwrap(), LobbyId::from_bits(u64::MAX).unwrap()] {
        assert_eq!(
            desk.call(|manager, now, out| manager.broadcast(now, stale, hi(), Except::Nobody, out)),
            0
        );
        assert!(!desk.call(|manager, now, out| manager.leave(now, bob, stale, out)));
        assert_eq!(
            desk.call(|manager, now, out| manager.switch_lobby(now, bob, stale, "cellar", out)),
            Err(JoinError::NotMember)
        );
        assert_eq!(desk.manager.lobby_name(stale), None);
        assert_eq!(desk.manager.lobby_connections(stale).count(), 0);
        assert!(desk.manager.lobby_users(stale).is_none());
    }
    assert!(desk.out.is_empty());
    assert_eq!(desk.members("attic"), [bob]);
}
