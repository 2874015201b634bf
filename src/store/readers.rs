//! The connections that read: a small pool, each call one snapshot with a deadline.

use std::path::Path;
use std::time::{Duration, Instant};

use deadpool_sqlite::{Config, Hook, HookError, InteractError, Pool, PoolConfig, PoolError, Runtime};
use rusqlite::Connection;

use super::connection::prepare_reader;
use super::writer::closed;
use crate::error::{Error, Kind, Result};

/// Readers at the same time. More only divide the processor between them: a read takes well under a millisecond.
const READERS: usize = 4;
/// What a read may take before it is given up.
pub(super) const READ_DEADLINE: Duration = Duration::from_secs(5);
/// Steps of SQLite's machine between two looks at the clock: some tens of microseconds.
const STEPS: i32 = 1000;

/// The pool; a cheap clone.
#[derive(Clone)]
pub(super) struct Readers(Pool);

impl Readers {
    /// Opens nothing yet: connections are made when they are first needed.
    pub(super) fn new(database: &Path) -> Result<Self> {
        let mut config = Config::new(read_only(database));
        config.pool = Some(PoolConfig::new(READERS));
        let prepare = Hook::async_fn(|connection, _| {
            Box::pin(async move {
                connection
                    .interact(|connection| prepare_reader(connection))
                    .await
                    .map_err(|error| HookError::message(error.to_string()))?
                    .map_err(HookError::Backend)
            })
        });
        let pool = match config.builder(Runtime::Tokio1) {
            Ok(builder) => builder.post_create(prepare).build(),
            Err(impossible) => match impossible {},
        };
        let pool = pool.map_err(|error| Error::internal(format!("make the pool of readers: {error}")))?;
        Ok(Self(pool))
    }

    /// Runs `work` over one snapshot of the database; what takes longer than the deadline is interrupted.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let connection = self.0.get().await.map_err(|error| match error {
            PoolError::Closed => closed(),
            PoolError::Backend(error) => Error::from(error).while_doing("open a reader"),
            other => Error::new(Kind::Storage, format!("open a reader: {other}")),
        })?;
        let done = connection.interact(move |connection| {
            let end = Instant::now() + deadline;
            connection.progress_handler(STEPS, Some(move || Instant::now() > end))?;
            let snapshot = connection.unchecked_transaction()?;
            let result = work(&snapshot);
            drop(snapshot);
            connection.progress_handler(0, None::<fn() -> bool>)?;
            result
        });
        done.await.unwrap_or_else(|error| {
            Err(match error {
                InteractError::Panic(_) => Error::internal("a read panicked"),
                InteractError::Cancelled => closed(),
            })
        })
    }

    /// Ends the pool; later reads are refused.
    pub(super) fn close(&self) {
        self.0.close();
    }
}

/// The name under which SQLite opens the file for reading only.
fn read_only(database: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in database.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                uri.push(char::from(*byte))
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri + "?mode=ro"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers(name: &str) -> (tempfile::TempDir, Readers) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let db = Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)")
            .unwrap();
        (folder, Readers::new(&path).unwrap())
    }

    fn sum(db: &Connection) -> Result<i64> {
        Ok(db.query_row("SELECT sum(a) FROM t", [], |row| row.get(0))?)
    }

    #[tokio::test]
    async fn any_path_can_be_read_and_none_written() {
        let (_folder, readers) = readers("a b?c#d%41é.db");
        assert_eq!(readers.read(READ_DEADLINE, sum).await.unwrap(), 3);
        let written = readers.read(READ_DEADLINE, |db| Ok(db.execute("DELETE FROM t", [])?)).await;
        assert!(written.is_err());
    }

    #[tokio::test]
    async fn an_endless_read_is_interrupted_and_the_reader_works_on() {
        let (_folder, readers) = readers("a.db");
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        for _ in 0..READERS + 1 {
            let stopped = readers
                .read(Duration::from_millis(20), |db| {
                    Ok(db.query_row(endless, [], |row| row.get::<_, i64>(0))?)
                })
                .await
                .unwrap_err();
            assert_eq!(stopped.kind(), Kind::Busy, "{stopped}");
        }
        assert_eq!(readers.read(READ_DEADLINE, sum).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_panic_costs_one_read() {
        let (_folder, readers) = readers("a.db");
        for _ in 0..READERS + 1 {
            let failed = readers.read(READ_DEADLINE, |_| -> Result<()> { panic!("boom") }).await.unwrap_err();
            assert_eq!(failed.kind(), Kind::Internal);
        }
        assert_eq!(readers.read(READ_DEADLINE, sum).await.unwrap(), 3);
        readers.close();
        assert_eq!(readers.read(READ_DEADLINE, sum).await.unwrap_err().kind(), Kind::Busy);
    }
}
