//! Scores of hits, such that those of messages and of memories compare.
//!
//! Full text weighs a word by how rare it is within one table. In a table of three rows that says nothing, and two
//! tables do not compare, so where it is cheap its weight is taken out again, word by word, and one over messages
//! and memories together is put in its place.

use std::cmp::Ordering;
use std::collections::HashMap;

use rusqlite::Connection;

use super::Item;
use super::filter::{Condition, Restriction};
use super::lexical::Weighed;
use super::rows::count;
use super::terms::{any_of, quoted};
use crate::error::Result;

/// Rows up to which messages are scored word by word; beyond, there are so many messages that full text's own
/// weights are right, and its own ranking is quicker.
const BY_WORD: usize = 2_000;
/// The least weight that full text gives a word.
const LEAST_WEIGHT: f64 = 1e-6;

/// The hits of any of `words`, best first.
pub(super) fn ranked(
    db: &Connection,
    words: &[Weighed],
    restriction: &Restriction,
    limit: usize,
) -> Result<Vec<(Item, f64)>> {
    let by_word = words.iter().map(|weighed| weighed.rows).sum::<usize>() <= BY_WORD;
    let (n_messages, n_memories) = totals(db)?;
    let mut messages: HashMap<i64, f64> = HashMap::new();
    let mut memories: HashMap<i64, f64> = HashMap::new();
    for Weighed { word, rows } in words {
        let in_memories = matches(db, MEMORY_WORD, word)?;
        let in_messages = if by_word { matches(db, MESSAGE_WORD, word)? } else { Vec::new() };
        let holding = in_memories.len() + if by_word { in_messages.len() } else { *rows };
        let weight = weight((n_messages + n_memories) as f64, holding as f64);
        add(&mut messages, &in_messages, n_messages, weight);
        add(&mut memories, &in_memories, n_memories, weight);
    }
    let mut hits = Vec::new();
    if let Some(condition) = &restriction.messages {
        if by_word {
            hits.extend(passing(db, messages, condition, MESSAGES_PASSING)?.map(message));
        } else {
            hits.extend(ranked_messages(db, words, condition, limit)?);
        }
    }
    if let Some(condition) = &restriction.memories {
        let memory = |(id, score)| (Item::Memory(id), score);
        hits.extend(passing(db, memories, condition, MEMORIES_PASSING)?.map(memory));
    }
    Ok(best(hits, limit))
}

fn message((id, score): (i64, f64)) -> (Item, f64) {
    (Item::Message(id), score)
}

/// The best hits; scores of the same item add up, and of equals the newer comes first.
pub(super) fn best(hits: impl IntoIterator<Item = (Item, f64)>, limit: usize) -> Vec<(Item, f64)> {
    let mut scores: HashMap<Item, f64> = HashMap::new();
    for (item, score) in hits {
        *scores.entry(item).or_default() += score;
    }
    let mut hits: Vec<_> = scores.into_iter().collect();
    let newer = |item: &Item| match item {
        Item::Message(id) | Item::Memory(id) => *id,
    };
    hits.sort_unstable_by(|a, b| {
        b.1.partial_cmp(&a.1)
            .unwrap_or(Ordering::Equal)
            .then_with(|| newer(&b.0).cmp(&newer(&a.0)))
            .then_with(|| a.0.cmp(&b.0))
    });
    hits.truncate(limit);
    hits
}

/// How much a word tells that `holding` of `all` rows hold: never less than nothing.
pub(super) fn weight(all: f64, holding: f64) -> f64 {
    (1.0 + (all - holding + 0.5) / (holding + 0.5)).max(1.0).ln()
}

const MESSAGE_WORD: &str = "SELECT rowid, bm25(message_fts) FROM message_fts WHERE message_fts MATCH ?1";
// bounded like the budget of a query among messages
const MEMORY_WORD: &str =
    "SELECT rowid, bm25(memory_fts) FROM memory_fts WHERE memory_fts MATCH ?1 LIMIT 20000";
const MESSAGES_PASSING: &str = "SELECT m.id FROM json_each(?) j CROSS JOIN message m ON m.id = j.value
   CROSS JOIN conversation c ON c.id = m.conversation_id";
const MEMORIES_PASSING: &str = "SELECT m.id FROM json_each(?) j CROSS JOIN memory m ON m.id = j.value";

fn totals(db: &Connection) -> Result<(u64, u64)> {
    let sql = "SELECT messages, memories FROM store WHERE id = 1";
    Ok(db.prepare_cached(sql)?.query_row([], |row| Ok((count(row, 0)?, count(row, 1)?)))?)
}

fn matches(db: &Connection, sql: &str, word: &str) -> Result<Vec<(i64, f64)>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([quoted(word)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Adds one word's scores with `weight` in the place of the weight that full text gave it in a table of `all` rows.
fn add(scores: &mut HashMap<i64, f64>, rows: &[(i64, f64)], all: u64, weight: f64) {
    let (all, holding) = (all as f64, rows.len() as f64);
    let native = ((all - holding + 0.5) / (holding + 0.5)).ln();
    let native = if native > 0.0 { native } else { LEAST_WEIGHT };
    for (id, score) in rows {
        *scores.entry(*id).or_default() += -score / native * weight;
    }
}

/// Those of the scored rows that fulfil the condition.
fn passing(
    db: &Connection,
    scores: HashMap<i64, f64>,
    condition: &Condition,
    select: &str,
) -> Result<impl Iterator<Item = (i64, f64)>> {
    let mut passing = Vec::new();
    if condition.is_empty() || scores.is_empty() {
        passing.extend(scores);
    } else {
        let ids: Vec<i64> = scores.keys().copied().collect();
        let ids = serde_json::Value::from(ids).to_string();
        let mut statement = db.prepare_cached(&format!("{select}{}", condition.and_where()))?;
        let params: Vec<&dyn rusqlite::ToSql> =
            std::iter::once(&ids as _).chain(condition.values()).collect();
        let mut found = statement.query(&params[..])?;
        while let Some(row) = found.next()? {
            let id = row.get(0)?;
            passing.extend(scores.get(&id).map(|score| (id, *score)));
        }
    }
    Ok(passing.into_iter())
}

/// Full text's own ranking. It must be the only sort key: with a second one, every hit is fetched and sorted.
fn ranked_messages(
    db: &Connection,
    words: &[Weighed],
    condition: &Condition,
    limit: usize,
) -> Result<Vec<(Item, f64)>> {
    let mut statement = db.prepare_cached(&ranked_sql(condition))?;
    let (query, limit) = (any_of(words.iter().map(|weighed| weighed.word.as_str())), limit as i64);
    let params: Vec<&dyn rusqlite::ToSql> =
        std::iter::once(&query as _).chain(condition.values()).chain([&limit as _]).collect();
    let hits = statement.query_map(&params[..], |row| Ok((row.get(0)?, -row.get::<_, f64>(1)?)))?;
    Ok(hits.map(|hit| hit.map(message)).collect::<rusqlite::Result<_>>()?)
}

pub(super) fn ranked_sql(condition: &Condition) -> String {
    let joins = if condition.is_empty() {
        ""
    } else {
        "CROSS JOIN message m ON m.id = message_fts.rowid CROSS JOIN conversation c ON c.id = m.conversation_id"
    };
    format!(
        "SELECT message_fts.rowid, message_fts.rank FROM message_fts {joins}
         WHERE message_fts MATCH ?{} ORDER BY message_fts.rank LIMIT ?",
        condition.and_more()
    )
}
