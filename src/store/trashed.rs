//! What lies in the trash: listed, found and read.

use rusqlite::{Connection, Row, params};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::Store;
use super::fault::damaged;
use super::page::{Filling, begin, json_bytes, rows as page_rows};
use super::readers::READ_DEADLINE;
use super::rows::{count, time, uid};
use super::trash::remove_entry;
use crate::api::Page;
use crate::api::trash::{TrashKind, TrashList, Trashed};
use crate::error::{Error, Result};
use crate::model::{Conversation, ConversationId, Memory, Message, Timestamp, TrashId};

/// An entry of the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashEntry {
    pub(super) number: i64,
    /// What lies in it.
    pub kind: TrashKind,
    /// The id of that.
    pub item: Uuid,
    /// The conversation of a message.
    pub conversation: Option<ConversationId>,
}

/// A record that lies in the trash.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum TrashRecord {
    Conversation(Conversation),
    Message(Message),
    Memory(Memory),
}

impl Store {
    /// What lies in the trash, the last deleted first. `keep_millis`: how long it stays.
    pub async fn trash(&self, list: TrashList, keep_millis: Option<i64>) -> Result<Page<Trashed>> {
        let TrashList { limit, cursor } = list;
        let limit = page_rows(limit);
        let (deleted, number) = begin(cursor.as_ref(), (i64::MAX, i64::MAX))?;
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(LIST)?;
            let mut found = statement.query(params![deleted, number, limit as i64 + 1])?;
            let mut page = Filling::new(limit);
            while let Some(row) = found.next()? {
                let deleted_at = time(row, 7)?;
                let trashed = Trashed {
                    id: TrashId::from_bytes(row.get(1)?),
                    kind: kind(row.get(2)?)?,
                    item_id: Uuid::from_bytes(row.get(3)?),
                    conversation_id: row.get::<_, Option<_>>(4)?.map(ConversationId::from_bytes),
                    title: row.get(5)?,
                    project: row.get(6)?,
                    messages: count(row, 8)?,
                    deleted_at,
                    kept_until: keep_millis.map(|millis| deleted_at.plus_millis(millis)),
                };
                let bytes = trashed.title.as_deref().map_or(0, json_bytes);
                if !page.push(trashed, (deleted_at.as_millis(), row.get(0)?), bytes) {
                    break;
                }
            }
            Ok(page.finish())
        })
        .await
    }

    /// Whether anything was deleted before that time.
    pub async fn is_trash_older_than(&self, time: Timestamp) -> Result<bool> {
        self.read(READ_DEADLINE, move |db| {
            Ok(db.prepare_cached("SELECT 1 FROM trash WHERE deleted_at < ?1")?.exists([time.as_millis()])?)
        })
        .await
    }

    /// The entry of that id, or the newest that holds what has that id.
    pub async fn trash_entry(&self, id: Uuid) -> Result<TrashEntry> {
        self.read(READ_DEADLINE, move |db| {
            entry(db, *id.as_bytes())?.ok_or_else(|| {
                Error::not_found(format_args!("{id} in the trash"))
                    .hint("`nosso trash` lists what can be restored")
            })
        })
        .await
    }

    /// Records of an entry behind the place `after` (-1: from the first), up to `max_bytes`, one at least if there
    /// is one; each with its place.
    pub async fn trash_records(
        &self,
        entry: TrashEntry,
        after: i64,
        max_bytes: usize,
    ) -> Result<Vec<(i64, TrashRecord)>> {
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(RECORDS)?;
            let mut found = statement.query([entry.number, after])?;
            let (mut records, mut bytes) = (Vec::new(), 0);
            while let Some(row) = found.next()? {
                let (place, text): (i64, String) = (row.get(0)?, row.get(1)?);
                bytes += text.len();
                if bytes > max_bytes && !records.is_empty() {
                    break;
                }
                records.push((place, record(entry.kind, place, &text)?));
            }
            Ok(records)
        })
        .await
    }

    /// Takes an entry out of the trash whose records are stored again.
    pub async fn leave_trash(&self, entry: TrashEntry) -> Result<()> {
        self.write(move |db| remove_entry(db, entry.number)).await
    }
}

pub(super) const LIST: &str = "SELECT id, uid, kind, item, conversation, title, project, deleted_at, messages
   FROM trash WHERE (deleted_at, id) < (?1, ?2) ORDER BY deleted_at DESC, id DESC LIMIT ?3";
pub(super) const RECORDS: &str =
    "SELECT place, record FROM trash_record WHERE trash_id = ?1 AND place > ?2 ORDER BY place";

/// The entry of that id, or the newest that holds what has that id.
fn entry(db: &Connection, id: [u8; 16]) -> Result<Option<TrashEntry>> {
    for sql in [
        "SELECT id, kind, item, conversation FROM trash WHERE uid = ?1",
        "SELECT id, kind, item, conversation FROM trash WHERE item = ?1 ORDER BY id DESC LIMIT 1",
    ] {
        let mut statement = db.prepare_cached(sql)?;
        let mut found = statement.query([uid(&id)])?;
        if let Some(row) = found.next()? {
            return Ok(Some(entry_of(row)?));
        }
    }
    Ok(None)
}

fn entry_of(row: &Row<'_>) -> Result<TrashEntry> {
    Ok(TrashEntry {
        number: row.get(0)?,
        kind: kind(row.get(1)?)?,
        item: Uuid::from_bytes(row.get(2)?),
        conversation: row.get::<_, Option<_>>(3)?.map(ConversationId::from_bytes),
    })
}

fn kind(number: i64) -> Result<TrashKind> {
    [TrashKind::Conversation, TrashKind::Message, TrashKind::Memory]
        .into_iter()
        .find(|kind| *kind as i64 == number)
        .ok_or_else(|| damaged("an unknown kind of deleted thing"))
}

fn record(kind: TrashKind, place: i64, text: &str) -> Result<TrashRecord> {
    fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
        serde_json::from_str(text).map_err(|error| damaged("a broken record in the trash").caused_by(error))
    }
    Ok(match (kind, place) {
        (TrashKind::Conversation, 0) => TrashRecord::Conversation(read(text)?),
        (TrashKind::Memory, _) => TrashRecord::Memory(read(text)?),
        (TrashKind::Conversation | TrashKind::Message, _) => TrashRecord::Message(read(text)?),
    })
}
