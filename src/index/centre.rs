//! Centred cosines: how alike two vectors are beyond what all vectors share.
//!
//! Embedding models put their vectors into a narrow cone, so that plain cosines differ little and a vector near the
//! middle of the cone is near to everything. Around the mean this goes away.

use super::dot::{dot, length, unit};
use super::fresh::check_vector;
use super::{Index, fresh::Fresh};
use crate::error::Result;

/// With fewer vectors what they share cannot be told from what they are; nothing is taken away then.
const LEAST: u64 = 50;

impl Index {
    /// For each of `ids` the cosine of its vector and the query, both around the mean of the stored vectors, -1 to 1;
    /// none where there is no vector. With fewer than fifty vectors it is the plain cosine. Errors: as
    /// [`Index::search`].
    pub fn centred(&self, query: &[f32], ids: &[u32]) -> Result<Vec<Option<f32>>> {
        check_vector("the query", query, self.inner.dimension)?;
        let fresh = self.inner.fresh.state();
        let mean = self.mean(&fresh);
        let query = around(query, &mean);
        let mut cosines = Vec::with_capacity(ids.len());
        self.inner.exact.each_vector(ids.iter().copied(), |id, stored| {
            let cosine = |vector: &[f32]| dot(&query, &around(vector, &mean)).clamp(-1.0, 1.0);
            cosines.push(match fresh.get(id) {
                Some(changed) => changed.map(cosine),
                None => stored.as_deref().map(cosine),
            });
        })?;
        Ok(cosines)
    }

    /// The mean of the stored vectors, each made one long. The merged ones count with the mean that their codes were
    /// made around, which is kept close to theirs.
    fn mean(&self, fresh: &Fresh) -> Vec<f32> {
        let codes = self.inner.exact.codes();
        let (of_fresh, n_fresh) = fresh.sum();
        let n = codes.ids().len() + n_fresh;
        if n < LEAST {
            return vec![0.0; self.inner.dimension];
        }
        let merged = codes.frame().mean().iter().map(|x| f64::from(*x) * codes.ids().len() as f64);
        merged.zip(of_fresh).map(|(merged, fresh)| ((merged + fresh) / n as f64) as f32).collect()
    }
}

/// The direction of `vector` from the mean; zero for the mean itself.
fn around(vector: &[f32], mean: &[f32]) -> Vec<f32> {
    let mut rest = unit(vector);
    rest.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean);
    if length(&rest) > 1e-6 { unit(&rest) } else { vec![0.0; rest.len()] }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::super::tests::open;
    use super::*;

    #[test]
    fn it_is_the_cosine_around_the_mean_wherever_the_vectors_are() {
        let folder = tempfile::tempdir().unwrap();
        let index = open(folder.path(), 24);
        let vectors = sample::off_centre(300, 24, 5);
        let numbered: Vec<(u32, Vec<f32>)> = (0..).zip(vectors.clone()).collect();
        index.put(&numbered[..20]).unwrap();
        let plain = index.centred(&vectors[0], &[0, 1, 99]).unwrap();
        let cosine = dot(&vectors[0], &vectors[1]);
        assert!((plain[1].unwrap() - cosine).abs() < 1e-5 && plain[2].is_none(), "few: plain, {plain:?}");

        index.put(&numbered).unwrap();
        let mean: Vec<f32> = (0..24).map(|at| vectors.iter().map(|v| v[at]).sum::<f32>() / 300.0).collect();
        let query = sample::off_centre(1, 24, 6).remove(0);
        let ids: Vec<u32> = (0..300).rev().collect();
        let check = |index: &Index, tolerance: f32| {
            for (id, found) in ids.iter().zip(index.centred(&query, &ids).unwrap()) {
                let expected = dot(&around(&query, &mean), &around(&vectors[*id as usize], &mean));
                let found = found.unwrap();
                assert!((found - expected).abs() < tolerance, "{id}: {found} instead of {expected}");
            }
        };
        check(&index, 1e-4);
        index.merge().unwrap();
        check(&index, 1e-4);
        index.put(&numbered[..40]).unwrap();
        check(&index, 0.1);
        index.remove(&[7]).unwrap();
        assert_eq!(index.centred(&query, &[7]).unwrap(), [None]);
    }
}
