//! One LMDB environment: opened with room to grow, grown when that is not enough, closed even when a clone leaks.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use heed::{CommitOrAbort, EnvOpenOptions, MdbError, RoTxn, RwTxn, WithoutTls};

use super::fault::Fault;
use super::files;
use crate::error::{Doing, Error, Kind, Result};

/// Address space asked for, in order. It costs nothing until it is written, so the first one is far more than
/// anyone needs; the others are for a process under `ulimit -v` or an old 32-bit machine.
const MAP_SIZES: &[usize] = &[64 << 30, 16 << 30, 4 << 30, 1 << 30, 256 << 20, 64 << 20];

/// LMDB's default of 126 has bitten many: each search holds a slot while it runs.
const MAX_READERS: u32 = 512;

/// How long [`Environment::close`] waits for transactions in flight. Searches take milliseconds, a merge of the
/// largest index that was measured about a second.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// A file with this name says that broken content was met, so that the next open begins anew.
const BROKEN: &str = "broken";

pub(super) type Txn<'t> = RoTxn<'t, WithoutTls>;

/// Owns the `heed::Env`. All transactions run inside [`Environment::read`] and [`Environment::write`], so that the
/// memory map is never resized or unmapped while one is open.
#[derive(Debug)]
pub(super) struct Environment {
    folder: PathBuf,
    /// Shared by transactions; exclusive for a resize and for closing. None once closed.
    gate: RwLock<Option<heed::Env<WithoutTls>>>,
    closing: AtomicBool,
    /// LMDB refuses everything after a failed write of its root page; only opening it again helps.
    poisoned: AtomicBool,
    identity: files::Identity,
}

