//! For each invariant a corruption, and that it is seen.

use core::time::Duration;
use std::vec;
use std::vec::Vec;

use super::super::conn::{Lobby, Membership, User};
use super::*;
use crate::clock::{Active, Moment};
use crate::config::{Config, UserOverflow};
use crate::event::{Cause, Except, Handshake};
use crate::gcra::Rate;
use crate::limit::{Peaks, RateLimit};
use crate::list::List;
use crate::outbox::{Command, Outbox};
use crate::payload::{Frame, Payload};
use crate::refusal::CloseFrame;
use crate::seats::Claim;
use crate::source::Source;
use crate::time::Time;
use crate::{LobbyRef, PingFormat};

const ANN: u32 = 0;
const DEN: u32 = 0;
/// Of a user with three connections open, in two lobbies.
const FIRST: u32 = 0;
const RATE: Rate = Rate {
    events: 1,
    per: Duration::from_secs(1),
    burst: 20,
};
/// Seats that are reserved: for Ann, in the place of her first connection, and for Eve, where nobody is.
const ANNS: u32 = 0;
const EVES: u32 = 1;
const REPLACED: Phase = Phase::Closing { replaced: true };

/// All come from one source, but for Bob, and two of them stay for a limited time.
fn handshake(user: &str) -> Handshake<'_> {
    let handshake = Handshake::new("den", user);
    match user {
        "ann" => handshake.source(Source::from_bits(1)).expires(Time::from_secs(1 << 20)),
        "bob" => handshake,
        _ => handshake.source(Source::from_bits(1)),
    }
}

/// A manager in which there is something of everything: connections open, closing, replaced, silent and measured,
/// in one lobby and in two, a roster with a hole, and a pause.
fn manager() -> Manager {
    let config = Config {
        max_connections: Some(9),
        max_connections_per_lobby: Some(8),
        max_connections_per_user: Some(3),
        max_lobbies_per_connection: Some(2),
        user_overflow: UserOverflow::ReplaceOldest,
        ping_format: PingFormat::WebSocket,
        max_missed: 3,
        stale_wave_floor: Some(0),
        close_timeout: Duration::from_secs(1_000),
        pause_tolerance: Some(Duration::from_secs(100)),
        max_backlog_messages: Some(90),
        max_total_backlog_bytes: Some(9_000),
        message_rate: Some(RATE),
        user_message_rate: Some(RATE),
        connect_rate: Some(RATE),
        max_violations: Some(3),
        reservation_ttl: Duration::from_secs(1_000),
        ..Config::default()
    };
    let mut manager = Manager::new(config).unwrap();
    let mut out = Outbox::new();
    let mut connect = |user| manager.connected(Time::ZERO, handshake(user), &mut out).unwrap();
    let anns = ["ann"; 3].map(&mut connect);
    let bobs = ["bob"; 4].map(&mut connect);
    let (cat, _) = (connect("cat"), connect("dan"));
    manager
        .connected(Time::ZERO, Handshake::new("hall", "fay"), &mut out)
        .unwrap();
    assert_eq!(anns[0].index(), FIRST);
    for conn in [anns[0], bobs[1]] {
        manager.join(Time::ZERO, conn, "hall", &mut out).unwrap();
    }
    manager.kick(Time::ZERO, bobs[2], &CloseFrame::new(4000, "kicked").unwrap(), &mut out);
    manager.closed(Time::ZERO, cat, Cause::Peer, &mut out);
    // Everyone but Bob answers all pings, until so many have been missed that it is called a wave.
    while !manager.stale_wave {
        let due = manager.next_deadline().unwrap();
        out.clear();
        manager.tick(due, &mut out);
        for command in out.commands() {
            if let Command::Send {
                to,
                payload: Payload::Ping(stamp),
            } = command
            {
                for &conn in to.iter().filter(|&&conn| !bobs.contains(&conn)) {
                    let pong = Frame::Pong(stamp.as_bytes()[..].into());
                    manager.message(due + Duration::from_millis(5), conn, pong, &mut Outbox::new());
                }
            }
        }
    }
    let now = manager.next_deadline().unwrap();
    manager.flushed(now, anns[0], 0, 0, &mut out);
    for words in ["hello", "hello again"] {
        manager.broadcast(now, "hall", Payload::text(words), Except::Nobody, &mut out);
    }
    let late = manager.next_deadline().unwrap() + Duration::from_secs(101);
    // As often as it may be, and once more, which is a violation.
    for _ in 0..=RATE.burst {
        manager.message(late, anns[0], Frame::Text("still here".into()), &mut out);
    }
    assert_eq!(manager.rates.meter(FIRST).violations, 1);
    for handshake in [
        Handshake::new("den", "ann").source(Source::from_bits(1)),
        Handshake::new("pit", "eve"),
    ] {
        manager.reserve(late, handshake, &mut out).unwrap();
    }
    manager
}

