//! The self-check: how many of the true nearest ten a search finds, and as many candidates as it takes.

use std::sync::atomic::Ordering;

use roaring::RoaringBitmap;

use super::best::Best;
use super::dot::{dot, unit};
use super::{Index, Neighbour};
use crate::error::Result;

/// What a search must find of the true ten.
const GOAL: f64 = 0.99;

/// The neighbours that recall counts.
const TRUE: usize = 10;

/// The most candidates that a query scores exactly: about 7 ms of work.
const MAX_CANDIDATES: u32 = 6400;

/// Vectors scored against the samples in one transaction: some 20 ms.
const BATCH: usize = 10_000;

/// A query and, where it is itself a stored vector, the id that must not count as its own neighbour.
struct Sample {
    query: Vec<f32>,
    own: Option<u32>,
}

impl Index {
    /// Compares `samples` searches with an exact scan: recent queries first, stored vectors for the rest. Where
    /// recall@10 is below .99 the number of candidates is doubled until it is not, for this and later runs of the
    /// program. Returns the recall that holds from now on.
    ///
    /// Blocks for some 3 µs a vector and 50 samples; for an idle moment.
    pub fn self_check(&self, samples: usize) -> Result<f64> {
        let _only = self.only_one();
        let codes = self.inner.exact.codes();
        let samples = self.samples(samples, codes.ids())?;
        let before = self.inner.candidates.load(Ordering::Relaxed);
        if samples.is_empty() || codes.ids().len() <= u64::from(before) * 2 {
            // Everything is scored exactly.
            self.note_recall(1.0);
            return Ok(1.0);
        }
        let truth = self.exact_neighbours(&samples, codes.ids())?;
        let candidates: Vec<Vec<Neighbour>> = samples
            .iter()
            .map(|Sample { query, own }| codes.nearest(query, MAX_CANDIDATES as usize, |id| Some(id) != *own))
            .collect();
        let recall = |n: u32| {
            let counts = truth.iter().zip(&candidates).map(|(truth, candidates)| {
                let first =
                    RoaringBitmap::from_iter(candidates.iter().take(n as usize).map(|found| found.id));
                let found = truth.iter().filter(|one| first.contains(one.id)).count();
                (found, truth.len())
            });
            let (found, all) = counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            found as f64 / all.max(1) as f64
        };
        let mut enough = before;
        while recall(enough) < GOAL && enough < MAX_CANDIDATES {
            enough = (enough * 2).min(MAX_CANDIDATES);
        }
        let reached = recall(enough);
        if enough != before {
            tracing::info!(before, now = enough, recall = reached, "more candidates a search");
            self.inner.candidates.store(enough, Ordering::Relaxed);
            self.inner.exact.set_candidates(enough)?;
        }
        self.note_recall(reached);
        Ok(reached)
    }

    fn samples(&self, n: usize, ids: &RoaringBitmap) -> Result<Vec<Sample>> {
        let recent = self.inner.recent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let mut samples: Vec<Sample> =
            recent.into_iter().rev().take(n).map(|query| Sample { query, own: None }).collect();
        // Evenly over the ids, which is evenly over time.
        let more = (n - samples.len()) as u64;
        let step = (ids.len() / more.max(1)).max(1);
        let chosen = (0..more).filter_map(|at| ids.select((at * step).try_into().ok()?));
        self.inner.exact.each_vector(chosen, |id, vector| {
            samples.extend(vector.map(|vector| Sample { query: unit(&vector), own: Some(id) }));
        })?;
        Ok(samples)
    }

    fn exact_neighbours(&self, samples: &[Sample], ids: &RoaringBitmap) -> Result<Vec<Vec<Neighbour>>> {
        let mut best: Vec<Best> = samples.iter().map(|_| Best::of(TRUE)).collect();
        let mut ids = ids.iter();
        loop {
            let batch: Vec<u32> = ids.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            self.inner.exact.each_vector(batch.into_iter(), |id, vector| {
                let Some(vector) = vector else { return };
                let vector = unit(&vector);
                for (best, sample) in best.iter_mut().zip(samples) {
                    if sample.own != Some(id) {
                        best.offer(id, dot(&sample.query, &vector));
                    }
                }
            })?;
        }
        Ok(best.into_iter().map(Best::into_sorted).collect())
    }
}
