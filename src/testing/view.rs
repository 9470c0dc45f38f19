//! Everything that can be asked about a manager, as one value: what the manager says, and what the model says.

use std::fmt::{Debug, Write as _};

use crate::{
    Config, ConnId, Handshake, Limit, LobbyId, LobbyRef, Manager, Rate, RateLimit, RefusalRule, ReservationId, Source,
    Time,
};
use serde_json::{Value, json};

use super::model::{Model, Phase};
use super::model_clock::nanos;
use super::pair::Reference;
use super::seen::Seen;
use super::told::TurnedAway;

/// Everything that can be asked about a manager and about what was seen of it, as one value to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    next_deadline: Option<Time>,
    stats: Value,
    lobbies: Vec<LobbyId>,
    conns: Vec<ConnView>,
    lobby_ids: Vec<(LobbyId, Option<String>, LobbyView)>,
    lobby_names: Vec<(String, Option<LobbyId>, Vec<ConnId>)>,
    users: Vec<(String, bool, Vec<ConnId>)>,
    can_accept: Vec<(String, String, Result<(), TurnedAway>)>,
    doors: Doors,
    reserved: Vec<(ReservationId, bool)>,
}

/// What can be asked about limits, rates, locks, sources and expiries.
#[derive(Clone, Debug, PartialEq)]
struct Doors {
    limits: Vec<(Limit, Option<u64>)>,
    rates: Vec<(RateLimit, Option<Rate>)>,
    locked: Vec<bool>,
    sources: Vec<(Source, u32)>,
    expires: Vec<(ConnId, Option<Time>)>,
}

impl Doors {
    fn of(manager: &Manager, seen: &Seen) -> Self {
        Self {
            limits: limits(manager.config()),
            rates: rates(manager.config()),
            locked: (seen.lobby_names.iter())
                .map(|name| manager.is_locked(&**name))
                .chain(seen.lobbies.iter().map(|&id| manager.is_locked(id)))
                .chain(seen.conns.iter().map(|&conn| manager.is_locked(conn)))
                .collect(),
            sources: (seen.sources.iter())
                .map(|&source| (source, manager.source_connections(source)))
                .collect(),
            expires: (seen.conns.iter()).map(|&conn| (conn, manager.expires(conn))).collect(),
        }
    }

    fn expected(Reference { model, seen }: &Reference) -> Self {
        let is_locked = |which: LobbyRef<'_>| model.lobby(&which).is_some_and(|lobby| lobby.locked);
        Self {
            limits: limits(&model.config),
            rates: rates(&model.config),
            locked: (seen.lobby_names.iter())
                .map(|name| is_locked((&**name).into()))
                .chain(seen.lobbies.iter().map(|&id| is_locked(id.into())))
                .chain(seen.conns.iter().map(|&conn| is_locked(conn.into())))
                .collect(),
            sources: (seen.sources.iter())
                .map(|&source| (source, u32::try_from(model.count_from(source)).unwrap()))
                .collect(),
            expires: (seen.conns.iter())
                .map(|&conn| (conn, model.open(conn).and_then(|open| open.expires)))
                .collect(),
        }
    }
}

fn limits(config: &Config) -> Vec<(Limit, Option<u64>)> {
    let limits = Limit::ALL.into_iter();
    limits.map(|limit| (limit, config.limit(limit))).collect()
}

fn rates(config: &Config) -> Vec<(RateLimit, Option<Rate>)> {
    let rates = RateLimit::ALL.into_iter();
    rates.map(|limit| (limit, config.rate(limit))).collect()
}

#[derive(Clone, Debug, PartialEq)]
struct ConnView {
    conn: ConnId,
    is_open: bool,
    user: Option<String>,
    lobbies: Vec<LobbyId>,
    /// Last, smallest, smoothed, in microseconds.
    latency: Option<(u128, u128, u128)>,
    /// Of its first lobby.
    companions: Vec<ConnId>,
    /// In bytes and messages.
    backlog: Option<(u64, u64)>,
}

/// What is known of the lobby that a `LobbyRef` leads to.
#[derive(Clone, Debug, PartialEq)]
struct LobbyView {
    connections: Vec<ConnId>,
    /// With their revision.
    users: Option<(Vec<String>, u64)>,
}

