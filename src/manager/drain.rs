//! The end of a server: nobody new, and everybody goes, one after the other.

use core::time::Duration;

use siphasher::sip::SipHasher13;

use super::Manager;
use crate::clock::Moment;
use crate::drain::Drain;
use crate::ending::{Closing, Lapse};
use crate::id::ConnId;
use crate::outbox::{Notice, Outbox};
use crate::receipt::Receipt;
use crate::refusal::{Breach, RefusalRule};
use crate::time::{Time, duration_nanos};

impl Manager {
    /// Begins to empty the server. From now on every newcomer is refused as
    /// [`Draining`](crate::RefusalRule::Draining), [reservations](Self::reserve) are void, with a notice each in the order of
    /// their indices, and one open connection is closed in each `every` by a
    /// [`tick`](Self::tick), the first by the next one, in an order that [`Config::seed`](crate::Config::seed) shuffles.
    /// At `deadline` all that are left are closed. When no id is left, the closing ones included,
    /// [`Notice::Drained`] is written, once: by this call if there is none.
    ///
    /// Until they are closed, connections keep all rights; they talk, switch lobbies, expire and are evicted as ever. It
    /// cannot be taken back, and there is no end to it but a new manager.
    ///
    /// **Each is told when to return**, so that whoever takes over is not stampeded: the close frame says
    /// [`Answers::draining`](crate::Answers::draining) and `;retry=MS`. The `k`-th connection that goes, counted from 0,
    /// gets slot `k`: the instant `k` × `every` after this call, or if that has passed, now, but never less than `every`
    /// after the slot before it. The delay is the slot less now, rounded up. So the returns in any time `t` are no more than
    /// `(t + 1 ms) / every + 1`, plus what the network and the clients' clocks add to `t`, whenever the closes themselves
    /// come: one by one (then nobody has to wait), in a heap after a pause of the server, or all together at the deadline.
    /// Whoever goes without being told so, leaving or evicted or kicked, uses up a slot too: they may return as well.
    ///
    /// Both times run on the driver's clock: a pause of the server postpones nothing.
    ///
    /// A further call may only tighten the drain. The shorter `every` holds, from the next slot on, and the earlier
    /// `deadline`. True if that changes anything; the first call always does.
    ///
    /// O(n) in expectation for the first call, and O(log n) for each reservation; it takes 12 bytes for each connection. A close is O(log n).
    ///
    /// ```
    /// use core::time::Duration;
    /// use lobbykeeper::{Command, Config, Handshake, Manager, Notice, Outbox, Output, Time};
    ///
    /// let mut manager = Manager::new(Config::default()).unwrap();
    /// let (now, mut out) = (Time::ZERO, Outbox::new());
    /// for user in ["ann", "bob", "cat"] {
    ///     manager.connected(now, Handshake::new("den", user), &mut out).unwrap();
    /// }
    ///
    /// // SIGTERM: ten each second, but all within 150 ms.
    /// manager.drain(now, Duration::from_secs(1) / 10, now + Duration::from_millis(150), &mut out);
    /// let refusal = manager.connected(now, Handshake::new("den", "dan"), &mut out).unwrap_err();
    /// assert_eq!(refusal.close_frame().reason(), "draining;retry=5000");
    ///
    /// let mut told = Vec::new();
    /// while let Some(deadline) = manager.next_deadline() {
    ///     out.clear();
    ///     manager.tick(deadline, &mut out);
    ///     for output in &out {
    ///         match output {
    ///             Output::Command(Command::Close { reason, .. }) => told.push((deadline.as_millis(), reason.to_owned())),
    ///             Output::Notice(Notice::Drained { .. }) => println!("the process may end"),
    ///             _ => {} // who does not close in time is evicted
    ///         }
    ///     }
    /// }
    /// let expected = [(0, "draining;retry=0"), (100, "draining;retry=0"), (150, "draining;retry=50")];
    /// assert_eq!(told, expected.map(|(at, reason)| (at, reason.to_owned())));
    /// ```
    pub fn drain(&mut self, now: Time, every: Duration, deadline: Time, out: &mut Outbox) -> bool {
        let moment = self.enter_call(now, out);
        let every = duration_nanos(every);
        if let Some(drain) = &mut self.drain {
            return drain.tighten(moment.time, every, deadline);
        }
        self.line_up(Drain::new(moment.time, every, deadline));
        self.void_all_seats(Lapse::Draining, out);
        self.tell_if_drained(out);
        true
    }

    /// Whether [`drain`](Self::drain) was called. O(1).
    pub const fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// Gives each open connection its place in the order.
    pub(super) fn line_up(&mut self, mut drain: Drain) {
        for (key, _) in self.conns.iter().filter(|(_, conn)| conn.is_open()) {
            drain.order.set(key.index, Some(self.place_in_drain(ConnId::new(key))));
        }
        self.drain = Some(drain);
    }

    /// Where a connection stands in the order: by a hash, so that neither those go first who came first, nor all of one
    /// lobby at once. Of equals the lower slot goes first.
    pub(super) fn place_in_drain(&self, conn: ConnId) -> u32 {
        let hash = SipHasher13::new_with_keys(self.config.seed, 1).hash(&conn.to_bits().to_le_bytes());
        u32::try_from(hash >> 32).unwrap_or(u32::MAX)
    }

    pub(super) fn check_drain(&self) -> Result<(), Breach> {
        match &self.drain {
            None => Ok(()),
            Some(drain) => Err(Breach {
                rule: RefusalRule::Draining,
                seen: self.clock.time().as_nanos(),
                threshold: drain.schedule.since.as_nanos(),
            }),
        }
    }

    /// When the drain closes the next one.
    pub(super) fn next_drain(&self) -> Option<Time> {
        self.drain.as_ref().and_then(Drain::next).map(|(due, _)| due)
    }

    /// Closes all whose turn has come.
    pub(super) fn close_draining(&mut self, moment: Moment, out: &mut Outbox) {
        while let Some(drain) = &self.drain
            && let Some((due, slot)) = drain.next()
            && due <= moment.time
        {
            let delay = drain.schedule.delay(moment.time);
            let frame = self.config.answers.draining_frame(delay);
            let receipt = Receipt::of_count(moment.time.as_nanos(), due.as_nanos(), moment.time);
            self.begin_close(moment, slot, &frame, Closing::Draining, receipt, out);
            self.counters.drained += 1;
        }
    }

    pub(super) fn tell_if_drained(&self, out: &mut Outbox) {
        if let Some(drain) = &self.drain
            && self.population.total() == 0
        {
            let took = self.clock.time().saturating_since(drain.schedule.since);
            out.notice(Notice::Drained { took });
        }
    }
}
