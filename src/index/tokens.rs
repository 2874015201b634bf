//! The tokens' part: for each vector the codes of its text's token vectors, for a second and closer look at the best.
//!
//! A token vector is kept as two bits a dimension of what is left when the mean of all tokens is taken away. Against a
//! query's tokens in full precision that ranks as well as the numbers themselves. The mean is that of the
//! first [`MEAN_FROM`] tokens or a few more; these are kept as they came until there are so many, and are coded then.
//! Nothing else depends on this part: a vector without codes is a vector.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use heed::byteorder::BigEndian;
use heed::types::{Bytes, Str, U32};
use heed::{RoTxn, RwTxn};

use super::environment::{Env, Environment, RawTable, Tables, table};
use super::fault::Fault;
use super::fresh::REMAINS;
use super::levels::{self, rows};
use crate::error::Result;

/// Tokens of one text that are kept: what the embedding model reads at most.
pub(super) const MOST_TOKENS: usize = 512;

/// From how many tokens on the mean is taken for that of all.
pub(super) const MEAN_FROM: usize = 4096;

/// With fewer tokens what they share cannot be told from what they are.
const LEAST_FOR_MEAN: usize = 64;

type Rows = heed::Database<'static, U32<BigEndian>, Bytes>;

/// The tokens of one text: `n × dimension` numbers.
pub(super) type Tokens = (u32, Vec<f32>);

/// The tokens' part on disk, and the mean in memory.
#[derive(Debug)]
pub(super) struct TokensPart {
    pub(super) environment: Environment<TokensTables>,
    dimension: usize,
    /// Held by whatever changes something: nothing may be stored while the files are written anew.
    writer: Mutex<()>,
    mean: RwLock<Arc<Mean>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct TokensTables {
    about: heed::Database<'static, Str, Bytes>,
    /// Two bits a number, [`rows`] bytes a token.
    codes: Rows,
    /// Numbers, until there are enough of them for a mean.
    early: Rows,
}

impl Tables for TokensTables {
    fn open(env: &Env) -> heed::Result<Self> {
        Ok(Self { about: table(env, "about")?, codes: table(env, "codes")?, early: table(env, "early")? })
    }

    fn raw(&self) -> Vec<RawTable> {
        vec![self.about.remap_types(), self.codes.remap_types(), self.early.remap_types()]
    }
}

/// What all tokens share.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mean {
    /// Not known yet.
    None,
    /// That of the early ones, which are not coded yet.
    Provisional(Vec<f32>),
    /// That of all codes.
    Fixed(Vec<f32>),
}

impl Mean {
    pub(super) fn values(&self) -> Option<&[f32]> {
        match self {
            Mean::None => None,
            Mean::Provisional(mean) | Mean::Fixed(mean) => Some(mean),
        }
    }
}

impl TokensPart {
    /// Opens or makes it. Broken content: [`crate::error::Kind::Corrupt`].
    pub(super) fn open(folder: &Path, dimension: usize) -> Result<Self> {
        let environment = Environment::open(folder)?;
        let mean = RwLock::new(Arc::new(Mean::None));
        let part = Self { environment, dimension, writer: Mutex::default(), mean };
        let mean = part
            .environment
            .read("read the mean of the tokens", |txn, tables| part.find_mean(txn, tables))?;
        part.publish(mean);
        Ok(part)
    }

    /// The random number that ties this part to its exact part; none when it was just made.
    pub(super) fn pair(&self) -> Result<Option<Vec<u8>>> {
        self.environment.read("read the description of the tokens", |txn, tables| {
            Ok(tables.about.get(txn, "pair")?.map(<[u8]>::to_vec))
        })
    }

    pub(super) fn set_pair(&self, pair: &[u8]) -> Result<()> {
        self.environment
            .write("describe the tokens", |txn, tables| Ok(tables.about.put(txn, "pair", pair)?))
    }

    /// Stores the tokens of texts, each in place of what its id had: durable when this returns. Numbers that are not
    /// finite are the caller's to refuse.
    pub(super) fn put(&self, some: &[Tokens]) -> Result<()> {
        let _writer = self.only_writer();
        let mean = self.environment.write("store the tokens of texts", |txn, tables| {
            let fixed = self.fixed_mean(txn, tables)?;
            for (id, numbers) in some {
                let most = MOST_TOKENS * self.dimension;
                let numbers = &numbers[..numbers.len().min(most)];
                if has(txn, tables, *id)? {
                    tables.about.put(txn, REMAINS, &[])?;
                }
                match &fixed {
                    Some(mean) => tables.codes.put(txn, id, &code(numbers, mean))?,
                    None => tables.early.put(txn, id, &to_bytes(numbers))?,
                }
            }
            match fixed {
                Some(mean) => Ok(Mean::Fixed(mean)),
                None => self.fix_mean(txn, tables),
            }
        })?;
        self.publish(mean);
        Ok(())
    }

