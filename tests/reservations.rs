//! Reserved seats: held for a while, counted as an open connection is, and good for one connection.

mod cases;
mod support;

use cases::cases;
use lobbykeeper::testing::check_invariants;
use lobbykeeper::{
    Closing, Command, Config, ConnId, Handshake, Lapse, Limit, Manager, Notice, Outbox, Rate, RefusalRule,
    ReservationId, Retry, Source, Time, UserOverflow,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use support::{Desk, frame, secs};

use RefusalRule::{Draining, Expired, LobbyFull, LobbyLocked, ReservationVoid, ServerFull, SourceLimit, UserLimit};

const ANN: &str = "ann";

/// The limits that seats count for.
const OF_SEATS: [Limit; 4] = [
    Limit::Connections,
    Limit::ConnectionsPerLobby,
    Limit::ConnectionsPerUser,
    Limit::ConnectionsPerSource,
];

fn ann() -> Handshake<'static> {
    Handshake::new("den", ANN)
}

fn of(user: &'static str) -> Handshake<'static> {
    Handshake::new("den", user)
}

fn source(number: u128) -> Source {
    Source::from_bits(number)
}

/// A user has so many connections, and the next one replaces the oldest.
fn replacing(most: u32) -> Config {
    Config {
        max_connections_per_user: Some(most),
        user_overflow: UserOverflow::ReplaceOldest,
        ..Config::default()
    }
}

/// Why somebody is not admitted.
fn refused(desk: &mut Desk, handshake: Handshake<'_>) -> Option<RefusalRule> {
    desk.admit(handshake).err().map(|refusal| refusal.rule())
}

fn unreserved(desk: &mut Desk, handshake: Handshake<'_>) -> Option<RefusalRule> {
    desk.reserve(handshake).err().map(|refusal| refusal.rule())
}

fn total(desk: &Desk) -> u32 {
    assert_eq!(check_invariants(&desk.manager), Ok(()));
    desk.manager.stats().total_connections
}

/// Ticks at each deadline up to an instant.
fn run_until(desk: &mut Desk, end: Time) {
    while let Some(deadline) = desk.manager.next_deadline().filter(|&deadline| deadline <= end) {
        desk.now = deadline;
        desk.tick();
    }
    desk.now = end;
}

// What holds whatever happens.

#[derive(Clone, Debug)]
enum Act {
    Reserve(Handshake<'static>),
    Connect(Handshake<'static>),
    Use(Index),
    Release(Index),
    Close(Index),
    Kick(Index),
    Join(Index, &'static str),
    Leave(Index),
    Lock(&'static str),
    SetLimit(Limit, Option<u32>),
    Wait(u64),
}

fn handshake() -> impl Strategy<Value = Handshake<'static>> {
    let from = prop::option::of((1_u128..3).prop_map(source));
    (select(vec!["den", "hall"]), select(vec!["ann", "bob", "cat"]), from).prop_map(|(lobby, user, from)| {
        let mut handshake = Handshake::new(lobby, user);
        handshake.source = from;
        handshake
    })
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let which = any::<Index>;
    let lobby = || select(vec!["den", "hall"]);
    let limit = (select(OF_SEATS.to_vec()), prop::option::of(1_u32..4));
    let act = prop_oneof![
        8 => handshake().prop_map(Act::Reserve),
        5 => handshake().prop_map(Act::Connect),
        3 => which().prop_map(Act::Use),
        1 => which().prop_map(Act::Release),
        1 => which().prop_map(Act::Close),
        2 => which().prop_map(Act::Kick),
        2 => (which(), lobby()).prop_map(|(conn, lobby)| Act::Join(conn, lobby)),
        2 => which().prop_map(Act::Leave),
        1 => lobby().prop_map(Act::Lock),
        2 => limit.prop_map(|(limit, max)| Act::SetLimit(limit, max)),
        1 => (0_u64..8).prop_map(Act::Wait),
    ];
    vec(act, 1..60)
}

fn settings() -> impl Strategy<Value = Config> {
    let limit = || prop_oneof![1 => Just(None), 3 => (1_u32..4).prop_map(Some)];
    (limit(), limit(), limit(), limit(), any::<bool>()).prop_map(|(server, lobby, user, from, replaces)| Config {
        max_connections: server.map(|max| max * 2),
        max_connections_per_lobby: lobby,
        max_connections_per_user: user,
        max_connections_per_source: from,
        max_lobbies_per_connection: None,
        user_overflow: if replaces {
            UserOverflow::ReplaceOldest
        } else {
            UserOverflow::Reject
        },
        ..Config::default()
    })
}

/// A desk, and the books that somebody keeps who sits at it.
struct Books {
    desk: Desk,
    held: Vec<(ReservationId, Handshake<'static>)>,
    open: Vec<ConnId>,
}

impl Books {
    fn act(&mut self, act: Act) {
        let Self { desk, held, open } = self;
        match act {
            Act::Reserve(handshake) => {
                if let Ok(id) = desk.reserve(handshake.clone()) {
                    held.push((id, handshake));
                }
            }
            Act::Connect(handshake) => open.extend(desk.admit(handshake)),
            Act::Use(which) if !held.is_empty() => {
                let (id, handshake) = held.remove(which.index(held.len()));
                open.push(desk.admit(handshake.reservation(id)).unwrap());
            }
            Act::Release(which) if !held.is_empty() => {
                let (id, _) = held.remove(which.index(held.len()));
                assert!(desk.release(id));
            }
            Act::Close(which) if !open.is_empty() => _ = desk.closed(open[which.index(open.len())]),
            Act::Kick(which) if !open.is_empty() => _ = desk.kick(open[which.index(open.len())]),
            Act::Join(which, lobby) if !open.is_empty() => {
                let conn = open[which.index(open.len())];
                _ = desk.call(|manager, now, out| manager.join(now, conn, lobby, out));
            }
            Act::Leave(which) if !open.is_empty() => {
                let conn = open[which.index(open.len())];
                desk.call(|manager, now, out| manager.leave(now, conn, conn, out));
            }
            Act::Lock(lobby) => _ = desk.lock(lobby),
            Act::SetLimit(limit, max) => desk.set_limit(limit, max),
            Act::Wait(time) => {
                desk.wait(secs(time));
                desk.tick();
            }
            _ => {}
        }
        for notice in desk.out.notices() {
            if let Notice::ReservationLapsed { reservation, .. } = notice {
                held.retain(|&(id, _)| id != reservation);
            }
        }
        desk.out.clear();
        open.retain(|&conn| desk.manager.is_open(conn));
    }
}

proptest! {
    #![proptest_config(cases(300, "proptest-regressions/reservations.txt"))]

    #[test]
    fn whoever_holds_a_reservation_gets_in_whatever_happened_and_in_whichever_order(
        config in settings(), acts in acts(), backwards in any::<bool>(),
    ) {
        let mut books = Books { desk: Desk::with(config), held: Vec::new(), open: Vec::new() };
        for act in acts {
            books.act(act);
            let mut desk = books.desk.clone();
            prop_assert_eq!(desk.manager.stats().reserved_seats as usize, books.held.len());
            let mut held = books.held.clone();
            if backwards {
                held.reverse();
            }
            for (id, handshake) in held {
                prop_assert!(desk.manager.is_reserved(id));
                let conn = desk.admit(handshake.clone().reservation(id));
                prop_assert!(conn.is_ok(), "{:?}", conn);
                prop_assert_eq!(check_invariants(&desk.manager), Ok(()));
                prop_assert_eq!(refused(&mut desk, handshake.reservation(id)), Some(ReservationVoid));
            }
            prop_assert_eq!(desk.manager.stats().reserved_seats, 0);
        }
    }

    /// A newcomer meets the same resistance whether they come or reserve, and so does the next one after them.
    #[test]
    fn a_seat_is_refused_as_the_connection_would_be_and_counts_as_it_would(
        config in settings(), acts in acts(), newcomer in handshake(), next in handshake(),
    ) {
        let mut books = Books { desk: Desk::with(config), held: Vec::new(), open: Vec::new() };
        for act in acts {
            books.act(act);
            let (mut one, mut other) = (books.desk.clone(), books.desk.clone());
            let (connected, reserved) = (one.admit(newcomer.clone()), other.reserve(newcomer.clone()));
            prop_assert_eq!(connected.clone().err(), reserved.err());
            prop_assert!(connected.is_ok() || one.manager.stats() == other.manager.stats());
            let replaced = one.out.commands().any(|command| matches!(command, Command::Close { .. }));
            if connected.is_ok() && !replaced {
                let (stats, others) = (one.manager.stats(), other.manager.stats());
                prop_assert_eq!(stats.total_connections, others.total_connections);
                // A seat opens no lobby, seats nobody behind a lock, and is not to be replaced.
                let (refusal, others) = (one.admit(next.clone()).err(), other.admit(next.clone()).err());
                if !(books.desk.manager.is_locked(&*next.lobby) || next.user == newcomer.user) {
                    prop_assert_eq!(refusal, others);
                }
            }
        }
    }
}

// What a seat is good for.

#[test]
fn a_reservation_is_good_for_one_connection_and_no_other_one_is_good_at_all() {
    let mut desk = Desk::open();
    let held = desk.reserve(ann().source(source(7))).unwrap();
    assert_eq!(held.to_string(), "r0v1");
    let id = |text: &str| text.parse::<ReservationId>().unwrap();
    let home = ann().source(source(7));
    let stale = desk.reserve(of("bob")).unwrap();
    assert!(desk.release(stale));
    for void in [
        home.clone().reservation(id("r0v2")),
        home.clone().reservation(id("r9v1")),
        home.clone().reservation(stale),
        of("bob").reservation(stale),
        of("bob").source(source(7)).reservation(held),
        Handshake::new("hall", ANN).source(source(7)).reservation(held),
        ann().source(source(8)).reservation(held),
        ann().reservation(held),
    ] {
        assert_eq!(refused(&mut desk, void.clone()), Some(ReservationVoid), "{void:?}");
    }
    assert!(desk.manager.is_reserved(held), "the seat is not lost by that");
    assert_eq!(total(&desk), 1);
    let conn = desk.admit(home.clone().reservation(held)).unwrap();
    assert_eq!(desk.said(), ["opened den", "joined den ann 1"]);
    assert_eq!(
        refused(&mut desk, home.clone().reservation(held)),
        Some(ReservationVoid)
    );
    assert!(desk.closed(conn));
    assert_eq!(refused(&mut desk, home.reservation(held)), Some(ReservationVoid));
    let stats = desk.manager.stats();
    assert_eq!((stats.admissions, stats.refusals.reservation_void), (1, 10));
    assert_eq!(total(&desk), 0);
}

#[test]
fn the_refusal_says_that_no_seat_is_held_and_that_one_may_come_without() {
    let mut desk = Desk::open();
    desk.wait(secs(3));
    let void = ann().reservation("r0v1".parse().unwrap());
    let refusal = desk.admit(void).unwrap_err();
    let receipt = refusal.receipt();
    assert_eq!(
        (receipt.seen, receipt.threshold, receipt.at),
        (0, 1, Time::from_secs(3))
    );
    assert_eq!(refusal.retry(), Retry::Now);
    assert_eq!(refusal.close_frame(), frame(4009, "reservation_void;retry=0"));
    assert_eq!(refusal.to_string(), "refused: reservation void (4009 reservation_void)");
    assert_eq!(total(&desk), 0);
}

#[test]
fn whoever_reserves_with_a_good_reservation_keeps_it() {
    let mut desk = Desk::with(Config {
        max_connections: Some(1),
        ..Config::default()
    });
    let held = desk.reserve(ann()).unwrap();
    desk.wait(secs(9));
    assert_eq!(desk.reserve(ann().reservation(held)), Ok(held));
    assert_eq!(
        unreserved(&mut desk, of("bob").reservation(held)),
        Some(ReservationVoid)
    );
    assert_eq!(desk.manager.stats().reservations.made, 1);
    desk.wait(secs(1));
    desk.tick();
    assert!(!desk.manager.is_reserved(held), "that does not make it last longer");
}

#[test]
fn names_and_proofs_are_looked_at_when_the_seat_is_taken_as_well() {
    let mut desk = Desk::open();
    desk.wait(secs(5));
    let now = desk.now;
    assert_eq!(unreserved(&mut desk, ann().expires(now)), Some(Expired));
    assert_eq!(unreserved(&mut desk, of("")), Some(RefusalRule::InvalidName));
    // What is known of the proof before it was seen is not what counts.
    let held = desk.reserve(ann().expires(now + secs(1))).unwrap();
    assert_eq!(refused(&mut desk, ann().expires(now).reservation(held)), Some(Expired));
    let conn = desk.admit(ann().expires(now + secs(60)).reservation(held)).unwrap();
    assert_eq!(desk.manager.expires(conn), Some(now + secs(60)));
}

// What it counts for.

#[test]
fn a_seat_counts_for_the_server_the_lobby_the_user_and_the_source() {
    let config = |field: fn(&mut Config) -> &mut Option<u32>| {
        let mut config = Config::default();
        *field(&mut config) = Some(1);
        config
    };
    let home = ann().source(source(7));
    for (config, next, rule) in [
        (
            config(|config| &mut config.max_connections),
            Handshake::new("hall", "bob"),
            ServerFull,
        ),
        (
            config(|config| &mut config.max_connections_per_lobby),
            of("bob"),
            LobbyFull,
        ),
        (
            config(|config| &mut config.max_connections_per_user),
            Handshake::new("hall", ANN),
            UserLimit,
        ),
        (
            config(|config| &mut config.max_connections_per_source),
            Handshake::new("hall", "bob").source(source(7)),
            SourceLimit,
        ),
    ] {
        let mut desk = Desk::with(config);
        let held = desk.reserve(home.clone()).unwrap();
        assert_eq!(desk.said(), [""; 0]);
        let refusal = desk.admit(next.clone()).unwrap_err();
        assert_eq!(refusal.rule(), rule);
        assert_eq!((refusal.receipt().seen, refusal.receipt().threshold), (1, 1));
        assert_eq!(unreserved(&mut desk, next.clone()), Some(rule));
        if rule != SourceLimit {
            let hint = desk.manager.can_accept(&next.lobby, &next.user);
            assert_eq!(hint.unwrap_err().rule(), rule);
        }
        assert!(desk.release(held));
        assert_eq!(refused(&mut desk, next), None);
        assert_eq!(check_invariants(&desk.manager), Ok(()));
    }
}

#[test]
fn a_seat_is_seen_in_the_numbers_and_nowhere_else() {
    let mut desk = Desk::with(Config {
        max_connections: Some(4),
        ..Config::default()
    });
    desk.connect("hall", "bob");
    let held = desk.reserve(ann().source(source(7))).unwrap();
    let stats = desk.manager.stats();
    assert_eq!((stats.total_connections, stats.reserved_seats), (2, 1));
    assert_eq!(stats.capacity_percent.unwrap().tenths(), 500);
    assert_eq!((stats.open_connections, stats.users, stats.active_lobbies), (1, 1, 1));
    assert_eq!((stats.admissions, stats.reservations.made), (1, 1));
    assert_eq!(desk.manager.source_connections(source(7)), 1);
    assert!(!desk.manager.is_user_connected(ANN));
    assert_eq!(desk.manager.user_connections(ANN).count(), 0);
    desk.admit(ann().source(source(7)).reservation(held)).unwrap();
    let stats = desk.manager.stats();
    assert_eq!(
        (stats.total_connections, stats.reserved_seats, stats.admissions),
        (2, 0, 2)
    );
    assert_eq!((stats.reservations.used, stats.reservations.released), (1, 0));
    assert_eq!(desk.manager.source_connections(source(7)), 1);
}

#[test]
fn in_an_empty_lobby_a_seat_is_held_and_the_lobby_opens_with_its_first_member() {
    let mut desk = Desk::with(Config {
        max_connections_per_lobby: Some(1),
        ..Config::default()
    });
    let held = desk.reserve(ann()).unwrap();
    assert_eq!(desk.said(), [""; 0]);
    assert_eq!(desk.manager.lobby_id("den"), None);
    assert_eq!(desk.manager.stats().active_lobbies, 0);
    assert!(desk.manager.lobby_users("den").is_none());
    assert!(!desk.lock("den"), "there is nothing to be locked yet");
    assert_eq!(refused(&mut desk, of("bob")), Some(LobbyFull));
    desk.admit(ann().reservation(held)).unwrap();
    assert_eq!(desk.said(), ["opened den", "joined den ann 1"]);
    assert_eq!(desk.manager.lobby_id("den").unwrap().to_string(), "l0v1");
}

#[test]
fn a_lobby_closes_with_its_last_member_and_its_seats_stay_held() {
    let mut desk = Desk::with(Config {
        max_connections_per_lobby: Some(2),
        ..Config::default()
    });
    let bob = desk.connect("den", "bob");
    let held = desk.reserve(ann()).unwrap();
    assert_eq!(refused(&mut desk, of("cat")), Some(LobbyFull));
    desk.closed(bob);
    assert_eq!(desk.said().last().unwrap(), "ended c0v1 bob: closed by the peer");
    desk.connect("den", "cat");
    assert_eq!(refused(&mut desk, of("dan")), Some(LobbyFull));
    assert!(desk.admit(ann().reservation(held)).is_ok());
    assert_eq!(desk.members("den").len(), 2);
}

#[test]
fn whoever_is_inside_cannot_take_a_seat_in_another_lobby_that_is_held() {
    let mut desk = Desk::with(Config {
        max_connections_per_lobby: Some(1),
        max_lobbies_per_connection: None,
        ..Config::default()
    });
    let bob = desk.connect("hall", "bob");
    let held = desk.reserve(ann()).unwrap();
    assert!(
        desk.call(|manager, now, out| manager.join(now, bob, "den", out))
            .is_err()
    );
    let switched = desk.call(|manager, now, out| manager.switch_lobby(now, bob, "hall", "den", out));
    assert!(switched.is_err());
    assert!(desk.release(held));
    assert!(
        desk.call(|manager, now, out| manager.join(now, bob, "den", out))
            .is_ok()
    );
}

#[test]
fn the_connect_rate_is_paid_when_a_seat_is_reserved_and_not_when_it_is_taken() {
    let mut desk = Desk::with(Config {
        connect_rate: Some(Rate {
            events: 1,
            per: secs(5),
            burst: 2,
        }),
        ..Config::default()
    });
    let held = [ann(), of("bob")].map(|one| desk.reserve(one).unwrap());
    assert_eq!(unreserved(&mut desk, of("cat")), Some(RefusalRule::ConnectRate));
    assert_eq!(refused(&mut desk, of("cat")), Some(RefusalRule::ConnectRate));
    for (handshake, held) in [ann(), of("bob")].into_iter().zip(held) {
        assert_eq!(refused(&mut desk, handshake.reservation(held)), None);
    }
    desk.wait(secs(5));
    assert_eq!(refused(&mut desk, of("cat")), None, "nothing more was paid since");
    assert_eq!(refused(&mut desk, of("dan")), Some(RefusalRule::ConnectRate));
}

// What happens to it.

#[test]
fn locks_and_lowered_limits_are_for_those_who_come_later() {
    let mut desk = Desk::open();
    desk.connect("den", "bob");
    let held = desk.reserve(ann()).unwrap();
    desk.lock("den");
    for limit in OF_SEATS {
        desk.set_limit(limit, 0);
    }
    assert_eq!(refused(&mut desk, ann()), Some(ServerFull));
    assert!(desk.manager.stats().capacity_percent.unwrap().tenths() >= 1_000);
    let conn = desk.admit(ann().reservation(held)).unwrap();
    assert_eq!(desk.members("den").last(), Some(&conn));
    assert_eq!(refused(&mut desk, ann()), Some(ServerFull));
    assert_eq!(total(&desk), 2);

    let mut desk = Desk::open();
    desk.connect("den", "bob");
    desk.lock("den");
    assert_eq!(
        unreserved(&mut desk, ann()),
        Some(LobbyLocked),
        "a lock that was there is one"
    );
}

#[test]
fn a_drain_voids_all_seats_at_once_and_nobody_comes_in_with_one() {
    let mut desk = Desk::open();
    let conn = desk.connect("hall", ANN);
    let [anns, bobs] = [ann(), of("bob")].map(|one| desk.reserve(one).unwrap());
    desk.call(|manager, now, out| manager.drain(now, secs(1), Time::MAX, out));
    assert_eq!(
        desk.said(),
        [
            format!("{anns} of \"ann\" in \"den\" lapsed: the server is draining"),
            format!("{bobs} of \"bob\" in \"den\" lapsed: the server is draining"),
        ]
    );
    assert_eq!(desk.manager.stats().reserved_seats, 0);
    assert_eq!(refused(&mut desk, ann().reservation(anns)), Some(Draining));
    assert_eq!(desk.reserve(of("cat")).unwrap_err().rule(), Draining);

    // Their seats are not waited for.
    desk.closed(conn);
    assert_eq!(
        desk.said().last().map(String::as_str),
        Some("drained within 0ns: nobody is left")
    );
}

#[test]
fn a_kick_of_the_user_voids_their_seats_at_once_and_no_others() {
    let mut desk = Desk::open();
    let conn = desk.connect("hall", ANN);
    let [first, bobs, second] = [ann(), of("bob"), Handshake::new("hall", ANN)].map(|one| desk.reserve(one).unwrap());
    let kicked = desk.call(|manager, now, out| manager.kick_user(now, ANN, &frame(4000, "bye"), out));
    assert_eq!(kicked, 1, "seats are no connections");
    assert_eq!(
        desk.said(),
        [
            &format!("{first} of \"ann\" in \"den\" lapsed: its user was kicked"),
            &format!("{second} of \"ann\" in \"hall\" lapsed: its user was kicked"),
            &format!("close {conn} 4000 bye"),
            "left hall ann 2",
            "closed hall",
        ]
    );
    assert_eq!(refused(&mut desk, ann().reservation(first)), Some(ReservationVoid));
    assert!(desk.manager.is_reserved(bobs));
    assert_eq!(desk.manager.stats().reservations.lapsed, 2);

    let held = desk.reserve(of("cat")).unwrap();
    desk.out.clear();
    desk.call(|manager, now, out| manager.kick_user(now, "cat", &frame(4000, "bye"), out));
    assert!(matches!(
        desk.out.notices().next(),
        Some(Notice::ReservationLapsed { reservation, user: "cat", lobby_name: "den", why: Lapse::Kicked })
            if reservation == held
    ));
}

#[test]
fn kicks_of_a_connection_of_a_lobby_or_of_all_leave_the_seats() {
    let mut desk = Desk::open();
    let conn = desk.connect("den", ANN);
    let held = desk.reserve(ann()).unwrap();
    desk.kick(conn);
    desk.connect("den", "bob");
    desk.call(|manager, now, out| manager.kick_lobby(now, "den", &frame(4000, "bye"), out));
    desk.call(|manager, now, out| manager.close_all(now, &frame(4000, "bye"), out));
    assert!(desk.admit(ann().reservation(held)).is_ok());
}

#[test]
fn a_seat_is_given_up_at_its_deadline_with_a_notice_and_not_before() {
    let mut desk = Desk::with(Config {
        ping_interval: None,
        reservation_ttl: secs(10),
        ..Config::default()
    });
    desk.wait(secs(1));
    let [first, second] = [ann(), of("bob")].map(|one| {
        let held = desk.reserve(one).unwrap();
        desk.wait(secs(2));
        held
    });
    assert_eq!(desk.manager.next_deadline(), Some(Time::from_secs(11)));
    desk.now = Time::from_nanos(10_999_999_999);
    desk.tick();
    assert_eq!(desk.said(), [""; 0]);
    desk.now = Time::from_secs(11);
    desk.tick();
    assert_eq!(desk.said(), [format!("{first} of \"ann\" in \"den\" lapsed: expired")]);
    assert_eq!(desk.manager.next_deadline(), Some(Time::from_secs(13)));
    assert_eq!(total(&desk), 1);
    // As long as no tick gives it up, it is held.
    desk.now = Time::from_nanos(13_000_000_001);
    assert!(desk.admit(of("bob").reservation(second)).is_ok());
    assert_eq!(desk.manager.next_deadline(), None);
    let stats = desk.manager.stats().reservations;
    assert_eq!((stats.made, stats.used, stats.lapsed), (2, 1, 1));
}

#[test]
fn seats_that_are_due_at_one_instant_are_given_up_by_index() {
    let mut desk = Desk::open();
    let [first, second, third] = ["ann", "bob", "cat"].map(|user| desk.reserve(of(user)).unwrap());
    assert!(desk.release(second));
    let again = desk.reserve(of("dan")).unwrap();
    assert_eq!(again.to_string(), "r1v2");
    run_until(&mut desk, Time::from_secs(10));
    let lapsed = desk.said();
    let lapsed: Vec<_> = lapsed.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(lapsed, [first, again, third].map(|id| id.to_string()));
}

#[test]
fn a_pause_of_the_server_takes_no_time_from_a_seat() {
    let mut desk = Desk::open();
    let held = desk.reserve(ann()).unwrap();
    desk.wait(secs(4));
    desk.tick();
    desk.wait(secs(3_600));
    desk.tick();
    assert_eq!(desk.said(), ["the server stood still for 3594s"]);
    assert!(desk.manager.is_reserved(held));
    desk.tick();
    assert_eq!(desk.said(), [""; 0]);
    assert_eq!(check_invariants(&desk.manager), Ok(()));
    // Nobody knows how much of it the server slept through: it begins anew, once for each pause.
    assert_eq!(desk.manager.next_deadline(), Some(desk.now + secs(10)));
    desk.wait(secs(10));
    desk.tick();
    assert_eq!(desk.said(), [format!("{held} of \"ann\" in \"den\" lapsed: expired")]);
}

#[test]
fn other_pauses_than_its_own_take_no_time_from_a_seat_either() {
    let mut desk = Desk::open();
    desk.connect("den", "bob");
    let due = desk.manager.next_deadline().unwrap();
    desk.now = Time::from_nanos(due.as_nanos() - 1);
    let held = desk.reserve(ann()).unwrap();
    // Bob's ping was overslept by an hour.
    desk.now = due + secs(3_600);
    desk.tick();
    assert!(desk.said()[0].contains("stood still"));
    run_until(&mut desk, due + secs(3_610));
    assert!(desk.manager.is_reserved(held), "its time is up, and began anew");
    run_until(&mut desk, due + secs(3_620));
    assert!(!desk.manager.is_reserved(held));
}

#[test]
fn a_seat_that_is_released_is_free_at_once_without_a_word() {
    let mut desk = Desk::with(Config {
        max_connections: Some(1),
        ..Config::default()
    });
    let held = desk.reserve(ann()).unwrap();
    assert!(desk.release(held));
    assert!(!desk.release(held));
    assert!(!desk.release("r4v2".parse().unwrap()));
    assert_eq!(desk.said(), [""; 0]);
    assert_eq!(desk.manager.next_deadline(), None);
    assert_eq!(refused(&mut desk, of("bob")), None);
    let stats = desk.manager.stats().reservations;
    assert_eq!((stats.made, stats.released, stats.lapsed), (1, 1, 0));
}

#[test]
fn at_the_end_of_time_a_seat_is_held_for_ever() {
    let mut desk = Desk::with(Config {
        ping_interval: None,
        ..Config::default()
    });
    desk.now = Time::MAX;
    let held = desk.reserve(ann()).unwrap();
    desk.tick();
    assert!(desk.manager.is_reserved(held));
    assert_eq!((desk.manager.next_deadline(), total(&desk)), (None, 1));
}

// Whom its holder replaces.

#[test]
fn who_is_replaced_stays_until_the_reservation_is_used() {
    let mut desk = Desk::with(replacing(1));
    let old = desk.connect("den", ANN);
    let held = desk.reserve(ann()).unwrap();
    assert_eq!(desk.said(), [""; 0]);
    assert!(desk.manager.is_open(old));
    let new = desk.admit(ann().reservation(held)).unwrap();
    assert_eq!(desk.said(), [format!("close {old} 4005 replaced")]);
    assert_eq!(desk.members("den"), [new]);
    assert_eq!(total(&desk), 1);
}

#[test]
fn whoever_is_not_let_in_replaces_nobody() {
    let mut desk = Desk::with(replacing(1));
    let old = desk.connect("den", ANN);
    let held = desk.reserve(ann()).unwrap();
    assert!(desk.release(held));
    let held = desk.reserve(ann()).unwrap();
    run_until(&mut desk, Time::from_secs(10));
    assert!(!desk.manager.is_reserved(held) && desk.manager.is_open(old));
    let new = desk.admit(ann()).unwrap();
    assert!(!desk.manager.is_open(old) && desk.manager.is_open(new));
}

/// A full house: each seat is a ghost's, and the newcomers share them.
#[test]
fn a_seat_is_that_of_the_ghost_that_it_replaces() {
    let mut desk = Desk::with(Config {
        max_connections: Some(2),
        max_connections_per_lobby: Some(2),
        max_connections_per_source: Some(2),
        ..replacing(1)
    });
    let home = |user| of(user).source(source(7));
    let ghosts = ["ann", "bob"].map(|user| desk.admit(home(user)).unwrap());
    let held = ["ann", "bob"].map(|user| desk.reserve(home(user)).unwrap());
    assert_eq!(total(&desk), 2);
    assert_eq!(desk.manager.stats().reserved_seats, 2);
    assert_eq!(desk.manager.source_connections(source(7)), 2);
    assert_eq!(refused(&mut desk, of("cat")), Some(ServerFull));
    for (user, held) in ["bob", "ann"].into_iter().zip([held[1], held[0]]) {
        assert!(desk.admit(home(user).reservation(held)).is_ok());
        assert_eq!(total(&desk), 2);
    }
    assert!(!ghosts.iter().any(|&ghost| desk.manager.is_open(ghost)));
}

#[test]
fn a_ghost_elsewhere_leaves_no_seat_here() {
    let mut desk = Desk::with(Config {
        max_connections_per_lobby: Some(1),
        max_connections_per_source: Some(1),
        ..replacing(1)
    });
    desk.admit(Handshake::new("hall", ANN).source(source(1))).unwrap();
    desk.admit(of("bob").source(source(2))).unwrap();
    assert_eq!(unreserved(&mut desk, ann()), Some(LobbyFull));
    let here = Handshake::new("pit", ANN);
    assert_eq!(unreserved(&mut desk, here.clone().source(source(2))), Some(SourceLimit));
    let held = desk.reserve(here.source(source(1))).unwrap();
    assert_eq!(refused(&mut desk, Handshake::new("pit", "cat")), Some(LobbyFull));
    assert_eq!(
        refused(&mut desk, Handshake::new("hall", "cat")),
        Some(LobbyFull),
        "she is still there"
    );
    assert!(desk.release(held));
    assert_eq!(refused(&mut desk, Handshake::new("pit", "cat")), None);
}

#[test]
fn a_ghost_that_goes_leaves_its_seat_to_the_one_who_was_to_replace_it() {
    let full = || {
        let mut desk = Desk::with(Config {
            max_connections: Some(1),
            max_connections_per_lobby: Some(1),
            ..replacing(1)
        });
        let ghost = desk.connect("den", ANN);
        let held = desk.reserve(ann()).unwrap();
        (desk, ghost, held)
    };
    let takes_over = |mut desk: Desk, held| {
        assert_eq!(total(&desk), 1);
        assert_eq!(refused(&mut desk, of("bob")), Some(ServerFull));
        desk.out.clear();
        let new = desk.admit(ann().reservation(held)).unwrap();
        let closes = desk.out.commands().count();
        assert_eq!((closes, desk.members("den"), total(&desk)), (0, vec![new], 1));
    };
    // Reported closed, kicked, expired, evicted: whatever it is.
    let (mut desk, ghost, held) = full();
    desk.closed(ghost);
    takes_over(desk, held);
    let (mut desk, ghost, held) = full();
    desk.kick(ghost);
    takes_over(desk, held);
    let (mut desk, ghost, held) = full();
    let now = desk.now;
    desk.call(|manager, _, out| manager.extend(now, ghost, Some(now), out));
    desk.tick();
    takes_over(desk, held);
    let (mut desk, ghost, held) = full();
    desk.call(|manager, now, out| manager.leave(now, ghost, "den", out));
    assert_eq!(refused(&mut desk, of("bob")), Some(ServerFull));
    desk.set_limit(Limit::Connections, None);
    assert_eq!(refused(&mut desk, of("bob")), Some(LobbyFull), "its seat there is hers");
    assert!(desk.admit(ann().reservation(held)).is_ok());
    assert!(!desk.manager.is_open(ghost));
    assert_eq!(total(&desk), 1);
}

#[test]
fn one_that_is_told_to_close_instead_of_being_replaced_lingers_like_a_replaced_one() {
    let mut desk = Desk::with(Config {
        max_connections: Some(1),
        ..replacing(1)
    });
    let mut last = desk.connect("den", ANN);
    for round in 0..3 {
        let held = desk.reserve(ann()).unwrap();
        desk.kick(last);
        let evicted = desk
            .out
            .commands()
            .filter(|command| matches!(command, Command::Evict { .. }));
        assert_eq!(
            evicted.count(),
            usize::from(round > 0),
            "one may linger, an older one may not"
        );
        last = desk.admit(ann().reservation(held)).unwrap();
        desk.out.clear();
        let stats = desk.manager.stats();
        assert_eq!(
            (total(&desk), stats.open_connections, stats.closing_connections),
            (1, 1, 1)
        );
    }
}

#[test]
fn each_of_several_newcomers_replaces_another_one_and_no_more_come_than_may_be() {
    let mut desk = Desk::with(replacing(2));
    let [first, second] = ["den"; 2].map(|lobby| desk.connect(lobby, ANN));
    let held = [ann(), ann()].map(|one| desk.reserve(one).unwrap());
    // Both are spoken for. Nobody is left to be replaced.
    assert_eq!(refused(&mut desk, ann()), Some(UserLimit));
    assert_eq!(unreserved(&mut desk, ann()), Some(UserLimit));
    desk.out.clear();
    desk.admit(ann().reservation(held[1])).unwrap();
    assert_eq!(desk.said(), [format!("close {second} 4005 replaced")]);
    desk.admit(ann().reservation(held[0])).unwrap();
    assert!(desk.said().contains(&format!("close {first} 4005 replaced")));
    assert_eq!(desk.manager.user_connections(ANN).count(), 2);
    // One who comes without a reservation passes over the one that is spoken for.
    let [third, fourth] = desk.manager.user_connections(ANN).collect::<Vec<_>>()[..] else {
        panic!()
    };
    let held = desk.reserve(ann()).unwrap();
    desk.admit(ann()).unwrap();
    assert!(desk.manager.is_open(third) && !desk.manager.is_open(fourth));
    desk.admit(ann().reservation(held)).unwrap();
    assert!(!desk.manager.is_open(third));
    assert_eq!(total(&desk), 2);
}

#[test]
fn whom_it_replaces_was_settled_when_it_was_made() {
    for raised in [Some(5), None] {
        let mut desk = Desk::with(replacing(1));
        let old = desk.connect("den", ANN);
        let held = desk.reserve(ann()).unwrap();
        desk.set_limit(Limit::ConnectionsPerUser, raised);
        desk.admit(ann().reservation(held)).unwrap();
        let receipts = desk.out.commands().filter_map(|command| match command {
            Command::Close {
                conn, cause, receipt, ..
            } if conn == old => Some((cause, receipt.seen, receipt.threshold)),
            _ => None,
        });
        let receipts: Vec<_> = receipts.collect();
        assert_eq!(receipts, [(Closing::Replaced, 1, u64::from(raised.unwrap_or(1)))]);
    }
}

#[test]
fn who_does_not_reserve_pays_nothing_for_those_who_do() {
    let mut manager = Manager::new(Config::default()).unwrap();
    let mut out = Outbox::new();
    for number in 0..100 {
        let user = format!("user {number}");
        manager
            .connected(Time::ZERO, Handshake::new("den", user), &mut out)
            .unwrap();
    }
    let saved = serde_json::to_value(manager.snapshot()).unwrap();
    assert_eq!(saved["reservations"], serde_json::json!([]));
    let held = manager.reserve(Time::ZERO, ann(), &mut out).unwrap();
    assert!(manager.release(Time::ZERO, held, &mut out));
    let after = serde_json::to_value(manager.snapshot()).unwrap();
    assert_eq!(saved["users"], after["users"]);
    assert_eq!(after["free_reservations"], serde_json::json!(["r0v2"]));
}
