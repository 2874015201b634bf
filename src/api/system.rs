//! `system.*`, `rpc.discover` and `model.list`: what the daemon is and how it does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use crate::model::{ClientRef, Timestamp};

/// No parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Empty {}

/// Parameters of `system.initialize`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InitializeParams {
    /// Who calls; everything this connection stores is credited to it.
    pub client_info: Option<ClientRef>,
    /// The version of the protocol that the client speaks; absent: any.
    pub protocol_version: Option<String>,
}

/// Result of `system.initialize`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InitializeResult {
    /// The daemon's name and version.
    pub server_info: ClientRef,
    /// The version of the protocol that is spoken.
    pub protocol_version: String,
    /// Names of every method and subscription.
    pub methods: Vec<String>,
    /// What is allowed.
    pub limits: Limits,
}

/// Result of `rpc.discover`: an OpenRPC document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct OpenRpcDocument(pub serde_json::Value);

/// Result of `system.status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemStatus {
    /// The daemon's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// When it started.
    pub started_at: Timestamp,
    /// What is stored.
    pub counts: Counts,
    /// The embedding jobs.
    pub queue: QueueCounts,
    /// The vector index.
    pub index: super::index::IndexStatus,
    /// The embedding model.
    pub embedding: EmbeddingStatus,
    /// The language model that answers.
    pub chat: ChatStatus,
    /// Which searches work right now.
    pub legs: Legs,
    /// Bytes on disk and in memory.
    pub sizes: Sizes,
    /// Clients that are connected.
    pub connections: u64,
    /// Where things are.
    pub places: Places,
    /// What is not as it should be, in sentences that say what to do.
    pub warnings: Vec<String>,
}

/// How many things are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Conversations.
    pub conversations: u64,
    /// Messages.
    pub messages: u64,
    /// Memories.
    pub memories: u64,
    /// Passages that are or will be embedded.
    pub chunks: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        let Self { conversations, messages, memories, chunks } = more;
        self.conversations += conversations;
        self.messages += messages;
        self.memories += memories;
        self.chunks += chunks;
    }
}

/// How many embedding jobs are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueCounts {
    /// Wait for their turn.
    pub ready: u64,
    /// Are being done.
    pub leased: u64,
    /// Were given up; `job.retry` brings them back.
    pub dead: u64,
}

/// The state of the embedding model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EmbeddingStatus {
    /// Whether texts can be embedded.
    pub available: bool,
    /// The model's name and fingerprint.
    pub model: Option<String>,
    /// Numbers in a vector.
    pub dimension: Option<u32>,
    /// Whether it is in memory right now; an idle model is unloaded and comes back on demand.
    pub loaded: bool,
    /// Why the configured model does not run, and what to do; an older one may serve meanwhile.
    pub problem: Option<String>,
}

/// The state of the language model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatStatus {
    /// "ollama", "openai" or "extractive".
    pub provider: String,
    /// The configured model; none: the server's first.
    pub model: Option<String>,
    /// The server's address.
    pub url: Option<String>,
}

/// Which ways of searching work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Legs {
    /// By word.
    pub lexical: bool,
    /// By meaning.
    pub semantic: bool,
}

/// Bytes on disk and in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sizes {
    /// The database.
    pub database_bytes: u64,
    /// Its write-ahead log.
    pub wal_bytes: u64,
    /// The vector index on disk.
    pub index_bytes: u64,
    /// The candidate codes in memory.
    pub codes_bytes: u64,
    /// The daemon's resident memory.
    pub resident_bytes: u64,
}

/// Where things are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Places {
    /// The database.
    pub database: String,
    /// The folder of the vector index.
    pub index: String,
    /// The config file, whether it exists or not.
    pub config: String,
    /// The socket.
    pub socket: String,
}

/// Result of `model.list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelListResult {
    /// "ollama", "openai" or "extractive".
    pub provider: String,
    /// The models that can be named in `chat.*`.
    pub models: Vec<LanguageModel>,
    /// Which one answers when none is named.
    pub default: Option<String>,
}

/// One language model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LanguageModel {
    /// Its name, as `chat.*` takes it.
    pub name: String,
    /// Its context in tokens, where the server tells.
    pub context_tokens: Option<u32>,
    /// Its size on disk, where the server tells.
    pub size_bytes: Option<u64>,
}
