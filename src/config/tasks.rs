//! The settings of memories, secrets and prompts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What becomes a memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Memories {
    /// `[memory.extract]`
    pub extract: Extract,
}

/// Whether the language model proposes memories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extract {
    /// Whether it does. What it proposes waits until the person accepts it.
    pub enabled: bool,
    /// Tokens that this may cost from midnight to midnight (UTC), prompts and answers together.
    pub tokens_per_day: u64,
}

/// What happens to keys, tokens and passwords in what is stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// Unless the project has a mode of its own.
    pub mode: SecretMode,
    /// The mode of what belongs to a project, by the project's name.
    pub projects: BTreeMap<String, SecretMode>,
}

/// What happens to a secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretMode {
    /// A mask is stored in its place, and the answer says so.
    #[default]
    Mask,
    /// It is stored as it came, and the answer says so.
    Report,
    /// Nobody looks.
    Off,
}

/// The instructions to the language model, in both languages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prompts {
    /// `[prompts.en]`
    pub en: Templates,
    /// `[prompts.pt]`
    pub pt: Templates,
}

/// The instructions in one language; what is unset is as the product has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Templates {
    /// How to answer from notes. `{today}`
    pub answer: Option<String>,
    /// How to sum a conversation up. `{words}`
    pub summary: Option<String>,
    /// How to propose memories. `{today}`
    pub extract: Option<String>,
    /// How to name a conversation. `{characters}`
    pub title: Option<String>,
    /// How to find tags for a conversation. `{tags}`
    pub tags: Option<String>,
}

impl Default for Extract {
    fn default() -> Self {
        Self { enabled: false, tokens_per_day: 20_000 }
    }
}

impl Secrets {
    /// The mode of what belongs to this project.
    pub fn of(&self, project: Option<&str>) -> SecretMode {
        project.and_then(|project| self.projects.get(project)).copied().unwrap_or(self.mode)
    }
}