fn conn(manager: &mut Manager, wanted: impl Fn(&Conn) -> bool) -> &mut Conn {
    let slot = manager.conns().find(|(_, conn)| wanted(conn)).unwrap().0.index();
    manager.conns.at_mut(slot)
}

fn silent(manager: &mut Manager) -> &mut Conn {
    conn(manager, |conn| conn.pulse.missed() > 0)
}

fn closing(manager: &mut Manager) -> &mut Conn {
    conn(manager, |conn| conn.phase == Phase::Closing { replaced: false })
}

/// What breaks an invariant, and none that is looked at before it.
type Corruption = (Invariant, fn(&mut Manager));

fn corruptions() -> Vec<Corruption> {
    [
        of_tables(),
        of_users(),
        of_lobbies(),
        of_health(),
        of_numbers(),
        of_doors(),
        of_backlogs(),
        of_rates(),
        of_seats(),
        of_drains(),
    ]
    .concat()
}

fn of_tables() -> Vec<Corruption> {
    vec![
        (Invariant::Settings, |manager| manager.config.max_missed = 0),
        (Invariant::Settings, |manager| manager.close_timeout += 1),
        (Invariant::SlotCount, |manager| manager.conns.spoil_count()),
        (Invariant::SlotCount, |manager| manager.users.spoil_count()),
        (Invariant::SlotCount, |manager| manager.lobbies.spoil_count()),
        (Invariant::FreeSlots, |manager| manager.conns.spoil_free_list()),
        (Invariant::FreeSlots, |manager| {
            manager.conns.spoil_free_list_into_a_ring();
        }),
        (Invariant::NameTable, |manager| manager.users.spoil_name(ANN, "eve")),
        (Invariant::NameTable, |manager| manager.lobbies.spoil_name(DEN, "inn")),
        (Invariant::NameLength, |manager| manager.config.max_name_bytes = 2),
        (Invariant::References, |manager| manager.conns.at_mut(FIRST).user = 99),
        (Invariant::References, |manager| {
            let place = manager.conns.at(FIRST).memberships.as_slice()[0];
            let elsewhere = Membership { lobby: 99, ..place };
            manager.conns.at_mut(FIRST).memberships.push(elsewhere);
        }),
        (Invariant::References, |manager| {
            let place = manager.conns.at(FIRST).memberships.as_slice()[0];
            let nobodys = Membership { presence: 99, ..place };
            manager.conns.at_mut(FIRST).memberships.push(nobodys);
        }),
        (Invariant::References, |manager| {
            manager.users.at_mut(ANN).replaced = Some(99);
        }),
        (Invariant::References, |manager| {
            _ = manager.presences.enter(DEN, 99, &mut { List::EMPTY });
        }),
        (Invariant::References, |manager| {
            _ = manager.presences.enter(99, ANN, &mut { List::EMPTY });
        }),
    ]
}

