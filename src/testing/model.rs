//! What the manager should do, said as plainly as possible: maps and vectors of owned strings, linear scans, everything
//! counted anew whenever it is asked for. Made from the design and the public documentation; slow and obvious.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{
    Call, CloseFrame, Closing, Config, ConnId, Ending, Event, Eviction, Except, Input, Lapse, LobbyId, LobbyRef,
    Outgoing, Receipt, Request, Source, Time,
};

use super::model_clock::{Clock, LAST, nanos};
use super::model_drain::Drain;
use super::model_flow::{Class, Queue};
use super::model_health::Health;
use super::model_rates::Taken;
use super::model_seats::{CountedSeats, Reservation};
use super::told::{Answered, Outcome, Told, Words};

/// The expected manager. Slow and obvious; [`Pair`](super::Pair) feeds it beside the real one.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) conn_ids: Ids,
    pub(super) lobby_ids: Ids,
    /// Who was admitted.
    pub(super) connects: Taken,
    /// What users have sent who have a connection, open or closing.
    pub(super) user_messages: BTreeMap<String, Taken>,
    /// All that have not ended, oldest first.
    pub(super) conns: Vec<Conn>,
    /// All with members, by name.
    pub(super) lobbies: BTreeMap<String, Lobby>,
    pub(super) counted: Counted,
    /// A stale wave was announced and is not over.
    pub(super) wave: bool,
    /// The time stamp of the last ping.
    pub(super) last_stamp: u64,
    /// The driver has reported something flushed.
    pub(super) reported: bool,
    pub(super) reservation_ids: Ids,
    /// All that are held, oldest first.
    pub(crate) reservations: Vec<Reservation>,
    /// What the call under way has written.
    pub(super) told: Vec<Told>,
    pub(super) drain: Option<Drain>,
}

#[derive(Clone, Debug)]
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    pub(crate) user: String,
    /// The names of its lobbies in the order of joining.
    pub(crate) lobbies: Vec<String>,
    pub(crate) phase: Phase,
    /// When it was told to close, on active time.
    pub(super) closing_since: Option<u128>,
    pub(crate) health: Health,
    pub(crate) source: Option<Source>,
    /// On the driver's clock.
    pub(crate) expires: Option<Time>,
    /// Of an open one.
    pub(crate) queue: Queue,
    /// What it has sent.
    pub(super) messages: Taken,
    /// Those that are not forgotten.
    pub(super) violations: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    Closing { replaced: bool },
}

#[derive(Clone, Debug)]
pub(crate) struct Lobby {
    pub(crate) id: LobbyId,
    pub(crate) name: String,
    /// In the order of joining.
    pub(crate) members: Vec<ConnId>,
    /// In the order of arrival.
    pub(crate) users: Vec<String>,
    pub(crate) revision: u64,
    pub(crate) locked: bool,
}

/// What cannot be counted anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    pub(super) admissions: u64,
    pub(super) invalid_name: u64,
    pub(super) server_full: u64,
    pub(super) lobby_full: u64,
    pub(super) user_limit: u64,
    pub(super) evicted_stale: u64,
    pub(super) evicted_close_timeout: u64,
    pub(super) evicted_replaced: u64,
    pub(super) closes: u64,
    pub(super) messages_in: u64,
    pub(super) bytes_in: u64,
    pub(super) messages_out: u64,
    pub(super) bytes_out: u64,
    pub(super) pings: u64,
    pub(super) pongs: u64,
    pub(super) missed_pings: u64,
    pub(super) stale_ids: u64,
    pub(super) lobby_locked: u64,
    pub(super) source_limit: u64,
    pub(super) refused_expired: u64,
    pub(super) expired: u64,
    pub(super) evicted_slow_consumer: u64,
    pub(super) evicted_over_budget: u64,
    pub(super) dropped_messages: u64,
    pub(super) excess_flushes: u64,
    pub(super) connect_rate: u64,
    pub(super) too_soon_of_connection: u64,
    pub(super) too_soon_of_user: u64,
    pub(super) too_big: u64,
    pub(super) closes_rate_limited: u64,
    pub(crate) seats: CountedSeats,
    pub(super) refused_draining: u64,
    pub(super) drained: u64,
}

