//! A fixed random rotation, in n·log n steps, that spreads a vector's weight evenly over its dimensions.

/// Rounds of sign flips and Hadamard transforms. Two mix all dimensions; four make them close to Gaussian even
/// where a model puts much of its weight into a few.
const ROUNDS: usize = 4;

/// An orthogonal map of `dimension` numbers: lengths and angles stay, and no dimension is special afterwards, so
/// that one set of thresholds fits all.
///
/// For a dimension that is no power of two the transform is done over the first and the last power-of-two part in
/// turn; these overlap, which mixes the whole.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    dimension: usize,
    /// The largest power of two within the dimension.
    part: usize,
    /// `ROUNDS` rows of `dimension` factors, each 1 or -1.
    signs: Vec<f32>,
}

impl Rotation {
    /// The same for the same dimension and seed, on every machine: stored codes depend on it.
    pub(super) fn new(dimension: usize, seed: u64) -> Self {
        let mut bits = SplitMix(seed);
        let signs = (0..ROUNDS * dimension).map(|_| if bits.next() & 1 == 0 { 1.0 } else { -1.0 }).collect();
        let part = if dimension == 0 { 0 } else { 1 << dimension.ilog2() };
        Self { dimension, part, signs }
    }

    /// Rotates `vector`, which has `dimension` numbers, in place.
    pub(super) fn apply(&self, vector: &mut [f32]) {
        debug_assert_eq!(vector.len(), self.dimension);
        if self.dimension == 0 {
            return;
        }
        let scale = (self.part as f32).sqrt().recip();
        for (round, signs) in self.signs.chunks_exact(self.dimension).enumerate() {
            for (x, sign) in vector.iter_mut().zip(signs) {
                *x *= sign;
            }
            let from = if round % 2 == 0 { 0 } else { self.dimension - self.part };
            let part = &mut vector[from..from + self.part];
            hadamard(part);
            for x in part {
                *x *= scale;
            }
        }
    }
}

/// The unscaled Walsh-Hadamard transform of a power of two of numbers.
fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(half * 2) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

/// SplitMix64: written out because stored codes depend on its output, which a library may change.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::super::dot::{dot, length};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn inner_products_stay(dimension in 1usize..400, seed in any::<u64>()) {
            let rotation = Rotation::new(dimension, seed);
            let mut bits = SplitMix(seed ^ 1);
            let mut random = || (0..dimension).map(|_| (bits.next() >> 40) as f32 / (1u64 << 24) as f32 - 0.5).collect();
            let (mut a, mut b): (Vec<f32>, Vec<f32>) = (random(), random());
            let before = dot(&a, &b);
            rotation.apply(&mut a);
            rotation.apply(&mut b);
            prop_assert!((dot(&a, &b) - before).abs() < 1e-3);
        }
    }

    #[test]
    fn one_heavy_dimension_is_spread() {
        for heavy in [0, 1, 200, 383] {
            let mut vector = vec![0.0; 384];
            vector[heavy] = 1.0;
            Rotation::new(384, 7).apply(&mut vector);
            let largest = vector.iter().fold(0f32, |most, x| most.max(x.abs()));
            assert!(largest < 0.35, "dimension {heavy} stays in one place: {largest}");
            assert!((length(&vector) - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn stored_codes_can_rely_on_it() {
        let mut vector = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        Rotation::new(6, 42).apply(&mut vector);
        let rounded: Vec<i32> = vector.iter().map(|x| (x * 1000.0).round() as i32).collect();
        assert_eq!(rounded, PINNED);
    }

    /// If this changes, so must the version of the stored format.
    const PINNED: [i32; 6] = [1000, 2500, 6750, -5250, -3250, -250];
}
