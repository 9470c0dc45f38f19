//! Plays a recording again.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt;
use core::ops::Deref;

use serde::Deserialize;

use crate::config::ConfigError;
use crate::digest::Digest;
use crate::event::{Input, Reply};
use crate::manager::Manager;
use crate::outbox::Outbox;
use crate::recorder::{DIGEST, END, FORMAT, HEADER, Header, INPUT, Recorder, VERSION};

/// Plays a log that a [`Recorder`] wrote, line by line, and proves that the same comes of it.
///
/// It holds a manager of its own, which stands where the recorded one stood after the last line; the queries are that
/// manager's, by `Deref`. It needs one line at a time, so a log may be longer than the memory. A damaged line is an
/// error that names it; what precedes it has been played, and can still be asked for.
///
/// [`Recorder`] has an example.
#[derive(Clone, Debug)]
pub struct Replay {
    recorder: Recorder,
    /// How many lines have been played.
    line: u64,
}

/// A line that was played.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// What the manager was told; borrows from the line where it can.
    pub input: Input<'a>,
    /// What it answered. What it wrote has been appended to the outbox.
    pub reply: Reply,
}

impl Replay {
    /// Begins with the first line of a log, its newline included. `hash_key` is [`Config::hash_key`] and shapes
    /// nothing; the names in a log come from strangers, so a server that replays such logs draws it at random.
    ///
    /// # Errors
    /// If this is not the first line of a log of this version, whole and undamaged.
    ///
    /// [`Config::hash_key`]: crate::Config::hash_key
    pub fn new(line: &[u8], hash_key: [u64; 2]) -> Result<Self, ReplayError> {
        Self::begin(line, hash_key).map_err(|fault| ReplayError { line: 1, fault })
    }

    fn begin(line: &[u8], hash_key: [u64; 2]) -> Result<Self, Fault> {
        if line.is_empty() {
            return Err(Fault::Empty);
        }
        let (header, digest) = unwrap(line, HEADER).map_err(|fault| match fault {
            Fault::Truncated if !HEADER.starts_with(line) && !line.starts_with(HEADER) => Fault::NotALog,
            Fault::Form if !line.starts_with(HEADER) => Fault::NotALog,
            other => other,
        })?;
        let Label { format, version } = read_json(header, HEADER)?;
        if format != FORMAT {
            return Err(Fault::NotALog);
        }
        if version != VERSION {
            return Err(Fault::Version(version));
        }
        let Header { mut config, .. } = read_json(header, HEADER)?;
        config.hash_key = hash_key;
        let manager = Manager::new(config).map_err(Fault::Config)?;
        let recorder = Recorder::after_header(manager, header);
        agree(digest, recorder.digest())?;
        Ok(Self { recorder, line: 1 })
    }

    /// Plays the next line, its newline included: tells the manager what stands in it, and compares the digests. What
    /// the manager writes is appended to `out`.
    ///
    /// # Errors
    /// If the line is damaged, or if something else comes of it than was recorded. In the latter case,
    /// [`Fault::Digest`], the manager has been told, and what it wrote is there to be looked at; otherwise nothing has
    /// happened. There is no going on after an error: what follows has other digests then.
    pub fn apply<'a>(&mut self, line: &'a [u8], out: &mut Outbox) -> Result<Entry<'a>, ReplayError> {
        let next = self.line + 1;
        let entry = self
            .play(line, out)
            .map_err(|fault| ReplayError { line: next, fault })?;
        self.line = next;
        Ok(entry)
    }

    fn play<'a>(&mut self, line: &'a [u8], out: &mut Outbox) -> Result<Entry<'a>, Fault> {
        let (json, digest) = unwrap(line, INPUT)?;
        let input: Input<'a> = read_json(json, INPUT)?;
        let reply = self.recorder.play(input.clone(), json, out);
        agree(digest, self.recorder.digest())?;
        Ok(Entry { input, reply })
    }

    /// The input of a line that breaks off after it, as the last one does when the program ended while it was handled.
    /// `None` if the line breaks off in its input, or is whole.
    pub fn unfinished(line: &[u8]) -> Option<Input<'_>> {
        if line.ends_with(b"\n") {
            return None;
        }
        let rest = line.strip_prefix(INPUT)?;
        serde_json::Deserializer::from_slice(rest).into_iter().next()?.ok()
    }

    /// The number of the last line that was played; the header is line 1.
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// What the log has come to so far: [`Recorder::digest`] at this line.
    pub const fn digest(&self) -> Digest {
        self.recorder.digest()
    }

    /// Goes on where the log ends: what the recorder writes is appended to the lines that were played, and all of them
    /// together are one log.
    pub fn into_recorder(self) -> Recorder {
        self.recorder
    }
}

