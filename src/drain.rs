//! How a server that is to end lets its connections go: in which order, how fast, and when each may return elsewhere.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::json::nullable;
use crate::slot_heap::SlotHeap;
use crate::time::{Time, duration_nanos};

/// The slots of a drain, one for each connection that goes, however it goes. All instants are the driver's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    pub(crate) since: Time,
    /// Nanoseconds between two slots.
    every: u64,
    /// From then on nobody waits for a slot.
    deadline: Time,
    /// No slot is earlier: when it began, or when it became faster.
    not_before: Time,
    /// Of the last connection that went.
    #[serde(deserialize_with = "nullable")]
    last: Option<Slot>,
}

/// As long as nobody is closed late, both are the same instant. Where many are closed at once, after a pause or at the
/// deadline, the returns still lie as far apart as the closes were meant to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    /// When it was to be closed: so long after the last one's, and a driver that is late catches up.
    close: Time,
    /// When it may return: so long after the last one's, and never in the past.
    back: Time,
}

impl Schedule {
    const fn new(since: Time, every: u64, deadline: Time) -> Self {
        Self {
            since,
            every,
            deadline,
            not_before: since,
            last: None,
        }
    }

    /// A faster pace holds from the next slot on: it is as if the last one had been of it, but what would have been due
    /// since then is not made up for. True if anything changes.
    fn tighten(&mut self, now: Time, every: u64, deadline: Time) -> bool {
        let (faster, earlier) = (every < self.every, deadline < self.deadline);
        if faster {
            self.not_before = self.next(now).close.min(now);
            self.every = every;
        }
        self.deadline = self.deadline.min(deadline);
        faster || earlier
    }

    fn next(&self, now: Time) -> Slot {
        let after = |last: fn(&Slot) -> Time| {
            let last = self.last.as_ref().map(last);
            last.map_or(Time::ZERO, |last| last + Duration::from_nanos(self.every))
        };
        Slot {
            close: after(|last| last.close).max(self.not_before),
            back: after(|last| last.back).max(now),
        }
    }

    /// When the next connection is closed.
    pub(crate) fn due(&self) -> Time {
        self.next(Time::ZERO).close.min(self.deadline)
    }

    /// How long after now the next one that goes may return, in whole milliseconds, rounded up.
    pub(crate) fn delay(&self, now: Time) -> Duration {
        let delay = self.next(now).back.saturating_since(now);
        Duration::from_millis(duration_nanos(delay).div_ceil(1_000_000))
    }

    fn use_slot(&mut self, now: Time) {
        self.last = Some(self.next(now));
    }

    /// What cannot have come about by now, if it was read from somewhere.
    pub(crate) fn fault(&self, now: Time) -> Option<&'static str> {
        let Self { since, not_before, .. } = *self;
        if !(since <= not_before && not_before <= now) {
            return Some("it begins or becomes faster later than the clock has come");
        }
        match &self.last {
            Some(last) if last.close < since => Some("its slots come before it"),
            Some(last) if last.back < last.close => Some("its slots contradict each other"),
            None if not_before > since => Some("it became faster, and still its first slot would be later"),
            _ => None,
        }
    }
}

/// A drain, and whose turn it is: the open connections, each with its place in the order and its slot.
#[derive(Clone, Debug)]
pub(crate) struct Drain {
    pub(crate) schedule: Schedule,
    /// Places of open connections, by slot: a heap that each of them leaves when it goes.
    pub(crate) order: SlotHeap<u32>,
}

impl Drain {
    pub(crate) fn new(since: Time, every: u64, deadline: Time) -> Self {
        Self::restore(Schedule::new(since, every, deadline))
    }

    /// A drain for which nobody waits yet.
    pub(crate) const fn restore(schedule: Schedule) -> Self {
        Self {
            schedule,
            order: SlotHeap::new(),
        }
    }

    pub(crate) fn tighten(&mut self, now: Time, every: u64, deadline: Time) -> bool {
        self.schedule.tighten(now, every, deadline)
    }

    /// When the next connection is to be closed, and which; `None` if none is left.
    pub(crate) fn next(&self) -> Option<(Time, u32)> {
        self.order.peek().map(|(_, slot)| (self.schedule.due(), slot))
    }

