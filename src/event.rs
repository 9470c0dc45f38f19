//! What goes in: events and requests as values, and the answers to them.

use alloc::borrow::Cow;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::gcra::Rate;
use crate::id::{ConnId, LobbyId, ReservationId};
use crate::json::{nullable, present};
use crate::limit::{Limit, RateLimit};
use crate::outgoing::Outgoing;
use crate::payload::Frame;
use crate::receipt::Receipt;
use crate::refusal::{CloseFrame, Refusal};
use crate::source::Source;
use crate::time::{Time, nanos, optional_nanos};

/// Something that happened, at an instant: what [`Manager::apply`](crate::Manager::apply) takes, for logs, replays,
/// fuzzers and FFI.
///
/// JSON form: `{"at":<nanoseconds>,"call":{"event":...}}` or `{"at":<nanoseconds>,"call":{"request":...}}`. A member
/// that is not known is refused, since a replay that ignored it would go another way.
///
/// ```
/// use lobbykeeper::{Call, Event, Handshake, Input, Time};
///
/// let input = Input { at: Time::from_secs(1), call: Call::Event(Event::Connected(Handshake::new("den", "ann"))) };
/// let json = r#"{"at":1000000000,"call":{"event":{"connected":{"lobby":"den","user":"ann"}}}}"#;
/// assert_eq!(serde_json::to_string(&input).unwrap(), json);
/// assert_eq!(serde_json::from_str::<Input>(json).unwrap(), input);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input<'a> {
    /// The driver's clock.
    pub at: Time,
    /// Which method is called, with what.
    #[serde(borrow)]
    pub call: Call<'a>,
}

