//! The application with its manager: what a server tells it, and what it asks.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Deref;
use std::sync::LazyLock;
use std::time::Duration;

use lobbykeeper::{
    Cause, CloseFrame, ConnId, Event, Frame, Handshake, Inbound, Manager, Notice, Outbox, Payload, Reply, Request,
    Source, Time,
};
use tracing::info;

use crate::failure::sendable;
use crate::log::{self, CapacityWatch};
use crate::machine::Machine;
use crate::tape::Tape;
use crate::{Settings, SlowClient, talk};

static GOING_AWAY: LazyLock<CloseFrame> = LazyLock::new(|| sendable(1001, "server going away"));

/// What those are told who come when nobody is there any more to ask.
pub fn going_away() -> CloseFrame {
    (*GOING_AWAY).clone()
}

/// The chat. Its events and requests are those of the manager, which [`Deref`] shows for all queries; what they lead to
/// is in the outbox.
#[derive(Debug)]
pub struct Chat {
    machine: Machine,
    echo: bool,
    slow_client: SlowClient,
    drain_every: Duration,
    drain_within: Duration,
    drained: bool,
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
            slow_client: settings.slow_client,
            drain_every: settings.drain_every,
            drain_within: settings.drain_within,
            drained: false,
            capacity: CapacityWatch::default(),
        })
    }

    /// A client that has come through the upgrade wants to enter a lobby, from this address.
    ///
    /// # Errors
    /// The close frame that it is to be refused with.
    pub fn connected(
        &mut self,
        now: Time,
        lobby: &str,
        user: &str,
        peer: IpAddr,
        out: &mut Outbox,
    ) -> Result<ConnId, CloseFrame> {
        let handshake = Handshake::new(lobby, user).source(source(peer));
        match self.machine.event(now, Event::Connected(handshake), out) {
            Reply::Connected(Ok(conn)) => {
                let stats = self.machine.stats();
                if stats.backlog.is_none() {
                    // The first of all: from now on the manager knows that it is told what is written.
                    self.flushed(now, conn, 0, 0, out);
                }
                log::connected(conn, user, lobby, &stats);
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
            Frame::Text(text) => {
                talk::text_received(&mut self.machine, self.slow_client, now, conn, &text, out);
            }
            Frame::Binary(bytes) if self.echo => self.send_back(now, conn, Payload::binary(bytes.into_owned()), out),
            _ => talk::binary_received(&mut self.machine, now, conn, out),
        }
    }

    fn send_back(&mut self, now: Time, conn: ConnId, payload: Payload, out: &mut Outbox) {
        let payload = payload.into();
        self.machine.request(now, Request::SendTo { conn, payload }, out);
    }

    /// So much of what was sent to a client has been handed to the system, in payload bytes and messages.
    pub fn flushed(&mut self, now: Time, conn: ConnId, bytes: u64, messages: u32, out: &mut Outbox) {
        self.machine.event(now, Event::Flushed { conn, bytes, messages }, out);
    }

    /// Half of what may wait for all clients does: what there is should be written before more is read, so that nobody is
    /// cut off for what they would take at once.
    pub fn is_backlog_high(&self) -> bool {
        let max = self.config().max_total_backlog_bytes;
        let waiting = max.and_then(|_| self.stats().backlog);
        max.zip(waiting).is_some_and(|(max, waiting)| waiting.bytes > max / 2)
    }

    /// A client is to be closed: it broke the protocol, say.
    pub fn kick(&mut self, now: Time, conn: ConnId, close: CloseFrame, out: &mut Outbox) {
        self.machine.request(now, Request::Kick { conn, close }, out);
    }

    /// An operator wants something.
    pub fn request(&mut self, now: Time, request: Request<'_>, out: &mut Outbox) -> Reply {
        self.machine.request(now, request, out)
    }

    /// A socket is gone.
    pub fn closed(&mut self, now: Time, conn: ConnId, cause: Cause, out: &mut Outbox) {
        self.machine.event(now, Event::Closed { conn, cause }, out);
    }

    /// The manager wrote a notice: it goes into the log, and the lobby that it concerns is told. What that comes to is
    /// in `next`, since the notice still lies in the outbox that is being read.
    pub fn noticed(&mut self, now: Time, notice: Notice<'_>, next: &mut Outbox) {
        log::notice(&notice, &self.machine);
        self.drained |= matches!(notice, Notice::Drained { .. });
        if !self.echo {
            talk::noticed(&mut self.machine, now, notice, next);
        }
    }

    /// All that had come is handled: the clock ticks, however much that was. Before the deadline this does nothing.
    pub fn tick(&mut self, now: Time, out: &mut Outbox) {
        self.machine.event(now, Event::Tick, out);
    }

    /// The server is to stop: it closes one client after the other, tells each when to return, and refuses everyone who
    /// comes. False if it does so already.
    pub fn drain(&mut self, now: Time, out: &mut Outbox) -> bool {
        let (every, deadline) = (self.drain_every, now + self.drain_within);
        let begins = self.machine.request(now, Request::Drain { every, deadline }, out) == Reply::Changed(true);
        if begins {
            let clients = self.machine.stats().open_connections;
            info!(clients, ?every, within = ?self.drain_within, "draining");
        }
        begins
    }

    /// Nobody is left, and nobody comes any more: the server may end.
    pub fn is_drained(&self) -> bool {
        self.drained
    }

    /// The outbox has been carried out: the recording is handed on, and the log says if the server is nearly full.
    pub fn end_turn(&mut self) {
        self.capacity.look(&self.machine.stats());
        self.machine.end_turn();
    }
}

/// What counts as one source: an address, of IPv6 the network of which a host has all addresses for itself.
fn source(peer: IpAddr) -> Source {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address.into(),
    }
}

/// All queries.
impl Deref for Chat {
    type Target = Manager;

    fn deref(&self) -> &Manager {
        &self.machine
    }
}