    /// An open connection goes, on its own or not.
    pub(crate) fn leave(&mut self, slot: u32, now: Time) {
        self.order.set(slot, None);
        self.schedule.use_slot(now);
    }
}

#[cfg(test)]
impl Schedule {
    pub(crate) fn spoil_since(&mut self) {
        self.since = Time::MAX;
    }

    pub(crate) fn spoil_slots(&mut self) {
        let last = self.last.as_mut().unwrap();
        last.close = Time::from_nanos(last.back.as_nanos() + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn schedule(every: u64, deadline: u64) -> Schedule {
        Schedule::new(Time::ZERO, every, Time::from_nanos(deadline))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whoever goes whenever: of those who were told when to return, no two return within less than the pace that
        /// was set when the second was told, less the millisecond that was rounded; and nobody returns before the
        /// slot that the pace alone would give.
        #[test]
        fn no_two_return_closer_to_each_other_than_the_pace(
            every in 0..4 * SECOND, deadline in 0..100 * SECOND,
            steps in prop::collection::vec((0..3 * SECOND, prop::option::weighted(0.1, 0..4 * SECOND)), 1..60),
        ) {
            let mut schedule = schedule(every, deadline);
            let (mut now, mut fastest, mut last) = (0, every, None);
            for (number, (wait, faster)) in (0..).zip(steps) {
                now += wait;
                let time = Time::from_nanos(now);
                if let Some(faster) = faster {
                    prop_assert_eq!(schedule.tighten(time, faster, Time::MAX), faster < fastest);
                    fastest = fastest.min(faster);
                }
                let told = now + duration_nanos(schedule.delay(time));
                prop_assert!(told >= now && told >= number * fastest);
                if let Some(last) = last {
                    prop_assert!(told + 1_000_000 > last + fastest, "{} after {}", told, last);
                }
                last = Some(told);
                schedule.use_slot(time);
                prop_assert_eq!(schedule.fault(time), None);
            }
        }
    }

    #[test]
    fn who_is_closed_in_time_is_told_to_return_at_once_and_those_at_the_deadline_one_after_the_other() {
        let mut schedule = schedule(2 * SECOND, 5 * SECOND);
        let mut told = Vec::new();
        for _ in 0..6 {
            let now = schedule.due();
            told.push((now.as_millis(), schedule.delay(now).as_millis()));
            schedule.use_slot(now);
        }
        let expected = [
            (0, 0),
            (2_000, 0),
            (4_000, 0),
            (5_000, 1_000),
            (5_000, 3_000),
            (5_000, 5_000),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_faster_pace_begins_now_and_makes_up_for_nothing() {
        let at = Time::from_secs;
        let mut schedule = schedule(10 * SECOND, u64::MAX);
        schedule.use_slot(at(0));
        schedule.use_slot(at(10));
        assert!(!schedule.tighten(at(18), 11 * SECOND, Time::MAX));
        assert_eq!(schedule.due(), at(20));
        // The last slot was at 10 s: one of 2 s would have followed at 12 s, and others since.
        assert!(schedule.tighten(at(18), 2 * SECOND, Time::MAX));
        assert_eq!((schedule.due(), schedule.delay(at(18))), (at(18), Duration::ZERO));
        schedule.use_slot(at(18));
        assert_eq!(schedule.due(), at(20));
        assert!(!schedule.tighten(at(19), 3 * SECOND, Time::MAX));
        assert!(schedule.tighten(at(19), 3 * SECOND, at(19)));
        assert_eq!(
            (schedule.due(), schedule.delay(at(19))),
            (at(19), Duration::from_secs(1))
        );
    }

    #[test]
    fn at_the_end_of_time_there_is_no_later_slot() {
        let mut schedule = schedule(u64::MAX, u64::MAX);
        for _ in 0..3 {
            schedule.use_slot(Time::ZERO);
        }
        assert_eq!((schedule.due(), schedule.delay(Time::MAX)), (Time::MAX, Duration::ZERO));
        assert_eq!(schedule.delay(Time::ZERO).as_millis(), 18_446_744_073_710);
    }
}
