//! Every limit of the socket and of the data, in one place; `system.initialize` reports them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A message's text, in bytes of UTF-8.
pub const MAX_CONTENT_BYTES: usize = 1 << 20;
/// A memory's text, in bytes of UTF-8: a fact, not a document.
pub const MAX_MEMORY_BYTES: usize = 64 << 10;
/// A query's text, in bytes of UTF-8; what is longer is a text to search with, not a question.
pub const MAX_QUERY_BYTES: usize = 256 << 10;
/// A title, a project, a client's name, an author, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;
/// The metadata of one thing, in bytes of JSON.
pub const MAX_METADATA_BYTES: usize = 64 << 10;
/// Messages in one `message.append`.
pub const MAX_APPEND_MESSAGES: usize = 1000;
/// Operations in one `memory.apply`.
pub const MAX_OPERATIONS: usize = 200;
/// A memory's path, in bytes.
pub const MAX_PATH_BYTES: usize = 255;
/// One request. A message of 1 MiB may take six times that as JSON (`\u0000` for each byte), so this leaves room.
pub const MAX_REQUEST_BYTES: usize = 8 << 20;
/// One response.
pub const MAX_RESPONSE_BYTES: usize = 16 << 20;
/// What a list puts on one page, estimated in bytes of JSON; the page ends early there.
pub const MAX_PAGE_BYTES: usize = 6 << 20;
/// Entries of one batch.
pub const MAX_BATCH: usize = 100;
/// Rows of one page: what a list gives unless asked, and at most.
pub const DEFAULT_PAGE: u32 = 50;
/// Rows of one page at most.
pub const MAX_PAGE: u32 = 200;
/// Hits of one search at most.
pub const MAX_HITS: u32 = 200;
/// Calls of one connection that run at the same time; the daemon reads no further until one ends.
pub const MAX_IN_FLIGHT: usize = 64;
/// Subscriptions of one connection.
pub const MAX_SUBSCRIPTIONS: u32 = 32;
/// Connections at the same time.
pub const MAX_CONNECTIONS: usize = 512;
/// Messages that wait for a slow reader before the daemon stops making more.
pub const MAX_BUFFERED_MESSAGES: usize = 256;
/// How long a write to a client that does not read may take before the connection is closed.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection may stay silent before its first byte.
pub const FIRST_BYTE_DEADLINE: Duration = Duration::from_secs(30);
/// How long calls in flight may go on when the daemon stops.
pub const STOP_CALLS_DEADLINE: Duration = Duration::from_secs(5);
/// How long the whole stop may take.
pub const STOP_DEADLINE: Duration = Duration::from_secs(8);

/// The limits as `system.initialize` reports them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes of one request.
    pub max_request_bytes: u64,
    /// Bytes of one response.
    pub max_response_bytes: u64,
    /// Bytes of one message's text.
    pub max_content_bytes: u64,
    /// Bytes of one memory's text.
    pub max_memory_bytes: u64,
    /// Bytes of one query.
    pub max_query_bytes: u64,
    /// Messages in one `message.append`.
    pub max_append_messages: u64,
    /// Entries of one batch.
    pub max_batch: u64,
    /// Rows of one page.
    pub max_page: u32,
    /// Hits of one search.
    pub max_hits: u32,
    /// Calls in flight on one connection.
    pub max_in_flight: u64,
    /// Subscriptions of one connection.
    pub max_subscriptions: u32,
    /// Connections.
    pub max_connections: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request_bytes: MAX_REQUEST_BYTES as u64,
            max_response_bytes: MAX_RESPONSE_BYTES as u64,
            max_content_bytes: MAX_CONTENT_BYTES as u64,
            max_memory_bytes: MAX_MEMORY_BYTES as u64,
            max_query_bytes: MAX_QUERY_BYTES as u64,
            max_append_messages: MAX_APPEND_MESSAGES as u64,
            max_batch: MAX_BATCH as u64,
            max_page: MAX_PAGE,
            max_hits: MAX_HITS,
            max_in_flight: MAX_IN_FLIGHT as u64,
            max_subscriptions: MAX_SUBSCRIPTIONS,
            max_connections: MAX_CONNECTIONS as u64,
        }
    }
}
