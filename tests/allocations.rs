//! What is allocated, counted: nothing per broadcast, message and tick once warm, little per ping, nothing is kept of
//! those who have gone, and no snapshot takes more than its size suggests.

mod counting;

use std::time::Duration;

use counting::{ALLOCATIONS, LIVE, TAKEN};
use lobbykeeper::{
    Cause, CloseFrame, Config, ConnId, Except, Frame, Handshake, Inbound, LobbyId, Manager, Outbox, Output, Payload,
    PingFormat, Rate, Snapshot, Time,
};

/// How often a call allocates.
fn allocations(call: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    call();
    ALLOCATIONS.get() - before
}

/// How many bytes a call takes, those that it takes for a moment only included.
fn bytes_taken(call: impl FnOnce()) -> usize {
    let before = TAKEN.get();
    call();
    TAKEN.get() - before
}

const MEMBERS: usize = 100;

/// A lobby of a hundred users, and an outbox that is still cold.
fn lobby(config: Config) -> (Manager, Outbox, Vec<ConnId>, LobbyId) {
    let mut manager = Manager::new(config).unwrap();
    let mut out = Outbox::new();
    let conns: Vec<_> = (0..MEMBERS)
        .map(|number| {
            manager
                .connected(Time::ZERO, Handshake::new("den", format!("user {number}")), &mut out)
                .unwrap()
        })
        .collect();
    let id = manager.lobby_id("den").unwrap();
    (manager, Outbox::new(), conns, id)
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
    assert_eq!(allocations(|| ()), 0);
    assert_eq!(bytes_taken(|| drop(std::hint::black_box(Box::new([0_u8; 100])))), 100);
}

#[test]
fn a_broadcast_allocates_nothing_once_warm_whoever_is_left_out() {
    let (mut manager, mut out, conns, id) = lobby(Config::default());
    let payload = Payload::text("hello");
    let excepts = [
        Except::Nobody,
        Except::Conn(conns[3]),
        Except::user("user 7"),
        Except::UserOf(conns[9]),
    ];
    let mut round = || {
        for except in &excepts {
            manager.broadcast(Time::ZERO, "den", payload.clone(), except.clone(), &mut out);
            manager.broadcast(Time::ZERO, id, payload.clone(), except.clone(), &mut out);
            manager.broadcast_all(Time::ZERO, payload.clone(), except.clone(), &mut out);
        }
        manager.send_to(Time::ZERO, conns[0], payload.clone(), &mut out);
        manager.send_to_user(Time::ZERO, "user 5", payload.clone(), &mut out);
        assert_eq!(out.iter().len(), 14);
        out.clear();
    };
    round();
    assert_eq!(allocations(|| (0..10).for_each(|_| round())), 0);
}

#[test]
fn a_broadcast_under_limits_on_backlogs_allocates_nothing_once_warm_nor_does_a_report() {
    let (mut manager, mut out, conns, id) = lobby(Config {
        max_backlog_messages: Some(2),
        max_total_backlog_bytes: Some(1_000),
        ..Config::default()
    });
    assert!(manager.flushed(Time::ZERO, conns[0], 0, 0, &mut out));
    let payload = Payload::text("hello");
    let mut round = || {
        for _ in 0..2 {
            let addressed = manager.broadcast(Time::ZERO, id, payload.clone(), Except::Nobody, &mut out);
            assert_eq!(addressed, MEMBERS);
        }
        // A third one finds no room, in their own backlogs or in the budget.
        let droppable = payload.clone().droppable();
        assert_eq!(
            manager.broadcast(Time::ZERO, id, droppable, Except::Nobody, &mut out),
            0
        );
        for &conn in &conns {
            manager.flushed(Time::ZERO, conn, 10, 2, &mut out);
        }
        assert_eq!(out.notices().count(), MEMBERS);
        out.clear();
    };
    round();
    assert_eq!(allocations(|| (0..10).for_each(|_| round())), 0);
}

