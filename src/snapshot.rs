//! A manager at rest: the form in which it is kept, its version, and what can be wrong with one.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use serde_json::{Map, Value};

use crate::backlog::SavedBacklog;
use crate::clock::{Active, Clock};
use crate::config::{Config, ConfigError};
use crate::drain::Schedule;
use crate::gcra::Bucket;
use crate::id::{ConnId, LobbyId, ReservationId};
use crate::invariant::Violation;
use crate::json::nullable;
use crate::limit::{Limit, Peaks};
use crate::pulse::Pulse;
use crate::roster::Ticket;
use crate::source::Source;
use crate::stats::Counters;
use crate::time::Time;

/// The form that this library writes, and the only one that it reads.
const VERSION: u32 = 1;

/// A whole manager at one instant, as [`Manager::snapshot`](crate::Manager::snapshot) takes it and
/// [`Manager::restore`](crate::Manager::restore) brings it back: settings, connections, lobbies, users, timers, counters
/// and the order in which ids will be given out. The hash key is not in it.
///
/// JSON form: `{"version":1,...}`, the other members being nobody's business but this version's. A member that is not
/// known, or one that is missing, is refused, but for the settings, which are read as [`Config`] is. A snapshot of
/// another version is read as far as its number, whatever else is in it, and refused by `restore`; so it cannot be
/// written again. In other self-describing formats the form is the same.
///
/// What is read is not yet known to be sound: `restore` checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(Content);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Known(Box<State>),
    /// Of this other version.
    Foreign(u32),
}

/// Everything that cannot be worked out from the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    /// The time stamp of the last ping.
    pub(crate) last_ping: u64,
    pub(crate) stale_wave: bool,
    pub(crate) counters: Counters,
    /// In the order of their slots.
    pub(crate) lobbies: Vec<SavedLobby>,
    /// The ids of the next lobbies, in their order; beyond them, new slots are taken.
    pub(crate) free_lobbies: Vec<LobbyId>,
    /// Slots that will never be used again, in their order.
    pub(crate) retired_lobbies: Vec<u32>,
    /// In the order of their names: their slots show nowhere.
    pub(crate) users: Vec<SavedUser>,
    pub(crate) peaks: Peaks,
    /// As `free_lobbies`.
    pub(crate) free_connections: Vec<ConnId>,
    /// As `retired_lobbies`.
    pub(crate) retired_connections: Vec<u32>,
    /// The backlogs of open connections that have one, in the order of their slots. `None` until the driver has reported
    /// something flushed.
    #[serde(deserialize_with = "nullable")]
    pub(crate) backlogs: Option<Vec<SavedBacklog>>,

    /// Of the connect rate.
    pub(crate) connect_bucket: Bucket,
    /// In the order of their users' names, those of one user oldest first.
    pub(crate) reservations: Vec<SavedSeat>,
    /// As `free_lobbies`.
    pub(crate) free_reservations: Vec<ReservationId>,
    /// As `retired_lobbies`.
    pub(crate) retired_reservations: Vec<u32>,
    /// Whose turn it is follows from the seed.
    #[serde(deserialize_with = "nullable")]
    pub(crate) drain: Option<Schedule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedLobby {
    pub(crate) id: LobbyId,
    pub(crate) name: Box<str>,
    pub(crate) revision: u64,
    /// How many join tickets were handed out.
    pub(crate) joins: u64,
    /// Who is in it, in the order of arrival: positions in the list of users.
    pub(crate) users: Vec<u32>,
    pub(crate) locked: bool,
}

/// A user with at least one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedUser {
    pub(crate) name: Box<str>,
    /// Oldest first.
    pub(crate) open: Vec<SavedConn>,
    /// In the order of their slots.
    pub(crate) closing: Vec<SavedClosing>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) replaced: Option<SavedClosing>,

    /// Of the user's message rate.
    pub(crate) message_bucket: Bucket,
}

/// An open connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedConn {
    pub(crate) id: ConnId,
    /// When it is looked at next: at its pulse's deadline, or before that.
    #[serde(deserialize_with = "nullable")]
    pub(crate) check: Option<Active>,
    /// Where it is, in the order of joining.
    pub(crate) lobbies: Vec<(LobbyId, Ticket)>,
    pub(crate) pulse: Pulse,
    #[serde(deserialize_with = "nullable")]
    pub(crate) source: Option<Source>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) expires: Option<Time>,

    /// Of its own message rate.
    pub(crate) message_bucket: Bucket,
    /// Of the message rates, its own and the user's.
    pub(crate) violations: u32,
}

/// A connection that was told to close. Its pulse shows nowhere any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedClosing {
    pub(crate) id: ConnId,
    /// When its time is up.
    #[serde(deserialize_with = "nullable")]
    pub(crate) check: Option<Active>,
}

/// A seat that is reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedSeat {
    pub(crate) id: ReservationId,
    pub(crate) user: Box<str>,
    pub(crate) lobby: Box<str>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) source: Option<Source>,
    /// When it is given up.
    #[serde(deserialize_with = "nullable")]
    pub(crate) due: Option<Active>,
    /// After so many pauses that was set.
    pub(crate) pauses: u32,
    /// The open connection that is to give way.
    #[serde(deserialize_with = "nullable")]
    pub(crate) replaces: Option<ConnId>,
}

