//! Chunks: the parts of messages and memories that are embedded.
//!
//! Inserting a chunk queues its embedding and deleting it queues the removal of its vector; the triggers of the
//! schema see to both, so that no path can forget it.

use rusqlite::{Connection, params};

use super::filter::{self, Prepared};
use super::readers::READ_DEADLINE;
use super::{Item, Store};
use crate::api::search::SearchFilter;
use crate::error::{Error, Result};
use crate::model::{ChunkRange, ConversationId, Timestamp};

/// A chunk and what it is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkItem {
    /// Its id, which is its vector's id.
    pub chunk: u32,
    /// The message or memory.
    pub item: Item,
    /// The first byte of it.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Store {
    /// Which chunks a filter lets through; none: it restricts nothing.
    pub async fn chunks_matching(&self, filter: &SearchFilter) -> Result<Option<Vec<u32>>> {
        if self.lets_all_through(filter) {
            return Ok(None);
        }
        if filter::lets_all_through(filter) {
            let seen_from = filter.seen_from;
            return self.read(READ_DEADLINE, move |db| but_private(db, seen_from)).await;
        }
        let restriction = self.restriction(filter);
        self.read(READ_DEADLINE, move |db| {
            let mut ids = Vec::new();
            if let Some(condition) = &restriction.messages {
                let sql = format!(
                    "SELECT k.id FROM {} JOIN chunk k ON k.message_id = m.id{}",
                    filter::MESSAGES,
                    condition.and_where()
                );
                collect(db, &sql, condition, &mut ids)?;
            }
            if let Some(condition) = &restriction.memories {
                let sql = format!(
                    "SELECT k.id FROM memory m JOIN chunk k ON k.memory_id = m.id{}",
                    condition.and_where()
                );
                collect(db, &sql, condition, &mut ids)?;
            }
            Ok(Some(ids))
        })
        .await
    }

    /// What these chunks are parts of, in the order asked; chunks that are gone, memories that no longer hold and
    /// what the filter does not let through are left out.
    pub async fn chunk_items(&self, ids: Vec<u32>, filter: &SearchFilter) -> Result<Vec<ChunkItem>> {
        let restriction = (!self.lets_all_through(filter)).then(|| self.restriction(filter));
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(CHUNK_ITEM)?;
            let prepare =
                |restriction| Prepared::new(db, restriction, message_numbered, filter::memory_numbered);
            let mut admitted = restriction.as_ref().map(prepare).transpose()?;
            let now = Timestamp::now().as_millis();
            let mut items = Vec::with_capacity(ids.len());
            for chunk in ids {
                let mut rows = statement.query(params![chunk, now])?;
                if let Some(row) = rows.next()? {
                    let item = match row.get::<_, Option<i64>>(0)? {
                        Some(message) => Item::Message(message),
                        None => Item::Memory(row.get(1)?),
                    };
                    let found = ChunkItem { chunk, item, start: row.get(2)?, end: row.get(3)? };
                    let is_admitted = match (&mut admitted, item) {
                        (None, _) => true,
                        (Some(admitted), Item::Message(number)) => admitted.message(&[&number])?.is_some(),
                        (Some(admitted), Item::Memory(number)) => admitted.memory(&[&number])?.is_some(),
                    };
                    if is_admitted {
                        items.push(found);
                    }
                }
            }
            Ok(items)
        })
        .await
    }

    /// The chunks of these items, of each the first `most`.
    pub async fn chunks_of(&self, items: Vec<Item>, most: usize) -> Result<Vec<ChunkItem>> {
        self.read(READ_DEADLINE, move |db| {
            let mut chunks = Vec::with_capacity(items.len());
            for item in items {
                let (sql, number) = match item {
                    Item::Message(number) => (CHUNKS_OF_MESSAGE, number),
                    Item::Memory(number) => (CHUNKS_OF_MEMORY, number),
                };
                let mut statement = db.prepare_cached(sql)?;
                let mut rows = statement.query(params![number, most as i64])?;
                while let Some(row) = rows.next()? {
                    chunks.push(ChunkItem { chunk: row.get(0)?, item, start: row.get(1)?, end: row.get(2)? });
                }
            }
            Ok(chunks)
        })
        .await
    }
}

/// A chunk, unless it is of a memory that no longer holds.
pub(super) const CHUNK_ITEM: &str = "SELECT k.message_id, k.memory_id, k.start_byte, k.end_byte
   FROM chunk k LEFT JOIN memory m ON m.id = k.memory_id
   WHERE k.id = ?1 AND (k.memory_id IS NULL
     OR (m.superseded_by IS NULL AND (m.expires_at IS NULL OR m.expires_at > ?2)))";

