//! What the manager has counted.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use crate::backlog::Backlog;
use crate::time::nanos;

/// A snapshot of all numbers: what there is now, and what has happened since the manager was made.
///
/// JSON form: an object with the names of the fields, the duration as whole nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// What counts for the server limit: the open connections, those closing ones that were not replaced, and the reserved
    /// seats, but for those that are still shared with a connection that they are to replace.
    pub total_connections: u32,
    /// [`Config::max_connections`](crate::Config::max_connections).
    pub max_connections: Option<u32>,
    /// How much of `max_connections` is taken; `None` without a limit, and more than 100 % as long as more are there
    /// than a lowered one allows.
    pub capacity_percent: Option<Percent>,
    /// Lobbies with at least one member.
    pub active_lobbies: u32,
    /// Connections that are members of lobbies and get messages.
    pub open_connections: u32,
    /// Connections that were told to close and have not yet been reported closed.
    pub closing_connections: u32,
    /// Users with at least one open connection.
    pub users: u32,
    /// Connections admitted.
    pub admissions: u64,
    /// Connections and lobby changes refused.
    pub refusals: Refusals,
    /// `Evict` commands written.
    pub evictions: Evictions,
    /// `Close` commands written.
    pub closes: u64,
    /// Messages and control frames from open connections, ...
    pub messages_in: u64,
    /// ... and their bytes.
    pub bytes_in: u64,
    /// Messages written, one per recipient, pings included, ...
    pub messages_out: u64,
    /// ... and their payload bytes.
    pub bytes_out: u64,
    /// Pings written, one per recipient.
    pub pings: u64,
    /// Pongs that answered the outstanding ping and gave a round-trip time.
    pub pongs: u64,
    /// Pings that were followed by silence.
    pub missed_pings: u64,
    /// Events for ids that are unknown, closing or gone; each was ignored. But [what is
    /// flushed](crate::Manager::flushed) of a closing connection is expected, and not counted.
    pub stale_ids: u64,
    /// Calls whose `now` was earlier than one before; each was taken for that one.
    pub clock_steps_back: u64,
    /// Pauses of the server, ...
    pub pauses: u64,
    /// ... and how long they were together.
    #[serde(with = "nanos")]
    pub suspended: Duration,
    /// Connections closed because what their users had proved had expired.
    pub expired: u64,
    /// What is written for the open connections and not yet flushed, all together. `None` while the driver has not
    /// reported anything [flushed](crate::Manager::flushed): nothing is known then, and the limits are off.
    pub backlog: Option<Backlog>,
    /// Messages that were not written for want of room, one per recipient.
    pub dropped_messages: u64,
    /// Reports of more than was written; each was taken for what was.
    pub excess_flushes: u64,

    /// Messages dropped, by reason; `messages_in` has them, too. Each that was too big closed its connection.
    pub drops: Drops,
    /// Messages dropped for a rate, whichever it was: each is a violation of its connection.
    pub violations: u64,
    /// Connections closed for their violations.
    pub closes_rate_limited: u64,
    /// Seats that are reserved now, the shared ones included.
    pub reserved_seats: u32,
    /// What has become of reservations.
    pub reservations: Reservations,
    /// Whether the server is being [drained](crate::Manager::drain), or has been.
    pub draining: bool,
    /// Connections closed by that, when it was their turn.
    pub drained: u64,
}

/// Refusals by rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Refusals {
    /// [`RefusalRule::InvalidName`](crate::RefusalRule::InvalidName).
    pub invalid_name: u64,
    /// [`RefusalRule::ServerFull`](crate::RefusalRule::ServerFull).
    pub server_full: u64,
    /// [`RefusalRule::LobbyFull`](crate::RefusalRule::LobbyFull).
    pub lobby_full: u64,
    /// [`RefusalRule::UserLimit`](crate::RefusalRule::UserLimit).
    pub user_limit: u64,
    /// [`RefusalRule::LobbyLocked`](crate::RefusalRule::LobbyLocked).
    pub lobby_locked: u64,
    /// [`RefusalRule::SourceLimit`](crate::RefusalRule::SourceLimit).
    pub source_limit: u64,
    /// [`RefusalRule::Expired`](crate::RefusalRule::Expired).
    pub expired: u64,
    /// [`RefusalRule::ReservationVoid`](crate::RefusalRule::ReservationVoid).
    pub reservation_void: u64,

    /// [`RefusalRule::ConnectRate`](crate::RefusalRule::ConnectRate).
    pub connect_rate: u64,
    /// [`RefusalRule::Draining`](crate::RefusalRule::Draining).
    pub draining: u64,
}

/// Dropped messages by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Drops {
    /// [`DropReason::Throttled`](crate::DropReason::Throttled), by [`RateScope::Connection`](crate::RateScope).
    pub connection_rate: u64,
    /// [`DropReason::Throttled`](crate::DropReason::Throttled), by [`RateScope::User`](crate::RateScope).
    pub user_rate: u64,
    /// [`DropReason::TooBig`](crate::DropReason::TooBig).
    pub too_big: u64,
}

impl Drops {
    /// What was dropped for a rate.
    pub(crate) const fn violations(self) -> u64 {
        self.connection_rate + self.user_rate
    }
}

