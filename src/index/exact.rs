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
use super::environment::{Env, Environment, RawTable, Tables, table};
use super::fault::Fault;
use super::fresh::Change;
use crate::error::Result;

/// The version of everything stored: rows, codes, rotation, levels. Another one is begun anew.
const FORMAT: u32 = 2;

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
    pub(super) environment: Environment<ExactTables>,
    folder: PathBuf,
    dimension: usize,
    codes: RwLock<Arc<Codes>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ExactTables {
    about: heed::Database<'static, Str, Bytes>,
    vectors: arroy::Database<'static, Cosine>,
    chunks: heed::Database<'static, U32<BigEndian>, Bytes>,
}

impl Tables for ExactTables {
    fn open(env: &Env) -> heed::Result<Self> {
        Ok(Self {
            about: table(env, "about")?,
            vectors: table(env, "vectors")?,
            chunks: table(env, "chunks")?,
        })
    }

    fn raw(&self) -> Vec<RawTable> {
        vec![self.about.remap_types(), self.vectors.remap_types(), self.chunks.remap_types()]
    }
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
        environment: Environment<ExactTables>,
        folder: &Path,
        purpose: &Purpose,
    ) -> Result<Result<Self, String>> {
        let codes = Arc::new(Codes::empty(Frame::around(vec![0.0; purpose.dimension])));
        let part = Self {
            environment,
            folder: folder.to_owned(),
            dimension: purpose.dimension,
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
        self.environment.read("read the index's description", |txn, tables| {
            let pair = tables.about.get(txn, "pair")?;
            pair.map(<[u8]>::to_vec).ok_or_else(|| Fault::Broken("its pair is missing".to_owned()))
        })
    }

    /// Whether there is a tokens' part to this one: an index of an earlier version has none.
    pub(super) fn has_tokens(&self) -> Result<bool> {
        self.environment.read("read the index's description", |txn, tables| {
            Ok(tables.about.get(txn, "tokens")?.is_some())
        })
    }

    pub(super) fn note_tokens(&self) -> Result<()> {
        self.environment
            .write("describe the index", |txn, tables| Ok(tables.about.put(txn, "tokens", b"1")?))
    }

    /// Makes it what an earlier version wrote.
    #[cfg(test)]
    pub(super) fn forget_tokens(&self) -> Result<()> {
        self.environment
            .write("describe the index", |txn, tables| Ok(tables.about.delete(txn, "tokens").map(drop)?))
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
        self.environment.write("merge fresh vectors", |txn, tables| {
            let mut writer = Writer::<Cosine>::new(tables.vectors, INDEX, self.dimension);
            // Never used as long as nothing is split; and then at least not the system's memory-backed /tmp.
            writer.set_tmpdir(&self.folder);
            let mut sum = sum_of(txn, tables, self.dimension)?;
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
                recode(txn, tables, &writer, mean)?
            } else {
                let (codes, changed) = edit(&before, changes);
                store_chunks(txn, tables, &codes, &changed)?;
                codes
            };
            let bytes: Vec<u8> = sum.iter().flat_map(|x| x.to_le_bytes()).collect();
            tables.about.put(txn, "sum", &bytes)?;
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
        self.environment.read("score candidates", |txn, tables| {
            let reader = Reader::<Cosine>::open(txn, INDEX, tables.vectors)?;
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
        self.environment.read("read vectors", |txn, tables| {
            let writer = Writer::<Cosine>::new(tables.vectors, INDEX, self.dimension);
            for id in ids {
                each(id, writer.item_vector(txn, id)?);
            }
            Ok(())
        })
    }

    /// The number of candidates that the last self-check settled on.
    pub(super) fn candidates(&self) -> Result<Option<u32>> {
        self.environment.read("read the index's description", |txn, tables| {
            let stored = tables.about.get(txn, "candidates")?;
            Ok(stored.and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes))
        })
    }

    pub(super) fn set_candidates(&self, candidates: u32) -> Result<()> {
        self.environment.write("keep the number of candidates", |txn, tables| {
            Ok(tables.about.put(txn, "candidates", &candidates.to_le_bytes())?)
        })
    }

    /// Describes a part that was just made; for one that was there, says how it differs.
    fn make_or_compare(&self, purpose: &Purpose) -> Result<Option<String>> {
        let dimension = purpose.dimension as u64;
        self.environment.write("describe the index", |txn, tables| {
            let Some(format) = tables.about.get(txn, "format")? else {
                tables.about.put(txn, "format", &FORMAT.to_le_bytes())?;
                tables.about.put(txn, "stamp", purpose.stamp.as_bytes())?;
                tables.about.put(txn, "dimension", &dimension.to_le_bytes())?;
                tables.about.put(txn, "pair", &rand::random::<u64>().to_le_bytes())?;
                // Without a build arroy's reader finds no index.
                build(&Writer::new(tables.vectors, INDEX, purpose.dimension), txn)?;
                return Ok(None);
            };
            if format != FORMAT.to_le_bytes() {
                return Ok(Some("it was written by another version".to_owned()));
            }
            if tables.about.get(txn, "dimension")? != Some(&dimension.to_le_bytes()[..]) {
                return Ok(Some(format!("its vectors have not {dimension} numbers")));
            }
            let stamp = tables.about.get(txn, "stamp")?.unwrap_or_default();
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
        self.environment.read("load the codes", |txn, tables| {
            let mean = match tables.about.get(txn, "mean")? {
                Some(bytes) if bytes.len() == self.dimension * 4 => {
                    bytes.as_chunks::<4>().0.iter().copied().map(f32::from_le_bytes).collect()
                }
                Some(bytes) => return Err(Fault::Broken(format!("its mean has {} bytes", bytes.len()))),
                None => vec![0.0; self.dimension],
            };
            let mut codes = Codes::empty(Frame::around(mean));
            for (expected, chunk) in (0u32..).zip(tables.chunks.iter(txn)?) {
                let (number, bytes) = chunk?;
                if number != expected {
                    return Err(Fault::Broken(format!("chunk {expected} of the codes is missing")));
                }
                codes.load_chunk(bytes).map_err(Fault::Broken)?;
            }
            let reader = Reader::<Cosine>::open(txn, INDEX, tables.vectors)?;
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
}

/// Codes all stored vectors around `mean`.
fn recode(
    txn: &mut RwTxn<'_>,
    tables: &ExactTables,
    writer: &Writer<Cosine>,
    mean: Vec<f32>,
) -> Result<Codes, Fault> {
    let stored: Vec<u8> = mean.iter().flat_map(|x| x.to_le_bytes()).collect();
    let none = Codes::empty(Frame::around(mean));
    let mut coded: Vec<(u32, Code)> = Vec::new();
    for item in writer.iter(txn)? {
        let (id, vector) = item?;
        coded.push((id, none.frame().code(&vector)));
    }
    let (codes, changed) = none.edit(&RoaringBitmap::new(), coded);
    tables.chunks.clear(txn)?;
    store_chunks(txn, tables, &codes, &changed)?;
    tables.about.put(txn, "mean", &stored)?;
    Ok(codes)
}

fn store_chunks(
    txn: &mut RwTxn<'_>,
    tables: &ExactTables,
    codes: &Codes,
    numbers: &BTreeSet<usize>,
) -> Result<(), Fault> {
    for &number in numbers {
        if let Some(bytes) = codes.chunk_bytes(number) {
            tables.chunks.put(txn, &(number as u32), &bytes)?;
        }
    }
    Ok(())
}

/// The sum of all stored vectors, each made one long.
fn sum_of(txn: &RoTxn<'_>, tables: &ExactTables, dimension: usize) -> Result<Vec<f64>, Fault> {
    match tables.about.get(txn, "sum")? {
        Some(bytes) if bytes.len() == dimension * 8 => {
            Ok(bytes.as_chunks::<8>().0.iter().copied().map(f64::from_le_bytes).collect())
        }
        Some(bytes) => Err(Fault::Broken(format!("its sum has {} bytes", bytes.len()))),
        None => Ok(vec![0.0; dimension]),
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
#[path = "exact_tests.rs"]
mod tests;
