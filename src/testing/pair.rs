//! The manager and the model side by side.

use std::fmt::Write as _;

use crate::{Call, Config, ConnId, Event, Except, Input, LobbyRef, Manager, Outbox, Request, Time};

use super::model::Model;
use super::step::{Step, Steps};
use super::told::{Answered, NotEntered, Told, told};
use super::view::{View, Watched, difference};

/// Both, fed alike and compared after each input.
#[derive(Clone)]
pub struct Pair {
    pub manager: Manager,
    pub model: Model,
    pub watched: Watched,
    pub out: Outbox,
    /// Every input so far, in the JSON form in which it can be replayed.
    pub log: Vec<String>,
}

impl Pair {
    /// `None` if the settings are none.
    pub fn new(config: Config) -> Option<Self> {
        let mut watched = Watched::default();
        watched.conn("c9v9".parse().unwrap());
        watched.lobby("l9v9".parse().unwrap());
        watched.lobby_name("nowhere");
        watched.user_name("nobody");
        Some(Self {
            manager: Manager::new(config.clone()).ok()?,
            model: Model::new(config),
            watched,
            out: Outbox::new(),
            log: Vec::new(),
        })
    }

    /// Both after these steps, and the inputs that the steps came to.
    pub fn after(config: Config, steps: &Steps) -> (Self, Vec<Input<'static>>) {
        let mut pair = Self::new(config).unwrap();
        let mut inputs = Vec::new();
        for step in &steps.0 {
            let input = pair.input(step);
            pair.feed(&input).unwrap_or_else(|difference| panic!("{difference}"));
            inputs.push(input);
        }
        (pair, inputs)
    }

    /// The latest instant that a call has named.
    pub fn last_call(&self) -> Time {
        Time::from_nanos(self.model.clock.last)
    }

    /// What a step is here and now.
    pub fn input(&self, step: &Step) -> Input<'static> {
        step.input(&self.model, &self.watched)
    }

    /// Gives both the same input and compares the reply, all outputs and all queries.
    pub fn feed(&mut self, input: &Input<'_>) -> Result<(), String> {
        self.log.push(serde_json::to_string(input).unwrap());
        self.watch_input(input);
        self.out.clear();
        let reply = self.manager.apply(input.clone(), &mut self.out);
        let (expected_answer, expected_told) = self.model.apply(input);
        let (answered, told) = (Answered::from(&reply), told(&self.out));
        self.watch_outcome(&answered, &told);
        difference("the outputs", &told, &expected_told)
            .and_then(|()| difference("the replies", &answered, &expected_answer))
            .and_then(|()| {
                let (found, expected) = (View::of(&self.manager, &self.watched), self.expected());
                difference("the queries", &found, &expected)
            })
            .map_err(|difference| self.report(&difference))
    }

    /// All queries, as the model answers them.
    pub fn expected(&self) -> View {
        View::expected(&self.model, &self.watched)
    }

    /// The difference, after the settings and inputs that lead to it.
    fn report(&self, difference: &str) -> String {
        let mut text = format!("{}\n", serde_json::to_string(self.manager.config()).unwrap());
        for input in &self.log {
            _ = writeln!(text, "{input}");
        }
        text + difference
    }

    fn watch_input(&mut self, input: &Input<'_>) {
        let (conn, lobby, user) = mentioned(&input.call);
        if let Some(conn) = conn {
            self.watched.conn(conn);
        }
        match lobby {
            Some(LobbyRef::Name(name)) => self.watched.lobby_name(&name),
            Some(LobbyRef::Id(id)) => self.watched.lobby(id),
            Some(LobbyRef::Of(conn)) => self.watched.conn(conn),
            None => {}
        }
        if let Some(user) = user {
            self.watched.user_name(user);
        }
    }

    fn watch_outcome(&mut self, answered: &Answered, told: &[Told]) {
        match answered {
            Answered::Connected(Ok(conn)) => self.watched.conn(*conn),
            Answered::Entered(Ok(lobby)) => self.watched.lobby(*lobby),
            Answered::Entered(Err(NotEntered::Unknown(_))) | Answered::Unknown(_) => {
                unreachable!("the model does not know this reply: {answered:?}")
            }
            _ => {}
        }
        for told in told {
            if let Told::LobbyOpened { lobby, .. } = told {
                self.watched.lobby(*lobby);
            }
        }
    }
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
            Event::Message { conn, .. } | Event::Closed { conn, .. } => (Some(*conn), None, None),
            _ => (None, None, None),
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
            Request::SendToUser { user, .. } | Request::PingUser { user, .. } => (None, None, Some(user)),
            Request::Join { conn, lobby } => (Some(*conn), Some((&**lobby).into()), None),
            Request::SwitchLobby { conn, to, .. } => (Some(*conn), Some((&**to).into()), None),
            Request::Leave { conn, lobby } => (Some(*conn), Some(lobby.clone()), None),
            Request::SendTo { conn, .. } | Request::Kick { conn, .. } => (Some(*conn), None, None),
            _ => (None, None, None),
        },
    }
}
