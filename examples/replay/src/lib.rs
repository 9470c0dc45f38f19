//! What can be learnt from a log of [`lobbykeeper`]'s flight recorder. The program `replay` is a thin shell around it;
//! see the README beside this package.

#![forbid(unsafe_code)]

mod explain;
mod log;
mod narrator;
mod shrink;
mod subject;
mod timeline;
mod verify;
mod words;

use std::fmt;
use std::io;

pub use explain::{About, explain};
use lobbykeeper::ReplayError;
pub use narrator::{Narrator, Told};
pub use shrink::{Wanted, shrink};
pub use subject::Subject;
pub use timeline::timeline;
pub use verify::verify;

/// Why there is no answer, or not a whole one.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The log cannot be read, or the answer cannot be written.
    Io(io::Error),
    /// The log is damaged in a line; what precedes it has been taken into account.
    Log(ReplayError),
    /// What was asked for is not in the log.
    NotThere(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => fmt::Display::fmt(error, f),
            Self::Log(error) => fmt::Display::fmt(error, f),
            Self::NotThere(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ReplayError> for Error {
    fn from(error: ReplayError) -> Self {
        Self::Log(error)
    }
}
