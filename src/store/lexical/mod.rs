//! Finding messages and memories by their words.
//!
//! The places of the question's words are read from the full text, the rarest word first, up to a budget of rows;
//! from them alone every text gets its scores (`score`): how well it fits itself, what its neighbours add, what its
//! conversation speaks of, which words stand together, which are in the very form that was asked for. Only for the
//! best of them the rows are looked up, which also tells whether the filter admits them. Words that are too common
//! to be read are intersected, or answered from the newest.

mod common;
mod hits;
mod near;
mod pairs;
mod postings;
mod score;
mod session;

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use rusqlite::Connection;
use unicode_segmentation::UnicodeSegmentation;

use super::filter::Restriction;
use super::{Item, Store, address};
use crate::api::search::SearchFilter;
use crate::error::{Kind, Result};
use crate::text::{Question, QuestionWord, fold};

/// What the scores are made with, for working them out in another way.
#[cfg(test)]
pub(super) mod constants {
    pub(crate) use super::near::SHARES;
    pub(crate) use super::pairs::PAIR_K;
    pub(crate) use super::score::{B, BLOCK, K1, STEP};
    pub(crate) use super::session::{HALF, SESSION_K};
}

#[cfg(test)]
pub(super) use common::{newest_memories_sql, newest_messages_sql};
#[cfg(test)]
pub(super) use hits::message_at;
#[cfg(test)]
pub(super) use postings::PLACES;
pub(super) use postings::{Frequencies, any_form, quoted};
use score::{Corpus, Entry, Word};

/// Words that are searched at most.
const MAX_TERMS: usize = 32;
/// How long reading and scoring may take before the rare words are given up for the newest rows.
const RANK_DEADLINE: Duration = Duration::from_millis(400);
/// How long looking through the newest rows may take; what was found by then is answered.
const NEWEST_DEADLINE: Duration = Duration::from_secs(2);
/// So many hits of those asked for are enough not to look for texts that hold common words only: one in so many.
const ENOUGH: usize = 8;
/// Conversations in which common words are looked for one conversation at a time.
const FEW_CONVERSATIONS: usize = 32;

/// A search by words.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LexicalQuery {
    /// Any text; nothing in it is an operator.
    pub text: String,
    /// How much single words count, by their folded form ([`crate::text::fold`]); a word that is not named counts 1,
    /// one that counts 0 is left out. Where nothing would be left, this is ignored.
    pub weights: HashMap<String, f64>,
    /// What orders the hits.
    pub legs: LegWeights,
    /// What to search in.
    pub filter: SearchFilter,
    /// How many hits at most.
    pub limit: usize,
}

/// How much the legs of a hit's score count beside `near`, which counts 1. Each is divided by its best first.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LegWeights {
    /// Of [`LexicalHit::session`].
    pub session: f64,
    /// Of [`LexicalHit::pairs`].
    pub pairs: f64,
    /// Of [`LexicalHit::surface`].
    pub surface: f64,
}

/// What a search by words found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LexicalResult {
    /// The best first.
    pub hits: Vec<LexicalHit>,
    /// The words that were searched, as they were asked.
    pub terms: Vec<String>,
    /// The words that were left out because they are too common to tell anything.
    pub pruned: Vec<String>,
}

/// A message or memory that holds words of the question, or stands beside one that does.
#[derive(Debug, Clone, PartialEq)]
pub struct LexicalHit {
    /// Which one.
    pub item: Item,
    /// All of the following together: what hits are ordered by. Comparable within one answer only.
    pub score: f64,
    /// BM25 of the text, or of the best part of a long one; 0 where it holds none of the words.
    pub turn: f64,
    /// The same with a share of those of its neighbours.
    pub near: f64,
    /// How much its conversation, or the stretch of it around this message, speaks of what is asked.
    pub session: f64,
    /// How much the words stand together as they do in the question.
    pub pairs: f64,
    /// BM25 of the words in just the form that was asked for.
    pub surface: f64,
    /// Of a long text the part that fits best, in stems ([`crate::text::block_range`] tells the bytes).
    pub block: Option<Range<u32>>,
}

