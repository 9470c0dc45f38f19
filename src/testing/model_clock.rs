//! The model's two clocks: the driver's, and active time, which is the driver's less all pauses.

use std::time::Duration;

use crate::Time;

use super::model::Model;
use super::told::Told;

/// The last instant of active time. What would be due later is never due.
pub(crate) const LAST: u128 = u64::MAX as u128 - 1;

#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    /// The latest time that a call has named, in nanoseconds.
    pub(crate) last: u64,
    pub(crate) suspended: u64,
    pub(crate) pauses: u64,
    pub(crate) steps_back: u64,
}

impl Clock {
    pub(crate) fn active(&self) -> u128 {
        u128::from(self.last - self.suspended).min(LAST)
    }

    pub(crate) fn after(&self, patience: Duration) -> u128 {
        self.active() + nanos(patience)
    }
}

/// A duration in nanoseconds, 584 years at most.
pub(crate) fn nanos(duration: Duration) -> u128 {
    duration.as_nanos().min(u128::from(u64::MAX))
}

impl Model {
    /// A clock that steps back is clamped. What is later than the earliest check time by more than the tolerance was
    /// a pause: it is not lived through, but for what lies before the previous call, when the server was awake. An
    /// expiry or a drain that was overslept is no sign of a pause.
    pub(super) fn read_clock(&mut self, now: u64) {
        if now < self.clock.last {
            self.clock.steps_back += 1;
        }
        let before = self.clock.active();
        self.clock.last = self.clock.last.max(now);
        let (Some(due), Some(tolerance)) = (self.earliest_check(), self.config.pause_tolerance) else {
            return;
        };
        let (overslept, gap) = (self.clock.active().saturating_sub(due), self.clock.active() - before);
        if overslept > nanos(tolerance) && gap > 0 {
            let by = u64::try_from(overslept.min(gap)).unwrap();
            self.clock.suspended += by;
            self.clock.pauses += 1;
            self.told.push(Told::Paused {
                by: Duration::from_nanos(by),
            });
        }
    }

    fn earliest_check(&self) -> Option<u128> {
        let checks = self.conns.iter().filter_map(|conn| conn.health.check);
        let seats = self.reservations.iter().map(|seat| seat.due);
        checks.chain(seats.filter(|&due| due <= LAST)).min()
    }

    /// When a tick is due next, as [`Manager::next_deadline`](crate::Manager::next_deadline) has to say.
    pub fn next_deadline(&self) -> Option<Time> {
        let check = self.earliest_check();
        let check = check.and_then(|check| u64::try_from(check + u128::from(self.clock.suspended)).ok());
        let expiries = self.open_conns().filter_map(|conn| conn.expires);
        let check = check.map(Time::from_nanos);
        expiries.chain(check).chain(self.next_drain()).min()
    }
}
