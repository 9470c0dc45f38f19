//! Who is still there: pings, pongs, silence, and the time that closing takes.

use core::num::NonZeroU64;
use core::time::Duration;

use siphasher::sip::SipHasher13;

use super::Manager;
use super::conn::Phase;
use crate::backlog::Kind;
use crate::clock::{Active, Moment};
use crate::config::PingFormat;
use crate::ending::Eviction;
use crate::event::Inbound;
use crate::id::ConnId;
use crate::list::List;
use crate::outbox::{Notice, Outbox};
use crate::payload::Frame;
use crate::pulse::Next;
use crate::time::{Time, duration_nanos};
use crate::wire::{self, Pong};

/// The pings of one call: they share a time stamp, a payload and a record.
struct PingBatch {
    mark: usize,
    timestamp: Option<NonZeroU64>,
}

impl PingBatch {
    fn start(out: &Outbox) -> Self {
        Self {
            mark: out.mark(),
            timestamp: None,
        }
    }
}

impl Manager {
    /// A whole message or a control frame came in from a connection. Any of them proves that the connection lives, one
    /// that is dropped included.
    ///
    /// All of them pay for the [message rates](crate::Config::message_rate), but for the pong that answers the
    /// outstanding ping; what comes too soon is [dropped](Inbound::Dropped), and what is [too
    /// long](crate::Config::max_message_bytes) is dropped and closes the connection.
    ///
    /// Moves no timer and, unless the frame is a pong or is dropped, writes nothing. O(1), and O(length) up to 1 KiB to
    /// recognise a JSON pong; only a text that mentions `health_pong` is parsed. Malformed text is the application's to
    /// judge.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a frame borrows already, and callers make it in place"
    )]
    pub fn message(&mut self, now: Time, conn: ConnId, frame: Frame<'_>, out: &mut Outbox) -> Inbound {
        let moment = self.enter_call(now, out);
        let Some(slot) = self.open_slot(conn) else {
            self.counters.stale_ids += 1;
            return Inbound::Stale;
        };
        self.counters.messages_in += 1;
        self.counters.bytes_in += frame.len() as u64;
        if self.conns.at_mut(slot).pulse.heard(moment.active) {
            self.silence_ended();
        }
        if self.rates.are_inbound()
            && let Some(reason) = self.limit_message(moment, slot, &frame, out)
        {
            return Inbound::Dropped(reason);
        }
        let pong = match (&frame, self.config.ping_format) {
            (Frame::Text(text), PingFormat::Json) => match wire::read_json_pong(text) {
                Some(Pong { timestamp }) => timestamp,
                None => return Inbound::Deliver,
            },
            (Frame::Text(_), PingFormat::WebSocket) | (Frame::Binary(_), _) => {
                return Inbound::Deliver;
            }
            (Frame::Pong(data), PingFormat::WebSocket) => wire::read_frame_pong(data),
            (Frame::Pong(_), PingFormat::Json) | (Frame::Ping(_), _) => None,
        };
        if let Some(timestamp) = pong
            && let Some((rtt, requested)) =
                self.conns
                    .at_mut(slot)
                    .pulse
                    .pong(moment.active, self.clock.pauses, timestamp)
        {
            self.counters.pongs += 1;
            out.notice(Notice::Pong { conn, rtt, requested });
        }
        Inbound::Handled
    }

    /// Time passed: closes who has expired and whose turn it is in a [drain](Self::drain), gives up the seats that were
    /// reserved for too long, sends the pings that are due, evicts who is stale or did not close in time.
    ///
    /// Before [`next_deadline`](Self::next_deadline) it writes nothing; at it, it may. O(due × log n).
    pub fn tick(&mut self, now: Time, out: &mut Outbox) {
        let moment = self.enter_call(now, out);
        // Before the pings, so that nobody is asked for a sign of life who is told to go.
        self.close_expired(moment, out);
        self.give_up_seats(moment, out);
        self.close_draining(moment, out);
        let mut pings = PingBatch::start(out);
        while let Some((due, slot)) = self.deadlines.peek()
            && due <= moment.active
        {
            self.check(moment, slot, &mut pings, out);
        }
        self.send_pings(&pings, out);
    }

    /// When [`tick`](Self::tick) is to be called next at the latest; `None` if nothing is due ever. O(1).
    ///
    /// Any call may move it. After `tick(now)` it is later than `now`.
    pub fn next_deadline(&self) -> Option<Time> {
        let check = self.earliest_due().and_then(|due| self.clock.to_time(due));
        let expiry = self.expiries.peek().map(|(expires, _)| expires);
        check.into_iter().chain(expiry).chain(self.next_drain()).min()
    }

    /// Asks each open connection of a user for a round-trip time within `timeout`, or
    /// [`Config::ping_user_timeout`](crate::Config::ping_user_timeout). Each answers with one notice, `Pong` with
    /// `requested` or `PingTimedOut`; the latter also if it closes first. Returns how many were asked.
    ///
    /// A ping that is under way already is the question; whoever asks again meanwhile shares its answer, and the later
    /// deadline holds. A ping on demand is a ping like any other: silence on it is a miss, and the next one is due an
    /// interval after it. O(connections of the user × log n).
    pub fn ping_user(&mut self, now: Time, user: &str, timeout: Option<Duration>, out: &mut Outbox) -> usize {
        let moment = self.enter_call(now, out);
        let Some(user) = self.users.find(user) else {
            return 0;
        };
        let timeout = duration_nanos(timeout.unwrap_or(self.config.ping_user_timeout));
        let mut pings = PingBatch::start(out);
        let mut next = self.users.at(user).open.first();
        let mut asked = 0;
        while let Some(slot) = next {
            if self
                .conns
                .at_mut(slot)
                .pulse
                .demand(moment.active, self.clock.pauses, timeout)
            {
                self.ping(moment, slot, &mut pings, out);
            }
            self.reschedule(slot);
            asked += 1;
            next = List::after(&self.conns, slot);
        }
        self.send_pings(&pings, out);
        asked
    }

    /// When a new connection is first pinged: spread over the interval by a hash, so that a crowd that came at once is
    /// not pinged at once.
    pub(super) fn first_ping(&self, moment: Moment, conn: ConnId) -> Option<Active> {
        let interval = self.patience.interval?;
        let hash = SipHasher13::new_with_keys(self.config.seed, 0).hash(&conn.to_bits().to_le_bytes());
        let share = (u128::from(hash) * u128::from(interval)) >> 64;
        let share = u64::try_from(share).unwrap_or(interval);
        moment.active.after(1 + share)
    }

    /// Whether so many connections are silent that it is rather the server that hears nothing.
    pub(super) fn is_stale_wave(&self) -> bool {
        let silent = self.population.silent;
        self.config
            .stale_wave_floor
            .is_some_and(|floor| silent > floor && u64::from(silent) * 4 > u64::from(self.population.open))
    }

    /// Looks after one connection whose check time has come.
    fn check(&mut self, moment: Moment, slot: u32, pings: &mut PingBatch, out: &mut Outbox) {
        let conn = self.conns.at_mut(slot);
        if let Phase::Closing { .. } = conn.phase {
            let receipt = self.close_timeout_receipt(moment, slot);
            self.evict(slot, Eviction::CloseTimeout, receipt, out);
            return;
        }
        let verdict = conn.pulse.check(moment.active, self.clock.pauses, self.patience);
        if verdict.demand_timed_out {
            out.notice(Notice::PingTimedOut {
                conn: ConnId::new(self.conns.key_at(slot)),
            });
        }
        self.counters.missed_pings += u64::from(verdict.missed);
        if verdict.silence_began {
            self.silence_began();
        }
        match verdict.next {
            Next::Wait => {}
            Next::Ping => self.ping(moment, slot, pings, out),
            Next::Stale if self.is_stale_wave() && self.conns.at_mut(slot).pulse.hold() => {
                if !self.stale_wave {
                    self.stale_wave = true;
                    let (missed, open) = (self.population.silent, self.population.open);
                    out.notice(Notice::StaleWave { missed, open });
                }
                self.ping(moment, slot, pings, out);
            }
            Next::Stale => {
                let receipt = self.stale_receipt(moment, slot);
                self.evict(slot, Eviction::Stale, receipt, out);
                return;
            }
        }
        self.reschedule(slot);
    }

    /// Sets the check time of an open connection to what its pulse waits for.
    fn reschedule(&mut self, slot: u32) {
        let deadline = self.conns.at(slot).pulse.deadline();
        self.deadlines.set(slot, deadline);
    }

    fn ping(&mut self, moment: Moment, slot: u32, pings: &mut PingBatch, out: &mut Outbox) {
        let timestamp = *pings
            .timestamp
            .get_or_insert_with(|| self.pinger.next_timestamp(moment.time));
        self.conns
            .at_mut(slot)
            .pulse
            .pinged(moment.active, self.clock.pauses, timestamp, self.patience);
        out.recipients().push(ConnId::new(self.conns.key_at(slot)));
    }

    fn send_pings(&mut self, pings: &PingBatch, out: &mut Outbox) {
        if let Some(timestamp) = pings.timestamp {
            self.write_pings(pings.mark, timestamp, out);
        }
    }

    /// Not inlined: a tick with nothing due would pay for the room that this takes.
    #[inline(never)]
    fn write_pings(&mut self, mark: usize, timestamp: NonZeroU64, out: &mut Outbox) {
        let payload = self.pinger.payload(timestamp);
        let sent = self.write_send(mark, payload, Kind::Ping, out);
        self.counters.pings += sent as u64;
    }
}
