//! What the world cannot do.

use std::fmt;

use lobbykeeper::{ConfigError, ReplayError};

use crate::world::{MOST_CLIENTS, MOST_LOG_BYTES};

/// Why something was not done. The world is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The settings contradict themselves.
    Config(ConfigError),
    /// A recording is damaged in a line.
    Damaged(ReplayError),
    /// There are as many clients as the world holds.
    TooManyClients,
    /// The recording is as long as it may be.
    LogFull,
    /// There is no client with this number.
    NoClient(u32),
    /// The client is not connected.
    NotConnected(u32),
    /// The client sleeps.
    Asleep(u32),
    /// The server stands still, so nobody there can do this.
    Paused,
    /// Nothing will ever happen by itself.
    NothingToCome,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "no manager can follow these settings: {error}"),
            Self::Damaged(error) => write!(f, "the recording is damaged in {error}"),
            Self::TooManyClients => write!(f, "there are {MOST_CLIENTS} clients already"),
            Self::LogFull => write!(
                f,
                "the recording has reached {} MiB: save it and start anew",
                MOST_LOG_BYTES >> 20
            ),
            Self::NoClient(number) => write!(f, "there is no client {number}"),
            Self::NotConnected(number) => write!(f, "client {number} is not connected"),
            Self::Asleep(number) => write!(f, "client {number} sleeps"),
            Self::Paused => f.write_str("the server stands still: let it go on first"),
            Self::NothingToCome => f.write_str("nothing is to come"),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<ConfigError> for Trouble {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<ReplayError> for Trouble {
    fn from(error: ReplayError) -> Self {
        Self::Damaged(error)
    }
}
