//! The settings: what they are, their defaults, and where each value came from.
//!
//! Four layers, each over the one before: the defaults, `config.toml`, `NOSSO_*` variables, flags. Every layer is
//! checked against one table of keys while it is still known which line or variable said what.

mod change;
mod file;
mod keys;
mod load;
mod settings;
mod show;
mod tasks;
pub mod template;

pub use change::{Change, changes, keeping_until_restart};
pub use file::set_key;
pub use keys::{Applies, Expects, KEYS, Key};
pub use load::{Flags, Loaded, Origin, load, socket_in_broken_file};
pub use settings::{
    Capture, Chat, ChatProvider, Config, Durability, Embed, Log, LogFormat, Polling, Recall, Rerank, Socket,
    Storage,
};
pub use tasks::{Extract, Memories, Prompts, SecretMode, Secrets, Templates};
