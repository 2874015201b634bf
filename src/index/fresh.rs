//! The fresh part: what was put or removed since the last merge, durable in an environment of its own and scanned
//! exactly in memory.
//!
//! Storing a vector in arroy costs a pass over all of them; here it costs one commit. For each id only the last
//! change counts, be it a vector or a removal, and it hides whatever the exact part holds under that id.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use heed::byteorder::BigEndian;
use heed::types::{Bytes, Str, U32};
use roaring::RoaringBitmap;

use super::Neighbour;
use super::best::Best;
use super::dot::{dot, length};
use super::environment::{Env, Environment, RawTable, Tables, table};
use super::fault::Fault;
use crate::error::{Error, Result};

/// A change that waits for the next merge: a vector, or none for a removal.
pub(super) type Change = (u32, Option<Arc<[f32]>>);

/// The fresh part on disk and in memory.
#[derive(Debug)]
pub(super) struct FreshPart {
    pub(super) environment: Environment<FreshTables>,
    dimension: usize,
    /// Held for a commit and the publication of what it stored, so that memory and disk agree.
    writer: Mutex<()>,
    state: RwLock<Arc<Fresh>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct FreshTables {
    about: heed::Database<'static, Str, Bytes>,
    changes: heed::Database<'static, U32<BigEndian>, Bytes>,
}

impl Tables for FreshTables {
    fn open(env: &Env) -> heed::Result<Self> {
        Ok(Self { about: table(env, "about")?, changes: table(env, "changes")? })
    }

    fn raw(&self) -> Vec<RawTable> {
        vec![self.about.remap_types(), self.changes.remap_types()]
    }
}

/// Row of the description: something was removed or replaced, whose bytes the files may still hold.
pub(super) const REMAINS: &str = "remains";

/// One state of the fresh part. Never changed once it is published.
#[derive(Debug, Clone, Default)]
pub(super) struct Fresh {
    /// In the order they came in, which is about their order in memory: a scan in random order takes three times
    /// as long.
    entries: Vec<Entry>,
    /// Where in `entries` an id is.
    places: HashMap<u32, usize>,
    /// The sum of the vectors, each made one long; empty before the first.
    sum: Vec<f64>,
    /// How many vectors that are.
    n_vectors: u64,
    /// Counts changes, so that a merge can tell what came in after it began.
    clock: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    id: u32,
    at: u64,
    inverse_length: f32,
    vector: Option<Arc<[f32]>>,
}

impl FreshPart {
    /// Opens or makes it. Broken content: [`crate::error::Kind::Corrupt`].
    pub(super) fn open(folder: &Path, dimension: usize) -> Result<Self> {
        let environment = Environment::open(folder)?;
        let part = Self { environment, dimension, writer: Mutex::default(), state: RwLock::default() };
        let loaded = part.load()?;
        part.publish(loaded);
        Ok(part)
    }

    /// The random number that ties this part to its exact part; none when it was just made.
    pub(super) fn pair(&self) -> Result<Option<Vec<u8>>> {
        self.environment.read("read the fresh part's description", |txn, tables| {
            Ok(tables.about.get(txn, "pair")?.map(<[u8]>::to_vec))
        })
    }

    pub(super) fn set_pair(&self, pair: &[u8]) -> Result<()> {
        self.environment
            .write("describe the fresh part", |txn, tables| Ok(tables.about.put(txn, "pair", pair)?))
    }

    /// The state of this moment; a cheap clone.
    pub(super) fn state(&self) -> Arc<Fresh> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stores changes: durable and in [`Self::state`] when this returns. Of two for one id the last counts.
    /// `is_merged`: whether the exact part has a vector of that id.
    pub(super) fn store(
        &self,
        doing: &str,
        changes: &[Change],
        is_merged: impl Fn(u32) -> bool,
    ) -> Result<()> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.state();
        let removes = changes.iter().any(|(id, _)| before.hides(*id) || is_merged(*id));
        self.environment.write(doing, |txn, tables| {
            if removes {
                tables.about.put(txn, REMAINS, &[])?;
            }
            for (id, vector) in changes {
                tables.changes.put(txn, id, &to_bytes(vector.as_deref()))?;
            }
            Ok(())
        })?;
        let mut next = Fresh::clone(&before);
        for (id, vector) in changes {
            next.set(*id, vector.clone());
        }
        self.publish(next);
        Ok(())
    }

