//! The scores of texts, from nothing but the places where the words of a question stand.

use super::near;
use super::pairs::Pairs;
use super::session::Sessions;
use crate::store::address::{MEMORIES, conversation_of, key_of, length_of};

/// How soon more of the same word adds nothing, and how much a long text counts less; BM25's k1 and b.
pub(crate) const K1: f64 = 1.0;
pub(crate) const B: f64 = 0.6;
/// A text of more stems is scored by its best block: what is asked stands in one place of it.
pub(crate) const BLOCK: u32 = 100;
/// Blocks begin this many stems apart, so that every place is in the middle of one.
pub(crate) const STEP: u32 = 50;
/// The place of a word of which only the text is known.
pub(super) const NO_PLACE: u32 = u32::MAX;
/// The average length, in stems, that lengths are compared with: within these.
const AVERAGES: (f64, f64) = (4.0, BLOCK as f64);

/// A word found in a text, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// The text.
    pub(super) address: i64,
    /// Which word of the question.
    pub(super) word: u16,
    /// Where, in stems from the beginning of the text, or [`NO_PLACE`].
    pub(super) place: u32,
    /// What was found there.
    pub(super) found: Found,
}

/// What of a word was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    /// Some form of it.
    Stem,
    /// The form that was asked for, which is its own stem.
    Both,
    /// The form that was asked for; its stem is another entry.
    Surface,
}

/// What is known beside the entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Corpus {
    /// Messages and memories.
    pub(super) n_texts: f64,
    /// Their average length in stems.
    pub(super) average: f64,
}

/// A word of the question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    /// How much the caller cares for it.
    pub(super) weight: f64,
    /// How many texts hold it; none: the entries tell.
    pub(super) holding: Option<usize>,
}

/// A text with its scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    pub(super) key: i64,
    pub(super) turn: f64,
    pub(super) near: f64,
    pub(super) session: f64,
    pub(super) pairs: f64,
    pub(super) surface: f64,
    /// The number of the best block of a long text.
    pub(super) block: Option<u32>,
}

/// Scores every text that holds a word, and its neighbours. `entries` are sorted; `sequence` is the question as
/// places in `words`; texts for which `admits` is false count for how rare a word is, and for nothing else.
pub(super) fn score(
    corpus: Corpus,
    words: &[Word],
    sequence: &[usize],
    entries: &[Entry],
    admits: impl Fn(i64) -> bool,
) -> Vec<Scored> {
    let weights = Weights::of(corpus, words, entries);
    let average = corpus.average.clamp(AVERAGES.0, AVERAGES.1);
    let mut texts: Vec<Scored> = Vec::new();
    let mut sessions = Sessions::new(&weights.stem);
    let mut pairs = Pairs::new(sequence, words.len());
    let mut held = Held::default();
    for entries in entries.chunk_by(|a, b| a.address == b.address) {
        let key = key_of(entries[0].address);
        if !admits(conversation_of(key)) {
            continue;
        }
        held.read(entries);
        let length = length_of(entries[0].address);
        let norm = K1 * (1.0 - B + B * length.min(f64::from(BLOCK)) / average);
        let (turn, block) = if length > f64::from(BLOCK) {
            held.best_block(&weights.stem, norm)
        } else {
            (held.whole(&weights.stem, norm), None)
        };
        let surface = held.words.iter().map(|w| weights.surface[w.word] * saturated(w.surface, norm)).sum();
        sessions.add(key, &held.words);
        pairs.add(texts.len(), entries, &held.words);
        texts.push(Scored { key, turn, near: 0.0, session: 0.0, pairs: 0.0, surface, block });
    }
    pairs.fill(&mut texts, corpus.n_texts, words);
    let stretches = sessions.finish();
    let mut scored = near::spread(&texts);
    let mut reader = stretches.reader();
    for text in &mut scored {
        text.session = reader.of(text.key);
    }
    scored
}

/// How much words tell by how few texts hold them.
struct Weights {
    stem: Vec<f64>,
    surface: Vec<f64>,
}