fn of_users() -> Vec<Corruption> {
    vec![
        (Invariant::UserCount, |manager| {
            manager.users.at_mut(ANN).open_count += 1;
        }),
        (Invariant::UserCount, |manager| {
            manager.users.at_mut(ANN).connections += 1;
        }),
        (Invariant::UserCount, |manager| {
            _ = manager.users.insert("eve", User::NEW);
        }),
        (Invariant::UserList, |manager| {
            let mut list = manager.users.at(ANN).open;
            list.remove(&mut manager.conns, FIRST);
            manager.users.at_mut(ANN).open = list;
        }),
        (Invariant::UserList, |manager| {
            // Each has as many as before, and one of them is in the other's list.
            let dan = manager.users.find("dan").unwrap();
            conn(manager, |conn| conn.user == dan).user = ANN;
            manager.conns.at_mut(FIRST).user = dan;
        }),
        (Invariant::Replaced, |manager| {
            manager.users.at_mut(ANN).replaced = Some(FIRST);
        }),
        (Invariant::Replaced, |manager| {
            let (kicked, conn) = manager
                .conns()
                .find(|(_, conn)| !conn.is_open() && conn.phase != REPLACED)
                .unwrap();
            let user = conn.user;
            manager.conns.at_mut(kicked.index()).phase = REPLACED;
            manager.users.at_mut(user).replaced = Some(kicked.index());
        }),
        (Invariant::Replaced, |manager| {
            closing(manager).phase = REPLACED;
        }),
        (Invariant::ClosingAlone, |manager| {
            let now = manager.clock.active();
            closing(manager).pulse.demand(now, 0, 1);
        }),
    ]
}

fn of_lobbies() -> Vec<Corruption> {
    vec![
        (Invariant::MembershipOnce, |manager| {
            let first = manager.conns.at_mut(FIRST);
            let place = first.memberships.as_slice()[0];
            first.memberships.push(place);
        }),
        (Invariant::Roster, |manager| {
            manager.lobbies.at_mut(DEN).members.spoil_holes();
        }),
        (Invariant::Roster, |manager| {
            manager.lobbies.at_mut(DEN).members.spoil_order();
        }),
        (Invariant::Roster, |manager| {
            manager.lobbies.at_mut(DEN).members.spoil_ticket();
        }),
        (Invariant::Roster, |manager| {
            manager.lobbies.at_mut(DEN).members.spoil_most();
        }),
        (Invariant::Members, |manager| {
            let other = ConnId::new(manager.conns.key_at(FIRST + 1));
            manager.lobbies.at_mut(DEN).members.spoil_member(other);
        }),
        (Invariant::Members, |manager| {
            let other = ConnId::new(manager.conns.key_at(FIRST));
            manager.lobbies.at_mut(DEN).members.push(other);
        }),
        (Invariant::LobbyOpen, |manager| {
            _ = manager.lobbies.insert("pit", Lobby::NEW);
        }),
        (Invariant::PresenceTable, |manager| manager.presences.spoil_table()),
        (Invariant::PresenceCount, |manager| manager.presences.spoil_count(0)),
        (Invariant::PresenceCount, |manager| {
            let (hall, dan) = (DEN + 1, manager.users.find("dan").unwrap());
            _ = manager.presences.enter(hall, dan, &mut { List::EMPTY });
        }),
        (Invariant::PresenceCount, |manager| {
            let (hall, dan) = (DEN + 1, manager.users.find("dan").unwrap());
            _ = manager.presences.insert(hall, dan, &mut { List::EMPTY });
        }),
        (Invariant::LobbyUsers, |manager| {
            manager.lobbies.at_mut(DEN).users = List::EMPTY;
        }),
        (Invariant::Revision, |manager| manager.lobbies.at_mut(DEN).revision = 1),
    ]
}

