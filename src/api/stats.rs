//! `stats.usage`: how much was said, when, where and by whom.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// Parameters of `stats.usage`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct UsageParams {
    /// From this time on; the last 30 days unless said.
    pub since: Option<Timestamp>,
    /// Before this time; until now unless said.
    pub until: Option<Timestamp>,
    /// Only this project's conversations.
    pub project: Option<String>,
    /// Only what the tool of this name stored.
    pub client: Option<String>,
    /// How many minutes the days begin before those of UTC; 0 unless said.
    pub offset_minutes: i32,
}

/// Result of `stats.usage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageStats {
    /// From this time on.
    pub since: Timestamp,
    /// Before this time.
    pub until: Timestamp,
    /// Everything together.
    pub total: UsageCounts,
    /// Each day on which something was said ("2024-03-14"), in order.
    pub days: Vec<UsageOf>,
    /// Each model that answered, the most used first.
    pub models: Vec<UsageOf>,
    /// Each tool, the most used first; `name` is empty where it gave none.
    pub clients: Vec<UsageOf>,
    /// Each project, the most used first; `name` is empty where there is none.
    pub projects: Vec<UsageOf>,
}

/// How much was said somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageOf {
    /// The day, the model, the tool or the project.
    pub name: String,
    /// How much.
    #[serde(flatten)]
    pub counts: UsageCounts,
}

/// How much was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageCounts {
    /// Messages of all roles.
    pub messages: u64,
    /// Messages of a person.
    pub questions: u64,
    /// Messages of a model.
    pub answers: u64,
    /// Words of all messages.
    pub words: u64,
}
