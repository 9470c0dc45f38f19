//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use lobby_replay::{About, Subject, Wanted};
use lobbykeeper::ConnId;

/// Replays what lobbykeeper's flight recorder wrote.
///
/// Ends with 0 if all is well, with 1 if the log is damaged or does not have what was asked for, with 2 if the command
/// is wrong or the log cannot be read. Of a damaged log, everything before the damage is taken into account.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Plays the log again and checks that the same comes of it.
    Verify {
        /// The file that a recorder wrote.
        log: PathBuf,
    },
    /// Tells what happened to a user, a connection or a lobby.
    Timeline {
        /// The file that a recorder wrote.
        log: PathBuf,
        #[command(flatten)]
        subject: SubjectArgs,
    },
    /// Says why a connection was closed or evicted, or why one was refused, and what led there.
    Explain {
        /// The file that a recorder wrote.
        log: PathBuf,
        /// The id of a connection (c3v17), or the number of a line of the log (for one who was refused).
        what: About,
    },
    /// Writes the smallest log of which something still comes, to the standard output.
    Shrink {
        /// The file that a recorder wrote.
        log: PathBuf,
        #[command(flatten)]
        wanted: WantedArgs,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SubjectArgs {
    /// A user, with all of their connections.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A connection.
    #[arg(long, value_name = "ID")]
    conn: Option<ConnId>,
    /// A lobby, with what its members do there.
    #[arg(long, value_name = "NAME")]
    lobby: Option<String>,
}

impl SubjectArgs {
    /// The one that was given: clap asks for exactly one.
    pub(crate) fn subject(self) -> Subject {
        match (self.user, self.conn) {
            (Some(user), _) => Subject::User(user),
            (None, Some(conn)) => Subject::Conn(conn),
            (None, None) => Subject::Lobby(self.lobby.unwrap_or_default()),
        }
    }
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WantedArgs {
    /// An answer or an output that `timeline` words with this text in it; ids change, so better a name.
    #[arg(long, value_name = "TEXT")]
    until: Option<String>,
    /// A panic of the library.
    #[arg(long)]
    panic: bool,
}

impl WantedArgs {
    pub(crate) fn wanted(self) -> Wanted {
        self.until.map_or(Wanted::Panic, Wanted::Text)
    }
}
