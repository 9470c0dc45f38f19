//! The smallest log of which something still comes.

use std::io::{BufRead, Write};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lobbykeeper::{Config, Excerpt, Input, Manager, Outbox, Recorder, Replay, ReplayError, Reply, Script};

use crate::{Error, words};

/// What must still come of the smaller log.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// A reply or an output whose line in a time line has this text in it.
    Text(String),
    /// A panic.
    Panic,
}

/// How a manager is told an input: `Manager::apply`, or in a test something worse.
type Tell = fn(&mut Manager, Input<'_>, &mut Outbox) -> Reply;

/// Writes the smallest log that is found, with digests of its own. Damage is no obstacle: what precedes it is shrunk,
/// and the error is handed back beside the numbers of inputs before and after.
///
/// # Errors
/// If nothing of the kind comes of the log, or if it has no header.
pub fn shrink(
    mut log: impl BufRead,
    wanted: &Wanted,
    answer: &mut impl Write,
) -> Result<(usize, usize, Option<ReplayError>), Error> {
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes)?;
    let (config, script, damage) = read(&bytes)?;
    let smallest = script.shrink(|excerpt| comes(wanted, &config, excerpt, Manager::apply));
    let Some(smallest) = smallest else {
        let what = match wanted {
            Wanted::Text(text) => format!("no output has {text:?} in it"),
            Wanted::Panic => "nothing panics".into(),
        };
        return Err(Error::NotThere(what));
    };
    answer.write_all(&record(config, &smallest))?;
    Ok((script.whole().len(), smallest.len(), damage))
}

/// The settings, and everything that precedes the damage: an input that was never finished included.
fn read(bytes: &[u8]) -> Result<(Config, Script<'_>, Option<ReplayError>), Error> {
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let mut replay = Replay::new(lines.next().unwrap_or_default(), [0, 0])?;
    let (mut script, mut out) = (Script::new(), Outbox::new());
    for line in lines {
        out.clear();
        if let Some(input) = Replay::unfinished(line) {
            script.push(input, None, &out);
        }
        match replay.apply(line, &mut out) {
            Ok(entry) => script.push(entry.input, Some(&entry.reply), &out),
            Err(error) => return Ok((replay.config().clone(), script, Some(error))),
        }
    }
    Ok((replay.config().clone(), script, None))
}

/// Whether it comes of these inputs.
fn comes(wanted: &Wanted, config: &Config, excerpt: &Excerpt<'_, '_>, tell: Tell) -> bool {
    let Ok(mut manager) = Manager::new(config.clone()) else {
        return false;
    };
    let mut out = Outbox::new();
    match wanted {
        Wanted::Text(text) => {
            let mut is_there = false;
            excerpt.run(|input| {
                out.clear();
                let reply = tell(&mut manager, input, &mut out);
                is_there = words::reply(&reply).contains(text)
                    || out.iter().any(|output| words::output(&output).contains(text));
                if is_there {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(reply)
                }
            });
            is_there
        }
        Wanted::Panic => catch_unwind(AssertUnwindSafe(|| {
            excerpt.run(|input| {
                out.clear();
                ControlFlow::Continue(tell(&mut manager, input, &mut out))
            });
        }))
        .is_err(),
    }
}

/// The log of these inputs. If the last one panics, its line ends as it does in a server: after the input.
fn record(config: Config, excerpt: &Excerpt<'_, '_>) -> Vec<u8> {
    let (mut log, mut out) = (Vec::new(), Outbox::new());
    if let Ok(mut recorder) = Recorder::new(config, &mut log) {
        let recorded = catch_unwind(AssertUnwindSafe(|| {
            excerpt.run(|input| {
                out.clear();
                ControlFlow::Continue(recorder.apply(input, &mut out, &mut log))
            });
        }));
        // It is the panic that was looked for.
        drop(recorded);
    }
    log
}

#[cfg(test)]
mod tests {
    use lobbykeeper::{Call, Event, Frame, Handshake, Time};

    use super::*;

    fn fragile(manager: &mut Manager, input: Input<'_>, out: &mut Outbox) -> Reply {
        let dies = matches!(
            &input.call,
            Call::Event(Event::Message { conn, frame: Frame::Text(text) }) if text == "boom" && manager.is_open(*conn)
        );
        assert!(!dies, "boom");
        manager.apply(input, out)
    }

    #[test]
    fn a_panic_is_shrunk_to_what_leads_to_it() {
        let mut log = Vec::new();
        let mut recorder = Recorder::new(Config::default(), &mut log).expect("the defaults are valid");
        let mut script = Script::new();
        let mut out = Outbox::new();
        let message = |conn: &str, text: &'static str| Event::Message {
            conn: conn.parse().expect("an id"),
            frame: Frame::text(text),
        };
        for event in [
            Event::Connected(Handshake::new("den", "ann")),
            Event::Connected(Handshake::new("den", "bob")),
            message("c0v1", "hello"),
            message("c1v1", "boom"),
            Event::Tick,
        ] {
            let input = Input {
                at: Time::ZERO,
                call: Call::Event(event),
            };
            let reply = recorder.apply(input.clone(), &mut out, &mut log);
            script.push(input, Some(&reply), &out);
        }
        let config = Config::default();
        let smallest = script.shrink(|excerpt| comes(&Wanted::Panic, &config, excerpt, fragile));
        let log = String::from_utf8(record(config, &smallest.expect("it panics"))).expect("JSON");
        let lines: Vec<_> = log.lines().skip(1).collect();
        assert_eq!(lines.len(), 2, "{log}");
        assert!(lines[0].contains("\"bob\""), "{log}");
        assert!(lines[1].contains(r#"{"conn":"c0v1","frame":{"text":"boom"}}"#), "{log}");
    }
}
