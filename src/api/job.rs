//! `job.*`: the durable queue of texts to embed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Cursor;
use crate::model::{JobId, MemoryId, MessageId, Timestamp};

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum JobState {
    /// Waits for its turn.
    Ready,
    /// Is being done.
    Leased,
    /// Was given up.
    Dead,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum JobKind {
    /// Embeds a passage and puts its vector into the index.
    Embed,
    /// Takes a vector out of the index.
    Remove,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// Its state.
    pub state: JobState,
    /// How often it was tried.
    pub attempts: u32,
    /// Ready: when it is due. Leased: when the lease ends.
    pub run_at: Timestamp,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// The message whose text it embeds.
    pub message_id: Option<MessageId>,
    /// The memory whose text it embeds.
    pub memory_id: Option<MemoryId>,
}

/// Parameters of `job.list`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JobList {
    /// Only jobs in this state.
    pub state: Option<JobState>,
    /// How many; 50 unless said, 200 at most.
    pub limit: Option<u32>,
    /// Where to go on.
    pub cursor: Option<Cursor>,
}

/// Parameters of `job.retry`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JobRetry {
    /// Which ones; absent: all that were given up.
    pub ids: Option<Vec<JobId>>,
}

/// Result of `job.retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobRetried {
    /// How many jobs are in the queue again.
    pub retried: u64,
}
