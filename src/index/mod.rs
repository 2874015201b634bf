//! The vector index: which stored vectors point the way a query does.
//!
//! Derived and replaceable: the database has every vector, and the folder may be deleted at any time. Only this
//! module knows LMDB and arroy. All calls block (they read mapped files and wait for the disk): async callers use
//! `spawn_blocking`. Nothing here holds a transaction or a lock between calls.
//!
//! ```text
//! put, remove ──► fresh part   (LMDB, and all of it in memory; scanned exactly)
//!                     │ merge, in the background
//!                     ▼
//!                 exact part   (arroy in LMDB) ── codes of all its vectors, in memory and beside them
//! search: fresh part exactly;  codes of all ──► the best hundred or so ──► arroy, exactly
//! ```
//!
//! The order that leaves no gap: a search takes the fresh state, then the codes, then opens the exact part's
//! snapshot; a merge commits to the exact part, then publishes the codes, then forgets the fresh ones. Whatever is
//! in the fresh part hides what the exact part has under that id, so that a removed vector cannot come back, at
//! whatever point a crash interrupts this.

mod best;
mod check;
mod codes;
mod coding;
mod dot;
mod environment;
mod exact;
mod fault;
mod files;
mod fresh;
mod rotation;
mod scan;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod measure;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::cmp::Ordering as Order;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roaring::RoaringBitmap;

use crate::error::{Error, Kind, Result};
use exact::{ExactPart, Purpose};
use fresh::{Change, Fresh, FreshPart, check_vector};

/// Candidates that are scored exactly for the nearest ten, to begin with: recall@10 was 1.000 with them on 100,000
/// vectors of the default model, and .999 with half as many. [`Index::self_check`] raises it.
const CANDIDATES: u32 = 100;

/// From how many neighbours on more candidates are scored: a 25th of them each, four to begin with.
const CANDIDATES_FOR: u32 = 25;

/// Scoring one vector exactly costs as much as looking at about this many codes, so that a narrower filter is worth
/// no scan.
const EXACT_SHARE: u64 = 100;

/// The fresh part is merged from this many changes on ...
const MERGE_FROM: u64 = 1024;
/// ... or from this share of the exact part, because a merge costs a pass over it ...
const MERGE_SHARE: u64 = 64;
/// ... but at the latest from this many.
const MERGE_LATEST: u64 = 8192;

/// Changes that the fresh part takes before `put` itself merges: about 1 ms of scan a search, and 25 MB with 384
/// dimensions.
const FRESH_MAX: usize = 16_384;

/// Changes committed at once.
const BATCH: usize = 4096;

/// Recent queries kept in memory as samples for the self-check.
const RECENT: usize = 64;

/// The longest vectors that are taken.
const MAX_DIMENSION: usize = 8192;

/// The vector index. A cheap clone; see the module for how it works and that its calls block.
#[derive(Debug, Clone)]
pub struct Index {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    exact: ExactPart,
    fresh: FreshPart,
    dimension: usize,
    opened: Opened,
    /// Held by a merge and by the self-check, which never run together; searches and puts do not touch it.
    maintenance: Mutex<()>,
    candidates: AtomicU32,
    /// Bits of an f64; NaN before the first self-check.
    recall: AtomicU64,
    recent: Mutex<VecDeque<Vec<f32>>>,
}

/// What [`Index::open`] is to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The folder of this index alone; made when it is not there.
    pub folder: PathBuf,
    /// Numbers in a vector, 1 to 8192.
    pub dimension: usize,
    /// What the vectors belong to: store, model, generation. What is found under another stamp is deleted.
    pub stamp: String,
}

/// What [`Index::open`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The index is empty because it was begun anew: it has to be filled.
    pub fresh: bool,
    /// Why, where there was one before: it is of another model, or broken.
    pub why: Option<String>,
}

/// A vector that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The id it was put under.
    pub id: u32,
    /// The cosine of its angle to the query, -1 to 1.
    pub cosine: f32,
}

/// What a merge has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    /// Vectors moved to the exact part.
    pub put: usize,
    /// Removals carried out there.
    pub removed: usize,
    /// The mean had moved, and all vectors were coded anew.
    pub recoded: bool,
}

/// The state of the index, in numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status {
    /// Vectors that a search can find.
    pub vectors: u64,
    /// Changes that wait for a merge, removals included.
    pub fresh: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Bytes of codes in memory.
    pub codes_bytes: u64,
    /// Candidates that are scored exactly for the nearest ten.
    pub candidates: u32,
    /// Recall@10 at the last self-check of this run.
    pub recall: Option<f64>,
}

