//! The typed client: every method of the daemon as one call, over the socket's line framing.
//!
//! The terminal, and every Rust program that wants the daemon, comes in through here.

mod connection;
mod fault;
mod stream;
mod transport;

pub use connection::Client;
pub use stream::ItemStream;