#[test]
fn an_eviction_for_a_backlog_allocates_nothing_once_warm() {
    let (mut manager, mut out, conns, id) = lobby(Config {
        max_backlog_messages: Some(1),
        max_total_backlog_bytes: Some(500),
        ..Config::default()
    });
    manager.flushed(Time::ZERO, conns[0], 0, 0, &mut out);
    let payload = Payload::text("hello");
    let mut round = |slow: &[ConnId]| {
        manager.broadcast(Time::ZERO, id, payload.clone(), Except::Nobody, &mut out);
        for &conn in conns.iter().filter(|conn| !slow.contains(conn)) {
            manager.flushed(Time::ZERO, conn, 5, 1, &mut out);
        }
        manager.broadcast(Time::ZERO, id, payload.clone(), Except::Nobody, &mut out);
        for &conn in &conns {
            manager.flushed(Time::ZERO, conn, 5, 1, &mut out);
        }
        out.clear();
    };
    round(&conns[..20]);
    assert_eq!(allocations(|| round(&conns[20..40])), 0);
    assert_eq!(manager.stats().evictions.slow_consumer, 40);
}

#[test]
fn the_first_broadcast_after_a_leave_allocates_nothing() {
    let (mut manager, mut out, conns, id) = lobby(Config::default());
    manager.broadcast(Time::ZERO, id, Payload::text("warm"), Except::Nobody, &mut out);
    manager.closed(Time::ZERO, conns[50], Cause::Peer, &mut out);
    out.clear();
    let payload = Payload::text("hello");
    assert_eq!(
        allocations(|| {
            assert_eq!(
                manager.broadcast(Time::ZERO, id, payload, Except::Nobody, &mut out),
                MEMBERS - 1
            );
        }),
        0
    );
}

#[test]
fn a_message_allocates_nothing() {
    let (mut manager, mut out, conns, _) = lobby(Config::default());
    let long = "x_".repeat(100_000);
    let pong = r#"{"timestamp":3,"type":"health_pong"}"#;
    let chat = r#"{"type":"chat","text":"health_pong"}"#;
    assert_eq!(
        allocations(|| {
            for frame in [Frame::text(&long), Frame::text(chat), Frame::binary(long.as_bytes())] {
                assert_eq!(manager.message(Time::ZERO, conns[0], frame, &mut out), Inbound::Deliver);
            }
            for frame in [Frame::text(pong), Frame::ping(b"x"), Frame::pong(b"x")] {
                assert_eq!(manager.message(Time::ZERO, conns[0], frame, &mut out), Inbound::Handled);
            }
        }),
        0
    );
}

#[test]
fn a_message_that_is_paid_for_or_dropped_allocates_nothing() {
    let rate = Rate {
        events: 1,
        per: Duration::from_secs(1),
        burst: 2,
    };
    let (mut manager, mut out, conns, _) = lobby(Config {
        message_rate: Some(rate),
        user_message_rate: Some(rate),
        max_message_bytes: Some(1_000),
        ..Config::default()
    });
    let mut say = |conn| {
        matches!(
            manager.message(Time::ZERO, conn, Frame::text("hello"), &mut out),
            Inbound::Deliver
        )
    };
    // The outbox is warm after a few notices.
    assert_eq!(
        [(); 8]
            .map(|()| say(conns[0]))
            .into_iter()
            .filter(|taken| *taken)
            .count(),
        2
    );
    out.clear();
    let mut say = |conn| {
        matches!(
            manager.message(Time::ZERO, conn, Frame::text("hello"), &mut out),
            Inbound::Deliver
        )
    };
    let mut taken = 0;
    let allocated = allocations(|| {
        for &conn in &conns[MEMBERS - 2..] {
            taken += [(); 3].map(|()| say(conn)).into_iter().filter(|taken| *taken).count();
        }
    });
    assert_eq!((taken, allocated), (4, 0));
}

#[test]
fn an_idle_tick_allocates_nothing() {
    let (mut manager, mut out, _, _) = lobby(Config::default());
    let before = Time::from_nanos(manager.next_deadline().unwrap().as_nanos() - 1);
    assert_eq!(allocations(|| manager.tick(before, &mut out)), 0);
    assert!(out.is_empty());
}

