//! Whether the daemon really works, and the sign of life that goes out only if it does.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::systemd::Systemd;
use crate::error::Kind;
use crate::memory::Memory;

/// How long the store may take to answer a ping. A group commit on a slow disk takes a fraction of a second.
const PING_DEADLINE: Duration = Duration::from_secs(5);
/// How long the worker may be silent. Its longest steps are to open a model that was just set up and to tend to a
/// large index, up to a minute on a slow machine.
const WORKER_SILENCE: Duration = Duration::from_secs(180);
/// How often the status line is made anew.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// Asks the store and the worker; Err says who does not answer.
pub(super) async fn check(memory: &Memory) -> Result<(), String> {
    match tokio::time::timeout(PING_DEADLINE, memory.ping()).await {
        Err(_) => return Err(format!("the store did not answer within {PING_DEADLINE:?}")),
        // a restart makes no room on the disk: reads go on, writes say what is wrong
        Ok(Err(error)) if error.kind() == Kind::StorageFull => (),
        Ok(Err(error)) => return Err(format!("the store does not work: {}", error.full_text())),
        Ok(Ok(())) => (),
    }
    if !memory.worker_alive(WORKER_SILENCE) {
        return Err(format!("the worker gave no sign of life for {WORKER_SILENCE:?}"));
    }
    Ok(())
}

/// Gives signs of life and a status line until told to stop.
pub(super) async fn keep_telling(systemd: Arc<Systemd>, memory: Memory, stop: CancellationToken) {
    let every = systemd.patience().map_or(STATUS_EVERY, |patience| (patience / 2).min(STATUS_EVERY));
    let mut ticks = tokio::time::interval(every);
    // after a suspended machine wakes, one sign of life is enough
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => (),
        }
        match check(&memory).await {
            Ok(()) => systemd.alive(),
            Err(problem) => tracing::error!(%problem, "no sign of life for the watchdog"),
        }
        systemd.status(&memory.status_line());
    }
}
