//! `watch.*`: folders whose files are captured while they change.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::data::{ImportFormat, Refused};
use crate::model::Timestamp;

/// Parameters of `watch.add`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchAdd {
    /// The folder, as an absolute path.
    pub path: String,
    /// What its files are; absent: judged by the path, and notes where it tells nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<WatchKind>,
    /// The project of what is captured; absent: for sessions the folder that they were held in, for notes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// Parameters of `watch.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchRemove {
    /// The folder, as `watch.list` tells it.
    pub path: String,
    /// Whether what was captured of it is deleted too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forget: bool,
}

/// Result of `watch.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchRemoved {
    /// Whether the folder was watched.
    pub removed: bool,
    /// Conversations that were deleted.
    pub conversations: u64,
}

/// Result of `watch.list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchList {
    /// The folders, in the order in which they were added.
    pub items: Vec<Watch>,
}

/// A folder that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    /// The folder.
    pub path: String,
    /// What its files are.
    pub kind: WatchKind,
    /// The project of what is captured, where one was given.
    pub project: Option<String>,
    /// When it was added.
    pub added_at: Timestamp,
    /// How it is watched right now.
    pub state: WatchState,
    /// What is wrong and what to do, if something is.
    pub problem: Option<String>,
    /// Files that are captured.
    pub files: u64,
    /// Files that are left to be read.
    pub waiting: u64,
    /// Files that are left out.
    pub skipped_total: u64,
    /// The first of them, each with the reason.
    pub skipped: Vec<Refused>,
}

/// What the files of a folder are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WatchKind {
    /// Notes, documents and code: every text file is a conversation, which changes with it and goes with it.
    Notes,
    /// Sessions of Claude Code, usually `~/.claude/projects`.
    ClaudeCode,
    /// Sessions of Codex, usually `~/.codex/sessions`.
    Codex,
    /// Sessions of the Gemini CLI, usually `~/.gemini/tmp`.
    Gemini,
}

impl WatchKind {
    /// Every kind.
    pub const ALL: &[WatchKind] =
        &[WatchKind::Notes, WatchKind::ClaudeCode, WatchKind::Codex, WatchKind::Gemini];

    /// The name on the wire and on the command line.
    pub fn name(self) -> &'static str {
        self.format().map_or("notes", ImportFormat::name)
    }

    /// The format of the sessions; none: notes.
    pub fn format(self) -> Option<ImportFormat> {
        match self {
            WatchKind::Notes => None,
            WatchKind::ClaudeCode => Some(ImportFormat::ClaudeCode),
            WatchKind::Codex => Some(ImportFormat::Codex),
            WatchKind::Gemini => Some(ImportFormat::Gemini),
        }
    }
}

impl fmt::Display for WatchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for WatchKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        WatchKind::ALL.iter().copied().find(|kind| kind.name() == text).ok_or_else(|| {
            let known: Vec<_> = WatchKind::ALL.iter().map(|kind| kind.name()).collect();
            format!("'{text}' is no kind of folder; known kinds: {}", known.join(", "))
        })
    }
}

/// How a folder is watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WatchState {
    /// It was not looked at yet.
    #[default]
    Starting,
    /// The system tells what changes.
    Events,
    /// It is looked at from time to time.
    Polling,
    /// It is not there.
    Missing,
    /// The settings say that nothing is captured.
    Off,
}
