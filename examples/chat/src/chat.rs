//! The application with its manager: what a server tells it, and what it asks.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Deref;
use std::sync::LazyLock;
use std::time::Duration;

use lobbykeeper::{
    Cause, CloseFrame, ConnId, Event, Frame, Handshake, Inbound, Manager, Notice, Outbox, Payload, Refusal, Reply,
    Request, Source, Time,
};
use tracing::info;

use crate::failure::sendable;
use crate::log::{self, CapacityWatch};
use crate::machine::Machine;
use crate::tape::Tape;
use crate::waiting::{Waiting, WaitingRoom};
use crate::{Settings, SlowClient, auth, talk};

static GOING_AWAY: LazyLock<CloseFrame> = LazyLock::new(|| sendable(1001, "server going away"));

/// What those are told who come when nobody is there any more to ask.
pub fn going_away() -> CloseFrame {
    (*GOING_AWAY).clone()
}

/// Somebody who has come through the upgrade and wants to enter a lobby.
#[derive(Clone, Copy, Debug)]
pub struct Visitor<'a> {
    /// What the server knows them by until it is decided whether they come in: no two at a time have the same.
    pub key: usize,
    /// Which lobby.
    pub lobby: &'a str,
    /// What they prove with who they are; empty if they have nothing.
    pub token: &'a str,
    /// Where they come from.
    pub address: IpAddr,
}

/// They are in, or are to be sent away with this close frame.
pub type Admission = Result<ConnId, CloseFrame>;