impl Environment {
    /// Opens (or makes) the environment in `folder`. Second open in one process: [`Kind::Conflict`].
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let mut refused = None;
        for &map_size in MAP_SIZES {
            match Self::open_sized(folder, map_size) {
                Err(error) if error.kind() == Kind::Busy => refused = Some(error),
                other => return other,
            }
        }
        Err(refused.unwrap_or_else(|| Error::internal("no map size to try")))
    }

    /// Like [`Self::open`] with one map size; [`Kind::Busy`] when the address space does not hold it.
    pub(super) fn open_sized(folder: &Path, map_size: usize) -> Result<Self> {
        files::make_private_folder(folder)?;
        if let Ok(found) = std::fs::read_to_string(folder.join(BROKEN)) {
            return Err(Error::new(Kind::Corrupt, format!("{} was found broken: {found}", folder.display())));
        }
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(map_size).max_readers(MAX_READERS).max_dbs(8);
        // SAFETY: the files belong to this process alone (one daemon a user holds a lock), nobody truncates them
        // while they are mapped, and heed refuses a second open in this process.
        let env = unsafe { options.open(folder) }.map_err(|error| match &error {
            heed::Error::Io(io) if io.raw_os_error() == Some(rustix::io::Errno::NOMEM.raw_os_error()) => {
                Error::new(Kind::Busy, format!("map {map_size} bytes for {}: {io}", folder.display()))
                    .hint("raise the limit of the address space (ulimit -v)")
            }
            _ => Fault::from(error).into_error(format!("open the index in {}", folder.display())),
        })?;
        let identity = files::Identity::of(&folder.join("data.mdb"))?;
        env.clear_stale_readers()
            .map_err(Fault::from)
            .map_err(|fault| fault.into_error("clear stale readers"))?;
        // Reading past the end of a mapped file kills the process. LMDB itself leaves the file short of freed last
        // pages, and somebody may have cut it; both read as zeros from now on, which LMDB answers with an error.
        let pages = env.info().last_page_number as u64 + 1;
        let needed = pages * u64::from(env.unnamed_database_stat().page_size);
        let file = env.try_clone_inner_file().doing(Kind::Storage, "look at the index")?;
        if file.metadata().doing(Kind::Storage, "look at the size of the index")?.len() < needed {
            file.set_len(needed).doing(Kind::Storage, "extend the index to its full size")?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            gate: RwLock::new(Some(env)),
            closing: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
            identity,
        })
    }

    /// Opens the table of that name, making it where there is none.
    pub(super) fn table<K: 'static, V: 'static>(&self, name: &str) -> Result<heed::Database<'static, K, V>> {
        let gate = self.enter()?;
        let env = gate.as_ref().ok_or_else(closed)?;
        let made = env.write_txn().and_then(|txn| {
            env.create_databases_and_commit(txn, |opener, txn| {
                opener.create_database(txn, Some(name)).map(CommitOrAbort::<_, ()>::Commit)
            })
        });
        match made {
            Ok(CommitOrAbort::Commit(table)) => Ok(table),
            Ok(CommitOrAbort::Abort(())) => Err(Error::internal(format!("the table {name} was not made"))),
            Err(error) => Err(self.fail(error.into(), &format!("open the table {name} of the index"))),
        }
    }

    /// Runs `work` on a snapshot. Long work here keeps old pages from being re-used, so it is milliseconds.
    pub(super) fn read<T>(&self, doing: &str, work: impl FnOnce(&Txn<'_>) -> Result<T, Fault>) -> Result<T> {
        let gate = self.enter()?;
        let env = gate.as_ref().ok_or_else(closed)?;
        let txn = env.read_txn().map_err(|error| self.fail(error.into(), doing))?;
        work(&txn).map_err(|fault| self.fail(fault, doing))
    }

    /// Runs `work` in the one write transaction and commits it: durable when this returns. `work` runs again from
    /// the start when the map had to grow; after an error nothing of it is stored.
    pub(super) fn write<T>(
        &self,
        doing: &str,
        mut work: impl FnMut(&mut RwTxn<'_>) -> Result<T, Fault>,
    ) -> Result<T> {
        self.check_open()?;
        if !self.is_there() {
            return Err(Error::new(
                Kind::Storage,
                format!("{doing}: the files in {} were deleted or replaced", self.folder.display()),
            )
            .hint("open the index again; it is filled anew from the database"));
        }
        loop {
            let size = {
                let gate = self.enter()?;
                let env = gate.as_ref().ok_or_else(closed)?;
                let outcome = env.write_txn().map_err(Fault::from).and_then(|mut txn| {
                    let value = work(&mut txn)?;
                    txn.commit()?;
                    Ok(value)
                });
                match outcome {
                    Err(fault) if fault.is_map_full() => env.info().map_size,
                    Err(fault) => return Err(self.fail(fault, doing)),
                    Ok(value) => return Ok(value),
                }
            };
            self.grow(size, doing)?;
        }
    }

    /// Doubles the map, unless another writer has done so since it was found to be `size`.
    fn grow(&self, size: usize, doing: &str) -> Result<()> {
        let gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let env = gate.as_ref().ok_or_else(closed)?;
        if env.info().map_size > size {
            return Ok(());
        }
        // SAFETY: the gate is held exclusively, and every transaction lives inside a shared hold of it.
        let grown = unsafe { env.resize(size.saturating_mul(2)) };
        grown.map_err(|error| {
            // After a failed resize LMDB has no map at all; the next caller must not touch it.
            self.poisoned.store(true, Ordering::Release);
            Error::new(
                Kind::StorageFull,
                format!("{doing}: the index is larger than {size} bytes and cannot grow: {error}"),
            )
            .hint("raise the limit of the address space (ulimit -v)")
        })
    }

    /// False once the files were deleted or replaced under us, or LMDB gave up on them: open anew then.
    pub(super) fn is_intact(&self) -> bool {
        !self.poisoned.load(Ordering::Acquire) && self.is_there()
    }

    fn is_there(&self) -> bool {
        files::Identity::of(&self.folder.join("data.mdb")).is_ok_and(|now| now == self.identity)
    }

    /// An error once this is being closed.
    pub(super) fn check_open(&self) -> Result<()> {
        if self.closing.load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }

    /// Bytes that the file takes on the disk.
    pub(super) fn disk_bytes(&self) -> u64 {
        files::disk_bytes(&self.folder)
    }

    /// Frees the reader slots of processes that died.
    pub(super) fn clear_stale_readers(&self) -> Result<usize> {
        let gate = self.enter()?;
        let env = gate.as_ref().ok_or_else(closed)?;
        env.clear_stale_readers().map_err(|error| self.fail(error.into(), "clear stale readers"))
    }

    /// Unmaps and closes the files. Calls in flight are waited for, new ones are refused, so this works however
    /// many clones are left; [`Kind::Busy`] when a call does not end in [`CLOSE_PATIENCE`].
    pub(super) fn close(&self) -> Result<()> {
        self.closing.store(true, Ordering::Release);
        let deadline = Instant::now() + CLOSE_PATIENCE;
        loop {
            match self.gate.try_write() {
                Ok(mut gate) => {
                    gate.take();
                    return Ok(());
                }
                Err(std::sync::TryLockError::Poisoned(poisoned)) => {
                    poisoned.into_inner().take();
                    return Ok(());
                }
                Err(std::sync::TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(std::sync::TryLockError::WouldBlock) => {
                    return Err(Error::new(
                        Kind::Busy,
                        format!("close the index in {}: a call has not ended", self.folder.display()),
                    ));
                }
            }
        }
    }

    fn enter(&self) -> Result<RwLockReadGuard<'_, Option<heed::Env<WithoutTls>>>> {
        self.check_open()?;
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::new(
                Kind::Storage,
                format!("the index in {} failed earlier", self.folder.display()),
            )
            .hint("open the index again"));
        }
        // A panic inside a transaction has already aborted it; the environment itself is unharmed.
        Ok(self.gate.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn fail(&self, fault: Fault, doing: &str) -> Error {
        let gave_up = fault.is(MdbError::Panic);
        let error = fault.at(&self.folder).into_error(doing);
        if gave_up || error.kind() == Kind::Corrupt {
            self.poisoned.store(true, Ordering::Release);
        }
        if error.kind() == Kind::Corrupt && self.is_there() {
            // Where even this cannot be written, the next open meets the same fault again.
            let _ = std::fs::write(self.folder.join(BROKEN), error.to_string());
        }
        error
    }
}

fn closed() -> Error {
    Error::new(Kind::Busy, "the index is closed").hint("the daemon is stopping or is opening it anew")
}
