//! Replays a transcript: keeps its prose and its inputs, and writes the manager's answer below each input.

mod diff;
mod script;
mod stage;
mod words;

use std::{fmt, iter};

pub(crate) use diff::diff;
use stage::Stage;

/// What is wrong with a transcript, and in which line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.message)
    }
}

/// The transcript as it should be. Outside of its blocks nothing is touched; in them, the outputs that are there are
/// dropped and the manager's are put in their place.
pub(crate) fn replay(text: &str) -> Result<String, Fault> {
    let mut stage = Stage::default();
    let mut replayed: Vec<String> = Vec::new();
    let (mut block, mut outputs) = (None, 0);
    for (number, line) in (1..).zip(text.lines()) {
        let fault = |message: String| Err(Fault { line: number, message });
        let mut answers = Vec::new();
        if number == 1 && !line.starts_with("# ") {
            return fault("a transcript starts with its heading, \"# ...\"".into());
        }
        if block.is_none() {
            if line == "```text" {
                block = Some(number);
            } else if line.starts_with("```") {
                return fault("a block opens with ```text; rustdoc would run any other".into());
            }
        } else if line == "```" {
            block = None;
        } else if let Some(input) = line.strip_prefix("> ") {
            match stage.play(input) {
                Ok(said) => answers = said,
                Err(message) => return fault(message),
            }
        } else if line.starts_with("  ") {
            continue;
        } else if !line.is_empty() {
            return fault("neither an input, \"> ...\", nor an output, which is indented by two spaces".into());
        }
        outputs += answers.len();
        let answers = answers.into_iter().map(|answer| format!("  {answer}"));
        replayed.extend(iter::once(line.to_owned()).chain(answers));
    }
    let fault = |line, message: &str| {
        Err(Fault {
            line,
            message: message.into(),
        })
    };
    match (block, outputs) {
        (Some(opened), _) => fault(opened, "this block is not closed"),
        (None, 0) => fault(1, "nothing in this transcript has an output"),
        (None, _) => Ok(replayed.join("\n") + "\n"),
    }
}
