//! `data.*`: everything out, and in again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::system::Counts;

/// Parameters of `data.export`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExportParams {
    /// Only this project's.
    pub project: Option<String>,
}

/// One item of `data.export`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum ExportItem {
    /// Records, one a line of NDJSON.
    Records {
        /// The lines, without their line ends.
        lines: Vec<String>,
    },
    /// Last: everything was sent.
    Done {
        /// How much it was.
        counts: Counts,
    },
    /// Last: it failed.
    Error {
        /// The stable kind, as in `error.data.kind`.
        kind: String,
        /// What was being done and what was found.
        message: String,
    },
}

/// Parameters of `data.import`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportParams {
    /// What `data` holds; absent: recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ImportFormat>,
    /// The text: whole lines of NDJSON, or a whole JSON document. Send a large file in pieces of whole lines.
    pub data: String,
}

/// A format that `data.import` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ImportFormat {
    /// NDJSON as `data.export` writes it.
    Nosso,
    /// A JSON array of conversations, each with `messages: [{role, content, …}]`.
    History,
}

/// Result of `data.import`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportResult {
    /// What was added.
    pub added: Counts,
    /// What was there already.
    pub existing: Counts,
    /// Records that were left out, and why.
    pub refused: Vec<Refused>,
    /// How many records were left out; `refused` holds the first of them.
    pub refused_total: u64,
}

/// A record that an import left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Where it stands: the line, or the conversation and message, from 1.
    pub place: String,
    /// Why.
    pub reason: String,
}
