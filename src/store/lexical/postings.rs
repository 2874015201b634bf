//! Reads from the full text where words stand, and how many texts hold them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Row, params};

use super::score::{Corpus, Entry, Found, NO_PLACE};
use crate::error::{Error, Kind, Result};
use crate::text::{QuestionWord, Term};

/// Texts that all words of a question may be found in together: of a store of so many texts one in ten, between
/// these bounds. Reading and scoring takes about a microsecond each.
pub(super) fn row_budget(n_texts: f64) -> usize {
    ((n_texts / 10.0) as usize).clamp(10_000, 50_000)
}

/// Where a term stands.
pub(crate) const PLACES: &str = "SELECT doc, col, offset FROM posting WHERE term = ?1";
/// Where the terms between two stand.
pub(crate) const PLACES_FROM: &str = "SELECT doc, col, offset FROM posting WHERE term >= ?1 AND term < ?2";

/// Adds every place of a word.
pub(super) fn read(
    db: &Connection,
    number: usize,
    word: &QuestionWord,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let with_surface = |term: &Term| if word.surfaces.contains(term) { Found::Both } else { Found::Stem };
    for term in &word.stems {
        read_term(db, number, term, with_surface(term), entries)?;
    }
    for term in word.surfaces.iter().filter(|term| !word.stems.contains(term)) {
        read_term(db, number, term, Found::Surface, entries)?;
    }
    Ok(())
}

fn read_term(
    db: &Connection,
    number: usize,
    term: &Term,
    found: Found,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let word = number as u16;
    let entry = |row: &Row<'_>| -> rusqlite::Result<Entry> {
        let is_placed = row.get_ref(1)?.as_bytes().is_ok_and(|column| column == b"stems");
        let place = if is_placed { row.get(2)? } else { NO_PLACE };
        Ok(Entry { address: row.get(0)?, word, place, found })
    };
    let mut statement;
    let rows = match term {
        Term::Whole(term) => {
            statement = db.prepare_cached(PLACES)?;
            statement.query_map([term], entry)?
        }
        Term::Beginning(beginning) => {
            statement = db.prepare_cached(PLACES_FROM)?;
            statement.query_map(params![beginning, format!("{beginning}{}", char::MAX)], entry)?
        }
    };
    for row in rows {
        entries.push(row?);
    }
    Ok(())
}

/// How many texts there are, and how long they are on average, as full text keeps it.
pub(super) fn corpus(db: &Connection) -> Result<Corpus> {
    // the first record: the number of rows, then of each column the sum of lengths, all as varints
    let totals: Vec<u8> =
        db.prepare_cached("SELECT block FROM words_data WHERE id = 1")?.query_row([], |row| row.get(0))?;
    let mut rest = totals.as_slice();
    let (n_texts, n_stems) = (varint(&mut rest), varint(&mut rest));
    match (n_texts, n_stems) {
        (None, _) if totals.is_empty() => Ok(Corpus { n_texts: 0.0, average: 0.0 }),
        (Some(n_texts), n_stems) => {
            let (n_texts, n_stems) = (n_texts as f64, n_stems.unwrap_or(0) as f64);
            Ok(Corpus { n_texts, average: n_stems / n_texts.max(1.0) })
        }
        _ => Err(Error::new(Kind::Corrupt, "the full text does not tell how much it holds")
            .hint("restore a backup, or export what can be read and import it into a new database")),
    }
}

/// SQLite's own form of numbers: seven bits a byte, the highest first; a ninth byte has eight.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for n in 1..=9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if n == 9 {
            return Some(value << 8 | u64::from(*byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(value)
}

/// The word as a query of full text: any of its stems, taken literally.
pub(crate) fn any_form(word: &QuestionWord) -> String {
    let terms = word.stems.iter().map(|term| match term {
        Term::Whole(term) => quoted(term),
        Term::Beginning(term) => quoted(term) + "*",
    });
    format!("({})", terms.collect::<Vec<_>>().join(" OR "))
}

/// The term as a string of the query language, which takes everything in it literally.
pub(crate) fn quoted(term: &str) -> String {
    format!("\"{}\"", term.replace('"', "\"\""))
}

/// How many texts hold a word, remembered for a while: counting reads the word's whole list.
#[derive(Default)]
pub(crate) struct Frequencies(Mutex<HashMap<String, (usize, Instant)>>);

/// How long a count is good. It only decides which words are worth their rows, so it may be a little wrong.
const COUNT_LIFETIME: Duration = Duration::from_secs(60);
/// How long a word stays too common: that takes long to change.
const COMMON_LIFETIME: Duration = Duration::from_secs(3600);
/// Words that are remembered.
const COUNTS: usize = 16_384;
/// A word in fewer texts is counted quickly, and soon is no longer as rare.
const RARE: usize = 100;

impl Frequencies {
    /// Texts that hold the word; counting stops behind the budget.
    pub(super) fn of(&self, db: &Connection, word: &QuestionWord, budget: usize) -> Result<usize> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&word.form).copied();
        if let Some((rows, counted)) = known {
            let lifetime = if rows > budget { COMMON_LIFETIME } else { COUNT_LIFETIME };
            if counted.elapsed() < lifetime {
                return Ok(rows);
            }
        }
        let rows: i64 = db
            .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ?1 LIMIT ?2)")?
            .query_row((any_form(word), budget as i64 + 1), |row| row.get(0))?;
        let rows = rows.unsigned_abs() as usize;
        if rows > RARE {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if counts.len() >= COUNTS {
                counts.clear();
            }
            counts.insert(word.form.clone(), (rows, Instant::now()));
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_sqlite_writes_them() {
        let check = |bytes: &[u8], expected: Option<u64>| assert_eq!(varint(&mut &bytes[..]), expected);
        check(&[5], Some(5));
        check(&[0x81, 0x00], Some(128));
        check(&[0xff; 9], Some(u64::MAX));
        check(&[0x81], None);
        check(&[], None);
    }
}
