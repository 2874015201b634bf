//! `memory.*`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cursor, Patch};
use crate::model::{self, MessageId, Metadata, Timestamp};

/// Parameters of `memory.add`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryAdd {
    /// The id, if the client makes it; a retry with the same id changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<model::MemoryId>,
    /// The fact in words.
    pub content: String,
    /// What sort of fact, a short lower-case word; "fact" unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
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

/// Parameters of `memory.get` and `memory.delete`.
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
    /// The fact in new words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
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