impl View {
    /// What the manager says.
    pub fn of(manager: &Manager, seen: &Seen) -> Self {
        let lobby = |which: LobbyRef<'_>| LobbyView {
            connections: manager.lobby_connections(which.clone()).collect(),
            users: manager
                .lobby_users(which)
                .map(|users| (users.iter().map(String::from).collect(), users.revision())),
        };
        let conn = |&conn: &ConnId| ConnView {
            conn,
            is_open: manager.is_open(conn),
            user: manager.user_of(conn).map(String::from),
            lobbies: manager.lobbies_of(conn).collect(),
            latency: manager.latency(conn).map(|latency| {
                let micros = [latency.last, latency.min, latency.smoothed].map(|time| time.as_micros());
                (micros[0], micros[1], micros[2])
            }),
            companions: manager.lobby_connections(conn).collect(),
            backlog: manager.backlog(conn).map(|backlog| (backlog.bytes, backlog.messages)),
        };
        Self {
            next_deadline: manager.next_deadline(),
            stats: serde_json::to_value(manager.stats()).unwrap(),
            lobbies: manager.lobbies().collect(),
            conns: seen.conns.iter().map(conn).collect(),
            lobby_ids: (seen.lobbies.iter())
                .map(|&id| (id, manager.lobby_name(id).map(String::from), lobby(id.into())))
                .collect(),
            lobby_names: (seen.lobby_names.iter())
                .map(|name| {
                    (
                        name.clone(),
                        manager.lobby_id(name),
                        manager.lobby_connections(&**name).collect(),
                    )
                })
                .collect(),
            users: (seen.user_names.iter())
                .map(|name| {
                    let conns = manager.user_connections(name).collect();
                    (name.clone(), manager.is_user_connected(name), conns)
                })
                .collect(),
            can_accept: pairs(seen)
                .map(|(lobby, user)| {
                    let answer = manager.can_accept(lobby, user);
                    (lobby.clone(), user.clone(), answer.map_err(|refusal| (&refusal).into()))
                })
                .collect(),
            doors: Doors::of(manager, seen),
            reserved: (seen.reservations.iter())
                .map(|seat| (seat.id, manager.is_reserved(seat.id)))
                .collect(),
        }
    }

    /// The same, without what changes as time passes: the time of the latest call, which the receipts of hints tell, and
    /// what the connect rate, the last of the rules, has against a newcomer.
    #[must_use]
    pub fn timeless(mut self) -> Self {
        for (.., answer) in &mut self.can_accept {
            match answer {
                Err(refusal) if refusal.rule == RefusalRule::ConnectRate => *answer = Ok(()),
                Err(refusal) => {
                    refusal.receipt.at = Time::ZERO;
                    if refusal.rule == RefusalRule::Draining {
                        refusal.receipt.seen = 0;
                    }
                }
                Ok(()) => {}
            }
        }
        self
    }

    /// What the model says.
    pub fn expected(reference: &Reference) -> Self {
        let Reference { model, seen } = reference;
        let members = |which: &LobbyRef<'_>| model.lobby(which).map_or_else(Vec::new, |lobby| lobby.members.clone());
        let lobby = |which: &LobbyRef<'_>| LobbyView {
            connections: members(which),
            users: model.lobby(which).map(|lobby| (lobby.users.clone(), lobby.revision)),
        };
        let id_of = |name: &str| model.lobby(&name.into()).map(|lobby| lobby.id);
        let conn = |&conn: &ConnId| {
            let open = model.open(conn);
            ConnView {
                conn,
                is_open: open.is_some(),
                user: open.map(|open| open.user.clone()),
                lobbies: open.map_or_else(Vec::new, |open| {
                    open.lobbies.iter().map(|name| id_of(name).unwrap()).collect()
                }),
                latency: open
                    .and_then(|open| open.health.latency())
                    .map(|(last, min, smoothed)| (last.into(), min.into(), smoothed.into())),
                companions: members(&conn.into()),
                backlog: open
                    .filter(|_| model.reported)
                    .map(|open| (open.queue.bytes, open.queue.messages)),
            }
        };
        let mut lobbies: Vec<_> = model.lobbies.values().map(|lobby| lobby.id).collect();
        lobbies.sort_by_key(|lobby| lobby.index());
        Self {
            next_deadline: model.next_deadline(),
            stats: expected_stats(model),
            lobbies,
            conns: seen.conns.iter().map(conn).collect(),
            lobby_ids: (seen.lobbies.iter())
                .map(|&id| {
                    let name = model.lobby(&id.into()).map(|lobby| lobby.name.clone());
                    (id, name, lobby(&id.into()))
                })
                .collect(),
            lobby_names: (seen.lobby_names.iter())
                .map(|name| (name.clone(), id_of(name), members(&(&**name).into())))
                .collect(),
            users: (seen.user_names.iter())
                .map(|name| {
                    let conns = model.conns_of(name);
                    (name.clone(), !conns.is_empty(), conns)
                })
                .collect(),
            can_accept: pairs(seen)
                .map(|(lobby, user)| {
                    let answer = model.admission(&Handshake::new(lobby, user));
                    let answer = answer.map(drop).map_err(|against| model.refusal(against));
                    (lobby.clone(), user.clone(), answer)
                })
                .collect(),
            doors: Doors::expected(reference),
            reserved: (seen.reservations.iter())
                .map(|seat| (seat.id, model.reservations.iter().any(|held| held.id == seat.id)))
                .collect(),
        }
    }
}