/// The two kinds of input.
///
/// JSON form: `{"event":...}`, `{"request":...}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call<'a> {
    /// The outside world did something.
    Event(#[serde(borrow)] Event<'a>),
    /// The application wants something.
    Request(#[serde(borrow)] Request<'a>),
}

/// What the outside world did. Each variant is the method of [`Manager`](crate::Manager) with the same name.
///
/// JSON form: `{"connected":{"lobby":"den","user":"ann"}}`, `{"message":{"conn":"c0v1","frame":{"text":"hello"}}}`,
/// `{"closed":{"conn":"c0v1","cause":"peer"}}`, `"tick"`, `{"flushed":{"conn":"c0v1","bytes":128,"messages":1}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Event<'a> {
    /// [`Manager::connected`](crate::Manager::connected).
    Connected(#[serde(borrow)] Handshake<'a>),
    /// [`Manager::message`](crate::Manager::message).
    Message {
        /// From whom.
        conn: ConnId,
        /// What.
        #[serde(borrow)]
        frame: Frame<'a>,
    },
    /// [`Manager::closed`](crate::Manager::closed).
    Closed {
        /// Which connection.
        conn: ConnId,
        /// Why.
        cause: Cause,
    },
    /// [`Manager::tick`](crate::Manager::tick).
    Tick,
    /// [`Manager::flushed`](crate::Manager::flushed).
    Flushed {
        /// Whose.
        conn: ConnId,
        /// Payload bytes.
        bytes: u64,
        /// Messages and pings.
        messages: u32,
    },
}

/// What the application wants. Each variant is the method of [`Manager`](crate::Manager) with the same name.
///
/// JSON form: `{"broadcast":{"lobby":{"name":"den"},"payload":{"text":"hello"},"except":"nobody"}}` and so on: the name
/// of the method, then its arguments by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Request<'a> {
    /// [`Manager::broadcast`](crate::Manager::broadcast).
    Broadcast {
        /// To whose members.
        #[serde(borrow)]
        lobby: LobbyRef<'a>,
        /// What.
        payload: Outgoing,
        /// Who is left out.
        except: Except<'a>,
    },
    /// [`Manager::broadcast_all`](crate::Manager::broadcast_all).
    BroadcastAll {
        /// What.
        payload: Outgoing,
        /// Who is left out.
        except: Except<'a>,
    },
    /// [`Manager::send_to`](crate::Manager::send_to).
    SendTo {
        /// To whom.
        conn: ConnId,
        /// What.
        payload: Outgoing,
    },
    /// [`Manager::send_to_user`](crate::Manager::send_to_user).
    SendToUser {
        /// To whom.
        user: Cow<'a, str>,
        /// What.
        payload: Outgoing,
    },
    /// [`Manager::ping_user`](crate::Manager::ping_user).
    PingUser {
        /// Whom.
        user: Cow<'a, str>,
        /// How long the answer may take; the configured time if it is missing or null.
        #[serde(with = "optional_nanos", default)]
        timeout: Option<Duration>,
    },
    /// [`Manager::join`](crate::Manager::join).
    Join {
        /// Who.
        conn: ConnId,
        /// Where.
        lobby: Cow<'a, str>,
    },
    /// [`Manager::switch_lobby`](crate::Manager::switch_lobby).
    SwitchLobby {
        /// Who.
        conn: ConnId,
        /// Out of which lobby.
        from: LobbyRef<'a>,
        /// Into which lobby.
        to: Cow<'a, str>,
    },
    /// [`Manager::leave`](crate::Manager::leave).
    Leave {
        /// Who.
        conn: ConnId,
        /// Out of which lobby.
        lobby: LobbyRef<'a>,
    },
    /// [`Manager::kick`](crate::Manager::kick).
    Kick {
        /// Whom.
        conn: ConnId,
        /// With what words.
        close: CloseFrame,
    },
    /// [`Manager::close_all`](crate::Manager::close_all).
    CloseAll {
        /// With what words.
        close: CloseFrame,
    },
    /// [`Manager::kick_user`](crate::Manager::kick_user).
    KickUser {
        /// Whom.
        user: Cow<'a, str>,
        /// With what words.
        close: CloseFrame,
    },
    /// [`Manager::kick_lobby`](crate::Manager::kick_lobby).
    KickLobby {
        /// Whose members.
        lobby: LobbyRef<'a>,
        /// With what words.
        close: CloseFrame,
    },
    /// [`Manager::lock_lobby`](crate::Manager::lock_lobby).
    LockLobby {
        /// Which lobby.
        lobby: LobbyRef<'a>,
    },
    /// [`Manager::unlock_lobby`](crate::Manager::unlock_lobby).
    UnlockLobby {
        /// Which lobby.
        lobby: LobbyRef<'a>,
    },
    /// [`Manager::set_limit`](crate::Manager::set_limit).
    SetLimit {
        /// Which limit.
        limit: Limit,
        /// Its value from now on; null for none.
        #[serde(deserialize_with = "nullable")]
        max: Option<u64>,
    },
    /// [`Manager::extend`](crate::Manager::extend).
    Extend {
        /// Whose time.
        conn: ConnId,
        /// Until when; null for ever.
        #[serde(deserialize_with = "nullable")]
        expires: Option<Time>,
    },

    /// [`Manager::set_rate`](crate::Manager::set_rate).
    SetRate {
        /// Which rate.
        limit: RateLimit,
        /// Its value from now on; null for none.
        #[serde(deserialize_with = "nullable")]
        rate: Option<Rate>,
    },
    /// [`Manager::reserve`](crate::Manager::reserve).
    Reserve(Handshake<'a>),
    /// [`Manager::release`](crate::Manager::release).
    Release {
        /// Which reservation.
        reservation: ReservationId,
    },
    /// [`Manager::drain`](crate::Manager::drain).
    Drain {
        /// Between two closes.
        #[serde(with = "nanos")]
        every: Duration,
        /// When all are closed that are left.
        deadline: Time,
    },
}

/// What [`Manager::apply`](crate::Manager::apply) returns: what the method returned.
///
/// JSON form: `{"connected":{"Ok":"c0v1"}}`, `{"message":"deliver"}`, `{"changed":true}`, `{"addressed":3}`,
/// `{"entered":{"Ok":"l0v1"}}`, `{"limit_set":{"Ok":null}}`, `{"reserved":{"Ok":"r0v1"}}`, `"ticked"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// Of `connected`.
    Connected(Result<ConnId, Refusal>),
    /// Of `message`.
    Message(Inbound),
    /// Of `tick`.
    Ticked,
    /// Of `closed`, `flushed`, `leave`, `kick`, `lock_lobby`, `unlock_lobby`, `extend`, `release` and `drain`.
    Changed(bool),
    /// Of all that send, ping or close: to how many connections.
    Addressed(usize),
    /// Of `join` and `switch_lobby`.
    Entered(Result<LobbyId, JoinError>),
    /// Of `set_limit` and `set_rate`.
    LimitSet(Result<(), ConfigError>),
    /// Of `reserve`.
    Reserved(Result<ReservationId, Refusal>),
}

