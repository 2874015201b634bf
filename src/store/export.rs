//! Everything out, page by page in the order in which it was stored.

use rusqlite::params;

use super::Store;
use super::messages::{self, bytes, number_of};
use super::readers::READ_DEADLINE;
use super::rows::{self, CONVERSATION_NUMBER, MEMORY_NUMBER, select_conversation, select_memory};
use crate::error::Result;
use crate::model::{Conversation, ConversationId, Memory, Message};

/// Messages of one page; their bytes end it sooner where they are long.
const PAGE: i64 = 1_000;

impl Store {
    /// Conversations behind the number `after` (0: from the first), with their numbers.
    pub async fn export_conversations(
        &self,
        project: Option<String>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Conversation)>> {
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(select_conversation!(
                "WHERE c.id > ?1 AND (?3 IS NULL OR p.name = ?3) ORDER BY c.id LIMIT ?2"
            ))?;
            let mut found = statement.query(params![after, limit as i64, project])?;
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
        project: Option<String>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Memory)>> {
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(select_memory!(
                "WHERE m.id > ?1 AND (?3 IS NULL OR p.name = ?3) ORDER BY m.id LIMIT ?2"
            ))?;
            let mut found = statement.query(params![after, limit as i64, project])?;
            let mut page = Vec::new();
            while let Some(row) = found.next()? {
                page.push((row.get(MEMORY_NUMBER)?, rows::memory(row)?));
            }
            Ok(page)
        })
        .await
    }
}
