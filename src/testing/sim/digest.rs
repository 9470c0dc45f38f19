//! A number for all that the manager wrote, so that two runs can be compared.

use core::fmt::{self, Write as _};
use core::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use crate::outbox::{Command, Notice, Output};
use crate::time::{Time, duration_nanos};

#[derive(Clone, Debug)]
pub(super) struct Digest(SipHasher13);

impl Digest {
    pub(super) fn new() -> Self {
        Self(SipHasher13::new())
    }

    pub(super) fn time(&mut self, now: Time) {
        self.word(now.as_nanos());
    }

    pub(super) fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Command(Command::Send { to, payload }) => {
                self.word(1);
                self.word(to.len() as u64);
                for conn in *to {
                    self.word(conn.to_bits());
                }
                self.text(payload.as_bytes());
            }
            Output::Command(Command::Close { conn, code, reason, .. }) => {
                self.word(2);
                self.word(conn.to_bits());
                self.word(u64::from(*code));
                self.text(reason.as_bytes());
            }
            Output::Command(Command::Evict { conn, cause, .. }) => {
                self.word(3);
                self.word(conn.to_bits());
                self.display(cause);
            }
            // By far the commonest.
            Output::Notice(Notice::Pong { conn, rtt, requested }) => {
                self.word(4);
                self.word(conn.to_bits());
                self.word(duration_nanos(*rtt));
                self.word(u64::from(*requested));
            }
            Output::Notice(notice) => {
                self.word(5);
                self.display(notice);
            }
        }
    }

    pub(super) fn value(&self) -> u64 {
        self.0.finish()
    }

    fn word(&mut self, word: u64) {
        self.0.write(&word.to_le_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.word(text.len() as u64);
        self.0.write(text);
    }

    fn display(&mut self, words: &impl fmt::Display) {
        let written = write!(self, "{words}\0");
        debug_assert!(written.is_ok(), "a hasher takes everything");
    }
}

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
