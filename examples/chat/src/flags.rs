//! Flags and environment: every limit and every time, on the command line.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, ValueEnum};
use lobbykeeper::{Config, ConfigError, PingFormat, Rate, UserOverflow};

use crate::proxies::{Forwarded, Network, Proxies};

/// What a server is told: the settings of the manager, and those of its sockets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Limits and times.
    pub config: Config,
    /// The longest message that is read from a client.
    pub max_message_bytes: u32,
    /// What happens to a client that is too far behind for one more chat message.
    pub slow_client: SlowClient,
    /// How long a client may take to ask for the upgrade.
    pub handshake_timeout: Duration,
    /// How long it takes to look at a token.
    pub auth_delay: Duration,
    /// Whom to believe where clients come from.
    pub proxies: Proxies,
    /// Between two closes when the server is told to stop.
    pub drain_every: Duration,
    /// After how long those are closed that are left then.
    pub drain_within: Duration,
    /// Where the flight recorder writes; the file must be a new one.
    pub record: Option<PathBuf>,
    /// For conformance tests: every message goes back to its sender, and nothing else is sent.
    pub echo: bool,
}

/// The flags and variables that all servers share.
#[derive(Clone, Debug, Args)]
pub struct Flags {
    /// How many connections the server holds, or "off".
    #[arg(long, env = "LOBBY_MAX_CONNECTIONS", value_name = "N", default_value = "500")]
    max_connections: OrOff<u32>,

    /// How many connections a lobby holds, or "off".
    #[arg(long, env = "LOBBY_MAX_PER_LOBBY", value_name = "N", default_value = "10")]
    max_per_lobby: OrOff<u32>,

    /// How many connections a user has across all lobbies, or "off".
    #[arg(long, env = "LOBBY_MAX_PER_USER", value_name = "N", default_value = "off")]
    max_per_user: OrOff<u32>,

    /// How many connections come from one address (of IPv6 from one /64), or "off". Behind a
    /// proxy all come from that, unless it is believed where they do: see --forwarded.
    #[arg(long, env = "LOBBY_MAX_PER_SOURCE", value_name = "N", default_value = "off")]
    max_per_source: OrOff<u32>,

    /// The header in which a proxy tells the address of a client: its last entry is believed if the connection comes from
    /// one of --trusted-proxies, and nothing else is.
    #[arg(long, env = "LOBBY_FORWARDED", default_value = "off")]
    forwarded: Forwarded,