/// All queries of the manager.
impl Deref for Replay {
    type Target = Manager;

    fn deref(&self) -> &Manager {
        &self.recorder
    }
}

/// As much of the header as there is in every version.
#[derive(Deserialize)]
struct Label<'a> {
    #[serde(borrow)]
    format: Cow<'a, str>,
    version: u64,
}

/// What stands in a line between `start` and the digest, and the digest.
fn unwrap<'a>(line: &'a [u8], start: &[u8]) -> Result<(&'a [u8], Digest), Fault> {
    if !line.ends_with(b"\n") {
        return Err(Fault::Truncated);
    }
    let parts = || {
        let (rest, hex) = line.strip_suffix(END)?.split_last_chunk()?;
        let json = rest.strip_suffix(DIGEST)?.strip_prefix(start)?;
        Some((json, Digest::from_hex(hex)?))
    };
    parts().ok_or(Fault::Form)
}

fn read_json<'a, T: Deserialize<'a>>(json: &'a [u8], start: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(json).map_err(|error| {
        let message = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let column = start.len() + error.column();
        let message = message.strip_suffix(&place).unwrap_or(&message).into();
        if error.is_data() {
            Fault::Content { column, message }
        } else {
            Fault::Json { column, message }
        }
    })
}

fn agree(recorded: Digest, found: Digest) -> Result<(), Fault> {
    if recorded == found {
        Ok(())
    } else {
        Err(Fault::Digest { recorded, found })
    }
}

/// A log cannot be played beyond a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayError {
    /// Which one; the header is line 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// There is nothing.
    Empty,
    /// The first line is not the header of a log.
    NotALog,
    /// It is a log of another version of the form.
    Version(u64),
    /// The settings contradict each other.
    Config(ConfigError),
    /// The line does not end with a newline: the log breaks off in it.
    Truncated,
    /// The line is not of the form that [`Recorder`] writes.
    Form,
    /// The header or the input is not JSON.
    Json {
        /// In which byte of the line that shows, from 1.
        column: usize,
        /// What the JSON reader says.
        message: String,
    },
    /// It is JSON, but no header or input: a member is unknown or missing or of the wrong type, say.
    Content {
        /// In which byte of the line that shows, from 1.
        column: usize,
        /// What the JSON reader says.
        message: String,
    },
    /// The line or one before it has been changed, or something else came of it than was recorded: another version of
    /// the library, say.
    Digest {
        /// What the log says.
        recorded: Digest,
        /// What the replay came to.
        found: Digest,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty: not even a header is there"),
            Self::NotALog => f.write_str("not the header of a lobbykeeper log"),
            Self::Version(version) => write!(f, "a log of version {version}; this reads version {VERSION}"),
            Self::Config(error) => write!(f, "no manager can follow these settings: {error}"),
            Self::Truncated => f.write_str("the log breaks off in this line"),
            Self::Form => f.write_str("not of the form that a recorder writes"),
            Self::Json { column, message } => write!(f, "column {column}: not JSON: {message}"),
            Self::Content { column, message } => write!(f, "column {column}: {message}"),
            Self::Digest { recorded, found } => write!(
                f,
                "the digest differs: {recorded} was recorded, {found} was found; the log has been changed, \
                 or the library does something else now"
            ),
        }
    }
}

impl core::error::Error for ReplayError {}
impl core::error::Error for Fault {}
