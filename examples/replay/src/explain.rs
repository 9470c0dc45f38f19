//! Why a connection went, or why one was not let in.

use std::collections::VecDeque;
use std::io::{BufRead, Write};
use std::str::FromStr;

use lobbykeeper::{Call, Command, ConnId, Event, Inbound, Notice, Output, Refusal, Reply, Retry, Time};

use crate::log::{self, Turn};
use crate::timeline::about;
use crate::{Error, Subject, words};

/// How many lines of what led there are shown.
const LED_THERE: usize = 20;

/// What is to be explained.
#[derive(Clone, Copy, Debug)]
pub enum About {
    /// A connection, by its id.
    Conn(ConnId),
    /// A line of the log: one who was refused never had an id.
    Line(u64),
}

impl FromStr for About {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(line) = text.parse() {
            return Ok(Self::Line(line));
        }
        let conn = text.parse().map(Self::Conn);
        conn.map_err(|_| "neither an id (\"c3v17\" say) nor the number of a line".into())
    }
}

/// Says how it ended and why, and what led there.
///
/// # Errors
/// If it is not in the log, or if the log is damaged: after what is known from what precedes that.
pub fn explain(log: impl BufRead, what: About, answer: &mut impl Write) -> Result<(), Error> {
    match what {
        About::Conn(conn) => explain_conn(log, conn, answer),
        About::Line(line) => explain_line(log, line, answer),
    }
}

/// The life of one connection.
#[derive(Default)]
struct Life {
    /// Its admission; none has been seen yet.
    came: Option<String>,
    heard: Option<Time>,
    /// Pings since it was last heard.
    unanswered: Vec<Time>,
    told_to_close: Option<String>,
    ended: Option<String>,
    led_there: VecDeque<String>,
}

fn explain_conn(log: impl BufRead, conn: ConnId, answer: &mut impl Write) -> Result<(), Error> {
    let mut life = Life::default();
    let outcome = log::play(log, |turn| {
        // After the end comes nothing but what is late.
        if life.ended.is_none() {
            life.follow(turn, conn);
        }
        Ok(())
    });
    let damage = match outcome {
        Ok(_) => None,
        Err(Error::Log(error)) => Some(error),
        Err(error) => return Err(error),
    };
    if life.came.is_some() {
        life.tell(answer)?;
    }
    match damage {
        Some(error) => Err(Error::Log(error)),
        None if life.came.is_none() => Err(Error::NotThere(format!("no connection {conn} came in this log"))),
        None => Ok(()),
    }
}

impl Life {
    fn follow(&mut self, turn: &Turn<'_>, conn: ConnId) {
        let (line, at) = (turn.line, turn.input.at);
        if *turn.reply == Reply::Connected(Ok(conn))
            && let Call::Event(Event::Connected(handshake)) = &turn.input.call
        {
            let (user, lobby) = (&handshake.user, &handshake.lobby);
            self.came = Some(format!("{conn} of {user:?} entered {lobby:?} at {at} (line {line})"));
            self.heard = Some(at);
        }
        if matches!(&turn.input.call, Call::Event(Event::Message { conn: from, .. }) if *from == conn)
            && *turn.reply != Reply::Message(Inbound::Stale)
        {
            self.heard = Some(at);
            self.unanswered.clear();
        }
        let because = || format!("at {at} (line {line}: {})", words::input(turn));
        for output in turn.out {
            match output {
                Output::Command(Command::Send { to, payload }) if words::is_ping(payload) && to.contains(&conn) => {
                    self.unanswered.push(at);
                }
                Output::Command(Command::Close { conn: closing, .. }) if closing == conn => {
                    self.told_to_close = Some(format!("{} {}", words::output(&output), because()));
                }
                // The command says more than the notice that follows.
                Output::Command(Command::Evict { conn: evicted, .. }) if evicted == conn => {
                    self.ended = Some(format!("{} {}", words::output(&output), because()));
                }
                Output::Notice(Notice::Ended { conn: ended, .. }) if ended == conn && self.ended.is_none() => {
                    self.ended = Some(format!("{} {}", words::output(&output), because()));
                }
                _ => {}
            }
        }
        self.led_there.extend(about(&Subject::Conn(conn), turn));
        let surplus = self.led_there.len().saturating_sub(LED_THERE);
        self.led_there.drain(..surplus);
    }

    fn tell(&self, answer: &mut impl Write) -> Result<(), Error> {
        for line in [&self.came, &self.told_to_close].into_iter().flatten() {
            writeln!(answer, "{line}")?;
        }
        match (&self.ended, &self.told_to_close) {
            (Some(ended), _) => writeln!(answer, "{ended}")?,
            (None, Some(_)) => writeln!(answer, "still closing where the log ends")?,
            (None, None) => writeln!(answer, "still open where the log ends")?,
        }
        if let Some(heard) = self.heard {
            writeln!(answer, "last heard at {heard}")?;
        }
        if !self.unanswered.is_empty() {
            let pings: Vec<_> = self.unanswered.iter().map(Time::to_string).collect();
            writeln!(answer, "pinged since then at {}", pings.join(", "))?;
        }
        writeln!(answer, "\nwhat led there:")?;
        for line in &self.led_there {
            writeln!(answer, "{line}")?;
        }
        Ok(())
    }
}

fn explain_line(log: impl BufRead, line: u64, answer: &mut impl Write) -> Result<(), Error> {
    let mut is_there = false;
    let outcome = log::play(log, |turn| {
        if turn.line == line {
            is_there = true;
            writeln!(answer, "at {}: {}", turn.input.at, words::exchange(turn))?;
            if let Reply::Connected(Err(refusal)) | Reply::Reserved(Err(refusal)) = turn.reply {
                writeln!(answer, "{}", advice(refusal))?;
            }
            for output in turn.out {
                writeln!(answer, "  {}", words::output(&output))?;
            }
        }
        Ok(())
    });
    match outcome {
        Err(error) => Err(error),
        Ok(_) if !is_there => Err(Error::NotThere(format!("there is no input on line {line}"))),
        Ok(_) => Ok(()),
    }
}

fn advice(refusal: &Refusal) -> String {
    let close = refusal.close_frame();
    let advice = match refusal.retry() {
        Retry::Never => "not to come again".into(),
        Retry::After(delay) => format!("to come again after {delay:?}"),
        Retry::Now => "to come again at once".into(),
    };
    format!("to be closed with {close}, and told {advice}")
}
