//! The exact part: every merged vector in arroy, durable, with its code beside it in the same transaction.
//!
//! arroy is used as a store that scores candidates exactly. Its trees are never built (`split_after` is out of
//! reach, so all items sit in one descendant node): at equal recall they were slower than a scan of codes at every
//! size tried. That path of `build` uses no other threads and no temporary files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use arroy::distances::Cosine;
use arroy::{Reader, Writer};
use heed::byteorder::BigEndian;
use heed::types::{Bytes, Str, U32};
use heed::{RoTxn, RwTxn};
use rand::{SeedableRng, rngs::StdRng};
use roaring::RoaringBitmap;

use super::Neighbour;
use super::codes::Codes;
use super::coding::{Code, Frame};
use super::dot::{dot, unit};
use super::environment::Environment;
use super::fault::Fault;
use super::fresh::Change;
use crate::error::Result;

/// The version of everything stored: rows, codes, rotation, levels. Another one is begun anew.
const FORMAT: u32 = 1;

/// The only index in the arroy database.
const INDEX: u16 = 0;

/// Out of reach, so that arroy never splits its one node.
const NEVER_SPLIT: usize = usize::MAX >> 1;

/// Codes are made anew when the mean has moved so far that this share of what tells vectors apart would be coded
/// as if they shared it.
const DRIFT: f32 = 0.01;

/// What the environment was made for, stored in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Purpose {
    pub(super) stamp: String,
    pub(super) dimension: usize,
}

/// The exact part.
#[derive(Debug)]
pub(super) struct ExactPart {
    pub(super) environment: Environment,
    folder: PathBuf,
    dimension: usize,
    about: heed::Database<'static, Str, Bytes>,
    vectors: arroy::Database<'static, Cosine>,
    chunks: heed::Database<'static, U32<BigEndian>, Bytes>,
    codes: RwLock<Arc<Codes>>,
}

/// What [`ExactPart::apply`] has stored.
#[derive(Debug)]
pub(super) struct Applied {
    /// The codes that go with it, not published yet.
    pub(super) codes: Arc<Codes>,
    /// All codes were made anew around a new mean.
    pub(super) recoded: bool,
}

impl ExactPart {
    /// Opens the part in `folder`, or makes one for `purpose`. Err inside Ok: it is there and is for something
    /// else, which the text names. Broken content: [`crate::error::Kind::Corrupt`].
    pub(super) fn open(folder: &Path, purpose: &Purpose) -> Result<Result<Self, String>> {
        Self::open_in(Environment::open(folder)?, folder, purpose)
    }

    pub(super) fn open_in(
        environment: Environment,
        folder: &Path,
        purpose: &Purpose,
    ) -> Result<Result<Self, String>> {
        let (about, vectors, chunks) =
            (environment.table("about")?, environment.table("vectors")?, environment.table("chunks")?);
        let codes = Arc::new(Codes::empty(Frame::around(vec![0.0; purpose.dimension])));
        let part = Self {
            environment,
            folder: folder.to_owned(),
            dimension: purpose.dimension,
            about,
            vectors,
            chunks,
            codes: RwLock::new(codes),
        };
        if let Some(other) = part.make_or_compare(purpose)? {
            return Ok(Err(other));
        }
        let codes = part.load()?;
        part.publish(Arc::new(codes));
        Ok(Ok(part))
    }

    /// The random number that ties this part to its fresh part.
    pub(super) fn pair(&self) -> Result<Vec<u8>> {
        self.environment.read("read the index's description", |txn| {
            let pair = self.about.get(txn, "pair")?;
            pair.map(<[u8]>::to_vec).ok_or_else(|| Fault::Broken("its pair is missing".to_owned()))
        })
    }

