//! `index.*`: the vector index, which is derived and can always be made anew.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The state of the vector index.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IndexStatus {
    /// The generation that serves; none: there is no index yet.
    pub generation: Option<u64>,
    /// The model its vectors are of.
    pub model: Option<String>,
    /// Numbers in a vector.
    pub dimension: Option<u32>,
    /// Vectors in it.
    pub vectors: u64,
    /// Of these, how many still wait in the small fresh part.
    pub fresh: u64,
    /// Passages that are not in it yet.
    pub pending: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Of these, what the tokens of the texts take.
    pub tokens_bytes: u64,
    /// Bytes of candidate codes in memory.
    pub codes_bytes: u64,
    /// How many candidates are scored exactly for each query.
    pub candidates: u32,
    /// Recall@10 of the last self-check against an exact scan.
    pub recall: Option<f64>,
    /// The generation that is being filled, if one is.
    pub building: Option<BuildingGeneration>,
}

/// A generation that is being filled while the old one serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildingGeneration {
    /// Its number.
    pub generation: u64,
    /// Its model.
    pub model: String,
    /// Vectors in it.
    pub vectors: u64,
    /// Passages that are not in it yet.
    pub pending: u64,
}

/// Parameters of `index.rebuild`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RebuildParams {}

/// Result of `index.rebuild`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RebuildResult {
    /// The generation that is being filled.
    pub generation: u64,
    /// Passages that will be embedded.
    pub pending: u64,
}
