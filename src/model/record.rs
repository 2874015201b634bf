//! The records that are stored and answered: conversations, messages, memories and what they carry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConversationId, MemoryId, MessageId, ProposalId, Role, SummaryId, Timestamp};

/// Free-form JSON of the client's own, kept and given back untouched.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

/// The local tool that wrote something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientRef {
    /// The tool's name, as it gave it to `system.initialize` ("vscode", "shell").
    pub name: String,
    /// Its version, empty where it gave none.
    #[serde(default)]
    pub version: String,
}

/// A conversation without its messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// What people call it.
    pub title: Option<String>,
    /// The project it belongs to (usually the root of a git checkout); none: it belongs to no project.
    pub project: Option<String>,
    /// The language model it was last held with.
    pub model: Option<String>,
    /// The tool that began it.
    pub client: Option<ClientRef>,
    /// The folder it lies in, as a path ("Work/Clients").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Its tags, in the order of the alphabet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether it is pinned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// Whether it is archived: lists leave it out unless asked for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// Whether it is private: it is found and recalled from within itself only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// What it is a copy of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_from: Option<CopiedFrom>,
    /// The message at the end of the branch that is shown.
    pub head_message_id: Option<MessageId>,
    /// How many messages it holds, over all branches.
    pub message_count: u64,
    /// When it began.
    pub created_at: Timestamp,
    /// When something was last said or changed in it. Naming it and putting it in order does not count.
    pub updated_at: Timestamp,
    /// The client's own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// What a conversation is a copy of; either may be gone by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CopiedFrom {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message at which it was forked; none: all of it was copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The conversation it belongs to.
    pub conversation_id: ConversationId,
    /// The message it answers; none: it begins a branch.
    pub parent_id: Option<MessageId>,
    /// Its place in the order of arrival, from 1, unique in the conversation.
    pub seq: u64,
    /// Who speaks.
    pub role: Role,
    /// The display name of who speaks, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The text, byte for byte as it came.
    pub content: String,
    /// The language model that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The tool that stored it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientRef>,
    /// How the answer ended; only on answers that the daemon asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AnswerStatus>,
    /// What the prompt of this answer recalled, numbered as the answer cites it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// What the answer cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Whether search and recall find it. What tools were told and answered is kept, and not found.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub searchable: bool,
    /// When it was said.
    pub created_at: Timestamp,
    /// When its text was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// The client's own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// What stands for a model's name on answers that no model wrote: they quote what is stored.
pub const EXTRACTIVE: &str = "extractive";

impl Message {
    /// Whether it can be found. An answer that only quotes what is stored elsewhere never can: it would crowd out
    /// what it quotes.
    pub fn is_searchable(&self) -> bool {
        self.searchable && (self.role != Role::Assistant || self.model.as_deref() != Some(EXTRACTIVE))
    }
}

fn yes() -> bool {
    true
}

fn is_yes(flag: &bool) -> bool {
    *flag
}

/// A standing fact that all tools share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Its id.
    pub id: MemoryId,
    /// What sort of fact: "fact" unless said otherwise.
    pub kind: String,
    /// Where it belongs in the tree of memories ("work/db/staging").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether it is in every prompt, whatever its kind.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// The fact in words.
    pub content: String,
    /// The project it holds for; none: it holds everywhere.
    pub project: Option<String>,
    /// The tool that stored it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientRef>,
    /// The message it was taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_message_id: Option<MessageId>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// From when on it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The memory that stands in its place now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<MemoryId>,
    /// The client's own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

impl Memory {
    /// Kinds that are in every prompt, whatever it is about.
    pub const STANDING_KINDS: [&str; 3] = [Self::INSTRUCTION, "preference", "user"];
    /// The kind that tells the model what to do; the others tell it what is so.
    pub const INSTRUCTION: &str = "instruction";
}

/// What a part of a conversation says in few words; it stands beside the messages, never in their place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Its id.
    pub id: SummaryId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The newest message that it covers; it covers the branch from its beginning to there.
    pub last_message_id: MessageId,
    /// How many messages it covers.
    pub messages: u64,
    /// The summary.
    pub content: String,
    /// The language model that wrote it.
    pub model: String,
    /// When it was written.
    pub created_at: Timestamp,
}

/// A memory that the language model proposes; it is none until the person accepts it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// What sort of fact.
    pub kind: String,
    /// The fact in words.
    pub content: String,
    /// Where it belongs in the tree of memories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The project it would hold for.
    pub project: Option<String>,
    /// The message it was taken from.
    pub source_message_id: MessageId,
    /// A memory that says nearly the same, which it could replace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similar_to: Option<MemoryId>,
    /// The language model that proposes it.
    pub model: String,
    /// When it was proposed.
    pub created_at: Timestamp,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AnswerStatus {
    /// The model said all it had to say.
    Complete,
    /// The client cancelled or went away; the text is what had come by then.
    Cancelled,
    /// The model server failed; the text is what had come by then.
    Failed,
}

/// One recalled passage that a prompt held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The number by which the answer cites it: `[n]`.
    pub n: u32,
    /// Whether it is a message or a memory.
    pub kind: SourceKind,
    /// Its id.
    pub id: uuid::Uuid,
    /// The conversation of a message.
    pub conversation_id: Option<ConversationId>,
    /// That conversation's title.
    pub title: Option<String>,
    /// Who said it.
    pub role: Option<Role>,
    /// When it was said.
    pub created_at: Timestamp,
    /// The tool it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientRef>,
    /// The passage as the prompt quoted it.
    pub text: String,
    /// How well it fits the question; larger is better, comparable within one answer only.
    pub score: f64,
    /// Whether the answer cites it.
    #[serde(default)]
    pub cited: bool,
}

/// What sort of thing was found or quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SourceKind {
    /// A message of a conversation.
    Message,
    /// A standing fact.
    Memory,
}

/// Tokens that an answer cost, as the model server counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer.
    pub completion_tokens: Option<u64>,
}