    /// Forgets what was merged, unless it has changed since `merged` was taken.
    pub(super) fn forget(&self, merged: &Fresh) -> Result<()> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Fresh::clone(&self.state());
        next.entries.retain(|entry| merged.entry(entry.id).is_none_or(|old| old.at != entry.at));
        next.places = next.entries.iter().enumerate().map(|(place, entry)| (entry.id, place)).collect();
        next.add_up();
        self.environment.write("forget what was merged", |txn, tables| {
            for entry in merged.entries.iter().filter(|entry| !next.hides(entry.id)) {
                tables.changes.delete(txn, &entry.id)?;
            }
            Ok(())
        })?;
        self.publish(next);
        Ok(())
    }

    /// Whether the files of this part or of the exact one may still hold vectors that were removed or replaced.
    pub(super) fn has_remains(&self) -> Result<bool> {
        self.environment
            .read("look for removed vectors", |txn, tables| Ok(tables.about.get(txn, REMAINS)?.is_some()))
    }

    /// Writes this part's files anew, and `exact` before; notes that nothing removed is left in either. Puts wait.
    /// False: something waits for a merge, and may hide what the exact part still has.
    pub(super) fn rewrite_after(&self, exact: impl FnOnce() -> Result<()>) -> Result<bool> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.state().is_empty() {
            return Ok(false);
        }
        exact()?;
        self.environment.rewrite()?;
        self.environment.write("note that no removed vector is left", |txn, tables| {
            Ok(tables.about.delete(txn, REMAINS)?)
        })?;
        Ok(true)
    }

    fn load(&self) -> Result<Fresh> {
        self.environment.read("read the fresh part", |txn, tables| {
            let mut fresh = Fresh::default();
            for change in tables.changes.iter(txn)? {
                let (id, bytes) = change?;
                fresh.set(id, from_bytes(bytes, self.dimension)?);
            }
            Ok(fresh)
        })
    }

    fn publish(&self, next: Fresh) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}

impl Fresh {
    /// Changes that wait.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether this part decides about `id`: what the exact part holds under it is outdated then.
    pub(super) fn hides(&self, id: u32) -> bool {
        self.places.contains_key(&id)
    }

    /// Some(None): removed; None: nothing is known here.
    pub(super) fn get(&self, id: u32) -> Option<Option<&[f32]>> {
        self.entry(id).map(|entry| entry.vector.as_deref())
    }

    /// The sum of the vectors here, each made one long, and how many they are; the removals do not count.
    pub(super) fn sum(&self) -> (impl Iterator<Item = f64>, u64) {
        // There is no sum before the first vector: nothing is added then.
        (self.sum.iter().copied().chain(std::iter::repeat(0.0)), self.n_vectors)
    }

    /// All changes by ascending id, which is the order that loads fastest.
    pub(super) fn changes(&self) -> Vec<Change> {
        let mut changes: Vec<Change> =
            self.entries.iter().map(|entry| (entry.id, entry.vector.clone())).collect();
        changes.sort_unstable_by_key(|(id, _)| *id);
        changes
    }

    /// Ids in the exact part as they are once this is merged.
    pub(super) fn over(&self, exact: &RoaringBitmap) -> RoaringBitmap {
        let mut ids = exact.clone();
        for entry in &self.entries {
            if entry.vector.is_some() {
                ids.insert(entry.id)
            } else {
                ids.remove(entry.id)
            };
        }
        ids
    }

    /// The `n` best of the ids that `wanted` accepts; `query` is a unit vector. Exact.
    pub(super) fn nearest(&self, query: &[f32], n: usize, wanted: impl Fn(u32) -> bool) -> Vec<Neighbour> {
        let mut best = Best::of(n);
        for entry in &self.entries {
            if let Some(vector) = &entry.vector
                && wanted(entry.id)
            {
                best.offer(entry.id, (dot(query, vector) * entry.inverse_length).clamp(-1.0, 1.0));
            }
        }
        best.into_sorted()
    }

    /// Adds the vectors up anew, which takes the rounding of many changes away too.
    fn add_up(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        self.sum.clear();
        self.n_vectors = 0;
        entries.iter().for_each(|entry| self.count(entry, 1));
        self.entries = entries;
    }

