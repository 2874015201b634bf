//! Everything out, page by page in the order in which it was stored.

use rusqlite::params;

use super::Store;
use super::messages::{self, bytes, number_of};
use super::readers::READ_DEADLINE;
use super::rows::{self, CONVERSATION_NUMBER, MEMORY_NUMBER, select_conversation, select_memory};
use crate::error::Result;
use crate::model::{Conversation, ConversationId, Memory, Message, Timestamp};

/// Messages of one page; their bytes end it sooner where they are long.
const PAGE: i64 = 1_000;

/// What an export holds; members that are absent do not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only this project's.
    pub project: Option<String>,
    /// Only the conversations that the tool of this name began, and the memories that it stored.
    pub client: Option<String>,
    /// Only conversations that changed at this time or later, and memories that were stored then.
    pub since: Option<Timestamp>,
    /// Only what began before this time.
    pub until: Option<Timestamp>,
}

impl Store {
    /// Conversations behind the number `after` (0: from the first), with their numbers.
    pub async fn export_conversations(
        &self,
        selection: Selection,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Conversation)>> {
        self.read(READ_DEADLINE, move |db| {
            let Selection { project, client, since, until } = selection;
            let mut statement = db.prepare_cached(select_conversation!(
                "WHERE c.id > ?1 AND (?3 IS NULL OR p.name = ?3) AND (?4 IS NULL OR k.name = ?4)
                   AND (?5 IS NULL OR c.updated_at >= ?5) AND (?6 IS NULL OR c.created_at < ?6)
                 ORDER BY c.id LIMIT ?2"
            ))?;
            let (since, until) = (since.map(Timestamp::as_millis), until.map(Timestamp::as_millis));
            let mut found = statement.query(params![after, limit as i64, project, client, since, until])?;
            let mut page = Vec::new();
            while let Some(row) = found.next()? {
                page.push((row.get(CONVERSATION_NUMBER)?, rows::conversation(row)?));
            }
            Ok(page)
        })
        .await
    }

    /// Messages of a conversation behind the place `after` (0: from the first), up to `max_bytes` of JSON, one at
    /// least if there is one.
    pub async fn export_messages(
        &self,
        conversation: ConversationId,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<Message>> {
        self.read(READ_DEADLINE, move |db| {
            let number = number_of(db, conversation)?;
            let mut statement = db.prepare_cached(messages::LIST)?;
            let mut found =
                statement.query(params![number, i64::try_from(after).unwrap_or(i64::MAX), PAGE])?;
            let mut page = Vec::new();
            let mut size = 0;
            while let Some(row) = found.next()? {
                let message = rows::message(row)?;
                size += bytes(&message);
                if size > max_bytes && !page.is_empty() {
                    break;
                }
                page.push(message);
            }
            Ok(page)
        })
        .await
    }

    /// Memories behind the number `after` (0: from the first), with their numbers; also those that no longer hold.
    pub async fn export_memories(
        &self,
        selection: Selection,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Memory)>> {
        self.read(READ_DEADLINE, move |db| {
            let Selection { project, client, since, until } = selection;
            let mut statement = db.prepare_cached(select_memory!(
                "WHERE m.id > ?1 AND (?3 IS NULL OR p.name = ?3) AND (?4 IS NULL OR k.name = ?4)
                   AND (?5 IS NULL OR m.updated_at >= ?5) AND (?6 IS NULL OR m.created_at < ?6)
                 ORDER BY m.id LIMIT ?2"
            ))?;
            let (since, until) = (since.map(Timestamp::as_millis), until.map(Timestamp::as_millis));
            let mut found = statement.query(params![after, limit as i64, project, client, since, until])?;
            let mut page = Vec::new();
            while let Some(row) = found.next()? {
                page.push((row.get(MEMORY_NUMBER)?, rows::memory(row)?));
            }
            Ok(page)
        })
        .await
    }
}
