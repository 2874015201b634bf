//! `trash.*`: what was deleted, and bringing it back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Cursor;
use crate::model::{ConversationId, Timestamp, TrashId};

/// Parameters of `trash.list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TrashList {
    /// How many; 50 unless said, 200 at most.
    pub limit: Option<u32>,
    /// Where to go on.
    pub cursor: Option<Cursor>,
}

/// Something that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trashed {
    /// The entry's own id.
    pub id: TrashId,
    /// What it was.
    pub kind: TrashKind,
    /// The id that it had and will have again.
    pub item_id: uuid::Uuid,
    /// The conversation that a message was part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Its title, or the beginning of its text.
    pub title: Option<String>,
    /// The project it belonged to.
    pub project: Option<String>,
    /// How many messages lie in it.
    pub messages: u64,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// From when on it is forgotten for good; none: it stays.
    pub kept_until: Option<Timestamp>,
}

/// What an entry of the trash was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum TrashKind {
    Conversation,
    Message,
    Memory,
}

/// Parameters of `trash.restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrashRestore {
    /// The entry's id, or that of the conversation, message or memory in it.
    pub id: uuid::Uuid,
}

/// Result of `trash.restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrashRestored {
    /// What it is.
    pub kind: TrashKind,
    /// Its id.
    pub item_id: uuid::Uuid,
    /// How many messages came back.
    pub messages: u64,
}
