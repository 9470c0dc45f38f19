//! The messages of lobby-server that matter here, read and worded with the same library in the same way, so that a
//! floor does the same work for a message as the server that is compared with it.

use serde::{Deserialize, Serialize};

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// To everyone in the lobby but the sender.
    Chat {
        /// What is said.
        text: String,
    },
    /// Nothing that concerns a floor.
    #[serde(other)]
    Unknown,
}

/// What a client is told.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage<'a> {
    /// Somebody in the lobby said something.
    Chat {
        /// Who.
        from: &'a str,
        /// What.
        text: &'a str,
    },
}

/// Reads a client's message and words what the lobby is to be told of it, if anything.
pub fn relayed(from: &str, message: &[u8]) -> Option<String> {
    match serde_json::from_slice(message) {
        Ok(ClientMessage::Chat { text }) => serde_json::to_string(&ServerMessage::Chat { from, text: &text }).ok(),
        _ => None,
    }
}
