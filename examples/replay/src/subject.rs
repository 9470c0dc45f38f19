//! Whom or what a time line is about.

use lobbykeeper::{Command, ConnId, Notice, Output};

use crate::log::Turn;

/// Whom or what a time line is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A user, with all of their connections.
    User(String),
    /// One connection.
    Conn(ConnId),
    /// A lobby, with what its members do there.
    Lobby(String),
}

impl Subject {
    pub(crate) fn is_in_input(&self, turn: &Turn<'_>) -> bool {
        turn.conn().is_some_and(|conn| self.is_conn(turn, conn))
            || match self {
                Self::User(user) => turn.user() == Some(user),
                Self::Conn(_) => false,
                Self::Lobby(lobby) => turn.names_lobby(lobby),
            }
    }

    pub(crate) fn is_in_output(&self, turn: &Turn<'_>, output: &Output<'_>) -> bool {
        match output {
            Output::Command(command) => match command {
                Command::Send { to, .. } => to.iter().any(|&conn| self.is_conn(turn, conn)),
                Command::Close { conn, .. } | Command::Evict { conn, .. } => self.is_conn(turn, *conn),
            },
            Output::Notice(notice) => match notice {
                Notice::Joined { lobby_name, user, .. } | Notice::Left { lobby_name, user, .. } => match self {
                    Self::User(name) => name == user,
                    Self::Conn(_) => false,
                    Self::Lobby(name) => name == lobby_name,
                },
                Notice::LobbyOpened { lobby_name, .. } | Notice::LobbyClosed { lobby_name, .. } => {
                    matches!(self, Self::Lobby(name) if name == lobby_name)
                }
                Notice::Ended { conn, .. }
                | Notice::Pong { conn, .. }
                | Notice::PingTimedOut { conn }
                | Notice::Writable { conn, .. }
                | Notice::Throttled { conn, .. } => self.is_conn(turn, *conn),
                // What befalls the server befalls everybody.
                _ => true,
            },
        }
    }

    fn is_conn(&self, turn: &Turn<'_>, conn: ConnId) -> bool {
        match self {
            Self::Conn(subject) => *subject == conn,
            Self::User(user) => turn.people.get(&conn).is_some_and(|person| person.user == *user),
            Self::Lobby(lobby) => turn
                .people
                .get(&conn)
                .is_some_and(|person| person.lobbies.contains(lobby)),
        }
    }
}
