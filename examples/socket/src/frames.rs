//! Between the messages of lobbykeeper and WebSocket frames.

use std::ops::Range;

use lobbykeeper::{Frame, Payload};
use tungstenite::protocol::Message;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// How many bytes of frames are gathered before they are written.
const FULL: usize = 256 * 1_024;

/// A message as the manager wants it. `None` for a close, which [`Socket::hear`](crate::Socket::hear) keeps to itself.
pub fn frame(message: &Message) -> Option<Frame<'_>> {
    match message {
        Message::Text(text) => Some(Frame::text(text)),
        Message::Binary(bytes) => Some(Frame::binary(bytes)),
        Message::Ping(data) => Some(Frame::ping(data)),
        Message::Pong(data) => Some(Frame::pong(data)),
        Message::Close(_) | Message::Frame(_) => None,
    }
}

/// One of this turn's frames.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Where it lies.
    pub(crate) frame: Range<usize>,
    /// How many bytes of it are payload.
    pub(crate) payload: u64,
}

/// The frames of one turn of the loop, end to end: each is encoded once, however many get it.
#[derive(Debug, Default)]
pub struct Frames {
    pub(crate) bytes: Vec<u8>,
}

impl Frames {
    /// Encodes one.
    pub fn encode(&mut self, payload: &Payload) -> Encoded {
        let (opcode, data) = match payload {
            Payload::Text(text) => (OpCode::Data(Data::Text), text.as_bytes()),
            Payload::Binary(bytes) => (OpCode::Data(Data::Binary), bytes),
            Payload::Ping(data) => (OpCode::Control(Control::Ping), data.as_bytes()),
        };
        let header = FrameHeader {
            opcode,
            ..FrameHeader::default()
        };
        let start = self.bytes.len();
        // Writing to a vector cannot fail.
        let _ = header.format(data.len() as u64, &mut self.bytes);
        self.bytes.extend_from_slice(data);
        Encoded {
            frame: start..self.bytes.len(),
            payload: data.len() as u64,
        }
    }

    /// Whether they should be written before there are more.
    pub fn is_full(&self) -> bool {
        self.bytes.len() > FULL
    }

    /// Forgets them, once every socket has written its own. The memory of a large turn is given back.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(FULL);
    }
}
