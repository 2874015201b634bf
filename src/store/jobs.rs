//! The queue as people see it: listed, counted, tried again.

use rusqlite::params;

use super::Store;
use super::fault::damaged;
use super::page::{Filling, begin, json_bytes, rows as page_rows};
use super::queue::job_kind;
use super::readers::READ_DEADLINE;
use super::rows::{count, time};
use crate::api::Page;
use crate::api::job::{Job, JobList, JobRetry, JobState};
use crate::api::system::QueueCounts;
use crate::error::Result;
use crate::model::{JobId, MemoryId, MessageId, Timestamp};

macro_rules! select_job {
    ($index:literal, $condition:literal) => {
        concat!(
            "SELECT j.id, j.kind, j.state, j.attempts, j.run_at, j.last_error, m.uid, f.uid
             FROM embed_job j ",
            $index,
            " LEFT JOIN chunk k ON k.id = j.chunk_id
               LEFT JOIN message m ON m.id = k.message_id LEFT JOIN memory f ON f.id = k.memory_id
             WHERE ",
            $condition,
            " AND j.id > ?1 ORDER BY j.id LIMIT ?2"
        )
    };
}
pub(super) const LIST: &str = select_job!("NOT INDEXED", "TRUE");
pub(super) const LIST_READY: &str = select_job!("NOT INDEXED", "j.state IN (0, 3)");
pub(super) const LIST_LEASED: &str = select_job!("INDEXED BY embed_job_leased", "j.state = 1");
pub(super) const LIST_DEAD: &str = select_job!("INDEXED BY embed_job_dead", "j.state = 2");

impl Store {
    /// Jobs, oldest first.
    pub async fn jobs(&self, list: JobList) -> Result<Page<Job>> {
        let JobList { state, limit, cursor } = list;
        let limit = page_rows(limit);
        let (id, _) = begin(cursor.as_ref(), (0, 0))?;
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(match state {
                None => LIST,
                Some(JobState::Ready) => LIST_READY,
                Some(JobState::Leased) => LIST_LEASED,
                Some(JobState::Dead) => LIST_DEAD,
            })?;
            let mut found = statement.query(params![id, limit as i64 + 1])?;
            let mut page = Filling::new(limit);
            while let Some(row) = found.next()? {
                let job = Job {
                    id: JobId(row.get(0)?),
                    kind: job_kind(row.get(1)?),
                    state: match row.get::<_, i64>(2)? {
                        0 | 3 => JobState::Ready,
                        1 => JobState::Leased,
                        2 => JobState::Dead,
                        _ => return Err(damaged("an unknown state of a job")),
                    },
                    attempts: row.get(3)?,
                    run_at: time(row, 4)?,
                    last_error: row.get(5)?,
                    message_id: row.get::<_, Option<_>>(6)?.map(MessageId::from_bytes),
                    memory_id: row.get::<_, Option<_>>(7)?.map(MemoryId::from_bytes),
                };
                let bytes = job.last_error.as_deref().map_or(0, json_bytes);
                let key = (job.id.0, 0);
                if !page.push(job, key, bytes) {
                    break;
                }
            }
            Ok(page.finish())
        })
        .await
    }

    /// Makes jobs due at once that were given up or wait after a failure; without ids, all that were given up.
    /// Answers how many they were.
    pub async fn retry_jobs(&self, retry: JobRetry) -> Result<u64> {
        self.write(move |db| {
            let now = Timestamp::now().as_millis();
            let Some(ids) = retry.ids else {
                return Ok(db.prepare_cached(RETRY_ALL)?.execute([now])? as u64);
            };
            let mut again = db.prepare_cached(
                "UPDATE embed_job SET state = 0, attempts = 0, run_at = ?2 WHERE id = ?1 AND state IN (2, 3)",
            )?;
            let mut retried = 0;
            for id in ids {
                retried += again.execute(params![id.0, now])? as u64;
            }
            Ok(retried)
        })
        .await
    }

    /// How many jobs are in which state, in all spaces; kept by triggers, so that nothing is counted here.
    pub async fn queue_counts(&self) -> Result<QueueCounts> {
        self.read(READ_DEADLINE, |db| {
            let counts = db
                .prepare_cached(
                    "SELECT coalesce(sum(ready), 0), coalesce(sum(leased), 0), coalesce(sum(dead), 0)
                     FROM embed_space WHERE state < 2",
                )?
                .query_row([], |row| {
                    Ok(QueueCounts { ready: count(row, 0)?, leased: count(row, 1)?, dead: count(row, 2)? })
                })?;
            Ok(counts)
        })
        .await
    }
}

pub(super) const RETRY_ALL: &str =
    "UPDATE embed_job INDEXED BY embed_job_dead SET state = 0, attempts = 0, run_at = ?1 WHERE state = 2";
