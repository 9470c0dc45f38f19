//! Whether a log still gives what it gave.

use std::io::{BufRead, Write};

use crate::{Error, log};

/// Plays the whole log and says what it came to.
///
/// # Errors
/// If the log is damaged: where, after saying how far it was good.
pub fn verify(log: impl BufRead, answer: &mut impl Write) -> Result<(), Error> {
    let mut good = 1;
    let outcome = log::play(log, |turn| {
        good = turn.line;
        Ok(())
    });
    match outcome {
        Ok(summary) => {
            let log::Summary {
                inputs,
                outputs,
                last,
                digest,
            } = summary;
            writeln!(
                answer,
                "verified: {inputs} inputs up to {last} gave the same {outputs} outputs"
            )?;
            writeln!(answer, "digest {digest}")?;
            Ok(())
        }
        Err(Error::Log(error)) => {
            if error.line > 1 {
                writeln!(answer, "verified up to line {good}")?;
            }
            Err(Error::Log(error))
        }
        Err(error) => Err(error),
    }
}
