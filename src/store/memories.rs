//! Memories: standing facts, made, read, listed, changed and deleted.

use rusqlite::{Connection, OptionalExtension, params};

use super::conversations::metadata_bytes;
use super::messages::check_chunks;
use super::page::{Filling, begin, json_bytes, rows as page_rows};
use super::readers::READ_DEADLINE;
use super::records::{Created, NewMemory};
use super::rows::{self, MEMORY_NUMBER, select_memory, to_json, uid};
use super::{Item, Store, append, chunks, names};
use crate::api::Page;
use crate::api::memory::{MemoryList, MemoryUpdate};
use crate::error::{Error, Kind, Result};
use crate::model::ChunkRange;
use crate::model::{ClientRef, Memory, MemoryId, Timestamp};
use crate::secrets;

impl Store {
    /// Stores a memory; one that has this id already is answered as it is. Errors: the id is stored with another
    /// text; no such source message; what it is to replace was changed meanwhile.
    pub async fn add_memory(&self, new: NewMemory, client: Option<ClientRef>) -> Result<Created<Memory>> {
        chunks::check(&new.content, &new.chunks)?;
        self.write(move |db| add(db, new, client.as_ref())).await
    }

    /// The memory of this id.
    pub async fn memory(&self, id: MemoryId) -> Result<Memory> {
        self.read(READ_DEADLINE, move |db| get(db, id).map(|(_, memory)| memory)).await
    }

    /// Memories that nothing has taken the place of, the last changed first; those that have expired are among
    /// them until they are deleted.
    pub async fn memories(&self, list: MemoryList) -> Result<Page<Memory>> {
        let MemoryList { project, kind, path, pinned, limit, cursor } = list;
        let limit = page_rows(limit);
        let (updated, id) = begin(cursor.as_ref(), (i64::MAX, i64::MAX))?;
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(if project.is_some() { LIST_PROJECT } else { LIST })?;
            let n = limit as i64 + 1;
            let mut found = match &project {
                Some(project) => statement.query(params![updated, id, n, kind, path, pinned, project])?,
                None => statement.query(params![updated, id, n, kind, path, pinned])?,
            };
            let mut page = Filling::new(limit);
            while let Some(row) = found.next()? {
                let memory = rows::memory(row)?;
                let key = (memory.updated_at.as_millis(), row.get(MEMORY_NUMBER)?);
                let bytes = json_bytes(&memory.content) + memory.metadata.as_ref().map_or(0, metadata_bytes);
                if !page.push(memory, key, bytes) {
                    break;
                }
            }
            Ok(page.finish())
        })
        .await
    }

    /// What always holds: pinned memories, and those of a standing kind, of no project or of this one. Instructions
    /// come first, then what is pinned, then the last changed.
    pub async fn standing(&self, project: Option<String>, limit: usize) -> Result<Vec<Memory>> {
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(STANDING)?;
            let now = Timestamp::now().as_millis();
            let mut found = statement.query(params![project, now, limit as i64])?;
            let mut standing = Vec::new();
            while let Some(row) = found.next()? {
                standing.push(rows::memory(row)?);
            }
            Ok(standing)
        })
        .await
    }

    /// Changes what the update names; a text that is replaced stays in the memory's history. `chunks` are those of
    /// a new text. Errors: no such memory; one that was replaced already.
    pub async fn update_memory(
        &self,
        update: MemoryUpdate,
        chunks: Option<Vec<ChunkRange>>,
    ) -> Result<Memory> {
        check_chunks(update.content.as_deref(), chunks.as_deref())?;
        self.write(move |db| change(db, update, chunks)).await
    }
}

pub(super) const LIST: &str = select_memory!(
    "WHERE m.superseded_by IS NULL AND (m.updated_at, m.id) < (?1, ?2) AND (?4 IS NULL OR m.kind = ?4)
       AND (?5 IS NULL OR m.path = ?5 OR (m.path > ?5 || '/' AND m.path < ?5 || '0'))
       AND (?6 IS NULL OR m.pinned = ?6)
     ORDER BY m.updated_at DESC, m.id DESC LIMIT ?3"
);
pub(super) const LIST_PROJECT: &str = select_memory!(
    "WHERE m.superseded_by IS NULL AND m.project_id = (SELECT id FROM project WHERE name = ?7)
       AND (m.updated_at, m.id) < (?1, ?2) AND (?4 IS NULL OR m.kind = ?4)
       AND (?5 IS NULL OR m.path = ?5 OR (m.path > ?5 || '/' AND m.path < ?5 || '0'))
       AND (?6 IS NULL OR m.pinned = ?6)
     ORDER BY m.updated_at DESC, m.id DESC LIMIT ?3"
);
/// Its first conditions are those of the index `memory_standing`.
pub(super) const STANDING: &str = select_memory!(
    "WHERE m.superseded_by IS NULL AND (m.pinned = 1 OR m.kind IN ('instruction', 'preference', 'user'))
       AND (m.expires_at IS NULL OR m.expires_at > ?2) AND (m.project_id IS NULL OR p.name = ?1)
     ORDER BY m.kind = 'instruction' DESC, m.pinned DESC, m.updated_at DESC, m.id DESC LIMIT ?3"
);

