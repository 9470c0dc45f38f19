//! The flight recorder: a manager that writes down what it is told.

use alloc::vec::Vec;
use core::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::config::{Config, ConfigError};
use crate::digest::{Digest, Link};
use crate::event::{Input, Reply};
use crate::manager::Manager;
use crate::outbox::Outbox;

/// The version of the form of a log.
pub(crate) const VERSION: u64 = 1;
/// What the first line says it is.
pub(crate) const FORMAT: &str = "lobbykeeper log";

/// What the lines of a log are made of: the header or an input stands between one of the first two and `DIGEST`.
pub(crate) const HEADER: &[u8] = br#"{"header":"#;
pub(crate) const INPUT: &[u8] = br#"{"input":"#;
pub(crate) const DIGEST: &[u8] = br#","digest":""#;
pub(crate) const END: &[u8] = b"\"}\n";

/// A [`Manager`] that records: what it is told goes into a log, from which [`Replay`](crate::Replay) plays the run
/// again, to the same outputs.
///
/// Calls go through [`apply`](Self::apply) alone, so that nothing is left out of the log; the queries are the
/// manager's own, by `Deref`. The log is the caller's: a buffer that each call appends to, as it does to the outbox. It
/// is a `Vec<u8>` because bytes are what a driver writes to its file or socket; what is in it is ASCII and UTF-8. The
/// recorder keeps nothing back: when a call has returned, its line is whole, and the driver empties the buffer when it
/// likes.
///
/// ```
/// use lobbykeeper::{Call, Config, Event, Handshake, Input, Outbox, Recorder, Replay, Time};
///
/// // Recorded: in a server, `log` goes to a file after each turn.
/// let (mut out, mut log) = (Outbox::new(), Vec::new());
/// let mut recorder = Recorder::new(Config::default(), &mut log)?;
/// let event = Event::Connected(Handshake::new("den", "ann"));
/// recorder.apply(Input { at: Time::from_secs(1), call: Call::Event(event) }, &mut out, &mut log);
/// assert!(recorder.is_user_connected("ann"));
///
/// // Played again, elsewhere and later.
/// let mut lines = log.split_inclusive(|&byte| byte == b'\n');
/// let mut replay = Replay::new(lines.next().unwrap_or_default(), [0, 0])?;
/// for line in lines {
///     out.clear();
///     let entry = replay.apply(line, &mut out)?;
///     println!("line {} at {}: {:?}", replay.line(), entry.input.at, entry.reply);
/// }
/// assert_eq!(replay.digest(), recorder.digest());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The log
///
/// JSON lines, each of exactly this form, without white space between the members, and ended by a newline:
///
/// ```text
/// {"header":{"format":"lobbykeeper log","version":1,"config":{...}},"digest":"<32 hex digits>"}
/// {"input":{"at":1000000000,"call":{"event":{"connected":{...}}}},"digest":"<32 hex digits>"}
/// ...
/// ```
///
/// `config` is [`Config`], whose `hash_key` is not written and shapes nothing, and each `input` an [`Input`], in their
/// JSON forms. Later versions may add members to the header, a state to start from say; its own line keeps this form,
/// so that a reader of any version can tell which one it has before it.
///
/// A digest is the SipHash-2-4 of 128 bits (the reference implementation's, under a key of zeros) of some lines of
/// text, each ended by a newline:
///
/// 1. the digest of the line before; 32 zeros for the header;
/// 2. the header or the input, byte for byte as it stands in the log;
/// 3. for an input, the JSON form of the [`Reply`];
/// 4. for an input, the JSON form of each [`Output`](crate::Output) that the call wrote, in order.
///
/// So a digest proves its line and all before it, and what came of them. It is the same on every platform, and no
/// signature: see [`Digest`].
///
/// The input is written before the manager is called, and the digest after. Should the program end in between, what
/// the buffer holds is a last line without a digest, whose input [`Replay::unfinished`](crate::Replay::unfinished)
/// reads.
///
/// # Cost
///
/// A call costs the JSON of its input, reply and outputs, and a hash over it: O(bytes in, recipients and bytes out). For
/// the outputs this is much more than the manager's own cost. Once warm it allocates nothing but what the log grows by;
/// without the feature `std`, once for each text.
#[derive(Clone, Debug)]
pub struct Recorder {
    manager: Manager,
    digest: Digest,
    /// The reply and the outputs of one call as text; kept for its memory.
    text: Vec<u8>,
}

/// What the first line says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) format: alloc::string::String,
    pub(crate) version: u64,
    pub(crate) config: Config,
}

impl Recorder {
    /// A manager with no connections, and the first line of its log.
    ///
    /// # Errors
    /// What [`Config::validate`] finds. Nothing is written then.
    pub fn new(config: Config, log: &mut Vec<u8>) -> Result<Self, ConfigError> {
        let header = Header {
            format: FORMAT.into(),
            version: VERSION,
            config: config.clone(),
        };
        let manager = Manager::new(config)?;
        log.extend_from_slice(HEADER);
        let start = log.len();
        write_json(&header, log);
        let recorder = Self::after_header(manager, log.get(start..).unwrap_or_default());
        recorder.write_digest(log);
        Ok(recorder)
    }

    /// What [`Manager::apply`] does, written to the log as well. It copies nothing but into the log.
    pub fn apply(&mut self, input: Input<'_>, out: &mut Outbox, log: &mut Vec<u8>) -> Reply {
        log.extend_from_slice(INPUT);
        let start = log.len();
        write_json(&input, log);
        let reply = self.play(input, log.get(start..).unwrap_or_default(), out);
        self.write_digest(log);
        reply
    }

    /// The digest of the last line: what the whole recording has come to so far.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Ends the recording: the manager goes on without.
    pub fn into_manager(self) -> Manager {
        self.manager
    }

    /// The start of a chain whose first line has this header.
    pub(crate) fn after_header(manager: Manager, header: &[u8]) -> Self {
        let mut link = Link::after(Digest::START);
        link.line(header);
        Self {
            manager,
            digest: link.digest(),
            text: Vec::new(),
        }
    }

    /// Applies an input that stands in the log as `json`, and chains what comes of it.
    pub(crate) fn play(&mut self, input: Input<'_>, json: &[u8], out: &mut Outbox) -> Reply {
        let before = out.iter().len();
        let reply = self.manager.apply(input, out);
        self.text.clear();
        write_line(&reply, &mut self.text);
        for output in out.iter().skip(before) {
            write_line(&output, &mut self.text);
        }
        let mut link = Link::after(self.digest);
        link.line(json);
        link.lines(&self.text);
        self.digest = link.digest();
        reply
    }

    fn write_digest(&self, log: &mut Vec<u8>) {
        log.extend_from_slice(DIGEST);
        log.extend_from_slice(&self.digest.to_hex());
        log.extend_from_slice(END);
    }
}

/// All queries of the manager.
impl Deref for Recorder {
    type Target = Manager;

    fn deref(&self) -> &Manager {
        &self.manager
    }
}

fn write_line(value: &impl Serialize, text: &mut Vec<u8>) {
    write_json(value, text);
    text.push(b'\n');
}

fn write_json(value: &impl Serialize, text: &mut Vec<u8>) {
    #[cfg(feature = "std")]
    let written = serde_json::to_writer(text, value);
    // Without std, serde_json writes to no buffer but its own.
    #[cfg(not(feature = "std"))]
    let written = serde_json::to_vec(value).map(|json| text.extend_from_slice(&json));
    // Memory takes all that is written to it, and no value of ours has a form that JSON lacks.
    debug_assert!(written.is_ok());
}
