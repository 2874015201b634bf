//! Branches of a conversation and copies of it: `message.edit`, `conversation.setHead`, `.fork` and `.clone`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{ConversationId, MessageId, Metadata};

/// Parameters of `message.edit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageEdit {
    /// The message that is said anew; it stays as it is.
    pub id: MessageId,
    /// What is said instead.
    pub content: String,
    /// The new message's id, if the client makes it; a retry with the same id changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_id: Option<MessageId>,
    /// The client's own data; absent: that of the old message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// Parameters of `conversation.setHead`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetHead {
    /// A message of the conversation.
    pub message_id: MessageId,
    /// Whether the branch goes on to the newest message below it, instead of ending in it; yes unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_leaf: Option<bool>,
}

/// Parameters of `conversation.fork`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fork {
    /// The last message of the copy: the branch that leads to it is copied.
    pub message_id: MessageId,
    /// The copy's id, if the client makes it; a retry with the same id goes on where the first try ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_id: Option<ConversationId>,
    /// The copy's title; absent: that of the original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Parameters of `conversation.clone`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloneWhole {
    /// Which one: all its branches are copied.
    pub id: ConversationId,
    /// The copy's id, if the client makes it; a retry with the same id goes on where the first try ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_id: Option<ConversationId>,
    /// The copy's title; absent: that of the original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}
