//! The loop around what the language model does after answers.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::until;
use crate::memory::{Memory, Outcome};

/// How long the loop sleeps at most.
const LONGEST_SLEEP: Duration = Duration::from_secs(60 * 60);
/// How long a failed step keeps the loop from the next one: a model server that is down comes back by hand.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Reflects until `stop` is cancelled.
pub(super) async fn keep_reflecting(memory: &Memory, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let sleep = match memory.reflect(stop).await {
            Ok(Outcome::Worked) => continue,
            Ok(Outcome::Idle(due)) => until(due, LONGEST_SLEEP),
            Err(error) => {
                tracing::warn!(error = error.full_text(), "the language model's work after an answer failed");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = memory.reflection_wanted(sleep) => {}
            () = stop.cancelled() => {}
        }
    }
}