    /// The published codes; a cheap clone. Take them before a transaction: what is newer there is in the fresh
    /// state taken before.
    pub(super) fn codes(&self) -> Arc<Codes> {
        self.codes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn publish(&self, codes: Arc<Codes>) {
        *self.codes.write().unwrap_or_else(PoisonError::into_inner) = codes;
    }

    /// Stores `changes` (ascending ids) in one transaction, durable when this returns; not yet published. Only one
    /// call at a time. Idempotent.
    pub(super) fn apply(&self, changes: &[Change]) -> Result<Applied> {
        let before = self.codes();
        self.environment.write("merge fresh vectors", |txn| {
            let mut writer = Writer::<Cosine>::new(self.vectors, INDEX, self.dimension);
            // Never used as long as nothing is split; and then at least not the system's memory-backed /tmp.
            writer.set_tmpdir(&self.folder);
            let mut sum = self.sum(txn)?;
            let mut count = before.ids().len() as i64;
            for (id, vector) in changes {
                let old = writer.item_vector(txn, *id)?;
                if let Some(old) = &old {
                    add_to(&mut sum, old, -1.0);
                    count -= 1;
                }
                match vector {
                    Some(vector) => {
                        put_item(&writer, txn, *id, vector, old.is_none())?;
                        add_to(&mut sum, vector, 1.0);
                        count += 1;
                    }
                    None => {
                        writer.del_item(txn, *id)?;
                    }
                }
            }
            build(&writer, txn)?;
            if count <= 0 {
                sum.fill(0.0);
            }
            let mean: Vec<f32> = sum.iter().map(|x| (x / count.max(1) as f64) as f32).collect();
            let recoded = has_drifted(&mean, before.frame().mean());
            let codes = if recoded {
                self.recode(txn, &writer, mean)?
            } else {
                let (codes, changed) = edit(&before, changes);
                self.store_chunks(txn, &codes, &changed)?;
                codes
            };
            let bytes: Vec<u8> = sum.iter().flat_map(|x| x.to_le_bytes()).collect();
            self.about.put(txn, "sum", &bytes)?;
            Ok(Applied { codes: Arc::new(codes), recoded })
        })
    }

    /// The `n` best of `candidates`, exactly; `query` is a unit vector. Ids that are gone by now are left out.
    pub(super) fn score(
        &self,
        query: &[f32],
        n: usize,
        candidates: &RoaringBitmap,
    ) -> Result<Vec<Neighbour>> {
        if candidates.is_empty() || n == 0 {
            return Ok(Vec::new());
        }
        self.environment.read("score candidates", |txn| {
            let reader = Reader::<Cosine>::open(txn, INDEX, self.vectors)?;
            let found = reader.nns(n).candidates(candidates).by_vector(txn, query)?;
            // arroy's distance is (1 - cosine) / 2.
            Ok(found
                .into_iter()
                .map(|(id, distance)| Neighbour { id, cosine: 1.0 - 2.0 * distance })
                .collect())
        })
    }

    /// Calls `each` with the stored vectors of `ids`, in their order; none for one that is not here.
    pub(super) fn each_vector(
        &self,
        ids: impl Iterator<Item = u32>,
        mut each: impl FnMut(u32, Option<Vec<f32>>),
    ) -> Result<()> {
        self.environment.read("read vectors", |txn| {
            let writer = Writer::<Cosine>::new(self.vectors, INDEX, self.dimension);
            for id in ids {
                each(id, writer.item_vector(txn, id)?);
            }
            Ok(())
        })
    }

    /// The number of candidates that the last self-check settled on.
    pub(super) fn candidates(&self) -> Result<Option<u32>> {
        self.environment.read("read the index's description", |txn| {
            let stored = self.about.get(txn, "candidates")?;
            Ok(stored.and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes))
        })
    }

    pub(super) fn set_candidates(&self, candidates: u32) -> Result<()> {
        self.environment.write("keep the number of candidates", |txn| {
            Ok(self.about.put(txn, "candidates", &candidates.to_le_bytes())?)
        })
    }