/// Which ids come next: an index that was freed last is used again first, with the next generation.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    generations: Vec<u32>,
    pub(super) free: Vec<u32>,
}

impl Ids {
    pub(super) fn take(&mut self) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.generations.push(0);
            u32::try_from(self.generations.len() - 1).unwrap()
        });
        let generation = &mut self.generations[index as usize];
        *generation += 1;
        (u64::from(*generation) << 32) | u64::from(index)
    }
}

impl Model {
    /// A model with no connections. The settings must be valid.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            clock: Clock::default(),
            conn_ids: Ids::default(),
            lobby_ids: Ids::default(),
            connects: Taken::default(),
            user_messages: BTreeMap::new(),
            conns: Vec::new(),
            lobbies: BTreeMap::new(),
            counted: Counted::default(),
            wave: false,
            last_stamp: 0,
            reported: false,
            reservation_ids: Ids::default(),
            reservations: Vec::new(),
            told: Vec::new(),
            drain: None,
        }
    }

    /// What the manager must return and write for this input.
    pub fn apply(&mut self, input: &Input<'_>) -> Outcome {
        self.wave = self.wave && self.too_many_are_silent();
        self.read_clock(input.at.as_nanos());
        let answered = match &input.call {
            Call::Event(event) => match event {
                Event::Connected(handshake) => Answered::Connected(self.connected(handshake)),
                Event::Message { conn, frame } => Answered::Message(self.message(*conn, frame)),
                Event::Closed { conn, cause } => Answered::Changed(self.closed(*conn, Ending::Closed(*cause))),
                Event::Tick => {
                    self.tick();
                    Answered::Ticked
                }
                Event::Flushed { conn, bytes, messages } => Answered::Changed(self.flushed(*conn, *bytes, *messages)),
            },
            Call::Request(request) => self.request(request),
        };
        Outcome {
            answered,
            told: std::mem::take(&mut self.told),
        }
    }

    fn request(&mut self, request: &Request<'_>) -> Answered {
        match request {
            Request::Broadcast { lobby, payload, except } => {
                let members = self.lobby(lobby).map_or_else(Vec::new, |lobby| lobby.members.clone());
                Answered::Addressed(self.send(members, except, payload))
            }
            Request::BroadcastAll { payload, except } => {
                let mut all: Vec<ConnId> = self.open_conns().map(|conn| conn.id).collect();
                all.sort_by_key(|conn| conn.index());
                Answered::Addressed(self.send(all, except, payload))
            }
            Request::SendTo { conn, payload } => Answered::Addressed(self.send(vec![*conn], &Except::Nobody, payload)),
            Request::SendToUser { user, payload } => {
                Answered::Addressed(self.send(self.conns_of(user), &Except::Nobody, payload))
            }
            Request::PingUser { user, timeout } => Answered::Addressed(self.ping_user(user, *timeout)),
            Request::Join { conn, lobby } => Answered::Entered(self.join(*conn, lobby)),
            Request::SwitchLobby { conn, from, to } => Answered::Entered(self.switch_lobby(*conn, from, to)),
            Request::Leave { conn, lobby } => Answered::Changed(self.leave(*conn, lobby)),
            Request::Kick { conn, close } => Answered::Changed(self.kick(*conn, close)),
            Request::CloseAll { close } => {
                let mut all: Vec<ConnId> = self.open_conns().map(|conn| conn.id).collect();
                all.sort_by_key(|conn| conn.index());
                for &conn in &all {
                    self.kick(conn, close);
                }
                Answered::Addressed(all.len())
            }
            Request::KickUser { user, close } => {
                self.void_seats_of(user, Lapse::Kicked);
                Answered::Addressed(self.kick_all(&self.conns_of(user), close))
            }
            Request::KickLobby { lobby, close } => {
                let members = self.lobby(lobby).map_or_else(Vec::new, |lobby| lobby.members.clone());
                Answered::Addressed(self.kick_all(&members, close))
            }
            Request::LockLobby { lobby } => Answered::Changed(self.set_lock(lobby, true)),
            Request::UnlockLobby { lobby } => Answered::Changed(self.set_lock(lobby, false)),
            Request::SetLimit { limit, max } => Answered::LimitSet(self.set_limit(*limit, *max)),
            Request::SetRate { limit, rate } => Answered::LimitSet(self.set_rate(*limit, *rate)),
            Request::Extend { conn, expires } => Answered::Changed(self.extend(*conn, *expires)),
            Request::Reserve(handshake) => Answered::Reserved(self.reserve(handshake)),
            Request::Release { reservation } => Answered::Changed(self.release(*reservation)),
            Request::Drain { every, deadline } => Answered::Changed(self.drain(*every, *deadline)),
        }
    }

    // Looking things up.

    pub(crate) fn open_conns(&self) -> impl Iterator<Item = &Conn> {
        self.conns.iter().filter(|conn| conn.phase == Phase::Open)
    }

    pub(crate) fn open(&self, id: ConnId) -> Option<&Conn> {
        self.open_conns().find(|conn| conn.id == id)
    }

    pub(super) fn open_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.conns
            .iter_mut()
            .find(|conn| conn.id == id && conn.phase == Phase::Open)
    }

    /// A user's open connections, oldest first.
    pub(crate) fn conns_of(&self, user: &str) -> Vec<ConnId> {
        self.open_conns()
            .filter(|conn| conn.user == user)
            .map(|conn| conn.id)
            .collect()
    }

    pub(crate) fn lobby(&self, which: &LobbyRef<'_>) -> Option<&Lobby> {
        match which {
            LobbyRef::Name(name) => self.lobbies.get(&**name),
            LobbyRef::Id(id) => self.lobbies.values().find(|lobby| lobby.id == *id),
            LobbyRef::Of(conn) => {
                let first = self.open(*conn)?.lobbies.first()?;
                self.lobbies.get(first)
            }
        }
    }

    // Sending.

    /// Sends to those of the candidates who are open and not left out.
    fn send(&mut self, candidates: Vec<ConnId>, except: &Except<'_>, message: &Outgoing) -> usize {
        let absent = match except {
            Except::Nobody => Vec::new(),
            Except::Conn(conn) => vec![*conn],
            Except::User(user) => self.conns_of(user),
            Except::UserOf(conn) => self.open(*conn).map_or_else(Vec::new, |conn| self.conns_of(&conn.user)),
        };
        let to = candidates
            .into_iter()
            .filter(|&conn| self.open(conn).is_some() && !absent.contains(&conn));
        self.write(
            to.collect(),
            (&message.payload).into(),
            Class::Application(message.delivery),
        )
    }

    /// Writes one message, unless there is nobody to get it.
    pub(super) fn write(&mut self, to: Vec<ConnId>, payload: Words, class: Class) -> usize {
        let bytes = match &payload {
            Words::Text(text) | Words::Ping(text) => text.len(),
            Words::Binary(bytes) => bytes.len(),
        };
        let to = self.make_room(to, bytes, class);
        let addressed = to.len();
        self.counted.messages_out += addressed as u64;
        self.counted.bytes_out += (addressed * bytes) as u64;
        if addressed > 0 {
            self.told.push(Told::Send { to, payload });
        }
        addressed
    }

    // Going.

    pub(super) fn kick(&mut self, conn: ConnId, close: &CloseFrame) -> bool {
        let open = self.open(conn).is_some();
        if open {
            self.begin_close(conn, close, Closing::Requested, (0, 0));
        }
        open
    }

    /// Why: the cause, what its rule saw and what it allows.
    pub(super) fn begin_close(
        &mut self,
        id: ConnId,
        close: &CloseFrame,
        cause: Closing,
        (seen, threshold): (u64, u64),
    ) {
        let replaced = cause == Closing::Replaced || self.gives_way(id);
        if replaced {
            self.evict_lingering(id);
        }
        let now = Time::from_nanos(self.clock.last);
        self.told.push(Told::Close {
            conn: id,
            code: close.code(),
            reason: close.reason().into(),
            cause,
            receipt: Receipt::of_count(seen, threshold, now),
        });
        self.counted.closes += 1;
        self.withdraw(id);
        let (now, until) = (self.clock.active(), self.clock.after(self.config.close_timeout));
        let conn = self.open_mut(id).unwrap();
        conn.phase = Phase::Closing { replaced };
        conn.closing_since = Some(now);
        conn.health.check_only_at(until);
    }

    /// Takes an open connection out of everything but the count of connections.
    fn withdraw(&mut self, id: ConnId) {
        let conn = self.open_mut(id).unwrap();
        if conn.health.asked.take().is_some() {
            self.told.push(Told::PingTimedOut { conn: id });
        }
        for lobby in self.open(id).unwrap().lobbies.clone() {
            self.quit(id, &lobby);
        }
        // A seat that it shared with somebody is theirs alone.
        for seat in &mut self.reservations {
            seat.replaces = seat.replaces.filter(|&conn| conn != id);
        }
        self.use_slot();
    }

    pub(super) fn evict(&mut self, id: ConnId, cause: Eviction) {
        let receipt = self.why_evicted(id, cause);
        self.evict_by(id, cause, receipt);
    }

    /// As `evict`, for what this receipt says.
    pub(super) fn evict_by(&mut self, id: ConnId, cause: Eviction, receipt: Receipt) {
        self.told.push(Told::Evict {
            conn: id,
            cause,
            receipt,
        });
        match cause {
            Eviction::Stale => self.counted.evicted_stale += 1,
            Eviction::CloseTimeout => self.counted.evicted_close_timeout += 1,
            Eviction::Replaced => self.counted.evicted_replaced += 1,
            Eviction::SlowConsumer => self.counted.evicted_slow_consumer += 1,
            Eviction::OverBudget => self.counted.evicted_over_budget += 1,
        }
        self.closed(id, Ending::Evicted(cause));
    }

    fn why_evicted(&self, id: ConnId, cause: Eviction) -> Receipt {
        let conn = self.conns.iter().find(|conn| conn.id == id).unwrap();
        let patience = nanos(self.config.close_timeout);
        // A closing one whose time-out lies beyond the end of time has no check, and nothing is told of its time.
        let since = conn.closing_since.filter(|since| since + patience <= LAST);
        let since = since.unwrap_or(self.clock.active());
        let (seen, threshold, since) = match cause {
            Eviction::Stale => {
                let health = &conn.health;
                (health.missed.into(), self.config.max_missed.into(), health.heard)
            }
            Eviction::CloseTimeout => (self.clock.active() - since, patience, since),
            Eviction::Replaced => (2, 1, since),
            Eviction::SlowConsumer | Eviction::OverBudget => unreachable!("they come with their receipts"),
        };
        let small = |number: u128| u64::try_from(number).unwrap();
        Receipt {
            waited: Duration::from_nanos(small(self.clock.active() - since)),
            ..Receipt::of_count(small(seen), small(threshold), Time::from_nanos(self.clock.last))
        }
    }

    fn closed(&mut self, id: ConnId, ending: Ending) -> bool {
        if !self.conns.iter().any(|conn| conn.id == id) {
            self.counted.stale_ids += 1;
            return false;
        }
        if self.open(id).is_some() {
            self.withdraw(id);
        }
        let position = self.conns.iter().position(|conn| conn.id == id).unwrap();
        let conn = self.conns.remove(position);
        self.forget_messages_of(&conn.user);
        self.told.push(Told::Ended {
            conn: id,
            user: conn.user,
            ending,
        });
        self.conn_ids.free.push(id.index());
        self.tell_if_drained();
        true
    }

    /// How many users have an open connection.
    pub(crate) fn users(&self) -> usize {
        let users: BTreeSet<&str> = self.open_conns().map(|conn| conn.user.as_str()).collect();
        users.len()
    }
}
