//! The contract between the daemon and its clients: one table of methods, their parameters and results, and
//! the limits. Both sides, the protocol's document and its tests are made from these types.

pub mod backup;
pub mod chat;
pub mod conversation;
pub mod data;
mod error_data;
pub mod event;
pub mod find;
pub mod forget;
pub mod index;
pub mod job;
pub mod limits;
pub mod memory;
pub mod message;
mod method;
pub mod methods;
pub mod openrpc;
pub mod organise;
mod page;
mod patch;
pub mod search;
pub mod share;
pub mod stats;
pub mod system;
pub mod trash;
pub mod tree;
pub mod watch;

pub use error_data::ErrorData;
pub use method::{Described, Method, Stream};
pub use page::{Cursor, Deleted, Page, Stored};
pub use patch::Patch;

/// The version of the protocol that this build speaks; it grows only when something is taken away or changed.
pub const PROTOCOL_VERSION: &str = "1";
