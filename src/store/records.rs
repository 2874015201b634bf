//! What the store takes and gives beside the records of [`crate::model`].

use crate::api::Patch;
use crate::model::{
    AnswerStatus, ChunkRange, ClientRef, ConversationId, MemoryId, MessageId, Metadata, Role, Source,
    Timestamp, Usage,
};

/// A conversation to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct NewConversation {
    /// Its id; a second conversation of this id is not made.
    pub id: ConversationId,
    /// What people call it.
    pub title: Option<String>,
    /// The project it belongs to.
    pub project: Option<String>,
    /// The language model it is held with.
    pub model: Option<String>,
    /// The folder it lies in, as a path; made if it is missing.
    pub folder: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether it is found and recalled from within itself only.
    pub private: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// The client's own data.
    pub metadata: Option<Metadata>,
}

/// A record, and whether this call made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Created<T> {
    /// The record as stored.
    pub record: T,
    /// False: it was there already, and was left as it was.
    pub fresh: bool,
}

/// Messages to append to one conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// Where to.
    pub conversation: ConversationId,
    /// Makes the conversation in the same transaction if it does not exist.
    pub create: Option<NewConversation>,
    /// The messages, in order.
    pub messages: Vec<NewMessage>,
    /// The tool that stores them.
    pub client: Option<ClientRef>,
}

/// A message to append.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// Its id; a retry with the same id and text changes nothing.
    pub id: MessageId,
    /// Keep: the message before it in this call, or else the head. Clear: it begins a branch.
    pub parent: Patch<MessageId>,
    /// Who speaks.
    pub role: Role,
    /// The display name of who speaks.
    pub author: Option<String>,
    /// The text.
    pub content: String,
    /// The language model that wrote it.
    pub model: Option<String>,
    /// How the answer ended.
    pub status: Option<AnswerStatus>,
    /// What the prompt of this answer recalled.
    pub sources: Vec<Source>,
    /// What the answer cost.
    pub usage: Option<Usage>,
    /// When it was said.
    pub created_at: Timestamp,
    /// The client's own data.
    pub metadata: Option<Metadata>,
    /// The parts of the text that are embedded.
    pub chunks: Vec<ChunkRange>,
}

impl NewMessage {
    /// A message of now, under a new id, behind what is there. `chunks` are the parts of its text.
    pub fn new(role: Role, content: String, chunks: Vec<ChunkRange>) -> Self {
        Self {
            id: MessageId::new(),
            parent: Patch::Keep,
            role,
            author: None,
            content,
            model: None,
            status: None,
            sources: Vec::new(),
            usage: None,
            created_at: Timestamp::now(),
            metadata: None,
            chunks,
        }
    }
}

/// What [`Append`] stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Appended {
    /// The messages as stored, in the order of the call.
    pub messages: Vec<crate::model::Message>,
    /// For each, whether this call stored it.
    pub fresh: Vec<bool>,
}

/// A memory to store.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMemory {
    /// Its id; a retry with the same id and text changes nothing.
    pub id: MemoryId,
    /// What sort of fact.
    pub kind: String,
    /// The fact in words.
    pub content: String,
    /// Where it belongs in the tree of memories.
    pub path: Option<String>,
    /// Whether it is in every prompt.
    pub pinned: bool,
    /// The memory whose place it takes.
    pub replaces: Option<MemoryId>,
    /// The project it holds for; none: everywhere.
    pub project: Option<String>,
    /// The message it was taken from.
    pub source_message_id: Option<MessageId>,
    /// From when on it no longer holds.
    pub expires_at: Option<Timestamp>,
    /// When it was learnt.
    pub created_at: Timestamp,
    /// The client's own data.
    pub metadata: Option<Metadata>,
    /// The parts of the text that are embedded.
    pub chunks: Vec<ChunkRange>,
}

/// A message or a memory, by the number it has inside the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// A message of a conversation.
    Message(i64),
    /// A standing fact.
    Memory(i64),
}