/// Who might connect where.
fn pairs(seen: &Seen) -> impl Iterator<Item = (&String, &String)> {
    let lobbies = seen.lobby_names.iter().rev().take(3);
    lobbies.flat_map(|lobby| seen.user_names.iter().rev().take(4).map(move |user| (lobby, user)))
}

fn expected_stats(model: &Model) -> Value {
    let count = |wanted: fn(&Phase) -> bool| model.conns.iter().filter(|conn| wanted(&conn.phase)).count();
    let total = count(|phase| *phase != Phase::Closing { replaced: true }) + model.seats(|_| true, |_| true);
    let Config { max_connections, .. } = model.config;
    let percent = max_connections.map(|max| {
        let tenths = if max == 0 { 1_000 } else { total * 1_000 / max as usize };
        f64::from(u32::try_from(tenths).unwrap()) / 10.0
    });
    let counted = &model.counted;
    json!({
        "total_connections": total,
        "max_connections": max_connections,
        "capacity_percent": percent,
        "active_lobbies": model.lobbies.len(),
        "open_connections": count(|phase| *phase == Phase::Open),
        "closing_connections": count(|phase| *phase != Phase::Open),
        "users": model.users(),
        "admissions": counted.admissions,
        "refusals": {
            "invalid_name": counted.invalid_name,
            "server_full": counted.server_full,
            "lobby_full": counted.lobby_full,
            "user_limit": counted.user_limit,
            "lobby_locked": counted.lobby_locked,
            "source_limit": counted.source_limit,
            "expired": counted.refused_expired,
            "connect_rate": counted.connect_rate,
            "reservation_void": counted.seats.void,
            "draining": counted.refused_draining,
        },
        "evictions": {
            "stale": counted.evicted_stale,
            "close_timeout": counted.evicted_close_timeout,
            "replaced": counted.evicted_replaced,
            "slow_consumer": counted.evicted_slow_consumer,
            "over_budget": counted.evicted_over_budget,
        },
        "closes": counted.closes,
        "messages_in": counted.messages_in,
        "bytes_in": counted.bytes_in,
        "messages_out": counted.messages_out,
        "bytes_out": counted.bytes_out,
        "pings": counted.pings,
        "pongs": counted.pongs,
        "missed_pings": counted.missed_pings,
        "stale_ids": counted.stale_ids,
        "clock_steps_back": model.clock.steps_back,
        "pauses": model.clock.pauses,
        "drops": {
            "connection_rate": counted.too_soon_of_connection,
            "user_rate": counted.too_soon_of_user,
            "too_big": counted.too_big,
        },
        "violations": counted.too_soon_of_connection + counted.too_soon_of_user,
        "closes_rate_limited": counted.closes_rate_limited,
        "suspended": u64::try_from(nanos(std::time::Duration::from_nanos(model.clock.suspended))).unwrap(),
        "expired": counted.expired,
        "backlog": model.reported.then(|| {
            let (bytes, messages) = model.queued();
            json!({ "bytes": bytes, "messages": messages })
        }),
        "dropped_messages": counted.dropped_messages,
        "excess_flushes": counted.excess_flushes,
        "reserved_seats": model.reservations.len(),
        "reservations": {
            "made": counted.seats.made,
            "used": counted.seats.used,
            "released": counted.seats.released,
            "lapsed": counted.seats.lapsed,
        },
        "draining": model.drain.is_some(),
        "drained": counted.drained,
    })
}

/// The lines that differ between two values, if they are not equal.
pub(crate) fn difference<T: Debug + PartialEq>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let (found, expected) = (format!("{found:#?}"), format!("{expected:#?}"));
    let (found, expected): (Vec<_>, Vec<_>) = (found.lines().collect(), expected.lines().collect());
    let alike = found
        .iter()
        .zip(&expected)
        .take_while(|(found, expected)| found == expected);
    let start = alike.count();
    let tail = (found[start..].iter().rev()).zip(expected[start..].iter().rev());
    let tail = tail.take_while(|(found, expected)| found == expected).count();
    let mut text = format!("{what} differ\n");
    for line in &found[start.saturating_sub(12)..start] {
        _ = writeln!(text, "    {line}");
    }
    for line in &found[start..found.len() - tail] {
        _ = writeln!(text, "  - {line}   <- the manager");
    }
    for line in &expected[start..expected.len() - tail] {
        _ = writeln!(text, "  + {line}   <- the model");
    }
    Err(text)
}
