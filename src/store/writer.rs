//! The one writer: a thread that owns the writing connection and commits what waits in groups.
//!
//! A request is a closure over the connection, inside a transaction. The thread takes what waits, without waiting
//! for more, gives each request a savepoint of its own and answers only after the commit: sixteen clients share
//! one sync of the disk, and one client's error never undoes another's work.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Doing, Error, Kind, Result};

/// Requests that may wait; who comes later waits in line.
const QUEUE: usize = 1024;
/// Requests of one commit: more would only make the first of them wait longer.
const GROUP: usize = 256;

/// How long one request of something long works before it lets the others have their turn.
pub(super) const SLICE: std::time::Duration = std::time::Duration::from_millis(8);

/// A request that has run and waits for the commit.
struct Ran {
    /// Why it failed, if it did.
    failure: Option<Kind>,
    /// Tells the caller its own result, or else the error that took the whole group down.
    answer: Box<dyn FnOnce(Option<Error>) + Send>,
}

/// Runs a request, or refuses it with the reason why no transaction could begin.
type Work = Box<dyn FnOnce(Result<&Connection>) -> Ran + Send>;

enum Request {
    Write(Work),
    /// Between two transactions.
    Alone(Alone),
    /// Write the log back, close the database and end the thread.
    Close(oneshot::Sender<Result<()>>),
}

/// Runs something that begins its transactions itself, or needs that there is none.
type Alone = Box<dyn FnOnce(&mut Connection) + Send>;

/// The handle to the thread; it ends when this is dropped or closed.
pub(super) struct Writer {
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Gives the connection to a thread of its own.
    pub(super) fn start(connection: Connection) -> Result<Self> {
        let (requests, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || serve(connection, queue))
            .doing(Kind::Internal, "start the writer thread")?;
        Ok(Self { requests: Mutex::new(Some(requests)), thread: Mutex::new(Some(thread)) })
    }

