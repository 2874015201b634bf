//! How a vector becomes two bits a dimension and two numbers, and how a query is scored against such codes.

use super::dot::{dot, length, unit};
use super::levels::{self, rows};
use super::rotation::Rotation;

/// The seed of the rotation; stored codes depend on it.
const SEED: u64 = 0x6e6f_7373_6f21;

/// The centre that codes are taken around.
///
/// Embedding models put all their vectors into a narrow cone (the mean of the default model's is .89 long), so what
/// tells them apart is small against what they share, and codes of the plain vectors are useless. A vector `d` is
/// therefore taken apart into `d = μ + m·a + r`, where `a` is the direction of the mean `μ`; `m` is kept as a number
/// and only `r` is rounded. A query's part along `a` then meets no rounding at all, which halves the error of the
/// rest: 50 candidates find what needed 500 when `d - μ` was rounded as a whole.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    mean: Vec<f32>,
    axis: Vec<f32>,
    rotation: Rotation,
}

/// One vector's code: `rows(dimension)` bytes, the number along the axis, and the factor of the rest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Code {
    /// Its rest, rotated and rounded.
    pub(super) bytes: Vec<u8>,
    /// `(d - μ)·a`.
    pub(super) along: f32,
    /// What the rounded values are multiplied by so that scores are right on average.
    pub(super) factor: f32,
}

/// A query, ready to be scored against codes.
#[derive(Debug)]
pub(super) struct Table {
    /// Its rest, to be looked up.
    pub(super) rest: levels::Table,
    /// What a vector's number along the axis counts.
    pub(super) along: f32,
    /// The part of the cosine that all vectors share.
    pub(super) shared: f32,
}

impl Frame {
    /// Around the mean of the unit vectors that will be coded. A mean of length 0 is fine: nothing is shared then.
    pub(super) fn around(mean: Vec<f32>) -> Self {
        let rotation = Rotation::new(mean.len(), SEED);
        let axis = if length(&mean) > 1e-6 { unit(&mean) } else { vec![0.0; mean.len()] };
        Self { mean, axis, rotation }
    }

    pub(super) fn mean(&self) -> &[f32] {
        &self.mean
    }

    pub(super) fn dimension(&self) -> usize {
        self.mean.len()
    }

    /// Codes a vector, of any length but zero.
    pub(super) fn code(&self, vector: &[f32]) -> Code {
        let mut rest = unit(vector);
        for (x, mean) in rest.iter_mut().zip(&self.mean) {
            *x -= mean;
        }
        let along = self.split(&mut rest);
        let mut bytes = Vec::with_capacity(rows(rest.len()));
        // The inner product of the rest with its own rounding: the factor makes that right.
        let overlap = levels::round(&rest, &mut bytes);
        let factor = if overlap > 0.0 { dot(&rest, &rest) / overlap } else { 0.0 };
        Code { bytes, along, factor }
    }

    /// Makes the tables for `query`, a unit vector.
    pub(super) fn table(&self, query: &[f32]) -> Table {
        let shared = dot(query, &self.mean);
        let mut rest = query.to_vec();
        let along = self.split(&mut rest);
        Table { rest: levels::Table::of(rest), along, shared }
    }

    /// Takes the part along the axis out of `vector` and rotates what is left.
    fn split(&self, vector: &mut [f32]) -> f32 {
        let along = dot(vector, &self.axis);
        for (x, axis) in vector.iter_mut().zip(&self.axis) {
            *x -= along * axis;
        }
        self.rotation.apply(vector);
        along
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    /// The estimate of one cosine from a code, written as plainly as possible.
    fn estimate(table: &Table, code: &Code) -> f32 {
        table.shared
            + table.along * code.along
            + code.factor * table.rest.product(table.rest.sum(&code.bytes))
    }

    fn mean_of(vectors: &[Vec<f32>]) -> Vec<f32> {
        let mut mean = vec![0f32; vectors[0].len()];
        for vector in vectors {
            for (sum, x) in mean.iter_mut().zip(unit(vector)) {
                *sum += x / vectors.len() as f32;
            }
        }
        mean
    }

    #[test]
    fn estimates_are_close_and_not_biased() {
        for dimension in [30, 384, 770] {
            let vectors = sample::off_centre(300, dimension, 3);
            let frame = Frame::around(mean_of(&vectors));
            let codes: Vec<Code> = vectors.iter().map(|vector| frame.code(vector)).collect();
            let (mut error, mut squares, mut n) = (0f64, 0f64, 0f64);
            for query in &vectors[..40] {
                let table = frame.table(&unit(query));
                for (vector, code) in vectors.iter().zip(&codes) {
                    let off = f64::from(estimate(&table, code) - dot(&unit(query), &unit(vector)));
                    (error, squares, n) = (error + off, squares + off * off, n + 1.0);
                }
            }
            let (bias, deviation) = (error / n, (squares / n).sqrt());
            assert!(bias.abs() < 0.003, "dimension {dimension}: bias {bias}");
            assert!(deviation < 0.03, "dimension {dimension}: deviation {deviation}");
        }
    }

    #[test]
    fn length_does_not_matter() {
        let vectors = sample::off_centre(10, 64, 1);
        let frame = Frame::around(mean_of(&vectors));
        let longer: Vec<f32> = vectors[0].iter().map(|x| x * 8.0).collect();
        assert_eq!(frame.code(&longer).bytes, frame.code(&vectors[0]).bytes);
    }

    #[test]
    fn the_mean_itself_and_a_zero_mean_are_fine() {
        let frame = Frame::around(vec![0.0; 8]);
        let code = frame.code(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(code.factor.is_finite() && code.along == 0.0);
        let frame = Frame::around(vec![0.5, 0.5, 0.5, 0.5]);
        let code = frame.code(&[0.5, 0.5, 0.5, 0.5]);
        assert!(code.factor.is_finite(), "{code:?}");
        let table = frame.table(&[0.5, 0.5, 0.5, 0.5]);
        assert!((estimate(&table, &code) - 1.0).abs() < 1e-3);
    }
}
