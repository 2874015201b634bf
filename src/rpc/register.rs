//! Typed methods: parameters are checked before a handler sees them, errors leave as the protocol tells them.

use std::future::Future;
use std::sync::Arc;

use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::{RpcModule, SubscriptionCloseResponse};

use super::caller::Caller;
use super::stream::{ItemSink, Live};
use super::{fault, params};
use crate::api::{Method, Stream};
use crate::error::{Doing, Kind, Result};

/// Registers a method whose work may be dropped: when the client goes away or takes the request back, the handler
/// stops at its next `.await`. For everything that only reads.
///
/// Errors: `Internal` where the name is taken.
pub fn method<M, C, F, Fut>(module: &mut RpcModule<C>, handler: F) -> Result<()>
where
    M: Method,
    C: Send + Sync + 'static,
    F: Fn(Arc<C>, M::Params, Caller) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<M::Output>> + Send + 'static,
{
    register::<M, _, _, _>(module, move |context, params, caller| {
        let work = handler(context, params, caller);
        async move { work.await.map_err(told) }
    })
}

/// Registers a method whose work is always finished once it has begun: it runs in a task that the server waits
/// for when it stops, whatever becomes of the client. For everything that writes.
///
/// Errors: `Internal` where the name is taken.
pub fn write_method<M, C, F, Fut>(module: &mut RpcModule<C>, handler: F) -> Result<()>
where
    M: Method,
    C: Send + Sync + 'static,
    F: Fn(Arc<C>, M::Params, Caller) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<M::Output>> + Send + 'static,
{
    register::<M, _, _, _>(module, move |context, params, caller| {
        let tasks = caller.home().tasks.clone();
        let work =
            tracing::Instrument::instrument(handler(context, params, caller), tracing::Span::current());
        async move {
            match tasks.spawn(work).await {
                Ok(outcome) => outcome.map_err(told),
                Err(_) => {
                    tracing::error!(method = M::NAME, "a method panicked");
                    Err(fault::panicked())
                }
            }
        }
    })
}

/// Registers a method that begins with its parameters checked.
fn register<M, C, F, Fut>(module: &mut RpcModule<C>, run: F) -> Result<()>
where
    M: Method,
    C: Send + Sync + 'static,
    F: Fn(Arc<C>, M::Params, Caller) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<M::Output, ErrorObjectOwned>> + Send + 'static,
{
    module
        .register_async_method(M::NAME, move |params, context, extensions| {
            let run = run.clone();
            async move {
                let params = params::parse::<M::Params>(M::NAME, params.as_str()).map_err(told)?;
                run(context, params, Caller::of(&extensions)).await
            }
        })
        .doing(Kind::Internal, "register a method")?;
    Ok(())
}

/// Registers a subscription. Wrong parameters answer the request; otherwise the client has the subscription's id
/// before the handler begins. The handler sends its own last item. It is never dropped: it must look at
/// [`ItemSink::closed`] and [`ItemSink::stopping`], or stop when [`ItemSink::send`] says that the client has gone.
///
/// Errors: `Internal` where a name is taken.
pub fn stream<S, C, F, Fut>(module: &mut RpcModule<C>, handler: F) -> Result<()>
where
    S: Stream,
    C: Send + Sync + 'static,
    F: Fn(Arc<C>, S::Params, Caller, ItemSink<S>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    module
        .register_subscription(
            S::NAME,
            S::EVENT,
            S::UNSUBSCRIBE,
            move |params, pending, context, extensions| {
                let handler = handler.clone();
                // Asked for before the first await, so that the server cannot stop between the two.
                let caller = Caller::of(&extensions);
                let live = Live::new(&caller);
                async move {
                    let params = match params::parse::<S::Params>(S::NAME, params.as_str()) {
                        Ok(params) => params,
                        Err(error) => {
                            pending.reject(told(error)).await;
                            return SubscriptionCloseResponse::None;
                        }
                    };
                    let Ok(sink) = pending.accept().await else {
                        return SubscriptionCloseResponse::None;
                    };
                    let items = ItemSink::new(sink, caller.clone(), live);
                    let work = async move { handler(context, params, caller, items).await };
                    let outcome = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(work));
                    if outcome.await.is_err() {
                        tracing::error!(method = S::NAME, "a subscription panicked");
                        // jsonrpsee's own last word, because the handler cannot say its any more.
                        return SubscriptionCloseResponse::NotifErr("internal error".into());
                    }
                    SubscriptionCloseResponse::None
                }
            },
        )
        .doing(Kind::Internal, "register a subscription")?;
    Ok(())
}

fn told(error: crate::error::Error) -> ErrorObjectOwned {
    if matches!(error.kind(), Kind::Internal | Kind::Storage | Kind::Corrupt) {
        tracing::error!(kind = error.kind().name(), "{}", error.full_text());
    }
    fault::from_error(&error)
}