    /// Describes a part that was just made; for one that was there, says how it differs.
    fn make_or_compare(&self, purpose: &Purpose) -> Result<Option<String>> {
        let dimension = purpose.dimension as u64;
        self.environment.write("describe the index", |txn| {
            let Some(format) = self.about.get(txn, "format")? else {
                self.about.put(txn, "format", &FORMAT.to_le_bytes())?;
                self.about.put(txn, "stamp", purpose.stamp.as_bytes())?;
                self.about.put(txn, "dimension", &dimension.to_le_bytes())?;
                self.about.put(txn, "pair", &rand::random::<u64>().to_le_bytes())?;
                // Without a build arroy's reader finds no index.
                build(&Writer::new(self.vectors, INDEX, purpose.dimension), txn)?;
                return Ok(None);
            };
            if format != FORMAT.to_le_bytes() {
                return Ok(Some("it was written by another version".to_owned()));
            }
            if self.about.get(txn, "dimension")? != Some(&dimension.to_le_bytes()[..]) {
                return Ok(Some(format!("its vectors have not {dimension} numbers")));
            }
            let stamp = self.about.get(txn, "stamp")?.unwrap_or_default();
            if stamp != purpose.stamp.as_bytes() {
                return Ok(Some(format!(
                    "it is of {} and not of {}",
                    String::from_utf8_lossy(stamp),
                    purpose.stamp
                )));
            }
            Ok(None)
        })
    }

    fn load(&self) -> Result<Codes> {
        self.environment.read("load the codes", |txn| {
            let mean = match self.about.get(txn, "mean")? {
                Some(bytes) if bytes.len() == self.dimension * 4 => {
                    bytes.as_chunks::<4>().0.iter().copied().map(f32::from_le_bytes).collect()
                }
                Some(bytes) => return Err(Fault::Broken(format!("its mean has {} bytes", bytes.len()))),
                None => vec![0.0; self.dimension],
            };
            let mut codes = Codes::empty(Frame::around(mean));
            for (expected, chunk) in (0u32..).zip(self.chunks.iter(txn)?) {
                let (number, bytes) = chunk?;
                if number != expected {
                    return Err(Fault::Broken(format!("chunk {expected} of the codes is missing")));
                }
                codes.load_chunk(bytes).map_err(Fault::Broken)?;
            }
            let reader = Reader::<Cosine>::open(txn, INDEX, self.vectors)?;
            if reader.item_ids() != codes.ids() {
                return Err(Fault::Broken(format!(
                    "{} vectors have {} codes",
                    reader.n_items(),
                    codes.ids().len()
                )));
            }
            Ok(codes)
        })
    }

    /// Codes all stored vectors around `mean`.
    fn recode(&self, txn: &mut RwTxn<'_>, writer: &Writer<Cosine>, mean: Vec<f32>) -> Result<Codes, Fault> {
        let stored: Vec<u8> = mean.iter().flat_map(|x| x.to_le_bytes()).collect();
        let none = Codes::empty(Frame::around(mean));
        let mut coded: Vec<(u32, Code)> = Vec::new();
        for item in writer.iter(txn)? {
            let (id, vector) = item?;
            coded.push((id, none.frame().code(&vector)));
        }
        let (codes, changed) = none.edit(&RoaringBitmap::new(), coded);
        self.chunks.clear(txn)?;
        self.store_chunks(txn, &codes, &changed)?;
        self.about.put(txn, "mean", &stored)?;
        Ok(codes)
    }

    fn store_chunks(
        &self,
        txn: &mut RwTxn<'_>,
        codes: &Codes,
        numbers: &BTreeSet<usize>,
    ) -> Result<(), Fault> {
        for &number in numbers {
            if let Some(bytes) = codes.chunk_bytes(number) {
                self.chunks.put(txn, &(number as u32), &bytes)?;
            }
        }
        Ok(())
    }

