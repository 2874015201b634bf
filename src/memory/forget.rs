//! Forgetting for good: rows, then words, vectors and the log, each until nothing of it is left in any file.
//!
//! The call does what concerns the database; the worker, which alone writes the index, takes the vectors out. What
//! is done and what is not stands in the receipt, in the database, so a restart goes on where it was.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::{Actor, Memory, check};
use crate::api::forget::{Backups, ForgetParams, ForgetReceipt, ForgetStatus, Pending};
use crate::error::{Error, Kind, Result};
use crate::model::{ErasureId, Timestamp};

/// How long a call waits for the end unless it says, and at most.
const WAIT: u32 = 10;
const MAX_WAIT: u32 = 60;
/// How often the log is tried again while a reader holds it.
const LOG_TRIES: u32 = 50;
const LOG_PAUSE: Duration = Duration::from_millis(20);
/// Ids of one call at most.
const MAX_IDS: usize = 1000;
/// How long receipts are kept.
const RECEIPT_MILLIS: i64 = 90 * 24 * 60 * 60 * 1000;

impl Memory {
    /// Forgets what `params` name. The receipt is answered when all of it is done, or when the time to wait is over.
    pub async fn forget(&self, params: ForgetParams, actor: &Actor) -> Result<ForgetReceipt> {
        let wait = params.wait_seconds.unwrap_or(WAIT).min(MAX_WAIT);
        let id = self.begin_to_forget(params).await?;
        let (memory, actor) = (self.clone(), actor.clone());
        self.0.tasks.spawn(async move {
            memory.go_on_forgetting(id).await;
            memory.0.events.forgotten(&actor);
        });
        self.wait_for_receipt(id, wait).await
    }

    /// A receipt as it is now, or once it is done.
    pub async fn forget_status(&self, which: ForgetStatus) -> Result<ForgetReceipt> {
        let ForgetStatus { id, wait_seconds } = which;
        self.wait_for_receipt(id, wait_seconds.unwrap_or(0).min(MAX_WAIT)).await
    }

    async fn begin_to_forget(&self, params: ForgetParams) -> Result<ErasureId> {
        let ForgetParams {
            conversation_ids,
            message_ids,
            memory_ids,
            project,
            client,
            trash_before,
            backups,
            wait_seconds: _,
        } = &params;
        check::name("the project", project.as_deref())?;
        check::name("the client", client.as_deref())?;
        let n_ids = conversation_ids.len() + message_ids.len() + memory_ids.len();
        if n_ids == 0 && project.is_none() && client.is_none() && trash_before.is_none() {
            return Err(Error::invalid("nothing is named that is to be forgotten")
                .hint("give ids, a project, a client, or trashBefore"));
        }
        if n_ids > MAX_IDS {
            let message = format!("{n_ids} ids are given, at most {MAX_IDS} are allowed");
            return Err(Error::new(Kind::TooLarge, message).hint("send them in several calls"));
        }
        let backups = *backups;
        let id = self.store().begin_erasure(params).await?;
        if backups == Backups::Replace {
            self.store().update_erasure(id, |receipt| receipt.pending.push(Pending::Backups)).await?;
        }
        Ok(id)
    }

    /// Goes on with what a restart interrupted. For the worker; what runs already is left alone.
    pub(super) async fn resume_forgetting(&self) -> Result<()> {
        let Ok(only) = self.0.forgetting.clone().try_lock_owned() else { return Ok(()) };
        self.store().finish_deletes().await?;
        let unfinished = self.store().unfinished_erasures().await?;
        if !unfinished.is_empty() {
            let memory = self.clone();
            self.0.tasks.spawn(async move {
                for id in unfinished {
                    memory.forget_in_database(id).await;
                }
                drop(only);
            });
        }
        Ok(())
    }

    async fn go_on_forgetting(&self, id: ErasureId) {
        // one at a time: they would only stand in each other's way
        let _only = self.0.forgetting.lock().await;
        self.forget_in_database(id).await;
    }

