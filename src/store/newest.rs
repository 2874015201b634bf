//! Searches that no ranking helps: words that are everywhere, and signs that full text does not know. The newest
//! rows that hold them are answered.

use rusqlite::{Connection, ErrorCode, Rows, ToSql};

use super::Item;
use super::filter::{self, Condition, Restriction};
use super::scoring::{best, weight};
use super::terms::all_of;
use crate::error::Result;

/// Newest rows in which signs are looked for.
const SCAN_ROWS: usize = 5_000;
/// Bytes of text in which signs are looked for.
const SCAN_BYTES: usize = 8 << 20;
/// The score of the newest hit of words that tell nothing: below that of any word that tells something.
const COMMON_SCORE: f64 = 1e-3;

/// The newest messages and memories that hold all the words, or else the first of them.
pub(super) fn with_words(
    db: &Connection,
    words: &[String],
    restriction: &Restriction,
    limit: usize,
) -> Result<Vec<(Item, f64)>> {
    let mut attempts = vec![words];
    if words.len() > 1 {
        attempts.push(&words[..1]);
    }
    for words in attempts.into_iter().filter(|words| !words.is_empty()) {
        let query = all_of(words.iter().map(String::as_str));
        let mut hits = Vec::new();
        if let Some(condition) = &restriction.messages {
            hits.extend(matching(db, &messages_sql(condition), &query, condition, limit)?.map(Item::Message));
        }
        if let Some(condition) = &restriction.memories {
            hits.extend(matching(db, &memories_sql(condition), &query, condition, limit)?.map(Item::Memory));
        }
        if !hits.is_empty() {
            let n = hits.len() as f64;
            let score = |place: usize| COMMON_SCORE * (1.0 - place as f64 / n);
            return Ok(best(hits.into_iter().enumerate().map(|(place, item)| (item, score(place))), limit));
        }
    }
    Ok(Vec::new())
}

pub(super) fn messages_sql(condition: &Condition) -> String {
    let joins = if condition.is_empty() {
        ""
    } else {
        "CROSS JOIN message m ON m.id = message_fts.rowid CROSS JOIN conversation c ON c.id = m.conversation_id"
    };
    format!(
        "SELECT message_fts.rowid FROM message_fts {joins} WHERE message_fts MATCH ?{}
         ORDER BY message_fts.rowid DESC LIMIT ?",
        condition.and_more()
    )
}

fn memories_sql(condition: &Condition) -> String {
    format!(
        "SELECT memory_fts.rowid FROM memory_fts CROSS JOIN memory m ON m.id = memory_fts.rowid
         WHERE memory_fts MATCH ?{} ORDER BY memory_fts.rowid DESC LIMIT ?",
        condition.and_more()
    )
}

fn matching(
    db: &Connection,
    sql: &str,
    query: &str,
    condition: &Condition,
    limit: usize,
) -> Result<impl Iterator<Item = i64>> {
    let mut statement = db.prepare_cached(sql)?;
    let limit = limit as i64;
    let params: Vec<&dyn ToSql> =
        std::iter::once(&query as _).chain(condition.values()).chain([&limit as _]).collect();
    let mut ids = Vec::new();
    until_interrupted(statement.query(&params[..])?, |row| {
        ids.push(row.get(0)?);
        Ok(true)
    })?;
    Ok(ids.into_iter())
}

/// The newest rows that hold any of the pieces as they stand, scored by how rare each is among the rows looked at.
pub(super) fn with_pieces(
    db: &Connection,
    pieces: &[String],
    restriction: &Restriction,
) -> Result<Vec<(Item, f64)>> {
    let finders: Vec<_> = pieces.iter().map(|piece| memchr::memmem::Finder::new(piece.as_bytes())).collect();
    let mut holding = vec![0_usize; pieces.len()];
    let mut found: Vec<(Item, Vec<usize>)> = Vec::new();
    let mut n_rows = 0;
    let mut scan = |sql: &str, condition: &Condition, item: fn(i64) -> Item| -> Result<()> {
        let mut bytes = 0;
        let mut statement = db.prepare_cached(sql)?;
        until_interrupted(statement.query(condition.params())?, |row| {
            let text = row.get_ref(1)?.as_bytes()?;
            let held: Vec<usize> =
                (0..finders.len()).filter(|place| finders[*place].find(text).is_some()).collect();
            for place in &held {
                holding[*place] += 1;
            }
            if !held.is_empty() {
                found.push((item(row.get(0)?), held));
            }
            n_rows += 1;
            bytes += text.len();
            Ok(bytes < SCAN_BYTES)
        })
    };
    if let Some(condition) = &restriction.messages {
        let from = if condition.is_empty() { "message m" } else { filter::MESSAGES };
        let sql = format!(
            "SELECT m.id, m.content FROM {from}{} ORDER BY m.id DESC LIMIT {SCAN_ROWS}",
            condition.and_where()
        );
        scan(&sql, condition, Item::Message)?;
    }
    if let Some(condition) = &restriction.memories {
        let sql = format!(
            "SELECT m.id, m.content FROM memory m{} ORDER BY m.id DESC LIMIT {SCAN_ROWS}",
            condition.and_where()
        );
        scan(&sql, condition, Item::Memory)?;
    }
    let score = |held: Vec<usize>| {
        held.into_iter().map(|place| weight(n_rows as f64, holding[place] as f64)).sum::<f64>()
    };
    Ok(found.into_iter().map(|(item, held)| (item, score(held))).collect())
}

/// Goes through rows until `each` has enough. When the clock runs out, what was found by then is good.
fn until_interrupted(
    mut rows: Rows<'_>,
    mut each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<bool>,
) -> Result<()> {
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                if !each(row)? {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