/// Ticks at every deadline for some minutes in which everybody answers. Returns the most that one tick allocated once
/// warm. The frames of a tick are kept by a slow driver until `keep` later ones have been written.
fn most_per_tick(ping_format: PingFormat, keep: usize) -> usize {
    let (mut manager, mut out, conns, _) = lobby(Config {
        ping_format,
        ..Config::default()
    });
    let mut kept = std::collections::VecDeque::with_capacity(keep + 2);
    let (warm, end) = (Time::from_secs(60), Time::from_secs(180));
    let mut most = 0;
    while let Some(deadline) = manager.next_deadline().filter(|&deadline| deadline < end) {
        let now = deadline + Duration::from_millis(20);
        let count = allocations(|| manager.tick(now, &mut out));
        if now > warm {
            most = most.max(count);
        }
        for output in &out {
            if let Output::Command(lobbykeeper::Command::Send { payload, .. }) = output {
                kept.push_back(payload.clone());
            }
        }
        out.clear();
        while kept.len() > keep {
            kept.pop_front();
        }
        for &conn in &conns {
            manager.message(now, conn, Frame::text("alive"), &mut out);
        }
    }
    most
}

#[test]
fn a_tick_that_pings_allocates_nothing_if_the_frames_before_have_been_dropped() {
    assert_eq!(most_per_tick(PingFormat::Json, 0), 0);
    assert_eq!(most_per_tick(PingFormat::WebSocket, 0), 0);
}

#[test]
fn a_tick_that_pings_allocates_twice_at_most_while_frames_are_still_on_their_way() {
    assert_eq!(most_per_tick(PingFormat::Json, 5), 2);
    // Shorter frames share a buffer, so that most ticks need no new one.
    assert!(most_per_tick(PingFormat::WebSocket, 5) <= 2);
}

#[test]
fn whoever_comes_and_goes_allocates_no_more_for_a_source_and_an_expiry_once_warm() {
    let (mut manager, mut out, ..) = lobby(Config {
        max_connections_per_source: Some(1),
        ..Config::default()
    });
    let close = CloseFrame::new(4000, "bye").unwrap();
    let mut round = |handshake: Handshake<'_>| {
        let now = Time::from_secs(1);
        allocations(|| {
            let conn = manager.connected(now, handshake.clone(), &mut out).unwrap();
            manager.lock_lobby(now, "den", &mut out);
            manager.extend(now, conn, handshake.expires, &mut out);
            manager.unlock_lobby(now, "den", &mut out);
            manager.kick_user(now, "newcomer", &close, &mut out);
            manager.closed(now, conn, Cause::Peer, &mut out);
            out.clear();
        })
    };
    let plain = Handshake::new("den", "newcomer");
    let source = std::net::Ipv4Addr::new(192, 0, 2, 1);
    let full = plain.clone().source(source).expires(Time::from_secs(9));
    round(full.clone());
    assert_eq!(round(full), round(plain));
}

#[test]
fn an_expiry_allocates_nothing_once_warm() {
    let (mut manager, mut out, conns, _) = lobby(Config::default());
    let mut expire = |conn: ConnId, seconds: u64| {
        let now = Time::from_secs(seconds);
        manager.extend(now, conn, Some(now), &mut out);
        let count = allocations(|| manager.tick(now, &mut out));
        assert_eq!(out.commands().count(), 1);
        out.clear();
        count
    };
    expire(conns[0], 0);
    assert_eq!(expire(conns[1], 0), 0);
}

#[test]
fn a_drain_takes_memory_when_it_begins_and_each_of_its_closes_takes_its_own_words() {
    let (mut manager, mut out, conns, id) = lobby(Config {
        ping_interval: None,
        close_timeout: Duration::from_secs(1_000_000),
        ..Config::default()
    });
    let every = Duration::from_secs(10);
    let begin = bytes_taken(|| {
        manager.drain(Time::ZERO, every, Time::MAX, &mut out);
    });
    // Those included that are given back while it grows.
    assert!((12 * MEMBERS..40 * MEMBERS).contains(&begin), "{begin}");
    let payload = Payload::text("hello");
    for round in 0..10 {
        let now = manager.next_deadline().unwrap();
        let close = allocations(|| manager.tick(now, &mut out));
        assert_eq!(manager.stats().drained, round + 1);
        let mut open = conns.iter().copied().filter(|&conn| manager.is_open(conn));
        let (first, second) = (open.next().unwrap(), open.next().unwrap());
        let others = allocations(|| {
            manager.message(now, first, Frame::text("hello"), &mut out);
            manager.broadcast(now, id, payload.clone(), Except::Nobody, &mut out);
            manager.drain(now, every, Time::MAX, &mut out);
            manager.closed(now, second, Cause::Peer, &mut out);
        });
        assert!(round == 0 || (close <= 4 && others == 0), "{close} and {others}");
        out.clear();
    }
}