fn of_health() -> Vec<Corruption> {
    vec![
        (Invariant::HeapOrder, |manager| {
            manager.deadlines.spoil_order(Active::LAST);
        }),
        (Invariant::HeapPositions, |manager| manager.deadlines.spoil_position()),
        (Invariant::HeapOrder, |manager| manager.expiries.spoil_order(Time::MAX)),
        (Invariant::HeapPositions, |manager| manager.expiries.spoil_position()),
        (Invariant::CheckTime, |manager| manager.deadlines.set(FIRST, None)),
        (Invariant::CheckTime, |manager| {
            manager.deadlines.set(99, Some(manager.clock.active()));
        }),
        (Invariant::CheckTime, |manager| {
            let later = manager.clock.active().after(manager.close_timeout + 1);
            let closing = manager.conns().find(|(_, conn)| !conn.is_open()).unwrap().0;
            manager.deadlines.set(closing.index(), later);
        }),
        (Invariant::NotInTheFuture, |manager| {
            manager.conns.at_mut(FIRST).pulse.spoil_heard();
        }),
        (Invariant::TimeStamp, |manager| {
            manager.conns.at_mut(FIRST).pulse.spoil_outstanding();
        }),
        (Invariant::Silence, |manager| silent(manager).pulse.spoil_awaiting()),
        (Invariant::Silence, |manager| silent(manager).pulse.spoil_silence()),
        (Invariant::Held, |manager| silent(manager).pulse.spoil_held()),
        (Invariant::Held, |manager| {
            manager.conns.at_mut(FIRST).pulse.spoil_held();
        }),
        (Invariant::Latency, |manager| {
            conn(manager, |conn| conn.pulse.latency().is_some() && conn.is_open())
                .pulse
                .spoil_latency();
        }),
    ]
}

fn of_numbers() -> Vec<Corruption> {
    vec![
        (Invariant::Population, |manager| manager.population.open += 1),
        (Invariant::Population, |manager| manager.population.closing += 1),
        (Invariant::Population, |manager| {
            manager.population.closing_replaced += 1;
        }),
        (Invariant::UsersPresent, |manager| manager.population.users += 1),
        (Invariant::Silent, |manager| manager.population.silent += 1),
        (Invariant::ServerLimit, |manager| {
            never_above(manager, Limit::Connections, 3);
        }),
        (Invariant::LobbyLimit, |manager| {
            never_above(manager, Limit::ConnectionsPerLobby, 1);
        }),
        (Invariant::UserLimit, |manager| {
            never_above(manager, Limit::ConnectionsPerUser, 2);
        }),
        (Invariant::MembershipLimit, |manager| {
            never_above(manager, Limit::LobbiesPerConnection, 1);
        }),
        (Invariant::Admissions, |manager| manager.counters.evictions.stale += 99),
        (Invariant::Closes, |manager| manager.counters.closes = 0),
        (Invariant::Closes, |manager| manager.counters.closes += 99),
        (Invariant::Pings, |manager| {
            manager.counters.missed_pings = manager.counters.pings;
        }),
        (Invariant::Pings, |manager| manager.counters.messages_out = 0),
        (Invariant::Clock, |manager| manager.clock.spoil()),
        (Invariant::Clock, |manager| manager.counters.pauses += 1),
    ]
}

fn of_doors() -> Vec<Corruption> {
    vec![
        (Invariant::Peaks, |manager| manager.config.max_connections = None),
        (Invariant::Peaks, |manager| {
            manager.config.max_connections_per_lobby = Some(9);
        }),
        (Invariant::SourceTable, |manager| manager.sources.spoil_table()),
        (Invariant::SourceTable, |manager| manager.sources.spoil_names()),
        (Invariant::SourceCount, |manager| manager.sources.spoil_count()),
        (Invariant::SourceCount, |manager| {
            manager.sources.spoil_with_nobody(Source::from_bits(9));
        }),
        (Invariant::SourceCount, |manager| {
            manager.sources.leave(FIRST);
            manager.sources.spoil_count();
        }),
        (Invariant::SourceCount, |manager| {
            let slot = manager.conns().find(|(_, conn)| !conn.is_open()).unwrap().0.index();
            manager.sources.enter(slot, Source::from_bits(1));
        }),
        (Invariant::SourceCount, |manager| {
            manager.sources.enter(99, Source::from_bits(1));
        }),
        (Invariant::SourceLimit, |manager| {
            never_above(manager, Limit::ConnectionsPerSource, 2);
        }),
        (Invariant::Expiry, |manager| {
            let slot = manager.conns().find(|(_, conn)| !conn.is_open()).unwrap().0.index();
            manager.expiries.set(slot, Some(Time::MAX));
        }),
        (Invariant::Expiry, |manager| manager.expiries.set(99, Some(Time::MAX))),
        (Invariant::Closes, |manager| {
            manager.counters.expired = manager.counters.closes + 1;
        }),
    ]
}

