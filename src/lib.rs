//! nosso: the memory that all local tools of a person share.
//!
//! The modules are layers; a module uses only lower lines, which `tests/layers.rs` checks:
//!
//! ```text
//! 5  daemon                                  opens everything in order, stops it in order
//! 4  rpc   worker   watch   cli              the edges: sockets, background loop, file events, terminal
//! 3  memory   setup                client    the application's verbs, what they need | the typed client
//! 2  store   index   embed   llm   exchange  engines; siblings never use each other
//! 1  config   api                            settings, the contract
//! 0  error   model   paths   secrets   text  plain data, places on disk, what must not be kept, words
//! ```

pub mod api;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod embed;
pub mod error;
pub mod exchange;
pub mod index;
pub mod llm;
pub mod memory;
pub mod model;
pub mod paths;
pub mod rpc;
pub mod secrets;
pub mod setup;
pub mod store;
pub mod text;
pub mod watch;
pub mod worker;