#[test]
fn recording_allocates_nothing_once_warm() {
    use lobbykeeper::{Call, Event, Input, Recorder, Request};

    let (mut log, mut out) = (Vec::new(), Outbox::new());
    let mut recorder = Recorder::new(Config::default(), &mut log).unwrap();
    for user in ["ann", "bob"] {
        let event = Event::Connected(Handshake::new("den", user));
        let at = Time::ZERO;
        recorder.apply(
            Input {
                at,
                call: Call::Event(event),
            },
            &mut out,
            &mut log,
        );
    }
    let (conn, lobby) = ("c0v1".parse().unwrap(), recorder.lobby_id("den").unwrap());
    let payload = Payload::text("hello");
    let mut round = || {
        log.clear();
        out.clear();
        let (lobby, payload, except) = (lobby.into(), payload.clone().into(), Except::UserOf(conn));
        for call in [
            Call::Event(Event::Message {
                conn,
                frame: Frame::text("hello"),
            }),
            Call::Request(Request::Broadcast { lobby, payload, except }),
            Call::Event(Event::Tick),
        ] {
            recorder.apply(Input { at: Time::ZERO, call }, &mut out, &mut log);
        }
    };
    round();
    assert_eq!(allocations(|| (0..10).for_each(|_| round())), 0);
}

#[test]
fn nothing_is_kept_of_connections_users_and_lobbies_that_have_gone() {
    let mut manager = Manager::new(Config::default()).unwrap();
    let mut out = Outbox::new();
    let close = CloseFrame::new(4000, "bye").unwrap();
    let mut live = Vec::with_capacity(20);
    for round in 0..20 {
        let now = Time::from_secs(100 * round);
        for number in 0..200 {
            let (lobby, user) = (
                format!("lobby {round} {}", number / 10),
                format!("user {round} {number}"),
            );
            let conn = manager.connected(now, Handshake::new(lobby, user), &mut out).unwrap();
            match number % 3 {
                0 => _ = manager.closed(now, conn, Cause::Peer, &mut out),
                1 => _ = manager.kick(now, conn, &close, &mut out),
                _ => {}
            }
            out.clear();
        }
        // The kicked do not close in time, the others do not answer.
        while let Some(deadline) = manager.next_deadline() {
            manager.tick(deadline, &mut out);
            out.clear();
        }
        assert_eq!(manager.stats().total_connections, 0);
        live.push(LIVE.get());
    }
    // A hash table may still grow when graves fill it, but 200 names a round would show.
    assert!(live[19] - live[5] < 200 * 16, "{live:?}");
}

/// A snapshot of nothing, with other values for some of its members.
fn forged(members: &[(&str, String)]) -> String {
    let snapshot = Manager::new(Config::default()).unwrap().snapshot();
    let mut json = serde_json::to_string(&snapshot).unwrap();
    for (member, value) in members {
        let empty = format!("\"{member}\":[]");
        assert!(json.contains(&empty));
        json = json.replace(&empty, &format!("\"{member}\":{value}"));
    }
    json
}

/// `[...]` with so many items.
fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    format!("[{}]", (0..count).map(item).collect::<Vec<_>>().join(","))
}

/// How many bytes are taken for each byte of a snapshot, from its text to the manager or to the refusal.
fn bytes_for_each(json: &str) -> usize {
    let taken = bytes_taken(|| {
        let snapshot = serde_json::from_str::<Snapshot>(json);
        drop(std::hint::black_box(
            snapshot.map(|snapshot| Manager::restore(snapshot, [0, 0])),
        ));
    });
    taken / json.len()
}

