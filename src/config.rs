//! The settings, and what is wrong with them.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::gcra::Rate;
use crate::refusal::{Answers, RefusalRule};
use crate::time::{nanos, optional_nanos};

/// The most connections that a manager holds at once, whatever the settings say. A connection beyond it is refused as
/// [`RefusalRule::ServerFull`](crate::RefusalRule::ServerFull).
pub const MAX_CONNECTIONS: u32 = 1 << 30;

/// All settings. The fields are plain; [`Manager::new`](crate::Manager::new) checks them.
///
/// A limit or a time that is off is `None`. A limit of 0 is a limit: it refuses all. Settings come with later versions,
/// so start from the default:
///
/// ```
/// use lobbykeeper::{Config, UserOverflow};
///
/// let config = Config {
///     max_connections: Some(500),
///     max_connections_per_user: Some(1),
///     user_overflow: UserOverflow::ReplaceOldest,
///     ..Config::default()
/// };
/// ```
///
/// JSON form: an object with the names of the fields, durations as whole nanoseconds. A field that is missing has its
/// default; `hash_key` is neither written nor read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many connections the server holds, those included that are closing but not yet closed. Default: no limit
    /// but [`MAX_CONNECTIONS`].
    pub max_connections: Option<u32>,
    /// How many connections a lobby holds. Default: no limit.
    pub max_connections_per_lobby: Option<u32>,
    /// How many open connections a user has across all lobbies. Default: no limit.
    pub max_connections_per_user: Option<u32>,
    /// How many open connections there are from one [`Source`](crate::Source), an address say. Connections without one
    /// are not limited. Default: no limit.
    pub max_connections_per_source: Option<u32>,
    /// What happens to the connection that would be one too many for its user. Default: it is refused.
    pub user_overflow: UserOverflow,
    /// In how many lobbies a connection is at once; at least 1, since it starts in one. Default: 1.
    pub max_lobbies_per_connection: Option<u32>,
    /// How long the name of a lobby or a user is, in bytes; at least 1. Default: 128.
    pub max_name_bytes: u32,
    /// How often each connection is pinged, talking or not. `None`: only on demand, and nobody is evicted for silence.
    /// Default: 20 s.
    #[serde(with = "optional_nanos")]
    pub ping_interval: Option<Duration>,
    /// How long after a ping something must have been heard; at most `ping_interval`. Default: 10 s.
    #[serde(with = "nanos")]
    pub ping_timeout: Duration,
    /// How many pings in a row a connection misses before it is evicted; at least 1. Default: 2.
    pub max_missed: u8,
    /// What a ping is. Default: a JSON text message.
    pub ping_format: PingFormat,
    /// How long a ping on demand waits for its pong if the request does not say. Default: 2 s.
    #[serde(with = "nanos")]
    pub ping_user_timeout: Duration,
    /// When a connection is about to be evicted as stale while more than this many connections, and more than a
    /// quarter of the open ones, have missed a ping, then the server's own network is suspect, and it is given one
    /// more ping. `None`: never. Default: 20.
    pub stale_wave_floor: Option<u32>,
    /// How long a connection that was told to close may take before it is evicted. Default: 5 s.
    #[serde(with = "nanos")]
    pub close_timeout: Duration,
    /// By how much a call may come after the deadline before the overshoot counts as a pause of the server, which
    /// nobody is evicted for: all of it, or what has passed since the previous call if that came after the deadline.
    /// `None`: no pause is ever seen. Default: 1 s.
    #[serde(with = "optional_nanos")]
    pub pause_tolerance: Option<Duration>,
    /// How many payload bytes may have been written for a connection and not yet been
    /// [flushed](crate::Manager::flushed). A message that would be beyond it is not written for that connection: by the
    /// message's [`Delivery`](crate::Delivery) it is dropped, or the connection evicted. So a message of more than this
    /// evicts everybody to whom it is sent, unless it may be dropped. Pings are never dropped: for so many of them as a
    /// connection may miss and one more, 64 bytes each, there is room beyond the cap, and a ping that finds no room even
    /// there evicts its connection.
    ///
    /// This and the two limits that follow are off until `flushed` has been called once. Default: no limit but 2^32 - 1.
    pub max_backlog_bytes: Option<u32>,
    /// How many messages, pings included, may have been written for a connection and not yet been flushed; in all else
    /// as [`max_backlog_bytes`](Self::max_backlog_bytes), which it stands beside. Default: no limit but 2^32 - 1.
    pub max_backlog_messages: Option<u32>,
    /// How many payload bytes may have been written for all open connections together and not yet been flushed. A
    /// message that may be dropped is dropped for those for whom no room is left, in their order. For any other message,
    /// and for a ping, room is made: the connection with the greatest backlog, the message included, is evicted until
    /// the rest is within the budget. Greatest is who has the most bits in the number of its bytes; of several, whose id
    /// has the lowest index. An evicted recipient does not get the message. Default: no limit.
    pub max_total_backlog_bytes: Option<u64>,
    /// How often each connection may send something: messages and control frames alike, all but the pong that answers
    /// the outstanding ping. What comes too often is [dropped](crate::DropReason::Throttled), which costs nothing but
    /// a violation. Time that the server was paused earns nothing, here and in the other rates. Default: no limit.
    pub message_rate: Option<Rate>,
    /// The same for each user, over all of the user's connections together, beside `message_rate`: what either holds
    /// against a message drops it, and then neither is charged. What a user has used is forgotten with the user's last
    /// connection; `connect_rate` bounds what is gained by that. Default: no limit.
    pub user_message_rate: Option<Rate>,
    /// How many violations of the message rates close a connection, with [`Answers::rate_limited`]; at least 1. They
    /// are forgotten whenever one of its messages is taken at a time when the connection could have sent a whole burst
    /// (or its user could, if there is no `message_rate`). A burst of 1 therefore forgives with every message. Default:
    /// none do.
    pub max_violations: Option<u32>,
    /// How long a message may be, in bytes; at least 125, so that control frames and health pongs fit. A longer one
    /// proves life, but it is dropped, and its connection closed with [`Answers::message_too_big`]. It pays for nothing.
    /// Default: no limit.
    pub max_message_bytes: Option<u32>,
    /// How often the server admits a connection, a replacement included, or reserves a seat for one. Only who passes all
    /// other checks is charged, and only who is admitted; the others are told [exactly](RefusalRule::ConnectRate) when to
    /// come again. Default: no limit.
    pub connect_rate: Option<Rate>,
    /// For how long a seat is [reserved](crate::Manager::reserve), the server's pauses not counted. After a pause it is
    /// held for once more as long. Default: 10 s.
    #[serde(with = "nanos")]
    pub reservation_ttl: Duration,
    /// Close codes, reasons and retry advice.
    pub answers: Answers,
    /// Spreads the first pings over the interval, and shuffles the order of a [drain](crate::Manager::drain). It shapes
    /// the output: the same seed and events give the same output. Default: 0.
    pub seed: u64,
    /// The key of the hash tables. It never shapes the output. Names come from strangers, who could choose ones that
    /// collide under a key that they know: a server on the open network should draw it at random. Default: zeros,
    /// open to such flooding.
    #[serde(skip)]
    pub hash_key: [u64; 2],
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: None,
            max_connections_per_lobby: None,
            max_connections_per_user: None,
            max_connections_per_source: None,
            user_overflow: UserOverflow::Reject,
            max_lobbies_per_connection: Some(1),
            max_name_bytes: 128,
            ping_interval: Some(Duration::from_secs(20)),
            ping_timeout: Duration::from_secs(10),
            max_missed: 2,
            ping_format: PingFormat::Json,
            ping_user_timeout: Duration::from_secs(2),
            stale_wave_floor: Some(20),
            close_timeout: Duration::from_secs(5),
            pause_tolerance: Some(Duration::from_secs(1)),
            max_backlog_bytes: None,
            max_backlog_messages: None,
            max_total_backlog_bytes: None,
            message_rate: None,
            user_message_rate: None,
            max_violations: None,
            max_message_bytes: None,
            connect_rate: None,
            reservation_ttl: Duration::from_secs(10),
            answers: Answers::default(),
            seed: 0,
            hash_key: [0, 0],
        }
    }
}

