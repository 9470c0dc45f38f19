//! One connection's health: what was asked, when it was last heard, and what follows from silence.
//!
//! ```text
//!             due: ping                       due, heard: rest until sent + interval
//!   resting ------------> awaiting ----------------------------------------------------> resting
//!                            |  due, silent: a miss, and a new ping at once
//!                            |  due, silent, but a pause lay between: a new ping, no miss
//!                            +- due, silent for the last time: stale
//! ```

use alloc::format;
use core::num::NonZeroU64;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Active;
use crate::id::ConnId;
use crate::invariant::{Invariant, Violation, ensure};
use crate::json::nullable;
use crate::latency::{Latency, Rtt};

const NANOS_PER_MILLI: u64 = 1_000_000;

/// The health settings in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// `None`: nobody is pinged but on demand, and nobody is evicted for silence.
    pub(crate) interval: Option<u64>,
    pub(crate) timeout: u64,
    pub(crate) max_missed: u8,
}

/// What is to be done about one connection now. Several may hold at once, and are to be done in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The ping on demand has had no answer in time.
    pub(crate) demand_timed_out: bool,
    /// Nothing was heard since the last ping, ...
    pub(crate) missed: bool,
    /// ... and the one before it was answered: this silence has just begun.
    pub(crate) silence_began: bool,
    pub(crate) next: Next,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Next {
    #[default]
    Wait,
    Ping,
    /// As many pings were missed as may be.
    Stale,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pulse {
    heard: Active,
    /// When the last ping was sent.
    sent: Active,
    /// The time stamp of the ping that a pong may still answer.
    #[serde(deserialize_with = "nullable")]
    outstanding: Option<NonZeroU64>,
    /// When somebody who asked for a ping on demand gives up, ...
    #[serde(deserialize_with = "nullable")]
    demand: Option<Active>,
    /// While `awaiting`, when the last ping is judged; else, when the next is sent.
    #[serde(deserialize_with = "nullable")]
    due: Option<Active>,
    rtt: Rtt,
    /// ... and how long they were ready to wait, in milliseconds rounded up.
    demand_millis: u32,
    /// `Clock::pauses` when the last ping was sent.
    pauses: u32,
    missed: u8,
    awaiting: bool,
    /// This silence was given its extra ping.
    held: bool,
}

impl Pulse {
    /// Of a connection that nobody has pinged yet, nor will unless that is scheduled.
    pub(crate) fn new(now: Active) -> Self {
        Self {
            heard: now,
            sent: now,
            outstanding: None,
            demand: None,
            demand_millis: 0,
            due: None,
            rtt: Rtt::default(),
            pauses: 0,
            missed: 0,
            awaiting: false,
            held: false,
        }
    }

    /// What cannot have come about in a pulse that was read from somewhere, if anything. `last`: no reading of active
    /// time was ever later; `last_ping`: the time stamp of the manager's last ping.
    pub(crate) fn fault(&self, last: Active, last_ping: u64, patience: Patience) -> Option<&'static str> {
        if self.heard > last || self.sent > last {
            return Some("heard or pinged later than the clock has come");
        }
        if self.outstanding.is_some_and(|timestamp| timestamp.get() > last_ping) {
            return Some("a ping that was never sent is outstanding");
        }
        let in_order = match patience.interval {
            // Without an interval a ping that fell due would be due for ever.
            None => self.due.is_none() && !self.awaiting && self.missed == 0,
            Some(interval) => Active::is_within(self.due, last, interval),
        };
        if !in_order {
            return Some("the next check is not where the settings lead to");
        }
        if self.missed > patience.max_missed || self.held != (self.missed == patience.max_missed) {
            return Some("more missed pings than are allowed");
        }
        (!self.rtt.is_possible()).then_some("round-trip times that contradict each other")
    }

    pub(crate) fn schedule_first_ping(&mut self, time: Option<Active>) {
        self.due = time;
    }

    /// When [`check`](Self::check) is to be called next.
    pub(crate) fn deadline(&self) -> Option<Active> {
        match (self.due, self.demand) {
            (Some(due), Some(demand)) => Some(due.min(demand)),
            (due, demand) => due.or(demand),
        }
    }

    /// How many pings in a row were followed by silence.
    pub(crate) const fn missed(&self) -> u8 {
        self.missed
    }

    pub(crate) const fn last_heard(&self) -> Active {
        self.heard
    }

    pub(crate) fn latency(&self) -> Option<Latency> {
        self.rtt.latency()
    }

    /// Something came from the connection. True if that ends a silence.
    pub(crate) fn heard(&mut self, now: Active) -> bool {
        self.heard = now;
        self.held = false;
        core::mem::take(&mut self.missed) > 0
    }

    /// The time stamp that the pong to the outstanding ping echoes.
    pub(crate) fn outstanding(&self) -> Option<u64> {
        self.outstanding.map(NonZeroU64::get)
    }

    /// A pong came. Its round-trip time and whether somebody asked for it; `None` if it answers no
    /// outstanding ping, or if the server slept since that was sent.
    pub(crate) fn pong(&mut self, now: Active, pauses: u32, timestamp: u64) -> Option<(Duration, bool)> {
        if self.outstanding() != Some(timestamp) {
            return None;
        }
        self.outstanding = None;
        if self.pauses != pauses {
            return None;
        }
        let rtt = self.rtt.sample(now.since(self.sent));
        Some((rtt, self.demand.take().is_some()))
    }

    /// Asks for a round-trip time within `timeout`. True if a ping is to be sent for it, false if one is under way.
    pub(crate) fn demand(&mut self, now: Active, pauses: u32, timeout: u64) -> bool {
        let demand = now.after(timeout).unwrap_or(Active::LAST);
        if self.demand.is_none_or(|earlier| earlier < demand) {
            self.demand = Some(demand);
            self.demand_millis = u32::try_from(timeout.div_ceil(NANOS_PER_MILLI)).unwrap_or(u32::MAX);
        }
        !self.answerable(pauses)
    }

    /// Nobody will answer the demand any more. True if there was one.
    pub(crate) fn abandon(&mut self) -> bool {
        self.demand.take().is_some()
    }

    pub(crate) fn pinged(&mut self, now: Active, pauses: u32, timestamp: NonZeroU64, patience: Patience) {
        self.sent = now;
        self.pauses = pauses;
        self.outstanding = Some(timestamp);
        if patience.interval.is_some() {
            self.awaiting = true;
            self.due = now.after(patience.timeout);
        }
    }

    /// Gives this silence one ping more than it has coming, once. False if it had it.
    pub(crate) fn hold(&mut self) -> bool {
        !core::mem::replace(&mut self.held, true)
    }

    /// Judges what is due.
    pub(crate) fn check(&mut self, now: Active, pauses: u32, patience: Patience) -> Verdict {
        let mut verdict = Verdict::default();
        if self.due.is_some_and(|due| due <= now) {
            self.judge(now, pauses, patience, &mut verdict);
        }
        if self.demand.is_some_and(|demand| demand <= now) {
            if self.answerable(pauses) {
                self.demand = None;
                if !self.awaiting {
                    self.outstanding = None;
                }
                verdict.demand_timed_out = true;
            } else {
                // The answer was lost in a pause, so the one who asks is given the same patience again.
                self.demand = now.after(u64::from(self.demand_millis.max(1)) * NANOS_PER_MILLI);
                verdict.demand_timed_out = self.demand.is_none();
                if verdict.next == Next::Wait {
                    verdict.next = Next::Ping;
                }
            }
        }
        verdict
    }

    fn judge(&mut self, now: Active, pauses: u32, patience: Patience, verdict: &mut Verdict) {
        if self.awaiting && self.heard >= self.sent {
            self.awaiting = false;
            if self.demand.is_none() {
                self.outstanding = None;
            }
            self.due = patience.interval.and_then(|interval| self.sent.after(interval));
            if self.due.is_none_or(|due| due > now) {
                return;
            }
        } else if self.awaiting && self.pauses == pauses {
            verdict.missed = true;
            verdict.silence_began = self.missed == 0;
            self.missed = self.missed.saturating_add(1);
            if self.missed >= patience.max_missed {
                verdict.next = Next::Stale;
                return;
            }
        }
        verdict.next = Next::Ping;
    }

    /// A pong that gives a time may still come.
    fn answerable(&self, pauses: u32) -> bool {
        self.outstanding.is_some() && self.pauses == pauses
    }
}