/// Evictions by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Evictions {
    /// [`Eviction::Stale`](crate::Eviction::Stale).
    pub stale: u64,
    /// [`Eviction::CloseTimeout`](crate::Eviction::CloseTimeout).
    pub close_timeout: u64,
    /// [`Eviction::Replaced`](crate::Eviction::Replaced).
    pub replaced: u64,
    /// [`Eviction::SlowConsumer`](crate::Eviction::SlowConsumer).
    pub slow_consumer: u64,
    /// [`Eviction::OverBudget`](crate::Eviction::OverBudget).
    pub over_budget: u64,
}

/// Reservations by what has become of them. Those that were made and are nothing else yet are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Reservations {
    /// All that were made.
    pub made: u64,
    /// Those that a connection was admitted with.
    pub used: u64,
    /// Those that were given back with [`release`](crate::Manager::release).
    pub released: u64,
    /// Those that were void before that: see [`Lapse`](crate::Lapse).
    pub lapsed: u64,
}

/// What has happened so far: the part of [`Stats`] that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counters {
    pub(crate) admissions: u64,
    pub(crate) refusals: Refusals,
    pub(crate) evictions: Evictions,
    pub(crate) closes: u64,
    pub(crate) messages_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) messages_out: u64,
    pub(crate) bytes_out: u64,
    pub(crate) pings: u64,
    pub(crate) pongs: u64,
    pub(crate) missed_pings: u64,
    pub(crate) stale_ids: u64,
    pub(crate) pauses: u64,
    pub(crate) expired: u64,
    pub(crate) dropped_messages: u64,
    pub(crate) excess_flushes: u64,

    pub(crate) drops: Drops,
    pub(crate) closes_rate_limited: u64,
    pub(crate) reservations: Reservations,
    pub(crate) drained: u64,
}

impl Counters {
    /// A counter that might come to its end one day, if they were read from somewhere: none that counted from 0 will.
    pub(crate) fn excessive(&self) -> Option<&'static str> {
        let Self {
            admissions,
            refusals:
                Refusals {
                    invalid_name,
                    server_full,
                    lobby_full,
                    user_limit,
                    lobby_locked,
                    source_limit,
                    expired: refused_expired,
                    connect_rate,
                    reservation_void,
                    draining: refused_draining,
                },
            evictions:
                Evictions {
                    stale,
                    close_timeout,
                    replaced,
                    slow_consumer,
                    over_budget,
                },
            closes,
            messages_in,
            bytes_in,
            messages_out,
            bytes_out: _, // saturates
            pings,
            pongs,
            missed_pings,
            stale_ids,
            pauses,
            expired,
            dropped_messages,
            excess_flushes,
            drops:
                Drops {
                    connection_rate,
                    user_rate,
                    too_big,
                },
            closes_rate_limited,
            reservations:
                Reservations {
                    made,
                    used,
                    released,
                    lapsed,
                },
            drained,
        } = *self;
        let counters = [
            ("admissions", admissions),
            ("refusals.invalid_name", invalid_name),
            ("refusals.server_full", server_full),
            ("refusals.lobby_full", lobby_full),
            ("refusals.user_limit", user_limit),
            ("evictions.stale", stale),
            ("evictions.close_timeout", close_timeout),
            ("evictions.replaced", replaced),
            ("closes", closes),
            ("messages_in", messages_in),
            ("bytes_in", bytes_in),
            ("messages_out", messages_out),
            ("pings", pings),
            ("pongs", pongs),
            ("missed_pings", missed_pings),
            ("stale_ids", stale_ids),
            ("pauses", pauses),
            ("refusals.lobby_locked", lobby_locked),
            ("refusals.source_limit", source_limit),
            ("refusals.expired", refused_expired),
            ("expired", expired),
            ("evictions.slow_consumer", slow_consumer),
            ("evictions.over_budget", over_budget),
            ("dropped_messages", dropped_messages),
            ("excess_flushes", excess_flushes),
            ("refusals.connect_rate", connect_rate),
            ("drops.connection_rate", connection_rate),
            ("drops.user_rate", user_rate),
            ("drops.too_big", too_big),
            ("closes_rate_limited", closes_rate_limited),
            ("refusals.reservation_void", reservation_void),
            ("reservations.made", made),
            ("reservations.used", used),
            ("reservations.released", released),
            ("reservations.lapsed", lapsed),
            ("refusals.draining", refused_draining),
            ("drained", drained),
        ];
        let excessive = counters.into_iter().find(|&(_, count)| count > MOST_COUNTED);
        excessive.map(|(name, _)| name)
    }
}

/// More than anybody will live to see counted, and few enough that counting on is safe.
pub(crate) const MOST_COUNTED: u64 = 1 << 62;

/// A share with one decimal, kept as an integer of tenths.
///
/// JSON form: a number, 83.3 say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent {
    tenths: u32,
}

impl Percent {
    /// `part` of `whole`, rounded down; all of a whole of 0 is taken.
    pub(crate) fn of(part: u32, whole: u32) -> Self {
        let tenths = (u64::from(part) * 1_000).checked_div(u64::from(whole)).unwrap_or(1_000);
        Self {
            tenths: u32::try_from(tenths).unwrap_or(u32::MAX),
        }
    }

    /// Tenths of a per cent: 833 for 83.3 %.
    pub const fn tenths(self) -> u32 {
        self.tenths
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} %", self.tenths / 10, self.tenths % 10)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.tenths) / 10.0)
    }
}