/// What a snapshot may take for each of its bytes. A retired slot, `12345,` say, costs as much memory as a connection.
const MOST_FOR_EACH: usize = 32;

#[test]
fn a_forged_snapshot_takes_no_more_than_its_size_suggests_whatever_it_claims() {
    const MANY: usize = 5_000;
    let far = u32::MAX - 1;
    let user = |name: usize, open: &str| {
        format!(r#"{{"name":"{name:05}","open":[{open}],"closing":[],"replaced":null,"message_bucket":0}}"#)
    };
    let pulse = serde_json::json!({
        "heard": 0, "sent": 0, "outstanding": null, "demand": null, "due": 1, "demand_millis": 0,
        "rtt": {"last": 0, "min": u32::MAX, "smoothed_by_8": 0},
        "pauses": 0, "missed": 0, "awaiting": false, "held": false,
    });
    let end = r#""source":"00000000000000000000000000000001","expires":1,"message_bucket":0,"violations":0"#;
    let conn =
        |id: &str, lobbies: &str| format!(r#"{{"id":"{id}","check":1,"lobbies":{lobbies},"pulse":{pulse},{end}}}"#);
    let lobby =
        |at: usize| format!(r#"{{"id":"l{at}v1","name":"{at}","revision":1,"joins":1,"users":[0],"locked":true}}"#);
    let far_conn = user(0, &conn(&format!("c{far}v1"), "[]"));
    let everywhere = list(MANY, |at| format!(r#"["l{at}v1",1]"#));
    let everywhere = user(0, &conn("c0v1", &everywhere));
    let forgeries: [(&str, &[(&str, String)]); 14] = [
        ("nothing", &[]),
        ("a far slot", &[("free_connections", format!("[\"c{far}v1\"]"))]),
        ("a far retired slot", &[("retired_lobbies", format!("[{far}]"))]),
        ("a far connection", &[("users", format!("[{far_conn}]"))]),
        ("a far lobby", &[("lobbies", format!("[{}]", lobby(far as usize)))]),
        ("a number for a list", &[("free_lobbies", "4000000000".into())]),
        (
            "free slots",
            &[("free_connections", list(MANY, |at| format!("\"c{at}v2\"")))],
        ),
        (
            "free lobbies",
            &[("free_lobbies", list(MANY, |at| format!("\"l{at}v2\"")))],
        ),
        (
            "retired slots",
            &[("retired_connections", list(MANY, |at| at.to_string()))],
        ),
        (
            "one slot again and again",
            &[("retired_connections", list(MANY, |_| "0".into()))],
        ),
        ("users without connections", &[("users", list(MANY, |at| user(at, "")))]),
        ("lobbies without members", &[("lobbies", list(MANY, lobby))]),
        (
            "a connection everywhere",
            &[("users", format!("[{everywhere}]")), ("lobbies", list(MANY, lobby))],
        ),
        ("lists in lists", &[("users", "[".repeat(MANY))]),
    ];
    for (name, members) in forgeries {
        let json = forged(members);
        // Else the manager would never see what is forged.
        let is_readable = !["a number for a list", "lists in lists"].contains(&name);
        assert_eq!(serde_json::from_str::<Snapshot>(&json).is_ok(), is_readable, "{name}");
        let each = bytes_for_each(&json);
        assert!(each <= MOST_FOR_EACH, "{name}: {each}");
        // Sorted members are kept as they are until the version is found.
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(&json) {
            let each = bytes_for_each(&value.to_string());
            assert!(each <= 2 * MOST_FOR_EACH, "{name}, sorted: {each}");
        }
    }
}

#[test]
fn a_snapshot_of_many_takes_no_more_than_its_size_suggests() {
    let (mut manager, mut out, ..) = lobby(Config::default());
    for number in 0..1_000 {
        let handshake = Handshake::new(format!("{}", number / 3), format!("{}", number / 2));
        manager.connected(Time::ZERO, handshake, &mut out).unwrap();
    }
    let json = serde_json::to_string(&manager.snapshot()).unwrap();
    let each = bytes_for_each(&json);
    assert!(each <= 16, "{each}");
    assert!(bytes_taken(|| drop(manager.snapshot())) < 3 * json.len());
}
