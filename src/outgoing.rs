//! What a message is worth to its sender.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::payload::Payload;

/// What becomes of a message for whose recipient it is one too many: see [`Config::max_backlog_bytes`] and its
/// neighbours.
///
/// [`Config::max_backlog_bytes`]: crate::Config::max_backlog_bytes
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// The recipient gets it or goes: one who is too slow for it is evicted, and comes back to a fresh start. For
    /// whatever must not be missing, a chat message say.
    #[default]
    Reliable,
    /// The recipient does without it, and the application is told how many it did without, once there is room again:
    /// [`Notice::Writable`](crate::Notice::Writable). For whatever the next message makes up for, a position say.
    Droppable,
}

/// A message with its class of delivery: what all that send take. A [`Payload`] is one by itself, and reliable.
///
/// ```
/// use lobbykeeper::{Delivery, Outgoing, Payload};
///
/// assert_eq!(Outgoing::from(Payload::text("hello")).delivery, Delivery::Reliable);
/// assert_eq!(Payload::text("at 3,4").droppable().delivery, Delivery::Droppable);
/// ```
///
/// JSON form: that of the payload, `{"text":"hello"}` say; of a droppable one `{"droppable":{"text":"at 3,4"}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// What is sent.
    pub payload: Payload,
    /// What it is worth.
    pub delivery: Delivery,
}

impl From<Payload> for Outgoing {
    fn from(payload: Payload) -> Self {
        Self {
            payload,
            delivery: Delivery::Reliable,
        }
    }
}

impl Payload {
    /// The same as a message that a slow recipient may do without.
    pub const fn droppable(self) -> Outgoing {
        Outgoing {
            payload: self,
            delivery: Delivery::Droppable,
        }
    }
}

impl Serialize for Outgoing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.delivery {
            Delivery::Reliable => self.payload.serialize(serializer),
            Delivery::Droppable => serializer.serialize_newtype_variant("Outgoing", 3, "droppable", &self.payload),
        }
    }
}

impl<'de> Deserialize<'de> for Outgoing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use crate::payload::{PingData, Text, base64_bytes};
        use bytes::Bytes;

        /// The variants of a payload, and one more.
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Form {
            Text(Text),
            Binary(#[serde(with = "base64_bytes")] Bytes),
            Ping(PingData),
            Droppable(Payload),
        }

        Ok(match Form::deserialize(deserializer)? {
            Form::Text(text) => Payload::Text(text).into(),
            Form::Binary(bytes) => Payload::Binary(bytes).into(),
            Form::Ping(data) => Payload::Ping(data).into(),
            Form::Droppable(payload) => payload.droppable(),
        })
    }
}
