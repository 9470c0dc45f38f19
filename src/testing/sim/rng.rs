//! Chance: whole numbers only, so that a seed means the same on every machine.

/// `SplitMix64` (Steele, Lea, Flood 2014): a counter and a mixer. Each client has one of its own, so that what one does
/// changes nothing of what another draws, and two worlds that differ in one setting stay comparable.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    /// The generator number `stream` of a seed.
    pub(super) const fn new(seed: u64, stream: u64) -> Self {
        Self(mix(seed).wrapping_add(mix(stream ^ GOLDEN)))
    }

    /// Another generator, which goes its own way.
    pub(super) const fn fork(&mut self) -> Self {
        Self(mix(self.next() ^ GOLDEN))
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number in `0..end`, each as likely as the others (to within `end` in 2^64); 0 if there is none.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(end);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A number in `1..=2 * mean`: a time that passes until something happens that happens every `mean` on average.
    pub(super) fn around(&mut self, mean: u64) -> u64 {
        1 + self.below(mean.saturating_mul(2))
    }

    /// True in so many cases of a hundred.
    pub(super) fn percent(&mut self, share: u8) -> bool {
        self.below(100) < u64::from(share)
    }
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_published_generator() {
        // The first outputs of the reference implementation (prng.di.unimi.it/splitmix64.c) for the state 1234567.
        let mut rng = Rng(1_234_567);
        let first = [(); 5].map(|()| rng.next());
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn ranges_are_kept_and_filled() {
        let mut rng = Rng::new(1, 2);
        let mut seen = [false; 6];
        for _ in 0..1_000 {
            seen[usize::try_from(rng.below(6)).unwrap()] = true;
            assert!((1..=6).contains(&rng.around(3)));
        }
        assert_eq!(seen, [true; 6]);
        assert_eq!((rng.below(0), rng.around(0)), (0, 1));
        assert!(!rng.percent(0) && rng.percent(100));
    }
}
