//! One LMDB environment: opened with room to grow, grown when that is not enough, closed even when a clone leaks.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use heed::types::Bytes;
use heed::{CommitOrAbort, EnvOpenOptions, MdbError, PutFlags, RoTxn, RwTxn, WithoutTls};

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

/// Bytes that one transaction of [`Environment::rewrite`] stores.
const REWRITE_BYTES: usize = 64 << 20;

/// A file with this name says that broken content was met, so that the next open begins anew.
const BROKEN: &str = "broken";

/// The file that LMDB keeps everything in.
const DATA: &str = "data.mdb";

pub(super) type Txn<'t> = RoTxn<'t, WithoutTls>;
/// What LMDB has open.
pub(super) type Env = heed::Env<WithoutTls>;

/// A table whose rows are not looked into.
pub(super) type RawTable = heed::Database<'static, Bytes, Bytes>;

/// The tables of an environment. Their handles belong to what is open and become stale with it, so nobody keeps
/// them beside a transaction.
pub(super) trait Tables: Copy {
    /// Opens them, making those that are not there.
    fn open(env: &Env) -> heed::Result<Self>;

    /// All of them as plain bytes, always in the same order.
    fn raw(&self) -> Vec<RawTable>;
}

/// Owns the `heed::Env`. All transactions run inside [`Environment::read`] and [`Environment::write`], so that the
/// memory map is never resized or unmapped while one is open.
#[derive(Debug)]
pub(super) struct Environment<T> {
    folder: PathBuf,
    /// Shared by transactions; exclusive for a resize, for another file and for closing. None once closed.
    gate: RwLock<Option<Opened<T>>>,
    closing: AtomicBool,
    /// LMDB refuses everything after a failed write of its root page; only opening it again helps.
    poisoned: AtomicBool,
    identity: Mutex<files::Identity>,
}

#[derive(Debug)]
struct Opened<T> {
    env: Env,
    tables: T,
}

/// The table of that name, made where there is none.
pub(super) fn table<K: 'static, V: 'static>(
    env: &Env,
    name: &str,
) -> heed::Result<heed::Database<'static, K, V>> {
    let made = env.write_txn().and_then(|txn| {
        env.create_databases_and_commit(txn, |opener, txn| {
            opener.create_database(txn, Some(name)).map(CommitOrAbort::<_, ()>::Commit)
        })
    })?;
    match made {
        CommitOrAbort::Commit(table) => Ok(table),
        CommitOrAbort::Abort(()) => unreachable!("nothing above aborts"),
    }
}

