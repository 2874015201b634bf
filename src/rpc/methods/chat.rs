//! `chat.*`: answers, whole or as they are written.

use jsonrpsee::RpcModule;

use super::{Context, actor};
use crate::api::chat::ChatEvent;
use crate::api::methods::{ChatCancelOf, ChatComplete, ChatPreviewOf, ChatStream};
use crate::error::Result;
use crate::rpc::register::{method, stream};

/// The handlers are dropped when the client cancels or goes away; dropping an answer ends it and keeps what came.
pub(super) fn register(module: &mut RpcModule<Context>) -> Result<()> {
    method::<ChatComplete, _, _, _>(module, |context, params, caller| async move {
        context.memory.complete(params, &actor(&caller)).await
    })?;
    method::<ChatPreviewOf, _, _, _>(module, |context, params, caller| async move {
        context.memory.preview(params, &actor(&caller)).await
    })?;
    method::<ChatCancelOf, _, _, _>(module, |context, cancel, _| async move {
        Ok(context.memory.cancel_answer(cancel))
    })?;
    stream::<ChatStream, _, _, _>(module, |context, params, caller, sink| async move {
        let mut asking = match context.memory.ask(params, &actor(&caller)).await {
            Ok(asking) => asking,
            Err(error) => {
                // an error says that the client is gone
                let _ = sink.send(&ChatEvent::error(&error, None)).await;
                return;
            }
        };
        loop {
            let event = tokio::select! {
                event = asking.next() => event,
                () = sink.closed() => None,
            };
            let Some(event) = event else { return };
            if sink.send(&event).await.is_err() {
                return;
            }
        }
    })
}
