//! What is said around a message speaks for it too: an answer often holds no word of its question.

use super::score::{Scored, has_neighbours};
use crate::store::address::{conversation_of, seq_of};

/// How much of its score a message gives to those before and behind it, by their distance. As good as scores of the
/// joined texts were, and it needs no index of them.
pub(crate) const SHARES: [(i64, f64); 5] = [(-2, 0.25), (-1, 0.5), (0, 1.0), (1, 0.5), (2, 0.25)];

/// The texts and the places around them, sorted by key as `texts` are, each with the sum of what it gets. Whether
/// there is a message in such a place is not known here.
pub(super) fn spread(texts: &[Scored]) -> Vec<Scored> {
    let mut spread: Vec<Scored> = Vec::with_capacity(texts.len() * 3);
    // one reader for each share goes through the texts; the next place is the least that any of them gives to
    let mut readers = SHARES.map(|(distance, share)| Reader { texts, at: 0, distance, share });
    for reader in &mut readers {
        reader.settle();
    }
    while let Some(key) = readers.iter().filter_map(Reader::key).min() {
        let mut sum =
            Scored { key, turn: 0.0, near: 0.0, session: 0.0, pairs: 0.0, surface: 0.0, block: None };
        for reader in &mut readers {
            if reader.key() == Some(key) {
                let text = &texts[reader.at];
                if reader.distance == 0 {
                    sum = Scored { near: sum.near, ..*text };
                }
                sum.near += reader.share * text.turn;
                reader.at += 1;
                reader.settle();
            }
        }
        spread.push(sum);
    }
    spread
}

struct Reader<'a> {
    texts: &'a [Scored],
    at: usize,
    distance: i64,
    share: f64,
}

impl Reader<'_> {
    /// The place that the next text gives to.
    fn key(&self) -> Option<i64> {
        self.texts.get(self.at).map(|text| text.key + self.distance)
    }

    /// Goes on to a text that has a place at this distance.
    fn settle(&mut self) {
        while let Some(text) = self.texts.get(self.at) {
            let place = seq_of(text.key) + self.distance;
            let in_conversation = place >= 0
                && conversation_of(text.key + self.distance) == conversation_of(text.key)
                && has_neighbours(conversation_of(text.key));
            if self.distance == 0 || in_conversation {
                return;
            }
            self.at += 1;
        }
    }
}
