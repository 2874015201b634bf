//! `conversation.search`: conversations while somebody types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::organise::ConversationFilter;
use super::search::Span;
use crate::model::{Conversation, MessageId, Role};

/// Parameters of `conversation.search`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConversationSearch {
    /// What to look for. `filter.query` (here simply `query`) holds the words; the last of them may be the beginning
    /// of a word. Without words, the conversations that changed last.
    #[serde(flatten)]
    pub filter: ConversationFilter,
    /// How many; 20 unless said, 200 at most.
    pub limit: Option<u32>,
}

/// Result of `conversation.search`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationsFound {
    /// First those whose title fits, then those with a message that does; the newest first. Private ones are found by
    /// their title only.
    pub items: Vec<ConversationFound>,
}

/// A conversation that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationFound {
    /// The conversation.
    pub conversation: Conversation,
    /// The words in its title: ranges in Unicode characters, in order, not overlapping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub title_spans: Vec<Span>,
    /// Its newest message that fits; none: only the title does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Snippet>,
}

/// A piece of a message around the words that were found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snippet {
    /// The message.
    pub message_id: MessageId,
    /// Who said it.
    pub role: Role,
    /// The piece, on one line; `…` stands where it was cut.
    pub text: String,
    /// The words in `text`: ranges in Unicode characters, in order, not overlapping.
    pub spans: Vec<Span>,
}