    /// The addresses or networks (10.0.0.0/8) of the proxies that are believed.
    #[arg(
        long,
        env = "LOBBY_TRUSTED_PROXIES",
        value_name = "ADDRESSES",
        value_delimiter = ',',
        default_value = "127.0.0.1,::1"
    )]
    trusted_proxies: Vec<Network>,

    /// What happens to the connection that would be one too many for its user.
    #[arg(long, env = "LOBBY_USER_OVERFLOW", default_value = "reject")]
    user_overflow: Overflow,

    /// How long the name of a lobby or a user is, in bytes.
    #[arg(long, env = "LOBBY_MAX_NAME_BYTES", value_name = "BYTES", default_value = "128")]
    max_name_bytes: u32,

    /// How long a message from a client is, in bytes; a longer one is closed with 1009.
    #[arg(long, env = "LOBBY_MAX_MESSAGE_BYTES", value_name = "BYTES", default_value = "65536")]
    max_message_bytes: u32,

    /// How many messages a connection sends in a second, or "off"; the rest is dropped, and the client is told when to
    /// go on.
    #[arg(long, env = "LOBBY_MESSAGE_RATE", value_name = "N", default_value = "20")]
    message_rate: OrOff<u32>,

    /// How many messages a connection sends at once after a rest.
    #[arg(long, env = "LOBBY_MESSAGE_BURST", value_name = "N", default_value = "60")]
    message_burst: u32,

    /// How many messages a user sends in a second over all connections, or "off".
    #[arg(long, env = "LOBBY_USER_MESSAGE_RATE", value_name = "N", default_value = "40")]
    user_message_rate: OrOff<u32>,

    /// How many messages a user sends at once after a rest.
    #[arg(long, env = "LOBBY_USER_MESSAGE_BURST", value_name = "N", default_value = "120")]
    user_message_burst: u32,

    /// How many messages that were dropped for a rate close a connection with 1008, unless it rests in between, or
    /// "off".
    #[arg(long, env = "LOBBY_MAX_VIOLATIONS", value_name = "N", default_value = "100")]
    max_violations: OrOff<u32>,

    /// How many connections the server admits in a second, or "off"; the others are told when to come again.
    #[arg(long, env = "LOBBY_CONNECT_RATE", value_name = "N", default_value = "100")]
    connect_rate: OrOff<u32>,

    /// How many connections the server admits at once after a rest: all who return after a restart, say.
    #[arg(long, env = "LOBBY_CONNECT_BURST", value_name = "N", default_value = "500")]
    connect_burst: u32,

    /// How many bytes of messages wait for one client, or "off"; a client that is further behind is cut off.
    #[arg(
        long,
        env = "LOBBY_MAX_BACKLOG_BYTES",
        value_name = "BYTES",
        default_value = "1048576"
    )]
    max_backlog_bytes: OrOff<u32>,

    /// How many messages wait for one client, or "off".
    #[arg(long, env = "LOBBY_MAX_BACKLOG_MESSAGES", value_name = "N", default_value = "8192")]
    max_backlog_messages: OrOff<u32>,

    /// How many bytes of messages wait for all clients together, or "off"; whoever is furthest behind is cut off then.
    #[arg(
        long,
        env = "LOBBY_MAX_TOTAL_BACKLOG_BYTES",
        value_name = "BYTES",
        default_value = "67108864"
    )]
    max_total_backlog_bytes: OrOff<u64>,

    /// What happens to a client that is too far behind for one more chat message.
    #[arg(long, env = "LOBBY_SLOW_CLIENT", default_value = "evict")]
    slow_client: SlowClient,

    /// How long a client may take to ask for the upgrade.
    #[arg(long, env = "LOBBY_HANDSHAKE_TIMEOUT", value_name = "TIME", default_value = "10s")]
    handshake_timeout: humantime::Duration,

    /// Stands in for a service that has to be asked about each token: how long its answer takes. Meanwhile a seat is
    /// reserved.
    #[arg(long, env = "LOBBY_AUTH_DELAY", value_name = "TIME", default_value = "0s")]
    auth_delay: humantime::Duration,

    /// How long a seat is reserved.
    #[arg(long, env = "LOBBY_RESERVATION_TTL", value_name = "TIME", default_value = "10s")]
    reservation_ttl: humantime::Duration,

    /// How often each connection is pinged, or "off": then nobody is evicted for silence.
    #[arg(long, env = "LOBBY_PING_INTERVAL", value_name = "TIME", default_value = "20s")]
    ping_interval: OrOff<humantime::Duration>,

    /// How long after a ping something must have been heard; at most the interval.
    #[arg(long, env = "LOBBY_PING_TIMEOUT", value_name = "TIME", default_value = "10s")]
    ping_timeout: humantime::Duration,

    /// How many pings in a row a connection misses before it is evicted.
    #[arg(long, env = "LOBBY_MAX_MISSED", value_name = "N", default_value = "2")]
    max_missed: u8,

    /// What a ping is: a JSON message, which a browser's page can answer, or a ping frame.
    #[arg(long, env = "LOBBY_PING_FORMAT", default_value = "json")]
    ping_format: Format,

    /// How long the ping that greets a newcomer waits for its pong.
    #[arg(long, env = "LOBBY_PING_USER_TIMEOUT", value_name = "TIME", default_value = "2s")]
    ping_user_timeout: humantime::Duration,

    /// From how many silent connections on, if they are also more than a quarter, the server suspects its own network,
    /// or "off".
    #[arg(long, env = "LOBBY_STALE_WAVE_FLOOR", value_name = "N", default_value = "20")]
    stale_wave_floor: OrOff<u32>,

    /// How long a client may take to close before it is dropped.
    #[arg(long, env = "LOBBY_CLOSE_TIMEOUT", value_name = "TIME", default_value = "5s")]
    close_timeout: humantime::Duration,

    /// Between two closes when the server is told to stop: its clients come to the next one no closer than this.
    #[arg(long, env = "LOBBY_DRAIN_EVERY", value_name = "TIME", default_value = "20ms")]
    drain_every: humantime::Duration,

    /// After how long those are closed that are left then.
    #[arg(long, env = "LOBBY_DRAIN_WITHIN", value_name = "TIME", default_value = "15s")]
    drain_within: humantime::Duration,

    /// By how much the server may oversleep before that counts as a pause, which nobody is evicted for, or "off".
    #[arg(long, env = "LOBBY_PAUSE_TOLERANCE", value_name = "TIME", default_value = "1s")]
    pause_tolerance: OrOff<humantime::Duration>,

    /// Records everything that happens to this file, which must be a new one: the tool `replay` reads it. It holds what
    /// people write to each other.
    #[arg(long, env = "LOBBY_RECORD", value_name = "FILE")]
    record: Option<PathBuf>,

    /// For conformance tests: every message goes back to its sender.
    #[arg(long, hide = true)]
    echo: bool,
}

