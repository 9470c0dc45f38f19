//! What the hub counts beside what the manager does: plain numbers on the hub's own thread, without a lock.

use std::time::Duration;

use lobbykeeper::{Cause, Closing, Command, Ending, Eviction, Notice, Output};

/// In nanoseconds: 1 ms to 10 s.
const ROUND_TRIPS: &[u64] = &[
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// In nanoseconds: 10 µs to 1 s.
const TURNS: &[u64] = &[
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    1_000_000_000,
];

const OUTPUTS: &[u64] = &[0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096];

/// The reasons that are there from the beginning, so that each counts from 0.
const ENDINGS: &[Ending] = &[
    Ending::Closed(Cause::Peer),
    Ending::Closed(Cause::Error),
    Ending::Closed(Cause::SendFailed),
    Ending::Evicted(Eviction::Stale),
    Ending::Evicted(Eviction::CloseTimeout),
    Ending::Evicted(Eviction::Replaced),
    Ending::Evicted(Eviction::SlowConsumer),
    Ending::Evicted(Eviction::OverBudget),
];

const CLOSINGS: &[Closing] = &[
    Closing::Requested,
    Closing::Replaced,
    Closing::Expired,
    Closing::RateLimited,
    Closing::MessageTooBig,
    Closing::Draining,
];

#[derive(Clone, Debug)]
pub(crate) struct Meters {
    /// How connections ended.
    pub(crate) ends: Tally<Ending>,
    /// Why connections were told to close.
    pub(crate) closes: Tally<Closing>,
    /// Of each pong, in nanoseconds.
    pub(crate) round_trips: Histogram,
    /// How long each turn took, in nanoseconds.
    pub(crate) turns: Histogram,
    /// How much each turn wrote to the outbox, in commands and notices.
    pub(crate) outputs: Histogram,
    outputs_of_this_turn: u64,
}

impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            ends: Tally::of(ENDINGS),
            closes: Tally::of(CLOSINGS),
            round_trips: Histogram::of_round_trips(),
            turns: Histogram::new(TURNS),
            outputs: Histogram::new(OUTPUTS),
            outputs_of_this_turn: 0,
        }
    }

    /// The hub carries this out.
    pub(crate) fn see(&mut self, output: &Output<'_>) {
        self.outputs_of_this_turn += 1;
        match output {
            Output::Command(Command::Close { cause, .. }) => self.closes.count(*cause),
            Output::Notice(Notice::Ended { ending, .. }) => self.ends.count(*ending),
            Output::Notice(Notice::Pong { rtt, .. }) => self.round_trips.observe(nanos(*rtt)),
            _ => {}
        }
    }

    pub(crate) fn end_turn(&mut self, took: Duration) {
        self.turns.observe(nanos(took));
        self.outputs.observe(self.outputs_of_this_turn);
        self.outputs_of_this_turn = 0;
    }
}

/// How often each of a few things has happened.
#[derive(Clone, Debug)]
pub(crate) struct Tally<T>(Vec<(T, u64)>);

impl<T: Copy + PartialEq> Tally<T> {
    fn of(known: &[T]) -> Self {
        Self(known.iter().map(|&what| (what, 0)).collect())
    }

    fn count(&mut self, what: T) {
        match self.0.iter_mut().find(|(known, _)| *known == what) {
            Some((_, count)) => *count += 1,
            None => self.0.push((what, 1)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (T, u64)> {
        self.0.iter().copied()
    }
}

/// How many of the values lie where.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    /// The greatest value of each place but the last, which has none.
    bounds: &'static [u64],
    counts: Vec<u64>,
    sum: u64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0,
        }
    }

    /// For round-trip times in nanoseconds.
    pub(crate) fn of_round_trips() -> Self {
        Self::new(ROUND_TRIPS)
    }

    pub(crate) fn observe(&mut self, value: u64) {
        let place = self.bounds.partition_point(|&bound| bound < value);
        self.counts[place] += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// The bound of each place, none for the last, and what lies in it.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        bounds.zip(self.counts.iter().copied())
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_at_a_bound_lies_below_it_and_one_beyond_all_lies_in_the_last_place() {
        let mut histogram = Histogram::new(&[10, 20]);
        for value in [0, 10, 11, 20, 21, u64::MAX] {
            histogram.observe(value);
        }
        let places: Vec<_> = histogram.places().collect();
        assert_eq!(places, [(Some(10), 2), (Some(20), 2), (None, 2)]);
        assert_eq!((histogram.count(), histogram.sum()), (6, u64::MAX));
    }

    #[test]
    fn a_reason_that_was_not_foreseen_is_counted_all_the_same() {
        let mut tally = Tally::of(&["foreseen"]);
        for what in ["foreseen", "unforeseen", "unforeseen"] {
            tally.count(what);
        }
        assert!(tally.iter().eq([("foreseen", 1), ("unforeseen", 2)]));
    }
}
