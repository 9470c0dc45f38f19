//! Reads a log line by line, and knows who is who in it.

use std::collections::BTreeMap;
use std::io::BufRead;

use lobbykeeper::{
    Call, ConnId, Digest, Event, Input, LobbyRef, Manager, Notice, Outbox, Replay, Reply, Request, Time,
};

use crate::Error;

/// All connections that have not ended.
pub(crate) type People = BTreeMap<ConnId, Person>;

/// A connection that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) user: String,
    /// Where it is, or where it was when it was told to close.
    pub(crate) lobbies: Vec<String>,
}

/// One line of the log, and what came of it.
pub(crate) struct Turn<'a> {
    pub(crate) line: u64,
    pub(crate) input: &'a Input<'a>,
    pub(crate) reply: &'a Reply,
    pub(crate) out: &'a Outbox,
    /// As it stands after the call.
    pub(crate) manager: &'a Manager,
    /// Everybody who was there before the call, and who came with it.
    pub(crate) people: &'a People,
}

/// What a log was, all in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    pub(crate) inputs: u64,
    pub(crate) outputs: u64,
    pub(crate) last: Time,
    pub(crate) digest: Digest,
}

/// Plays the log and shows every line, until it ends or a line is damaged.
pub(crate) fn play(
    mut log: impl BufRead,
    mut show: impl FnMut(&Turn<'_>) -> Result<(), Error>,
) -> Result<Summary, Error> {
    let (mut line, mut out, mut people) = (Vec::new(), Outbox::new(), People::new());
    log.read_until(b'\n', &mut line)?;
    // Which key does not matter, and a fixed one makes a replay take the same time each time.
    let mut player = Replay::new(&line, [0, 0])?;
    let (mut outputs, mut last) = (0, Time::ZERO);
    loop {
        line.clear();
        out.clear();
        if log.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let entry = player.apply(&line, &mut out)?;
        let (input, reply) = (&entry.input, &entry.reply);
        admit(&mut people, input, reply);
        show(&Turn {
            line: player.line(),
            input,
            reply,
            out: &out,
            manager: &player,
            people: &people,
        })?;
        follow(&mut people, &player, input, &out);
        outputs += out.iter().len() as u64;
        last = last.max(input.at);
    }
    Ok(Summary {
        inputs: player.line() - 1,
        outputs,
        last,
        digest: player.digest(),
    })
}

/// Whoever comes is known from the line on that they come with.
pub(crate) fn admit(people: &mut People, input: &Input<'_>, reply: &Reply) {
    if let (Call::Event(Event::Connected(handshake)), Reply::Connected(Ok(conn))) = (&input.call, reply) {
        let person = Person {
            user: handshake.user.to_string(),
            lobbies: vec![handshake.lobby.to_string()],
        };
        people.insert(*conn, person);
    }
}

/// Follows who moved and who went.
pub(crate) fn follow(people: &mut People, manager: &Manager, input: &Input<'_>, out: &Outbox) {
    if let Call::Request(Request::Join { conn, .. } | Request::SwitchLobby { conn, .. } | Request::Leave { conn, .. }) =
        input.call
        && manager.is_open(conn)
        && let Some(person) = people.get_mut(&conn)
    {
        let names = manager.lobbies_of(conn).filter_map(|lobby| manager.lobby_name(lobby));
        person.lobbies = names.map(str::to_owned).collect();
    }
    for notice in out.notices() {
        if let Notice::Ended { conn, .. } = notice {
            people.remove(&conn);
        }
    }
}

impl Turn<'_> {
    /// The connection that the input is about, or that it made.
    pub(crate) fn conn(&self) -> Option<ConnId> {
        match &self.input.call {
            Call::Event(Event::Connected(_)) => match self.reply {
                Reply::Connected(Ok(conn)) => Some(*conn),
                _ => None,
            },
            Call::Event(Event::Message { conn, .. } | Event::Closed { conn, .. } | Event::Flushed { conn, .. })
            | Call::Request(
                Request::SendTo { conn, .. }
                | Request::Join { conn, .. }
                | Request::SwitchLobby { conn, .. }
                | Request::Leave { conn, .. }
                | Request::Kick { conn, .. }
                | Request::Extend { conn, .. },
            ) => Some(*conn),
            _ => None,
        }
    }

    /// The user whom the input names.
    pub(crate) fn user(&self) -> Option<&str> {
        match &self.input.call {
            Call::Event(Event::Connected(handshake)) | Call::Request(Request::Reserve(handshake)) => {
                Some(&handshake.user)
            }
            Call::Request(
                Request::SendToUser { user, .. } | Request::PingUser { user, .. } | Request::KickUser { user, .. },
            ) => Some(user),
            _ => None,
        }
    }

    /// Whether the input names this lobby.
    pub(crate) fn names_lobby(&self, name: &str) -> bool {
        match &self.input.call {
            Call::Event(Event::Connected(handshake)) | Call::Request(Request::Reserve(handshake)) => {
                handshake.lobby == name
            }
            Call::Request(Request::Join { lobby, .. }) => lobby == name,
            Call::Request(Request::SwitchLobby { from, to, .. }) => to == name || self.is_lobby(from, name),
            Call::Request(
                Request::Leave { lobby, .. }
                | Request::Broadcast { lobby, .. }
                | Request::KickLobby { lobby, .. }
                | Request::LockLobby { lobby }
                | Request::UnlockLobby { lobby },
            ) => self.is_lobby(lobby, name),
            _ => false,
        }
    }

    fn is_lobby(&self, lobby: &LobbyRef<'_>, name: &str) -> bool {
        match lobby {
            LobbyRef::Name(lobby) => lobby == name,
            LobbyRef::Id(id) => self.manager.lobby_name(*id) == Some(name),
            LobbyRef::Of(conn) => {
                let person = self.people.get(conn);
                person.is_some_and(|person| person.lobbies.first().is_some_and(|first| first == name))
            }
        }
    }
}
