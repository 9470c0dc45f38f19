//! What a decision against a connection rests on.

use core::fmt;
use core::time::Duration;

use serde::Serialize;

use crate::time::{Time, nanos};

/// What a refusal, a close or an eviction rests on: the value that its rule saw, the threshold, and the times. It says
/// in a log why this connection, and why now.
///
/// | rule | `seen` | `threshold` | `waited` |
/// |---|---|---|---|
/// | [`InvalidName`](crate::RefusalRule::InvalidName) | bytes of the name | [`max_name_bytes`](crate::Config::max_name_bytes) | |
/// | [`ServerFull`](crate::RefusalRule::ServerFull) | connections that count | [`max_connections`](crate::Config::max_connections) | |
/// | [`LobbyFull`](crate::RefusalRule::LobbyFull) | members that stay | [`max_connections_per_lobby`](crate::Config::max_connections_per_lobby) | |
/// | [`UserLimit`](crate::RefusalRule::UserLimit), [`Closing::Replaced`](crate::Closing::Replaced) | the user's open connections, and seats reserved for others | [`max_connections_per_user`](crate::Config::max_connections_per_user) | |
/// | [`TooManyLobbies`](crate::JoinError::TooManyLobbies) | the connection's lobbies | [`max_lobbies_per_connection`](crate::Config::max_lobbies_per_connection) | |
/// | [`LobbyLocked`](crate::RefusalRule::LobbyLocked) | the user's connections there, 0 | 1 | |
/// | [`SourceLimit`](crate::RefusalRule::SourceLimit) | the source's open connections that stay | [`max_connections_per_source`](crate::Config::max_connections_per_source) | |
/// | [`RefusalRule::Expired`](crate::RefusalRule::Expired), [`Closing::Expired`](crate::Closing::Expired) | the driver's clock in nanoseconds | [`expires`](crate::Handshake::expires) in nanoseconds | |
/// | [`ReservationVoid`](crate::RefusalRule::ReservationVoid) | seats held under the id for this user, from this source, in this lobby: 0 | 1 | |
/// | [`RefusalRule::Draining`](crate::RefusalRule::Draining) | the driver's clock in nanoseconds | when the [drain](crate::Manager::drain) began | |
/// | [`Closing::Draining`](crate::Closing::Draining) | the driver's clock in nanoseconds | when it was its turn, or the drain's deadline | |
/// | [`Closing::Requested`](crate::Closing::Requested) | 0 | 0 | |
/// | [`ConnectRate`](crate::RefusalRule::ConnectRate), [`Throttled`](crate::Notice::Throttled) | nanoseconds until the rate has its whole burst to give again | how many it may be for one more | |
/// | [`Closing::RateLimited`](crate::Closing::RateLimited) | violations, this one included | [`max_violations`](crate::Config::max_violations) | |
/// | [`Closing::MessageTooBig`](crate::Closing::MessageTooBig) | bytes of the message | [`max_message_bytes`](crate::Config::max_message_bytes) | |
/// | [`Eviction::Stale`](crate::Eviction::Stale) | missed pings | [`max_missed`](crate::Config::max_missed) | since it was last heard |
/// | [`Eviction::CloseTimeout`](crate::Eviction::CloseTimeout) | nanoseconds since `Close` | [`close_timeout`](crate::Config::close_timeout) in nanoseconds | since `Close` |
/// | [`Eviction::Replaced`](crate::Eviction::Replaced) | the user's replaced connections, the new one included | 1 | since `Close` |
/// | [`Eviction::SlowConsumer`](crate::Eviction::SlowConsumer), too many bytes | bytes of its backlog, the message included | [`max_backlog_bytes`](crate::Config::max_backlog_bytes), for a ping with the room for pings | |
/// | [`Eviction::SlowConsumer`](crate::Eviction::SlowConsumer), else | messages of its backlog, the new one included | [`max_backlog_messages`](crate::Config::max_backlog_messages), for a ping with the room for pings | |
/// | [`Eviction::OverBudget`](crate::Eviction::OverBudget) | bytes of all backlogs, the message included | [`max_total_backlog_bytes`](crate::Config::max_total_backlog_bytes) | |
///
/// JSON form: `{"seen":2,"threshold":2,"waited":30000000000,"at":42000000000}`, times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Receipt {
    /// What the rule saw.
    pub seen: u64,
    /// What it was compared with.
    pub threshold: u64,
    /// For how long the manager had been patient, without the time that the server was paused; zero where no patience
    /// is involved.
    #[serde(with = "nanos")]
    pub waited: Duration,
    /// When it was decided, on the driver's clock.
    pub at: Time,
}

impl Receipt {
    /// Of a count that has reached its limit.
    pub(crate) const fn of_count(seen: u64, threshold: u64, at: Time) -> Self {
        Self {
            seen,
            threshold,
            waited: Duration::ZERO,
            at,
        }
    }
}

impl fmt::Display for Receipt {
    /// `saw 2, threshold 2, after 30s, at 42s`, without what was not measured or not waited for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seen,
            threshold,
            waited,
            at,
        } = self;
        if (*seen, *threshold) != (0, 0) {
            write!(f, "saw {seen}, threshold {threshold}, ")?;
        }
        if !waited.is_zero() {
            write!(f, "after {waited:?}, ")?;
        }
        write!(f, "at {at}")
    }
}