    /// Removes the tokens of texts. Ids that are not here are fine, and cost no commit.
    pub(super) fn remove(&self, ids: &[u32]) -> Result<()> {
        let is_any = self.environment.read("look for tokens", |txn, tables| {
            for id in ids {
                if has(txn, tables, *id)? {
                    return Ok(true);
                }
            }
            Ok(false)
        })?;
        if !is_any {
            return Ok(());
        }
        let _writer = self.only_writer();
        let mean = self.environment.write("remove the tokens of texts", |txn, tables| {
            tables.about.put(txn, REMAINS, &[])?;
            for id in ids {
                tables.codes.delete(txn, id)?;
                tables.early.delete(txn, id)?;
            }
            self.find_mean(txn, tables)
        })?;
        self.publish(mean);
        Ok(())
    }

    /// Leaves nothing of removed and replaced tokens in the files: writes them anew. Puts wait. False: there was none.
    pub(super) fn erase_removed(&self) -> Result<bool> {
        let _writer = self.only_writer();
        let doing = "look for removed tokens";
        if self.environment.read(doing, |txn, tables| Ok(tables.about.get(txn, REMAINS)?.is_none()))? {
            return Ok(false);
        }
        self.environment.rewrite()?;
        self.environment.write("note that no removed token is left", |txn, tables| {
            Ok(tables.about.delete(txn, REMAINS)?)
        })
    }

    /// Calls `each` with the codes of the tokens of `ids`, in their order, around the mean that it gets; none where
    /// there are none. Nothing is called where there is no mean yet.
    pub(super) fn each(&self, ids: &[u32], mut each: impl FnMut(&[f32], Option<&[u8]>)) -> Result<()> {
        let width = rows(self.dimension);
        self.environment.read("read the tokens of texts", |txn, tables| {
            // Codes are around the mean of their snapshot, which may have been fixed a moment ago.
            let published = self.mean();
            let of_snapshot = match &*published {
                Mean::Fixed(_) => None,
                Mean::None | Mean::Provisional(_) => self.fixed_mean(txn, tables)?,
            };
            let Some(mean) = of_snapshot.as_deref().or(published.values()) else { return Ok(()) };
            for id in ids {
                if let Some(bytes) = tables.codes.get(txn, id)? {
                    if bytes.len() % width != 0 {
                        return Err(Fault::Broken(format!("the tokens of {id} have {} bytes", bytes.len())));
                    }
                    each(mean, Some(bytes));
                } else if let Some(bytes) = tables.early.get(txn, id)? {
                    each(mean, Some(&code(&self.numbers(bytes)?, mean)));
                } else {
                    each(mean, None);
                }
            }
            Ok(())
        })
    }

    /// The ids that have tokens, ascending within each of the two tables.
    pub(super) fn ids(&self) -> Result<Vec<u32>> {
        self.environment.read("list the tokens", |txn, tables| {
            let mut ids = Vec::new();
            for table in [&tables.codes, &tables.early] {
                for row in table.iter(txn)? {
                    ids.push(row?.0);
                }
            }
            Ok(ids)
        })
    }

    /// How many ids have tokens; cheap.
    pub(super) fn len(&self) -> Result<u64> {
        self.environment
            .read("count the tokens", |txn, tables| Ok(tables.codes.len(txn)? + tables.early.len(txn)?))
    }

    /// What is taken away from every token; a cheap clone.
    pub(super) fn mean(&self) -> Arc<Mean> {
        self.mean.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn only_writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, mean: Mean) {
        *self.mean.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(mean);
    }

    fn fixed_mean(&self, txn: &RoTxn<'_>, tables: &TokensTables) -> Result<Option<Vec<f32>>, Fault> {
        match tables.about.get(txn, "mean")? {
            Some(bytes) if bytes.len() == self.dimension * 4 => Ok(Some(self.numbers(bytes)?)),
            Some(bytes) => Err(Fault::Broken(format!("the mean of the tokens has {} bytes", bytes.len()))),
            None => Ok(None),
        }
    }

    fn find_mean(&self, txn: &RoTxn<'_>, tables: &TokensTables) -> Result<Mean, Fault> {
        if let Some(mean) = self.fixed_mean(txn, tables)? {
            return Ok(Mean::Fixed(mean));
        }
        let (mean, n) = self.mean_of_early(txn, tables)?;
        Ok(if n < LEAST_FOR_MEAN { Mean::None } else { Mean::Provisional(mean) })
    }

    fn mean_of_early(&self, txn: &RoTxn<'_>, tables: &TokensTables) -> Result<(Vec<f32>, usize), Fault> {
        let (mut sum, mut n) = (vec![0f64; self.dimension], 0usize);
        for row in tables.early.iter(txn)? {
            for token in self.numbers(row?.1)?.chunks_exact(self.dimension) {
                sum.iter_mut().zip(token).for_each(|(sum, x)| *sum += f64::from(*x));
                n += 1;
            }
        }
        Ok((sum.into_iter().map(|x| (x / n.max(1) as f64) as f32).collect(), n))
    }

