//! How long answers take: a histogram of whole numbers.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde::Serialize;

use super::queue::Nanos;
use crate::time::nanos;

/// Each power of two is divided into this many buckets, so that a quantile is right to a sixteenth.
const SPLIT_BITS: u32 = 4;

/// The distribution of round trips. A quantile is the upper end of its bucket, at most a sixteenth above the true one.
///
/// JSON form: an object, durations as whole nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RoundTrips {
    /// How many were measured.
    pub samples: u64,
    /// The median.
    #[serde(with = "nanos")]
    pub p50: Duration,
    /// 99 of 100 took no longer.
    #[serde(with = "nanos")]
    pub p99: Duration,
    /// 999 of 1,000 took no longer.
    #[serde(with = "nanos")]
    pub p999: Duration,
    /// The longest, exactly.
    #[serde(with = "nanos")]
    pub max: Duration,
}

impl RoundTrips {
    pub(super) const fn quantiles(&self) -> [Duration; 4] {
        [self.p50, self.p99, self.p999, self.max]
    }
}

#[derive(Clone, Debug)]
pub(super) struct Histogram {
    buckets: Vec<u64>,
    samples: u64,
    max: Nanos,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self {
            buckets: vec![0; 64 << SPLIT_BITS],
            samples: 0,
            max: 0,
        }
    }

    pub(super) fn add(&mut self, sample: Nanos) {
        self.samples += 1;
        self.max = self.max.max(sample);
        self.buckets[bucket(sample)] += 1;
    }

    pub(super) fn summary(&self) -> RoundTrips {
        RoundTrips {
            samples: self.samples,
            p50: self.quantile(500),
            p99: self.quantile(990),
            p999: self.quantile(999),
            max: Duration::from_nanos(self.max),
        }
    }

    fn quantile(&self, permille: u64) -> Duration {
        let rank = (self.samples * permille).div_ceil(1_000);
        let mut below = 0;
        let found = self.buckets.iter().position(|&count| {
            below += count;
            below >= rank
        });
        Duration::from_nanos(found.map_or(0, highest).min(self.max))
    }
}

/// The number of leading bits, then the bits that follow them.
fn bucket(sample: Nanos) -> usize {
    let bits = u64::BITS - sample.leading_zeros();
    let shift = bits.saturating_sub(SPLIT_BITS + 1);
    let steps = u64::from(shift) << SPLIT_BITS;
    usize::try_from(steps + (sample >> shift)).unwrap_or(usize::MAX)
}

/// The greatest sample of a bucket.
fn highest(bucket: usize) -> Nanos {
    let shift = (bucket >> SPLIT_BITS).saturating_sub(1);
    let leading = bucket - (shift << SPLIT_BITS);
    ((leading as u64 + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_lies_between_the_one_before_and_its_highest() {
        for sample in (0..5_000)
            .chain((0..60).map(|bits| 1 << bits))
            .chain((5..60).map(|bits| (1 << bits) - 1))
        {
            let bucket = bucket(sample);
            assert!(sample <= highest(bucket), "{sample}");
            assert!(bucket == 0 || sample > highest(bucket - 1), "{sample}");
            assert!(highest(bucket) - sample <= sample / 16, "{sample}");
        }
    }

    #[test]
    fn quantiles_are_ranks() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.summary(), RoundTrips::default());
        for sample in 1..=1_000 {
            histogram.add(sample * 1_000);
        }
        let RoundTrips { p50, p99, max, .. } = histogram.summary();
        assert!((500_000..=531_250).contains(&p50.as_nanos()), "{p50:?}");
        assert!((990_000..=1_000_000).contains(&p99.as_nanos()), "{p99:?}");
        assert_eq!(max, Duration::from_millis(1));
    }
}
