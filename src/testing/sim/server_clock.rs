//! The server's clock, as the world sees it: what it shows, and how much of its time the server was there for.

use core::time::Duration;

use super::queue::Nanos;
use crate::time::{Time, duration_nanos};

/// What the server's clock shows when the world begins: enough to be set back for eleven days.
const ORIGIN: Nanos = 1_000_000_000_000_000;

#[derive(Clone, Debug)]
pub(super) struct ServerClock {
    /// What has to be added to the world's time, modulo 2^64.
    offset: Nanos,
    /// The latest time that was read off it: a manager clamps all earlier ones to it.
    highest: Nanos,
    /// By how much it went on during pauses and steps, when nobody could be expected to be heard.
    slept: Nanos,
}

impl ServerClock {
    pub(super) const fn new() -> Self {
        Self {
            offset: ORIGIN,
            highest: 0,
            slept: 0,
        }
    }

    /// The driver reads its clock for a call.
    pub(super) fn read(&mut self, now: Nanos) -> Time {
        let shown = self.shown(now);
        self.highest = self.highest.max(shown);
        Time::from_nanos(shown)
    }

    /// When it will show `time`.
    pub(super) fn when(&self, time: Time) -> Nanos {
        time.as_nanos().saturating_sub(self.offset)
    }

    /// Somebody sets it.
    pub(super) fn step(&mut self, now: Nanos, forward: bool, by: Duration) {
        let before = self.effective(now);
        let by = duration_nanos(by);
        if forward {
            self.offset = self.offset.saturating_add(by);
            self.slept += self.effective(now) - before;
        } else {
            self.offset = self.offset.saturating_sub(by);
        }
    }

    /// The server was asleep since an instant at which the clock stood at `asleep_since`.
    pub(super) fn slept(&mut self, asleep_since: Nanos, now: Nanos) {
        self.slept += self.effective(now).saturating_sub(asleep_since);
    }

    /// What a manager takes it for, which never runs back.
    pub(super) fn effective(&self, now: Nanos) -> Nanos {
        self.shown(now).max(self.highest)
    }

    /// How long the server has been there, with its clock running: active time, without looking at the manager's.
    pub(super) fn active(&self, now: Nanos) -> Nanos {
        self.effective(now).saturating_sub(self.slept)
    }

    fn shown(&self, now: Nanos) -> Nanos {
        now.saturating_add(self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Nanos {
        secs * 1_000_000_000
    }

    #[test]
    fn active_time_is_that_in_which_the_server_was_there_and_its_clock_ran() {
        let mut clock = ServerClock::new();
        assert_eq!(clock.read(0), Time::from_nanos(ORIGIN));
        assert_eq!(clock.active(secs(10)) - clock.active(0), secs(10));

        clock.read(secs(10));
        let asleep_since = clock.effective(secs(10));
        clock.slept(asleep_since, secs(70));
        assert_eq!(clock.active(secs(75)), ORIGIN + secs(15), "a pause");

        clock.read(secs(75));
        clock.step(secs(75), true, Duration::from_secs(1_000));
        assert_eq!(clock.active(secs(80)), ORIGIN + secs(20), "a step forward");
        let shown = clock.read(secs(80));
        assert_eq!(clock.when(shown), secs(80));

        clock.step(secs(80), false, Duration::from_secs(7));
        assert_eq!(clock.active(secs(86)), ORIGIN + secs(20), "a step back: it is clamped");
        assert_eq!(clock.active(secs(90)), ORIGIN + secs(23));
    }
}
