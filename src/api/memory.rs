//! `memory.*`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cursor, Patch};
use crate::model::{self, Memory, MessageId, Metadata, Proposal, Timestamp};
use crate::secrets::SecretPlace;

/// Parameters of `memory.add`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryAdd {
    /// The id, if the client makes it; a retry with the same id changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<model::MemoryId>,
    /// The fact in words.
    pub content: String,
    /// What sort of fact, a short lower-case word; "fact" unless said. An "instruction" tells every model what to do,
    /// a "preference" and what is said of the "user" are in every prompt; others ("fact", "context") are recalled
    /// where they fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Where it belongs in the tree of memories: names with slashes between ("work/db/staging").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether it is in every prompt, whatever its kind.
    #[serde(default)]
    pub pinned: bool,
    /// What to do where a memory says nearly the same already.
    #[serde(default)]
    pub on_duplicate: OnDuplicate,
    /// The project it holds for; absent: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The message it was taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_message_id: Option<MessageId>,
    /// From when on it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was learnt; absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The client's own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// What to do where a memory says nearly the same already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnDuplicate {
    /// Store it all the same; the answer names those that are similar by their words. Only what is the very same, and
    /// came without an id, is not stored twice: the answer is the memory that says it.
    #[default]
    Add,
    /// Store nothing and name those that are similar by their words or their meaning; the client decides.
    Suggest,
    /// Let it take the place of the most similar one, which stays in its history: it keeps that one's project and pin,
    /// and its kind and path where none are given.
    Replace,
}

/// Result of `memory.add`: the memory, and what was noticed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryAdded {
    /// The memory as it is stored, or would be.
    #[serde(flatten)]
    pub memory: Memory,
    /// Whether it is stored; false where `onDuplicate` is "suggest" and there are similar ones.
    pub stored: bool,
    /// Memories that say nearly the same, the most similar first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub similar: Vec<SimilarMemory>,
    /// The memory whose place it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<model::MemoryId>,
    /// Keys, tokens and passwords that were found in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretPlace>,
}

/// A memory that says nearly the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SimilarMemory {
    /// The memory.
    pub memory: Memory,
    /// How much of the words is the same, from 0 to 1.
    pub words: f64,
    /// How near the meaning is, from 0 to 1; none where it was not asked for, or no embedding model runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<f64>,
}

/// Parameters of `memory.get`, `memory.delete` and `memory.history`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "MemoryById")]
pub struct MemoryId {
    /// Which one.
    pub id: model::MemoryId,
}

/// Parameters of `memory.list`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoryList {
    /// Only this project's.
    pub project: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only what lies at this path or below it.
    pub path: Option<String>,
    /// Only what is pinned, or only what is not.
    pub pinned: Option<bool>,
    /// How many; 50 unless said, 200 at most.
    pub limit: Option<u32>,
    /// Where to go on.
    pub cursor: Option<Cursor>,
}

/// Parameters of `memory.update`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryUpdate {
    /// Which one.
    pub id: model::MemoryId,
    /// The fact in new words; the old ones stay in its history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Where it belongs in the tree of memories.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub path: Patch<String>,
    /// Whether it is in every prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// The project it holds for.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub project: Patch<String>,
    /// From when on it no longer holds.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub expires_at: Patch<Timestamp>,
    /// The client's own data, replaced as a whole.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub metadata: Patch<Metadata>,
}

impl MemoryUpdate {
    /// An update of this memory that changes nothing yet.
    pub fn of(id: model::MemoryId) -> Self {
        Self {
            id,
            content: None,
            kind: None,
            path: Patch::Keep,
            pinned: None,
            project: Patch::Keep,
            expires_at: Patch::Keep,
            metadata: Patch::Keep,
        }
    }
}

/// Result of `memory.history`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryHistory {
    /// What holds now, and then what it replaced, the newest first.
    pub versions: Vec<Memory>,
}

