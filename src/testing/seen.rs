//! What somebody knows who reads along.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::told::{Answered, Outcome, Told, Words};
use crate::{
    Call, Config, ConnId, Event, Except, Input, LobbyId, LobbyRef, Outbox, PingFormat, Reply, Request, Source, Time,
};

/// So many of each kind are remembered, the latest.
const MOST: usize = 12;

/// What was seen of a manager from outside: which ids and names there were, who is open, who was pinged, what time it
/// is. A [`Step`](super::Step) is made into an input with it, and a [`View`](super::View) asks about it.
///
/// It takes no manager to keep it: [`record`](Self::record) reads what went in and what came out.
#[derive(Clone, Debug)]
pub struct Seen {
    pub(super) format: PingFormat,
    pub(super) last_call: Time,
    /// Oldest first.
    pub(super) open: Vec<ConnId>,
    /// The time stamp of the last ping to each open one.
    pub(super) stamps: BTreeMap<ConnId, u64>,
    /// Open, closing or gone.
    pub(super) conns: Vec<ConnId>,
    pub(super) lobbies: Vec<LobbyId>,
    pub(super) lobby_names: Vec<String>,
    pub(super) user_names: Vec<String>,
    pub(super) sources: Vec<Source>,
}

impl Seen {
    /// Nothing but an id of each kind that there never was, and a name of each kind that nobody has.
    pub fn new(config: &Config) -> Self {
        Self {
            format: config.ping_format,
            last_call: Time::ZERO,
            open: Vec::new(),
            stamps: BTreeMap::new(),
            conns: vec!["c9v9".parse().expect("an id")],
            lobbies: vec!["l9v9".parse().expect("an id")],
            lobby_names: vec!["nowhere".into()],
            user_names: vec!["nobody".into()],
            sources: vec![Source::from_bits(0)],
        }
    }

    /// The latest instant that a call has named.
    pub const fn last_call(&self) -> Time {
        self.last_call
    }

    /// The open connections, oldest first.
    pub fn open(&self) -> &[ConnId] {
        &self.open
    }

    /// Takes in one call: what it was, what it returned and what it wrote. The outbox holds nothing else.
    pub fn record(&mut self, input: &Input<'_>, reply: &Reply, out: &Outbox) {
        self.note(input, &Outcome::of(reply, out));
    }

    pub(super) fn note(&mut self, input: &Input<'_>, outcome: &Outcome) {
        self.last_call = self.last_call.max(input.at);
        self.note_input(input);
        match &outcome.answered {
            Answered::Connected(Ok(conn)) => {
                add(&mut self.conns, conn);
                self.open.push(*conn);
            }
            Answered::Entered(Ok(lobby)) => add(&mut self.lobbies, lobby),
            _ => {}
        }
        for told in &outcome.told {
            match told {
                Told::LobbyOpened { lobby, .. } => add(&mut self.lobbies, lobby),
                Told::Close { conn, .. } | Told::Ended { conn, .. } => {
                    self.open.retain(|open| open != conn);
                    self.stamps.remove(conn);
                }
                Told::Send { to, payload } => {
                    if let Some(stamp) = ping_stamp(payload) {
                        self.stamps.extend(to.iter().map(|&conn| (conn, stamp)));
                    }
                }
                _ => {}
            }
        }
    }

    fn note_input(&mut self, input: &Input<'_>) {
        if let Call::Event(Event::Connected(handshake)) = &input.call
            && let Some(source) = handshake.source
        {
            add(&mut self.sources, &source);
        }
        let (conn, lobby, user) = mentioned(&input.call);
        if let Some(conn) = conn {
            add(&mut self.conns, &conn);
        }
        match lobby {
            Some(LobbyRef::Name(name)) => add(&mut self.lobby_names, &*name),
            Some(LobbyRef::Id(id)) => add(&mut self.lobbies, &id),
            Some(LobbyRef::Of(conn)) => add(&mut self.conns, &conn),
            None => {}
        }
        if let Some(user) = user {
            add(&mut self.user_names, user);
        }
    }
}

fn add<T: PartialEq + ?Sized + ToOwned<Owned: Borrow<T>>>(list: &mut Vec<T::Owned>, item: &T) {
    if !list.iter().any(|known| known.borrow() == item) {
        if list.len() >= MOST {
            list.remove(0);
        }
        list.push(item.to_owned());
    }
}

/// The number that a pong is to echo, if this is a ping.
fn ping_stamp(payload: &Words) -> Option<u64> {
    let digits = match payload {
        Words::Ping(digits) => digits,
        Words::Text(text) => {
            let rest = text.strip_prefix(r#"{"type":"health_ping","timestamp":"#)?;
            rest.strip_suffix('}')?
        }
        Words::Binary(_) => return None,
    };
    digits.parse().ok()
}

/// Whom and what an input is about.
fn mentioned<'a>(call: &'a Call<'_>) -> (Option<ConnId>, Option<LobbyRef<'a>>, Option<&'a str>) {
    let excepted = |except: &'a Except<'_>| match except {
        Except::Nobody => (None, None),
        Except::Conn(conn) | Except::UserOf(conn) => (Some(*conn), None),
        Except::User(user) => (None, Some(&**user)),
    };
    match call {
        Call::Event(event) => match event {
            Event::Connected(handshake) => (None, Some((&*handshake.lobby).into()), Some(&handshake.user)),
            Event::Message { conn, .. } | Event::Closed { conn, .. } | Event::Flushed { conn, .. } => {
                (Some(*conn), None, None)
            }
            Event::Tick => (None, None, None),
        },
        Call::Request(request) => match request {
            Request::Broadcast { lobby, except, .. } => {
                let (conn, user) = excepted(except);
                (conn, Some(lobby.clone()), user)
            }
            Request::BroadcastAll { except, .. } => {
                let (conn, user) = excepted(except);
                (conn, None, user)
            }
            Request::SendToUser { user, .. } | Request::PingUser { user, .. } | Request::KickUser { user, .. } => {
                (None, None, Some(user))
            }
            Request::Join { conn, lobby } => (Some(*conn), Some((&**lobby).into()), None),
            Request::SwitchLobby { conn, to, .. } => (Some(*conn), Some((&**to).into()), None),
            Request::Leave { conn, lobby } => (Some(*conn), Some(lobby.clone()), None),
            Request::SendTo { conn, .. } | Request::Kick { conn, .. } | Request::Extend { conn, .. } => {
                (Some(*conn), None, None)
            }
            Request::KickLobby { lobby, .. } | Request::LockLobby { lobby } | Request::UnlockLobby { lobby } => {
                (None, Some(lobby.clone()), None)
            }
            _ => (None, None, None),
        },
    }
}
