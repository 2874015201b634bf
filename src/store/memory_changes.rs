//! The tree and the past of memories, and many changes in one transaction.

use rusqlite::{Connection, params};

use super::memories::{add, change, find, get};
use super::readers::READ_DEADLINE;
use super::records::NewMemory;
use super::rows::{self, count, select_memory};
use super::trash::move_memory;
use super::{Store, chunks};
use crate::api::memory::{MemoryMove, MemoryPath, MemoryPaths, MemoryUpdate};
use crate::error::{Error, Result};
use crate::model::{ChunkRange, ClientRef, Memory, MemoryId, Timestamp};

/// Paths that are listed at most.
const MAX_PATHS: i64 = 1000;
/// Former versions that are listed at most.
const MAX_VERSIONS: i64 = 1000;

/// One step of [`Store::apply`].
#[derive(Debug, Clone, PartialEq)]
pub enum MemoryStep {
    /// Stores a memory.
    Add(Box<NewMemory>),
    /// Changes one; with the chunks of a new text.
    Change(Box<MemoryUpdate>, Option<Vec<ChunkRange>>),
    /// Moves one into the trash, if it is there.
    Remove(MemoryId),
}

/// What became of a [`MemoryStep`].
#[derive(Debug)]
pub enum StepResult {
    /// The memory as it is now.
    Done(Box<Memory>),
    /// It lies in the trash.
    Removed,
    /// It was not there to be deleted.
    Gone,
}

impl Store {
    /// What stands in the place of this memory, or of the one that replaced it, and what that had replaced, the
    /// newest first.
    pub async fn memory_history(&self, id: MemoryId) -> Result<Vec<Memory>> {
        self.read(READ_DEADLINE, move |db| {
            let (_, asked) = get(db, id)?;
            let current = match asked.superseded_by {
                Some(now) => find(db, now)?.map_or(asked, |(_, memory)| memory),
                None => asked,
            };
            let mut statement = db.prepare_cached(HISTORY)?;
            let mut found = statement.query(params![current.id.as_bytes(), MAX_VERSIONS])?;
            let mut versions = vec![current];
            while let Some(row) = found.next()? {
                versions.push(rows::memory(row)?);
            }
            Ok(versions)
        })
        .await
    }

    /// The paths at which memories are that hold, in their order.
    pub async fn memory_paths(&self, paths: MemoryPaths) -> Result<Vec<MemoryPath>> {
        let MemoryPaths { project, path } = paths;
        self.read(READ_DEADLINE, move |db| {
            let now = Timestamp::now().as_millis();
            let mut statement = db.prepare_cached(PATHS)?;
            let mut found = statement.query(params![path, project, now, MAX_PATHS])?;
            let mut paths = Vec::new();
            while let Some(row) = found.next()? {
                paths.push(MemoryPath { path: row.get(0)?, memories: count(row, 1)? });
            }
            Ok(paths)
        })
        .await
    }

    /// Moves a path and all below it; answers how many memories moved.
    pub async fn move_memories(&self, moving: MemoryMove) -> Result<u64> {
        let MemoryMove { from, to, project } = moving;
        self.write(move |db| {
            let moved =
                db.prepare_cached(MOVE)?.execute(params![from, to, project, Timestamp::now().as_millis()])?;
            Ok(moved as u64)
        })
        .await
    }

    /// Does all steps, or none: the first that fails ends it, with its error in the place of its result and nothing
    /// changed.
    pub async fn apply(
        &self,
        steps: Vec<MemoryStep>,
        client: Option<ClientRef>,
    ) -> Result<Vec<Result<StepResult>>> {
        for step in &steps {
            if let MemoryStep::Add(new) = step {
                chunks::check(&new.content, &new.chunks)?;
            }
        }
        self.write(move |db| {
            db.prepare_cached("SAVEPOINT steps")?.execute([])?;
            let mut results = Vec::with_capacity(steps.len());
            for step in steps {
                let result = run(db, step, client.as_ref());
                // a full disk takes the whole transaction back, the savepoint with it
                if let Err(error) = result.as_ref()
                    && db.is_autocommit()
                {
                    return Err(Error::new(error.kind(), error.full_text()));
                }
                let failed = result.is_err();
                results.push(result);
                if failed {
                    db.prepare_cached("ROLLBACK TO steps")?.execute([])?;
                    break;
                }
            }
            db.prepare_cached("RELEASE steps")?.execute([])?;
            Ok(results)
        })
        .await
    }
}

fn run(db: &Connection, step: MemoryStep, client: Option<&ClientRef>) -> Result<StepResult> {
    Ok(match step {
        MemoryStep::Add(new) => StepResult::Done(Box::new(add(db, *new, client)?.record)),
        MemoryStep::Change(update, chunks) => StepResult::Done(Box::new(change(db, *update, chunks)?)),
        MemoryStep::Remove(id) if move_memory(db, id)?.deleted => StepResult::Removed,
        MemoryStep::Remove(_) => StepResult::Gone,
    })
}

pub(super) const HISTORY: &str =
    select_memory!("WHERE m.superseded_by = ?1 ORDER BY m.updated_at DESC, m.id DESC LIMIT ?2");

/// Its first conditions are those of the index `memory_by_path`; '0' is the character behind '/'.
pub(super) const PATHS: &str = "SELECT m.path, count(*) FROM memory m
   WHERE m.superseded_by IS NULL AND m.path IS NOT NULL
     AND (?1 IS NULL OR m.path = ?1 OR (m.path > ?1 || '/' AND m.path < ?1 || '0'))
     AND (?2 IS NULL OR m.project_id = (SELECT id FROM project WHERE name = ?2))
     AND (m.expires_at IS NULL OR m.expires_at > ?3)
   GROUP BY m.path ORDER BY m.path LIMIT ?4";

pub(super) const MOVE: &str = "UPDATE memory SET updated_at = max(?4, created_at + 1),
     path = CASE WHEN path = ?1 THEN ?2 ELSE coalesce(?2 || '/', '') || substr(path, length(?1) + 2) END
   WHERE superseded_by IS NULL AND path IS NOT NULL
     AND (path = ?1 OR (path > ?1 || '/' AND path < ?1 || '0'))
     AND (?3 IS NULL OR project_id = (SELECT id FROM project WHERE name = ?3))";
