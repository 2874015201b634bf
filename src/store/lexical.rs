//! Finding messages and memories by their words.
//!
//! Full text scores every row that holds any of the words, a microsecond each, so a question with common words
//! would take seconds over a million messages. Hence words that tell nothing are left out, of the others the
//! rarest are taken up to a budget of rows, and a clock runs: what is too common to be ranked in time is answered
//! newest first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::filter::Restriction;
use super::terms::{Terms, fold, quoted};
use super::{Item, Store, newest, scoring};
use crate::api::search::SearchFilter;
use crate::error::{Kind, Result};

/// Words that are searched at most.
const MAX_TERMS: usize = 32;
/// Rows that all words of a query may be found in together.
const ROW_BUDGET: usize = 20_000;
/// How long ranking may take before it is given up for the newest rows.
const RANK_DEADLINE: Duration = Duration::from_millis(400);
/// How long looking through the newest rows may take; what was found by then is answered.
const NEWEST_DEADLINE: Duration = Duration::from_secs(2);

/// A search by words.
#[derive(Debug, Clone, PartialEq)]
pub struct LexicalQuery {
    /// Any text; nothing in it is an operator.
    pub text: String,
    /// What to search in.
    pub filter: SearchFilter,
    /// How many hits at most.
    pub limit: usize,
}

/// What a search by words found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LexicalResult {
    /// The best first; a larger score is better, and scores of messages and memories compare.
    pub hits: Vec<(Item, f64)>,
    /// The words and pieces that were searched.
    pub terms: Vec<String>,
    /// The words that were left out because they are too common to tell anything.
    pub pruned: Vec<String>,
}

impl Store {
    /// Searches by words, regardless of case and accents. Memories that have expired or were superseded are not
    /// found.
    pub async fn lexical(&self, query: LexicalQuery) -> Result<LexicalResult> {
        let LexicalQuery { text, filter, limit } = query;
        let terms = Terms::of(&text);
        let restriction = Restriction::of(&filter);
        let mut result = if terms.words.is_empty() {
            // nothing but words that tell nothing: better they than nothing
            let words = terms.stop_words.iter().take(MAX_TERMS).cloned().collect();
            self.newest(words, Vec::new(), &restriction, limit).await?
        } else {
            self.words(terms.words, terms.stop_words, &restriction, limit).await?
        };
        if !terms.pieces.is_empty() {
            let pieces = terms.pieces;
            result.terms.extend(pieces.iter().cloned());
            let found =
                self.read(NEWEST_DEADLINE, move |db| newest::with_pieces(db, &pieces, &restriction)).await?;
            result.hits = scoring::best(result.hits.into_iter().chain(found), limit);
        }
        Ok(result)
    }

    async fn words(
        &self,
        words: Vec<String>,
        mut pruned: Vec<String>,
        restriction: &Restriction,
        limit: usize,
    ) -> Result<LexicalResult> {
        let store = self.clone();
        let (asked, within) = (words.clone(), restriction.clone());
        let ranked = self
            .read(RANK_DEADLINE, move |db| {
                let chosen = choose(db, &store.0.frequencies, asked)?;
                if chosen.too_common {
                    return Ok((chosen, None));
                }
                let hits = scoring::ranked(db, &chosen.words, &within, limit)?;
                Ok((chosen, Some(hits)))
            })
            .await;
        match ranked {
            Ok((chosen, Some(hits))) => {
                let terms = chosen.only_words();
                pruned.extend(chosen.pruned);
                Ok(LexicalResult { hits, terms, pruned })
            }
            Ok((chosen, None)) => {
                let words = chosen.only_words();
                pruned.extend(chosen.pruned);
                self.newest(words, pruned, restriction, limit).await
            }
            Err(error) if error.kind() == Kind::Busy => {
                tracing::debug!(error = %error, "ranking took too long, answering the newest");
                self.newest(words, pruned, restriction, limit).await
            }
            Err(error) => Err(error),
        }
    }

    async fn newest(
        &self,
        words: Vec<String>,
        pruned: Vec<String>,
        restriction: &Restriction,
        limit: usize,
    ) -> Result<LexicalResult> {
        let (asked, within) = (words.clone(), restriction.clone());
        let hits =
            self.read(NEWEST_DEADLINE, move |db| newest::with_words(db, &asked, &within, limit)).await?;
        Ok(LexicalResult { hits, terms: words, pruned })
    }
}

/// What is searched of a query's words, and what is not.
struct Chosen {
    words: Vec<Weighed>,
    pruned: Vec<String>,
    /// Even the rarest is in more rows than the budget allows.
    too_common: bool,
}

/// A word, and about how many messages hold it.
pub(super) struct Weighed {
    pub(super) word: String,
    pub(super) rows: usize,
}

impl Chosen {
    fn only_words(&self) -> Vec<String> {
        self.words.iter().map(|weighed| weighed.word.clone()).collect()
    }
}

/// The rarest words whose rows together stay within the budget, one at least.
fn choose(db: &Connection, frequencies: &Frequencies, words: Vec<String>) -> Result<Chosen> {
    let mut weighed = Vec::with_capacity(words.len());
    for word in words {
        weighed.push(Weighed { rows: frequencies.of(db, &word)?, word });
    }
    weighed.sort_by_key(|weighed| weighed.rows);
    let too_common = weighed.first().is_some_and(|rarest| rarest.rows > ROW_BUDGET);
    let mut chosen = Chosen { words: Vec::new(), pruned: Vec::new(), too_common };
    let mut rows = 0;
    for weighed in weighed {
        rows += weighed.rows;
        if chosen.words.is_empty() || (chosen.words.len() < MAX_TERMS && rows <= ROW_BUDGET) {
            chosen.words.push(weighed);
        } else {
            chosen.pruned.push(weighed.word);
        }
    }
    Ok(chosen)
}

/// How many messages hold a word, remembered for a while: counting reads the word's whole list.
#[derive(Default)]
pub(super) struct Frequencies(Mutex<HashMap<String, (usize, Instant)>>);

/// How long a count is good. It only decides which words are worth their rows, so it may be a little wrong.
const COUNT_LIFETIME: Duration = Duration::from_secs(60);
/// Words that are remembered.
const COUNTS: usize = 4096;

impl Frequencies {
    /// Rows that hold the word; counting stops behind the budget.
    fn of(&self, db: &Connection, word: &str) -> Result<usize> {
        let key = fold(word);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some((rows, counted)) = known
            && counted.elapsed() < COUNT_LIFETIME
        {
            return Ok(rows);
        }
        let rows: i64 = db
            .prepare_cached(
                "SELECT count(*) FROM (SELECT 1 FROM message_fts WHERE message_fts MATCH ?1 LIMIT ?2)",
            )?
            .query_row((quoted(word), ROW_BUDGET as i64 + 1), |row| row.get(0))?;
        let rows = rows.unsigned_abs() as usize;
        // a rare word is counted quickly, and soon is no longer as rare
        if rows > 100 {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if counts.len() >= COUNTS {
                counts.clear();
            }
            counts.insert(key, (rows, Instant::now()));
        }
        Ok(rows)
    }
}