    /// The sum of all stored vectors, each made one long.
    fn sum(&self, txn: &RoTxn<'_>) -> Result<Vec<f64>, Fault> {
        match self.about.get(txn, "sum")? {
            Some(bytes) if bytes.len() == self.dimension * 8 => {
                Ok(bytes.as_chunks::<8>().0.iter().copied().map(f64::from_le_bytes).collect())
            }
            Some(bytes) => Err(Fault::Broken(format!("its sum has {} bytes", bytes.len()))),
            None => Ok(vec![0.0; self.dimension]),
        }
    }
}

/// Appends where that is possible, which packs pages twice as full as inserting does.
fn put_item(
    writer: &Writer<Cosine>,
    txn: &mut RwTxn<'_>,
    id: u32,
    vector: &[f32],
    is_new: bool,
) -> Result<(), Fault> {
    if is_new {
        match writer.append_item(txn, id, vector) {
            Err(arroy::Error::InvalidItemAppend) => {}
            other => return Ok(other?),
        }
    }
    Ok(writer.add_item(txn, id, vector)?)
}

/// Makes what was put visible to readers. In the same transaction as the change, always: readers refuse an index
/// with changes that are committed and not built.
fn build(writer: &Writer<Cosine>, txn: &mut RwTxn<'_>) -> Result<(), Fault> {
    // Chooses split planes, of which there are none.
    let mut unused = StdRng::seed_from_u64(0);
    Ok(writer.builder(&mut unused).n_trees(1).split_after(NEVER_SPLIT).build(txn)?)
}

fn edit(before: &Codes, changes: &[Change]) -> (Codes, BTreeSet<usize>) {
    let ids = changes.iter().map(|(id, _)| *id).collect();
    let coded = |(id, vector): &Change| Some((*id, before.frame().code(vector.as_deref()?)));
    before.edit(&ids, changes.iter().filter_map(coded).collect())
}

fn add_to(sum: &mut [f64], vector: &[f32], times: f64) {
    for (sum, x) in sum.iter_mut().zip(unit(vector)) {
        *sum += f64::from(x) * times;
    }
}

