//! What is said on the wire: frames that come in, payloads that go out.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// UTF-8 text in a shared buffer: a clone counts a reference and copies nothing.
///
/// Drivers hand the bytes on; [`Text::as_str`] is for those who want to look at them.
///
/// ```
/// # use lobbykeeper::Text;
/// let text = Text::from("hello");
/// assert_eq!(text.as_str(), "hello");
/// assert_eq!(text.as_bytes(), &b"hello"[..]);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(Bytes);

impl Text {
    /// A text that lies in the program. O(1), without allocation.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The shared buffer.
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The shared buffer itself, which is valid UTF-8.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The text. O(length): the bytes are checked again, since this library has no `unsafe` code.
    pub fn as_str(&self) -> &str {
        // Every constructor has checked, so the default is never taken.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// For bytes that this library composed of ASCII alone.
    pub(crate) fn from_ascii(bytes: Bytes) -> Self {
        debug_assert!(bytes.is_ascii());
        Self(bytes)
    }
}

/// Takes the string's buffer; copies nothing.
impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

/// Copies the text once.
impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

/// Shares the buffer; O(length) for the check.
impl TryFrom<Bytes> for Text {
    type Error = core::str::Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Self::Error> {
        core::str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// A message to be sent. Cheap to clone: all recipients of a broadcast share one.
///
/// JSON form: `{"text":"..."}`, `{"binary":"<base64>"}`, `{"ping":"<base64>"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// A text message (RFC 6455, opcode 1).
    Text(Text),
    /// A binary message (opcode 2).
    Binary(#[serde(with = "base64_bytes")] Bytes),
    /// A ping frame (opcode 9). Only the manager makes one, in [`PingFormat::WebSocket`](crate::PingFormat::WebSocket)
    /// mode; an application can but pass it on.
    Ping(PingData),
}

impl Payload {
    /// A text message; a `String` is taken as it is, a `&str` copied once.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message; `Bytes` and `Vec<u8>` are taken as they are.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// What goes into the frame, whatever its kind.
    pub const fn as_bytes(&self) -> &Bytes {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
            Self::Ping(data) => data.as_bytes(),
        }
    }

    /// Length in bytes.
    pub const fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What may stand in a control frame (RFC 6455, section 5.5).
const MAX_CONTROL_BYTES: usize = 125;

/// What the manager puts into a ping frame: its time stamp in decimal, well under the 125 bytes of RFC 6455, section
/// 5.5.
///
/// JSON form: base64; more than 125 bytes are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PingData(#[serde(with = "base64_bytes")] Bytes);

impl<'de> Deserialize<'de> for PingData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = decode(deserializer)?;
        if bytes.len() > MAX_CONTROL_BYTES {
            return Err(serde::de::Error::invalid_length(bytes.len(), &"at most 125 bytes"));
        }
        Ok(Self(Bytes::from(bytes)))
    }
}

impl PingData {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The application data of the frame.
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The application data of the frame, as the shared buffer itself.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// One message as it came in. It borrows: the caller keeps its message.
///
/// A driver passes whole messages, joined from their fragments, and control frames as they come. Close frames are not
/// passed: they are a [`closed`](crate::Manager::closed) once the handshake is over.
///
/// JSON form: `{"text":"..."}`, `{"binary":"<base64>"}`, `{"ping":"<base64>"}`, `{"pong":"<base64>"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame<'a> {
    /// A text message (RFC 6455, opcode 1).
    Text(#[serde(borrow)] Cow<'a, str>),
    /// A binary message (opcode 2).
    Binary(#[serde(with = "base64_cow")] Cow<'a, [u8]>),
    /// A ping from the client (opcode 9). The driver or its WebSocket library answers it.
    Ping(#[serde(with = "base64_cow")] Cow<'a, [u8]>),
    /// A pong from the client (opcode 10).
    Pong(#[serde(with = "base64_cow")] Cow<'a, [u8]>),
}

impl<'a> Frame<'a> {
    /// A borrowed text message.
    pub const fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A borrowed binary message.
    pub const fn binary(bytes: &'a [u8]) -> Self {
        Self::Binary(Cow::Borrowed(bytes))
    }

    /// A borrowed ping.
    pub const fn ping(bytes: &'a [u8]) -> Self {
        Self::Ping(Cow::Borrowed(bytes))
    }

    /// A borrowed pong.
    pub const fn pong(bytes: &'a [u8]) -> Self {
        Self::Pong(Cow::Borrowed(bytes))
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn encode<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&base64::display::Base64Display::new(
        bytes,
        &base64::engine::general_purpose::STANDARD,
    ))
}

fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    use base64::Engine as _;

    let text = Cow::<'de, str>::deserialize(deserializer)?;
    base64::engine::general_purpose::STANDARD
        .decode(text.as_bytes())
        .map_err(serde::de::Error::custom)
}

/// The JSON form of shared bytes.
pub(crate) mod base64_bytes {
    use bytes::Bytes;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        super::encode(bytes, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        super::decode(deserializer).map(Bytes::from)
    }
}

/// The JSON form of borrowed bytes.
mod base64_cow {
    use alloc::borrow::Cow;

    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        super::encode(bytes, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'static, [u8]>, D::Error> {
        super::decode(deserializer).map(Cow::Owned)
    }
}
