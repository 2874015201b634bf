//! The daemon's end of a subscription.

use std::marker::PhantomData;

use jsonrpsee::{SubscriptionMessage, SubscriptionSink};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::caller::Caller;
use crate::api::Stream;

/// The client has gone, or has ended the subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// Takes the items of one subscription to its client.
pub struct ItemSink<S: Stream> {
    sink: SubscriptionSink,
    caller: Caller,
    _live: Live,
    items: PhantomData<fn(S)>,
}

impl<S: Stream> ItemSink<S> {
    pub(super) fn new(sink: SubscriptionSink, caller: Caller, live: Live) -> Self {
        Self { sink, caller, _live: live, items: PhantomData }
    }

    /// Sends one item; waits while the client is slow.
    pub async fn send(&self, item: &S::Item) -> Result<(), Gone> {
        let id = self.sink.subscription_id();
        let message = match SubscriptionMessage::new(S::EVENT, id, item) {
            Ok(message) => message,
            Err(error) => {
                // Only a map with keys that are no strings can do this, and no item has one.
                tracing::error!(method = S::NAME, %error, "an item cannot be written as JSON");
                return Err(Gone);
            }
        };
        self.sink.send(message).await.map_err(|_| Gone)
    }

    /// Resolves when the client has gone or has ended the subscription. Nothing can be sent then.
    pub async fn closed(&self) {
        self.sink.closed().await;
    }

    /// Whether [`ItemSink::closed`] has resolved.
    pub fn is_closed(&self) -> bool {
        self.sink.is_closed()
    }

    /// Resolves when the daemon stops. There is still a moment to send the last item.
    pub async fn stopping(&self) {
        self.caller.stopping().await;
    }
}

/// A subscription that is counted, and that the server waits for when it stops.
pub(super) struct Live {
    caller: Caller,
    _waited_for: TaskTrackerToken,
}

impl Live {
    pub(super) fn new(caller: &Caller) -> Self {
        caller.home().metrics.subscription_began();
        Self { caller: caller.clone(), _waited_for: caller.home().tasks.token() }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.caller.home().metrics.subscription_ended();
    }
}
