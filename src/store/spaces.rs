//! Spaces: the generations of vectors, one that serves and perhaps one that is being filled.
//!
//! A database begins with a space that has no model, so that jobs are queued before there is one; the first model
//! takes it over.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::fault::damaged;
use super::readers::READ_DEADLINE;
use super::rows::count;
use super::{Store, chunks};
use crate::error::{Error, Result};

/// One generation of vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// Its number, never used twice.
    pub id: i64,
    /// The model's name.
    pub model: String,
    /// What tells the model from others of the same name.
    pub fingerprint: String,
    /// Numbers in a vector.
    pub dimension: u32,
    /// The version of the rules by which texts were cut.
    pub chunker: u32,
    /// Whether it answers searches.
    pub state: SpaceState,
    /// The generation's number as clients see it: `id`.
    pub generation: u64,
}

/// Whether a space answers searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpaceState {
    /// It is being filled while another serves.
    Building,
    /// It answers searches.
    Serving,
}

/// Rows that one step of clearing a dropped space away deletes: it keeps other writes waiting for some tens of
/// milliseconds.
const PURGE_STEP: usize = 10_000;

impl Store {
    /// The spaces, oldest first.
    pub async fn spaces(&self) -> Result<Vec<Space>> {
        self.read(READ_DEADLINE, |db| query(db, "WHERE state < 2 AND fingerprint <> ''", [])).await
    }

    /// The space of this model, made if there is none; a new one has a job for every chunk. The first space serves
    /// at once, a later one is being filled until [`Store::promote_space`]. A space that is being filled for some
    /// other model is given up.
    pub async fn ensure_space(
        &self,
        model: &str,
        fingerprint: &str,
        dimension: u32,
        chunker: u32,
    ) -> Result<Space> {
        if fingerprint.is_empty() {
            return Err(Error::internal("a model came without a fingerprint"));
        }
        let (model, fingerprint) = (model.to_owned(), fingerprint.to_owned());
        let space = self
            .write(move |db| {
                db.execute(
                    "UPDATE embed_space SET state = 2 WHERE state = 0 AND fingerprint <> ''
                       AND (fingerprint, dimension, chunker) <> (?1, ?2, ?3)",
                    params![fingerprint, dimension, chunker],
                )?;
                let same = "WHERE state < 2 AND (fingerprint, dimension, chunker) = (?1, ?2, ?3)
                            ORDER BY state";
                if let Some(space) = query(db, same, params![fingerprint, dimension, chunker])?.pop() {
                    return Ok(space);
                }
                let waiting: Option<i64> = db
                    .query_row("SELECT id FROM embed_space WHERE fingerprint = '' AND state = 0", [], |row| row.get(0))
                    .optional()?;
                if let Some(id) = waiting {
                    db.execute(
                        "UPDATE embed_space SET model = ?2, fingerprint = ?3, dimension = ?4, chunker = ?5, state = 1
                         WHERE id = ?1",
                        params![id, model, fingerprint, dimension, chunker],
                    )?;
                    return one(db, id);
                }
                begin(db, &model, &fingerprint, dimension, chunker)
            })
            .await?;
        self.purge().await?;
        Ok(space)
    }

    /// Another generation of a space's model, being filled with a job for every chunk; one that is being filled
    /// already is answered as it is.
    pub async fn new_generation(&self, of: i64) -> Result<Space> {
        self.write(move |db| {
            let Space { model, fingerprint, dimension, chunker, .. } = one(db, of)?;
            let building = "WHERE state = 0 AND (fingerprint, dimension, chunker) = (?1, ?2, ?3)";
            match query(db, building, params![fingerprint, dimension, chunker])?.pop() {
                Some(space) => Ok(space),
                None => begin(db, &model, &fingerprint, dimension, chunker),
            }
        })
        .await
    }

    /// Lets a space serve; the others are dropped with their jobs and answered.
    pub async fn promote_space(&self, id: i64) -> Result<Vec<Space>> {
        let dropped = self
            .write(move |db| {
                one(db, id)?;
                let others = query(db, "WHERE state < 2 AND id <> ?1", [id])?;
                db.execute("UPDATE embed_space SET state = 2 WHERE id <> ?1", [id])?;
                db.execute("UPDATE embed_space SET state = 1 WHERE id = ?1", [id])?;
                Ok(others)
            })
            .await?;
        self.purge().await?;
        Ok(dropped)
    }

