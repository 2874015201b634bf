//! Which records of an import are stored already: what is known need not be prepared, nor wait for the writer.

use std::collections::{HashMap, HashSet};

use rusqlite::OptionalExtension;

use super::Store;
use super::readers::READ_DEADLINE;
use super::rows::uid;
use crate::error::Result;
use crate::model::{ConversationId, MemoryId, MessageId};

/// Ids of records.
#[derive(Debug, Clone, Default)]
pub struct Ids {
    /// Of conversations.
    pub conversations: Vec<ConversationId>,
    /// Of messages.
    pub messages: Vec<MessageId>,
    /// Of memories.
    pub memories: Vec<MemoryId>,
}

/// Those that are stored.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The conversations, each with the head that the last import named.
    pub conversations: HashMap<ConversationId, Option<MessageId>>,
    /// The messages.
    pub messages: HashSet<MessageId>,
    /// The memories.
    pub memories: HashSet<MemoryId>,
}

impl Store {
    /// Which of these ids are stored.
    pub async fn known(&self, ids: Ids) -> Result<Known> {
        self.read(READ_DEADLINE, move |db| {
            let mut known = Known::default();
            // empty: none of its messages was to be the head
            let sql = "SELECT nullif(wanted_head, x'') FROM conversation WHERE uid = ?1";
            let mut statement = db.prepare_cached(sql)?;
            for id in ids.conversations {
                let head: Option<Option<[u8; 16]>> =
                    statement.query_row([uid(id.as_bytes())], |row| row.get(0)).optional()?;
                if let Some(head) = head {
                    known.conversations.insert(id, head.map(MessageId::from_bytes));
                }
            }
            let mut statement = db.prepare_cached("SELECT 1 FROM message WHERE uid = ?1")?;
            for id in ids.messages {
                if statement.exists([uid(id.as_bytes())])? {
                    known.messages.insert(id);
                }
            }
            let mut statement = db.prepare_cached("SELECT 1 FROM memory WHERE uid = ?1")?;
            for id in ids.memories {
                if statement.exists([uid(id.as_bytes())])? {
                    known.memories.insert(id);
                }
            }
            Ok(known)
        })
        .await
    }
}
