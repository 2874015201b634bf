//! Two bits a number: how what is left of a vector is rounded, and how a query looks the rounded numbers up.

/// The four values a number of unit variance is rounded to (Lloyd-Max for a Gaussian), and what parts them.
const SMALL: f32 = 0.4528;
const LARGE: f32 = 1.510;
const BOUND: f32 = 0.9816;

/// Values by code: bit 0 says large, bit 1 says negative.
const LEVELS: [f32; 4] = [SMALL, LARGE, -SMALL, -LARGE];

/// The bits of a byte that say large.
const LARGE_BITS: u8 = 0b0101_0101;

/// The largest entry of a look-up table: the sum of two of them still fits a byte.
const TABLE_MAX: f32 = 127.0;

/// Bytes that `dimension` numbers take: four a byte, the first in the lowest two bits.
pub(super) fn rows(dimension: usize) -> usize {
    dimension.div_ceil(4)
}

/// Adds the codes of `rest` to `bytes`. Answers the inner product of the numbers with what they were rounded to.
pub(super) fn round(rest: &[f32], bytes: &mut Vec<u8>) -> f32 {
    let spread = (rest.iter().map(|x| x * x).sum::<f32>() / rest.len() as f32).sqrt();
    let mut overlap = 0f32;
    for some in rest.chunks(4) {
        let mut byte = 0;
        for (at, &x) in some.iter().enumerate() {
            let code = u8::from(x.abs() > BOUND * spread) | u8::from(x < 0.0) << 1;
            overlap += x * LEVELS[usize::from(code)];
            byte |= code << (at * 2);
        }
        bytes.push(byte);
    }
    overlap
}

/// How many of a code's numbers are large; what fills its last byte up is not.
pub(super) fn n_large(code: &[u8]) -> u32 {
    code.iter().map(|byte| (byte & LARGE_BITS).count_ones()).sum()
}

/// The length of what a code stands for.
pub(super) fn length(n_large: u32, dimension: usize) -> f32 {
    let n_small = dimension as f32 - n_large as f32;
    (n_large as f32 * LARGE * LARGE + n_small * SMALL * SMALL).sqrt()
}

/// A query's numbers, ready to be looked up.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// For each byte of code 16 entries for its low half, then 16 for its high half.
    pub(super) entries: Vec<u8>,
    /// A sum of entries times this, plus `bias`, is the inner product with the rounded values.
    pub(super) step: f32,
    pub(super) bias: f32,
}

impl Table {
    pub(super) fn of(mut query: Vec<f32>) -> Self {
        query.resize(rows(query.len()) * 4, 0.0);
        let (pairs, _) = query.as_chunks::<2>();
        let reach = |pair: &[f32; 2]| LARGE * (pair[0].abs() + pair[1].abs());
        let widest = pairs.iter().map(reach).fold(f32::MIN_POSITIVE, f32::max) * 2.0;
        let step = widest / TABLE_MAX;
        let mut entries = Vec::with_capacity(pairs.len() * 16);
        let mut bias = 0f32;
        for pair in pairs {
            let lowest = -reach(pair);
            bias += lowest;
            for half in 0..16usize {
                let value = LEVELS[half & 3] * pair[0] + LEVELS[half >> 2] * pair[1];
                // Rounds to nearest; the range was chosen so that it fits.
                entries.push(((value - lowest) / step + 0.5) as u8);
            }
        }
        Self { entries, step, bias }
    }

    /// The inner product that a sum of entries stands for.
    pub(super) fn product(&self, sum: u32) -> f32 {
        self.step * sum as f32 + self.bias
    }
}

#[cfg(test)]
impl Table {
    /// The sum of the entries of one code, as plainly as possible.
    pub(super) fn sum(&self, code: &[u8]) -> u32 {
        let entry =
            |row: usize, half: usize, bits: u8| self.entries[row * 32 + half * 16 + usize::from(bits)];
        let of_row = |(row, byte): (usize, &u8)| {
            u32::from(entry(row, 0, byte & 15)) + u32::from(entry(row, 1, byte >> 4))
        };
        code.iter().enumerate().map(of_row).sum()
    }
}

/// What a code stands for, number by number.
#[cfg(test)]
pub(super) fn values(code: &[u8], dimension: usize) -> Vec<f32> {
    (0..dimension).map(|at| LEVELS[usize::from(code[at / 4] >> (at % 4 * 2) & 3)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_the_nearest_of_four() {
        let mut bytes = vec![7];
        let overlap = round(&[0.1, -0.1, 2.0, -2.0, 0.1], &mut bytes);
        assert_eq!(bytes, [7, 0b1101_1000, 0b00]);
        assert_eq!(values(&bytes[1..], 5), [SMALL, -SMALL, LARGE, -LARGE, SMALL]);
        assert!((overlap - (0.3 * SMALL + 4.0 * LARGE)).abs() < 1e-5);
        assert_eq!(n_large(&bytes[1..]), 2);
        let length_of = values(&bytes[1..], 5).iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((length(2, 5) - length_of).abs() < 1e-5);
    }

    #[test]
    fn a_sum_of_entries_is_an_inner_product() {
        let query = vec![0.3, -0.2, 0.9, 0.05, -0.6];
        let table = Table::of(query.clone());
        for code in [[0b1101_1000u8, 0b00], [0b0000_0101, 0b11], [0, 0]] {
            let product = table.product(table.sum(&code));
            let exact: f32 = query.iter().zip(values(&code, 5)).map(|(q, x)| q * x).sum();
            assert!((product - exact).abs() < 0.05, "{product} and not {exact}");
        }
    }
}
