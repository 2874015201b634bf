//! `backup.*`: copies of the database.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::system::Counts;
use crate::model::Timestamp;

/// Parameters of `backup.create`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupCreate {
    /// The folder to write into, as an absolute path; absent: the backup folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// A copy of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// The file.
    pub file: String,
    /// Why it was made.
    pub reason: BackupReason,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its size.
    pub bytes: u64,
}

/// Why a backup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BackupReason {
    /// Somebody asked for it.
    Asked,
    /// A newer nosso was about to change the schema.
    Upgrade,
    /// Another backup was about to take the database's place.
    Restore,
}

/// Result of `backup.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupList {
    /// The folder they lie in.
    pub folder: String,
    /// The newest first.
    pub backups: Vec<Backup>,
}

/// Parameters of `backup.restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupRestore {
    /// The file, as an absolute path.
    pub file: String,
}

/// Result of `backup.restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupRestored {
    /// What is stored now.
    pub counts: Counts,
    /// A backup of what was there before; none where nothing was.
    pub kept_aside: Option<String>,
}
