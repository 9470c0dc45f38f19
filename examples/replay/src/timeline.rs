//! What happened to somebody, in order.

use std::io::{BufRead, Write};

use crate::log::{self, Turn};
use crate::{Error, Subject, words};

/// Writes every input that is about the subject or led to an output about it, and those outputs.
///
/// # Errors
/// If the log is damaged, after what precedes that; or if nothing in it is about the subject.
pub fn timeline(log: impl BufRead, subject: &Subject, answer: &mut impl Write) -> Result<(), Error> {
    let mut is_empty = true;
    log::play(log, |turn| {
        let lines = about(subject, turn);
        is_empty &= lines.is_empty();
        for line in lines {
            writeln!(answer, "{line}")?;
        }
        Ok(())
    })?;
    if is_empty {
        let subject = match subject {
            Subject::User(user) => format!("the user {user:?}"),
            Subject::Conn(conn) => format!("the connection {conn}"),
            Subject::Lobby(lobby) => format!("the lobby {lobby:?}"),
        };
        return Err(Error::NotThere(format!("{subject} is not in this log")));
    }
    Ok(())
}

/// The line of an input and those of its outputs, as far as they are about the subject.
pub(crate) fn about(subject: &Subject, turn: &Turn<'_>) -> Vec<String> {
    let outputs = turn.out.iter().filter(|output| subject.is_in_output(turn, output));
    let outputs: Vec<_> = outputs
        .map(|output| format!("{:24}{}", "", words::output(&output)))
        .collect();
    if outputs.is_empty() && !subject.is_in_input(turn) {
        return Vec::new();
    }
    let time = turn.input.at.to_string();
    let mut lines = vec![format!("{:>6}  {time:14}  {}", turn.line, words::exchange(turn))];
    lines.extend(outputs);
    lines
}
