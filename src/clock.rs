//! The two clocks: the driver's, which never steps back here, and active time, which stands still while the server is
//! paused.

use alloc::format;
use core::num::NonZeroU64;
use core::time::Duration;

use crate::invariant::{Invariant, Violation, ensure};
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// An instant of active time: the driver's time less what the server slept. Patience is counted in it.
///
/// Kept plus one, so that an `Option` of it takes eight bytes. JSON form: nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u64", try_from = "u64")]
pub(crate) struct Active(NonZeroU64);

impl Active {
    /// The end of active time.
    pub(crate) const LAST: Self = Self(NonZeroU64::MAX);

    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    const fn nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// `None`: beyond the end of time, which is never.
    pub(crate) fn after(self, nanos: u64) -> Option<Self> {
        self.0.checked_add(nanos).map(Self)
    }

    /// Whether a time may have been set by [`after`](Self::after), not later than at `last` and for not more than `nanos`.
    pub(crate) fn is_within(time: Option<Self>, last: Self, nanos: u64) -> bool {
        last.after(nanos).is_none_or(|end| time.is_some_and(|time| time <= end))
    }

    /// Nanoseconds since an earlier instant; 0 if it is not earlier.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.get().saturating_sub(earlier.0.get())
    }
}

impl From<Active> for u64 {
    fn from(active: Active) -> Self {
        active.nanos()
    }
}

impl TryFrom<u64> for Active {
    type Error = &'static str;

    fn try_from(nanos: u64) -> Result<Self, Self::Error> {
        let active = nanos.checked_add(1).and_then(NonZeroU64::new).map(Self);
        active.ok_or("an instant of active time beyond its end")
    }
}

/// One reading of both clocks, which a whole call shares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) time: Time,
    pub(crate) active: Active,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Clock {
    last: Time,
    /// Nanoseconds during which nobody's patience ran.
    suspended: u64,
    /// How often that grew: what was sent in an earlier period may have been lost in the pause.
    pub(crate) pauses: u32,
    pub(crate) steps_back: u64,
}

impl Clock {
    pub(crate) const fn new() -> Self {
        Self {
            last: Time::ZERO,
            suspended: 0,
            pauses: 0,
            steps_back: 0,
        }
    }

    /// Whether this clock can have come about, if it was read from somewhere.
    pub(crate) const fn is_possible(&self) -> bool {
        self.suspended <= self.last.as_nanos()
    }

    /// The gate that each call with a `now` passes: a step back is clamped, and a deadline that was overslept by more
    /// than `tolerance` suspends active time for as long, or since the previous call if that was later: the server was
    /// awake then. Returns that length if it did.
    pub(crate) fn advance(
        &mut self,
        now: Time,
        deadline: Option<Active>,
        tolerance: Option<u64>,
    ) -> (Moment, Option<Duration>) {
        let before = self.active();
        if now < self.last {
            self.steps_back += 1;
        } else {
            self.last = now;
        }
        let mut active = self.active();
        let mut paused = None;
        if let (Some(deadline), Some(tolerance)) = (deadline, tolerance)
            && active.since(deadline) > tolerance
            // At the end of time, and in a snapshot from elsewhere, something may be overdue though no time has passed.
            && active > before
        {
            let asleep = active.since(deadline.max(before));
            self.suspended += asleep;
            self.pauses = self.pauses.wrapping_add(1);
            paused = Some(Duration::from_nanos(asleep));
            active = self.active();
        }
        (
            Moment {
                time: self.last,
                active,
            },
            paused,
        )
    }

    /// When active time reaches `active` if there is no further pause; `None` beyond the end of time.
    pub(crate) fn to_time(&self, active: Active) -> Option<Time> {
        active.nanos().checked_add(self.suspended).map(Time::from_nanos)
    }

    /// The latest that a call has named.
    pub(crate) const fn time(&self) -> Time {
        self.last
    }

    pub(crate) const fn suspended(&self) -> Duration {
        Duration::from_nanos(self.suspended)
    }

    pub(crate) const fn active(&self) -> Active {
        Active::from_nanos(self.last.as_nanos() - self.suspended)
    }
}

impl Clock {
    /// `pauses` are those that were counted.
    pub(crate) fn check(&self, pauses: u64) -> Result<(), Violation> {
        let Self { last, suspended, .. } = *self;
        let lived = suspended <= last.as_nanos() && (suspended == 0) == (pauses == 0);
        // This one counts round and round.
        let counted = u64::from(self.pauses) == pauses & u64::from(u32::MAX);
        ensure(lived && counted, Invariant::Clock, || {
            format!("{self:?}, and {pauses} pauses")
        })
    }
}

#[cfg(test)]
impl Clock {
    pub(crate) fn spoil(&mut self) {
        self.suspended = u64::MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_time_stands_still_during_a_pause_and_never_runs_back() {
        let mut clock = Clock::new();
        let deadline = Some(Active::from_nanos(100));
        let (before, paused) = clock.advance(Time::from_nanos(110), deadline, Some(10));
        assert_eq!((before.active, paused), (Active::from_nanos(110), None));
        let (after, paused) = clock.advance(Time::from_nanos(1_110), deadline, Some(10));
        assert_eq!((after.active, paused), (before.active, Some(Duration::from_micros(1))));
        assert_eq!(clock.to_time(Active::from_nanos(110)), Some(Time::from_nanos(1_110)));
        let (clamped, paused) = clock.advance(Time::from_nanos(5), deadline, Some(10));
        assert_eq!((clamped.time, clamped.active, paused), (after.time, after.active, None));
        assert_eq!(
            (clock.steps_back, clock.pauses, clock.suspended()),
            (1, 1, Duration::from_micros(1))
        );
    }

    #[test]
    fn no_time_that_passes_is_no_pause_however_late_it_is() {
        let mut clock = Clock::new();
        clock.advance(Time::from_nanos(110), None, Some(10));
        for now in [110, 5] {
            let (moment, paused) = clock.advance(Time::from_nanos(now), Some(Active::from_nanos(0)), Some(10));
            assert_eq!((moment.active, paused), (Active::from_nanos(110), None));
        }
        assert_eq!((clock.pauses, clock.suspended()), (0, Duration::ZERO));
    }

    #[test]
    fn no_clock_is_suspended_for_longer_than_it_has_run() {
        let clock = |suspended| Clock {
            last: Time::from_nanos(10),
            suspended,
            ..Clock::new()
        };
        assert!(clock(10).is_possible());
        assert_eq!(clock(10).active(), Active::from_nanos(0));
        assert!(!clock(11).is_possible());
    }

    #[test]
    fn active_time_is_told_in_nanoseconds_up_to_its_end() {
        for nanos in [0, 1, u64::MAX - 1] {
            assert_eq!(Active::try_from(nanos).map(u64::from), Ok(nanos));
            assert_eq!(Active::try_from(nanos), Ok(Active::from_nanos(nanos)));
        }
        assert!(Active::try_from(u64::MAX).is_err());
    }

    #[test]
    fn the_end_of_time_is_an_instant_like_any_other() {
        let mut clock = Clock::new();
        let (end, _) = clock.advance(Time::MAX, None, None);
        assert_eq!(end.active.after(1), None);
        assert_eq!(end.active.since(Active::from_nanos(0)), u64::MAX - 1);
    }
}
