//! Scores 32 codes at a time against a query's tables: the inner loop of every search.

use super::coding::Table;

/// Vectors in a block. Their code bytes are interleaved: row `r` holds byte `r` of all 32, so that one shuffle
/// looks 32 of them up.
pub(super) const BLOCK: usize = 32;

/// Rows that can be summed in 16 bits: two entries of at most 127 a row.
const ROWS_A_SUM: usize = 256;

/// How blocks are scored on this processor; found out once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// 32 table look-ups an instruction.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Everywhere else.
    Portable,
}

impl Kernel {
    /// The fastest that this processor can run.
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Kernel::Avx2;
        }
        Kernel::Portable
    }

    /// Sums of the table entries (32 a row: 16 for the low half of a byte, 16 for the high one) of the 32 codes in
    /// `block` (rows × 32 bytes).
    pub(super) fn sums(self, entries: &[u8], block: &[u8]) -> [u32; BLOCK] {
        debug_assert_eq!(entries.len(), block.len());
        match self {
            // SAFETY: `best` and the tests make this variant only after AVX2 was detected.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => unsafe { sums_avx2(entries, block) },
            Kernel::Portable => sums_portable(entries, block),
        }
    }
}

/// Cosines of the 32 vectors, from the sums, their numbers along the axis and their factors. Empty slots have a
/// factor and a number of 0; the caller knows which they are.
pub(super) fn estimates(table: &Table, sums: &[u32; BLOCK], along: &[f32], factor: &[f32]) -> [f32; BLOCK] {
    let mut estimates = [0f32; BLOCK];
    let numbers = along.iter().zip(factor);
    for ((estimate, sum), (along, factor)) in estimates.iter_mut().zip(sums).zip(numbers) {
        *estimate = table.shared + table.along * along + factor * table.rest.product(*sum);
    }
    estimates
}

fn sums_portable(entries: &[u8], block: &[u8]) -> [u32; BLOCK] {
    let mut sums = [0u32; BLOCK];
    for (table, row) in entries.as_chunks::<32>().0.iter().zip(block.as_chunks::<BLOCK>().0) {
        for (sum, byte) in sums.iter_mut().zip(row) {
            let (low, high) = (usize::from(byte & 15), usize::from(byte >> 4));
            *sum += u32::from(table[low]) + u32::from(table[16 + high]);
        }
    }
    sums
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sums_avx2(entries: &[u8], block: &[u8]) -> [u32; BLOCK] {
    use std::arch::x86_64::*;
    let n_rows = (entries.len() / 32).min(block.len() / BLOCK);
    let mask = _mm256_set1_epi8(15);
    let mut sums = [0u32; BLOCK];
    for from in (0..n_rows).step_by(ROWS_A_SUM) {
        // 16-bit lanes hold two neighbours each: `both` adds them up as one number, `odd` the upper one alone.
        let (mut both, mut odd) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        for row in from..(from + ROWS_A_SUM).min(n_rows) {
            // SAFETY: row < n_rows, and both slices have at least n_rows × 32 bytes.
            let (codes, low, high) = unsafe {
                let table = entries.as_ptr().add(row * 32).cast::<__m128i>();
                (
                    _mm256_loadu_si256(block.as_ptr().add(row * BLOCK).cast()),
                    _mm256_broadcastsi128_si256(_mm_loadu_si128(table)),
                    _mm256_broadcastsi128_si256(_mm_loadu_si128(table.add(1))),
                )
            };
            let low = _mm256_shuffle_epi8(low, _mm256_and_si256(codes, mask));
            let high = _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(codes, 4), mask));
            let sum = _mm256_add_epi8(low, high);
            both = _mm256_add_epi16(both, sum);
            odd = _mm256_add_epi16(odd, _mm256_srli_epi16(sum, 8));
        }
        let even = _mm256_sub_epi16(both, _mm256_slli_epi16(odd, 8));
        let (mut evens, mut odds) = ([0u16; 16], [0u16; 16]);
        // SAFETY: each array holds the 32 bytes that are stored.
        unsafe {
            _mm256_storeu_si256(evens.as_mut_ptr().cast(), even);
            _mm256_storeu_si256(odds.as_mut_ptr().cast(), odd);
        }
        for lane in 0..16 {
            sums[lane * 2] += u32::from(evens[lane]);
            sums[lane * 2 + 1] += u32::from(odds[lane]);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::super::levels;
    use super::*;
    use proptest::prelude::*;

    fn table(entries: Vec<u8>) -> Table {
        Table { rest: levels::Table { entries, step: 0.5, bias: -3.0 }, along: 2.0, shared: 1.0 }
    }

    proptest! {
        #[test]
        fn every_kernel_gives_the_same(
            n_rows in 1usize..300,
            seed in any::<u32>(),
            largest in prop::bool::ANY,
        ) {
            let mut state = seed;
            let mut next = || { state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223); (state >> 24) as u8 };
            let entries: Vec<u8> = (0..n_rows * 32).map(|_| if largest { 127 } else { next() & 127 }).collect();
            let block: Vec<u8> = (0..n_rows * BLOCK).map(|_| next()).collect();
            prop_assert_eq!(Kernel::best().sums(&entries, &block), Kernel::Portable.sums(&entries, &block));
        }
    }

    #[test]
    fn an_estimate_is_the_formula() {
        let sums = [4; BLOCK];
        let found = estimates(&table(vec![0; 32]), &sums, &[0.25; BLOCK], &[0.1; BLOCK]);
        assert_eq!(found, [1.0 + 2.0 * 0.25 + 0.1 * (0.5 * 4.0 - 3.0); BLOCK]);
    }
}
