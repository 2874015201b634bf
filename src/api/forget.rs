//! `forget.*`: taking something out of every file for good, with a receipt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{ConversationId, ErasureId, MemoryId, MessageId, Timestamp};

/// Parameters of `forget.run`: everything that any of the members names goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ForgetParams {
    /// Conversations with all their messages, deleted ones too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conversation_ids: Vec<ConversationId>,
    /// Messages; what answered them moves up to their parents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub message_ids: Vec<MessageId>,
    /// Memories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memory_ids: Vec<MemoryId>,
    /// All conversations and memories of this project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// All messages and memories that the tool of this name stored, and the conversations that then are empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Everything that was deleted before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trash_before: Option<Timestamp>,
    /// What becomes of the backups, which hold copies.
    pub backups: Backups,
    /// How many seconds to wait for the end before the receipt is answered; 10 unless said, 60 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u32>,
}

/// What becomes of the backups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Backups {
    /// They stay as they are; the receipt names them.
    #[default]
    Keep,
    /// A new one is made once all is gone, and the older ones in the backup folder are deleted.
    Replace,
}

/// Parameters of `forget.status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForgetStatus {
    /// The receipt's id.
    pub id: ErasureId,
    /// How many seconds to wait for the end; 0 unless said, 60 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u32>,
}

/// What was removed from where. It holds numbers, ids and the names of files, never what was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForgetReceipt {
    /// Its id, for `forget.status`.
    pub id: ErasureId,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When nothing was left in any file of the data folder but backups; none: `pending` says what still is to go.
    pub finished_at: Option<Timestamp>,
    /// What was removed.
    pub removed: Removed,
    /// What is still to be done, in this order; the daemon goes on by itself, also after a restart.
    pub pending: Vec<Pending>,
    /// What keeps it from going on, where something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Copies of the conversations that are gone, or that lost messages: they hold the same words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies_kept: Vec<ConversationId>,
    /// Memories that were taken from what is gone. They stay, without the reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memories_kept: Vec<MemoryId>,
    /// Answers elsewhere that were made from what is gone: the quotations are removed from them, but a model may
    /// have put it in words of its own. The first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers_kept: Vec<MessageId>,
    /// Backups that may hold copies of it. Copies elsewhere (exports, backups in other folders) are not known here.
    pub backups: Vec<String>,
    /// Whether a new backup, made once all was gone, took the place of the older ones.
    pub backups_replaced: bool,
    /// Backups that were deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backups_removed: Vec<String>,
}

/// What a receipt counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// Conversations in the database.
    pub conversations: u64,
    /// Messages in the database.
    pub messages: u64,
    /// Memories in the database.
    pub memories: u64,
    /// Records in the trash.
    pub trash: u64,
    /// Texts whose words stood in the full text.
    pub full_text: u64,
    /// Passages.
    pub chunks: u64,
    /// Jobs that waited to embed them.
    pub jobs: u64,
    /// Vectors of them in the index, each with its candidate code.
    pub vectors: u64,
    /// Quotations in answers elsewhere.
    pub quotations: u64,
}

/// A step of forgetting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Pending {
    /// Rows of the database, and what quotes them.
    Rows,
    /// Words in the full text.
    Words,
    /// Vectors and codes in the index.
    Vectors,
    /// The write-ahead log.
    Log,
    /// The new backup in place of the old ones.
    Backups,
}