/// The chat. Its events and requests are those of the manager, which [`Deref`] shows for all queries; what they lead to
/// is in the outbox.
#[derive(Debug)]
pub struct Chat {
    machine: Machine,
    waiting: WaitingRoom,
    /// How long it takes to look at a token, ...
    auth_delay: Duration,
    /// ... and what comes of it.
    is_good: fn(&str) -> bool,
    echo: bool,
    slow_client: SlowClient,
    drain_every: Duration,
    drain_within: Duration,
    drained: bool,
    unauthorized: u64,
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
            waiting: WaitingRoom::default(),
            auth_delay: settings.auth_delay,
            is_good: auth::is_good,
            echo: settings.echo,
            slow_client: settings.slow_client,
            drain_every: settings.drain_every,
            drain_within: settings.drain_within,
            drained: false,
            unauthorized: 0,
            capacity: CapacityWatch::default(),
        })
    }

    /// Somebody wants to come in. `None` if their token has to be looked at first: then a seat is reserved for them, and
    /// either [`decided`](Self::decided) says what came of it, or [`gave_up`](Self::gave_up) is called.
    pub fn knock(&mut self, now: Time, visitor: Visitor<'_>, out: &mut Outbox) -> Option<Admission> {
        let Visitor {
            key,
            lobby,
            token,
            address,
        } = visitor;
        let Some(user) = auth::authenticate(token) else {
            return Some(self.unauthorized(lobby));
        };
        let source = source(address);
        let handshake = Handshake::new(lobby, &*user).source(source);
        if self.auth_delay.is_zero() {
            return Some(self.admit(now, handshake, out));
        }
        match self.machine.request(now, Request::Reserve(handshake), out) {
            Reply::Reserved(Ok(reservation)) => {
                log::reserved(reservation, &user, lobby);
                self.waiting.enter(Waiting {
                    key,
                    lobby: lobby.to_owned(),
                    user,
                    token: token.to_owned(),
                    source,
                    reservation,
                    due: now + self.auth_delay,
                });
                None
            }
            Reply::Reserved(Err(refusal)) => Some(refused(&refusal, &user, lobby)),
            other => unreachable!("{other:?} is no answer to a reservation"),
        }
    }

    /// Of one whose token was looked at, or whose seat is no longer held, what becomes of them. To be asked in each turn
    /// after the [`tick`](Self::tick) until it is nobody.
    pub fn decided(&mut self, now: Time, out: &mut Outbox) -> Option<(usize, Admission)> {
        let waiting = self.waiting.take_due(now)?;
        let Waiting {
            key,
            lobby,
            user,
            token,
            source,
            reservation,
            ..
        } = waiting;
        let admission = if (self.is_good)(&token) {
            let handshake = Handshake::new(lobby, user).source(source).reservation(reservation);
            self.admit(now, handshake, out)
        } else {
            self.machine.request(now, Request::Release { reservation }, out);
            self.unauthorized(&lobby)
        };
        Some((key, admission))
    }

    /// One who may be waiting to be let in has left. O(those who wait).
    pub fn gave_up(&mut self, now: Time, key: usize, out: &mut Outbox) {
        if let Some(Waiting { reservation, .. }) = self.waiting.leave(key) {
            self.machine.request(now, Request::Release { reservation }, out);
        }
    }

    /// When the [`tick`](Self::tick) has something to do though nothing comes, or somebody is decided about.
    pub fn next_deadline(&self) -> Option<Time> {
        let deadlines = [self.machine.next_deadline(), self.waiting.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    fn unauthorized(&mut self, lobby: &str) -> Admission {
        self.unauthorized += 1;
        log::unauthorized(lobby);
        Err(self.config().answers.unauthorized.clone())
    }

    fn admit(&mut self, now: Time, handshake: Handshake<'_>, out: &mut Outbox) -> Admission {
        let (lobby, user) = (handshake.lobby.clone(), handshake.user.clone());
        match self.machine.event(now, Event::Connected(handshake), out) {
            Reply::Connected(Ok(conn)) => {
                let stats = self.machine.stats();
                if stats.backlog.is_none() {
                    // The first of all: from now on the manager knows that it is told what is written.
                    self.flushed(now, conn, 0, 0, out);
                }
                log::connected(conn, &user, &lobby, &stats);
                if !self.echo {
                    talk::welcome(&mut self.machine, now, conn, out);
                }
                Ok(conn)
            }
            Reply::Connected(Err(refusal)) => refused(&refusal, &user, &lobby),
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
        match notice {
            Notice::Drained { .. } => self.drained = true,
            Notice::ReservationLapsed { reservation, .. } => self.waiting.lapse(reservation),
            _ => {}
        }
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

    /// How many were refused whose token stands for nobody: the manager never hears of them.
    pub fn unauthorized_count(&self) -> u64 {
        self.unauthorized
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

fn refused(refusal: &Refusal, user: &str, lobby: &str) -> Admission {
    log::refused(refusal, user, lobby);
    Err(refusal.close_frame())
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use lobbykeeper::Config;

    use super::*;
    use crate::Proxies;

    const DELAY: Duration = Duration::from_secs(2);

    fn chat(is_good: fn(&str) -> bool) -> Chat {
        let settings = Settings {
            config: Config::default(),
            max_message_bytes: 65_536,
            slow_client: SlowClient::Evict,
            handshake_timeout: Duration::from_secs(10),
            auth_delay: DELAY,
            proxies: Proxies::none(),
            drain_every: Duration::ZERO,
            drain_within: Duration::ZERO,
            record: None,
            echo: false,
        };
        let chat = Chat::new(&settings).expect("the defaults are valid");
        Chat { is_good, ..chat }
    }

    fn visitor(key: usize, token: &str) -> Visitor<'_> {
        Visitor {
            key,
            lobby: "den",
            token,
            address: Ipv4Addr::LOCALHOST.into(),
        }
    }

    #[test]
    fn one_whose_token_is_good_comes_in_when_it_was_looked_at() {
        let (mut chat, mut out) = (chat(|_| true), Outbox::new());
        assert_eq!(chat.knock(Time::ZERO, visitor(7, "ann"), &mut out), None);
        assert_eq!(chat.next_deadline(), Some(Time::ZERO + DELAY));
        assert_eq!(chat.decided(Time::from_secs(1), &mut out), None);
        let (key, admission) = chat.decided(Time::ZERO + DELAY, &mut out).expect("it is time");
        assert_eq!((key, admission.is_ok()), (7, true));
        assert_eq!((chat.stats().reserved_seats, chat.stats().open_connections), (0, 1));
        assert_eq!(chat.decided(Time::ZERO + DELAY, &mut out), None);
    }

    #[test]
    fn one_whose_token_is_bad_is_sent_away_and_the_seat_is_free() {
        let (mut chat, mut out) = (chat(|token| token != "mallory"), Outbox::new());
        assert_eq!(chat.knock(Time::ZERO, visitor(7, "mallory"), &mut out), None);
        assert_eq!(chat.stats().reserved_seats, 1);
        let unauthorized = chat.config().answers.unauthorized.clone();
        assert_eq!(
            chat.decided(Time::ZERO + DELAY, &mut out),
            Some((7, Err(unauthorized.clone())))
        );
        let stats = chat.stats();
        assert_eq!((stats.reserved_seats, stats.reservations.released), (0, 1));
        // Whoever has no token at all need not wait for that.
        assert_eq!(
            chat.knock(Time::ZERO, visitor(8, ""), &mut out),
            Some(Err(unauthorized))
        );
    }

    #[test]
    fn one_who_gives_up_frees_the_seat_and_nobody_else() {
        let (mut chat, mut out) = (chat(|_| true), Outbox::new());
        for (key, token) in [(1, "ann"), (2, "bob"), (3, "cat")] {
            assert_eq!(chat.knock(Time::ZERO, visitor(key, token), &mut out), None);
        }
        chat.gave_up(Time::ZERO, 2, &mut out);
        chat.gave_up(Time::ZERO, 9, &mut out);
        assert_eq!(chat.stats().reserved_seats, 2);
        let mut decided = Vec::new();
        while let Some((key, admission)) = chat.decided(Time::ZERO + DELAY, &mut out) {
            decided.push((key, admission.is_ok()));
        }
        assert_eq!(decided, [(1, true), (3, true)]);
    }

    #[test]
    fn one_whose_seat_is_no_longer_held_is_sent_away_at_once() {
        let (mut chat, mut out, mut next) = (chat(|_| true), Outbox::new(), Outbox::new());
        for (key, token) in [(1, "ann"), (2, "bob")] {
            assert_eq!(chat.knock(Time::ZERO, visitor(key, token), &mut out), None);
        }
        let kick = Request::KickUser {
            user: "bob".into(),
            close: going_away(),
        };
        chat.request(Time::ZERO, kick, &mut out);
        for notice in out.notices() {
            chat.noticed(Time::ZERO, notice, &mut next);
        }
        assert_eq!(chat.next_deadline(), Some(Time::ZERO));
        let (key, admission) = chat.decided(Time::ZERO, &mut out).expect("bob is");
        assert_eq!((key, admission.unwrap_err().reason()), (2, "reservation_void;retry=0"));
        assert_eq!(chat.decided(Time::ZERO, &mut out), None);
    }
}
