//! A manager with a virtual clock that jumps from deadline to deadline, and a transcript of what it says.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::time::Duration;

use lobbykeeper::{
    Command, Config, ConnId, Ending, Frame, Handshake, Inbound, Manager, Notice, Outbox, Output, Payload, Time,
};

/// What is checked about time; the rest is left out of the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A ping to these, with this time stamp.
    Ping(Vec<ConnId>, u64),
    /// A `Close` to this one.
    Close(ConnId),
    /// The connection ended, in this way.
    Ended(ConnId, Ending),
    /// A round trip, and whether it was asked for.
    Pong(ConnId, Duration, bool),
    /// A ping on demand timed out.
    TimedOut(ConnId),
    /// The server stood still.
    Paused(Duration),
    /// Missed and open ones.
    StaleWave(u32, u32),
}

/// A manager, its outbox and its clock.
pub(crate) struct Timeline {
    pub(crate) manager: Manager,
    pub(crate) now: Time,
    out: Outbox,
}

impl Timeline {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            manager: Manager::new(config).unwrap(),
            now: Time::ZERO,
            out: Outbox::new(),
        }
    }

    pub(crate) fn connect(&mut self, lobby: &str, user: &str) -> ConnId {
        let conn = self
            .manager
            .connected(self.now, Handshake::new(lobby, user), &mut self.out)
            .unwrap();
        self.out.clear();
        conn
    }

    /// Connects so many users of their own in one lobby.
    pub(crate) fn crowd(&mut self, count: usize) -> Vec<ConnId> {
        (0..count)
            .map(|number| self.connect("den", &format!("user {number}")))
            .collect()
    }

    pub(crate) fn say(&mut self, conn: ConnId) -> Inbound {
        self.manager
            .message(self.now, conn, Frame::text("hello"), &mut self.out)
    }

    pub(crate) fn pong(&mut self, conn: ConnId, timestamp: u64) -> Vec<Said> {
        let text = format!(r#"{{"type":"health_pong","timestamp":{timestamp}}}"#);
        assert_eq!(
            self.manager.message(self.now, conn, Frame::text(&text), &mut self.out),
            Inbound::Handled
        );
        self.said()
    }

    pub(crate) fn ping_user(&mut self, user: &str, timeout: Option<Duration>) -> (usize, Vec<Said>) {
        let asked = self.manager.ping_user(self.now, user, timeout, &mut self.out);
        (asked, self.said())
    }

    /// Calls with the manager and its outbox.
    pub(crate) fn with<R>(&mut self, call: impl FnOnce(&mut Manager, Time, &mut Outbox) -> R) -> (R, Vec<Said>) {
        let result = call(&mut self.manager, self.now, &mut self.out);
        (result, self.said())
    }

    /// Jumps to an instant without a call on the way: the server sleeps.
    pub(crate) fn sleep_until(&mut self, time: Time) {
        self.now = time;
    }

    pub(crate) fn tick(&mut self) -> Vec<Said> {
        self.manager.tick(self.now, &mut self.out);
        self.said()
    }

    /// Jumps to the next deadline and ticks.
    pub(crate) fn next(&mut self) -> Vec<Said> {
        self.now = self.manager.next_deadline().unwrap();
        self.tick()
    }

    /// Jumps from deadline to deadline as long as they are not later than `end`, then to it. Returns who said what
    /// when.
    pub(crate) fn run_until(&mut self, end: Time) -> Vec<(Time, Said)> {
        let mut transcript = Vec::new();
        while let Some(deadline) = self.manager.next_deadline().filter(|&deadline| deadline <= end) {
            self.now = deadline;
            transcript.extend(self.tick().into_iter().map(|said| (deadline, said)));
        }
        self.now = end;
        transcript
    }

    /// As `run_until`, but each ping is answered at once by those whom `answers` names.
    pub(crate) fn run_answering(&mut self, end: Time, answers: &[ConnId]) -> Vec<(Time, Said)> {
        let mut transcript = Vec::new();
        while let Some(deadline) = self.manager.next_deadline().filter(|&deadline| deadline <= end) {
            self.now = deadline;
            for said in self.tick() {
                if let Said::Ping(to, timestamp) = &said {
                    for conn in to.iter().filter(|conn| answers.contains(conn)) {
                        self.pong(*conn, *timestamp);
                    }
                }
                transcript.push((deadline, said));
            }
        }
        self.now = end;
        transcript
    }

    fn said(&mut self) -> Vec<Said> {
        let said = self.out.iter().filter_map(|output| said(&output)).collect();
        self.out.clear();
        said
    }
}

fn said(output: &Output<'_>) -> Option<Said> {
    Some(match *output {
        Output::Command(Command::Send { to, payload }) => Said::Ping(to.to_vec(), timestamp(payload)?),
        Output::Command(Command::Close { conn, .. }) => Said::Close(conn),
        Output::Notice(Notice::Ended { conn, ending, .. }) => Said::Ended(conn, ending),
        Output::Notice(Notice::Pong { conn, rtt, requested }) => Said::Pong(conn, rtt, requested),
        Output::Notice(Notice::PingTimedOut { conn }) => Said::TimedOut(conn),
        Output::Notice(Notice::Paused { by }) => Said::Paused(by),
        Output::Notice(Notice::StaleWave { missed, open }) => Said::StaleWave(missed, open),
        _ => return None,
    })
}

/// The time stamp of a ping in either format.
fn timestamp(payload: &Payload) -> Option<u64> {
    match payload {
        Payload::Text(text) => text
            .as_str()
            .strip_prefix(r#"{"type":"health_ping","timestamp":"#)?
            .strip_suffix('}')?
            .parse()
            .ok(),
        Payload::Ping(data) => std::str::from_utf8(data.as_bytes()).ok()?.parse().ok(),
        Payload::Binary(_) => None,
    }
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