impl Store {
    /// Searches by words, regardless of case, accents and endings. Memories that have expired or were superseded are
    /// not found.
    pub async fn lexical(&self, query: LexicalQuery) -> Result<LexicalResult> {
        let restriction = self.restriction(&query.filter);
        self.run(Search::new(query, restriction)).await
    }

    /// How much every word of a text tells: by its bytes, the more the fewer texts hold it; a word that tells nothing
    /// counts as little as one that all texts hold.
    pub async fn word_weights(&self, text: String) -> Result<Vec<(Range<usize>, f64)>> {
        let store = self.clone();
        self.read(RANK_DEADLINE, move |db| {
            let corpus = postings::corpus(db)?;
            let budget = postings::row_budget(corpus.n_texts);
            let question = Question::of(&text);
            let mut weights: HashMap<String, f64> = HashMap::new();
            for word in question.words.iter().take(MAX_TERMS) {
                let holding = store.0.frequencies.of(db, word, budget)?;
                weights.insert(word.form.clone(), score::rarity(corpus.n_texts, holding as f64));
            }
            Ok(text
                .unicode_word_indices()
                .map(|(start, word)| {
                    let weight = weights.get(&fold(word)).copied().unwrap_or(1.0);
                    (start..start + word.len(), weight.max(1.0))
                })
                .collect())
        })
        .await
    }

    /// As if no word were rare enough to be read.
    #[cfg(test)]
    pub(super) async fn lexical_of_common_words(&self, query: LexicalQuery) -> Result<LexicalResult> {
        let restriction = self.restriction(&query.filter);
        self.run(Search { budget: Some(0), ..Search::new(query, restriction) }).await
    }

    async fn run(&self, search: Search) -> Result<LexicalResult> {
        if search.words.is_empty() {
            return Ok(LexicalResult { pruned: search.left_out, ..LexicalResult::default() });
        }
        let (store, asked) = (self.clone(), search.clone());
        let ranked = self.read(RANK_DEADLINE, move |db| asked.rank(db, &store.0.frequencies)).await;
        let ranked = match ranked {
            Err(error) if error.kind() == Kind::Busy => {
                tracing::debug!(error = %error, "ranking took too long, answering the newest");
                Ranked { pruned: (0..search.words.len().min(MAX_TERMS)).collect(), ..Ranked::default() }
            }
            ranked => ranked?,
        };
        if ranked.pruned.is_empty() || ranked.complete || ranked.hits.len() * ENOUGH >= search.limit {
            return Ok(search.told(ranked));
        }
        let asked = search.clone();
        let more = self.read(NEWEST_DEADLINE, move |db| asked.add_newest(db, ranked)).await?;
        Ok(search.told(more))
    }
}

/// A question, ready to be searched.
#[derive(Clone)]
struct Search {
    words: Vec<QuestionWord>,
    weights: Vec<f64>,
    sequence: Vec<usize>,
    left_out: Vec<String>,
    legs: LegWeights,
    restriction: Restriction,
    limit: usize,
    /// Rows to read at most; none: as many as suit the store.
    budget: Option<usize>,
}

/// How far a search has come.
#[derive(Default)]
struct Ranked {
    hits: Vec<LexicalHit>,
    entries: Vec<Entry>,
    /// How many texts hold each word, at least; none: the entries tell.
    holding: Vec<Option<usize>>,
    searched: Vec<usize>,
    /// Words whose places were not read.
    pruned: Vec<usize>,
    /// Their places were read as far as the filter admits them.
    complete: bool,
}

impl Search {
    fn new(query: LexicalQuery, restriction: Restriction) -> Self {
        let LexicalQuery { text, weights, legs, filter: _, limit } = query;
        let Question { words, left_out, sequence } = Question::of(&text);
        let weigh =
            |word: &QuestionWord| weights.get(&word.form).copied().filter(|w| w.is_finite()).unwrap_or(1.0);
        let mut weights: Vec<f64> = words.iter().map(weigh).collect();
        if weights.iter().all(|weight| *weight <= 0.0) {
            weights.fill(1.0);
        }
        let kept: Vec<usize> = (0..words.len()).filter(|place| weights[*place] > 0.0).collect();
        let place = |old: usize| kept.iter().position(|kept| *kept == old);
        Self {
            sequence: sequence.into_iter().filter_map(place).collect(),
            words: kept.iter().map(|old| words[*old].clone()).collect(),
            weights: kept.iter().map(|old| weights[*old]).collect(),
            left_out,
            legs,
            restriction,
            limit,
            budget: None,
        }
    }