fn of_seats() -> Vec<Corruption> {
    vec![
        (Invariant::Settings, |manager| manager.reservation_ttl += 1),
        (Invariant::SlotCount, |manager| manager.seats.spoil_slots()),
        (Invariant::NameTable, |manager| manager.seats.spoil_user_name(ANNS)),
        (Invariant::NameTable, |manager| manager.seats.spoil_lobby_name(EVES)),
        (Invariant::SourceTable, |manager| manager.seats.spoil_source()),
        (Invariant::HeapOrder, |manager| manager.seats.spoil_order()),
        (Invariant::References, |manager| manager.seats.spoil_user(EVES)),
        (Invariant::Seats, |manager| manager.seats.spoil_user_count(EVES)),
        (Invariant::Seats, |manager| manager.seats.spoil_lobby_count(EVES)),
        (Invariant::Seats, |manager| manager.seats.spoil_list(ANNS)),
        (Invariant::Seats, |manager| manager.seats.spoil_holder()),
        (Invariant::Seats, |manager| manager.seats.spoil_lobby()),
        (Invariant::Seats, |manager| {
            manager.seats.spoil_stray(99, Source::from_bits(1));
        }),
        (Invariant::Seats, |manager| {
            manager.seats.set_due(99, Some(manager.clock.active()));
        }),
        (Invariant::Claims, |manager| manager.seats.spoil_claims(ANNS)),
        (Invariant::Claims, |manager| manager.seats.spoil_claimed()),
        (Invariant::Claims, |manager| manager.seats.spoil_shared_source(ANNS)),
        (Invariant::Claims, |manager| {
            reclaim(manager, |_, claim| claim.in_lobby = false);
        }),
        (Invariant::Claims, |manager| {
            reclaim(manager, |_, claim| claim.from_source = false);
        }),
        (Invariant::Claims, |manager| {
            // Another user's.
            reclaim(manager, |manager, claim| {
                let dan = manager.users.find("dan").unwrap();
                claim.victim = manager.users.at(dan).open.first().unwrap();
            });
        }),
        (Invariant::Claims, |manager| {
            reclaim(manager, |manager, claim| {
                claim.victim = manager.conns().find(|(_, conn)| !conn.is_open()).unwrap().0.index();
            });
        }),
        (Invariant::SeatTime, |manager| manager.seats.set_due(EVES, None)),
        (Invariant::SeatTime, |manager| {
            let late = manager.clock.active().after(manager.reservation_ttl + 1);
            manager.seats.set_due(EVES, late);
        }),
        (Invariant::Reservations, |manager| {
            manager.counters.reservations.made += 1;
        }),
        (Invariant::Reservations, |manager| {
            let reservations = &mut manager.counters.reservations;
            reservations.used = manager.counters.admissions + 1;
            reservations.made += reservations.used;
        }),
        (Invariant::LobbyLimit, |manager| {
            // Nobody is in the pit yet.
            without_end(manager);
            let one = Handshake::new("pit", "one").source(Source::from_bits(1));
            for _ in 0..8 {
                manager.hold_seat(now(manager), &one, None);
            }
        }),
        (Invariant::UserLimit, |manager| {
            without_end(manager);
            let dan = Handshake::new("inn", "dan");
            for _ in 0..3 {
                manager.hold_seat(now(manager), &dan, None);
            }
        }),
        (Invariant::UserLimit, |manager| {
            // Of whom there is no connection yet.
            without_end(manager);
            let gus = Handshake::new("inn", "gus");
            for _ in 0..4 {
                manager.hold_seat(now(manager), &gus, None);
            }
        }),
        (Invariant::SourceLimit, |manager| {
            without_end(manager);
            never_above(manager, Limit::ConnectionsPerSource, 4);
            let gus = Handshake::new("inn", "gus").source(Source::from_bits(1));
            manager.hold_seat(now(manager), &gus, None);
        }),
        (Invariant::SourceLimit, |manager| {
            // From where nobody has come yet.
            without_end(manager);
            never_above(manager, Limit::ConnectionsPerSource, 4);
            for user in ["gus", "hal", "ian", "jim", "kim"] {
                let handshake = Handshake::new("inn", user).source(Source::from_bits(2));
                manager.hold_seat(now(manager), &handshake, None);
            }
        }),
    ]
}