fn message_numbered(condition: &filter::Condition) -> String {
    format!(
        "SELECT m.id FROM message m CROSS JOIN conversation c ON c.id = m.conversation_id WHERE m.id = ?{}",
        condition.and_more()
    )
}

pub(super) const CHUNKS_OF_MESSAGE: &str =
    "SELECT id, start_byte, end_byte FROM chunk WHERE message_id = ?1 ORDER BY view, place LIMIT ?2";
pub(super) const CHUNKS_OF_MEMORY: &str =
    "SELECT id, start_byte, end_byte FROM chunk WHERE memory_id = ?1 ORDER BY view, place LIMIT ?2";

/// All chunks but those of private conversations; none: there are none of these. Going through the few private ones
/// is what keeps this quick.
fn but_private(db: &Connection, seen_from: Option<ConversationId>) -> Result<Option<Vec<u32>>> {
    let own = seen_from.map(|id| *id.as_bytes());
    let mut private: Vec<u32> = db
        .prepare_cached(PRIVATE)?
        .query_map([own.as_ref().map(<[u8; 16]>::as_slice)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if private.is_empty() {
        return Ok(None);
    }
    private.sort_unstable();
    let last: Option<u32> =
        db.prepare_cached("SELECT max(id) FROM chunk")?.query_row([], |row| row.get(0))?;
    let mut left_out = private.into_iter().peekable();
    Ok(Some((1..=last.unwrap_or(0)).filter(|id| left_out.next_if_eq(id).is_none()).collect()))
}

/// The chunks of private conversations but one.
pub(super) const PRIVATE: &str =
    "SELECT k.id FROM conversation c CROSS JOIN message m ON m.conversation_id = c.id
   CROSS JOIN chunk k ON k.message_id = m.id WHERE c.private = 1 AND c.uid IS NOT ?1";

fn collect(db: &Connection, sql: &str, condition: &filter::Condition, ids: &mut Vec<u32>) -> Result<()> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(condition.params())?;
    while let Some(row) = rows.next()? {
        ids.push(row.get(0)?);
    }
    Ok(())
}

/// Refuses ranges that do not lie in the text.
pub(super) fn check(content: &str, chunks: &[ChunkRange]) -> Result<()> {
    for ChunkRange { start, end, .. } in chunks {
        if content.get(*start as usize..*end as usize).is_none() {
            return Err(Error::internal(format!(
                "the chunk {start}..{end} does not lie on characters of a text of {} bytes",
                content.len()
            )));
        }
    }
    Ok(())
}

/// Stores the chunks of a new text.
pub(super) fn insert(db: &Connection, item: Item, chunks: &[ChunkRange]) -> Result<()> {
    let mut statement = db.prepare_cached(match item {
        Item::Message(_) => {
            "INSERT INTO chunk(message_id, view, place, start_byte, end_byte) VALUES(?1, ?2, ?3, ?4, ?5)"
        }
        Item::Memory(_) => {
            "INSERT INTO chunk(memory_id, view, place, start_byte, end_byte) VALUES(?1, ?2, ?3, ?4, ?5)"
        }
    })?;
    let (Item::Message(owner) | Item::Memory(owner)) = item;
    for (place, ChunkRange { view, start, end }) in chunks.iter().enumerate() {
        statement.execute(params![owner, view, place as i64, start, end])?;
    }
    Ok(())
}

/// Puts the chunks of a changed text in the place of the old ones, which leave the index.
pub(super) fn replace(db: &Connection, item: Item, chunks: &[ChunkRange]) -> Result<()> {
    match item {
        Item::Message(id) => db.prepare_cached(DELETE_OF_MESSAGE)?.execute([id])?,
        Item::Memory(id) => db.prepare_cached(DELETE_OF_MEMORY)?.execute([id])?,
    };
    insert(db, item, chunks)
}

/// Queues the embedding of every chunk in a new space.
pub(super) fn queue_all(db: &Connection, space: i64) -> Result<()> {
    db.execute(
        "INSERT INTO embed_job(space_id, kind, chunk_id, run_at) SELECT ?1, 0, id, ?2 FROM chunk",
        params![space, Timestamp::now().as_millis()],
    )?;
    Ok(())
}

pub(super) const DELETE_OF_MESSAGE: &str = "DELETE FROM chunk WHERE message_id = ?1";
pub(super) const DELETE_OF_MEMORY: &str = "DELETE FROM chunk WHERE memory_id = ?1";
