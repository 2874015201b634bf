//! The durable queue of what is to be embedded: leased, then completed, failed or given back.
//!
//! A job is done at least once: the vector is written to the index first, and then the job is completed here. Every
//! lease has a token of its own, so that a late word about a job that somebody else has by now changes nothing.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::context::{self, Passage};
use super::readers::READ_DEADLINE;
use super::{Store, fault};
use crate::api::job::JobKind;
use crate::error::Result;
use crate::model::{JobId, Timestamp};

/// Tries after which a job is given up.
pub const MAX_ATTEMPTS: u32 = 8;
/// What a first failure waits, in milliseconds; every further one waits twice as long.
const FIRST_BACKOFF: i64 = 1_000;
/// What a second crash waits, in milliseconds; every further one twice as long. Long enough that systemd does not give
/// the daemon up, which it does after five starts in a minute.
const CRASH_BACKOFF: i64 = 20_000;
/// What a failure waits at most, in milliseconds.
const MAX_BACKOFF: i64 = 3_600_000;
/// What is kept of the text of an error, in bytes.
const MAX_ERROR_BYTES: usize = 1_000;

/// A job that the caller holds until its lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct LeasedJob {
    /// Its id.
    pub id: JobId,
    /// What to do.
    pub kind: JobKind,
    /// The chunk, which is its vector's id.
    pub chunk: u32,
    /// How often it was tried, this time included.
    pub attempts: u32,
    /// The space it belongs to.
    pub space: i64,
    /// The token of this lease.
    pub lease: i64,
    /// What to embed; none where a vector is to be removed.
    pub passage: Option<Passage>,
}

/// The next token. Tokens of an earlier run do not matter: opening the store ends every lease.
static NEXT_LEASE: AtomicI64 = AtomicI64::new(1);

impl Store {
    /// Takes at most `limit` jobs of a space that are due, for `ttl`: removals first, then the newest chunks; one that
    /// was tried before comes alone. Jobs whose lease has run out are due again.
    pub async fn lease(&self, space: i64, limit: usize, ttl: Duration) -> Result<Vec<LeasedJob>> {
        self.write(move |db| {
            let now = Timestamp::now().as_millis();
            // a worker that died without a word counts as a failed try, or a text that kills it would do so forever
            db.prepare_cached(RECLAIM)?.execute(params![space, now, MAX_ATTEMPTS])?;
            db.prepare_cached(WAKE)?.execute(params![space, now])?;
            let mut jobs = due(db, space, limit)?;
            // what failed or was held at a crash is tried alone: it must not take others down with it again and again
            if let Some(place) = jobs.iter().position(|job| job.attempts > 0) {
                jobs.truncate(place.max(1));
            }
            let lease = NEXT_LEASE.fetch_add(1, Ordering::Relaxed);
            let end = now.saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
            let mut take = db.prepare_cached(
                "UPDATE embed_job SET state = 1, touched = 1, attempts = attempts + 1, lease = ?2, run_at = ?3
                 WHERE id = ?1",
            )?;
            for job in &mut jobs {
                take.execute(params![job.id.0, lease, end])?;
                job.lease = lease;
                job.attempts += 1;
            }
            context::add_passages(db, &mut jobs)?;
            Ok(jobs)
        })
        .await
    }

    /// Notes jobs as done. Answers how many the caller still held; the others count for nothing.
    pub async fn complete(&self, jobs: &[LeasedJob]) -> Result<usize> {
        let jobs = keys(jobs);
        self.write(move |db| {
            let mut delete =
                db.prepare_cached("DELETE FROM embed_job WHERE id = ?1 AND lease = ?2 AND kind = ?3")?;
            let mut note =
                db.prepare_cached("INSERT INTO chunk_vector(space_id, chunk_id) VALUES(?1, ?2)")?;
            let mut completed = 0;
            for Key { id, lease, kind, space, chunk } in jobs {
                let held = delete.execute(params![id, lease, kind_number(kind)])? > 0;
                if held && kind == JobKind::Embed {
                    note.execute(params![space, chunk])?;
                }
                completed += usize::from(held);
            }
            Ok(completed)
        })
        .await
    }

    /// Notes that jobs failed: they are due again after a while that grows with each failure, and are given up
    /// after [`MAX_ATTEMPTS`] tries. Answers how many the caller still held.
    pub async fn fail(&self, jobs: &[LeasedJob], error: &str) -> Result<usize> {
        let error = fault::shorten(error, MAX_ERROR_BYTES).to_owned();
        let jobs = keys(jobs);
        self.write(move |db| {
            let now = Timestamp::now().as_millis();
            let mut fail = db.prepare_cached(
                "UPDATE embed_job SET lease = NULL, last_error = ?3,
                   state = CASE WHEN attempts >= ?4 THEN 2 ELSE 3 END,
                   run_at = ?5 + CASE WHEN attempts >= ?4 THEN 0 ELSE min(?6, ?7 << (attempts - 1)) END
                 WHERE id = ?1 AND lease = ?2",
            )?;
            let mut failed = 0;
            for Key { id, lease, .. } in jobs {
                failed +=
                    fail.execute(params![id, lease, error, MAX_ATTEMPTS, now, MAX_BACKOFF, FIRST_BACKOFF])?;
            }
            Ok(failed)
        })
        .await
    }

