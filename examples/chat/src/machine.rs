//! The one door to the manager: whatever it is told goes through here, and into the recording if there is one.

use std::mem;
use std::ops::Deref;

use lobbykeeper::{Call, Config, ConfigError, Event, Input, Manager, Outbox, Recorder, Reply, Request, Time};

use crate::tape::Tape;

/// The manager. It is asked directly, by `Deref`, and told what happens by [`event`](Self::event) and
/// [`request`](Self::request).
#[derive(Debug)]
pub(crate) enum Machine {
    Plain(Manager),
    Recorded(Recording),
}

#[derive(Debug)]
pub(crate) struct Recording {
    recorder: Recorder,
    /// What has been recorded in this turn.
    log: Vec<u8>,
    tape: Tape,
}

impl Machine {
    pub(crate) fn new(config: Config, tape: Option<Tape>) -> Result<Self, ConfigError> {
        let Some(tape) = tape else {
            return Manager::new(config).map(Self::Plain);
        };
        let mut log = Vec::new();
        let recorder = Recorder::new(config, &mut log)?;
        Ok(Self::Recorded(Recording { recorder, log, tape }))
    }

    pub(crate) fn event(&mut self, now: Time, event: Event<'_>, out: &mut Outbox) -> Reply {
        self.apply(now, Call::Event(event), out)
    }

    pub(crate) fn request(&mut self, now: Time, request: Request<'_>, out: &mut Outbox) -> Reply {
        self.apply(now, Call::Request(request), out)
    }

    fn apply(&mut self, at: Time, call: Call<'_>, out: &mut Outbox) -> Reply {
        let input = Input { at, call };
        match self {
            Self::Plain(manager) => manager.apply(input, out),
            Self::Recorded(Recording { recorder, log, .. }) => recorder.apply(input, out, log),
        }
    }

    /// Hands on what this turn has recorded. If that is no longer possible, the server goes on without.
    pub(crate) fn end_turn(&mut self) {
        if let Self::Recorded(Recording { recorder, log, tape }) = self
            && tape.write(mem::take(log)).is_err()
        {
            // A copy, this once, is simpler than a machine that may be between two states.
            let manager: &Manager = recorder;
            *self = Self::Plain(manager.clone());
        }
    }
}

/// All queries.
impl Deref for Machine {
    type Target = Manager;

    fn deref(&self) -> &Manager {
        match self {
            Self::Plain(manager) => manager,
            Self::Recorded(Recording { recorder, .. }) => recorder,
        }
    }
}

/// The input that a panic comes of is the one that will be looked for.
impl Drop for Recording {
    fn drop(&mut self) {
        // It fails if the tape has ended, which has been logged.
        let _ = self.tape.write(mem::take(&mut self.log));
    }
}