    /// Runs `work` in a transaction and answers when it is committed. If the caller goes away meanwhile, the work
    /// is done all the same.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        let request = Request::Write(Box::new(move |connection| {
            let result = connection.and_then(|connection| {
                catch_unwind(AssertUnwindSafe(|| work(connection))).unwrap_or_else(|panic| {
                    Err(Error::internal(format!("a write panicked: {}", panic_text(panic.as_ref()))))
                })
            });
            Ran {
                failure: result.as_ref().err().map(Error::kind),
                answer: Box::new(move |group| {
                    let _ = sender.send(result.and_then(|done| group.map_or(Ok(done), Err)));
                }),
            }
        }));
        self.sender()?.send(request).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Writes the log back into the database and empties it. False: a reader was in the way, so a part stays.
    pub(super) async fn checkpoint(&self) -> Result<bool> {
        self.alone(|connection| checkpoint(connection)).await
    }

    /// Runs `work` between two transactions.
    pub(super) async fn alone<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        let run: Alone = Box::new(move |connection| {
            let result = catch_unwind(AssertUnwindSafe(|| work(connection))).unwrap_or_else(|panic| {
                Err(Error::internal(format!("the writer panicked: {}", panic_text(panic.as_ref()))))
            });
            let _ = sender.send(result);
        });
        self.sender()?.send(Request::Alone(run)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Lets the requests that wait run, tidies the database up and ends the thread.
    pub(super) async fn close(&self) -> Result<()> {
        let sender =
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(closed)?;
        let (told, done) = oneshot::channel();
        sender.send(Request::Close(told)).await.map_err(|_| closed())?;
        drop(sender);
        let result = done.await.map_err(|_| closed())?;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // it told us as its last act, so there is next to nothing to wait for
        thread.map(JoinHandle::join);
        result
    }

    fn sender(&self) -> Result<mpsc::Sender<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.requests.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

pub(super) fn closed() -> Error {
    Error::new(Kind::Busy, "the store is closed").hint("the daemon is stopping; try again when it runs")
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

fn serve(mut connection: Connection, mut queue: mpsc::Receiver<Request>) {
    let mut waiting = Vec::with_capacity(GROUP);
    while let Some(first) = queue.blocking_recv() {
        let mut next = Some(first);
        let (mut alone, mut close) = (None, None);
        while let Some(request) = next.take() {
            match request {
                Request::Write(work) => {
                    waiting.push(work);
                    if waiting.len() < GROUP {
                        next = queue.try_recv().ok();
                    }
                }
                Request::Alone(run) => alone = Some(run),
                Request::Close(told) => close = Some(told),
            }
        }
        commit_all(&connection, &mut waiting);
        if let Some(run) = alone {
            run(&mut connection);
        }
        let Some(told) = close else { continue };
        queue.close();
        // what was sent while we closed still gets its turn
        while let Ok(request) = queue.try_recv() {
            if let Request::Write(work) = request {
                waiting.push(work);
            }
        }
        commit_all(&connection, &mut waiting);
        let written = checkpoint(&connection).map(drop);
        let closed = written.and(connection.close().map_err(|(_, error)| Error::from(error)));
        let _ = told.send(closed);
        return;
    }
}

/// The checkpoint may find a reader in its way: then a part of the log stays, which loses nothing.
fn checkpoint(connection: &Connection) -> Result<bool> {
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(!busy)
}

fn commit_all(connection: &Connection, waiting: &mut Vec<Work>) {
    while !waiting.is_empty() {
        commit_group(connection, waiting);
    }
}

/// Runs what waits in one transaction and answers. If the whole transaction is lost, whoever had run is told so,
/// and the rest stays in `waiting` for the next one.
fn commit_group(connection: &Connection, waiting: &mut Vec<Work>) {
    let mut ran = Vec::with_capacity(waiting.len());
    let failure = run_group(connection, waiting, &mut ran).err();
    if let Some(error) = &failure {
        if !connection.is_autocommit()
            && let Err(error) = execute(connection, "ROLLBACK")
        {
            tracing::error!(error = %error, "could not roll back");
        }
        if ran.is_empty() {
            // not even a transaction could begin, and the next one would not fare better
            ran.extend(waiting.drain(..).map(|work| work(Err(copy(error)))));
        }
    }
    for request in ran {
        (request.answer)(failure.as_ref().map(copy));
    }
}

fn run_group(connection: &Connection, waiting: &mut Vec<Work>, ran: &mut Vec<Ran>) -> Result<()> {
    execute(connection, "BEGIN IMMEDIATE")?;
    let alone = waiting.len() == 1;
    let mut rest = std::mem::take(waiting).into_iter();
    let mut outcome = Ok(());
    for work in rest.by_ref() {
        // alone, a request needs no savepoint: its failure rolls everything back
        outcome = if alone { run_alone(connection, work, ran) } else { run_beside(connection, work, ran) };
        if outcome.is_err() {
            break;
        }
    }
    waiting.extend(rest);
    outcome?;
    if connection.is_autocommit() { Ok(()) } else { execute(connection, "COMMIT") }
}

fn run_alone(connection: &Connection, work: Work, ran: &mut Vec<Ran>) -> Result<()> {
    let request = work(Ok(connection));
    let failure = request.failure;
    ran.push(request);
    match (failure, connection.is_autocommit()) {
        (Some(_), false) => execute(connection, "ROLLBACK"),
        (None, true) => Err(lost(failure)),
        _ => Ok(()),
    }
}

/// Errors only where the transaction of the whole group is lost.
fn run_beside(connection: &Connection, work: Work, ran: &mut Vec<Ran>) -> Result<()> {
    execute(connection, "SAVEPOINT request")?;
    let request = work(Ok(connection));
    let failure = request.failure;
    ran.push(request);
    if connection.is_autocommit() {
        return Err(lost(failure));
    }
    if failure.is_some() {
        execute(connection, "ROLLBACK TO request")?;
    }
    execute(connection, "RELEASE request")
}

fn execute(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// SQLite rolls a whole transaction back by itself when the disk is full or fails.
fn lost(cause: Option<Kind>) -> Error {
    match cause {
        Some(Kind::StorageFull) => {
            Error::new(Kind::StorageFull, "another write of the same group found the disk full")
                .hint("free some space on the disk that holds the database; nothing was changed")
        }
        _ => Error::new(Kind::Storage, "the database took back the writes of the same group")
            .hint("see the log for the first error; nothing was changed"),
    }
}

fn copy(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.full_text());
    match error.hint_text() {
        Some(hint) => copy.hint(hint),
        None => copy,
    }
}