impl<T: Tables> Environment<T> {
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
        let (env, tables, identity) = open_files(folder, map_size)?;
        Ok(Self {
            folder: folder.to_owned(),
            gate: RwLock::new(Some(Opened { env, tables })),
            closing: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
            identity: Mutex::new(identity),
        })
    }

    /// Runs `work` on a snapshot. Long work here keeps old pages from being re-used, so it is milliseconds.
    pub(super) fn read<R>(
        &self,
        doing: &str,
        work: impl FnOnce(&Txn<'_>, &T) -> Result<R, Fault>,
    ) -> Result<R> {
        let gate = self.enter()?;
        let Opened { env, tables } = gate.as_ref().ok_or_else(closed)?;
        let txn = env.read_txn().map_err(|error| self.fail(error.into(), doing))?;
        work(&txn, tables).map_err(|fault| self.fail(fault, doing))
    }

    /// Runs `work` in the one write transaction and commits it: durable when this returns. `work` runs again from
    /// the start when the map had to grow; after an error nothing of it is stored.
    pub(super) fn write<R>(
        &self,
        doing: &str,
        mut work: impl FnMut(&mut RwTxn<'_>, &T) -> Result<R, Fault>,
    ) -> Result<R> {
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
                let Opened { env, tables } = gate.as_ref().ok_or_else(closed)?;
                let outcome = env.write_txn().map_err(Fault::from).and_then(|mut txn| {
                    let value = work(&mut txn, tables)?;
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
        let Opened { env, .. } = gate.as_ref().ok_or_else(closed)?;
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
        let identity = *self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        files::Identity::of(&self.folder.join(DATA)).is_ok_and(|now| now == identity)
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
        let Opened { env, .. } = gate.as_ref().ok_or_else(closed)?;
        env.clear_stale_readers().map_err(|error| self.fail(error.into(), "clear stale readers"))
    }

    /// Writes all that is stored into a new file and puts that in the place of the old one, so that nothing that was
    /// removed is left in freed pages or in the gaps of used ones: LMDB never clears either. Copying a page as it
    /// is would copy its gap, so every row is put anew, which also packs the pages full.
    ///
    /// Reads go on meanwhile and wait only for the exchange; the caller sees to it that nobody writes. Costs the
    /// size of what is stored, in time and, until the exchange, on the disk. After an error all is as it was.
    pub(super) fn rewrite(&self) -> Result<()> {
        let doing = "write the index anew";
        let fresh = files::rewritten(&self.folder);
        files::wipe(&fresh)?;
        files::make_private_folder(&fresh)?;
        let copied =
            self.copy_rows(&fresh, doing).and_then(|map_size| self.exchange(&fresh, map_size, doing));
        files::wipe(&fresh)?;
        copied
    }

    /// Answers the size of the map that the rows needed.
    fn copy_rows(&self, to: &Path, doing: &str) -> Result<usize> {
        let gate = self.enter()?;
        let Opened { env, tables } = gate.as_ref().ok_or_else(closed)?;
        let map_size = env.info().map_size;
        let (target, into, _) = open_files::<T>(to, map_size)?;
        let copied = (|| -> Result<(), Fault> {
            let txn = env.read_txn()?;
            for (from, into) in tables.raw().into_iter().zip(into.raw()) {
                let mut rows = from.iter(&txn)?.peekable();
                // one transaction would hold all of it in memory
                while rows.peek().is_some() {
                    let mut write = target.write_txn()?;
                    let mut bytes = 0;
                    while bytes < REWRITE_BYTES {
                        let Some(row) = rows.next() else { break };
                        let (key, value) = row?;
                        into.put_with_flags(&mut write, PutFlags::APPEND, key, value)?;
                        bytes += key.len() + value.len();
                    }
                    write.commit()?;
                }
            }
            Ok(())
        })();
        target.prepare_for_closing().wait();
        copied.map_err(|fault| fault.at(to).into_error(doing))?;
        Ok(map_size)
    }

    fn exchange(&self, with: &Path, map_size: usize, doing: &str) -> Result<()> {
        let mut gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.check_open()?;
        let Some(Opened { env, .. }) = gate.take() else { return Err(closed()) };
        env.prepare_for_closing().wait();
        let renamed = std::fs::rename(with.join(DATA), self.folder.join(DATA))
            .and_then(|()| std::fs::File::open(&self.folder)?.sync_all())
            .doing(Kind::Storage, doing);
        // whichever file is there now is whole
        let opened = open_files(&self.folder, map_size);
        match opened {
            Ok((env, tables, identity)) => {
                *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity;
                *gate = Some(Opened { env, tables });
                renamed
            }
            Err(error) => {
                self.poisoned.store(true, Ordering::Release);
                Err(error)
            }
        }
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

    fn enter(&self) -> Result<RwLockReadGuard<'_, Option<Opened<T>>>> {
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

/// Opens the files in `folder`; [`Kind::Busy`] when the address space does not hold so large a map.
fn open_files<T: Tables>(folder: &Path, map_size: usize) -> Result<(Env, T, files::Identity)> {
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
    let identity = files::Identity::of(&folder.join(DATA))?;
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
    let tables = T::open(&env).map_err(|error| {
        let fault = Fault::from(error).at(folder);
        let error = fault.into_error(format!("open the tables of the index in {}", folder.display()));
        if error.kind() == Kind::Corrupt {
            // Where even this cannot be written, the next open meets the same fault again.
            let _ = std::fs::write(folder.join(BROKEN), error.to_string());
        }
        error
    })?;
    Ok((env, tables, identity))
}

fn closed() -> Error {
    Error::new(Kind::Busy, "the index is closed").hint("the daemon is stopping or is opening it anew")
}
