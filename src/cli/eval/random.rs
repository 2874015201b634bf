//! Random numbers that are the same every time: samples and intervals of two runs are to be comparable.

/// SplitMix64, written out because no crate promises that its numbers stay the same between versions.
pub struct Random(u64);

impl Random {
    /// From the one seed that all use.
    pub fn new() -> Self {
        Self(42)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // the high half of the product: even to one part in 2^64 / limit
        ((u128::from(mixed) * limit as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_repeat_and_are_spread_evenly() {
        let drawn = || {
            let mut random = Random::new();
            (0..6000).map(|_| random.below(6)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(), drawn());
        for number in 0..6 {
            let count = drawn().iter().filter(|drawn| **drawn == number).count();
            assert!((880..1120).contains(&count), "{number} came {count} times");
        }
    }
}