/// Its drain, in which one has gone.
fn drain(manager: &mut Manager) -> &mut Drain {
    if !manager.is_draining() {
        let (now, mut out) = (manager.clock.time(), Outbox::new());
        manager.drain(now, Duration::from_secs(1), Time::MAX, &mut out);
        let fay = manager.user_connections("fay").next().unwrap();
        manager.kick(now, fay, &CloseFrame::new(4000, "kicked").unwrap(), &mut out);
        assert_eq!(manager.check_invariants(), Ok(()));
    }
    manager.drain.as_mut().unwrap()
}

fn of_drains() -> Vec<Corruption> {
    vec![
        (Invariant::HeapOrder, |manager| {
            drain(manager).order.spoil_order(u32::MAX);
        }),
        (Invariant::HeapPositions, |manager| {
            drain(manager).order.spoil_position();
        }),
        (Invariant::DrainSlots, |manager| drain(manager).schedule.spoil_since()),
        (Invariant::DrainSlots, |manager| drain(manager).schedule.spoil_slots()),
        (Invariant::DrainOrder, |manager| drain(manager).order.set(FIRST, None)),
        (Invariant::DrainOrder, |manager| {
            drain(manager).order.set(FIRST, Some(0));
        }),
        (Invariant::DrainOrder, |manager| drain(manager).order.set(99, Some(0))),
        (Invariant::DrainSeats, |manager| {
            drain(manager);
            manager.hold_seat(now(manager), &Handshake::new("pit", "eve"), None);
        }),
        (Invariant::DrainBegun, |manager| {
            manager.drain = None;
            manager.counters.refusals.draining = 1;
        }),
        (Invariant::DrainBegun, |manager| {
            manager.drain = None;
            manager.counters.drained = 1;
        }),
        (Invariant::Closes, |manager| {
            drain(manager);
            manager.counters.drained = manager.counters.closes + 1;
        }),
    ]
}

fn without_end(manager: &mut Manager) {
    manager.config.max_connections = None;
    manager.peaks = Peaks::of(&manager.config);
}

fn now(manager: &Manager) -> Moment {
    Moment {
        time: manager.clock.time(),
        active: manager.clock.active(),
    }
}

/// Ann's seat has another claim.
fn reclaim(manager: &mut Manager, change: impl FnOnce(&Manager, &mut Claim)) {
    let mut claim = manager.seats.at(ANNS).claim.unwrap();
    change(manager, &mut claim);
    manager.seats.unclaim(ANNS);
    manager.seats.claim(ANNS, claim);
}

/// As if a limit had been so low from the beginning.
fn never_above(manager: &mut Manager, limit: Limit, max: u64) {
    manager.config.set_limit(limit, Some(max));
    manager.peaks = Peaks::of(&manager.config);
}

