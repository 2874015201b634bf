//! Plain data that every layer shares: ids, times, conversations, messages, memories. Nothing here does I/O.

mod chunk;
mod id;
mod record;
mod role;
pub mod table;
mod time;

pub use chunk::ChunkRange;
pub use id::{ConversationId, ErasureId, JobId, MemoryId, MessageId, ProposalId, SummaryId, TrashId};
pub use record::{
    AnswerStatus, ClientRef, Conversation, CopiedFrom, EXTRACTIVE, Memory, Message, Metadata, Proposal,
    Source, SourceKind, Summary, Usage,
};
pub use role::Role;
pub use time::Timestamp;
