//! The messages on the wire: JSON text, documented in the README. The health messages are the library's own.

use std::time::Duration;

use lobbykeeper::{Latency, Payload};
use serde::{Deserialize, Serialize};

/// What a client says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ClientMessage {
    /// To everyone in the lobby but the sender.
    Chat { text: String },
    /// To one user.
    Direct { to: String, text: String },
    #[serde(other)]
    Unknown,
}

/// What a client is told.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ServerMessage<'a> {
    Chat {
        from: &'a str,
        text: &'a str,
    },
    Direct {
        from: &'a str,
        to: &'a str,
        text: &'a str,
    },
    /// The first message of every connection.
    Welcome {
        lobby: &'a str,
        you: &'a str,
        roster: Roster<'a>,
    },
    Joined {
        user: &'a str,
        revision: u64,
    },
    Left {
        user: &'a str,
        revision: u64,
    },
    Latency {
        user: &'a str,
        milliseconds: f64,
    },
    /// The client's last message came too soon after others and was dropped. After so long one will be taken.
    Throttled {
        milliseconds: u64,
    },
    /// So many messages were left out, since too much was waiting for this client.
    Gap {
        dropped: u32,
    },
    /// What the client sent was not acted on. The connection stays.
    Error {
        code: ErrorCode,
        message: &'a str,
    },
}

/// Who is in the lobby. A client drops the `joined` and `left` up to this revision: the roster has them already.
#[derive(Debug, Serialize)]
pub(crate) struct Roster<'a> {
    pub(crate) revision: u64,
    pub(crate) users: Vec<Person<'a>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Person<'a> {
    pub(crate) user: &'a str,
    /// `null` until the first answer to a ping.
    pub(crate) milliseconds: Option<f64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ErrorCode {
    /// Not JSON, or a member is missing or of the wrong type.
    Malformed,
    /// JSON of a type that the server does not know.
    UnknownType,
    /// A binary message.
    Binary,
    /// The user of a `direct` has no connection.
    NotHere,
}

impl ServerMessage<'_> {
    /// Words it, once for all recipients.
    pub(crate) fn payload(&self) -> Payload {
        Payload::text(serde_json::to_string(self).expect("strings and numbers are always JSON"))
    }
}

/// What a lobby is to be told of a client's message, if that is a chat: the same work for servers without a manager, which
/// ours are compared with.
pub fn relayed(from: &str, message: &[u8]) -> Option<String> {
    match serde_json::from_slice(message) {
        Ok(ClientMessage::Chat { text }) => serde_json::to_string(&ServerMessage::Chat { from, text: &text }).ok(),
        _ => None,
    }
}

/// The moving average as it is told to people: whole microseconds, so that the JSON has at most three decimals.
pub(crate) fn milliseconds(latency: Latency) -> f64 {
    f64::from(u32::try_from(latency.smoothed.as_micros()).unwrap_or(u32::MAX)) / 1_000.0
}

/// A delay in milliseconds, never less than it is.
pub fn whole_milliseconds(delay: Duration) -> u64 {
    u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
