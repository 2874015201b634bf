//! Which part of a text one embedding stands for.

use serde::{Deserialize, Serialize};

/// A part of a text that is embedded as one passage: bytes `start..end`, both on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChunkRange {
    /// Which view of the text was cut; 0 is the text itself.
    pub view: u8,
    /// The first byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl ChunkRange {
    /// The part of `text`; None where `text` is not the one that was cut.
    pub fn of(self, text: &str) -> Option<&str> {
        text.get(self.start as usize..self.end as usize)
    }
}
