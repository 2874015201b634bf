//! What is embedded of a chunk: its text with its speaker, and what was said before it.
//!
//! A vector depends on the text before its own, so whatever changes that text queues the chunk again: the triggers of
//! the migration `context` see to it. What they watch is what is read here, so that the two change together.

use rusqlite::{Connection, OptionalExtension, params};

use super::fault;
use super::queue::LeasedJob;
use super::rows::time;
use crate::api::job::JobKind;
use crate::error::Result;

/// Of the text before, these bytes at its end are read: some 100 tokens.
const CONTEXT_BYTES: usize = 400;

/// What was said longer ago, in milliseconds, belongs to another occasion.
const OCCASION: i64 = 6 * 3_600_000;

/// A text to embed and what stands before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passage {
    /// Before the first chunk of a message: the end of the message before it with its speaker, unless that is an
    /// answer that only quotes, or hours older; before the first message the conversation's title. Before the other
    /// chunks of a text: the end of the chunk before. Empty for memories.
    pub context: String,
    /// The chunk, behind the name of who says it where that is known.
    pub text: String,
}

pub(super) const TEXT: &str = "SELECT k.message_id, k.memory_id, k.start_byte, k.end_byte,
     (SELECT end_byte FROM chunk WHERE message_id = k.message_id AND view = k.view AND place = k.place - 1)
   FROM chunk k WHERE k.id = ?1";

pub(super) const BEFORE: &str = "SELECT searchable, created_at, author, content FROM message
   WHERE conversation_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1";

/// What a chunk is a part of, as far as embedding needs it.
struct Whole {
    owner: (Option<i64>, Option<i64>),
    content: String,
    author: Option<String>,
    /// What was said before the whole.
    before: String,
}

/// Reads what the jobs are to embed. Chunks of one long message follow each other, so the last text is kept at hand.
pub(super) fn add_passages(db: &Connection, jobs: &mut [LeasedJob]) -> Result<()> {
    let mut last: Option<Whole> = None;
    for job in jobs.iter_mut().filter(|job| job.kind == JobKind::Embed) {
        let (message, memory, start, end, before): (_, _, u32, u32, Option<u32>) =
            db.prepare_cached(TEXT)?.query_row([job.chunk], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })?;
        let whole = match last.take().filter(|whole| whole.owner == (message, memory)) {
            Some(whole) => whole,
            None => whole(db, message, memory)?,
        };
        let text = whole.content.get(start as usize..end as usize);
        let text = text.ok_or_else(|| fault::damaged("a chunk outside of its text"))?;
        let context = match before {
            None => whole.before.clone(),
            Some(before) => tail(whole.content.get(..before as usize).unwrap_or_default()).to_owned(),
        };
        job.passage = Some(Passage { context, text: spoken(whole.author.as_deref(), text) });
        last = Some(whole);
    }
    Ok(())
}

fn whole(db: &Connection, message: Option<i64>, memory: Option<i64>) -> Result<Whole> {
    let owner = (message, memory);
    if let Some(memory) = memory {
        let content = db
            .prepare_cached("SELECT content FROM memory WHERE id = ?1")?
            .query_row([memory], |row| row.get(0))?;
        return Ok(Whole { owner, content, author: None, before: String::new() });
    }
    let sql = "SELECT content, author, created_at, conversation_id, seq FROM message WHERE id = ?1";
    let found = db.prepare_cached(sql)?.query_row([message], |row| {
        Ok((row.get(0)?, row.get(1)?, time(row, 2)?.as_millis(), row.get(3)?, row.get(4)?))
    });
    let (content, author, created_at, conversation, seq) =
        found.optional()?.ok_or_else(|| fault::damaged("a chunk of a message that is gone"))?;
    let before = before(db, conversation, seq, created_at)?;
    Ok(Whole { owner, content, author, before })
}

/// What stands before a message of a conversation.
fn before(db: &Connection, conversation: i64, seq: i64, created_at: i64) -> Result<String> {
    let found = db.prepare_cached(BEFORE)?.query_row(params![conversation, seq], |row| {
        let (searchable, said_at): (bool, i64) = (row.get(0)?, row.get(1)?);
        let (author, content): (Option<String>, String) = (row.get(2)?, row.get(3)?);
        Ok((searchable && created_at.saturating_sub(said_at) <= OCCASION).then_some((author, content)))
    });
    match found.optional()? {
        Some(Some((author, content))) => Ok(spoken(author.as_deref(), tail(&content))),
        Some(None) => Ok(String::new()),
        None => {
            let title: Option<String> = db
                .prepare_cached("SELECT title FROM conversation WHERE id = ?1")?
                .query_row([conversation], |row| row.get(0))?;
            Ok(tail(&title.unwrap_or_default()).to_owned())
        }
    }
}

fn spoken(author: Option<&str>, text: &str) -> String {
    match author {
        Some(author) => format!("{author}: {text}"),
        None => text.to_owned(),
    }
}

/// The end of a text, from a word on.
fn tail(text: &str) -> &str {
    let text = text.trim_end();
    let from = text.ceil_char_boundary(text.len().saturating_sub(CONTEXT_BYTES));
    if from == 0 {
        return text;
    }
    let cut = &text[from..];
    cut.find(char::is_whitespace).map_or(cut, |space| cut[space..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_begins_with_a_whole_word() {
        assert_eq!(tail("Olá, mundo. \n"), "Olá, mundo.");
        let text = "palavra ação ".repeat(60);
        let end = tail(&text);
        assert!(end.len() <= CONTEXT_BYTES && end.len() > CONTEXT_BYTES - 20, "{}", end.len());
        assert!(end.starts_with("palavra") || end.starts_with("ação"), "{end}");
        assert_eq!(tail(&"é".repeat(600)).len(), CONTEXT_BYTES);
        assert_eq!(tail(""), "");
    }
}