impl Index {
    /// Opens the index, or begins it anew where it is missing, broken, or of another stamp or dimension;
    /// [`Self::opened`] says so. Errors: [`Kind::Conflict`] when this process has it open, [`Kind::Unsupported`] on
    /// a network file system, [`Kind::StorageFull`].
    pub fn open(options: Options) -> Result<Self> {
        let Options { folder, dimension, stamp } = options;
        if !(1..=MAX_DIMENSION).contains(&dimension) {
            return Err(Error::invalid(format!("an index of {dimension} numbers a vector")));
        }
        files::make_private_folder(&folder)?;
        files::refuse_remote(&folder)?;
        let purpose = Purpose { stamp, dimension };
        let (exact_folder, fresh_folder) = (folder.join("exact"), folder.join("fresh"));
        let is_new = !exact_folder.exists();
        let try_open = || -> Result<Result<(ExactPart, FreshPart), String>> {
            let exact = match ExactPart::open(&exact_folder, &purpose)? {
                Ok(exact) => exact,
                Err(other) => return Ok(Err(other)),
            };
            let fresh = FreshPart::open(&fresh_folder, dimension)?;
            let pair = exact.pair()?;
            match fresh.pair()? {
                Some(found) if found == pair => {}
                // A new pair, or one whose making was cut short.
                None if exact.codes().ids().is_empty() && fresh.state().is_empty() => {
                    fresh.set_pair(&pair)?
                }
                _ => return Ok(Err("its two parts do not belong together".to_owned())),
            }
            Ok(Ok((exact, fresh)))
        };
        let why = match try_open() {
            Ok(Ok(parts)) => return Self::over(parts, Opened { fresh: is_new, why: None }),
            Ok(Err(other)) => other,
            Err(error) if error.kind() == Kind::Corrupt => error.to_string(),
            Err(error) => return Err(error),
        };
        tracing::warn!(folder = %folder.display(), why, "the index is begun anew");
        files::wipe(&exact_folder)?;
        files::wipe(&fresh_folder)?;
        let parts = try_open()?.map_err(|other| Error::internal(format!("a new index: {other}")))?;
        Self::over(parts, Opened { fresh: true, why: Some(why) })
    }

    fn over((exact, fresh): (ExactPart, FreshPart), opened: Opened) -> Result<Self> {
        let dimension = exact.codes().frame().dimension();
        let candidates = exact.candidates()?.unwrap_or(CANDIDATES).max(CANDIDATES);
        Ok(Self {
            inner: Arc::new(Inner {
                exact,
                fresh,
                dimension,
                opened,
                maintenance: Mutex::default(),
                candidates: AtomicU32::new(candidates),
                recall: AtomicU64::new(f64::NAN.to_bits()),
                recent: Mutex::default(),
            }),
        })
    }

    /// What was found when this was opened.
    pub fn opened(&self) -> &Opened {
        &self.inner.opened
    }

    /// Stores vectors, each in place of what its id had: durable and found by searches when this returns. Nothing
    /// is stored when one of them has the wrong dimension, is zero or not finite ([`Kind::Invalid`], names the id);
    /// more than 4096 are stored in parts, and [`Kind::StorageFull`] may come between these.
    ///
    /// To fill an index quickly: put thousands at a time and leave the merging to this, which does it when it must.
    pub fn put(&self, vectors: &[(u32, Vec<f32>)]) -> Result<()> {
        for (id, vector) in vectors {
            check_vector(format_args!("vector {id}"), vector, self.inner.dimension)?;
        }
        for some in vectors.chunks(BATCH) {
            let changes: Vec<Change> =
                some.iter().map(|(id, vector)| (*id, Some(Arc::from(&vector[..])))).collect();
            self.store(&format!("store {} vectors", some.len()), &changes)?;
        }
        Ok(())
    }

    /// Removes vectors: durable, and no search finds them when this returns. Ids that are not here are fine.
    pub fn remove(&self, ids: &[u32]) -> Result<()> {
        for some in ids.chunks(BATCH) {
            let changes: Vec<Change> = some.iter().map(|id| (*id, None)).collect();
            self.store(&format!("remove {} vectors", some.len()), &changes)?;
        }
        Ok(())
    }

    fn store(&self, doing: &str, changes: &[Change]) -> Result<()> {
        if self.inner.fresh.state().len() + changes.len() > FRESH_MAX {
            self.merge()?;
        }
        self.inner.fresh.store(doing, changes)
    }

    /// The `limit` nearest vectors, best first; of equals the smaller id. `among`: only these ids count, and all of
    /// them do; ascending ids are quickest. Errors: [`Kind::Invalid`] for a query of the wrong dimension, zero or not finite.
    pub fn search(&self, query: &[f32], limit: usize, among: Option<&[u32]>) -> Result<Vec<Neighbour>> {
        self.inner.exact.environment.check_open()?;
        check_vector("the query", query, self.inner.dimension)?;
        let query = dot::unit(query);
        self.remember(&query);
        let among = among.map(id_set);
        let wanted = |id| among.as_ref().is_none_or(|among| among.contains(id));
        let fresh = self.inner.fresh.state();
        let mut found = fresh.nearest(&query, limit, wanted);
        let candidates = self.candidates(&query, limit, among.as_ref(), &fresh);
        found.extend(self.inner.exact.score(&query, limit, &candidates)?);
        found.sort_unstable_by(Neighbour::better);
        found.truncate(limit);
        Ok(found)
    }

