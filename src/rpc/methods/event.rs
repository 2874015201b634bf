//! `event.subscribe`: what clients change, as it happens.

use jsonrpsee::RpcModule;
use tokio::sync::broadcast::error::RecvError;

use super::Context;
use crate::api::event::{Event, EventParams};
use crate::api::methods::EventSubscribe;
use crate::error::Result;
use crate::memory::Told;
use crate::rpc::register::stream;

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<()> {
    stream::<EventSubscribe, _, _, _>(module, |context, params, caller, sink| async move {
        let mut changes = context.memory.events().subscribe();
        loop {
            let event = tokio::select! {
                told = changes.recv() => match told {
                    Ok(told) if is_wanted(&told, &params, caller.connection) => Event::Changed(told.change),
                    Ok(_) => continue,
                    Err(RecvError::Lagged(changes)) => Event::Missed { changes },
                    Err(RecvError::Closed) => Event::Done,
                },
                () = context.memory.stopping() => Event::Done,
                () = sink.closed() => return,
            };
            let is_last = event == Event::Done;
            if sink.send(&event).await.is_err() || is_last {
                return;
            }
        }
    })
}

fn is_wanted(told: &Told, params: &EventParams, own: u64) -> bool {
    let EventParams { conversation_id, include_own } = params;
    let is_there = conversation_id.is_none() || told.change.conversation_id == *conversation_id;
    is_there && (*include_own || told.connection != own)
}