    /// Gives jobs back untried; they are due at once. Answers how many the caller still held.
    pub async fn release(&self, jobs: &[LeasedJob]) -> Result<usize> {
        let jobs = keys(jobs);
        self.write(move |db| {
            let now = Timestamp::now().as_millis();
            let mut release = db.prepare_cached(
                "UPDATE embed_job SET state = 0, attempts = attempts - 1, lease = NULL, run_at = ?3
                 WHERE id = ?1 AND lease = ?2",
            )?;
            let mut released = 0;
            for Key { id, lease, .. } in jobs {
                released += release.execute(params![id, lease, now])?;
            }
            Ok(released)
        })
        .await
    }

    /// When the next job of a space is due, or the next lease ends; none: the queue is empty but for what was given
    /// up. A time that has passed means now.
    pub async fn next_due(&self, space: i64) -> Result<Option<Timestamp>> {
        self.read(READ_DEADLINE, move |db| {
            let first = |sql| -> Result<Option<i64>> {
                Ok(db.prepare_cached(sql)?.query_row([space], |row| row.get(0)).optional()?.flatten())
            };
            let times = [first(NEXT_READY)?, first(NEXT_WAITING)?, first(NEXT_LEASED)?];
            Ok(times.into_iter().flatten().min().map(Timestamp::from_millis))
        })
        .await
    }
}

/// Ends every lease, when the store is opened: one daemon owns the file, so whoever held one was killed, perhaps by
/// the text itself. It counts as a failed try, or such a text would kill each new daemon for ever. The first such try
/// is repeated at once, for mostly the text is innocent; later ones wait.
pub(super) fn end_leases(db: &Connection) -> Result<()> {
    db.execute(
        "UPDATE embed_job SET lease = NULL, last_error = 'the daemon was killed meanwhile',
           state = CASE WHEN attempts >= ?2 THEN 2 WHEN attempts > 1 THEN 3 ELSE 0 END,
           run_at = ?1 + CASE WHEN attempts >= ?2 OR attempts <= 1 THEN 0 ELSE min(?3, ?4 << (attempts - 2)) END
         WHERE state = 1",
        params![Timestamp::now().as_millis(), MAX_ATTEMPTS, MAX_BACKOFF, CRASH_BACKOFF],
    )?;
    Ok(())
}

// The indexes are named because statistics may lead the planner to a scan of all jobs of a space.
pub(super) const RECLAIM: &str =
    "UPDATE embed_job INDEXED BY embed_job_leased SET lease = NULL, last_error = 'the lease ran out',
   state = CASE WHEN attempts >= ?3 THEN 2 ELSE 0 END WHERE state = 1 AND space_id = ?1 AND run_at <= ?2";
pub(super) const WAKE: &str = "UPDATE embed_job INDEXED BY embed_job_waiting SET state = 0
   WHERE state = 3 AND space_id = ?1 AND run_at <= ?2";
pub(super) const DUE: &str = "SELECT id, kind, chunk_id, attempts FROM embed_job INDEXED BY embed_job_ready
   WHERE state = 0 AND space_id = ?1 ORDER BY kind DESC, chunk_id DESC LIMIT ?2";
pub(super) const NEXT_READY: &str =
    "SELECT run_at FROM embed_job INDEXED BY embed_job_ready WHERE state = 0 AND space_id = ?1 LIMIT 1";
pub(super) const NEXT_WAITING: &str =
    "SELECT min(run_at) FROM embed_job INDEXED BY embed_job_waiting WHERE state = 3 AND space_id = ?1";
pub(super) const NEXT_LEASED: &str =
    "SELECT min(run_at) FROM embed_job INDEXED BY embed_job_leased WHERE state = 1 AND space_id = ?1";
/// What names a job in the writer.
struct Key {
    id: i64,
    lease: i64,
    kind: JobKind,
    space: i64,
    chunk: u32,
}

fn keys(jobs: &[LeasedJob]) -> Vec<Key> {
    let key = |job: &LeasedJob| Key {
        id: job.id.0,
        lease: job.lease,
        kind: job.kind,
        space: job.space,
        chunk: job.chunk,
    };
    jobs.iter().map(key).collect()
}

fn kind_number(kind: JobKind) -> i64 {
    match kind {
        JobKind::Embed => 0,
        JobKind::Remove => 1,
    }
}

pub(super) fn job_kind(number: i64) -> JobKind {
    if number == 0 { JobKind::Embed } else { JobKind::Remove }
}

fn due(db: &Connection, space: i64, limit: usize) -> Result<Vec<LeasedJob>> {
    let mut statement = db.prepare_cached(DUE)?;
    let mut found = statement.query(params![space, limit as i64])?;
    let mut jobs = Vec::new();
    while let Some(row) = found.next()? {
        jobs.push(LeasedJob {
            id: JobId(row.get(0)?),
            kind: job_kind(row.get(1)?),
            chunk: row.get(2)?,
            attempts: row.get(3)?,
            space,
            lease: 0,
            passage: None,
        });
    }
    Ok(jobs)
}