    /// Adds an entry to the sum, or takes it away again.
    fn count(&mut self, entry: &Entry, times: i64) {
        let Some(vector) = &entry.vector else { return };
        self.sum.resize(vector.len(), 0.0);
        let scale = f64::from(entry.inverse_length) * times as f64;
        self.sum.iter_mut().zip(vector.iter()).for_each(|(sum, x)| *sum += f64::from(*x) * scale);
        self.n_vectors = self.n_vectors.saturating_add_signed(times);
    }

    fn set(&mut self, id: u32, vector: Option<Arc<[f32]>>) {
        self.clock += 1;
        let inverse_length = vector.as_deref().map_or(0.0, |vector| length(vector).recip());
        let entry = Entry { id, at: self.clock, inverse_length, vector };
        self.count(&entry, 1);
        match self.places.get(&id) {
            Some(&place) => {
                let before = std::mem::replace(&mut self.entries[place], entry);
                self.count(&before, -1);
            }
            None => {
                self.places.insert(id, self.entries.len());
                self.entries.push(entry);
            }
        }
    }

    fn entry(&self, id: u32) -> Option<&Entry> {
        self.places.get(&id).map(|&place| &self.entries[place])
    }
}

/// A removal is the empty row: LMDB stores empty values.
fn to_bytes(vector: Option<&[f32]>) -> Vec<u8> {
    vector.unwrap_or_default().iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn from_bytes(bytes: &[u8], dimension: usize) -> Result<Option<Arc<[f32]>>, Fault> {
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.len() != dimension * 4 {
        return Err(Fault::Broken(format!(
            "a vector has {} bytes instead of {}",
            bytes.len(),
            dimension * 4
        )));
    }
    Ok(Some(bytes.as_chunks::<4>().0.iter().copied().map(f32::from_le_bytes).collect()))
}

/// Refuses what cannot be compared: arroy takes a zero vector for a perfect match of every query.
pub(super) fn check_vector(what: impl std::fmt::Display, vector: &[f32], dimension: usize) -> Result<()> {
    if vector.len() != dimension {
        return Err(Error::invalid(format!(
            "{what} has {} numbers where the index has {dimension}",
            vector.len()
        )));
    }
    if let Some(at) = vector.iter().position(|x| !x.is_finite()) {
        return Err(Error::invalid(format!("{what} has {} at place {at}", vector[at])));
    }
    let length = length(vector);
    if !(1e-6..1e18).contains(&length) {
        return Err(Error::invalid(format!("{what} has the length {length}, which has no usable direction")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: u32, x: f32) -> Change {
        (id, Some(Arc::from([x, 1.0])))
    }

    #[test]
    fn only_what_is_unchanged_since_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let part = FreshPart::open(folder.path(), 2).unwrap();
        part.store("test", &[change(1, 1.0), change(2, 2.0), (3, None)], |_| false).unwrap();
        let merged = part.state();
        part.store("test", &[change(2, 9.0), change(4, 4.0)], |_| false).unwrap();
        part.forget(&merged).unwrap();
        let check = |part: &FreshPart| {
            let state = part.state();
            assert_eq!(state.len(), 2);
            assert_eq!(state.get(2), Some(Some(&[9.0, 1.0][..])));
            assert_eq!(state.get(4), Some(Some(&[4.0, 1.0][..])));
            assert_eq!(state.get(3), None);
        };
        check(&part);
        part.environment.close().unwrap();
        check(&FreshPart::open(folder.path(), 2).unwrap());
    }

    #[test]
    fn rows_of_another_dimension_are_broken() {
        let folder = tempfile::tempdir().unwrap();
        let part = FreshPart::open(folder.path(), 2).unwrap();
        part.store("test", &[change(1, 1.0)], |_| false).unwrap();
        part.environment.close().unwrap();
        let error = FreshPart::open(folder.path(), 3).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Corrupt, "{error}");
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        let check = |vector: &[f32], found: &str| {
            let error = check_vector("vector 7", vector, 2).unwrap_err().to_string();
            assert!(error.starts_with("vector 7 has ") && error.contains(found), "{error}");
        };
        check(&[1.0], "1 numbers");
        check(&[1.0, f32::NAN], "NaN at place 1");
        check(&[f32::INFINITY, 1.0], "inf at place 0");
        check(&[0.0, 0.0], "length 0");
        check(&[1e-9, 0.0], "length");
        check(&[3e38, 3e38], "length inf");
        check_vector("vector 7", &[0.6, 0.8], 2).unwrap();
    }
}