impl Weights {
    fn of(corpus: Corpus, words: &[Word], entries: &[Entry]) -> Self {
        let mut stems = vec![(0usize, i64::MIN); words.len()];
        let mut surfaces = stems.clone();
        for entry in entries {
            let word = usize::from(entry.word);
            for (counts, counted) in
                [(&mut stems, entry.found != Found::Surface), (&mut surfaces, entry.found != Found::Stem)]
            {
                if counted && counts[word].1 != entry.address {
                    counts[word] = (counts[word].0 + 1, entry.address);
                }
            }
        }
        let of = |counts: &[(usize, i64)], known: bool| {
            let each = counts.iter().zip(words);
            each.map(|((counted, _), word)| {
                let holding = word.holding.filter(|_| known).unwrap_or(*counted);
                word.weight * rarity(corpus.n_texts, holding as f64)
            })
            .collect()
        };
        Self { stem: of(&stems, true), surface: of(&surfaces, false) }
    }
}

/// How much a word tells that `holding` of `all` texts hold: never less than nothing.
pub(crate) fn rarity(all: f64, holding: f64) -> f64 {
    (1.0 + (all - holding + 0.5) / (holding + 0.5)).max(1.0).ln()
}

/// More of the same word adds less and less.
pub(crate) fn saturated(count: f64, norm: f64) -> f64 {
    count / (count + norm)
}

/// The words that one text holds.
#[derive(Default)]
struct Held {
    words: Vec<HeldWord>,
    /// (block, word) of every place, for long texts.
    places: Vec<(u32, u16)>,
    in_blocks: Vec<(u32, u16)>,
}

/// One word in one text.
pub(super) struct HeldWord {
    pub(super) word: usize,
    /// Its entries among those of the text.
    pub(super) entries: std::ops::Range<usize>,
    /// How often it stands in a known place.
    placed: f64,
    /// How often it stands beside, as the stem of another language or a word in a word.
    beside: f64,
    /// How often in the form that was asked for.
    surface: f64,
}

impl HeldWord {
    /// How often the text holds it. Where the language is not known, the same word may be counted on both sides.
    pub(super) fn count(&self) -> f64 {
        self.placed.max(self.beside)
    }
}

impl Held {
    fn read(&mut self, entries: &[Entry]) {
        self.words.clear();
        self.places.clear();
        let mut start = 0;
        for of_word in entries.chunk_by(|a, b| a.word == b.word) {
            let word = usize::from(of_word[0].word);
            let range = start..start + of_word.len();
            start = range.end;
            let mut held = HeldWord { word, entries: range, placed: 0.0, beside: 0.0, surface: 0.0 };
            for entry in of_word {
                match entry.found {
                    Found::Surface => (),
                    _ if entry.place == NO_PLACE => held.beside += 1.0,
                    _ => {
                        held.placed += 1.0;
                        self.places.push((entry.place, entry.word));
                    }
                }
                held.surface += f64::from(u8::from(entry.found != Found::Stem));
            }
            self.words.push(held);
        }
    }

    fn whole(&self, weights: &[f64], norm: f64) -> f64 {
        self.words.iter().map(|held| weights[held.word] * saturated(held.count(), norm)).sum()
    }

    /// The score of the best block and its number. What stands beside is in every block, once.
    fn best_block(&mut self, weights: &[f64], norm: f64) -> (f64, Option<u32>) {
        if self.places.is_empty() {
            return (self.whole(weights, norm), None);
        }
        self.in_blocks.clear();
        for (place, word) in &self.places {
            let last = place / STEP;
            self.in_blocks.push((last, *word));
            if last > 0 {
                self.in_blocks.push((last - 1, *word));
            }
        }
        self.in_blocks.sort_unstable();
        let beside = |word: usize| {
            let held = self.words.iter().find(|held| held.word == word);
            held.filter(|held| held.beside > 0.0).map_or(0.0, |_| weights[word] * saturated(1.0, norm))
        };
        let everywhere: f64 = self.words.iter().map(|held| beside(held.word)).sum();
        let mut best = (f64::MIN, None);
        for block in self.in_blocks.chunk_by(|a, b| a.0 == b.0) {
            let of_words = block.chunk_by(|a, b| a.1 == b.1).map(|places| {
                let word = usize::from(places[0].1);
                weights[word] * saturated(places.len() as f64, norm) - beside(word)
            });
            let score = everywhere + of_words.sum::<f64>();
            if score > best.0 {
                best = (score, Some(block[0].0));
            }
        }
        best
    }
}

/// Whether a conversation's texts have neighbours.
pub(super) fn has_neighbours(conversation: i64) -> bool {
    conversation != MEMORIES
}