/// What happens when a user with [`Config::max_connections_per_user`] open connections connects once more.
///
/// JSON form: `"reject"`, `"replace_oldest"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserOverflow {
    /// The new connection is refused.
    #[default]
    Reject,
    /// The user's oldest open connection is closed with [`Answers::replaced`]. Its seats, the server's and the lobby's,
    /// are set aside before any limit is checked, so nobody is locked out by their own ghost.
    ReplaceOldest,
}

/// How the manager asks for a sign of life.
///
/// JSON form: `"json"`, `"web_socket"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PingFormat {
    /// `{"type":"health_ping","timestamp":N}` as a text message; the client answers
    /// `{"type":"health_pong","timestamp":N}`. Works from a browser page, which sees no ping frames, and measures
    /// the client's whole stack.
    #[default]
    Json,
    /// Ping frames (RFC 6455, section 5.5.2), which every conforming client answers by itself.
    WebSocket,
}

impl Config {
    /// What [`Manager::new`](crate::Manager::new) checks.
    ///
    /// # Errors
    /// The first setting that contradicts itself or another.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.max_lobbies_per_connection == Some(0) {
            return Err(ConfigError::Zero("max_lobbies_per_connection"));
        }
        if self.max_name_bytes == 0 {
            return Err(ConfigError::Zero("max_name_bytes"));
        }
        if self.max_missed == 0 {
            return Err(ConfigError::Zero("max_missed"));
        }
        let times = [
            ("ping_interval", self.ping_interval),
            ("ping_timeout", Some(self.ping_timeout)),
            ("ping_user_timeout", Some(self.ping_user_timeout)),
            ("close_timeout", Some(self.close_timeout)),
            ("reservation_ttl", Some(self.reservation_ttl)),
        ];
        for (field, time) in times {
            if time == Some(Duration::ZERO) {
                return Err(ConfigError::Zero(field));
            }
        }
        if self.ping_interval.is_some_and(|interval| self.ping_timeout > interval) {
            return Err(ConfigError::PingTimeoutBeyondInterval);
        }
        self.validate_rates()?;
        for rule in RefusalRule::ALL {
            if let Some(bytes) = self.answers.oversize(rule) {
                return Err(ConfigError::Answer { rule, bytes });
            }
        }
        Ok(())
    }

    fn validate_rates(&self) -> Result<(), ConfigError> {
        let rates = [
            ("message_rate", self.message_rate),
            ("user_message_rate", self.user_message_rate),
            ("connect_rate", self.connect_rate),
        ];
        for (rate, value) in rates {
            if let Some(field) = value.as_ref().and_then(Rate::zero) {
                return Err(ConfigError::ZeroRate { rate, field });
            }
        }
        if self.max_violations == Some(0) {
            return Err(ConfigError::Zero("max_violations"));
        }
        if let Some(bytes) = self.max_message_bytes.filter(|&bytes| bytes < LEAST_MESSAGE_BYTES) {
            return Err(ConfigError::MessageBytes(bytes));
        }
        match self.answers.oversize_rate_limited() {
            Some(bytes) => Err(ConfigError::RateLimitedAnswer { bytes }),
            None => Ok(()),
        }
    }
}

