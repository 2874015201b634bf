//! Late interaction: how well each token of a query is met by some token of a text.
//!
//! One vector for a whole text loses the single word that matters. Here every token of the query looks for the token
//! of the text that is most like it, and what they find is averaged by weight. The query's tokens are numbers, the
//! text's are signs, so that a cosine is a sum of looked-up parts: the loop that scores the vectors' codes does it.

use super::dot::{length, unit};
use super::fresh::check_vector;
use super::scan::{BLOCK, Kernel};
use super::tokens::bytes_of;
use super::{Index, QueryToken};
use crate::error::{Error, Result};

/// The largest entry of a look-up table: the sum of two of them still fits a byte.
const TABLE_MAX: f32 = 127.0;

impl Index {
    /// For each of `ids` how well the query's tokens are met, -1 to 1: the sum over them of weight × the best cosine
    /// with a token of the text, divided by the sum of weights; what all tokens share is taken away before. None
    /// where the tokens of a text are not stored, and everywhere where the query has no weight or too few texts are
    /// stored. Errors: [`crate::error::Kind::Invalid`] for a vector of the wrong dimension or a weight below 0.
    ///
    /// Some 10 µs a text with 16 tokens in the query.
    pub fn late(&self, query: &[QueryToken], ids: &[u32]) -> Result<Vec<Option<f32>>> {
        let dimension = self.inner.dimension;
        for (at, QueryToken { vector, weight }) in query.iter().enumerate() {
            check_vector(format_args!("token {at} of the query"), vector, dimension)?;
            if !weight.is_finite() || *weight < 0.0 {
                return Err(Error::invalid(format!("token {at} of the query has the weight {weight}")));
            }
        }
        let mut scores = Vec::with_capacity(ids.len());
        let mut asked: Option<Asked> = None;
        self.inner.tokens.each(ids, |mean, codes| {
            let asked = asked.get_or_insert_with(|| Asked::new(query, mean));
            scores.push(codes.and_then(|codes| asked.score(codes, Kernel::best())));
        })?;
        scores.resize(ids.len(), None);
        Ok(scores)
    }
}

/// A query's tokens, ready to be compared with codes.
struct Asked {
    tokens: Vec<Table>,
    weights: f32,
    /// Bytes of one token's code.
    width: usize,
    /// 32 codes, byte by byte, as the kernel wants them.
    block: Vec<u8>,
}

/// One token of a query: a sum of entries times `step`, plus `bias`, is its cosine with a code.
struct Table {
    entries: Vec<u8>,
    step: f32,
    bias: f32,
    weight: f32,
}

impl Asked {
    fn new(query: &[QueryToken], mean: &[f32]) -> Self {
        let tokens: Vec<Table> =
            query.iter().filter(|token| token.weight > 0.0).map(|token| Table::new(token, mean)).collect();
        let weights = tokens.iter().map(|token| token.weight).sum();
        let width = bytes_of(mean.len());
        Self { tokens, weights, width, block: vec![0; width * BLOCK] }
    }

    /// None: one of the two has no tokens.
    fn score(&mut self, codes: &[u8], kernel: Kernel) -> Option<f32> {
        let Self { tokens, weights, width, block } = self;
        if codes.is_empty() || tokens.is_empty() {
            return None;
        }
        let mut best = vec![0u32; tokens.len()];
        for some in codes.chunks(*width * BLOCK) {
            let n = some.len() / *width;
            for (slot, code) in some.chunks_exact(*width).enumerate() {
                for (row, byte) in code.iter().enumerate() {
                    block[row * BLOCK + slot] = *byte;
                }
            }
            for (best, token) in best.iter_mut().zip(tokens.iter()) {
                let sums = kernel.sums(&token.entries, block);
                // Slots behind the last token hold what was there before.
                *best = sums[..n].iter().fold(*best, |best, sum| best.max(*sum));
            }
        }
        let met = best.iter().zip(tokens.iter());
        let sum: f32 = met.map(|(best, token)| token.weight * (token.step * *best as f32 + token.bias)).sum();
        Some(sum / *weights)
    }
}

