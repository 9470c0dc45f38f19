//! Why a run is worth nothing.

use std::fmt;
use std::io;
use std::time::Duration;

use super::ledger::Misdelivery;

/// Why a run is worth nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// The settings contradict each other.
    Settings(String),
    /// The system refused something.
    Io {
        /// What was tried.
        what: String,
        /// How that failed.
        error: io::Error,
    },
    /// The server did not agree to speak WebSocket.
    Upgrade {
        /// Which client, counted from 0.
        client: usize,
        /// What it answered.
        answer: String,
    },
    /// The server closed a connection.
    Closed {
        /// Which client, counted from 0.
        client: usize,
        /// What it said, if anything.
        farewell: String,
    },
    /// Something came that is not read here.
    Unexpected {
        /// Which client, counted from 0.
        client: usize,
        /// What came.
        what: String,
    },
    /// A message came that should not have come.
    Misdelivered {
        /// Which client, counted from 0.
        recipient: usize,
        /// Who sent it.
        sender: u32,
        /// Which of that sender's messages it was, counted from 0.
        sequence: u32,
        /// What is wrong with it.
        problem: Misdelivery,
    },
    /// A message has not come.
    Overdue {
        /// In which lobby, counted from 0.
        lobby: usize,
        /// How many of its members lack it.
        missing: usize,
        /// How long ago it was sent.
        age: Duration,
    },
    /// For so long no connection was made, though some are to be.
    NoConnection(Duration),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(problem) => f.write_str(problem),
            Self::Io { what, error } => write!(f, "{what}: {error}"),
            Self::Upgrade { client, answer } => write!(f, "client {client} was not let in: {answer}"),
            Self::Closed { client, farewell } => write!(f, "client {client} was closed: {farewell}"),
            Self::Unexpected { client, what } => write!(f, "client {client} got {what}"),
            Self::Misdelivered {
                recipient,
                sender,
                sequence,
                problem,
            } => write!(
                f,
                "client {recipient} got message {sequence} of client {sender}: {problem}"
            ),
            Self::Overdue { lobby, missing, age } => {
                write!(
                    f,
                    "a message in lobby {lobby} has not come to {missing} of its members for {age:.1?}: lost"
                )
            }
            Self::NoConnection(patience) => write!(f, "nobody was let in for {patience:?}"),
        }
    }
}

impl core::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
