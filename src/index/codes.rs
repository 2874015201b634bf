//! The codes of all vectors in memory, in chunks that are shared between one state and the next.

use std::collections::BTreeSet;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::Neighbour;
use super::best::Best;
use super::coding::{Code, Frame};
use super::levels::rows;
use super::scan::{BLOCK, Kernel, estimates};

/// Vectors in a chunk: what is copied, and written to the disk, when one of them changes (110 kB for the default
/// model, some ten microseconds).
pub(super) const CHUNK: usize = BLOCK * 32;

/// One state of the codes. Never changed: [`Codes::edit`] makes the next one, which shares what did not change.
#[derive(Debug, Clone)]
pub(super) struct Codes {
    frame: Arc<Frame>,
    chunks: Vec<Arc<Chunk>>,
    ids: RoaringBitmap,
    kernel: Kernel,
}

/// Up to [`CHUNK`] codes, in blocks of [`BLOCK`].
#[derive(Debug, Clone)]
struct Chunk {
    /// Which slots of each block are taken, a bit each.
    taken: Vec<u32>,
    ids: Vec<u32>,
    along: Vec<f32>,
    factor: Vec<f32>,
    /// `rows` × 32 bytes a block.
    bytes: Vec<u8>,
}

impl Codes {
    /// No codes yet, around `frame`.
    pub(super) fn empty(frame: Frame) -> Self {
        Self { frame: Arc::new(frame), chunks: Vec::new(), ids: RoaringBitmap::new(), kernel: Kernel::best() }
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The ids that have a code.
    pub(super) fn ids(&self) -> &RoaringBitmap {
        &self.ids
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        let chunk = CHUNK * (rows(self.frame.dimension()) + 12) + CHUNK / 8;
        (self.chunks.len() * chunk) as u64 + self.ids.serialized_size() as u64
    }

    /// The state without `remove` and with `add` (whose ids are not in it, or are removed as well), and the numbers
    /// of the chunks that differ. Freed slots are filled before new ones are opened.
    pub(super) fn edit(&self, remove: &RoaringBitmap, add: Vec<(u32, Code)>) -> (Self, BTreeSet<usize>) {
        let mut next = self.clone();
        let mut changed = BTreeSet::new();
        let gone = remove & &self.ids;
        if !gone.is_empty() {
            for (number, chunk) in next.chunks.iter_mut().enumerate() {
                let freed: Vec<usize> =
                    chunk.slots().filter(|&slot| gone.contains(chunk.ids[slot])).collect();
                if !freed.is_empty() {
                    let chunk = Arc::make_mut(chunk);
                    freed.into_iter().for_each(|slot| chunk.free(slot));
                    changed.insert(number);
                }
            }
            next.ids -= gone;
        }
        let mut number = 0;
        for (id, code) in add {
            let slot = loop {
                match next.chunks.get(number).map(|chunk| chunk.first_free()) {
                    Some(Some(slot)) => break slot,
                    Some(None) => number += 1,
                    None => next.chunks.push(Arc::new(Chunk::new(rows(self.frame.dimension())))),
                }
            };
            Arc::make_mut(&mut next.chunks[number]).put(slot, id, &code);
            next.ids.insert(id);
            changed.insert(number);
        }
        (next, changed)
    }

    /// The `n` ids whose estimated cosine with `query`, a unit vector, is best, of those that `wanted` accepts.
    /// Best first; the cosines are estimates.
    pub(super) fn nearest(&self, query: &[f32], n: usize, wanted: impl Fn(u32) -> bool) -> Vec<Neighbour> {
        let table = self.frame.table(query);
        let block_bytes = rows(self.frame.dimension()) * BLOCK;
        let mut best = Best::of(n);
        for chunk in &self.chunks {
            for (block, &taken) in chunk.taken.iter().enumerate() {
                if taken == 0 {
                    continue;
                }
                let bytes = &chunk.bytes[block * block_bytes..(block + 1) * block_bytes];
                let sums = self.kernel.sums(&table.rest.entries, bytes);
                let slots = block * BLOCK..(block + 1) * BLOCK;
                let estimates =
                    estimates(&table, &sums, &chunk.along[slots.clone()], &chunk.factor[slots.clone()]);
                let bar = best.bar();
                let mut passing = 0u32;
                for (slot, estimate) in estimates.iter().enumerate() {
                    passing |= u32::from(*estimate > bar) << slot;
                }
                passing &= taken;
                while passing != 0 {
                    let slot = passing.trailing_zeros() as usize;
                    passing &= passing - 1;
                    let id = chunk.ids[slots.start + slot];
                    if wanted(id) {
                        best.offer(id, estimates[slot]);
                    }
                }
            }
        }
        best.into_sorted()
    }

    /// One chunk as it is stored.
    pub(super) fn chunk_bytes(&self, number: usize) -> Option<Vec<u8>> {
        self.chunks.get(number).map(|chunk| chunk.to_bytes())
    }

    /// Adds the next stored chunk; says what is wrong with it.
    pub(super) fn load_chunk(&mut self, bytes: &[u8]) -> Result<(), String> {
        let chunk = Chunk::from_bytes(bytes, rows(self.frame.dimension()))?;
        let before = self.ids.len();
        let ids: Vec<u32> = chunk.slots().map(|slot| chunk.ids[slot]).collect();
        self.ids.extend(&ids);
        if self.ids.len() != before + ids.len() as u64 {
            return Err("an id has two codes".to_owned());
        }
        self.chunks.push(Arc::new(chunk));
        Ok(())
    }
}

impl Chunk {
    fn new(rows: usize) -> Self {
        Self {
            taken: vec![0; CHUNK / BLOCK],
            ids: vec![0; CHUNK],
            along: vec![0.0; CHUNK],
            factor: vec![0.0; CHUNK],
            bytes: vec![0; CHUNK * rows],
        }
    }