    fn rank(&self, db: &Connection, frequencies: &Frequencies) -> Result<Ranked> {
        let corpus = postings::corpus(db)?;
        let budget = self.budget.unwrap_or_else(|| postings::row_budget(corpus.n_texts));
        let mut counts = Vec::with_capacity(self.words.len());
        for (place, word) in self.words.iter().enumerate() {
            counts.push((frequencies.of(db, word, budget)?, place));
        }
        counts.sort_unstable();
        let mut ranked = Ranked { holding: vec![None; self.words.len()], ..Ranked::default() };
        let mut rows = 0;
        for (count, place) in counts {
            rows += count;
            if count <= budget
                && (rows <= budget || ranked.searched.is_empty())
                && ranked.searched.len() < MAX_TERMS
            {
                postings::read(db, place, &self.words[place], &mut ranked.entries)?;
                ranked.searched.push(place);
            } else {
                ranked.holding[place] = Some(count);
                ranked.pruned.push(place);
            }
        }
        let conversations = self.restriction.conversations(db)?;
        if let Some(few) = conversations.as_ref().filter(|all| all.len() <= FEW_CONVERSATIONS) {
            ranked.complete = true;
            for place in ranked.pruned.iter().take(MAX_TERMS) {
                common::in_conversations(db, *place, &self.words[*place], few, &mut ranked.entries)?;
            }
        }
        self.score(db, corpus, conversations.as_deref(), &mut ranked)?;
        Ok(ranked)
    }

    /// Adds the newest texts that hold all of the common words, or else the least common of them.
    fn add_newest(&self, db: &Connection, mut ranked: Ranked) -> Result<Ranked> {
        if ranked.holding.is_empty() {
            ranked.holding = vec![Some(postings::row_budget(0.0)); self.words.len()];
        }
        let common: Vec<usize> = ranked.pruned.iter().copied().take(MAX_TERMS).collect();
        let found = common::newest(db, &self.words, &common, &self.restriction)?;
        let known: std::collections::HashSet<(i64, u16)> =
            ranked.entries.iter().map(|entry| (entry.address, entry.word)).collect();
        ranked.entries.extend(found.into_iter().filter(|e| !known.contains(&(e.address, e.word))));
        let conversations = self.restriction.conversations(db)?;
        self.score(db, postings::corpus(db)?, conversations.as_deref(), &mut ranked)?;
        Ok(ranked)
    }

    fn score(
        &self,
        db: &Connection,
        corpus: Corpus,
        conversations: Option<&[i64]>,
        ranked: &mut Ranked,
    ) -> Result<()> {
        ranked.entries.sort();
        let words = self.weights.iter().zip(&ranked.holding);
        let words: Vec<Word> =
            words.map(|(weight, holding)| Word { weight: *weight, holding: *holding }).collect();
        let Restriction { messages, memories, .. } = &self.restriction;
        let admits = |conversation: i64| match conversation {
            address::MEMORIES => memories.is_some(),
            other => messages.is_some() && conversations.is_none_or(|all| all.binary_search(&other).is_ok()),
        };
        let scored = score::score(corpus, &words, &self.sequence, &ranked.entries, admits);
        ranked.hits = hits::best(db, &scored, self.legs, &self.restriction, self.limit)?;
        Ok(())
    }

    fn told(&self, ranked: Ranked) -> LexicalResult {
        let Ranked { hits, mut searched, pruned, complete, .. } = ranked;
        let mut left_out = self.left_out.clone();
        // words that stood alone were searched all the same, as far as they could be
        if complete || searched.is_empty() {
            searched.extend(&pruned);
        } else {
            left_out.extend(pruned.iter().map(|place| self.words[*place].text.clone()));
        }
        searched.sort_unstable();
        let terms = searched.into_iter().map(|place| self.words[place].text.clone()).collect();
        LexicalResult { hits, terms, pruned: left_out }
    }
}
