//! `chat.*`: answers grounded in what was said before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Patch;
use crate::error::Error;
use crate::model::{AnswerStatus, ConversationId, MessageId, Role, Source, Usage};

/// Parameters of `chat.complete`, `chat.stream` and `chat.preview`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatParams {
    /// The conversation to go on with; absent: a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The question's id, if the client makes it; a retry with the same id does not ask twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// The question; may be empty where `regenerate` is given.
    #[serde(default)]
    pub content: String,
    /// The message that the question answers; absent: the conversation's head; `null`: it begins a new branch. To
    /// ask an edited question, give the parent of the old one.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub parent_id: Patch<MessageId>,
    /// Ask the model again: the id of a stored question, or of an answer to it. The new answer stands beside those
    /// that are there; `content`, `messageId` and `parentId` are those of the stored question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regenerate: Option<MessageId>,
    /// The answer's id, if the client makes it; a retry with the same id answers what is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_id: Option<MessageId>,
    /// Text that belongs to the question but is not searched with: a file, a diff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<String>,
    /// Instructions to the model, before everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The language model; absent: the configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The project of a new conversation, and what recall prefers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Whether a new conversation is private: found and recalled from within itself only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// What to recall.
    #[serde(default)]
    pub memory: ChatMemory,
    /// Whether question and answer are stored; yes unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<bool>,
}

/// What a chat recalls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ChatMemory {
    /// Whether anything is recalled; yes unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How many passages at most; the config's `recall.limit` unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Recall from this project only, instead of from everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// From where to recall; `project` makes it that project unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

/// From where a chat recalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// From everywhere.
    Global,
    /// From one project: `memory.project`, or else the conversation's, or else the question's.
    Project,
    /// From what the tool that asks has stored.
    Client,
    /// From this conversation alone.
    Conversation,
}

/// Result of `chat.complete`, and what `done` and `cancelled` carry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatResult {
    /// The conversation; none where nothing was stored.
    pub conversation_id: Option<ConversationId>,
    /// The stored question.
    pub question_id: Option<MessageId>,
    /// The stored answer.
    pub answer_id: Option<MessageId>,
    /// The answer.
    pub content: String,
    /// The model that wrote it; "extractive" where none did.
    pub model: String,
    /// How it ended.
    pub status: AnswerStatus,
    /// What the prompt recalled, numbered as the answer cites it.
    pub sources: Vec<Source>,
    /// Numbers that the answer cites and that are no source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_citations: Vec<u32>,
    /// What it cost.
    pub usage: Option<Usage>,
    /// What people should know: no model is configured, the context was cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// Parameters of `chat.cancel`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatCancel {
    /// The question's id: the `messageId` that was asked with, or the `questionId` of `sources`.
    pub question_id: MessageId,
}

/// Result of `chat.cancel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatCancelled {
    /// Whether an answer to it was being written; false: it had ended already.
    pub cancelled: bool,
}

/// One item of `chat.stream`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum ChatEvent {
    /// First: what the prompt recalled.
    #[serde(rename_all = "camelCase")]
    Sources {
        /// The conversation; none where nothing is stored.
        conversation_id: Option<ConversationId>,
        /// The question's id, stored or not: what `chat.cancel` takes.
        question_id: MessageId,
        /// The model that will answer.
        model: String,
        /// What the prompt recalled.
        sources: Vec<Source>,
        /// What people should know.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notices: Vec<String>,
    },
    /// Then: a piece of the answer.
    Delta {
        /// The next characters.
        text: String,
    },
    /// Last: the whole answer.
    Done(ChatResult),
    /// Last: the client took it back; the partial answer is kept.
    Cancelled(ChatResult),
    /// Last: it failed; what had come is kept.
    #[serde(rename_all = "camelCase")]
    Error {
        /// The stable kind, as in `error.data.kind`.
        kind: String,
        /// What was being done and what was found.
        message: String,
        /// What to do.
        hint: Option<String>,
        /// Whether the same call may succeed later.
        retryable: bool,
        /// The partial answer, if one was kept.
        partial: Option<ChatResult>,
    },
}

impl ChatEvent {
    /// The last event of an answer that failed.
    pub fn error(error: &Error, partial: Option<ChatResult>) -> Self {
        ChatEvent::Error {
            kind: error.kind().name().into(),
            message: error.full_text(),
            hint: error.hint_text().map(str::to_owned),
            retryable: error.kind().is_retryable(),
            partial,
        }
    }
}

/// Result of `chat.preview`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatPreview {
    /// The model that would be asked.
    pub model: String,
    /// The prompt, exactly as it would be sent.
    pub messages: Vec<PromptMessage>,
    /// What it recalls.
    pub sources: Vec<Source>,
    /// Tokens of the prompt, estimated.
    pub prompt_tokens: u32,
    /// Tokens that the prompt may have.
    pub budget_tokens: u32,
    /// What people should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptMessage {
    /// Who speaks.
    pub role: Role,
    /// The text.
    pub content: String,
}