impl Flags {
    /// What the flags say, with a hash key drawn at random.
    ///
    /// # Errors
    /// The first setting that contradicts itself or another.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let config = Config {
            max_connections: self.max_connections.0,
            max_connections_per_lobby: self.max_per_lobby.0,
            max_connections_per_user: self.max_per_user.0,
            max_connections_per_source: self.max_per_source.0,
            user_overflow: self.user_overflow.into(),
            max_name_bytes: self.max_name_bytes,
            message_rate: per_second(self.message_rate, self.message_burst),
            user_message_rate: per_second(self.user_message_rate, self.user_message_burst),
            max_violations: self.max_violations.0,
            max_message_bytes: Some(self.max_message_bytes),
            connect_rate: per_second(self.connect_rate, self.connect_burst),
            max_backlog_bytes: self.max_backlog_bytes.0,
            max_backlog_messages: self.max_backlog_messages.0,
            max_total_backlog_bytes: self.max_total_backlog_bytes.0,
            ping_interval: self.ping_interval.0.map(Into::into),
            ping_timeout: self.ping_timeout.into(),
            max_missed: self.max_missed,
            ping_format: self.ping_format.into(),
            ping_user_timeout: self.ping_user_timeout.into(),
            stale_wave_floor: self.stale_wave_floor.0,
            close_timeout: self.close_timeout.into(),
            pause_tolerance: self.pause_tolerance.0.map(Into::into),
            reservation_ttl: self.reservation_ttl.into(),
            hash_key: random_hash_key(),
            ..Config::default()
        };
        config.validate()?;
        Ok(Settings {
            config,
            max_message_bytes: self.max_message_bytes,
            slow_client: self.slow_client,
            handshake_timeout: self.handshake_timeout.into(),
            auth_delay: self.auth_delay.into(),
            proxies: Proxies::new(self.forwarded, self.trusted_proxies.clone()),
            drain_every: self.drain_every.into(),
            drain_within: self.drain_within.into(),
            record: self.record.clone(),
            echo: self.echo,
        })
    }
}

fn per_second(events: OrOff<u32>, burst: u32) -> Option<Rate> {
    let per = Duration::from_secs(1);
    events.0.map(|events| Rate { events, per, burst })
}

/// What was made of a command's flags. If that is an error, the command ends as it does for a flag that it does not know.
pub fn or_exit<C: CommandFactory, T>(made: Result<T, impl fmt::Display>) -> T {
    made.unwrap_or_else(|error| C::command().error(ErrorKind::ValueValidation, error).exit())
}

/// Names come from strangers, so nobody may know the key that they are hashed with. The standard library draws its own
/// from the system.
fn random_hash_key() -> [u64; 2] {
    [0, 1].map(|word| RandomState::new().hash_one(word))
}

/// A value that may be switched off.
#[derive(Clone, Copy, Debug)]
struct OrOff<T>(Option<T>);

impl<T> FromStr for OrOff<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        text.parse()
            .map(|value| Self(Some(value)))
            .map_err(|error| format!("{error} (or \"off\")"))
    }
}

/// What happens to a client that is too far behind for one more chat message.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SlowClient {
    /// It is cut off, and comes back to an empty queue: nobody sees a talk with holes and does not know it.
    Evict,
    /// It does without, and is told how many messages it missed once it has caught up.
    Skip,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Overflow {
    /// It is refused with 4003 `user_limit`.
    Reject,
    /// The user's oldest connection is closed with 4005 `replaced`.
    ReplaceOldest,
}

impl From<Overflow> for UserOverflow {
    fn from(overflow: Overflow) -> Self {
        match overflow {
            Overflow::Reject => Self::Reject,
            Overflow::ReplaceOldest => Self::ReplaceOldest,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A JSON text message.
    Json,
    /// A ping frame (RFC 6455), which measures no latency of the page itself.
    WebSocket,
}

impl From<Format> for PingFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::WebSocket => Self::WebSocket,
        }
    }
}
