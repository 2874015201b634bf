//! Which conversations, and putting them in order: `conversation.organise`, `folder.*` and `tag.*`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cursor, Patch};
use crate::model::{ConversationId, Timestamp};

/// Which conversations; members that are absent do not restrict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConversationFilter {
    /// Words that the title begins or holds, and prefixes: `tag:`, `folder:`, `pinned:`, `archived:`, `project:`,
    /// `client:`, `before:`, `after:` (`folder:"My work"`). A member of the same meaning wins over a prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Only this project's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Only those that the tool of this name began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Only those in this folder or below it, as a path ("Work/Clients").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Only those with all of these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Only those that are pinned, or only those that are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// What becomes of those that are archived; they are left out unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<Archived>,
    /// Only those that changed at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only those that last changed before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What becomes of archived conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Archived {
    /// They are left out.
    Exclude,
    /// Nothing else is looked at.
    Only,
    /// They are like the others.
    Include,
}

/// Parameters of `conversation.organise`: exactly one of `ids` and `filter` says which.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Organise {
    /// These conversations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<ConversationId>>,
    /// All that the filter lets through; `{}` is every one that is not archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<ConversationFilter>,
    /// What is done to each.
    pub change: Change,
}

/// What is done to a conversation; members that are absent leave it as it is. None of it counts as a change of the
/// conversation: its place in the list stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Change {
    /// Pinned or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// Archived or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// Private or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
    /// The folder, made if it is missing; `null` takes it out of its folder.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub folder: Patch<String>,
    /// Tags that are given to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add_tags: Vec<String>,
    /// Tags that are taken away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove_tags: Vec<String>,
}

/// Parameters of `conversation.deleteMatching`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DeleteMatching {
    /// Which ones. Those that are archived only where the filter says so.
    pub filter: ConversationFilter,
    /// Must be true where the filter restricts nothing.
    pub all: bool,
}

/// How many conversations something was done to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organised {
    /// Conversations.
    pub conversations: u64,
    /// Messages that were deleted with them.
    pub messages: u64,
}

/// Parameters of `folder.list` and `tag.list`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NameList {
    /// How many; 50 unless said, 200 at most.
    pub limit: Option<u32>,
    /// Where to go on.
    pub cursor: Option<Cursor>,
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Folder {
    /// Its path: the names from the outermost folder to it, with `/` between them.
    pub path: String,
    /// Conversations that lie directly in it.
    pub conversations: u64,
}

/// Parameters of `folder.create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FolderPath {
    /// The path ("Work/Clients"); what is missing on the way is made too.
    pub path: String,
}

/// Parameters of `folder.move`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FolderMove {
    /// Which one.
    pub path: String,
    /// Its new path: another name, another place, or both.
    pub to: String,
}

/// Parameters of `folder.delete`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FolderDelete {
    /// Which one.
    pub path: String,
    /// What becomes of what lies in it.
    #[serde(default)]
    pub contents: Contents,
}

/// What becomes of the contents of a folder that is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Contents {
    /// Conversations and folders in it move to the folder above.
    #[default]
    Keep,
    /// The conversations in it and below it are deleted with their messages, archived ones too.
    Delete,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    /// Its name, as it was first given.
    pub name: String,
    /// Conversations that have it.
    pub conversations: u64,
}

/// Parameters of `tag.delete`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TagName {
    /// Which one, in any case.
    pub name: String,
}
