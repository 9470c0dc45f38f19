//! The state machine: its parts, and the gate that every call passes.

mod admission;
mod apply;
mod conn;
mod drain;
mod expiry;
mod flow;
mod health;
mod invariants;
mod limits;
mod locks;
mod query;
mod rates;
mod receipts;
mod reservations;
mod restore;
mod send;
mod snapshot;
mod transitions;

use alloc::vec::Vec;

pub use query::LobbyUsers;

use self::conn::{Conn, Lobby, User};
use self::rates::Rates;
use self::transitions::Population;
use crate::backlog::Backlogs;
use crate::clock::{Active, Clock, Moment};
use crate::config::{Config, ConfigError};
use crate::drain::Drain;
use crate::ending::Ending;
use crate::event::Cause;
use crate::id::ConnId;
use crate::limit::Peaks;
use crate::names::{HashKey, Names};
use crate::outbox::{Notice, Outbox};
use crate::presence::Presences;
use crate::pulse::Patience;
use crate::seats::Seats;
use crate::slot_heap::SlotHeap;
use crate::slots::Slots;
use crate::sources::Sources;
use crate::stats::Counters;
use crate::time::{Time, duration_nanos};
use crate::wire::Pinger;

/// The connection manager: connections by lobby and by user, limits, health.
///
/// A pure, synchronous state machine. It opens no socket, reads no clock and calls nobody back. What happens outside is
/// told to it by [`connected`](Self::connected), [`message`](Self::message), [`closed`](Self::closed) and
/// [`tick`](Self::tick), each with the driver's clock, and by [`flushed`](Self::flushed) if backlogs are to be limited;
/// what is to happen is written to an [`Outbox`]. The same settings and calls give the same outputs on every machine.
///
/// Nothing panics, whatever is passed in: an id that is unknown or stale is ignored.
///
/// `Clone` forks it: both copies go on alike when fed alike.
#[derive(Clone, Debug)]
pub struct Manager {
    config: Config,
    /// `config`'s times, in nanoseconds.
    patience: Patience,
    close_timeout: u64,
    pause_tolerance: Option<u64>,
    reservation_ttl: u64,

    conns: Slots<Conn>,
    users: Names<User>,
    lobbies: Names<Lobby>,
    presences: Presences,
    /// When patience with a connection is at its end, or a ping is due: on active time.
    deadlines: SlotHeap<Active>,
    clock: Clock,
    pinger: Pinger,
    /// From where the open connections are that told it.
    sources: Sources,
    /// Until when the open connections may stay that may not stay for ever: on the driver's clock.
    expiries: SlotHeap<Time>,
    peaks: Peaks,
    rates: Rates,
    /// Seats that are reserved.
    seats: Seats,

    population: Population,
    counters: Counters,
    /// More connections are silent than can be believed, and that has been said.
    stale_wave: bool,
    /// Where in a run of members those are whom a broadcast leaves out; kept for its memory.
    excepted: Vec<usize>,
    backlogs: Backlogs,
    /// The server is being emptied.
    drain: Option<Drain>,
}

impl Manager {
    /// A manager with no connections.
    ///
    /// # Errors
    /// What [`Config::validate`] finds.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        let hash_key = HashKey(config.hash_key);
        let patience = Patience {
            interval: config.ping_interval.map(duration_nanos),
            timeout: duration_nanos(config.ping_timeout),
            max_missed: config.max_missed,
        };
        Ok(Self {
            patience,
            close_timeout: duration_nanos(config.close_timeout),
            pause_tolerance: config.pause_tolerance.map(duration_nanos),
            reservation_ttl: duration_nanos(config.reservation_ttl),
            conns: Slots::new(),
            users: Names::new(hash_key),
            lobbies: Names::new(hash_key),
            presences: Presences::new(hash_key),
            deadlines: SlotHeap::new(),
            clock: Clock::new(),
            pinger: Pinger::new(config.ping_format),
            sources: Sources::new(hash_key),
            expiries: SlotHeap::new(),
            peaks: Peaks::of(&config),
            rates: Rates::new(&config),
            seats: Seats::new(hash_key),
            population: Population::default(),
            counters: Counters::default(),
            stale_wave: false,
            excepted: Vec::new(),
            backlogs: Backlogs::new(&config),
            drain: None,
            config,
        })
    }

    /// A connection is gone: its handshake is over, reading failed, or a send failed. True if that ended it; false,
    /// with nothing changed but a counter, if its id had ended before or never was. Writes
    /// [`Ended`](Notice::Ended), and before it what follows from leaving its lobbies. O(log n).
    pub fn closed(&mut self, now: Time, conn: ConnId, cause: Cause, out: &mut Outbox) -> bool {
        self.enter_call(now, out);
        if self.conns.get(conn.key()).is_none() {
            self.counters.stale_ids += 1;
            return false;
        }
        self.end(conn.index(), Ending::Closed(cause), out);
        true
    }

    /// The gate: every call with a `now` passes it first.
    #[inline]
    fn enter_call(&mut self, now: Time, out: &mut Outbox) -> Moment {
        if self.stale_wave && !self.is_stale_wave() {
            self.stale_wave = false;
        }
        // Not the expiries, nor a drain's times: one that was overslept says nothing of anybody's silence, and may have
        // passed when it was set.
        let deadline = self.earliest_due();
        let (moment, paused) = self.clock.advance(now, deadline, self.pause_tolerance);
        if let Some(by) = paused {
            self.counters.pauses += 1;
            out.notice(Notice::Paused { by });
        }
        moment
    }

    /// When the next patience is at its end, a connection's or the one with which a seat is kept. Part of every call.
    #[inline]
    fn earliest_due(&self) -> Option<Active> {
        let check = self.deadlines.peek().map(|(due, _)| due);
        if self.seats.is_empty() {
            return check;
        }
        self.seats.earliest_due(check)
    }
}
