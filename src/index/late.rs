//! Late interaction: how well each token of a query is met by some token of a text.
//!
//! One vector for a whole text loses the single word that matters. Here every token of the query looks for the token
//! of the text that is most like it, and what they find is averaged by weight. The query's tokens are numbers, the
//! text's are codes, so that a cosine is a sum of looked-up parts: the loop that scores the vectors' codes does it.

use super::dot::{length, unit};
use super::fresh::check_vector;
use super::levels::{self, Table, n_large, rows};
use super::scan::{BLOCK, Kernel};
use super::{Index, QueryToken};
use crate::error::{Error, Result};

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
    /// Their directions beyond the mean, and their weights.
    tokens: Vec<(Table, f32)>,
    weights: f32,
    dimension: usize,
    /// 32 codes, byte by byte, as the kernel wants them.
    block: Vec<u8>,
}

impl Asked {
    fn new(query: &[QueryToken], mean: &[f32]) -> Self {
        let tokens: Vec<(Table, f32)> = query
            .iter()
            .filter(|token| token.weight > 0.0)
            .map(|token| (Table::of(beyond(&token.vector, mean)), token.weight))
            .collect();
        let weights = tokens.iter().map(|(_, weight)| weight).sum();
        Self { tokens, weights, dimension: mean.len(), block: vec![0; rows(mean.len()) * BLOCK] }
    }

    /// None: one of the two has no tokens.
    fn score(&mut self, codes: &[u8], kernel: Kernel) -> Option<f32> {
        let Self { tokens, weights, dimension, block } = self;
        if codes.is_empty() || tokens.is_empty() {
            return None;
        }
        let width = rows(*dimension);
        let mut best = vec![f32::MIN; tokens.len()];
        for some in codes.chunks(width * BLOCK) {
            // what a product with a code is divided by to become a cosine
            let mut lengths = [0f32; BLOCK];
            let n = some.len() / width;
            for (slot, code) in some.chunks_exact(width).enumerate() {
                lengths[slot] = levels::length(n_large(code), *dimension);
                for (row, byte) in code.iter().enumerate() {
                    block[row * BLOCK + slot] = *byte;
                }
            }
            for (best, (token, _)) in best.iter_mut().zip(tokens.iter()) {
                let sums = kernel.sums(&token.entries, block);
                // slots behind the last token hold what was there before
                let cosines =
                    sums[..n].iter().zip(&lengths).map(|(sum, length)| token.product(*sum) / length);
                *best = cosines.fold(*best, f32::max);
            }
        }
        let sum: f32 = best.iter().zip(tokens.iter()).map(|(best, (_, weight))| weight * best).sum();
        Some(sum / *weights)
    }
}

/// The direction of a token beyond what all share. One that is the mean itself is like every other: it has none.
fn beyond(vector: &[f32], mean: &[f32]) -> Vec<f32> {
    let rest: Vec<f32> = vector.iter().zip(mean).map(|(x, mean)| x - mean).collect();
    if length(&rest) > 1e-6 { unit(&rest) } else { vec![0.0; rest.len()] }
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
                let rounded = levels::values(&code(token, mean), mean.len());
                dot(&asked, &unit(&rounded))
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
            // the entries of a query's table are bytes: the fewer numbers share it, the more one rounding counts
            let tolerance = 0.1 / (dimension as f32).sqrt();
            prop_assert!((found - expected).abs() < tolerance, "{} instead of {}", found, expected);
            prop_assert_eq!(asked.score(&codes, Kernel::Portable), Some(found), "every kernel gives the same");
        }
    }

    #[test]
    fn nothing_meets_nothing() {
        let mean = vec![0.1; 16];
        let one = query(1, 16, 1);
        assert_eq!(Asked::new(&one, &mean).score(&[], Kernel::best()), None);
        assert_eq!(Asked::new(&[], &mean).score(&[1; 4], Kernel::best()), None);
        let same = QueryToken { vector: mean.clone(), weight: 1.0 };
        let score = Asked::new(&[same], &mean).score(&[1; 4], Kernel::best()).unwrap();
        assert!(score.abs() < 1e-6, "{score}");
    }
}
