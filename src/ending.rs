//! Why a connection is told to go, and how it ended.

use core::fmt;

use serde::Serialize;

use crate::event::Cause;

/// Why the manager tells a connection to close.
///
/// JSON form: `"requested"`, `"replaced"`, `"expired"`, `"rate_limited"`, `"message_too_big"`,
/// `"draining"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Closing {
    /// The application asked for it, with [`kick`](crate::Manager::kick),
    /// [`kick_user`](crate::Manager::kick_user), [`kick_lobby`](crate::Manager::kick_lobby) or
    /// [`close_all`](crate::Manager::close_all).
    Requested,
    /// A newer connection of its user took its place: [`UserOverflow::ReplaceOldest`](crate::UserOverflow).
    Replaced,
    /// What its user had proved has [expired](crate::Handshake::expires).
    Expired,

    /// Its messages came too fast too often: [`Config::max_violations`](crate::Config::max_violations).
    RateLimited,
    /// It sent a message longer than [`Config::max_message_bytes`](crate::Config::max_message_bytes).
    MessageTooBig,
    /// The server is being [drained](crate::Manager::drain), and it was its turn.
    Draining,
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "requested",
            Self::Replaced => "replaced",
            Self::Expired => "expired",
            Self::RateLimited => "rate limited",
            Self::MessageTooBig => "message too big",
            Self::Draining => "draining",
        })
    }
}

/// Why the manager dropped a connection.
///
/// JSON form: `"stale"`, `"close_timeout"`, `"replaced"`, `"slow_consumer"`, `"over_budget"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Eviction {
    /// It missed [`Config::max_missed`](crate::Config::max_missed) pings in a row.
    Stale,
    /// It was told to close and did not within [`Config::close_timeout`](crate::Config::close_timeout).
    CloseTimeout,
    /// It was replaced and still closing when the next one of its user was replaced.
    Replaced,
    /// A message that must not be dropped would have been beyond
    /// [`Config::max_backlog_bytes`](crate::Config::max_backlog_bytes) or
    /// [`Config::max_backlog_messages`](crate::Config::max_backlog_messages).
    SlowConsumer,
    /// All backlogs together were beyond
    /// [`Config::max_total_backlog_bytes`](crate::Config::max_total_backlog_bytes), and its was the greatest.
    OverBudget,
}

impl fmt::Display for Eviction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stale => "stale",
            Self::CloseTimeout => "close timeout",
            Self::Replaced => "replaced",
            Self::SlowConsumer => "slow consumer",
            Self::OverBudget => "over budget",
        })
    }
}

/// Why a reservation is void before it was used.
///
/// JSON form: `"expired"`, `"kicked"`, `"draining"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lapse {
    /// It was not used within [`Config::reservation_ttl`](crate::Config::reservation_ttl).
    Expired,
    /// Its user was kicked: [`kick_user`](crate::Manager::kick_user).
    Kicked,
    /// Nobody comes in any more: [`drain`](crate::Manager::drain).
    Draining,
}

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "expired",
            Self::Kicked => "its user was kicked",
            Self::Draining => "the server is draining",
        })
    }
}

/// How a connection ended.
///
/// JSON form: `{"closed":"peer"}`, `{"evicted":"stale"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The driver reported it.
    Closed(Cause),
    /// The manager dropped it.
    Evicted(Eviction),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(cause) => fmt::Display::fmt(cause, f),
            Self::Evicted(eviction) => write!(f, "evicted: {eviction}"),
        }
    }
}
