//! Words that stand together in the question and in a text.

use std::collections::HashMap;

use super::score::{Entry, Found, HeldWord, NO_PLACE, Scored, Word, rarity, saturated};

/// How far apart, in stems, the second word of a pair stands behind the first: beside it, or with one between.
pub(crate) const REACH: u32 = 2;
/// How soon more of the same pair adds nothing.
pub(crate) const PAIR_K: f64 = 1.0;

/// Counts pairs of the question's words in texts.
pub(super) struct Pairs {
    /// The pairs: first and second word.
    asked: Vec<(usize, usize)>,
    /// (text, pair, how often).
    found: Vec<(usize, usize, f64)>,
    /// Where each word's entries of the current text are.
    slots: Vec<Option<usize>>,
}

/// The different pairs of neighbours, and of words with one between, in a question.
pub(crate) fn asked(sequence: &[usize]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let mut seen = HashMap::new();
    for distance in 1..=REACH as usize {
        for (first, second) in sequence.iter().zip(sequence.iter().skip(distance)) {
            if first != second && seen.insert((*first, *second), ()).is_none() {
                pairs.push((*first, *second));
            }
        }
    }
    pairs
}

impl Pairs {
    pub(super) fn new(sequence: &[usize], n_words: usize) -> Self {
        Self { asked: asked(sequence), found: Vec::new(), slots: vec![None; n_words] }
    }

    pub(super) fn add(&mut self, text: usize, entries: &[Entry], words: &[HeldWord]) {
        if words.len() < 2 {
            return;
        }
        for (slot, held) in words.iter().enumerate() {
            self.slots[held.word] = Some(slot);
        }
        for (number, (first, second)) in self.asked.iter().enumerate() {
            if let (Some(first), Some(second)) = (self.slots[*first], self.slots[*second]) {
                let places = |slot: usize| places(&entries[words[slot].entries.clone()]);
                let n = together(places(first), places(second));
                if n > 0 {
                    self.found.push((text, number, n as f64));
                }
            }
        }
        for held in words {
            self.slots[held.word] = None;
        }
    }

    /// Adds to each text what its pairs tell: a pair that few texts hold tells more.
    pub(super) fn fill(self, texts: &mut [Scored], n_texts: f64, words: &[Word]) {
        let mut holding = vec![0.0; self.asked.len()];
        for (_, number, _) in &self.found {
            holding[*number] += 1.0;
        }
        for (text, number, n) in self.found {
            let (first, second) = self.asked[number];
            let weight = words[first].weight * words[second].weight * rarity(n_texts, holding[number]);
            texts[text].pairs += weight * saturated(n, PAIR_K);
        }
    }
}

fn places(entries: &[Entry]) -> impl Iterator<Item = u32> + Clone {
    entries
        .iter()
        .filter(|entry| entry.found != Found::Surface && entry.place != NO_PLACE)
        .map(|entry| entry.place)
}

/// How often a place of the second list lies at most [`REACH`] behind one of the first; both are sorted.
fn together(first: impl Iterator<Item = u32>, second: impl Iterator<Item = u32> + Clone) -> usize {
    let mut n = 0;
    let mut second = second.peekable();
    for place in first {
        while second.next_if(|other| *other <= place).is_some() {}
        n += second.clone().take_while(|other| *other <= place + REACH).count();
    }
    n
}
