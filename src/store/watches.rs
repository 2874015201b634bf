//! Folders that are watched, and what is known of their files.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::readers::READ_DEADLINE;
use super::{Store, names};
use crate::api::watch::WatchKind;
use crate::error::{Error, Kind, Result};
use crate::model::{ConversationId, Timestamp};

/// A folder that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedFolder {
    /// Its number, which is never used again.
    pub number: i64,
    /// Where it is.
    pub path: String,
    /// What its files are.
    pub kind: WatchKind,
    /// The project of what is captured.
    pub project: Option<String>,
    /// When it was added.
    pub added_at: Timestamp,
}

/// A file of it as it was when it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedFile {
    /// Where it is, below the folder.
    pub path: String,
    /// What would show a change.
    pub stamp: Stamp,
    /// What it became.
    pub conversation: Option<ConversationId>,
    /// Why it is left out.
    pub problem: Option<String>,
}

/// What a change of a file shows in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The disk.
    pub device: u64,
    /// The file on it, which keeps its number when it is renamed.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// When its content was written, in nanoseconds since 1970.
    pub modified: i64,
    /// When anything about it changed: programs that set `modified` back cannot set this.
    pub changed: i64,
}

impl Stamp {
    /// Whether both are one file, whatever is in it.
    pub fn is_same_file(&self, other: &Stamp) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl Store {
    /// Adds a folder; one that is there already as the same kind, for the same project, is answered as it is.
    pub async fn add_watch(
        &self,
        path: String,
        kind: WatchKind,
        project: Option<String>,
    ) -> Result<WatchedFolder> {
        self.write(move |db| {
            if let Some(known) = find(db, &path)? {
                if (known.kind, &known.project) == (kind, &project) {
                    return Ok(known);
                }
                let of =
                    known.project.map(|project| format!(" for the project {project}")).unwrap_or_default();
                return Err(Error::new(
                    Kind::Conflict,
                    format!("{path} is watched already, as {}{of}", known.kind),
                )
                .hint("remove it first (`nosso watch remove`); what was captured stays"));
            }
            db.execute(
                "INSERT INTO watch(path, kind, project_id, created_at) VALUES(?1, ?2, ?3, ?4)",
                params![
                    path,
                    number_of(kind),
                    names::project(db, project.as_deref())?,
                    Timestamp::now().as_millis()
                ],
            )?;
            find(db, &path)?.ok_or_else(|| Error::internal("a folder that was just added is not there"))
        })
        .await
    }

    /// Every folder, in the order in which they were added.
    pub async fn watches(&self) -> Result<Vec<WatchedFolder>> {
        self.read(READ_DEADLINE, |db| {
            let mut statement = db.prepare_cached(&format!("{SELECT} ORDER BY w.id"))?;
            let found = statement.query_map([], folder)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Takes a folder away, with all that is known of its files; what these became. None: it was not there.
    pub async fn remove_watch(&self, number: i64) -> Result<Option<Vec<ConversationId>>> {
        self.write(move |db| {
            let captured = db
                .prepare_cached(
                    "SELECT conversation FROM watched_file WHERE watch_id = ?1 AND conversation IS NOT NULL",
                )?
                .query_map([number], |row| Ok(ConversationId::from_bytes(row.get(0)?)))?
                .collect::<rusqlite::Result<_>>()?;
            let n_removed = db.execute("DELETE FROM watch WHERE id = ?1", [number])?;
            Ok((n_removed > 0).then_some(captured))
        })
        .await
    }

    /// What is known of the files of a folder.
    pub async fn watched_files(&self, watch: i64) -> Result<Vec<WatchedFile>> {
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(
                "SELECT path, device, inode, size, modified, changed, conversation, problem FROM watched_file
                 WHERE watch_id = ?1",
            )?;
            let found = statement.query_map([watch], file)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Whether a file that is watched became this conversation.
    pub async fn is_captured(&self, conversation: ConversationId) -> Result<bool> {
        self.read(READ_DEADLINE, move |db| {
            let sql = "SELECT 1 FROM watched_file WHERE conversation = ?1";
            Ok(db.prepare_cached(sql)?.exists([conversation.as_bytes()])?)
        })
        .await
    }

    /// Notes how a file was when it was read.
    pub async fn set_watched_file(&self, watch: i64, file: WatchedFile) -> Result<()> {
        self.write(move |db| set(db, watch, &file)).await
    }

    /// A file has another name, be it in the place of one that was known.
    pub async fn move_watched_file(&self, watch: i64, from: String, to: String) -> Result<()> {
        self.write(move |db| {
            db.prepare_cached(
                "UPDATE OR REPLACE watched_file SET path = ?3 WHERE watch_id = ?1 AND path = ?2",
            )?
            .execute(params![watch, from, to])?;
            Ok(())
        })
        .await
    }

    /// Nothing is known of a file any longer.
    pub async fn forget_watched_file(&self, watch: i64, path: String) -> Result<()> {
        self.write(move |db| {
            db.prepare_cached("DELETE FROM watched_file WHERE watch_id = ?1 AND path = ?2")?
                .execute(params![watch, path])?;
            Ok(())
        })
        .await
    }
}

const SELECT: &str = "SELECT w.id, w.path, w.kind, p.name, w.created_at
   FROM watch w LEFT JOIN project p ON p.id = w.project_id";

fn find(db: &Connection, path: &str) -> Result<Option<WatchedFolder>> {
    let mut statement = db.prepare_cached(&format!("{SELECT} WHERE w.path = ?1"))?;
    Ok(statement.query_row([path], folder).optional()?)
}

fn number_of(kind: WatchKind) -> i64 {
    match kind {
        WatchKind::Notes => 0,
        WatchKind::ClaudeCode => 1,
        WatchKind::Codex => 2,
        WatchKind::Gemini => 3,
    }
}

fn folder(row: &Row<'_>) -> rusqlite::Result<WatchedFolder> {
    let kind: i64 = row.get(2)?;
    let kind = WatchKind::ALL.iter().copied().find(|known| number_of(*known) == kind);
    Ok(WatchedFolder {
        number: row.get(0)?,
        path: row.get(1)?,
        kind: kind.ok_or(rusqlite::Error::IntegralValueOutOfRange(2, row.get(2)?))?,
        project: row.get(3)?,
        added_at: Timestamp::from_millis(row.get(4)?),
    })
}

/// Whether the folder is still watched.
pub(super) fn is_watched(db: &Connection, watch: i64) -> Result<bool> {
    Ok(db.prepare_cached("SELECT 1 FROM watch WHERE id = ?1")?.exists([watch])?)
}

/// Notes how a file was when it was read, inside the caller's transaction. Nothing, where the folder was removed.
pub(super) fn set(db: &Connection, watch: i64, file: &WatchedFile) -> Result<()> {
    let WatchedFile { path, stamp: Stamp { device, inode, size, modified, changed }, conversation, problem } =
        file;
    db.prepare_cached(
        "INSERT OR REPLACE INTO watched_file(watch_id, path, device, inode, size, modified, changed, conversation,
           problem) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE EXISTS(SELECT 1 FROM watch WHERE id = ?1)",
    )?
    .execute(params![
        watch,
        path,
        // SQLite has signed numbers only; they come back as they were
        *device as i64,
        *inode as i64,
        *size as i64,
        modified,
        changed,
        conversation.as_ref().map(|id| id.as_bytes()),
        problem
    ])?;
    Ok(())
}

fn file(row: &Row<'_>) -> rusqlite::Result<WatchedFile> {
    let unsigned = |column: usize| row.get::<_, i64>(column).map(|number| number as u64);
    Ok(WatchedFile {
        path: row.get(0)?,
        stamp: Stamp {
            device: unsigned(1)?,
            inode: unsigned(2)?,
            size: unsigned(3)?,
            modified: row.get(4)?,
            changed: row.get(5)?,
        },
        conversation: row.get::<_, Option<_>>(6)?.map(ConversationId::from_bytes),
        problem: row.get(7)?,
    })
}
