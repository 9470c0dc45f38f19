//! A client, and the link between it and the server.

use lobbykeeper::{Cause, ConnId, Frame, Payload};
use serde::{Deserialize, Serialize};

/// A client: it answers pings and closes when it is told to, as any page with a WebSocket would, unless it sleeps or
/// its link is cut.
#[derive(Clone, Debug)]
pub struct Client {
    /// What the page knows it by.
    pub number: u32,
    /// Whose it is.
    pub user: String,
    /// The lobby that it asked for, or is in.
    pub lobby: String,
    /// Its id, once it was admitted.
    pub conn: Option<ConnId>,
    /// How the server sees it.
    pub state: State,
    /// Nothing passes between it and the server, and neither is told: half-open. What is sent meanwhile comes when
    /// the link is mended.
    pub cut: bool,
    /// A tab in the background: what comes to it is not read until it wakes.
    pub asleep: bool,
    /// Its tab was closed, whether or not the server knows.
    pub left: bool,
    /// What came from the server, or would have, and has not been read.
    inbox: Vec<Incoming>,
    /// What it has sent into a cut link.
    held: Vec<Outbound>,
}

/// How the server sees a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "why")]
pub enum State {
    /// It has connected to a server that stands still.
    Waiting,
    /// It is in.
    Open,
    /// It was told to close, for this reason.
    Closing(String),
    /// It was not let in, for this reason.
    Refused(String),
    /// It has ended, for this reason.
    Ended(String),
}

/// What the server sends to a client, as far as the client does something about it.
#[derive(Clone, Debug)]
pub(crate) enum Incoming {
    /// To be answered with this.
    Ping(Frame<'static>),
    Close,
}

/// What a client sends.
#[derive(Clone, Debug)]
pub(crate) enum Outbound {
    Connect {
        user: String,
        lobby: String,
    },
    Frame(Frame<'static>),
    /// The application's message that asks for another lobby.
    Switch(String),
    Closed(Cause),
}

impl Client {
    pub(crate) fn new(number: u32, user: String, lobby: String) -> Self {
        Self {
            number,
            user,
            lobby,
            conn: None,
            state: State::Waiting,
            cut: false,
            asleep: false,
            left: false,
            inbox: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Whether the server has it, or will have.
    pub fn is_there(&self) -> bool {
        matches!(self.state, State::Waiting | State::Open | State::Closing(_))
    }

    /// Something from the server. Returns what the client answers.
    pub(crate) fn receive(&mut self, incoming: Incoming) -> Option<Outbound> {
        if self.cut || self.asleep {
            self.inbox.push(incoming);
            return None;
        }
        self.answer(incoming)
    }

    fn answer(&self, incoming: Incoming) -> Option<Outbound> {
        match incoming {
            _ if self.left => None,
            Incoming::Ping(pong) => Some(Outbound::Frame(pong)),
            Incoming::Close => Some(Outbound::Closed(Cause::Peer)),
        }
    }

    /// Reads what has piled up, unless it still cannot. Returns what it answers.
    pub(crate) fn catch_up(&mut self) -> Vec<Outbound> {
        if self.cut || self.asleep {
            return Vec::new();
        }
        let inbox = std::mem::take(&mut self.inbox);
        inbox.into_iter().filter_map(|incoming| self.answer(incoming)).collect()
    }

    /// Something of its own on the way to the server: it passes, or is held where the link is cut.
    pub(crate) fn pass(&mut self, outbound: Outbound) -> Option<Outbound> {
        if self.cut {
            self.held.push(outbound);
            return None;
        }
        Some(outbound)
    }

    /// What was held, now that the link is mended.
    pub(crate) fn release(&mut self) -> Vec<Outbound> {
        std::mem::take(&mut self.held)
    }
}

/// What a client sees of a health message.
#[derive(Deserialize, Serialize)]
struct Health<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: u64,
}

/// What the client has to do about a message; most it would only show.
pub(crate) fn incoming(payload: &Payload) -> Option<Incoming> {
    match payload {
        Payload::Text(text) => {
            let health: Health<'_> = serde_json::from_str(text.as_str()).ok()?;
            let kind = (health.kind == "health_ping").then_some("health_pong")?;
            let answer = serde_json::to_string(&Health { kind, ..health }).ok()?;
            Some(Incoming::Ping(Frame::Text(answer.into())))
        }
        Payload::Ping(data) => Some(Incoming::Ping(Frame::Pong(data.as_bytes().to_vec().into()))),
        Payload::Binary(_) => None,
    }
}