    /// Ids in the exact part that are worth an exact look.
    fn candidates(
        &self,
        query: &[f32],
        limit: usize,
        among: Option<&RoaringBitmap>,
        fresh: &Fresh,
    ) -> RoaringBitmap {
        let codes = self.inner.exact.codes();
        let candidates = self.inner.candidates.load(Ordering::Relaxed) as usize;
        let n = candidates.max(limit.saturating_mul(candidates) / CANDIDATES_FOR as usize);
        let eligible = match among {
            Some(among) => among.intersection_len(codes.ids()),
            None => codes.ids().len(),
        };
        if eligible <= (n as u64 * 2).max(codes.ids().len() / EXACT_SHARE) {
            let all = among.map_or_else(|| codes.ids().clone(), |among| among & codes.ids());
            return all.into_iter().filter(|id| !fresh.hides(*id)).collect();
        }
        let wanted = |id| among.is_none_or(|among| among.contains(id)) && !fresh.hides(id);
        codes.nearest(query, n, wanted).into_iter().map(|found| found.id).collect()
    }

    /// The vectors as they were put, in the order of `ids`; none where there is none.
    pub fn vectors(&self, ids: &[u32]) -> Result<Vec<Option<Vec<f32>>>> {
        let fresh = self.inner.fresh.state();
        let mut vectors = Vec::with_capacity(ids.len());
        self.inner.exact.each_vector(ids.iter().copied(), |id, vector| {
            vectors.push(match fresh.get(id) {
                Some(changed) => changed.map(<[f32]>::to_vec),
                None => vector,
            });
        })?;
        Ok(vectors)
    }

    /// All ids that have a vector, ascending.
    pub fn ids(&self) -> Result<Vec<u32>> {
        let fresh = self.inner.fresh.state();
        Ok(fresh.over(self.inner.exact.codes().ids()).into_iter().collect())
    }

    /// Moves the fresh part into the exact part: one pass over all vectors, 0.3 µs each, during which searches and
    /// puts go on. For a background worker, when [`Self::wants_merge`] says so or nothing else is to do. A second
    /// call waits for the first.
    pub fn merge(&self) -> Result<Merged> {
        let _only = self.only_one();
        let fresh = self.inner.fresh.state();
        if fresh.is_empty() {
            return Ok(Merged::default());
        }
        let changes = fresh.changes();
        let applied = self.inner.exact.apply(&changes)?;
        self.inner.exact.publish(applied.codes);
        self.inner.fresh.forget(&fresh)?;
        self.inner.exact.environment.clear_stale_readers()?;
        let put = changes.iter().filter(|(_, vector)| vector.is_some()).count();
        Ok(Merged { put, removed: changes.len() - put, recoded: applied.recoded })
    }

    /// Whether enough has come in that a merge pays.
    pub fn wants_merge(&self) -> bool {
        let exact = self.inner.exact.codes().ids().len();
        let from = (exact / MERGE_SHARE).clamp(MERGE_FROM, MERGE_LATEST);
        self.inner.fresh.state().len() as u64 >= from
    }

    /// The state in numbers; cheap.
    pub fn status(&self) -> Status {
        let fresh = self.inner.fresh.state();
        let codes = self.inner.exact.codes();
        let recall = f64::from_bits(self.inner.recall.load(Ordering::Relaxed));
        Status {
            vectors: fresh.over(codes.ids()).len(),
            fresh: fresh.len() as u64,
            disk_bytes: self.inner.exact.environment.disk_bytes() + self.inner.fresh.environment.disk_bytes(),
            codes_bytes: codes.memory_bytes(),
            candidates: self.inner.candidates.load(Ordering::Relaxed),
            recall: (!recall.is_nan()).then_some(recall),
        }
    }

    /// False once the files were deleted or replaced under us, or failed for good: searches may go on, changes are
    /// refused, and it is time to close this and open it anew.
    pub fn is_intact(&self) -> bool {
        self.inner.exact.environment.is_intact() && self.inner.fresh.environment.is_intact()
    }

    /// Closes the files, also when clones are left: their calls fail from now on. Calls in flight are waited for,
    /// five seconds at most for each part ([`Kind::Busy`]).
    pub fn close(self) -> Result<()> {
        let fresh = self.inner.fresh.environment.close();
        self.inner.exact.environment.close().and(fresh)
    }

    fn only_one(&self) -> MutexGuard<'_, ()> {
        self.inner.maintenance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_recall(&self, recall: f64) {
        self.inner.recall.store(recall.to_bits(), Ordering::Relaxed);
    }

    /// Keeps the query as a sample, unless another one is being kept right now.
    fn remember(&self, query: &[f32]) {
        if let Ok(mut recent) = self.inner.recent.try_lock() {
            if recent.len() == RECENT {
                recent.pop_front();
            }
            recent.push_back(query.to_vec());
        }
    }
}

impl Neighbour {
    /// The order of results: better cosines first, of equals the smaller id.
    fn better(&self, other: &Self) -> Order {
        other.cosine.total_cmp(&self.cosine).then(self.id.cmp(&other.id))
    }
}

fn id_set(ids: &[u32]) -> RoaringBitmap {
    if let Ok(set) = RoaringBitmap::from_sorted_iter(ids.iter().copied()) {
        return set;
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    sorted.into_iter().collect()
}