/// What a control frame may carry (RFC 6455, section 5.5). Health pongs are shorter.
const LEAST_MESSAGE_BYTES: u32 = 125;

/// Settings that no manager can follow.
///
/// JSON form: `{"zero":"max_missed"}`, `"ping_timeout_beyond_interval"`, `{"answer":{"rule":"user_limit","bytes":130}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConfigError {
    /// This field is 0 and must not be.
    Zero(&'static str),
    /// [`Config::ping_timeout`] is longer than [`Config::ping_interval`], so pings would overlap.
    PingTimeoutBeyondInterval,
    /// The reason of an answer would be so many bytes long together with its retry advice, more than the 123 that a
    /// close frame holds (RFC 6455, section 5.5).
    Answer {
        /// Which answer.
        rule: RefusalRule,
        /// How long its reason would be.
        bytes: usize,
    },

    /// This field of this rate is 0 and must not be.
    ZeroRate {
        /// Which rate.
        rate: &'static str,
        /// Which field.
        field: &'static str,
    },
    /// [`Config::max_message_bytes`] is so low that not every control frame fits; they have up to 125 bytes.
    MessageBytes(u32),
    /// The reason of [`Answers::rate_limited`] would be so many bytes long together with its retry advice, more than 123.
    RateLimitedAnswer {
        /// How long it would be.
        bytes: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero(field) => write!(f, "{field} must not be 0"),
            Self::PingTimeoutBeyondInterval => f.write_str("ping_timeout must not be longer than ping_interval"),
            Self::Answer { rule, bytes } => {
                write!(
                    f,
                    "the reason for \"{rule}\" takes {bytes} bytes with its retry advice; a close frame holds 123"
                )
            }
            Self::ZeroRate { rate, field } => write!(f, "{rate}.{field} must not be 0"),
            Self::MessageBytes(bytes) => {
                write!(
                    f,
                    "max_message_bytes must be at least {LEAST_MESSAGE_BYTES}, not {bytes}"
                )
            }
            Self::RateLimitedAnswer { bytes } => write!(
                f,
                "the reason for closing the rate limited takes {bytes} bytes with its retry advice; a close frame holds 123"
            ),
        }
    }
}

impl core::error::Error for ConfigError {}
