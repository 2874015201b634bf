//! `conversation.*`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::organise::ConversationFilter;
use super::{Cursor, Patch};
use crate::model::{self, Metadata, Summary};

/// Parameters of `conversation.create`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConversationCreate {
    /// The id, if the client makes it; a retry with the same id changes nothing.
    pub id: Option<model::ConversationId>,
    /// What people call it.
    pub title: Option<String>,
    /// The project it belongs to.
    pub project: Option<String>,
    /// The language model it is held with.
    pub model: Option<String>,
    /// The folder it lies in, as a path ("Work/Clients"); it is made if it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Its tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether it is private: found and recalled from within itself only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// The client's own data.
    pub metadata: Option<Metadata>,
}

/// Parameters of `conversation.get` and `conversation.delete`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ConversationById")]
pub struct ConversationId {
    /// Which one.
    pub id: model::ConversationId,
}

/// Parameters of `conversation.list`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConversationList {
    /// Which ones.
    #[serde(flatten)]
    pub filter: ConversationFilter,
    /// How many; 50 unless said, 200 at most.
    pub limit: Option<u32>,
    /// Where to go on.
    pub cursor: Option<Cursor>,
}

/// Parameters of `conversation.update`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationUpdate {
    /// Which one.
    pub id: model::ConversationId,
    /// The title.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub title: Patch<String>,
    /// The project.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub project: Patch<String>,
    /// The language model.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub model: Patch<String>,
    /// The message at the end of the branch that is shown.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub head_message_id: Patch<model::MessageId>,
    /// The client's own data, replaced as a whole.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub metadata: Patch<Metadata>,
}

/// Parameters of `conversation.suggestTitle`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TitleSuggest {
    /// Which one.
    pub id: model::ConversationId,
    /// The language model; absent: the configured one; "extractive": none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Result of `conversation.suggestTitle`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TitleSuggested {
    /// The title; `conversation.update` takes it over.
    pub title: String,
    /// The model that wrote it; "extractive" where none did.
    pub model: String,
    /// Why no model wrote it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// Parameters of `conversation.suggestTags`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TagsSuggest {
    /// Which one.
    pub id: model::ConversationId,
    /// How many at most; 5 unless said, 20 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The language model; absent: the configured one; "extractive": none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Result of `conversation.suggestTags`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TagsSuggested {
    /// The tags, in lower case, the most fitting first.
    pub tags: Vec<String>,
    /// The model that found them; "extractive" where none did.
    pub model: String,
    /// Why no model found them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// Parameters of `conversation.summarize`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summarize {
    /// Which one.
    pub id: model::ConversationId,
    /// The newest message to cover; absent: the head of the branch that is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message_id: Option<model::MessageId>,
    /// The language model; absent: the configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Result of `conversation.summaries`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SummaryList {
    /// The summaries, the newest first, 100 at most.
    pub summaries: Vec<Summary>,
}
