//! Summaries: what a part of a branch says in few words, beside its messages.
//!
//! The triggers of the schema delete a summary when a message that it covers is changed or deleted, and with it those
//! that go on from it.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::messages::number_of;
use super::readers::READ_DEADLINE;
use super::rows::{count, time, uid};
use super::{Store, append};
use crate::error::{Error, Kind, Result};
use crate::model::{ConversationId, MessageId, Summary, SummaryId};

/// A summary to store.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSummary {
    /// The summary.
    pub summary: Summary,
    /// The one that it goes on from.
    pub previous: Option<SummaryId>,
    /// The messages that it covers beyond that one, with the text that was summed up.
    pub covered: Vec<(MessageId, String)>,
}

/// Summaries that are listed at most.
const MAX_LISTED: i64 = 100;

impl Store {
    /// Stores a summary. Errors: `Conflict` where a message that it covers was changed or deleted while it was
    /// written, or the summary that it goes on from is gone.
    pub async fn add_summary(&self, new: NewSummary) -> Result<Summary> {
        self.write(move |db| {
            let NewSummary { summary, previous, covered } = new;
            let conversation = number_of(db, summary.conversation_id)?;
            let changed = || {
                Error::new(Kind::Conflict, "the conversation was changed while it was summed up")
                    .hint("sum it up again")
            };
            let previous = match previous {
                Some(id) => Some(number(db, id)?.ok_or_else(changed)?),
                None => None,
            };
            let mut numbers = Vec::with_capacity(covered.len());
            for (id, text) in covered {
                match append::find(db, id)? {
                    Some((number, message)) if message.content == text => numbers.push(number),
                    _ => return Err(changed()),
                }
            }
            let last = append::number_in(db, conversation, summary.last_message_id)?.ok_or_else(changed)?;
            db.prepare_cached(
                "INSERT INTO summary(uid, conversation_id, previous_id, last_message_id, messages, model, created_at,
                   content) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                summary.id.as_bytes(),
                conversation,
                previous,
                last,
                i64::try_from(summary.messages).unwrap_or(i64::MAX),
                summary.model,
                summary.created_at.as_millis(),
                summary.content
            ])?;
            let number = db.last_insert_rowid();
            let mut cover =
                db.prepare_cached("INSERT OR IGNORE INTO summary_message(message_id, summary_id) VALUES(?1, ?2)")?;
            for message in numbers {
                cover.execute([message, number])?;
            }
            Ok(summary)
        })
        .await
    }

    /// The summaries of a conversation, the newest first.
    pub async fn summaries(&self, conversation: ConversationId) -> Result<Vec<Summary>> {
        self.read(READ_DEADLINE, move |db| {
            let number = number_of(db, conversation)?;
            let mut statement = db.prepare_cached(LIST)?;
            let mut found = statement.query(params![number, MAX_LISTED])?;
            let mut summaries = Vec::new();
            while let Some(row) = found.next()? {
                summaries.push(summary(row)?);
            }
            Ok(summaries)
        })
        .await
    }

    /// The newest summary of the branch that ends in `leaf`, if it has one.
    pub async fn summary_of_branch(&self, leaf: MessageId) -> Result<Option<Summary>> {
        self.read(READ_DEADLINE, move |db| {
            let Some((number, message)) = append::find(db, leaf)? else { return Ok(None) };
            let conversation = number_of(db, message.conversation_id)?;
            // most conversations are short, and need no walk
            if !db
                .prepare_cached("SELECT 1 FROM summary WHERE conversation_id = ?1")?
                .exists([conversation])?
            {
                return Ok(None);
            }
            let found = db.prepare_cached(OF_BRANCH)?.query_row([number], summary).optional()?;
            Ok(found)
        })
        .await
    }
}

const LIST: &str = "SELECT s.uid, c.uid, m.uid, s.messages, s.content, s.model, s.created_at
   FROM summary s JOIN conversation c ON c.id = s.conversation_id JOIN message m ON m.id = s.last_message_id
   WHERE s.conversation_id = ?1 ORDER BY s.id DESC LIMIT ?2";

/// Goes up from the leaf and ends at the first message up to which there is a summary.
const OF_BRANCH: &str = "WITH RECURSIVE up(id, depth) AS (
     SELECT ?1, 0 UNION ALL SELECT m.parent_id, up.depth + 1 FROM up JOIN message m ON m.id = up.id
       WHERE m.parent_id IS NOT NULL)
   SELECT s.uid, c.uid, m.uid, s.messages, s.content, s.model, s.created_at
   FROM up CROSS JOIN summary s ON s.last_message_id = up.id
     CROSS JOIN conversation c ON c.id = s.conversation_id CROSS JOIN message m ON m.id = s.last_message_id
   LIMIT 1";

fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    Ok(Summary {
        id: SummaryId::from_bytes(row.get(0)?),
        conversation_id: ConversationId::from_bytes(row.get(1)?),
        last_message_id: MessageId::from_bytes(row.get(2)?),
        messages: count(row, 3)?,
        content: row.get(4)?,
        model: row.get(5)?,
        created_at: time(row, 6)?,
    })
}

fn number(db: &Connection, id: SummaryId) -> Result<Option<i64>> {
    let number = db
        .prepare_cached("SELECT id FROM summary WHERE uid = ?1")?
        .query_row([uid(id.as_bytes())], |row| row.get(0))
        .optional()?;
    Ok(number)
}
