//! The command: what is asked for, the file, and how it ends.

mod args;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use lobby_replay::{Error, explain, shrink, timeline, verify};

use crate::args::{CommandLine, Task};

fn main() -> ExitCode {
    let task = CommandLine::parse().task;
    let (Task::Verify { log } | Task::Timeline { log, .. } | Task::Explain { log, .. } | Task::Shrink { log, .. }) =
        &task;
    let path = log.clone();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => return fail(&path, &Error::Io(error)),
    };
    let mut answer = BufWriter::new(io::stdout().lock());
    let outcome = carry_out(task, BufReader::new(file), &mut answer).and_then(|()| Ok(answer.flush()?));
    // An answer that breaks off comes before the error that says why.
    drop(answer);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the answer wants no more of it.
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&path, &error),
    }
}

fn carry_out(task: Task, log: BufReader<File>, answer: &mut impl Write) -> Result<(), Error> {
    match task {
        Task::Verify { .. } => verify(log, answer),
        Task::Timeline { subject, .. } => timeline(log, &subject.subject(), answer),
        Task::Explain { what, .. } => explain(log, what, answer),
        Task::Shrink { wanted, .. } => {
            let (before, after, damage) = shrink(log, &wanted.wanted(), answer)?;
            if let Some(damage) = damage {
                eprintln!("warning: {damage}; what precedes it is shrunk");
            }
            eprintln!("{after} of {before} inputs are left");
            Ok(())
        }
    }
}

fn fail(path: &Path, error: &Error) -> ExitCode {
    eprintln!("error: {}: {error}", path.display());
    ExitCode::from(match error {
        Error::Io(_) => 2,
        _ => 1,
    })
}
