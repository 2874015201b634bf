//! The writer: groups, failures, panics, a full disk, the end.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Error, Kind, Result};
use crate::store::writer::Writer;

fn writer() -> (tempfile::TempDir, Arc<Writer>) {
    let folder = tempfile::tempdir().unwrap();
    let db = Connection::open(folder.path().join("a.db")).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)").unwrap();
    (folder, Arc::new(Writer::start(db).unwrap()))
}

/// Keeps the thread busy until the answer is dropped, so that what is sent meanwhile forms one group.
async fn block(writer: &Arc<Writer>) -> (std::sync::mpsc::Sender<()>, tokio::task::JoinHandle<Result<()>>) {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (begun, started) = oneshot::channel();
    let busy = Arc::clone(writer);
    let task = tokio::spawn(async move {
        busy.write(move |_| {
            let _ = begun.send(());
            let _ = held.recv();
            Ok(())
        })
        .await
    });
    started.await.unwrap();
    (release, task)
}

async fn rows(writer: &Writer) -> Vec<i64> {
    writer
        .write(|db| {
            let mut rows = db.prepare("SELECT a FROM t ORDER BY a")?;
            let rows = rows.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
            Ok(rows)
        })
        .await
        .unwrap()
}

fn insert(db: &Connection, a: i64) -> Result<()> {
    db.execute("INSERT INTO t VALUES(?1, NULL)", [a])?;
    Ok(())
}

#[tokio::test]
async fn a_failing_request_does_not_fail_its_neighbours() {
    let (_folder, writer) = writer();
    let (release, task) = block(&writer).await;
    let mut group = Vec::new();
    for a in 0..20 {
        let writer = Arc::clone(&writer);
        group.push(tokio::spawn(async move {
            writer
                .write(move |db| {
                    insert(db, a)?;
                    match a % 3 {
                        1 => Err(Error::invalid("no")),
                        2 => panic!("boom {a}"),
                        _ => Ok(a),
                    }
                })
                .await
        }));
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    task.await.unwrap().unwrap();
    for (a, result) in group.into_iter().enumerate() {
        match (a % 3, result.await.unwrap()) {
            (0, Ok(b)) => assert_eq!(a as i64, b),
            (1, Err(error)) => assert_eq!(error.kind(), Kind::Invalid),
            (2, Err(error)) => {
                assert_eq!(error.kind(), Kind::Internal);
                assert!(error.to_string().contains(&format!("boom {a}")), "{error}");
            }
            (_, other) => panic!("{a}: {other:?}"),
        }
    }
    assert_eq!(rows(&writer).await, (0..20).filter(|a| a % 3 == 0).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_request_alone_is_rolled_back_whole() {
    let (_folder, writer) = writer();
    let failed = writer.write(|db| insert(db, 1).and(Err::<(), _>(Error::invalid("no")))).await;
    assert_eq!(failed.unwrap_err().kind(), Kind::Invalid);
    assert_eq!(rows(&writer).await, [0; 0]);
}

#[tokio::test]
async fn a_full_disk_fails_cleanly_and_writing_goes_on_after() {
    let (_folder, writer) = writer();
    writer.write(|db| insert(db, 1)).await.unwrap();
    writer.write(|db| Ok(db.execute_batch("PRAGMA max_page_count = 8")?)).await.unwrap();
    for size in [100_000, 1_000_000] {
        let full = writer
            .write(move |db| {
                db.execute("INSERT INTO t(b) VALUES(zeroblob(?1))", [size])?;
                Ok(())
            })
            .await
            .unwrap_err();
        assert_eq!(full.kind(), Kind::StorageFull, "{full}");
        assert!(full.hint_text().is_some());
    }
    writer.write(|db| Ok(db.execute_batch("PRAGMA max_page_count = 100000")?)).await.unwrap();
    writer.write(|db| insert(db, 2)).await.unwrap();
    assert_eq!(rows(&writer).await, [1, 2]);
}

#[tokio::test]
async fn if_the_database_rolls_back_by_itself_the_whole_group_is_told() {
    let (_folder, writer) = writer();
    let (release, task) = block(&writer).await;
    let mut group = Vec::new();
    for a in 0..3 {
        let writer = Arc::clone(&writer);
        group.push(tokio::spawn(async move {
            writer
                .write(move |db| {
                    insert(db, a)?;
                    if a == 1 {
                        // what SQLite does on SQLITE_FULL and SQLITE_IOERR
                        db.execute_batch("ROLLBACK")?;
                        return Err(Error::new(Kind::StorageFull, "full"));
                    }
                    Ok(())
                })
                .await
        }));
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    task.await.unwrap().unwrap();
    let mut kinds = Vec::new();
    for result in group {
        kinds.push(result.await.unwrap().err().map(|error| error.kind()));
    }
    assert_eq!(kinds, [Some(Kind::StorageFull), Some(Kind::StorageFull), None]);
    assert_eq!(rows(&writer).await, [2]);
}

#[tokio::test]
async fn close_lets_what_waits_run_and_refuses_what_comes_later() {
    let (_folder, writer) = writer();
    let (release, task) = block(&writer).await;
    let waiting = Arc::clone(&writer);
    let waiting = tokio::spawn(async move { waiting.write(|db| insert(db, 7)).await });
    tokio::task::yield_now().await;
    release.send(()).unwrap();
    writer.close().await.unwrap();
    task.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap();
    let late = writer.write(|db| insert(db, 8)).await.unwrap_err();
    assert_eq!(late.kind(), Kind::Busy);
    assert_eq!(writer.close().await.unwrap_err().kind(), Kind::Busy);
}