    /// All that concerns the database and the backups. What goes wrong stands in the receipt, and is tried again.
    async fn forget_in_database(&self, id: ErasureId) {
        let problem = match self.forget_step_by_step(id).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(receipt = %id, error = error.full_text(), "forgetting goes on later");
                Some(error.full_text())
            }
        };
        if let Err(error) = self.store().update_erasure(id, move |receipt| receipt.problem = problem).await {
            tracing::warn!(receipt = %id, error = error.full_text(), "note how far forgetting is");
        }
        self.0.forgotten.notify_waiters();
    }

    async fn forget_step_by_step(&self, id: ErasureId) -> Result<()> {
        while self.store().erase_rows(id).await? {
            if self.0.stop.is_cancelled() {
                return Err(Error::new(Kind::Busy, "the daemon stops"));
            }
        }
        // the vectors go meanwhile
        self.wake();
        let done = |pending: Pending| {
            move |receipt: &mut ForgetReceipt| receipt.pending.retain(|other| *other != pending)
        };
        tokio::select! {
            merged = self.store().forget_deleted_words() => merged?,
            () = self.0.stop.cancelled() => return Err(Error::new(Kind::Busy, "the daemon stops")),
        }
        self.store().update_erasure(id, done(Pending::Words)).await?;
        if self.store().erasure(id).await?.pending.contains(&Pending::Backups) {
            let before = Timestamp::now();
            self.back_up_into(None).await?;
            let removed = self.store().delete_backups_before(before).await?;
            let names = removed.iter().filter_map(|file| name_of(file)).collect();
            let note = move |receipt: &mut ForgetReceipt| {
                (receipt.backups_replaced, receipt.backups_removed) = (true, names);
                receipt.pending.retain(|pending| *pending != Pending::Backups);
            };
            self.store().update_erasure(id, note).await?;
        }
        let mut tries = 0;
        while !self.store().empty_log().await? {
            tries += 1;
            if tries == LOG_TRIES || self.0.stop.is_cancelled() {
                return Err(Error::new(Kind::Busy, "a long read keeps the write-ahead log"));
            }
            tokio::time::sleep(LOG_PAUSE).await;
        }
        self.store().update_erasure(id, done(Pending::Log)).await?;
        Ok(())
    }

    /// Takes the vectors out of the index whose rows are gone. For the worker, while no job is leased. Answers
    /// whether there was something to do.
    pub(super) async fn forget_vectors(&self) -> Result<bool> {
        let mut waiting = Vec::new();
        for id in self.store().unfinished_erasures().await? {
            let pending = self.store().erasure(id).await?.pending;
            if pending.contains(&Pending::Vectors) && !pending.contains(&Pending::Rows) {
                waiting.push(id);
            }
        }
        if waiting.is_empty() {
            return Ok(false);
        }
        let erased = self.0.generations.erase_removed(self.store()).await;
        let problem = erased.as_ref().err().map(Error::full_text);
        for id in waiting {
            let problem = problem.clone();
            self.store()
                .update_erasure(id, move |receipt| match problem {
                    None => receipt.pending.retain(|pending| *pending != Pending::Vectors),
                    Some(problem) => receipt.problem = Some(problem),
                })
                .await?;
        }
        self.0.forgotten.notify_waiters();
        erased?;
        Ok(true)
    }

    async fn wait_for_receipt(&self, id: ErasureId, seconds: u32) -> Result<ForgetReceipt> {
        let deadline = Instant::now() + Duration::from_secs(seconds.into());
        loop {
            // asked for before looking, so that no word is missed in between
            let told = self.0.forgotten.notified();
            let mut receipt = self.store().erasure(id).await?;
            let is_over = receipt.finished_at.is_some() || Instant::now() >= deadline;
            if is_over || self.0.stop.is_cancelled() {
                let (_, backups) = self.store().backups().await?;
                // what was copied after the end holds nothing of it
                let holds = |made: Timestamp| match receipt.finished_at {
                    Some(end) => !receipt.backups_replaced && made < end,
                    None => true,
                };
                let older = backups.iter().filter(|backup| holds(backup.created_at));
                receipt.backups = older.filter_map(|backup| name_of(&backup.file)).collect();
                return Ok(receipt);
            }
            tokio::select! {
                () = told => {}
                () = tokio::time::sleep_until(deadline) => {}
                () = self.0.stop.cancelled() => {}
            }
        }
    }

    /// Forgets what has lain in the trash for long enough, and old receipts.
    pub(super) async fn empty_old_trash(&self) -> Result<()> {
        let now = Timestamp::now();
        self.store().drop_receipts_before(now.plus_millis(-RECEIPT_MILLIS)).await?;
        let Some(millis) = self.trash_millis() else { return Ok(()) };
        let before = now.plus_millis(-millis);
        if self.store().is_trash_older_than(before).await? {
            let params = ForgetParams { trash_before: Some(before), ..ForgetParams::default() };
            let id = self.begin_to_forget(params).await?;
            self.go_on_forgetting(id).await;
        }
        Ok(())
    }
}

/// A receipt names files as people see them in the backup folder.
fn name_of(file: &str) -> Option<String> {
    Path::new(file).file_name().map(|name| name.to_string_lossy().into_owned())
}