impl Pulse {
    /// Whether somebody waits for an answer.
    pub(crate) fn is_asked(&self) -> bool {
        self.demand.is_some()
    }

    /// The pulse of this connection, if it is open. `last_ping` is the time stamp of the last ping to anybody.
    pub(crate) fn check_state(
        &self,
        conn: ConnId,
        now: Active,
        last_ping: u64,
        patience: Patience,
    ) -> Result<(), Violation> {
        let details = || format!("{conn} at {now:?}: {self:?}");
        let Self {
            heard, sent, missed, ..
        } = *self;
        ensure(heard <= now && sent <= now, Invariant::NotInTheFuture, details)?;
        let known = self.outstanding.is_none_or(|ping| ping.get() <= last_ping);
        ensure(known, Invariant::TimeStamp, details)?;
        ensure(
            missed == 0 || (heard < sent && self.awaiting),
            Invariant::Silence,
            details,
        )?;
        let spared = missed == patience.max_missed;
        ensure(
            missed <= patience.max_missed && self.held == spared,
            Invariant::Held,
            details,
        )?;
        ensure(self.rtt.is_possible(), Invariant::Latency, details)
    }
}

#[cfg(test)]
impl Pulse {
    pub(crate) fn spoil_heard(&mut self) {
        self.heard = Active::LAST;
    }

