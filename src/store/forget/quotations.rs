//! Answers keep the passages that they were made from: those of what is forgotten go, wherever they are.

use rusqlite::{Connection, params};

use crate::api::forget::ForgetReceipt;
use crate::error::Result;
use crate::model::{EXTRACTIVE, MemoryId, Message, MessageId, Source};
use crate::store::fault;
use crate::store::rows::{to_json, uid};

/// Answers that one look passes.
const SCAN: i64 = 100;
/// Answers that a receipt names.
const NAMED: usize = 100;

/// Clears the quotations in some answers; false: there are no more answers.
pub(super) fn in_messages(
    db: &Connection,
    erasure: i64,
    after: &mut i64,
    receipt: &mut ForgetReceipt,
) -> Result<bool> {
    let answers: Vec<(i64, [u8; 16], String, Option<String>)> = db
        .prepare_cached(WITH_SOURCES)?
        .query_map([*after, SCAN], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let Some((last, ..)) = answers.last() else { return Ok(false) };
    *after = *last;
    for (number, id, sources, model) in answers {
        let mut sources: Vec<Source> = serde_json::from_str(&sources)
            .map_err(|error| fault::damaged("broken sources of an answer").caused_by(error))?;
        let cleared = clear(db, erasure, &mut sources)?;
        if cleared.is_empty() {
            continue;
        }
        receipt.removed.quotations += cleared.len() as u64;
        db.prepare_cached("UPDATE message SET sources = ?2 WHERE id = ?1")?
            .execute(params![number, to_json(Some(&sources))?])?;
        if model.as_deref() == Some(EXTRACTIVE) {
            let content: String = db
                .prepare_cached("SELECT content FROM message WHERE id = ?1")?
                .query_row([number], |row| row.get(0))?;
            db.prepare_cached("UPDATE message SET content = ?2 WHERE id = ?1")?
                .execute(params![number, without_quotes(&content, &cleared)])?;
        } else if receipt.answers_kept.len() < NAMED {
            receipt.answers_kept.push(MessageId::from_bytes(id));
        }
    }
    Ok(true)
}

pub(in crate::store) const WITH_SOURCES: &str =
    "SELECT id, uid, sources, model FROM message INDEXED BY message_with_sources
     WHERE sources IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2";

/// The same in the records of the trash.
pub(super) fn in_trash(db: &Connection, erasure: i64, receipt: &mut ForgetReceipt) -> Result<()> {
    let mut statement =
        db.prepare_cached("SELECT rowid, record FROM trash_record WHERE instr(record, '\"sources\":[') > 0")?;
    let records: Vec<(i64, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    for (row, text) in records {
        // a memory's or a conversation's own data may look like it
        let Ok(mut message) = serde_json::from_str::<Message>(&text) else { continue };
        let cleared = clear(db, erasure, &mut message.sources)?;
        if cleared.is_empty() {
            continue;
        }
        receipt.removed.quotations += cleared.len() as u64;
        if message.model.as_deref() == Some(EXTRACTIVE) {
            message.content = without_quotes(&message.content, &cleared);
        }
        db.prepare_cached("UPDATE trash_record SET record = ?2 WHERE rowid = ?1")?
            .execute(params![row, to_json(Some(&message))?])?;
    }
    Ok(())
}

/// Memories that were taken from what is gone stay, and no longer refer to it.
pub(super) fn references(db: &Connection, erasure: i64, receipt: &mut ForgetReceipt) -> Result<()> {
    let mut statement = db.prepare_cached(
        "UPDATE memory SET source_message = NULL
         WHERE source_message IN (SELECT uid FROM erased_item WHERE erasure_id = ?1) RETURNING uid",
    )?;
    let kept = statement.query_map([erasure], |row| Ok(MemoryId::from_bytes(row.get(0)?)))?;
    receipt.memories_kept.extend(kept.collect::<rusqlite::Result<Vec<_>>>()?);
    Ok(())
}

/// Takes text and title out of the sources that are gone; answers their numbers.
fn clear(db: &Connection, erasure: i64, sources: &mut [Source]) -> Result<Vec<u32>> {
    let mut is_erased = db.prepare_cached("SELECT 1 FROM erased_item WHERE erasure_id = ?1 AND uid = ?2")?;
    let mut cleared = Vec::new();
    for source in sources {
        let mut is_gone = is_erased.exists(params![erasure, uid(source.id.as_bytes())])?;
        if let Some(conversation) = &source.conversation_id {
            is_gone |= is_erased.exists(params![erasure, conversation.as_bytes()])?;
        }
        if is_gone && !(source.text.is_empty() && source.title.is_none()) {
            (source.text, source.title) = (String::new(), None);
            cleared.push(source.n);
        }
    }
    Ok(cleared)
}

/// An answer that only quotes has a line to each quotation, which ends in its number: `- “…” (…) [2]`.
fn without_quotes(content: &str, cleared: &[u32]) -> String {
    let is_quote = |line: &&str| {
        line.starts_with("- ") && cleared.iter().any(|n| line.trim_end().ends_with(&format!("[{n}]")))
    };
    content.lines().filter(|line| !is_quote(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_of_cleared_quotations_go() {
        let content =
            "I found:\n\n- “a [1]” (2026, T, user) [2]\n- “b” (2026, T) [12]\n\nNo model answered [2].";
        assert_eq!(
            without_quotes(content, &[2]),
            "I found:\n\n- “b” (2026, T) [12]\n\nNo model answered [2]."
        );
    }
}
