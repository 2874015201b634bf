//! The store: conversations, messages, memories, and the durable queue of what is to be embedded, in SQLite.
//!
//! All writes go through one thread that commits them in groups (`writer`); reads go to a pool of read-only
//! connections (`readers`). A write is answered when it is on the disk. Nothing here holds a lock or a transaction
//! over an `.await`, and nothing outside this module speaks SQL.
//!
//! There are no statistics (`ANALYZE`, `PRAGMA optimize`): every query is written for one plan, which a test checks,
//! and statistics of a small database make full text scan its own tables when it has grown, at each append.

mod address;
mod append;
mod backup;
mod bylines;
mod chunks;
mod connection;
mod context;
mod conversations;
mod export;
mod extraction;
mod fault;
mod filter;
mod find;
mod foreign;
mod forget;
mod fulltext;
mod hydrate;
mod jobs;
mod known;
mod lexical;
mod listing;
mod lock;
mod maintenance;
mod memories;
mod memory_changes;
mod messages;
mod migrate;
mod names;
mod notes;
mod open;
mod organise;
mod page;
mod proposals;
mod queue;
mod readers;
mod reconcile;
mod records;
mod removals;
mod replace;
mod restore;
mod rows;
mod spaces;
mod summaries;
mod trash;
mod trashed;
mod tree;
mod typed;
mod untrash;
mod usage;
mod watches;
mod words;
mod writer;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::Connection;

pub use bylines::Byline;
pub use chunks::ChunkItem;
pub use context::Passage;
pub use export::Selection;
pub use extraction::ToExtract;
pub use find::Matched;
pub use foreign::{ForeignDatabase, SQLITE_MARK};
pub use hydrate::ItemText;
pub use known::{Ids, Known};
pub use lexical::{LegWeights, LexicalHit, LexicalQuery, LexicalResult};
pub use lock::Lock;
pub use memory_changes::{MemoryStep, StepResult};
pub use notes::{Note, Noted, Section};
pub use proposals::{Accepted, NewProposal};
pub use queue::{LeasedJob, MAX_ATTEMPTS};
pub use reconcile::Reconciled;
pub use records::{Append, Appended, Created, Item, NewConversation, NewMemory, NewMessage};
pub use replace::replace_closed;
pub use restore::{RecordKind, RefusedRecord, RestoreBatch, RestoreMemory, RestoreMessage, Restored};
pub use spaces::{Space, SpaceState};
pub use summaries::NewSummary;
pub use trashed::{TrashEntry, TrashRecord};
pub use usage::{After, UsedMessage};
pub use watches::{Stamp, WatchedFile, WatchedFolder};
pub use words::register_functions;

use crate::api::search::SearchFilter;
use crate::api::system::Counts;
use crate::config::Durability;
use crate::error::{Doing, Kind, Result};

/// Where the database is, and how it is written.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database's file; it is made if it is missing, readable by its owner only, like the folder it lies in.
    pub database: PathBuf,
    /// The folder for copies that are made before an upgrade.
    pub backups: PathBuf,
    /// What an acknowledged write survives.
    pub durability: Durability,
}

/// The open database; a cheap clone. Close it, or drop its last clone, inside the runtime.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    writer: writer::Writer,
    readers: readers::Readers,
    /// Another one once a backup took the database's place.
    identity: RwLock<String>,
    database: PathBuf,
    backups: PathBuf,
    frequencies: lexical::Frequencies,
    /// Whether there may be private conversations; set before one is committed, never taken back.
    private: AtomicBool,
}

impl Store {
    /// Opens the database, brings its schema up to date and ends every lease: one daemon owns the file. Errors: a
    /// folder that cannot be written, a file of another program, a database of a newer nosso.
    pub async fn open(options: Options) -> Result<Store> {
        let (database, backups) = (options.database.clone(), options.backups.clone());
        let opened = tokio::task::spawn_blocking(move || open::open(&options));
        let (connection, identity) = opened.await.doing(Kind::Internal, "open the store")??;
        let private = organise::has_private(&connection)?;
        Ok(Store(Arc::new(Inner {
            writer: writer::Writer::start(connection)?,
            readers: readers::Readers::new(&database)?,
            identity: RwLock::new(identity),
            database,
            backups,
            frequencies: lexical::Frequencies::default(),
            private: AtomicBool::new(private),
        })))
    }

    /// Does what waits, writes the log back into the database and closes it. Later calls are refused as busy.
    pub async fn close(&self) -> Result<()> {
        self.0.readers.close();
        self.0.writer.close().await
    }

    /// Whether both sides work: goes through a reader and through the writer.
    pub async fn ping(&self) -> Result<()> {
        self.read(readers::READ_DEADLINE, |db| Ok(db.query_row("SELECT 1", [], |_| Ok(()))?)).await?;
        self.write(|_| Ok(())).await
    }

    /// The database's own name, made with it: what is derived from the database is stamped with it.
    pub fn identity(&self) -> String {
        self.0.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_identity(&self, identity: String) {
        *self.0.identity.write().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// How much is stored; kept by triggers, so that nothing is counted here.
    pub async fn counts(&self) -> Result<Counts> {
        self.read(readers::READ_DEADLINE, counts).await
    }

    /// Bytes of the database and of its write-ahead log.
    pub fn sizes(&self) -> (u64, u64) {
        let mut log = self.0.database.clone().into_os_string();
        log.push("-wal");
        let bytes = |path: &std::path::Path| path.metadata().map_or(0, |found| found.len());
        (bytes(&self.0.database), bytes(log.as_ref()))
    }

    /// What a filter lets a search find.
    fn restriction(&self, filter: &SearchFilter) -> filter::Restriction {
        filter::Restriction::of(filter, self.private())
    }

    /// Whether a search with this filter finds everything: nothing is restricted, and nothing is private.
    pub fn lets_all_through(&self, filter: &SearchFilter) -> bool {
        filter::lets_all_through(filter) && self.private() == filter::Private::None
    }

    fn private(&self) -> filter::Private {
        match self.0.private.load(Ordering::SeqCst) {
            true => filter::Private::Some,
            false => filter::Private::None,
        }
    }

    /// To be called before a private conversation is committed, so that no search misses it.
    fn expect_private(&self) {
        self.0.private.store(true, Ordering::SeqCst);
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.0.writer.write(work).await
    }

    async fn read<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.0.readers.read(deadline, work).await
    }
}

fn counts(db: &Connection) -> Result<Counts> {
    let counts = db
        .prepare_cached("SELECT conversations, messages, memories, chunks FROM store WHERE id = 1")?
        .query_row([], |row| {
            Ok(Counts {
                conversations: rows::count(row, 0)?,
                messages: rows::count(row, 1)?,
                memories: rows::count(row, 2)?,
                chunks: rows::count(row, 3)?,
            })
        })?;
    Ok(counts)
}