fn of_backlogs() -> Vec<Corruption> {
    vec![
        (Invariant::BacklogOfOpen, |manager| {
            let closing = manager.conns().find(|(_, conn)| !conn.is_open()).unwrap().0;
            manager.backlogs.spoil_bytes(closing.index(), 1);
        }),
        (Invariant::BacklogOfOpen, |manager| manager.backlogs.spoil_last_row()),
        (Invariant::BacklogSum, |manager| manager.backlogs.spoil_bytes(FIRST, 1)),
        (Invariant::BacklogLimit, |manager| {
            manager.backlogs.spoil_messages(FIRST, 95);
        }),
        (Invariant::BacklogBudget, |manager| {
            never_above(manager, Limit::TotalBacklogBytes, 1);
        }),
        (Invariant::HeapOrder, |manager| manager.backlogs.spoil_heap_order()),
        (Invariant::Heaviest, |manager| manager.backlogs.spoil_ceiling(FIRST, 0)),
        (Invariant::Heaviest, |manager| manager.backlogs.spoil_place(FIRST)),
        (Invariant::Heaviest, |manager| manager.backlogs.spoil_stranger()),
    ]
}

/// As if these rates had just been taken off.
fn without(manager: &mut Manager, rates: &[RateLimit]) {
    for &limit in rates {
        assert_eq!(manager.set_rate(Time::ZERO, limit, None, &mut Outbox::new()), Ok(()));
    }
}

fn of_rates() -> Vec<Corruption> {
    vec![
        (Invariant::Settings, |manager| manager.config.message_rate = None),
        (Invariant::Settings, |manager| manager.rates.spoil_inbound()),
        (Invariant::Buckets, |manager| manager.rates.spoil_bucket(FIRST)),
        (Invariant::Buckets, |manager| manager.rates.spoil_user(ANN)),
        (Invariant::Buckets, |manager| manager.rates.spoil_connects()),
        (Invariant::Buckets, |manager| {
            without(manager, &[RateLimit::Messages, RateLimit::UserMessages]);
            manager.rates.spoil_tables();
        }),
        (Invariant::Buckets, |manager| {
            without(manager, &[RateLimit::UserMessages]);
            manager.rates.spoil_user_table();
        }),
        (Invariant::Violations, |manager| manager.rates.spoil_violations(FIRST)),
        (Invariant::Violations, |manager| {
            never_above(manager, Limit::Violations, 1);
        }),
        (Invariant::Drops, |manager| {
            manager.counters.drops.user_rate = manager.counters.messages_in + 1;
        }),
        (Invariant::Drops, |manager| manager.counters.closes_rate_limited = 2),
        (Invariant::Drops, |manager| {
            manager.counters.drops.too_big = manager.counters.closes + 1;
            manager.counters.messages_in += manager.counters.closes + 1;
        }),
    ]
}

#[test]
fn there_is_something_of_everything_to_check() {
    let manager = manager();
    assert_eq!(manager.check_invariants(), Ok(()));
    let Population {
        open,
        closing,
        closing_replaced,
        silent,
        ..
    } = manager.population;
    assert!(
        open > 3 && closing > closing_replaced && closing_replaced > 0 && silent > 0,
        "{:?}",
        manager.population
    );
    assert!(
        manager
            .conns()
            .any(|(_, conn)| conn.is_open() && conn.pulse.latency().is_some())
    );
    assert!(manager.counters.pauses > 0);
    assert!(manager.backlogs.of(FIRST).bytes > 0);
    let den = manager.resolve(&LobbyRef::Name("den".into()));
    assert_eq!(den, Some(DEN));
}

#[test]
#[cfg_attr(miri, ignore = "takes a minute there, and is about no memory")]
fn each_corruption_is_reported_as_what_it_is() {
    for (number, (invariant, corrupt)) in corruptions().into_iter().enumerate() {
        let mut manager = manager();
        corrupt(&mut manager);
        let found = manager.check_invariants().map_err(|violation| violation.invariant());
        assert_eq!(found, Err(invariant), "corruption {number}");
    }
}

#[test]
fn there_is_a_corruption_of_every_invariant() {
    for &invariant in Invariant::ALL {
        let broken = corruptions().iter().any(|&(broken, _)| broken == invariant);
        assert!(broken, "{invariant:?}");
    }
}
