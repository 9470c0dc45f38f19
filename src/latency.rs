//! Round-trip times.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::nanos;

/// How long a connection takes to answer a health ping. Resolution one microsecond, at most 536 seconds.
///
/// JSON form: the three durations in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Latency {
    /// The latest round trip.
    #[serde(with = "nanos")]
    pub last: Duration,
    /// The shortest so far.
    #[serde(with = "nanos")]
    pub min: Duration,
    /// A moving average with a gain of 1/8, in integers: the SRTT of RFC 6298, section 2.
    #[serde(with = "nanos")]
    pub smoothed: Duration,
}

/// The longest round trip told, in microseconds: eight of them fit a `u32`.
const LONGEST: u32 = u32::MAX / 8;

/// The samples so far, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rtt {
    last: u32,
    /// `u32::MAX` before the first sample.
    min: u32,
    /// Eight times the smoothed value, so that the average does not lose its fraction (as TCP stacks keep it).
    smoothed_by_8: u32,
}

impl Default for Rtt {
    fn default() -> Self {
        Self {
            last: 0,
            min: u32::MAX,
            smoothed_by_8: 0,
        }
    }
}

impl Rtt {
    /// Takes in a round trip of so many nanoseconds and returns it as it was kept.
    pub(crate) fn sample(&mut self, nanos: u64) -> Duration {
        let micros = u32::try_from(nanos / 1_000).unwrap_or(LONGEST).min(LONGEST);
        self.smoothed_by_8 = if self.min == u32::MAX {
            micros * 8
        } else {
            self.smoothed_by_8 - self.smoothed_by_8 / 8 + micros
        };
        self.last = micros;
        self.min = self.min.min(micros);
        from_micros(micros)
    }

    /// Whether samples can have led to these numbers.
    pub(crate) fn is_possible(&self) -> bool {
        if self.min == u32::MAX {
            return *self == Self::default();
        }
        (self.min..=LONGEST).contains(&self.last) && (8 * self.min..=8 * LONGEST).contains(&self.smoothed_by_8)
    }

    pub(crate) fn latency(&self) -> Option<Latency> {
        (self.min != u32::MAX).then(|| Latency {
            last: from_micros(self.last),
            min: from_micros(self.min),
            smoothed: from_micros(self.smoothed_by_8 / 8),
        })
    }
}

fn from_micros(micros: u32) -> Duration {
    Duration::from_micros(u64::from(micros))
}

#[cfg(test)]
impl Rtt {
    pub(crate) fn spoil(&mut self) {
        self.min = self.last + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smoothed_time_moves_by_an_eighth_and_nothing_overflows() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.latency(), None);
        rtt.sample(80_000_000);
        rtt.sample(160_000_000);
        let ms = Duration::from_millis;
        assert_eq!(
            rtt.latency(),
            Some(Latency {
                last: ms(160),
                min: ms(80),
                smoothed: ms(90)
            })
        );
        for _ in 0..100 {
            rtt.sample(u64::MAX);
        }
        assert_eq!(rtt.latency().unwrap().last, Duration::from_micros(u64::from(LONGEST)));
    }

    #[test]
    fn the_bounds_of_what_is_possible_are_the_ones_that_samples_reach() {
        let mut rtt = Rtt::default();
        assert!(rtt.is_possible());
        for micros in [LONGEST, LONGEST, 7, 7, 8, 0, u32::MAX, 1] {
            rtt.sample(u64::from(micros) * 1_000);
            assert!(rtt.is_possible(), "{rtt:?}");
        }
        let possible = |last, min, smoothed_by_8| {
            Rtt {
                last,
                min,
                smoothed_by_8,
            }
            .is_possible()
        };
        assert!(possible(LONGEST, LONGEST, 8 * LONGEST));
        assert!(!possible(LONGEST + 1, 0, 0), "longer than any");
        assert!(!possible(1, 0, 8 * LONGEST + 1), "smoother than any");
        assert!(!possible(1, 2, 16), "below the shortest");
        assert!(!possible(2, 2, 15), "below the shortest on average");
        assert!(!possible(1, u32::MAX, 0), "none, and yet one");
    }
}
