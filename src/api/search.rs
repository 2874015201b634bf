//! `search.query`: finding passages by their words, by their meaning, or by both.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::organise::Archived;
use crate::model::{ClientRef, ConversationId, MessageId, Role, SourceKind, Timestamp};

/// Parameters of `search.query`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchParams {
    /// The question or the words, in any language. The prefixes `tag:`, `folder:`, `pinned:`, `archived:`,
    /// `project:`, `client:`, `before:` and `after:` filter (`folder:"My work"`); a member of `filter` wins over
    /// them. Nothing else in it has a meaning.
    pub query: String,
    /// Whether the query is a text and no prefix in it filters.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub literal: bool,
    /// How many hits; 10 unless said, 200 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// How to search.
    #[serde(default)]
    pub mode: SearchMode,
    /// What to search in.
    #[serde(default)]
    pub filter: SearchFilter,
    /// How many neighbouring messages to give before and after each hit; 0 unless said, 10 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// Whether to say how each score came about.
    #[serde(default)]
    pub explain: bool,
}

/// How to search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SearchMode {
    /// By word and by meaning together.
    #[default]
    Hybrid,
    /// By word only.
    Lexical,
    /// By meaning only.
    Semantic,
}

/// What to search in; members that are absent do not restrict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SearchFilter {
    /// Only this conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Only this project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Only what the tool of this name stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Only what this role said; leaves memories out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Only messages, or only memories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<SourceKind>,
    /// Only conversations in this folder or below it, as a path ("Work/Clients"); leaves memories out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Only conversations with all of these tags; leaves memories out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Only conversations that are pinned, or only those that are not; leaves memories out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// What becomes of archived conversations; they are searched unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<Archived>,
    /// The conversation that asks: where it is private, what was said in it is found too. Other private ones are
    /// found only where `conversationId` names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_from: Option<ConversationId>,
    /// Only what was said at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only what was said before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Result of `search.query`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchResult {
    /// The best first.
    pub hits: Vec<Hit>,
    /// What took part in the search.
    pub served: Served,
}

/// What took part in a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// Whether words were searched.
    pub lexical: bool,
    /// Whether meaning was searched.
    pub semantic: bool,
    /// How many passages are not embedded yet, and so are found by their words only.
    pub pending: u64,
    /// Why a search that was asked for did not take part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One passage that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hit {
    /// Whether it is a message or a memory.
    pub kind: SourceKind,
    /// The message's or the memory's id.
    pub id: uuid::Uuid,
    /// The conversation of a message.
    pub conversation_id: Option<ConversationId>,
    /// That conversation's title.
    pub conversation_title: Option<String>,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Who said it.
    pub role: Option<Role>,
    /// The display name of who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// When it was said.
    pub created_at: Timestamp,
    /// The tool it came from.
    pub client: Option<ClientRef>,
    /// The passage: the part of the text that fits best, the whole text where it is short.
    pub text: String,
    /// Where the passage begins in the whole text, in bytes of UTF-8.
    pub offset: u64,
    /// How long the whole text is, in bytes of UTF-8.
    pub length: u64,
    /// The words of the query in `text`: ranges in Unicode characters, in order, not overlapping.
    pub spans: Vec<Span>,
    /// How well it fits; larger is better, comparable within one answer only.
    pub score: f64,
    /// Other messages of the conversation, or other memories, that say just the same; they are no hits of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<uuid::Uuid>,
    /// Messages before it in the conversation, oldest first.
    pub before: Vec<Neighbour>,
    /// Messages after it.
    pub after: Vec<Neighbour>,
    /// How the score came about, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<Explain>,
}

/// A range of Unicode characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// The first character.
    pub start: u32,
    /// Behind the last.
    pub end: u32,
}

/// A message beside a hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Neighbour {
    /// Its id.
    pub id: MessageId,
    /// Who speaks.
    pub role: Role,
    /// When it was said.
    pub created_at: Timestamp,
    /// Its text, cut where it is long.
    pub text: String,
}

/// How a hit's score came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explain {
    /// Every kind of evidence: "words" (of the text and its neighbours), "conversation", "pairs" (of words that
    /// stand together), "forms" (just as asked), "meaning", "tokens", "speaker", "date".
    pub legs: Vec<Leg>,
    /// It is in another language than the question, so that words count little.
    pub foreign: bool,
    /// Words of the query that were searched.
    pub terms: Vec<String>,
    /// Words that were left out because they are too common to tell anything.
    pub pruned: Vec<String>,
}

/// What one kind of evidence said about a hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Leg {
    /// Its name.
    pub name: String,
    /// The hit's place in its list, from 1; none: not in it.
    pub rank: Option<u32>,
    /// Its own score, larger is better.
    pub score: Option<f64>,
    /// What it added to the hit's score.
    pub contribution: f64,
}
