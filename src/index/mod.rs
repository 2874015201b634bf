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
//! late:   tokens' part (LMDB): the signs of every text's tokens, read for the few best
//! ```
//!
//! The tokens' part is written before the vectors and left after them, so that a crash leaves tokens too many and
//! never a vector without its own.
//!
//! The order that leaves no gap: a search takes the fresh state, then the codes, then opens the exact part's
//! snapshot; a merge commits to the exact part, then publishes the codes, then forgets the fresh ones. Whatever is
//! in the fresh part hides what the exact part has under that id, so that a removed vector cannot come back, at
//! whatever point a crash interrupts this.

mod best;
mod centre;
mod check;
mod codes;
mod coding;
mod dot;
mod environment;
mod erase;
mod exact;
mod fault;
mod files;
mod fresh;
mod late;
mod levels;
mod open;
mod rotation;
mod scan;
mod tokens;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod erase_tests;
#[cfg(test)]
mod measure;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::cmp::Ordering as Order;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roaring::RoaringBitmap;

use crate::error::{Error, Result};
use exact::ExactPart;
use fresh::{Change, Fresh, FreshPart, check_vector};
use tokens::TokensPart;

pub use open::{Opened, Options};

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

/// Texts whose tokens are committed at once.
const TOKENS_BATCH: usize = 256;

/// Recent queries kept in memory as samples for the self-check.
const RECENT: usize = 64;

/// The vector index. A cheap clone; see the module for how it works and that its calls block.
#[derive(Debug, Clone)]
pub struct Index {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    exact: ExactPart,
    fresh: FreshPart,
    tokens: TokensPart,
    dimension: usize,
    opened: Opened,
    /// Held by a merge and by the self-check, which never run together; searches and puts do not touch it.
    maintenance: Mutex<()>,
    candidates: AtomicU32,
    /// Bits of an f64; NaN before the first self-check.
    recall: AtomicU64,
    recent: Mutex<VecDeque<Vec<f32>>>,
}

/// A text as the embedding model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// The id that its vector is found under.
    pub id: u32,
    /// Its vector.
    pub vector: Vec<f32>,
    /// The vectors of its tokens, of the same dimension and any length; the first 512 count. None: it has no place in
    /// [`Index::late`].
    pub tokens: Vec<Vec<f32>>,
}

/// A token of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryToken {
    /// Its vector, of any length but zero.
    pub vector: Vec<f32>,
    /// How much it counts, 0 or more.
    pub weight: f32,
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
    /// Bytes of them that the tokens take.
    pub tokens_bytes: u64,
    /// Bytes of codes in memory.
    pub codes_bytes: u64,
    /// Candidates that are scored exactly for the nearest ten.
    pub candidates: u32,
    /// Recall@10 at the last self-check of this run.
    pub recall: Option<f64>,
}

impl Index {
    /// What was found when this was opened.
    pub fn opened(&self) -> &Opened {
        &self.inner.opened
    }

    /// Stores vectors, each in place of what its id had: durable and found by searches when this returns. Nothing
    /// is stored when one of them has the wrong dimension, is zero or not finite ([`crate::error::Kind::Invalid`], names the id);
    /// more than 4096 are stored in parts, and [`crate::error::Kind::StorageFull`] may come between these.
    ///
    /// To fill an index quickly: put thousands at a time and leave the merging to this, which does it when it must.
    pub fn put(&self, vectors: &[(u32, Vec<f32>)]) -> Result<()> {
        for (id, vector) in vectors {
            check_vector(format_args!("vector {id}"), vector, self.inner.dimension)?;
        }
        // What the ids had before may have had tokens.
        let ids: Vec<u32> = vectors.iter().map(|(id, _)| *id).collect();
        self.inner.tokens.remove(&ids)?;
        self.put_vectors(vectors)
    }