    pub(crate) fn spoil_silence(&mut self) {
        self.heard = self.sent;
    }

    pub(crate) fn spoil_outstanding(&mut self) {
        self.outstanding = Some(NonZeroU64::MAX);
    }

    pub(crate) fn spoil_awaiting(&mut self) {
        self.awaiting = !self.awaiting;
    }

    pub(crate) fn spoil_held(&mut self) {
        self.held = !self.held;
    }

    pub(crate) fn spoil_latency(&mut self) {
        self.rtt.spoil();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        interval: Some(20),
        timeout: 10,
        max_missed: 2,
    };

    fn at(nanos: u64) -> Active {
        Active::from_nanos(nanos)
    }

    /// A pulse whose first ping, number 1, was sent at 5.
    fn pinged() -> Pulse {
        let mut pulse = Pulse::new(at(0));
        pulse.schedule_first_ping(Some(at(5)));
        assert_eq!(pulse.check(at(5), 0, PATIENCE).next, Next::Ping);
        pulse.pinged(at(5), 0, NonZeroU64::MIN, PATIENCE);
        pulse
    }

    #[test]
    fn heard_it_rests_until_the_interval_is_over() {
        let mut pulse = pinged();
        assert_eq!(pulse.deadline(), Some(at(15)));
        assert!(!pulse.heard(at(7)));
        assert_eq!(pulse.check(at(15), 0, PATIENCE), Verdict::default());
        assert_eq!(pulse.deadline(), Some(at(25)));
        assert_eq!(pulse.pong(at(16), 0, 1), None, "too late");
    }

    #[test]
    fn silent_it_is_pinged_at_once_and_stale_at_the_last_miss() {
        let mut pulse = pinged();
        let first = pulse.check(at(15), 0, PATIENCE);
        assert_eq!(
            (first.missed, first.silence_began, first.next),
            (true, true, Next::Ping)
        );
        pulse.pinged(at(15), 0, NonZeroU64::MIN, PATIENCE);
        let second = pulse.check(at(25), 0, PATIENCE);
        assert_eq!(
            (second.missed, second.silence_began, second.next),
            (true, false, Next::Stale)
        );
        assert!(pulse.hold());
        assert!(!pulse.hold());
        assert!(pulse.heard(at(26)));
        assert!(pulse.hold(), "another silence");
    }