fn has_drifted(mean: &[f32], coded: &[f32]) -> bool {
    let apart: f32 = mean.iter().zip(coded).map(|(a, b)| (a - b) * (a - b)).sum();
    // Rounding moves the mean of equal vectors by some 1e-7; that is no drift.
    apart > (DRIFT * (1.0 - dot(mean, mean)).max(0.0)).max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    const PURPOSE: fn(usize) -> Purpose = |dimension| Purpose { stamp: "test".to_owned(), dimension };

    fn changes(vectors: &[Vec<f32>], from: u32) -> Vec<Change> {
        (from..).zip(vectors.iter().map(|vector| Some(Arc::from(&vector[..])))).collect()
    }

    fn open(folder: &Path, dimension: usize) -> ExactPart {
        ExactPart::open(folder, &PURPOSE(dimension)).unwrap().unwrap()
    }

    fn apply(part: &ExactPart, changes: &[Change]) -> bool {
        let applied = part.apply(changes).unwrap();
        part.publish(applied.codes);
        applied.recoded
    }

    #[test]
    fn arroy_keeps_one_node_and_scores_all_candidates_exactly() {
        let folder = tempfile::tempdir().unwrap();
        let part = open(folder.path(), 24);
        let vectors = sample::off_centre(3000, 24, 5);
        for (step, some) in vectors.chunks(1000).enumerate() {
            apply(&part, &changes(some, step as u32 * 1000));
        }
        let stats = part
            .environment
            .read("test", |txn| Ok(Reader::<Cosine>::open(txn, INDEX, part.vectors)?.stats(txn)?))
            .unwrap();
        assert_eq!((stats.leaf, stats.tree_stats.len()), (3000, 1));
        let tree = &stats.tree_stats[0];
        assert_eq!((tree.depth, tree.split_nodes, tree.descendants), (1, 0, 1));

        // Below and above half of the items arroy takes different ways; both must look at every candidate.
        let query = unit(&sample::off_centre(1, 24, 99)[0]);
        for share in [1usize, 10, 49, 51, 90, 100] {
            let candidates: RoaringBitmap =
                (0..3000u32).filter(|id| (*id as usize * 37) % 100 < share).collect();
            let mut expected: Vec<Neighbour> = candidates
                .iter()
                .map(|id| Neighbour { id, cosine: dot(&query, &unit(&vectors[id as usize])) })
                .collect();
            expected.sort_by(Neighbour::better);
            let found = part.score(&query, 10, &candidates).unwrap();
            let ids = |all: &[Neighbour]| all[..10].iter().map(|n| n.id).collect::<Vec<_>>();
            assert_eq!(ids(&found), ids(&expected), "{share} %");
            assert!((found[0].cosine - expected[0].cosine).abs() < 1e-5);
        }
    }

    #[test]
    fn codes_are_stored_with_the_vectors_and_follow_the_mean() {
        let folder = tempfile::tempdir().unwrap();
        let part = open(folder.path(), 32);
        let vectors = sample::off_centre(3000, 32, 6);
        assert!(apply(&part, &changes(&vectors[..2000], 0)), "the first vectors make the first mean");
        assert!(!apply(&part, &changes(&vectors[2000..], 2000)), "more of the same do not move it");
        let other: Vec<Vec<f32>> = vectors.iter().map(|v| v.iter().rev().copied().collect()).collect();
        assert!(apply(&part, &changes(&other, 10_000)), "others do");
        apply(&part, &[(5, None), (7, Some(Arc::from(&vectors[8][..]))), (77_777, None)]);

        let before = part.codes();
        assert_eq!(before.ids().len(), 5999);
        part.environment.close().unwrap();
        let after = open(folder.path(), 32).codes();
        let query = unit(&vectors[8]);
        assert_eq!(after.ids(), before.ids());
        assert_eq!(after.nearest(&query, 30, |_| true), before.nearest(&query, 30, |_| true));
        let found: Vec<u32> = after.nearest(&query, 2, |_| true).iter().map(|found| found.id).collect();
        assert_eq!(BTreeSet::from_iter(found), BTreeSet::from([7, 8]));
    }

    #[test]
    fn emptied_and_filled_again() {
        let folder = tempfile::tempdir().unwrap();
        let part = open(folder.path(), 4);
        let vectors = sample::off_centre(20, 4, 6);
        apply(&part, &changes(&vectors, 0));
        apply(&part, &(0..20).map(|id| (id, None)).collect::<Vec<_>>());
        assert!(part.codes().ids().is_empty());
        assert!(part.score(&[1.0, 0.0, 0.0, 0.0], 5, &RoaringBitmap::from_iter([1])).unwrap().is_empty());
        apply(&part, &changes(&vectors, 0));
        assert_eq!(part.score(&unit(&vectors[3]), 1, part.codes().ids()).unwrap()[0].id, 3);
    }

    #[test]
    fn a_map_that_is_too_small_grows() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::open_sized(folder.path(), 1 << 20).unwrap();
        let part = ExactPart::open_in(environment, folder.path(), &PURPOSE(64)).unwrap().unwrap();
        let vectors = sample::off_centre(6000, 64, 1);
        for (step, some) in vectors.chunks(2000).enumerate() {
            apply(&part, &changes(some, step as u32 * 2000));
        }
        assert_eq!(part.codes().ids().len(), 6000);
        assert_eq!(part.score(&unit(&vectors[5999]), 1, part.codes().ids()).unwrap()[0].id, 5999);
    }

    #[test]
    fn another_purpose_is_told() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), 4).environment.close().unwrap();
        let check = |stamp: &str, dimension, found: &str| {
            let purpose = Purpose { stamp: stamp.to_owned(), dimension };
            let other = ExactPart::open(folder.path(), &purpose).unwrap().unwrap_err();
            assert!(other.contains(found), "{other}");
        };
        check("test", 5, "5 numbers");
        check("other", 4, "of test and not of other");
        open(folder.path(), 4);
    }
}
