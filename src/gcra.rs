//! How often something may happen, in integers.
//!
//! The generic cell rate algorithm (ITU-T I.371): instead of counting tokens, a bucket keeps one instant, at which it
//! would be full again. Each event that is let through moves it by the interval between two events; one that would move
//! it too far ahead is not let through. So a bucket takes eight bytes, and nothing has to be filled up as time passes.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Active;
use crate::time::{duration_nanos, nanos};

/// How often something may happen: `events` in each `per`, and up to `burst` of them at once after a rest.
///
/// The interval between two events is `per / events` in nanoseconds, rounded up, and at least 1. In any window of time no
/// more than `burst` + window / interval are let through, so never more than `burst` + `events` × window / `per`; and
/// whoever keeps the interval is never held up. None of the three may be 0, else the settings are refused.
///
/// JSON form: `{"events":10,"per":1000000000,"burst":20}`, `per` in nanoseconds.
///
/// ```
/// use core::time::Duration;
/// use lobbykeeper::{Config, Rate};
///
/// // Twenty messages at once, then ten each second.
/// let config = Config {
///     message_rate: Some(Rate { events: 10, per: Duration::from_secs(1), burst: 20 }),
///     ..Config::default()
/// };
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many, ...
    pub events: u32,
    /// ... in how long.
    #[serde(with = "nanos")]
    pub per: Duration,
    /// How many at once after a rest of `burst` × `per / events`, or when it all begins; 1 for none at once.
    pub burst: u32,
}

impl Rate {
    /// The field that is 0 and must not be.
    pub(crate) fn zero(&self) -> Option<&'static str> {
        [
            (self.events == 0, "events"),
            (self.per.is_zero(), "per"),
            (self.burst == 0, "burst"),
        ]
        .into_iter()
        .find_map(|(zero, field)| zero.then_some(field))
    }
}

/// A rate in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Between two events.
    interval: u64,
    /// How far from full a bucket may be for one more event: all of a burst but one.
    tolerance: u64,
}

impl Pace {
    pub(crate) fn new(rate: Rate) -> Self {
        let interval = duration_nanos(rate.per).div_ceil(u64::from(rate.events).max(1)).max(1);
        Self {
            interval,
            // What saturates lies beyond all time: no bucket is ever that far from full.
            tolerance: interval.saturating_mul(u64::from(rate.burst.saturating_sub(1))),
        }
    }
}

/// What a bucket has against one more event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    /// Nanoseconds until the bucket is full, ...
    pub(crate) seen: u64,
    /// ... and how many it may be for one more event.
    pub(crate) threshold: u64,
}

impl Excess {
    /// Nanoseconds until that event would be let through, if nothing else is until then.
    pub(crate) const fn wait(self) -> u64 {
        self.seen - self.threshold
    }
}

/// What of a rate has been used: the nanosecond of active time from which on the whole burst may come again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bucket(u64);

impl Bucket {
    pub(crate) const FULL: Self = Self(0);

    /// Whether one more event may happen now. Takes nothing.
    ///
    /// An event that leaves the bucket short of full at the end of time would be the last, since how far it is short
    /// could not be told. So only a full bucket gives that one.
    pub(crate) fn check(self, now: Active, pace: Pace) -> Result<(), Excess> {
        let seen = self.short_of_full(now);
        let is_tellable = self.0.checked_add(pace.interval).is_some();
        let threshold = if is_tellable { pace.tolerance } else { 0 };
        if seen <= threshold {
            Ok(())
        } else {
            Err(Excess { seen, threshold })
        }
    }

    /// One more event happens, which has been checked.
    pub(crate) fn take(&mut self, now: Active, pace: Pace) {
        self.0 = self.0.max(now.into()).saturating_add(pace.interval);
    }

    /// Whether a whole burst may come.
    pub(crate) fn is_full(self, now: Active) -> bool {
        self.short_of_full(now) == 0
    }

    /// Whether a bucket of this pace, or one that is never taken from, can be as this one is.
    pub(crate) fn is_possible(self, now: Active, pace: Option<Pace>) -> bool {
        match pace {
            Some(pace) => self.short_of_full(now) <= pace.tolerance.saturating_add(pace.interval),
            None => self == Self::FULL,
        }
    }

    /// For how many nanoseconds the bucket is not full.
    fn short_of_full(self, now: Active) -> u64 {
        self.0.saturating_sub(now.into())
    }
}

#[cfg(test)]
impl Bucket {
    pub(crate) fn spoil(&mut self) {
        self.0 = u64::MAX;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// The last instant of active time.
    const LAST: u64 = u64::MAX - 1;

    fn at(nanos: u64) -> Active {
        Active::from_nanos(nanos)
    }

    fn rate(events: u32, nanos: u64, burst: u32) -> Rate {
        Rate {
            events,
            per: Duration::from_nanos(nanos),
            burst,
        }
    }

    /// Takes one if that may be.
    fn take(bucket: &mut Bucket, now: u64, pace: Pace) -> Result<(), Excess> {
        bucket.check(at(now), pace)?;
        bucket.take(at(now), pace);
        assert!(bucket.is_possible(at(now), Some(pace)));
        Ok(())
    }

    /// Tokens as one would count them: in as many parts as an interval has nanoseconds, one part for each that passes.
    struct Tokens {
        parts: u128,
        filled: u64,
    }

    impl Tokens {
        fn take(&mut self, now: u64, interval: u128, burst: u32) -> bool {
            self.parts = (self.parts + u128::from(now - self.filled)).min(u128::from(burst) * interval);
            self.filled = now;
            let enough = self.parts >= interval;
            self.parts -= if enough { interval } else { 0 };
            enough
        }
    }

    fn rates() -> impl Strategy<Value = Rate> {
        let nanos = prop_oneof![1_u64..50, select(std::vec![1_000_000_000, 1 << 40, 1 << 63, u64::MAX])];
        (1_u32..12, nanos, prop_oneof![1_u32..6, Just(u32::MAX)])
            .prop_map(|(events, nanos, burst)| rate(events, nanos, burst))
    }

    /// Instants in their order, from anywhere, the end of time included.
    fn instants() -> impl Strategy<Value = Vec<u64>> {
        let start = prop_oneof![
            Just(0),
            0_u64..1_000,
            Just(1 << 62),
            (0_u64..300).prop_map(|left| LAST - left)
        ];
        let gap =
            prop_oneof![4 => Just(0_u64), 8 => 1_u64..20, 2 => 20_u64..200, 1 => (0_u32..64).prop_map(|bit| 1 << bit)];
        (start, vec(gap, 1..60)).prop_map(|(start, gaps)| {
            let mut now = start;
            let instants = gaps.into_iter().map(|gap| {
                now = now.saturating_add(gap).min(LAST);
                now
            });
            instants.collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 8 } else { 2_000 }, failure_persistence: None, ..ProptestConfig::default() })]