/// Stores a memory inside the caller's transaction.
pub(super) fn add(db: &Connection, new: NewMemory, client: Option<&ClientRef>) -> Result<Created<Memory>> {
    if let Some((_, record)) = find(db, new.id)? {
        if !secrets::is_same(&record.content, &new.content) && record.updated_at == record.created_at {
            let id = record.id;
            return Err(Error::new(Kind::Conflict, format!("the memory {id} is stored with another text"))
                .hint("use a new id, or memory.update to change what is stored"));
        }
        return Ok(Created { record, fresh: false });
    }
    if let Some(source) = new.source_message_id
        && append::find(db, source)?.is_none()
    {
        return Err(Error::not_found(format_args!("the source message {source}")));
    }
    let record = Memory {
        id: new.id,
        kind: new.kind,
        content: new.content,
        path: new.path,
        pinned: new.pinned,
        project: new.project,
        client: client.cloned(),
        source_message_id: new.source_message_id,
        created_at: new.created_at,
        updated_at: new.created_at,
        expires_at: new.expires_at,
        superseded_by: None,
        metadata: new.metadata,
    };
    insert(db, &record, &new.chunks)?;
    if let Some(former) = new.replaces {
        supersede(db, former, record.id)?;
    }
    Ok(Created { record, fresh: true })
}

/// Puts `successor` in the place of `former` and of everything that `former` had replaced.
fn supersede(db: &Connection, former: MemoryId, successor: MemoryId) -> Result<()> {
    let (number, memory) = get(db, former)?;
    refuse_former(&memory)?;
    db.prepare_cached("UPDATE memory SET superseded_by = ?2 WHERE superseded_by = ?1 OR uid = ?1")?
        .execute(params![former.as_bytes(), successor.as_bytes()])?;
    // what no longer holds is not found by its meaning
    chunks::replace(db, Item::Memory(number), &[])
}

fn refuse_former(memory: &Memory) -> Result<()> {
    let Some(now) = memory.superseded_by else { return Ok(()) };
    let found = format!("the memory {} was replaced by {now}", memory.id);
    Err(Error::new(Kind::Conflict, found).hint("change what stands in its place"))
}

/// Changes a memory inside the caller's transaction.
pub(super) fn change(
    db: &Connection,
    update: MemoryUpdate,
    chunks: Option<Vec<ChunkRange>>,
) -> Result<Memory> {
    let MemoryUpdate { id, content, kind, path, pinned, project, expires_at, metadata } = update;
    let (number, mut memory) = get(db, id)?;
    refuse_former(&memory)?;
    let content = content.filter(|content| *content != memory.content);
    if content.is_some() {
        let former = Memory { id: MemoryId::new(), superseded_by: Some(id), ..memory.clone() };
        insert(db, &former, &[])?;
    }
    // later than the creation in any case: that is how a retry of the creation sees the change
    memory.updated_at = Timestamp::now().max(memory.created_at.plus_millis(1));
    memory.kind = kind.unwrap_or(memory.kind);
    memory.path = path.apply(memory.path);
    memory.pinned = pinned.unwrap_or(memory.pinned);
    memory.project = project.apply(memory.project);
    memory.expires_at = expires_at.apply(memory.expires_at);
    memory.metadata = metadata.apply(memory.metadata);
    if let Some(content) = content {
        db.prepare_cached("UPDATE memory SET content = ?2 WHERE id = ?1")?
            .execute(params![number, content])?;
        chunks::replace(db, Item::Memory(number), &chunks.unwrap_or_default())?;
        memory.content = content;
    }
    db.prepare_cached(
        "UPDATE memory SET kind = ?2, project_id = ?3, expires_at = ?4, metadata = ?5, updated_at = ?6, path = ?7,
           pinned = ?8 WHERE id = ?1",
    )?
    .execute(params![
        number,
        memory.kind,
        names::project(db, memory.project.as_deref())?,
        memory.expires_at.map(Timestamp::as_millis),
        to_json(memory.metadata.as_ref())?,
        memory.updated_at.as_millis(),
        memory.path,
        memory.pinned
    ])?;
    Ok(memory)
}

/// Everything that a memory replaced, in the order of its storing.
pub(super) const FORMER: &str = select_memory!("WHERE m.superseded_by = ?1 ORDER BY m.id");

pub(super) fn get(db: &Connection, id: MemoryId) -> Result<(i64, Memory)> {
    find(db, id)?.ok_or_else(|| Error::not_found(format_args!("memory {id}")))
}

/// The memory of this id and its number.
pub(super) fn find(db: &Connection, id: MemoryId) -> Result<Option<(i64, Memory)>> {
    let mut statement = db.prepare_cached(select_memory!("WHERE m.uid = ?1"))?;
    let mut found = statement.query([uid(id.as_bytes())])?;
    found.next()?.map(|row| Ok((row.get(MEMORY_NUMBER)?, rows::memory(row)?))).transpose()
}

/// Stores a memory as it stands; answers its number.
pub(super) fn insert(db: &Connection, memory: &Memory, chunks: &[ChunkRange]) -> Result<i64> {
    db.prepare_cached(
        "INSERT INTO memory(uid, project_id, client_id, kind, source_message, superseded_by, created_at,
           updated_at, expires_at, metadata, content, path, pinned)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        memory.id.as_bytes(),
        names::project(db, memory.project.as_deref())?,
        names::client(db, memory.client.as_ref())?,
        memory.kind,
        memory.source_message_id.as_ref().map(|id| id.as_bytes()),
        memory.superseded_by.as_ref().map(|id| id.as_bytes()),
        memory.created_at.as_millis(),
        memory.updated_at.as_millis(),
        memory.expires_at.map(Timestamp::as_millis),
        to_json(memory.metadata.as_ref())?,
        memory.content,
        memory.path,
        memory.pinned
    ])?;
    let number = db.last_insert_rowid();
    chunks::insert(db, Item::Memory(number), chunks)?;
    Ok(number)
}

/// The number of the memory of this id.
pub(super) fn number(db: &Connection, id: MemoryId) -> Result<Option<i64>> {
    let number = db
        .prepare_cached("SELECT id FROM memory WHERE uid = ?1")?
        .query_row([uid(id.as_bytes())], |row| row.get(0))
        .optional()?;
    Ok(number)
}
