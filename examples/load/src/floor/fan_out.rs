//! Who is in a lobby, and how what is said gets to them.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::ops::Range;

use bytes::Bytes;
use clap::ValueEnum;
use slab::Slab;

use super::Member;
use crate::frame::{self, TEXT};

/// How a message gets to its recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Written to each recipient as soon as it is read: one write per recipient and message.
    Each,
    /// Appended to a buffer of each recipient. When all that had come is read, each buffer is written once.
    Plain,
    /// Appended to one run of the lobby. When all that had come is read, the run is written to each member once,
    /// without a copy unless the member's own messages lie in the middle of it.
    Joined,
    /// As `Joined`, but a member whose messages lie in the run gets the parts around them in one vectored write.
    Vectored,
}

pub(super) struct Lobbies {
    mode: Mode,
    by_name: HashMap<String, usize>,
    all: Vec<Lobby>,
    /// Those with something to be written.
    dirty: Vec<usize>,
    /// A frame, or the parts of a run around a gap, before they are written.
    scratch: Vec<u8>,
}

#[derive(Default)]
struct Lobby {
    members: Vec<usize>,
    dirty: bool,
    /// The frames of this turn.
    run: Vec<u8>,
    /// Where in the run each frame begins, and who sent it.
    senders: Vec<(usize, usize)>,
}

impl Lobbies {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            mode,
            by_name: HashMap::new(),
            all: Vec::new(),
            dirty: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Seats a member and returns the lobby's number.
    pub(super) fn enter(&mut self, name: &str, id: usize) -> usize {
        let next = self.all.len();
        let number = *self.by_name.entry(name.to_owned()).or_insert(next);
        if number == next {
            self.all.push(Lobby::default());
        }
        self.all[number].members.push(id);
        number
    }

    pub(super) fn leave(&mut self, number: usize, id: usize) {
        self.all[number].members.retain(|&member| member != id);
    }

    /// Sends a text to everyone but its sender, or puts it down to be written at the end of the turn.
    pub(super) fn say(&mut self, members: &mut Slab<Member>, number: usize, sender: usize, text: &str) {
        let lobby = &mut self.all[number];
        if !mem::replace(&mut lobby.dirty, true) {
            self.dirty.push(number);
        }
        if matches!(self.mode, Mode::Joined | Mode::Vectored) {
            lobby.senders.push((lobby.run.len(), sender));
            frame::encode(&mut lobby.run, TEXT, text.as_bytes());
            return;
        }
        self.scratch.clear();
        frame::encode(&mut self.scratch, TEXT, text.as_bytes());
        for &id in lobby.members.iter().filter(|&&id| id != sender) {
            let Member { stream, outgoing, .. } = &mut members[id];
            match self.mode {
                // A socket that fails is closed by the read that sees it, too.
                Mode::Each => drop(outgoing.write(stream, &self.scratch)),
                _ => outgoing.append(&self.scratch),
            }
        }
    }

    /// Ends the turn: writes what was put down. Returns whose sockets failed.
    pub(super) fn write(&mut self, members: &mut Slab<Member>) -> Vec<usize> {
        let mut lost = Vec::new();
        for number in self.dirty.drain(..) {
            let lobby = &mut self.all[number];
            lobby.dirty = false;
            let length = lobby.run.len();
            let shared = match self.mode {
                Mode::Vectored => {
                    // The next turn is likely to need as much.
                    let next = Vec::with_capacity(lobby.run.len());
                    Bytes::from(mem::replace(&mut lobby.run, next))
                }
                _ => Bytes::new(),
            };
            for &id in &lobby.members {
                let member = &mut members[id];
                let written = match self.mode {
                    Mode::Each => Ok(()),
                    Mode::Plain => member.outgoing.flush(&mut member.stream),
                    Mode::Joined => lobby.write_joined(id, member, &mut self.scratch),
                    Mode::Vectored => {
                        let parts = lobby.parts(id, length);
                        for part in parts.into_iter().filter(|part| !part.is_empty()) {
                            member.outgoing.share(shared.slice(part));
                        }
                        member.outgoing.flush(&mut member.stream)
                    }
                };
                if written.is_err() {
                    lost.push(id);
                }
            }
            lobby.run.clear();
            lobby.senders.clear();
        }
        lost
    }
}

impl Lobby {
    /// The parts of a run of this length that a member gets: what lies before and after its own frames. A socket is
    /// read once in a turn, so these lie together. Either part may be empty.
    fn parts(&self, id: usize, length: usize) -> [Range<usize>; 2] {
        let Some(first) = self.senders.iter().position(|&(_, sender)| sender == id) else {
            return [0..length, length..length];
        };
        let own = self.senders[first..]
            .iter()
            .take_while(|&&(_, sender)| sender == id)
            .count();
        let end = self.senders.get(first + own).map_or(length, |&(begin, _)| begin);
        [0..self.senders[first].0, end..length]
    }

    fn write_joined(&self, id: usize, member: &mut Member, scratch: &mut Vec<u8>) -> io::Result<()> {
        let Member { stream, outgoing, .. } = member;
        let [before, after] = self.parts(id, self.run.len()).map(|part| &self.run[part]);
        match (before, after) {
            ([], []) => Ok(()),
            ([], part) | (part, []) => outgoing.write(stream, part),
            (before, after) => {
                scratch.clear();
                scratch.extend_from_slice(before);
                scratch.extend_from_slice(after);
                outgoing.write(stream, scratch)
            }
        }
    }
}
