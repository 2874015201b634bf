//! Puts the lists of the lexical and the semantic search together into one, by weighted sums of normalised scores.
//!
//! Sums of scores were measured better than fusion by rank on every set tried, most of all at the first place.

use std::collections::HashMap;
use std::hash::Hash;

/// How much each leg counts. Equal weights won on chats and on Portuguese passages alike.
pub const LEXICAL_WEIGHT: f64 = 0.5;
/// See [`LEXICAL_WEIGHT`].
pub const SEMANTIC_WEIGHT: f64 = 0.5;

/// One leg's list: its name, its weight, how its scores become comparable, its hits (best first).
pub struct Ranked<'a, K> {
    /// "lexical" or "semantic".
    pub name: &'static str,
    /// What its normalised score is multiplied with.
    pub weight: f64,
    /// How its scores become numbers from 0 to 1.
    pub scale: Scale,
    /// Its hits, best first, with their own scores.
    pub hits: &'a [(K, f64)],
}

/// How a leg's scores become numbers from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub enum Scale {
    /// Divided by the best: for scores that begin at 0, as BM25 does.
    FromZero,
    /// Stretched between the worst and the best of the list: for cosines, which lie in a narrow band.
    WithinList,
}

/// A key with its sum and what each leg had to say, in the order of the legs.
#[derive(Debug, Clone, PartialEq)]
pub struct Fused<K> {
    /// What was found.
    pub key: K,
    /// The weighted sum.
    pub score: f64,
    /// For each leg: rank from 1, own score, contribution; none where the leg did not find it.
    pub legs: Vec<Option<(u32, f64, f64)>>,
}

/// The union of the lists, best first. Equal sums keep the order in which the legs found them.
pub fn fuse<K: Eq + Hash + Copy>(legs: &[Ranked<'_, K>]) -> Vec<Fused<K>> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut fused: Vec<Fused<K>> = Vec::new();
    for (number, leg) in legs.iter().enumerate() {
        let scale = Normaliser::new(leg);
        for (rank, (key, own)) in leg.hits.iter().enumerate() {
            let place = *places.entry(*key).or_insert_with(|| {
                fused.push(Fused { key: *key, score: 0.0, legs: vec![None; legs.len()] });
                fused.len() - 1
            });
            if fused[place].legs[number].is_some() {
                continue; // a list names a key once; the first is the better
            }
            let contribution = leg.weight * scale.apply(*own);
            fused[place].legs[number] = Some((rank as u32 + 1, *own, contribution));
            fused[place].score += contribution;
        }
    }
    fused.sort_by(|a, b| b.score.total_cmp(&a.score));
    fused
}

struct Normaliser {
    low: f64,
    high: f64,
}

impl Normaliser {
    fn new<K>(leg: &Ranked<'_, K>) -> Self {
        let scores = || leg.hits.iter().map(|(_, score)| *score).filter(|score| score.is_finite());
        let high = scores().fold(f64::NEG_INFINITY, f64::max);
        let low = match leg.scale {
            Scale::FromZero => 0.0,
            Scale::WithinList => scores().fold(f64::INFINITY, f64::min),
        };
        Self { low, high }
    }

    fn apply(&self, score: f64) -> f64 {
        let range = self.high - self.low;
        // a list of one, or of equals: all are the best
        if range <= f64::EPSILON {
            return 1.0;
        }
        ((score - self.low) / range).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn two<'a>(lexical: &'a [(u8, f64)], semantic: &'a [(u8, f64)]) -> Vec<Fused<u8>> {
        fuse(&[
            Ranked { name: "lexical", weight: 0.5, scale: Scale::FromZero, hits: lexical },
            Ranked { name: "semantic", weight: 0.5, scale: Scale::WithinList, hits: semantic },
        ])
    }

    fn order(fused: &[Fused<u8>]) -> Vec<u8> {
        fused.iter().map(|hit| hit.key).collect()
    }

    #[test]
    fn what_both_legs_find_comes_first() {
        let fused = two(&[(1, 9.0), (2, 8.0)], &[(3, 0.9), (2, 0.89), (4, 0.7)]);
        assert_eq!(order(&fused), [2, 1, 3, 4]);
    }

    #[test]
    fn one_leg_alone_keeps_its_order() {
        assert_eq!(order(&two(&[(1, 3.0), (2, 2.0), (3, 1.0)], &[])), [1, 2, 3]);
        assert_eq!(order(&two(&[], &[(5, 0.8), (4, 0.7)])), [5, 4]);
    }

    proptest! {
        #[test]
        fn every_key_comes_once_and_scores_fall(
            lexical in prop::collection::vec((0u8..20, -5.0..50.0f64), 0..30),
            semantic in prop::collection::vec((0u8..20, -1.0..1.0f64), 0..30),
        ) {
            let fused = two(&lexical, &semantic);
            let keys: std::collections::HashSet<_> = order(&fused).into_iter().collect();
            prop_assert_eq!(keys.len(), fused.len());
            prop_assert!(fused.windows(2).all(|pair| pair[0].score >= pair[1].score));
            prop_assert!(fused.iter().all(|hit| (0.0..=1.0 + 1e-9).contains(&hit.score)));
        }
    }
}
