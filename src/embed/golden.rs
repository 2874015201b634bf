//! Golden vectors: what a model must give for a few texts, so that a broken conversion, file or runtime is refused
//! instead of filling the index with noise.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// Below this cosine the model is not the one that was promised. Runtimes and processors differ by less than .0002;
/// the mildest known fault of a conversion gave .93.
pub const LEAST_COSINE: f32 = 0.999;

/// One text and its vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Golden {
    /// Which prefix the text gets.
    pub role: Role,
    /// The text.
    pub text: String,
    /// Its vector, scaled so that the largest value is 127, a signed byte each, in hexadecimal.
    pub vector: String,
}

/// The use of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It asks.
    Query,
    /// It is found.
    Passage,
}

impl Golden {
    /// What `vector` is to be compared with later.
    pub fn of(role: Role, text: &str, vector: &[f32]) -> Self {
        let largest = vector.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
        let bytes = vector.iter().map(|value| (value / largest * 127.0).round() as i8);
        let vector = bytes.map(|byte| format!("{byte:02x}")).collect();
        Self { role, text: text.to_owned(), vector }
    }

    /// Refuses a vector that points elsewhere. Errors: [`Kind::Corrupt`].
    pub fn check(&self, vector: &[f32]) -> Result<()> {
        let expected = self.values()?;
        if expected.len() != vector.len() {
            return Err(refused(format!(
                "the vector of \"{}\" has {} values, not {}",
                self.text,
                vector.len(),
                expected.len()
            )));
        }
        let cosine = cosine(&expected, vector);
        // A comparison that a NaN fails.
        if cosine >= LEAST_COSINE {
            return Ok(());
        }
        Err(refused(format!(
            "the vector of \"{}\" is not the expected one (cosine {cosine:.4}, at least {LEAST_COSINE} wanted)",
            self.text
        )))
    }

    fn values(&self) -> Result<Vec<f32>> {
        let digits = self.vector.as_bytes();
        let value = |pair: &[u8]| {
            let text = std::str::from_utf8(pair).ok()?;
            (pair.len() == 2).then(|| u8::from_str_radix(text, 16).ok()).flatten()
        };
        digits
            .chunks(2)
            .map(|pair| value(pair).map(|byte| f32::from(byte as i8)))
            .collect::<Option<Vec<f32>>>()
            .ok_or_else(|| refused(format!("the stored vector of \"{}\" is not hexadecimal", self.text)))
    }
}

/// The cosine of the angle between two vectors of one length; 0 where one of them is zero.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths == 0.0 { 0.0 } else { (dot(a, b) / lengths) as f32 }
}

fn refused(found: String) -> Error {
    Error::new(Kind::Corrupt, format!("check the embedding model: {found}"))
        .hint("run `nosso setup` to bring the model again, or choose another with `nosso model use DIR`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(shift: f32) -> Vec<f32> {
        (0..384).map(|i| (i as f32 * 0.37 + shift).sin() * 0.05).collect()
    }

    #[test]
    fn a_vector_passes_its_own_golden_and_no_other() {
        let golden = Golden::of(Role::Passage, "olá", &wave(0.0));
        assert_eq!(golden.vector.len(), 768);
        golden.check(&wave(0.0)).unwrap();
        let error = golden.check(&wave(0.5)).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(error.to_string().contains("cosine 0.8"), "{error}");
    }

    #[test]
    fn nonsense_is_refused() {
        let golden = Golden::of(Role::Query, "a", &wave(0.0));
        assert!(golden.check(&[0.1; 3]).is_err(), "another length");
        assert!(golden.check(&[f32::NAN; 384]).is_err(), "not numbers");
        assert!(golden.check(&[0.0; 384]).is_err(), "zero");
        for digits in ["0", "zz", "éé"] {
            assert!(
                Golden { vector: digits.into(), ..golden.clone() }.check(&wave(0.0)).is_err(),
                "{digits}"
            );
        }
    }
}