    /// Codes the early tokens once there are enough of them.
    fn fix_mean(&self, txn: &mut RwTxn<'_>, tables: &TokensTables) -> Result<Mean, Fault> {
        let (mean, n) = self.mean_of_early(txn, tables)?;
        if n < MEAN_FROM {
            return Ok(if n < LEAST_FOR_MEAN { Mean::None } else { Mean::Provisional(mean) });
        }
        let mut coded = Vec::new();
        for row in tables.early.iter(txn)? {
            let (id, bytes) = row?;
            coded.push((id, code(&self.numbers(bytes)?, &mean)));
        }
        for (id, code) in &coded {
            tables.codes.put(txn, id, code)?;
        }
        tables.early.clear(txn)?;
        tables.about.put(txn, "mean", &to_bytes(&mean))?;
        Ok(Mean::Fixed(mean))
    }

    fn numbers(&self, bytes: &[u8]) -> Result<Vec<f32>, Fault> {
        if !bytes.len().is_multiple_of(self.dimension * 4) {
            return Err(Fault::Broken(format!("tokens have {} bytes", bytes.len())));
        }
        Ok(bytes.as_chunks::<4>().0.iter().copied().map(f32::from_le_bytes).collect())
    }
}

fn has(txn: &RoTxn<'_>, tables: &TokensTables, id: u32) -> Result<bool, Fault> {
    Ok(tables.codes.get(txn, &id)?.is_some() || tables.early.get(txn, &id)?.is_some())
}

/// The codes of the tokens around `mean`, one after the other.
pub(super) fn code(numbers: &[f32], mean: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(numbers.len() / mean.len() * rows(mean.len()));
    for token in numbers.chunks_exact(mean.len()) {
        let rest: Vec<f32> = token.iter().zip(mean).map(|(x, mean)| x - mean).collect();
        levels::round(&rest, &mut bytes);
    }
    bytes
}

fn to_bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    const DIMENSION: usize = 12;

    fn tokens(n: usize, seed: u64) -> Vec<f32> {
        sample::off_centre(n, DIMENSION, seed).concat()
    }

    fn codes(part: &TokensPart, ids: &[u32]) -> Vec<Option<Vec<u8>>> {
        let mut found = Vec::new();
        part.each(ids, |_, codes| found.push(codes.map(<[u8]>::to_vec))).unwrap();
        found
    }

    #[test]
    fn a_code_is_what_a_token_is_beyond_the_mean() {
        assert_eq!(code(&[1.0, 2.0, 1.1, 0.0], &[1.0, 2.5]), [0b1100, 0b1100]);
        assert_eq!(
            code(&[1.0; 9], &[0.5; 9]),
            [0b0101_0101, 0b0101_0101, 0b01],
            "a rest takes a byte of its own"
        );
    }

    #[test]
    fn the_first_tokens_are_coded_once_there_are_enough() {
        let folder = tempfile::tempdir().unwrap();
        let part = TokensPart::open(folder.path(), DIMENSION).unwrap();
        part.put(&[(1, tokens(LEAST_FOR_MEAN - 1, 1))]).unwrap();
        assert_eq!((part.mean().values(), codes(&part, &[1])), (None, vec![]), "too few for a mean");

        part.put(&[(2, tokens(500, 2)), (9, tokens(3, 9))]).unwrap();
        assert!(matches!(&*part.mean(), Mean::Provisional(_)));
        let found = codes(&part, &[2, 7]);
        assert_eq!((found[0].as_ref().unwrap().len(), &found[1]), (500 * rows(DIMENSION), &None));

        for id in 10..20 {
            part.put(&[(id, tokens(500, u64::from(id)))]).unwrap();
        }
        let Mean::Fixed(mean) = (*part.mean()).clone() else { panic!("the mean is not fixed") };
        part.remove(&[1, 10, 77]).unwrap();
        let expected = Some(code(&tokens(500, 2), &mean));
        let last = Some(code(&tokens(500, 19), &mean));
        let check = |part: &TokensPart| {
            assert_eq!(*part.mean(), Mean::Fixed(mean.clone()), "it stays");
            assert_eq!(codes(part, &[2, 19, 10]), [expected.clone(), last.clone(), None]);
            assert_eq!(part.len().unwrap(), 11);
        };
        check(&part);
        part.environment.close().unwrap();
        check(&TokensPart::open(folder.path(), DIMENSION).unwrap());
    }

    #[test]
    fn a_long_text_is_cut_and_an_empty_one_has_no_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let part = TokensPart::open(folder.path(), DIMENSION).unwrap();
        part.put(&[(1, tokens(600, 1)), (2, vec![])]).unwrap();
        let found = codes(&part, &[1, 2]);
        assert_eq!(found[0].as_ref().map(Vec::len), Some(MOST_TOKENS * rows(DIMENSION)));
        assert_eq!(found[1].as_ref().map(Vec::len), Some(0));
        assert_eq!(part.ids().unwrap(), [1, 2]);
    }
}
