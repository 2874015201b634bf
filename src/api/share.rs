//! `conversation.share`: a conversation as one file to read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::ConversationId;

/// Parameters of `conversation.share`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Which one.
    pub id: ConversationId,
    /// As what.
    #[serde(default)]
    pub format: ShareFormat,
    /// All branches in the order of arrival, instead of the one that is shown.
    #[serde(default)]
    pub branches: bool,
}

/// What a shared conversation is written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ShareFormat {
    /// A page that needs nothing else: no script, nothing from elsewhere.
    #[default]
    Html,
    /// Markdown, with what is no code harmless in any viewer.
    Markdown,
}

/// One item of `conversation.share`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum ShareItem {
    /// The next part of the file.
    Text {
        /// Its text, to be put behind what came before.
        text: String,
    },
    /// Last: the file is whole.
    #[serde(rename_all = "camelCase")]
    Done {
        /// A name for the file.
        file_name: String,
        /// How many messages it holds.
        messages: u64,
    },
    /// Last: it failed.
    Error {
        /// The stable kind, as in `error.data.kind`.
        kind: String,
        /// What was being done and what was found.
        message: String,
    },
}
