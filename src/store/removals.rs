//! The jobs that take vectors out of the index, all of a space at once: who forgets does not wait for a model.

use rusqlite::params;

use super::Store;
use super::readers::READ_DEADLINE;
use crate::error::Result;

/// Jobs that are taken at a time.
const BATCH: i64 = 4096;
/// Jobs that are looked at at a time.
const SCAN: i64 = 20_000;

impl Store {
    /// Chunks whose vectors are to leave a space's index, some thousands at most. Call it when no job is leased.
    pub async fn removals(&self, space: i64) -> Result<Vec<u32>> {
        // those that failed before are due now as well
        self.write(move |db| {
            for sql in [WAKE_WAITING, WAKE_DEAD] {
                db.prepare_cached(sql)?.execute([space])?;
            }
            Ok(())
        })
        .await?;
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(REMOVALS)?;
            let found = statement.query_map([space, BATCH], |row| row.get(0))?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Chunks that are to be embedded again, among some thousands of a space's jobs behind `after`: what the index has
    /// of them was made from a text that stood before theirs and has changed or gone. With the job to go on behind;
    /// none: there are no more.
    pub async fn outdated(&self, space: i64, after: i64) -> Result<(Vec<u32>, Option<i64>)> {
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(OUTDATED)?;
            let mut rows = statement.query([after, SCAN])?;
            let (mut outdated, mut last) = (Vec::new(), None);
            while let Some(row) = rows.next()? {
                last = Some(row.get(0)?);
                if row.get::<_, i64>(1)? == space && row.get(2)? {
                    outdated.push(row.get(3)?);
                }
            }
            Ok((outdated, last))
        })
        .await
    }

    /// Notes that these vectors are out of the index.
    pub async fn removed(&self, space: i64, chunks: Vec<u32>) -> Result<()> {
        self.write(move |db| {
            let mut delete = db.prepare_cached(
                "DELETE FROM embed_job WHERE space_id = ?1 AND chunk_id = ?2 AND kind = 1 AND state <> 1",
            )?;
            for chunk in chunks {
                delete.execute(params![space, chunk])?;
            }
            Ok(())
        })
        .await
    }
}

const WAKE_WAITING: &str = "UPDATE embed_job INDEXED BY embed_job_waiting SET state = 0
   WHERE state = 3 AND space_id = ?1 AND kind = 1";
const WAKE_DEAD: &str =
    "UPDATE embed_job INDEXED BY embed_job_dead SET state = 0 WHERE state = 2 AND space_id = ?1 AND kind = 1";
pub(super) const REMOVALS: &str = "SELECT chunk_id FROM embed_job INDEXED BY embed_job_ready
   WHERE state = 0 AND space_id = ?1 AND kind = 1 ORDER BY chunk_id LIMIT ?2";
pub(super) const OUTDATED: &str = "SELECT id, space_id, kind = 0 AND touched = 1, chunk_id FROM embed_job
   WHERE id > ?1 ORDER BY id LIMIT ?2";