/// Parameters of `memory.paths`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoryPaths {
    /// Only this project's.
    pub project: Option<String>,
    /// Only this path and those below it.
    pub path: Option<String>,
}

/// Result of `memory.paths`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryPathList {
    /// The paths in their order, 1,000 at most.
    pub paths: Vec<MemoryPath>,
}

/// A path at which memories are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryPath {
    /// The path.
    pub path: String,
    /// How many memories are at it, those below not counted.
    pub memories: u64,
}

/// Parameters of `memory.move`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryMove {
    /// The path that moves, with everything below it.
    pub from: String,
    /// Where it goes; `null` or absent: what was at `from` has no path from then on, and what was below is at the top.
    #[serde(default)]
    pub to: Option<String>,
    /// Only this project's memories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// Result of `memory.move`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoriesMoved {
    /// How many memories moved.
    pub moved: u64,
}

/// Parameters of `memory.apply`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryApply {
    /// What to do, in order; 200 at most.
    pub operations: Vec<MemoryOperation>,
}

/// One step of `memory.apply`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "op")]
pub enum MemoryOperation {
    /// As `memory.add`, but nobody looks for similar ones.
    Add(MemoryAdd),
    /// Gives a memory a new text; the old one stays in its history.
    #[serde(rename_all = "camelCase")]
    Replace {
        /// Which one.
        id: model::MemoryId,
        /// The fact in new words.
        content: String,
    },
    /// Deletes a memory; one that is gone already is no error.
    #[serde(rename_all = "camelCase")]
    Remove {
        /// Which one.
        id: model::MemoryId,
    },
    /// Gives a memory another place.
    #[serde(rename_all = "camelCase")]
    Move {
        /// Which one.
        id: model::MemoryId,
        /// The path; `null` or absent: none.
        #[serde(default)]
        to: Option<String>,
    },
}

/// Result of `memory.apply`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryApplied {
    /// Whether it was done: all of it, or else nothing.
    pub applied: bool,
    /// What became of each operation, in order.
    pub results: Vec<OperationResult>,
}

/// What became of one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum OperationResult {
    /// It was done, and this is the memory now.
    #[serde(rename_all = "camelCase")]
    Done {
        /// The memory.
        memory: Box<Memory>,
        /// Keys, tokens and passwords that were found in it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        secrets: Vec<SecretPlace>,
    },
    /// The memory is deleted.
    Removed,
    /// There was no such memory to delete.
    Gone,
    /// It cannot be done, and so nothing was.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// The stable kind, as in `error.data.kind`.
        kind: String,
        /// What was found.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// It could be done, but another operation failed.
    Undone,
    /// It was not tried, for one before it failed.
    Skipped,
}

/// Parameters of `memory.proposals`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProposalList {
    /// How many; 50 unless said, 200 at most.
    pub limit: Option<u32>,
    /// Where to go on.
    pub cursor: Option<Cursor>,
}

/// Parameters of `memory.accept`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProposalAccept {
    /// Which proposal.
    pub id: model::ProposalId,
    /// The fact in other words than the model's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Another kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Another path.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub path: Patch<String>,
    /// Another project.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub project: Patch<String>,
    /// Whether it takes the place of the memory that `similarTo` names.
    #[serde(default)]
    pub replace: bool,
}

/// Parameters of `memory.reject`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProposalReject {
    /// Which proposal.
    pub id: model::ProposalId,
}

/// Result of `memory.reject`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProposalRejected {
    /// Whether it was waiting; false: it had been decided already.
    pub rejected: bool,
}

/// Result of `memory.proposals`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proposals {
    /// What waits for a decision, the oldest first.
    pub items: Vec<Proposal>,
    /// Where the next page begins; none: this was the last.
    pub next_cursor: Option<Cursor>,
    /// Whether the model proposes memories at all (`memory.extract.enabled`).
    pub enabled: bool,
    /// Tokens that this has cost today, and may cost.
    pub tokens_today: u64,
    /// Tokens that it may cost in a day.
    pub tokens_per_day: u64,
}
