//! Words that are too common to be read: only whether a text holds them is asked, of few texts.

use rusqlite::{Connection, ErrorCode, Rows, ToSql};

use super::postings::any_form;
use super::score::{Entry, Found, NO_PLACE};
use crate::error::Result;
use crate::store::address::{MEMORIES, range_of};
use crate::store::filter::{Condition, Restriction};
use crate::text::QuestionWord;

/// Newest texts that are looked at.
const NEWEST: i64 = 1_000;

/// Adds the texts of these conversations that hold the word.
pub(super) fn in_conversations(
    db: &Connection,
    number: usize,
    word: &QuestionWord,
    conversations: &[i64],
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let mut statement =
        db.prepare_cached("SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3")?;
    let query = any_form(word);
    for conversation in conversations.iter().chain([&MEMORIES]) {
        let range = range_of(*conversation);
        let found = statement.query_map((&query, range.start(), range.end()), |row| row.get(0))?;
        for address in found {
            entries.push(held(address?, number));
        }
    }
    Ok(())
}

fn held(address: i64, number: usize) -> Entry {
    Entry { address, word: number as u16, place: NO_PLACE, found: Found::Stem }
}

/// The newest messages and memories that hold all of the words, or else the first of them. Newest are those of the
/// conversations that began last.
pub(super) fn newest(
    db: &Connection,
    words: &[QuestionWord],
    common: &[usize],
    restriction: &Restriction,
) -> Result<Vec<Entry>> {
    let mut attempts = vec![common];
    if common.len() > 1 {
        attempts.push(&common[..1]);
    }
    for attempt in attempts {
        let query = attempt.iter().map(|number| any_form(&words[*number])).collect::<Vec<_>>().join(" AND ");
        let mut found = Vec::new();
        for (sql, condition) in [
            (newest_messages_sql as fn(&Condition) -> String, &restriction.messages),
            (newest_memories_sql, &restriction.memories),
        ] {
            if let Some(condition) = condition {
                matching(db, &sql(condition), &query, condition, &mut found)?;
            }
        }
        if !found.is_empty() {
            let entries =
                found.iter().flat_map(|address| attempt.iter().map(|number| held(*address, *number)));
            return Ok(entries.collect());
        }
    }
    Ok(Vec::new())
}

pub(crate) fn newest_messages_sql(condition: &Condition) -> String {
    let joins = if condition.is_empty() {
        ""
    } else {
        "CROSS JOIN message m ON m.conversation_id = (words.rowid >> 29) AND m.seq = ((words.rowid >> 5) & 16777215)
         CROSS JOIN conversation c ON c.id = m.conversation_id"
    };
    format!(
        "SELECT words.rowid FROM words {joins} WHERE words MATCH ? AND words.rowid > {}{}
         ORDER BY words.rowid DESC LIMIT {NEWEST}",
        range_of(MEMORIES).end(),
        condition.and_more()
    )
}

pub(crate) fn newest_memories_sql(condition: &Condition) -> String {
    format!(
        "SELECT words.rowid FROM words CROSS JOIN memory m ON m.id = (words.rowid >> 5)
         WHERE words MATCH ? AND words.rowid <= {}{} ORDER BY words.rowid DESC LIMIT {NEWEST}",
        range_of(MEMORIES).end(),
        condition.and_more()
    )
}

fn matching(
    db: &Connection,
    sql: &str,
    query: &str,
    condition: &Condition,
    found: &mut Vec<i64>,
) -> Result<()> {
    let mut statement = db.prepare_cached(sql)?;
    let params: Vec<&dyn ToSql> = std::iter::once(&query as _).chain(condition.values()).collect();
    until_interrupted(statement.query(&params[..])?, |row| {
        found.push(row.get(0)?);
        Ok(())
    })
}

/// Goes through rows. When the clock runs out, what was found by then is good.
fn until_interrupted(
    mut rows: Rows<'_>,
    mut each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<()>,
) -> Result<()> {
    loop {
        match rows.next() {
            Ok(Some(row)) => each(row)?,
            Ok(None) => return Ok(()),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