        /// The law itself, by the numbers of the settings: for all windows, `events`, `per` and `burst` as they stand there.
        #[test]
        fn no_window_has_more_than_the_burst_and_what_the_rate_gives_for_its_length(
            rate in rates(), instants in instants(),
        ) {
            let (mut bucket, pace) = (Bucket::FULL, Pace::new(rate));
            let taken: Vec<u64> = instants.into_iter().filter(|&now| take(&mut bucket, now, pace).is_ok()).collect();
            for (first, &start) in taken.iter().enumerate() {
                for (last, &end) in taken.iter().enumerate().skip(first) {
                    let through = (last - first + 1) as u128;
                    let given = u128::from(rate.events) * u128::from(end - start) / rate.per.as_nanos();
                    prop_assert!(through <= u128::from(rate.burst) + given, "{through} from {start} to {end}");
                }
            }
        }

        #[test]
        fn whoever_keeps_the_interval_is_never_held_up(
            rate in rates(), start in instants(), more in vec(0_u64..5, 1..40),
        ) {
            let (mut bucket, pace) = (Bucket::FULL, Pace::new(rate));
            let mut now = start[0];
            for more in more {
                prop_assert_eq!(take(&mut bucket, now, pace), Ok(()));
                let next = now.checked_add(pace.interval).and_then(|next| next.checked_add(more));
                match next.filter(|&next| next <= LAST) {
                    Some(next) => now = next,
                    None => break,
                }
            }
        }

        #[test]
        fn a_bucket_gives_what_a_naive_count_of_tokens_gives_until_the_end_of_time_is_near(
            rate in rates(), instants in instants(),
        ) {
            let (mut bucket, pace) = (Bucket::FULL, Pace::new(rate));
            let interval = u128::from(pace.interval);
            let mut tokens = Tokens { parts: u128::from(rate.burst) * interval, filled: instants[0] };
            for now in instants {
                let far = bucket.0.max(now).checked_add(pace.interval).is_some();
                let enough = tokens.take(now, interval, rate.burst);
                let taken = take(&mut bucket, now, pace).is_ok();
                if !far {
                    prop_assert!(enough || !taken, "never more than the tokens");
                    break;
                }
                prop_assert_eq!(taken, enough, "at {}", now);
            }
        }

        #[test]
        fn what_is_held_up_is_let_through_after_the_wait_and_not_a_nanosecond_earlier(
            rate in rates(), instants in instants(),
        ) {
            let (mut bucket, pace) = (Bucket::FULL, Pace::new(rate));
            for now in instants {
                let Err(excess) = take(&mut bucket, now, pace) else {
                    continue;
                };
                let wait = excess.wait();
                if now.checked_add(wait).is_some_and(|then| then <= LAST) {
                    prop_assert!(bucket.check(at(now + wait - 1), pace).is_err());
                    prop_assert_eq!(bucket.check(at(now + wait), pace), Ok(()));
                }
            }
        }
    }

    #[test]
    fn an_interval_that_is_no_whole_number_of_nanoseconds_is_rounded_up() {
        let intervals = [
            (rate(3, 1_000_000_000, 1), 333_333_334),
            (rate(10, 1_000_000_000, 1), 100_000_000),
            (rate(u32::MAX, 1, 1), 1),
            (rate(1, u64::MAX, 1), u64::MAX),
        ];
        for (rate, interval) in intervals {
            assert_eq!(Pace::new(rate).interval, interval, "{rate:?}");
        }
        let endless = Rate {
            per: Duration::MAX,
            ..rate(1, 1, 1)
        };
        assert_eq!(Pace::new(endless).interval, u64::MAX);
    }

    #[test]
    fn a_burst_comes_at_once_then_one_each_interval_and_after_a_rest_again_a_burst() {
        let (mut bucket, pace) = (Bucket::FULL, Pace::new(rate(1, 10, 3)));
        let mut taken = |now| take(&mut bucket, now, pace).is_ok();
        assert_eq!(
            [0, 0, 0, 0, 9, 10, 10, 19, 20].map(&mut taken),
            [true, true, true, false, false, true, false, false, true]
        );
        assert_eq!([50, 50, 50, 50].map(&mut taken), [true, true, true, false]);
    }

    #[test]
    fn at_the_end_of_time_a_full_bucket_gives_one_more_and_then_none() {
        let pace = Pace::new(rate(1, 10, 5));
        let mut bucket = Bucket::FULL;
        let taken = [LAST - 4, LAST - 4, LAST].map(|now| take(&mut bucket, now, pace).is_ok());
        assert_eq!(taken, [true, false, false]);
    }
}