/// Who connects, and where to. The driver has authenticated the user.
///
/// ```
/// # use lobbykeeper::Handshake;
/// let handshake = Handshake::new("den", "ann");
/// assert_eq!((&*handshake.lobby, &*handshake.user), ("den", "ann"));
/// ```
///
/// Where it comes from and for how long it may stay is told by who has it to tell:
///
/// ```
/// # use core::net::Ipv4Addr;
/// # use core::time::Duration;
/// # use lobbykeeper::{Handshake, Time};
/// let (peer, now) = (Ipv4Addr::new(192, 0, 2, 1), Time::from_secs(5));
/// let handshake = Handshake::new("den", "ann").source(peer).expires(now + Duration::from_secs(3_600));
/// assert_eq!(handshake.source, Some(peer.into()));
/// ```
///
/// JSON form: `{"lobby":"den","user":"ann"}`, and `"source":"00000000000000000000ffffc0000201"`,
/// `"expires":3605000000000` and `"reservation":"r0v1"` if they are there; null is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Handshake<'a> {
    /// The lobby that the connection starts in.
    #[serde(borrow)]
    pub lobby: Cow<'a, str>,
    /// Whose connection it is.
    #[serde(borrow)]
    pub user: Cow<'a, str>,
    /// Where it comes from, if that is to be counted for
    /// [`Config::max_connections_per_source`](crate::Config::max_connections_per_source).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub source: Option<Source>,
    /// Until when what the user proved is good, on the driver's clock: from this instant on the connection is refused,
    /// and closed if it is there. A pause of the server does not postpone it.
    /// [`extend`](crate::Manager::extend) sets it anew.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub expires: Option<Time>,
    /// The seat that was [reserved](crate::Manager::reserve) for it, which it takes instead of one more.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub reservation: Option<ReservationId>,
}

impl<'a> Handshake<'a> {
    /// A connection of `user`, starting in `lobby`.
    pub fn new(lobby: impl Into<Cow<'a, str>>, user: impl Into<Cow<'a, str>>) -> Self {
        Self {
            lobby: lobby.into(),
            user: user.into(),
            source: None,
            expires: None,
            reservation: None,
        }
    }

    /// The same from this source, an address say.
    #[must_use]
    pub fn source(self, source: impl Into<Source>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// The same for no longer than until this instant.
    #[must_use]
    pub fn expires(self, expires: Time) -> Self {
        Self {
            expires: Some(expires),
            ..self
        }
    }

    /// The same, in a seat that was reserved.
    #[must_use]
    pub fn reservation(self, reservation: ReservationId) -> Self {
        Self {
            reservation: Some(reservation),
            ..self
        }
    }
}

/// Why a connection has ended, as the driver saw it.
///
/// JSON form: `"peer"`, `"error"`, `"send_failed"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// The closing handshake is over, or the peer has closed the stream.
    Peer,
    /// Reading failed, or the peer broke the protocol.
    Error,
    /// A message could not be sent, or not be queued.
    SendFailed,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Peer => "closed by the peer",
            Self::Error => "failed",
            Self::SendFailed => "a send failed",
        })
    }
}