    /// The slots that are taken.
    fn slots(&self) -> impl Iterator<Item = usize> {
        (0..CHUNK).filter(|slot| self.taken[slot / BLOCK] >> (slot % BLOCK) & 1 == 1)
    }

    fn first_free(&self) -> Option<usize> {
        let block = self.taken.iter().position(|taken| *taken != u32::MAX)?;
        Some(block * BLOCK + self.taken[block].trailing_ones() as usize)
    }

    /// Leaves nothing of the code in the slot: it may be of a text that is to be forgotten.
    fn free(&mut self, slot: usize) {
        self.taken[slot / BLOCK] &= !(1 << (slot % BLOCK));
        (self.ids[slot], self.along[slot], self.factor[slot]) = (0, 0.0, 0.0);
        let rows = self.bytes.len() / self.ids.len();
        let block = slot / BLOCK * BLOCK * rows;
        for row in 0..rows {
            self.bytes[block + row * BLOCK + slot % BLOCK] = 0;
        }
    }

    fn put(&mut self, slot: usize, id: u32, code: &Code) {
        let rows = code.bytes.len();
        let block = slot / BLOCK * BLOCK * rows;
        for (row, byte) in code.bytes.iter().enumerate() {
            self.bytes[block + row * BLOCK + slot % BLOCK] = *byte;
        }
        self.taken[slot / BLOCK] |= 1 << (slot % BLOCK);
        self.ids[slot] = id;
        self.along[slot] = code.along;
        self.factor[slot] = code.factor;
    }

    /// Little-endian: taken, ids, along, factor, code bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let words = self.taken.iter().chain(&self.ids).map(|word| word.to_le_bytes());
        let numbers = self.along.iter().chain(&self.factor).map(|number| number.to_le_bytes());
        let mut bytes: Vec<u8> = words.chain(numbers).flatten().collect();
        bytes.extend_from_slice(&self.bytes);
        bytes
    }

