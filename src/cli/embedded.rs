//! Waiting until everything that is stored can be found by its meaning, with a bar that shows how far it is.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use super::context::Context;
use crate::api::methods::SystemStatus;
use crate::api::system::Empty;
use crate::client::Client;
use crate::error::Result;

/// How often the daemon is asked how far the index is.
const POLL: Duration = Duration::from_millis(150);

/// How the waiting ended.
pub enum Embedded {
    /// All is embedded: so many passages.
    All(u64),
    /// Nothing is, because there is no model, and why.
    NoModel(String),
    /// So many passages are not, and nothing has moved for a while.
    NotAll(u64),
}

/// Waits until the queue is empty, or has not moved for as long as `patience`.
pub async fn wait(client: &Client, patience: Duration, context: &Context) -> Result<Embedded> {
    let bar = bar(context.words.demo_embedding, context);
    let outcome = until_all_are(client, patience, &bar).await;
    bar.finish_and_clear();
    outcome
}

async fn until_all_are(client: &Client, patience: Duration, bar: &ProgressBar) -> Result<Embedded> {
    let (mut fewest, mut last_step) = (u64::MAX, Instant::now());
    loop {
        let status = client.call::<SystemStatus>(&Empty {}).await?;
        let available = status.embedding.available;
        if let (false, Some(problem)) = (available, status.embedding.problem) {
            return Ok(Embedded::NoModel(problem));
        }
        let pending = status.index.pending.max(status.queue.ready + status.queue.leased);
        let total = status.counts.chunks.max(pending);
        bar.set_length(total);
        bar.set_position(total - pending);
        // a store that was embedded before has nothing to do, but questions have to wait for the model
        if pending == 0 && available {
            return Ok(Embedded::All(status.counts.chunks));
        }
        if pending < fewest {
            (fewest, last_step) = (pending, Instant::now());
        } else if last_step.elapsed() > patience {
            return Ok(Embedded::NotAll(pending));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A bar on standard error, where that is a terminal.
pub fn bar(message: &'static str, context: &Context) -> ProgressBar {
    if !context.out.live {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("  {bar:30.cyan} {pos}/{len} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr())
        .with_style(style)
        .with_message(message)
}
