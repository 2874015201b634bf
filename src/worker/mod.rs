//! The background loops, until the daemon stops: one step of [`Memory::tick`] after the other, and beside it, because
//! a language model is slow, one step of [`Memory::reflect`] after the other.

mod reflecting;

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::memory::{Memory, Outcome};
use crate::model::Timestamp;

/// How long the loop sleeps at most; then it looks whether the model arrived or the index was deleted.
const LONGEST_SLEEP: Duration = Duration::from_secs(2);
/// How long a failed step keeps the loop from the next one.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// How long nothing must have happened before the store and the index are tended to, and how often.
const TEND_AFTER: Duration = Duration::from_secs(60);
const TEND_EVERY: Duration = Duration::from_secs(6 * 60 * 60);
/// How far apart two steps begin at least where the first found nothing to do: every append wakes the loop, and a step
/// for each of a stream of them would take the processor from the appends.
const APART: Duration = Duration::from_millis(20);

/// Works until `stop` is cancelled, then gives its leased jobs back and returns.
pub async fn run(memory: Memory, stop: CancellationToken) {
    tokio::join!(keep_embedding(&memory, &stop), reflecting::keep_reflecting(&memory, &stop));
}

async fn keep_embedding(memory: &Memory, stop: &CancellationToken) {
    let mut idle_since: Option<Instant> = None;
    let mut tended: Option<Instant> = None;
    while !stop.is_cancelled() {
        memory.beat();
        let begun = Instant::now();
        let sleep = match memory.tick(stop).await {
            Ok(Outcome::Worked) => {
                idle_since = None;
                continue;
            }
            Ok(Outcome::Idle(due)) => until(due, LONGEST_SLEEP),
            Err(error) => {
                tracing::warn!(error = error.full_text(), "a step of the background work failed");
                AFTER_FAILURE
            }
        };
        let idle = idle_since.get_or_insert_with(Instant::now).elapsed();
        if idle >= TEND_AFTER && tended.is_none_or(|last| last.elapsed() >= TEND_EVERY) {
            tended = Some(Instant::now());
            if let Err(error) = memory.maintain().await {
                tracing::warn!(error = error.full_text(), "tend to the store and the index");
            }
        }
        let arrived = async {
            memory.work_arrived(sleep).await;
            tokio::time::sleep(APART.saturating_sub(begun.elapsed())).await;
        };
        tokio::select! {
            () = arrived => {}
            () = stop.cancelled() => {}
        }
    }
}

fn until(due: Option<Timestamp>, longest: Duration) -> Duration {
    let Some(due) = due else { return longest };
    let millis = due.as_millis().saturating_sub(Timestamp::now().as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(longest)
}