impl Table {
    fn new(QueryToken { vector, weight }: &QueryToken, mean: &[f32]) -> Self {
        let mut rest: Vec<f32> = vector.iter().zip(mean).map(|(x, mean)| x - mean).collect();
        // A token that is the mean itself is like every other: its cosine is 0.
        rest = if length(&rest) > 1e-6 { unit(&rest) } else { vec![0.0; rest.len()] };
        // A code stands for ±1/√dimension in every place, which makes it one long.
        let scale = (mean.len() as f32).sqrt().recip();
        rest.iter_mut().for_each(|x| *x *= scale);
        rest.resize(bytes_of(mean.len()) * 8, 0.0);
        let (halves, _) = rest.as_chunks::<4>();
        let reach = |half: &[f32; 4]| half.iter().map(|x| x.abs()).sum::<f32>();
        let step = halves.iter().map(reach).fold(f32::MIN_POSITIVE, f32::max) * 2.0 / TABLE_MAX;
        let mut entries = Vec::with_capacity(halves.len() * 16);
        let mut bias = 0f32;
        for half in halves {
            let lowest = -reach(half);
            bias += lowest;
            for bits in 0..16usize {
                let signed =
                    half.iter().enumerate().map(|(bit, x)| if bits >> bit & 1 == 1 { *x } else { -x });
                // Rounds to nearest; the range was chosen so that it fits.
                entries.push(((signed.sum::<f32>() - lowest) / step + 0.5) as u8);
            }
        }
        Self { entries, step, bias, weight: *weight }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::dot::dot;
    use super::super::sample;
    use super::super::tokens::code;
    use super::*;

    /// The same in floats, as plainly as possible.
    fn naive(query: &[QueryToken], mean: &[f32], tokens: &[Vec<f32>]) -> f32 {
        let centred = |vector: &[f32]| vector.iter().zip(mean).map(|(x, m)| x - m).collect::<Vec<f32>>();
        let best = |token: &QueryToken| {
            let asked = unit(&centred(&token.vector));
            let cosine = |token: &Vec<f32>| {
                let signs: Vec<f32> =
                    centred(token).iter().map(|x| if *x >= 0.0 { 1.0 } else { -1.0 }).collect();
                dot(&asked, &unit(&signs))
            };
            tokens.iter().map(cosine).fold(f32::MIN, f32::max)
        };
        let weights: f32 = query.iter().map(|token| token.weight).sum();
        query.iter().map(|token| token.weight * best(token)).sum::<f32>() / weights
    }

    fn query(n: usize, dimension: usize, seed: u64) -> Vec<QueryToken> {
        let vectors = sample::off_centre(n, dimension, seed);
        let weighted = vectors.into_iter().enumerate();
        weighted.map(|(at, vector)| QueryToken { vector, weight: 1.0 + (at % 3) as f32 }).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn it_is_what_floats_give(
            n_query in 1usize..20,
            n_tokens in 1usize..100,
            dimension in prop_oneof![Just(9usize), Just(64), Just(384), Just(770)],
            seed in any::<u64>(),
        ) {
            let query = query(n_query, dimension, seed);
            let tokens = sample::off_centre(n_tokens, dimension, seed ^ 1);
            let mean = sample::off_centre(1, dimension, 7).remove(0);
            let codes = code(&tokens.concat(), &mean);
            let mut asked = Asked::new(&query, &mean);
            let found = asked.score(&codes, Kernel::best()).unwrap();
            let expected = naive(&query, &mean, &tokens);
            prop_assert!((found - expected).abs() < 0.01, "{} instead of {}", found, expected);
            prop_assert_eq!(asked.score(&codes, Kernel::Portable), Some(found), "every kernel gives the same");
        }
    }

    #[test]
    fn nothing_meets_nothing() {
        let mean = vec![0.1; 16];
        let one = query(1, 16, 1);
        assert_eq!(Asked::new(&one, &mean).score(&[], Kernel::best()), None);
        assert_eq!(Asked::new(&[], &mean).score(&[1, 2], Kernel::best()), None);
        let same = QueryToken { vector: mean.clone(), weight: 1.0 };
        let score = Asked::new(&[same], &mean).score(&[1, 2], Kernel::best()).unwrap();
        assert!(score.abs() < 1e-6, "{score}");
    }
}
