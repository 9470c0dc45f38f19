//! The application with its manager: what a server tells it, and what it asks.

use std::ops::Deref;
use std::sync::LazyLock;
use std::{io, mem};

use lobbykeeper::{
    Cause, CloseFrame, ConnId, Event, Frame, Handshake, Inbound, Manager, Notice, Outbox, Payload, Reply, Request, Time,
};
use tracing::info;

use crate::failure::sendable;
use crate::log::{self, CapacityWatch};
use crate::machine::Machine;
use crate::tape::Tape;
use crate::{Settings, talk};

static GOING_AWAY: LazyLock<CloseFrame> = LazyLock::new(|| sendable(1001, "server going away"));

/// What clients are told when the server stops.
pub fn going_away() -> CloseFrame {
    (*GOING_AWAY).clone()
}

/// The chat. Its events and requests are those of the manager, which [`Deref`] shows for all queries; what they lead to
/// is in the outbox.
#[derive(Debug)]
pub struct Chat {
    machine: Machine,
    echo: bool,
    stopping: bool,
    capacity: CapacityWatch,
}

impl Chat {
    /// A chat with nobody in it.
    ///
    /// # Errors
    /// If the settings contradict each other, or if the recording cannot be started.
    pub fn new(settings: &Settings) -> io::Result<Self> {
        let tape = settings.record.as_deref().map(Tape::create).transpose()?;
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        Ok(Self {
            machine: Machine::new(settings.config.clone(), tape).map_err(invalid)?,
            echo: settings.echo,
            stopping: false,
            capacity: CapacityWatch::default(),
        })
    }

    /// A client that has come through the upgrade wants to enter a lobby.
    ///
    /// # Errors
    /// The close frame that it is to be refused with.
    pub fn connected(&mut self, now: Time, lobby: &str, user: &str, out: &mut Outbox) -> Result<ConnId, CloseFrame> {
        if self.stopping {
            return Err(going_away());
        }
        match self
            .machine
            .event(now, Event::Connected(Handshake::new(lobby, user)), out)
        {
            Reply::Connected(Ok(conn)) => {
                log::connected(conn, user, lobby, &self.machine.stats());
                if !self.echo {
                    talk::welcome(&mut self.machine, now, conn, out);
                }
                Ok(conn)
            }
            Reply::Connected(Err(refusal)) => {
                log::refused(&refusal, user, lobby);
                Err(refusal.close_frame())
            }
            other => unreachable!("{other:?} is no answer to a newcomer"),
        }
    }

    /// A message came, or a control frame other than a close.
    pub fn message(&mut self, now: Time, conn: ConnId, frame: Frame<'_>, out: &mut Outbox) {
        let said = frame.clone();
        let reply = self.machine.event(now, Event::Message { conn, frame }, out);
        if reply != Reply::Message(Inbound::Deliver) {
            return;
        }
        match said {
            Frame::Text(text) if self.echo => self.send_back(now, conn, Payload::text(text.into_owned()), out),
            Frame::Text(text) => talk::text_received(&mut self.machine, now, conn, &text, out),
            Frame::Binary(bytes) if self.echo => self.send_back(now, conn, Payload::binary(bytes.into_owned()), out),
            _ => talk::binary_received(&mut self.machine, now, conn, out),
        }
    }

    fn send_back(&mut self, now: Time, conn: ConnId, payload: Payload, out: &mut Outbox) {
        let payload = payload.into();
        self.machine.request(now, Request::SendTo { conn, payload }, out);
    }

    /// A client is to be closed: it broke the protocol, say.
    pub fn kick(&mut self, now: Time, conn: ConnId, close: CloseFrame, out: &mut Outbox) {
        self.machine.request(now, Request::Kick { conn, close }, out);
    }

    /// A socket is gone.
    pub fn closed(&mut self, now: Time, conn: ConnId, cause: Cause, out: &mut Outbox) {
        self.machine.event(now, Event::Closed { conn, cause }, out);
    }

    /// The manager wrote a notice: it goes into the log, and the lobby that it concerns is told. What that comes to is
    /// in `next`, since the notice still lies in the outbox that is being read.
    pub fn noticed(&mut self, now: Time, notice: Notice<'_>, next: &mut Outbox) {
        log::notice(&notice, &self.machine);
        if !self.echo {
            talk::noticed(&mut self.machine, now, notice, next);
        }
    }

    /// All that had come is handled: the clock ticks, however much that was. Before the deadline this does nothing.
    pub fn tick(&mut self, now: Time, out: &mut Outbox) {
        self.machine.event(now, Event::Tick, out);
    }

    /// Closes every client with 1001, and from now on everyone who comes.
    pub fn shut_down(&mut self, now: Time, out: &mut Outbox) {
        if !mem::replace(&mut self.stopping, true) {
            info!(closing = self.machine.stats().open_connections, "shutting down");
            let close = going_away();
            self.machine.request(now, Request::CloseAll { close }, out);
        }
    }

    /// The outbox has been carried out: the recording is handed on, and the log says if the server is nearly full.
    pub fn end_turn(&mut self) {
        self.capacity.look(&self.machine.stats());
        self.machine.end_turn();
    }
}

/// All queries.
impl Deref for Chat {
    type Target = Manager;

    fn deref(&self) -> &Manager {
        &self.machine
    }
}
