//! The daemon's socket: one Unix socket, four framings, one table of methods.
//!
//! ```text
//! socket   where it is, who may be there          lock       only one daemon
//! accept   who may come in, and which framing     server     start, count, stop
//! frame, websocket   bytes <-> messages           connection one client that stays
//! http, http_io      requests that come by HTTP   metrics    what was called, how often, how long
//! dispatch message -> method -> answer            policy     what a call may do, and taking it back
//! register, stream, params   typed methods        fault      errors as JSON-RPC tells them
//! ```
//!
//! Nothing here knows what a method does: the table comes in as jsonrpsee `Methods`. All framings share one path
//! from the message on, so they cannot drift apart; nothing here buffers without a bound.

mod accept;
pub mod caller;
mod connection;
mod dispatch;
pub mod fault;
pub mod frame;
mod http;
mod http_io;
pub mod methods;
mod metrics;
mod params;
mod policy;
pub mod register;
pub mod server;
pub mod socket;
mod stream;
mod websocket;

pub use caller::Caller;
pub use http::{Page, Pages};
pub use server::Server;
pub use socket::BoundSocket;
pub use stream::{Gone, ItemSink};
