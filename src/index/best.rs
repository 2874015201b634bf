//! The best `n` of many scored ids, without sorting the many.

use super::Neighbour;

/// Keeps the best `n` of what is offered. Ids that are worse than `n` others may be refused at once by comparing
/// with [`Best::bar`].
#[derive(Debug)]
pub(super) struct Best {
    n: usize,
    bar: f32,
    kept: Vec<Neighbour>,
}

impl Best {
    pub(super) fn of(n: usize) -> Self {
        Self { n, bar: f32::NEG_INFINITY, kept: Vec::with_capacity((n * 2).min(4096)) }
    }

    /// What scores no more than this is not among the best.
    pub(super) fn bar(&self) -> f32 {
        self.bar
    }

    pub(super) fn offer(&mut self, id: u32, cosine: f32) {
        if cosine > self.bar && self.n > 0 {
            self.kept.push(Neighbour { id, cosine });
            // Twice as many are let in before the worse half is thrown out: each costs O(1) on average.
            if self.kept.len() >= self.n * 2 {
                self.cut();
            }
        }
    }

    /// The best, best first; of equals the smaller id.
    pub(super) fn into_sorted(mut self) -> Vec<Neighbour> {
        self.kept.sort_unstable_by(Neighbour::better);
        self.kept.truncate(self.n);
        self.kept
    }

    fn cut(&mut self) {
        let (_, worst, _) = self.kept.select_nth_unstable_by(self.n - 1, Neighbour::better);
        self.bar = worst.cosine;
        self.kept.truncate(self.n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_are_the_best(scores in prop::collection::vec(-50i8..50, 0..400), n in 0usize..40) {
            let mut best = Best::of(n);
            for (id, score) in (0u32..).zip(&scores) {
                best.offer(id, f32::from(*score));
            }
            let mut sorted = scores.clone();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            sorted.truncate(n);
            let found: Vec<i8> = best.into_sorted().iter().map(|found| scores[found.id as usize]).collect();
            prop_assert_eq!(found, sorted);
        }
    }
}
