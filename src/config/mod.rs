//! The settings: what they are, their defaults, and where each value came from.

mod settings;

pub use settings::{Chat, ChatProvider, Config, Durability, Embed, Log, LogFormat, Recall, Socket, Storage};
