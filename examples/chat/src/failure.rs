//! What a client is told whose bytes are no WebSocket messages.

use std::sync::LazyLock;

use lobbykeeper::CloseFrame;
use tungstenite::Error;
use tungstenite::error::{CapacityError, ProtocolError};

static PROTOCOL_ERROR: LazyLock<CloseFrame> = LazyLock::new(|| sendable(1002, "protocol error"));
static NOT_UTF8: LazyLock<CloseFrame> = LazyLock::new(|| sendable(1007, "text is not UTF-8"));
static TOO_LONG: LazyLock<CloseFrame> = LazyLock::new(|| sendable(1009, "message too long"));

/// The close frame for a client that broke the protocol (RFC 6455, section 7.4.1): 1002 for what is no frame, 1007 for a
/// text that is not UTF-8, 1009 for a message beyond the limit. `None` if the stream has ended and nobody can be told.
pub fn failure(error: &Error) -> Option<CloseFrame> {
    let close = match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return None,
        Error::Protocol(_) => &PROTOCOL_ERROR,
        Error::Utf8(_) => &NOT_UTF8,
        Error::Capacity(CapacityError::MessageTooLong { .. }) => &TOO_LONG,
        _ => return None,
    };
    Some((*close).clone())
}

pub(crate) fn sendable(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame::new(code, reason).expect("this code and this reason may be sent")
}
