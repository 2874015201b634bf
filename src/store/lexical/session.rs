//! How much a whole conversation speaks of what is asked; of a long one, the stretch around a message.

use super::score::{HeldWord, saturated};
use crate::store::address::{MEMORIES, conversation_of, key, seq_of};

/// Half of a stretch, in messages: stretches overlap by half, so that none is cut from what it belongs to.
pub(crate) const HALF: i64 = 32;
/// How soon more of the same word adds nothing.
pub(crate) const SESSION_K: f64 = 1.2;

/// Adds up the words of stretches. Texts come in the order of their keys.
pub(super) struct Sessions<'a> {
    weights: &'a [f64],
    /// The last two halves: key, and how often they hold each word.
    before: Option<i64>,
    before_counts: Vec<f64>,
    now: Option<i64>,
    now_counts: Vec<f64>,
    stretches: Vec<(i64, f64)>,
}

/// The scores of stretches, each under the key of its first half.
pub(super) struct Stretches(Vec<(i64, f64)>);

/// The number of the half that a text is in, among all halves. A memory is all there is of its conversation.
fn half(text: i64) -> i64 {
    match conversation_of(text) {
        MEMORIES => 2 * seq_of(text) - 2 * key(1, 0),
        conversation => key(conversation, (seq_of(text) - 1).max(0) / HALF),
    }
}

impl<'a> Sessions<'a> {
    pub(super) fn new(weights: &'a [f64]) -> Self {
        let counts = vec![0.0; weights.len()];
        Self {
            weights,
            before: None,
            before_counts: counts.clone(),
            now: None,
            now_counts: counts,
            stretches: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, key: i64, words: &[HeldWord]) {
        let half = half(key);
        if self.now != Some(half) {
            self.end_half();
            self.now = Some(half);
        }
        for held in words {
            self.now_counts[held.word] += held.count();
        }
    }

    pub(super) fn finish(mut self) -> Stretches {
        self.end_half();
        self.end_half();
        Stretches(self.stretches)
    }

    /// The half that was filled moves back; with the one before it, it is a stretch.
    fn end_half(&mut self) {
        let score = |counts: &mut dyn Iterator<Item = f64>| -> f64 {
            counts.zip(self.weights).map(|(count, weight)| weight * saturated(count, SESSION_K)).sum()
        };
        let follows = matches!((self.before, self.now), (Some(before), Some(now)) if before + 1 == now);
        if let Some(before) = self.before {
            let now = self.now_counts.iter().map(|count| if follows { *count } else { 0.0 });
            let sum = score(&mut self.before_counts.iter().zip(now).map(|(a, b)| a + b));
            self.stretches.push((before, sum));
        }
        if let Some(now) = self.now.filter(|_| !follows) {
            self.stretches.push((now - 1, score(&mut self.now_counts.iter().copied())));
        }
        self.before = self.now.take();
        std::mem::swap(&mut self.before_counts, &mut self.now_counts);
        self.now_counts.fill(0.0);
    }
}

impl Stretches {
    /// Reads them in the order of texts.
    pub(super) fn reader(&self) -> StretchReader<'_> {
        StretchReader { stretches: &self.0, at: 0 }
    }
}

pub(super) struct StretchReader<'a> {
    stretches: &'a [(i64, f64)],
    at: usize,
}

impl StretchReader<'_> {
    /// The score of the better of the two stretches that a text is in; keys must not fall from call to call.
    pub(super) fn of(&mut self, key: i64) -> f64 {
        let half = half(key);
        while self.stretches.get(self.at).is_some_and(|stretch| stretch.0 < half - 1) {
            self.at += 1;
        }
        let around = self.stretches[self.at..].iter().take_while(|stretch| stretch.0 <= half);
        around.map(|stretch| stretch.1).fold(0.0, f64::max)
    }
}