/// A lobby, however the caller knows it.
///
/// JSON form: `{"name":"den"}`, `{"id":"l0v1"}`, `{"of":"c0v1"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LobbyRef<'a> {
    /// By its name: costs one hash.
    Name(Cow<'a, str>),
    /// By its id.
    Id(LobbyId),
    /// The lobby of a connection; of several, the first that it joined.
    Of(ConnId),
}

impl<'a> From<&'a str> for LobbyRef<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(Cow::Borrowed(name))
    }
}

impl From<LobbyId> for LobbyRef<'_> {
    fn from(id: LobbyId) -> Self {
        Self::Id(id)
    }
}

impl From<ConnId> for LobbyRef<'_> {
    fn from(conn: ConnId) -> Self {
        Self::Of(conn)
    }
}

/// Who is left out of a broadcast. One who is not there leaves nobody out.
///
/// JSON form: `"nobody"`, `{"conn":"c0v1"}`, `{"user":"ann"}`, `{"user_of":"c0v1"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Except<'a> {
    /// Everyone is addressed.
    Nobody,
    /// This connection alone, not its user's others.
    Conn(ConnId),
    /// All connections of this user.
    User(Cow<'a, str>),
    /// All connections of this connection's user: the sender's, say.
    UserOf(ConnId),
}

impl<'a> Except<'a> {
    /// All connections of the user with this name.
    pub fn user(name: impl Into<Cow<'a, str>>) -> Self {
        Self::User(name.into())
    }
}

/// What the application is to do with a message.
///
/// JSON form: `"deliver"`, `"handled"`, `"stale"`, `{"dropped":...}` with a [`DropReason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Inbound {
    /// It is the application's.
    Deliver,
    /// It was part of the health checks, or a control frame: nothing is left to do.
    Handled,
    /// Its connection is unknown, closing or gone: drop it.
    Stale,
    /// A limit stands against it: drop it. It proved life all the same.
    Dropped(DropReason),
}

/// Why a message is to be dropped.
///
/// JSON form: `{"throttled":{"by":"connection"}}`, `"too_big"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DropReason {
    /// It came too soon after others. Neither rate is charged; the connection has one violation more, which
    /// [`Notice::Throttled`](crate::Notice::Throttled) tells with the delay after which one would be taken, and if it was
    /// one too many, is closed.
    Throttled {
        /// Which rate stands against it; of both, the one that does so for longer, and the connection's if they are
        /// even.
        by: RateScope,
    },
    /// It is longer than [`Config::max_message_bytes`](crate::Config::max_message_bytes). Its connection is closed.
    TooBig,
}

/// Whose messages a rate counts.
///
/// JSON form: `"connection"`, `"user"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RateScope {
    /// Each connection's: [`Config::message_rate`](crate::Config::message_rate).
    Connection,
    /// Each user's over all connections: [`Config::user_message_rate`](crate::Config::user_message_rate).
    User,
}

impl fmt::Display for RateScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "connection",
            Self::User => "user",
        })
    }
}

/// A connection did not enter a lobby; it is where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JoinError {
    /// The connection is unknown, closing or gone.
    UnknownConnection,
    /// It is not in the lobby that it was to leave.
    NotMember,
    /// It is in [`Config::max_lobbies_per_connection`](crate::Config::max_lobbies_per_connection) lobbies.
    TooManyLobbies(Receipt),
    /// The lobby is locked or full, or its name cannot be one.
    Refused(Refusal),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownConnection => f.write_str("unknown connection"),
            Self::NotMember => f.write_str("not a member of that lobby"),
            Self::TooManyLobbies(_) => f.write_str("in as many lobbies as a connection may be"),
            Self::Refused(refusal) => fmt::Display::fmt(refusal, f),
        }
    }
}

impl core::error::Error for JoinError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}