    /// The same with the tokens of each text, for [`Self::late`]. Nothing is stored either when a token has the wrong
    /// dimension or is not finite.
    pub fn put_passages(&self, passages: Vec<Passage>) -> Result<()> {
        let dimension = self.inner.dimension;
        for Passage { id, vector, tokens } in &passages {
            check_vector(format_args!("vector {id}"), vector, dimension)?;
            let is_bad = |token: &Vec<f32>| token.len() != dimension || token.iter().any(|x| !x.is_finite());
            if let Some(at) = tokens.iter().position(is_bad) {
                return Err(Error::invalid(format!(
                    "token {at} of vector {id} is not {dimension} finite numbers"
                )));
            }
        }
        let (mut vectors, mut with, mut without) = (Vec::new(), Vec::new(), Vec::new());
        for Passage { id, vector, tokens } in passages {
            vectors.push((id, vector));
            if tokens.is_empty() { without.push(id) } else { with.push((id, tokens.concat())) }
        }
        with.sort_by_key(|(id, _)| *id);
        self.inner.tokens.remove(&without)?;
        for some in with.chunks(TOKENS_BATCH) {
            self.inner.tokens.put(some)?;
        }
        self.put_vectors(&vectors)
    }

    fn put_vectors(&self, vectors: &[(u32, Vec<f32>)]) -> Result<()> {
        for some in vectors.chunks(BATCH) {
            let changes: Vec<Change> =
                some.iter().map(|(id, vector)| (*id, Some(Arc::from(&vector[..])))).collect();
            self.store(&format!("store {} vectors", some.len()), &changes)?;
        }
        Ok(())
    }

    /// Removes vectors and their tokens: durable, and no search finds them when this returns. Ids that are not here are fine.
    pub fn remove(&self, ids: &[u32]) -> Result<()> {
        for some in ids.chunks(BATCH) {
            let changes: Vec<Change> = some.iter().map(|id| (*id, None)).collect();
            self.store(&format!("remove {} vectors", some.len()), &changes)?;
            self.inner.tokens.remove(some)?;
        }
        Ok(())
    }

    fn store(&self, doing: &str, changes: &[Change]) -> Result<()> {
        if self.inner.fresh.state().len() + changes.len() > FRESH_MAX {
            self.merge()?;
        }
        // asked after the fresh part: a merge lets the codes be seen before it forgets there
        self.inner.fresh.store(doing, changes, |id| self.inner.exact.codes().ids().contains(id))
    }

    /// The `limit` nearest vectors, best first; of equals the smaller id. `among`: only these ids count, and all of
    /// them do; ascending ids are quickest. Errors: [`crate::error::Kind::Invalid`] for a query of the wrong dimension, zero or not finite.
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
        let Inner { exact, fresh, tokens, .. } = &*self.inner;
        let (changes, codes) = (fresh.state(), exact.codes());
        let tokens_bytes = tokens.environment.disk_bytes();
        let recall = f64::from_bits(self.inner.recall.load(Ordering::Relaxed));
        Status {
            vectors: changes.over(codes.ids()).len(),
            fresh: changes.len() as u64,
            disk_bytes: exact.environment.disk_bytes() + fresh.environment.disk_bytes() + tokens_bytes,
            tokens_bytes,
            codes_bytes: codes.memory_bytes(),
            candidates: self.inner.candidates.load(Ordering::Relaxed),
            recall: (!recall.is_nan()).then_some(recall),
        }
    }

    /// False once the files were deleted or replaced under us, or failed for good: searches may go on, changes are
    /// refused, and it is time to close this and open it anew.
    pub fn is_intact(&self) -> bool {
        let Inner { exact, fresh, tokens, .. } = &*self.inner;
        exact.environment.is_intact() && fresh.environment.is_intact() && tokens.environment.is_intact()
    }

    /// Closes the files, also when clones are left: their calls fail from now on. Calls in flight are waited for,
    /// five seconds at most for each part ([`crate::error::Kind::Busy`]).
    pub fn close(self) -> Result<()> {
        let Inner { exact, fresh, tokens, .. } = &*self.inner;
        // All of them, whatever the first says.
        let closed = [exact.environment.close(), fresh.environment.close(), tokens.environment.close()];
        closed.into_iter().collect()
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