    #[test]
    fn a_check_that_is_late_by_more_than_the_interval_pings_at_once() {
        let mut pulse = pinged();
        pulse.heard(at(7));
        assert_eq!(
            pulse.check(at(40), 0, PATIENCE),
            Verdict {
                next: Next::Ping,
                ..Verdict::default()
            }
        );
    }

    #[test]
    fn what_a_pause_voided_is_neither_a_miss_nor_a_time() {
        let mut pulse = pinged();
        assert!(
            pulse.demand(at(6), 1, 3),
            "the ping under way is void, so another is needed"
        );
        assert_eq!(pulse.check(at(15), 1, PATIENCE).next, Next::Ping);
        assert_eq!(pulse.missed(), 0);
        assert_eq!(pulse.pong(at(15), 1, 1), None);
        assert_eq!(pulse.latency(), None);
    }

    #[test]
    fn what_cannot_have_come_about_is_a_fault() {
        let fault = |change: fn(&mut Pulse), interval| {
            let mut pulse = pinged();
            change(&mut pulse);
            pulse.fault(at(5), 1, Patience { interval, ..PATIENCE }).is_some()
        };
        let faulty = |change| fault(change, PATIENCE.interval);
        assert!(!faulty(|_| ()));
        assert!(faulty(|pulse| pulse.heard = at(6)));
        assert!(faulty(|pulse| pulse.sent = at(6)));
        assert!(faulty(|pulse| pulse.outstanding = NonZeroU64::new(2)));
        assert!(!faulty(|pulse| pulse.due = Some(at(25))));
        assert!(faulty(|pulse| pulse.due = Some(at(26))));
        assert!(faulty(|pulse| pulse.due = None), "nobody would look at it again");
        assert!(!faulty(|pulse| pulse.missed = 1));
        assert!(faulty(|pulse| pulse.missed = 2), "stale, and yet there");
        assert!(faulty(|pulse| pulse.held = true), "a ping more, and yet not stale");
        assert!(!faulty(|pulse| (pulse.missed, pulse.held) = (2, true)));
        assert!(faulty(|pulse| (pulse.missed, pulse.held) = (3, true)));
        let resting = |pulse: &mut Pulse| (pulse.due, pulse.awaiting) = (None, false);
        assert!(!fault(resting, None));
        assert!(fault(|pulse| pulse.awaiting = false, None));
        assert!(fault(|pulse| pulse.due = None, None));
        let mut rtt = Rtt::default();
        rtt.sample(1_000);
        let mut pulse = pinged();
        pulse.rtt = rtt;
        assert_eq!(pulse.fault(at(5), 1, PATIENCE), None);
    }

    #[test]
    fn a_demand_is_settled_once() {
        let mut pulse = pinged();
        assert!(!pulse.demand(at(6), 0, 3));
        assert_eq!(pulse.deadline(), Some(at(9)));
        assert_eq!(
            pulse.pong(at(8), 0, 1),
            Some((Duration::ZERO, true)),
            "below a microsecond"
        );
        assert!(!pulse.abandon());
        assert_eq!(pulse.deadline(), Some(at(15)));
        assert!(pulse.demand(at(9), 0, 3));
        assert!(pulse.abandon());
    }

    #[test]
    fn a_demand_that_ends_no_later_leaves_the_patience_of_the_one_before() {
        let mut pulse = pinged();
        let millis = |millis: u64| at(millis * NANOS_PER_MILLI);
        pulse.demand(millis(1), 0, 4 * NANOS_PER_MILLI);
        pulse.demand(millis(3), 0, 2 * NANOS_PER_MILLI);
        assert_eq!(pulse.demand, Some(millis(5)));
        // The answer was lost in a pause.
        pulse.check(millis(5), 1, PATIENCE);
        assert_eq!(pulse.demand, Some(millis(9)));
    }
}