impl Snapshot {
    pub(crate) fn new(state: State) -> Self {
        Self(Content::Known(Box::new(state)))
    }

    pub(crate) fn into_state(self) -> Result<State, RestoreError> {
        match self.0 {
            Content::Known(state) => Ok(*state),
            Content::Foreign(version) => Err(RestoreError::Version(version)),
        }
    }

    /// The version of its form. This library writes version 1 and restores no other.
    pub const fn version(&self) -> u32 {
        match self.0 {
            Content::Known(_) => VERSION,
            Content::Foreign(version) => version,
        }
    }
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Document<'a> {
            version: u32,
            #[serde(flatten)]
            state: &'a State,
        }

        match &self.0 {
            Content::Known(state) => Document {
                version: VERSION,
                state,
            }
            .serialize(serializer),
            Content::Foreign(version) => Err(ser::Error::custom(RestoreError::Version(*version))),
        }
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnyVersion)
    }
}

/// Reads the version before it judges anything else.
struct AnyVersion;

impl<'de> Visitor<'de> for AnyVersion {
    type Value = Snapshot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot with its version")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Snapshot, A::Error> {
        // The version is written first, but whoever sorts the members of an object may have moved it to their end.
        let mut before = Map::new();
        loop {
            let key = members.next_key::<String>()?;
            let key = key.ok_or_else(|| de::Error::missing_field("version"))?;
            if key == "version" {
                break;
            }
            insert(&mut before, key, members.next_value()?)?;
        }
        let version = members.next_value()?;
        if version != VERSION {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Snapshot(Content::Foreign(version)));
        }
        let state = if before.is_empty() {
            State::deserialize(MapAccessDeserializer::new(members))?
        } else {
            while let Some((key, value)) = members.next_entry()? {
                insert(&mut before, key, value)?;
            }
            State::deserialize(Value::Object(before)).map_err(de::Error::custom)?
        };
        Ok(Snapshot::new(state))
    }
}

fn insert<E: de::Error>(members: &mut Map<String, Value>, key: String, value: Value) -> Result<(), E> {
    match members.insert(key, value) {
        Some(_) => Err(de::Error::custom("a member that comes twice")),
        None => Ok(()),
    }
}

/// Why a snapshot was not restored: the first thing that was found wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoreError {
    /// It is of this version, not 1, the only one that this library reads.
    Version(u32),
    /// The settings contradict each other.
    Config(ConfigError),
    /// There is more of something than this setting allows, or ever allowed.
    Limit(&'static str),
    /// This limit is higher than the snapshot says that it ever was.
    Peak(Limit),
    /// The clock was suspended for longer than it has run, or more often than was counted.
    Clock,
    /// This number is higher than any that was counted from 0.
    Counter(&'static str),
    /// Of the slots of connections, lobbies or reservations, this one is claimed twice, or lies beyond their number.
    Slot {
        /// `connections`, `lobbies` or `reservations`.
        table: &'static str,
        /// The slot.
        index: u32,
    },
    /// Something is wrong with the user at this position.
    User {
        /// In the list of users, counted from 0.
        position: usize,
        /// What it is.
        fault: &'static str,
    },
    /// Something is wrong with this lobby.
    Lobby {
        /// Which lobby.
        lobby: LobbyId,
        /// What it is.
        fault: &'static str,
    },
    /// Something is wrong with this connection.
    Connection {
        /// Which connection.
        conn: ConnId,
        /// What it is.
        fault: &'static str,
    },
    /// Something is wrong with this reservation.
    Reservation {
        /// Which reservation.
        reservation: ReservationId,
        /// What it is.
        fault: &'static str,
    },
    /// Something is wrong with the drain: this.
    Drain(&'static str),
    /// Something does not hold of the whole that holds of every manager.
    Invariant(Violation),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(
                    f,
                    "a snapshot of version {version} cannot be used, only one of version {VERSION}"
                )
            }
            Self::Config(error) => write!(f, "the snapshot's settings: {error}"),
            Self::Limit(setting) => write!(f, "the snapshot holds more than {setting} ever allowed"),
            Self::Peak(limit) => write!(f, "the snapshot's {limit} is higher than it ever was"),
            Self::Clock => f.write_str("the snapshot's clock contradicts itself"),
            Self::Counter(name) => write!(f, "the snapshot's {name} is higher than can have been counted"),
            Self::Slot { table, index } => {
                write!(f, "slot {index} of the snapshot's {table} is claimed twice or missing")
            }
            Self::User { position, fault } => write!(f, "user {position} of the snapshot: {fault}"),
            Self::Lobby { lobby, fault } => write!(f, "lobby {lobby} of the snapshot: {fault}"),
            Self::Connection { conn, fault } => write!(f, "connection {conn} of the snapshot: {fault}"),
            Self::Reservation { reservation, fault } => write!(f, "reservation {reservation} of the snapshot: {fault}"),
            Self::Drain(fault) => write!(f, "the snapshot's drain: {fault}"),
            Self::Invariant(violation) => write!(f, "the snapshot as a whole: {violation}"),
        }
    }
}

impl core::error::Error for RestoreError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Invariant(violation) => Some(violation),
            _ => None,
        }
    }
}

impl From<Violation> for RestoreError {
    fn from(violation: Violation) -> Self {
        Self::Invariant(violation)
    }
}

impl From<ConfigError> for RestoreError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