    fn from_bytes(stored: &[u8], rows: usize) -> Result<Self, String> {
        const TAKEN: usize = CHUNK / BLOCK * 4;
        const COLUMN: usize = CHUNK * 4;
        let expected = TAKEN + 3 * COLUMN + CHUNK * rows;
        if stored.len() != expected {
            return Err(format!("a chunk of codes has {} bytes instead of {expected}", stored.len()));
        }
        let (taken, rest) = stored.split_at(TAKEN);
        let (ids, rest) = rest.split_at(COLUMN);
        let (along, rest) = rest.split_at(COLUMN);
        let (factor, bytes) = rest.split_at(COLUMN);
        let words = |bytes: &[u8]| bytes.as_chunks::<4>().0.iter().copied().map(u32::from_le_bytes).collect();
        let numbers =
            |bytes: &[u8]| bytes.as_chunks::<4>().0.iter().copied().map(f32::from_le_bytes).collect();
        Ok(Self {
            taken: words(taken),
            ids: words(ids),
            along: numbers(along),
            factor: numbers(factor),
            bytes: bytes.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::dot::unit;
    use super::super::sample;
    use super::*;

    fn coded(codes: &Codes, vectors: &[Vec<f32>], from: u32) -> Vec<(u32, Code)> {
        (from..).zip(vectors.iter().map(|vector| codes.frame().code(vector))).collect()
    }

    #[test]
    fn edits_share_what_did_not_change_and_fill_holes_first() {
        let vectors = sample::off_centre(2500, 8, 1);
        let none = Codes::empty(Frame::around(vec![0.0; 8]));
        let (codes, changed) = none.edit(&RoaringBitmap::new(), coded(&none, &vectors, 10));
        assert_eq!((codes.ids().len(), changed), (2500, BTreeSet::from([0, 1, 2])));

        let remove = RoaringBitmap::from_iter([10 + 1500, 10 + 1600, 99_999]);
        let (fewer, changed) = codes.edit(&remove, Vec::new());
        assert_eq!((fewer.ids().len(), changed), (2498, BTreeSet::from([1])));
        assert!(Arc::ptr_eq(&fewer.chunks[0], &codes.chunks[0]));
        assert!(codes.ids().contains(1510), "the state before is as it was");

        let (more, changed) = fewer.edit(&RoaringBitmap::new(), coded(&none, &vectors[..2], 5000));
        assert_eq!(changed, BTreeSet::from([1]), "freed slots come first");
        assert_eq!(more.chunks.len(), 3);
        let estimate = |id| more.nearest(&unit(&vectors[1]), 1, |one| one == id)[0].cosine;
        assert_eq!(estimate(5001), estimate(11), "the same vector under another id");
    }

    #[test]
    fn nothing_of_a_removed_code_is_left() {
        let vectors = sample::off_centre(40, 30, 4);
        let none = Codes::empty(Frame::around(vec![0.0; 30]));
        let (all, _) = none.edit(&RoaringBitmap::new(), coded(&none, &vectors, 7));
        let (two, _) = all.edit(&(7..45).collect(), Vec::new());
        let (same, _) = none.edit(&RoaringBitmap::new(), coded(&none, &vectors, 7));
        let (none_left, _) = same.edit(&(7..47).collect(), Vec::new());
        assert!(none_left.chunk_bytes(0).unwrap().iter().all(|byte| *byte == 0));
        let bytes = |codes: &Codes| codes.chunk_bytes(0).unwrap().iter().filter(|byte| **byte != 0).count();
        assert!(bytes(&two) < bytes(&all) / 15, "{} of {}", bytes(&two), bytes(&all));
    }

    #[test]
    fn what_is_stored_comes_back() {
        let vectors = sample::off_centre(1500, 30, 2);
        let none = Codes::empty(Frame::around(vec![0.0; 30]));
        let (codes, _) = none.edit(&RoaringBitmap::new(), coded(&none, &vectors, 0));
        let mut loaded = none.clone();
        for number in 0..codes.chunks.len() {
            loaded.load_chunk(&codes.chunk_bytes(number).unwrap()).unwrap();
        }
        assert_eq!(loaded.ids(), codes.ids());
        let query = unit(&vectors[700]);
        assert_eq!(loaded.nearest(&query, 20, |_| true), codes.nearest(&query, 20, |_| true));
        assert!(loaded.load_chunk(&codes.chunk_bytes(0).unwrap()).is_err(), "the same ids twice");
        assert!(none.clone().load_chunk(&[1, 2, 3]).is_err());
    }

    #[test]
    fn only_wanted_ids_are_found() {
        let vectors = sample::off_centre(600, 16, 3);
        let none = Codes::empty(Frame::around(vec![0.0; 16]));
        let (codes, _) = none.edit(&RoaringBitmap::new(), coded(&none, &vectors, 0));
        let found = codes.nearest(&unit(&vectors[5]), 50, |id| id % 7 == 0);
        assert_eq!(found.len(), 50);
        assert!(found.iter().all(|found| found.id % 7 == 0));
    }
}
