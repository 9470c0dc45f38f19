//! The words of a time line for a manager that runs.

use lobbykeeper::{ConnId, Input, Manager, Outbox, Reply};

use crate::log::{People, Turn, admit, follow};
use crate::words;

/// Says in words what a manager is told and what it writes, call by call: what `timeline` says of a log, for those who
/// watch. It follows who is there, so it has to be told of every call.
#[derive(Clone, Debug, Default)]
pub struct Narrator {
    people: People,
}

/// A call in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What the manager was told, and what it answered.
    pub exchange: String,
    /// What it wrote, in order.
    pub outputs: Vec<String>,
}

impl Narrator {
    /// Tells of a call. `line` is its line in the log, `out` what it wrote and nothing else, `manager` as it stands after.
    /// O(length of the texts), plus O(log n).
    pub fn tell(&mut self, line: u64, input: &Input<'_>, reply: &Reply, out: &Outbox, manager: &Manager) -> Told {
        admit(&mut self.people, input, reply);
        let turn = Turn {
            line,
            input,
            reply,
            out,
            manager,
            people: &self.people,
        };
        let told = Told {
            exchange: words::exchange(&turn),
            outputs: out.iter().map(|output| words::output(&output)).collect(),
        };
        follow(&mut self.people, manager, input, out);
        told
    }

    /// All connections that have not ended, with their users, in the order of their ids; closing ones among them.
    pub fn connections(&self) -> impl Iterator<Item = (ConnId, &str)> {
        self.people.iter().map(|(conn, person)| (*conn, person.user.as_str()))
    }
}
