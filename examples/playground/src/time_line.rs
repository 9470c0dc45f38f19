//! What happened lately, in words.

use std::collections::VecDeque;

use lobby_replay::Told;
use lobbykeeper::{Call, Command, Event, Inbound, Input, Notice, Outbox, Output, Payload, Reply, Time};
use serde::Serialize;

use crate::receipts::clock;

/// How much of it is kept.
const MOST_ENTRIES: usize = 1_000;

/// The latest entries.
#[derive(Debug, Default)]
pub(crate) struct TimeLine {
    entries: VecDeque<Entry>,
    /// How many there have been.
    count: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number, from 1.
    pub number: u64,
    /// The line of the recording; none of what the manager knows nothing of.
    pub line: Option<u64>,
    /// When.
    pub at: String,
    /// What.
    pub text: String,
    /// Nothing but a question for a sign of life, or the answer to one.
    pub health: bool,
    /// What the manager wrote.
    pub outputs: Vec<Line>,
}

/// Something that the manager wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What kind of thing.
    pub kind: Kind,
    /// In words.
    pub text: String,
}

/// What kind of thing the manager wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `Send`.
    Send,
    /// `Close`.
    Close,
    /// `Evict`.
    Evict,
    /// A notice.
    Notice,
}

impl TimeLine {
    /// A call, whose outputs are all that is in `out`.
    pub(crate) fn call(&mut self, line: u64, input: &Input<'_>, reply: &Reply, out: &Outbox, told: Told) {
        let asks_or_answers =
            matches!(input.call, Call::Event(Event::Tick)) || *reply == Reply::Message(Inbound::Handled);
        let entry = Entry {
            number: 0,
            line: Some(line),
            at: clock(input.at),
            text: told.exchange,
            health: asks_or_answers && out.iter().all(|output| is_health(&output)),
            outputs: out
                .iter()
                .zip(told.outputs)
                .map(|(output, text)| Line {
                    kind: kind(&output),
                    text,
                })
                .collect(),
        };
        self.push(entry);
    }

    /// Something that the manager knows nothing of.
    pub(crate) fn note(&mut self, at: Time, text: String) {
        self.push(Entry {
            number: 0,
            line: None,
            at: clock(at),
            text,
            health: false,
            outputs: Vec::new(),
        });
    }

    fn push(&mut self, entry: Entry) {
        self.count += 1;
        self.entries.push_back(Entry {
            number: self.count,
            ..entry
        });
        if self.entries.len() > MOST_ENTRIES {
            self.entries.pop_front();
        }
    }

    /// The latest.
    pub(crate) fn last(&self) -> Option<&Entry> {
        self.entries.back()
    }

    /// The entries that are kept and come after this one, oldest first.
    pub(crate) fn after(&self, number: u64) -> impl Iterator<Item = &Entry> {
        let known = self.entries.partition_point(|entry| entry.number <= number);
        self.entries.range(known..)
    }
}

fn kind(output: &Output<'_>) -> Kind {
    match output {
        Output::Command(Command::Send { .. }) => Kind::Send,
        Output::Command(Command::Close { .. }) => Kind::Close,
        Output::Command(Command::Evict { .. }) => Kind::Evict,
        Output::Notice(_) => Kind::Notice,
    }
}

fn is_health(output: &Output<'_>) -> bool {
    match output {
        Output::Command(Command::Send { payload, .. }) => {
            matches!(payload, Payload::Ping(_)) || crate::client::incoming(payload).is_some()
        }
        Output::Notice(Notice::Pong { .. }) => true,
        _ => false,
    }
}
