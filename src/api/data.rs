//! `data.*`: everything out, and in again.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::system::Counts;
use crate::model::{ConversationId, Timestamp};
use crate::secrets::SecretKind;

/// Parameters of `data.export`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExportParams {
    /// How it is written.
    pub format: ExportFormat,
    /// Only this project's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Only the conversations that the tool of this name began, and the memories that it stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Only these conversations, and no memories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_ids: Option<Vec<ConversationId>>,
    /// Only conversations and memories that changed at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only conversations and memories that began before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What lies in the trash, instead of what is stored.
    pub trash: bool,
}

/// How an export is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExportFormat {
    /// NDJSON, one record a line: nothing is left out, and `data.import` gives the same again.
    #[default]
    Nosso,
    /// The JSON array that Open WebUI loads; without memories.
    OpenWebui,
    /// A Markdown document to each conversation, and one for the memories.
    Markdown,
}

/// One item of `data.export`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum ExportItem {
    /// What follows is a document of its own, up to the next of these; only in Markdown.
    Document {
        /// A name for its file.
        name: String,
    },
    /// Lines: records of NDJSON, or parts of the document.
    Records {
        /// The lines, without their line ends.
        lines: Vec<String>,
    },
    /// Last: everything was sent.
    Done {
        /// How much it was.
        counts: Counts,
    },
    /// Last: it failed.
    Error {
        /// The stable kind, as in `error.data.kind`.
        kind: String,
        /// What was being done and what was found.
        message: String,
    },
}

/// Parameters of `data.import`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportParams {
    /// What `data` holds; absent: recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ImportFormat>,
    /// The text: whole lines of NDJSON, or a whole JSON document. Send a large file in pieces of whole lines.
    pub data: String,
    /// Only says what would be added, and adds nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// A format that `nosso import` reads, by the tool that writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImportFormat {
    /// NDJSON as `data.export` writes it.
    Nosso,
    /// A JSON array of conversations, each with `messages: [{role, content, …}]`.
    History,
    /// Open WebUI's export, as an array or as NDJSON; in files also its `webui.db`.
    OpenWebui,
    /// `conversations.json` of ChatGPT's export.
    #[serde(rename = "chatgpt")]
    ChatGpt,
    /// `conversations.json` of Claude's export.
    Claude,
    /// LibreChat's export of a conversation, as a tree or as a list.
    #[serde(rename = "librechat")]
    LibreChat,
    /// A session of aichat (YAML).
    Aichat,
    /// A session of Claude Code (JSON lines).
    ClaudeCode,
    /// A session of Codex (JSON lines).
    Codex,
    /// A session of the Gemini CLI (JSON lines, or one document).
    Gemini,
    /// `logs.db` of the program `llm`; only in files.
    Llm,
    /// The database of Ollama's app; only in files.
    Ollama,
}

impl ImportFormat {
    /// Every format.
    pub const ALL: &[ImportFormat] = &[
        ImportFormat::Nosso,
        ImportFormat::History,
        ImportFormat::OpenWebui,
        ImportFormat::ChatGpt,
        ImportFormat::Claude,
        ImportFormat::LibreChat,
        ImportFormat::Aichat,
        ImportFormat::ClaudeCode,
        ImportFormat::Codex,
        ImportFormat::Gemini,
        ImportFormat::Llm,
        ImportFormat::Ollama,
    ];

    /// The name on the wire and on the command line; derived ids are made with it, so it never changes.
    pub fn name(self) -> &'static str {
        match self {
            ImportFormat::Nosso => "nosso",
            ImportFormat::History => "history",
            ImportFormat::OpenWebui => "open-webui",
            ImportFormat::ChatGpt => "chatgpt",
            ImportFormat::Claude => "claude",
            ImportFormat::LibreChat => "librechat",
            ImportFormat::Aichat => "aichat",
            ImportFormat::ClaudeCode => "claude-code",
            ImportFormat::Codex => "codex",
            ImportFormat::Gemini => "gemini",
            ImportFormat::Llm => "llm",
            ImportFormat::Ollama => "ollama",
        }
    }
}

impl fmt::Display for ImportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ImportFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        ImportFormat::ALL.iter().copied().find(|format| format.name() == text).ok_or_else(|| {
            let known: Vec<_> = ImportFormat::ALL.iter().map(|format| format.name()).collect();
            format!("'{text}' is no format; known formats: {}", known.join(", "))
        })
    }
}

/// Result of `data.import`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportResult {
    /// What was added.
    pub added: Counts,
    /// What was there already.
    pub existing: Counts,
    /// Records that were left out, and why.
    pub refused: Vec<Refused>,
    /// How many records were left out; `refused` holds the first of them.
    pub refused_total: u64,
    /// How many keys, tokens and passwords were found, by their kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<SecretKind, u64>,
    /// Records of the other tool that hold nothing to keep, by what they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ignored: BTreeMap<String, u64>,
    /// What was read although something was wrong with it: broken characters, missing parents, cycles.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mended: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A record that an import left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Where it stands: the line, or the conversation and message, from 1.
    pub place: String,
    /// Why.
    pub reason: String,
}