    /// How many chunks are not in the space's index yet, those included whose jobs were given up.
    pub async fn pending(&self, space: i64) -> Result<u64> {
        self.read(READ_DEADLINE, move |db| {
            let pending = db
                .prepare_cached(
                    "SELECT s.chunks - e.vectors FROM store s JOIN embed_space e ON e.id = ?1 WHERE s.id = 1",
                )?
                .query_row([space], |row| count(row, 0))
                .optional()?;
            pending.ok_or_else(|| no_space(space))
        })
        .await
    }

    /// Jobs of a space that wait or are being done; those that were given up are not among them.
    pub async fn unfinished(&self, space: i64) -> Result<u64> {
        self.read(READ_DEADLINE, move |db| {
            let unfinished = db
                .prepare_cached("SELECT ready + leased FROM embed_space WHERE id = ?1")?
                .query_row([space], |row| count(row, 0))
                .optional()?;
            unfinished.ok_or_else(|| no_space(space))
        })
        .await
    }

    /// Clears dropped spaces away, in steps between which other writes get their turn.
    pub(super) async fn purge(&self) -> Result<()> {
        while self.write(purge_step).await? {}
        Ok(())
    }
}

fn no_space(id: i64) -> Error {
    Error::not_found(format_args!("generation {id} of the index"))
}

fn begin(db: &Connection, model: &str, fingerprint: &str, dimension: u32, chunker: u32) -> Result<Space> {
    let state = "SELECT CASE WHEN EXISTS (SELECT 1 FROM embed_space WHERE state = 1) THEN 0 ELSE 1 END";
    let state: i64 = db.query_row(state, [], |row| row.get(0))?;
    db.execute(
        "INSERT INTO embed_space(model, fingerprint, dimension, chunker, state) VALUES(?1, ?2, ?3, ?4, ?5)",
        params![model, fingerprint, dimension, chunker, state],
    )?;
    let id = db.last_insert_rowid();
    chunks::queue_all(db, id)?;
    one(db, id)
}

fn one(db: &Connection, id: i64) -> Result<Space> {
    query(db, "WHERE id = ?1 AND state < 2 AND fingerprint <> ''", [id])?.pop().ok_or_else(|| no_space(id))
}

/// The spaces that `rest` names; the last is the preferred one where it sorts.
fn query(db: &Connection, rest: &str, params: impl rusqlite::Params) -> Result<Vec<Space>> {
    let sql = format!("SELECT id, model, fingerprint, dimension, chunker, state FROM embed_space {rest}");
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query(params)?;
    let mut spaces = Vec::new();
    while let Some(row) = found.next()? {
        spaces.push(space(row)?);
    }
    Ok(spaces)
}

fn space(row: &Row<'_>) -> Result<Space> {
    let id: i64 = row.get(0)?;
    Ok(Space {
        id,
        model: row.get(1)?,
        fingerprint: row.get(2)?,
        dimension: row.get(3)?,
        chunker: row.get(4)?,
        state: match row.get::<_, i64>(5)? {
            0 => SpaceState::Building,
            1 => SpaceState::Serving,
            _ => return Err(damaged("an unknown state of a generation")),
        },
        generation: id.unsigned_abs(),
    })
}

/// Deletes some rows of a dropped space; false: nothing is left to delete.
fn purge_step(db: &Connection) -> Result<bool> {
    let dropped: Option<i64> = db
        .query_row("SELECT id FROM embed_space WHERE state = 2 LIMIT 1", [], |row| row.get(0))
        .optional()?;
    let Some(space) = dropped else { return Ok(false) };
    let step = PURGE_STEP as i64;
    let jobs = "DELETE FROM embed_job WHERE id IN (SELECT id FROM embed_job WHERE space_id = ?1 LIMIT ?2)";
    let vectors = "DELETE FROM chunk_vector WHERE space_id = ?1 AND chunk_id IN
                   (SELECT chunk_id FROM chunk_vector WHERE space_id = ?1 LIMIT ?2)";
    let mut deleted = db.prepare_cached(jobs)?.execute(params![space, step])?;
    if deleted == 0 {
        deleted = db.prepare_cached(vectors)?.execute(params![space, step])?;
    }
    if deleted == 0 {
        db.execute("DELETE FROM embed_space WHERE id = ?1", [space])?;
    }
    Ok(true)
}
