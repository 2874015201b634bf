//! What each method of the table does: take the checked parameters, call one verb, answer.

mod chat;
mod data;
mod event;
mod keeping;
mod memory;
mod organise;
mod store;
mod system;
mod watch;

use jsonrpsee::{Methods, RpcModule};

use super::Caller;
use crate::error::Result;
use crate::memory::{Actor, Memory};

/// What the methods work with.
pub struct Context {
    /// The application.
    pub memory: Memory,
    /// The socket's path, for `system.status`.
    pub socket: String,
    /// How many clients are connected.
    pub connections: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// Every method and stream of [`crate::api::methods`], ready to be served.
pub fn module(context: Context) -> Result<Methods> {
    let mut module = RpcModule::new(context);
    system::register(&mut module)?;
    store::register(&mut module)?;
    organise::register(&mut module)?;
    memory::register(&mut module)?;
    chat::register(&mut module)?;
    data::register(&mut module)?;
    event::register(&mut module)?;
    keeping::register(&mut module)?;
    watch::register(&mut module)?;
    Ok(module.into())
}

/// The caller as the application knows it.
fn actor(caller: &Caller) -> Actor {
    Actor { client: caller.client(), connection: caller.connection }
}
