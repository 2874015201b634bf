//! The client's end of a subscription.

use jsonrpsee::core::client::{Subscription, SubscriptionCloseReason};

use crate::api::Stream;
use crate::error::{Error, Kind, Result};

/// The items of a subscription. Dropping it ends the subscription.
#[derive(Debug)]
pub struct ItemStream<S: Stream> {
    items: Subscription<S::Item>,
    over: bool,
}

impl<S: Stream> ItemStream<S> {
    pub(super) fn new(items: Subscription<S::Item>) -> Self {
        Self { items, over: false }
    }

    /// The next item. Stop at the stream's own last item (`done`, `error`, `cancelled`): behind it nothing comes,
    /// and this waits until the connection ends. None: an error has been told.
    ///
    /// Errors: `Busy` where this side was too slow and items were lost; `Unreachable` where the connection ended;
    /// `Internal` where an item is not what this version expects.
    pub async fn next(&mut self) -> Option<Result<S::Item>> {
        if self.over {
            return None;
        }
        match self.items.next().await {
            Some(Ok(item)) => Some(Ok(item)),
            Some(Err(error)) => Some(Err(Error::internal(format!(
                "{}: an item is not what this version expects: {error}",
                S::NAME
            )))),
            None => {
                self.over = true;
                Some(Err(match self.items.close_reason() {
                    Some(SubscriptionCloseReason::Lagged) => Error::new(
                        Kind::Busy,
                        format!("{}: this program was too slow and items were lost", S::NAME),
                    )
                    .hint("subscribe again"),
                    Some(SubscriptionCloseReason::ConnectionClosed) | None => Error::new(
                        Kind::Unreachable,
                        format!("{}: the daemon ended the stream before its last item", S::NAME),
                    )
                    .hint("try again; if it stays so, look at `nosso status`"),
                }))
            }
        }
    }

    /// Ends the subscription and waits until the daemon knows.
    pub async fn end(self) {
        let _ = self.items.unsubscribe().await;
    }
}
