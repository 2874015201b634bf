//! Every setting with its default. `nosso config show` prints them; the README explains them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::tasks::{Memories, Prompts, Secrets};

/// All settings. A key that is not here is refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[socket]`
    pub socket: Socket,
    /// `[log]`
    pub log: Log,
    /// `[store]`
    pub store: Storage,
    /// `[embed]`
    pub embed: Embed,
    /// `[chat]`
    pub chat: Chat,
    /// `[recall]`
    pub recall: Recall,
    /// `[rerank]`
    pub rerank: Rerank,
    /// `[memory]`
    pub memory: Memories,
    /// `[secrets]`
    pub secrets: Secrets,
    /// `[prompts]`
    pub prompts: Prompts,
    /// `[capture]`
    pub capture: Capture,
}

/// Where clients connect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Socket {
    /// The socket's path; unset: `$XDG_RUNTIME_DIR/nosso/nosso.sock`. `NOSSO_SOCKET` sets it too.
    pub path: Option<PathBuf>,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A tracing filter: a level, or `target=level` pairs. `NOSSO_LOG` sets it too.
    pub filter: String,
    /// The form of the lines.
    pub format: LogFormat,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// To the journal where systemd started the daemon, else text.
    #[default]
    Auto,
    /// Text on standard error.
    Text,
    /// One JSON object a line on standard error.
    Json,
}

/// How the database is written, and how long copies and deleted things are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// Days after which what was deleted is forgotten for good; 0: never.
    pub trash_days: u32,
    /// Backups of each sort that are kept; an older one is deleted when a new one is made.
    pub keep_backups: u32,
}

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The end of the process and of the power.
    #[default]
    Full,
    /// The end of the process; a power cut may take the last writes.
    Normal,
}

/// How texts become vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Embed {
    /// Whether texts are embedded at all.
    pub enabled: bool,
    /// The folder of the model (`model.onnx`, `tokenizer.json`); unset: what `nosso setup` brought.
    pub model: Option<PathBuf>,
    /// The ONNX Runtime library; unset: `ORT_DYLIB_PATH`, what `nosso setup` brought, or the system's.
    pub library: Option<PathBuf>,
    /// Threads for one embedding.
    pub threads: usize,
    /// How far the embedding thread steps back behind other programs, 0 to 19.
    pub niceness: i32,
    /// Seconds without work after which the model leaves memory; 0: never.
    pub unload_after_seconds: u64,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chat {
    /// The kind of model server.
    pub provider: ChatProvider,
    /// The model's name; unset: the server's first.
    pub model: Option<String>,
    /// Where Ollama listens.
    pub ollama_url: String,
    /// The base URL of an OpenAI-compatible server ("http://127.0.0.1:8080/v1").
    pub openai_url: Option<String>,
    /// A file that holds the API key of that server, for servers that want one.
    pub openai_key_file: Option<PathBuf>,
    /// Tokens of context; unset: what the server tells, or 4,096.
    pub context_tokens: Option<u32>,
    /// Tokens of the answer at most.
    pub max_answer_tokens: u32,
    /// How freely the model chooses its words; unset: the server's default.
    pub temperature: Option<f32>,
    /// Seconds until the first token must be there (a cold model is loaded first).
    pub first_token_timeout_seconds: u64,
    /// Seconds between two tokens.
    pub token_timeout_seconds: u64,
    /// Whether the model sums a conversation up that outgrows its context.
    pub summarize: bool,
}

/// The kind of model server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatProvider {
    /// The OpenAI-compatible server if one is configured, else Ollama if it answers, else quotes.
    #[default]
    Auto,
    /// Ollama.
    Ollama,
    /// An OpenAI-compatible server: llama-server, LM Studio, vLLM.
    Openai,
    /// No model: quotes the best passages.
    Extractive,
}

/// What goes into a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recall {
    /// Passages at most.
    pub limit: u32,
    /// Share of the prompt's tokens for memories that always hold. It is taken first; the two others share the rest.
    /// What one part leaves goes to the others.
    pub standing_share: f32,
    /// Share of the prompt's tokens for the recent turns of the conversation.
    pub recent_share: f32,
    /// Share of the prompt's tokens for recalled passages.
    pub recalled_share: f32,
}

/// A second look at the best hits by a cross-encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rerank {
    /// The folder of the cross-encoder (`model.onnx`, `tokenizer.json`); unset: none.
    pub path: Option<PathBuf>,
    /// Hits that it looks at.
    pub candidates: u32,
}

/// How the folders are captured that `nosso watch add` named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capture {
    /// Whether anything is captured.
    pub enabled: bool,
    /// Kibibytes that a note may have; larger files are left out. Sessions may have any size.
    pub max_file_kib: u64,
    /// How changes are noticed.
    pub polling: Polling,
}

/// How changes of files are noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Polling {
    /// The system tells; where it cannot, the folder is looked at from time to time.
    #[default]
    Auto,
    /// Folders are looked at from time to time: for network file systems, which tell nothing.
    Always,
}

impl Default for Capture {
    fn default() -> Self {
        Self { enabled: true, max_file_kib: 1024, polling: Polling::Auto }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info,ort=warn".into(), format: LogFormat::Auto }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { durability: Durability::Full, trash_days: 30, keep_backups: 7 }
    }
}

impl Default for Embed {
    fn default() -> Self {
        Self {
            enabled: true,
            model: None,
            library: None,
            threads: 2,
            niceness: 10,
            unload_after_seconds: 600,
        }
    }
}

impl Default for Chat {
    fn default() -> Self {
        Self {
            provider: ChatProvider::Auto,
            model: None,
            ollama_url: "http://127.0.0.1:11434".into(),
            openai_url: None,
            openai_key_file: None,
            context_tokens: None,
            max_answer_tokens: 1024,
            temperature: None,
            first_token_timeout_seconds: 120,
            token_timeout_seconds: 60,
            summarize: true,
        }
    }
}

impl Default for Rerank {
    fn default() -> Self {
        Self { path: None, candidates: 20 }
    }
}

impl Default for Recall {
    fn default() -> Self {
        Self { limit: 8, standing_share: 0.1, recent_share: 0.6, recalled_share: 0.4 }
    }
}
