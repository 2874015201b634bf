//! One step of the background work: lease jobs, embed, write vectors, complete. The worker calls it in a loop;
//! tests call it by hand.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Memory;
use super::generations::{Generation, blocking};
use crate::api::job::JobKind;
use crate::error::{Error, Kind, Result};
use crate::model::Timestamp;
use crate::store::{self, LeasedJob};
use crate::{embed, index};

/// Jobs that are leased at a time: enough to sort by length, few enough to give back quickly.
const BATCH: usize = 32;
/// How long a lease holds. Far more than a batch takes on a slow machine; a lease that ends early only costs doing
/// the work twice.
const LEASE: Duration = Duration::from_secs(300);
/// Vectors that a self-check asks for.
const CHECK_SAMPLES: usize = 50;

/// A generation serves although some passages could not be embedded, but one of so many at most.
const MOST_GIVEN_UP: u64 = 10;

/// What a step did, and so what the worker does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Something was done; there may be more.
    Worked,
    /// There is nothing to do before this time, or before something arrives.
    Idle(Option<Timestamp>),
}

impl Memory {
    /// Does one step. Cancelling `stop` gives leased jobs back and returns.
    pub async fn tick(&self, stop: &CancellationToken) -> Result<Outcome> {
        self.give_back_unfinished().await?;
        self.0.generations.refresh(self.store(), &self.config()).await?;
        self.resume_forgetting().await?;
        if self.forget_vectors().await? {
            return Ok(Outcome::Worked);
        }
        self.0.waiting.store(self.store().queue_counts().await?.ready, Ordering::Relaxed);
        // ahead of the jobs, or a long backlog would let the fresh part grow without end
        if self.merge_fresh().await? {
            return Ok(Outcome::Worked);
        }
        let generations = [self.0.generations.serving(), self.0.generations.building()];
        let mut due = None;
        for generation in generations.into_iter().flatten() {
            // removing needs no model, but a lease does not choose; without a model the jobs wait
            if generation.embedder.is_none() {
                continue;
            }
            let jobs = self.store().lease(generation.space.id, BATCH, LEASE).await?;
            if !jobs.is_empty() {
                *self.unfinished() = jobs.clone();
                self.work(&generation, jobs, stop).await?;
                self.unfinished().clear();
                return Ok(Outcome::Worked);
            }
            due = earliest(due, self.store().next_due(generation.space.id).await?);
        }
        if self.promote_filled().await? {
            return Ok(Outcome::Worked);
        }
        Ok(Outcome::Idle(due))
    }

    /// A step that failed may not have been able to give its jobs back either: on a full disk nothing can be noted.
    /// Without this they would wait for the end of their lease. Of jobs that are no longer held nothing changes.
    async fn give_back_unfinished(&self) -> Result<()> {
        let jobs = self.unfinished().clone();
        if !jobs.is_empty() {
            self.store().release(&jobs).await?;
            self.unfinished().clear();
        }
        Ok(())
    }

    fn unfinished(&self) -> MutexGuard<'_, Vec<LeasedJob>> {
        self.0.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the worker does once it has been idle for a while.
    pub async fn maintain(&self) -> Result<()> {
        self.empty_old_trash().await?;
        self.store().maintain().await?;
        if let Some(serving) = self.0.generations.serving() {
            let recall = blocking(move || serving.index.self_check(CHECK_SAMPLES)).await?;
            tracing::debug!(recall, "checked the vector index against an exact scan");
        }
        Ok(())
    }

    async fn work(
        &self,
        generation: &Generation,
        jobs: Vec<LeasedJob>,
        stop: &CancellationToken,
    ) -> Result<()> {
        let tried = tokio::select! {
            tried = embed_and_write(generation, &jobs) => tried,
            () = stop.cancelled() => {
                self.store().release(&jobs).await?;
                return Ok(());
            }
        };
        match tried {
            Ok(refused) => {
                let is_refused = |job: &LeasedJob| refused.iter().any(|(chunk, _)| *chunk == job.chunk);
                let (failed, done): (Vec<_>, Vec<_>) = jobs.into_iter().partition(is_refused);
                self.store().complete(&done).await?;
                for job in failed {
                    let reason = refused.iter().find(|(chunk, _)| *chunk == job.chunk);
                    let reason = reason.map_or_else(String::new, |(_, error)| error.full_text());
                    tracing::warn!(job = %job.id, reason, "a passage could not be embedded");
                    self.store().fail(&[job], &reason).await?;
                }
                Ok(())
            }
            // the fault is not the jobs': they wait, and their tries are not counted
            Err(error)
                if matches!(
                    error.kind(),
                    Kind::ModelUnavailable | Kind::Busy | Kind::Storage | Kind::StorageFull
                ) || !generation.index.is_intact() =>
            {
                self.store().release(&jobs).await?;
                if error.kind() == Kind::ModelUnavailable {
                    self.0.generations.start_anew(&error).await;
                }
                Err(error)
            }
            Err(error) => {
                self.store().fail(&jobs, &error.full_text()).await?;
                Err(error)
            }
        }
    }

    async fn promote_filled(&self) -> Result<bool> {
        let Some(building) = self.0.generations.building() else { return Ok(false) };
        if building.embedder.is_none() || self.store().unfinished(building.space.id).await? > 0 {
            return Ok(false);
        }
        // a passage that was given up must not keep the new generation from serving for ever
        let given_up = self.store().pending(building.space.id).await?;
        if given_up > self.store().counts().await?.chunks / MOST_GIVEN_UP {
            return Ok(false);
        }
        self.0.generations.promote(self.store()).await?;
        Ok(true)
    }

    async fn merge_fresh(&self) -> Result<bool> {
        let generations = [self.0.generations.serving(), self.0.generations.building()];
        for generation in generations.into_iter().flatten() {
            if generation.index.wants_merge() {
                blocking(move || generation.index.merge()).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Embeds what is to be embedded, writes and removes vectors. Durable when this returns. Answers the chunks that
/// could not be embedded.
async fn embed_and_write(generation: &Generation, jobs: &[LeasedJob]) -> Result<Vec<(u32, Error)>> {
    let Generation { space: _, index, embedder } = generation.clone();
    let Some(embedder) = embedder else {
        return Err(Error::new(Kind::ModelUnavailable, "embed passages: the model is gone"));
    };
    let mut removed = Vec::new();
    let (mut chunks, mut texts) = (Vec::new(), Vec::new());
    for job in jobs {
        match (&job.kind, job.passage.clone()) {
            (JobKind::Embed, Some(store::Passage { context, text })) => {
                chunks.push(job.chunk);
                texts.push(embed::Passage { context, text });
            }
            (JobKind::Remove, _) | (JobKind::Embed, None) => removed.push(job.chunk),
        }
    }
    let (mut passages, mut refused) = (Vec::with_capacity(texts.len()), Vec::new());
    if !texts.is_empty() {
        for (id, embedded) in chunks.into_iter().zip(embedder.embed_passages(texts).await?) {
            match embedded {
                Ok(embed::Embedding { vector, tokens }) => {
                    let tokens = tokens.into_iter().map(|token| token.vector).collect();
                    passages.push(index::Passage { id, vector, tokens });
                }
                Err(error) => refused.push((id, error)),
            }
        }
    }
    blocking(move || {
        index.remove(&removed)?;
        index.put_passages(passages)
    })
    .await?;
    Ok(refused)
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}
