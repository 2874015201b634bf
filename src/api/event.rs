//! `event.subscribe`: what clients change, as it happens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{ClientRef, ConversationId, MemoryId, MessageId, Timestamp};

/// Parameters of `event.subscribe`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EventParams {
    /// Only changes in this conversation.
    pub conversation_id: Option<ConversationId>,
    /// Whether the subscriber's own changes are told too; no unless said.
    pub include_own: bool,
}

/// One item of `event.subscribe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Event {
    /// Something changed.
    Changed(Change),
    /// The subscriber was too slow and missed this many changes: read anew what it shows.
    Missed {
        /// How many.
        changes: u64,
    },
    /// Last: the daemon stops.
    Done,
}

/// Something changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What was done.
    pub action: Action,
    /// The conversation that it was done to, or in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The messages that it was done to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub message_ids: Vec<MessageId>,
    /// The memory that it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_id: Option<MemoryId>,
    /// The tool that did it.
    pub client: Option<ClientRef>,
    /// When.
    pub at: Timestamp,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Action {
    ConversationCreated,
    ConversationUpdated,
    ConversationDeleted,
    FoldersChanged,
    TagsChanged,
    MessagesAppended,
    MessageUpdated,
    MessageDeleted,
    MemoryAdded,
    MemoryUpdated,
    MemoryDeleted,
    MemoriesProposed,
    Imported,
    /// Something came back from the trash, or a backup took the place of everything.
    Restored,
    /// Something is gone for good.
    Forgotten,
}
