//! `message.*`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cursor, Patch};
use crate::model::{self, ConversationId, Message, Metadata, Role, Timestamp};
use crate::secrets::SecretPlace;

/// Parameters of `message.append`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageAppend {
    /// Where to.
    pub conversation_id: ConversationId,
    /// The messages, in order.
    pub messages: Vec<NewMessage>,
}

/// A message to append.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewMessage {
    /// The id, if the client makes it; a retry with the same id changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<model::MessageId>,
    /// The message it answers; absent: the message before it in this call, or else the conversation's head;
    /// `null`: it begins a new branch.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub parent_id: Patch<model::MessageId>,
    /// Who speaks.
    pub role: Role,
    /// The display name of who speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The text, at most 1 MiB of UTF-8. It comes back byte for byte, but for keys, tokens and passwords, in whose
    /// place a mask is stored unless the settings say otherwise; the answer tells.
    pub content: String,
    /// The language model that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// When it was said; absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The client's own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// Result of `message.append`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageAppended {
    /// The messages as stored, in the order of the request.
    pub messages: Vec<Message>,
    /// Keys, tokens and passwords that were found in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<MessageSecret>,
}

/// A secret in a message. It never holds the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageSecret {
    /// The message.
    pub message_id: model::MessageId,
    /// What was found, and where.
    #[serde(flatten)]
    pub place: SecretPlace,
}

/// Parameters of `message.get` and `message.delete`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "MessageById")]
pub struct MessageId {
    /// Which one.
    pub id: model::MessageId,
}

/// Parameters of `message.list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageList {
    /// Whose messages.
    pub conversation_id: ConversationId,
    /// Which of them.
    #[serde(default)]
    pub path: MessagePath,
    /// Only the messages that answer this one; `null`: that answer none. Two of them or more are branches.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub parent_id: Patch<model::MessageId>,
    /// From the newest back, instead of from the oldest on; the path to the head always goes back.
    #[serde(default)]
    pub newest_first: bool,
    /// How many; 50 unless said, 200 at most.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Where to go on.
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

/// Which messages of a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MessagePath {
    /// Those of all branches, in the order of arrival; their `parentId`s make the tree.
    #[default]
    All,
    /// Those of the branch that is shown, from its head back to its beginning.
    Head,
}

/// Parameters of `message.update`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageUpdate {
    /// Which one.
    pub id: model::MessageId,
    /// New text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The display name of who speaks.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub author: Patch<String>,
    /// The client's own data, replaced as a whole.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub metadata: Patch<Metadata>,
}
