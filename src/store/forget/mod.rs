//! Forgetting: rows out of every table in slices between which other writes get their turn, and the receipts.
//!
//! What is to go stands in the table `erasure` until it is gone, so that a crash in between changes nothing: whoever
//! finds an unfinished one goes on with it. Each step says by what it finds what is left to do.

mod items;
mod quotations;

#[cfg(test)]
pub(super) use {items::COPIES, items::LAST_LEAF, quotations::WITH_SOURCES};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::readers::READ_DEADLINE;
use super::rows::{to_json, uid};
use super::{Store, fault};
use crate::api::forget::{ForgetParams, ForgetReceipt, Pending, Removed};
use crate::error::{Error, Result};
use crate::model::{ErasureId, Timestamp};

/// What is left of a request, as it is kept between two steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Plan {
    /// What is to go; conversations leave it when they are gone.
    target: ForgetParams,
    stage: Stage,
    /// The last row that the stage has looked at.
    after: i64,
}

/// The stages of the rows, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// What the target names.
    Items,
    /// What a client stored.
    OfClient,
    /// Answers that quote what is gone.
    Quotations,
    /// The same in the trash.
    TrashedQuotations,
    /// References and names.
    Names,
}

impl Store {
    /// Notes a request; [`Store::erase_rows`] carries it out.
    pub async fn begin_erasure(&self, target: ForgetParams) -> Result<ErasureId> {
        let id = ErasureId::new();
        let receipt = ForgetReceipt {
            id,
            requested_at: Timestamp::now(),
            finished_at: None,
            removed: Removed::default(),
            pending: vec![Pending::Rows, Pending::Words, Pending::Vectors, Pending::Log],
            problem: None,
            copies_kept: Vec::new(),
            memories_kept: Vec::new(),
            answers_kept: Vec::new(),
            backups: Vec::new(),
            backups_replaced: false,
            backups_removed: Vec::new(),
        };
        self.write(move |db| {
            let plan = Plan { target, stage: Stage::Items, after: 0 };
            db.prepare_cached(
                "INSERT INTO erasure(uid, requested_at, target, receipt) VALUES(?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                id.as_bytes(),
                receipt.requested_at.as_millis(),
                to_json(Some(&plan))?,
                to_json(Some(&receipt))?
            ])?;
            Ok(id)
        })
        .await
    }

    /// Removes some of the rows, for a few milliseconds; false: none is left.
    pub async fn erase_rows(&self, id: ErasureId) -> Result<bool> {
        self.write(move |db| {
            let (number, plan) = plan(db, id)?;
            let Some(mut plan) = plan else { return Ok(false) };
            let mut receipt = receipt(db, id)?;
            let before = Totals::of(db)?;
            let is_done = items::step(db, number, &mut plan, &mut receipt)?;
            receipt.removed.add(before, Totals::of(db)?);
            if is_done {
                receipt.pending.retain(|pending| *pending != Pending::Rows);
                db.prepare_cached("DELETE FROM erased_item WHERE erasure_id = ?1")?.execute([number])?;
            }
            let left = (!is_done).then_some(&plan);
            db.prepare_cached("UPDATE erasure SET target = ?2, receipt = ?3 WHERE id = ?1")?
                .execute(params![number, to_json(left)?, to_json(Some(&receipt))?])?;
            Ok(!is_done)
        })
        .await
    }

    /// The receipt as it is now.
    pub async fn erasure(&self, id: ErasureId) -> Result<ForgetReceipt> {
        self.read(READ_DEADLINE, move |db| receipt(db, id)).await
    }

    /// Requests that are not done, the oldest first.
    pub async fn unfinished_erasures(&self) -> Result<Vec<ErasureId>> {
        self.read(READ_DEADLINE, |db| {
            let mut statement = db.prepare_cached(UNFINISHED)?;
            let found = statement.query_map([], |row| Ok(ErasureId::from_bytes(row.get(0)?)))?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Changes a receipt; when nothing is pending any more, the request is done.
    pub async fn update_erasure(
        &self,
        id: ErasureId,
        change: impl FnOnce(&mut ForgetReceipt) + Send + 'static,
    ) -> Result<ForgetReceipt> {
        self.write(move |db| {
            let mut receipt = receipt(db, id)?;
            change(&mut receipt);
            if receipt.pending.is_empty() && receipt.finished_at.is_none() {
                receipt.finished_at = Some(Timestamp::now());
            }
            db.prepare_cached("UPDATE erasure SET receipt = ?2, finished = ?3 WHERE uid = ?1")?
                .execute(params![id.as_bytes(), to_json(Some(&receipt))?, receipt.finished_at.is_some()])?;
            Ok(receipt)
        })
        .await
    }

    /// Drops receipts of what was done before that time.
    pub async fn drop_receipts_before(&self, time: Timestamp) -> Result<()> {
        self.write(move |db| {
            db.prepare_cached("DELETE FROM erasure WHERE finished = 1 AND requested_at < ?1")?
                .execute([time.as_millis()])?;
            Ok(())
        })
        .await
    }
}

pub(super) const UNFINISHED: &str =
    "SELECT uid FROM erasure INDEXED BY erasure_unfinished WHERE finished = 0 ORDER BY id";

fn receipt(db: &Connection, id: ErasureId) -> Result<ForgetReceipt> {
    let text: Option<String> = db
        .prepare_cached("SELECT receipt FROM erasure WHERE uid = ?1")?
        .query_row([uid(id.as_bytes())], |row| row.get(0))
        .optional()?;
    let text = text.ok_or_else(|| {
        Error::not_found(format_args!("the receipt {id}")).hint("receipts are kept for a while only")
    })?;
    serde_json::from_str(&text).map_err(|error| fault::damaged("a broken receipt").caused_by(error))
}

/// The number of a request, and what is left of it.
fn plan(db: &Connection, id: ErasureId) -> Result<(i64, Option<Plan>)> {
    let (number, text): (i64, Option<String>) = db
        .prepare_cached("SELECT id, target FROM erasure WHERE uid = ?1")?
        .query_row([uid(id.as_bytes())], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let plan = text.map(|text| serde_json::from_str(&text)).transpose();
    Ok((number, plan.map_err(|error| fault::damaged("a broken request to forget").caused_by(error))?))
}

/// The counters that triggers keep: what a step removed is the difference.
#[derive(Debug, Clone, Copy)]
struct Totals {
    conversations: i64,
    messages: i64,
    memories: i64,
    chunks: i64,
    deleted_texts: i64,
    jobs: i64,
    vectors: i64,
}

impl Totals {
    fn of(db: &Connection) -> Result<Self> {
        let totals = db
            .prepare_cached(
                "SELECT conversations, messages, memories, chunks, deleted_texts,
                   (SELECT coalesce(sum(ready + leased + dead), 0) FROM embed_space WHERE state < 2),
                   (SELECT coalesce(sum(vectors), 0) FROM embed_space WHERE state < 2)
                 FROM store WHERE id = 1",
            )?
            .query_row([], |row| {
                Ok(Self {
                    conversations: row.get(0)?,
                    messages: row.get(1)?,
                    memories: row.get(2)?,
                    chunks: row.get(3)?,
                    deleted_texts: row.get(4)?,
                    jobs: row.get(5)?,
                    vectors: row.get(6)?,
                })
            })?;
        Ok(totals)
    }
}

impl Removed {
    fn add(&mut self, before: Totals, after: Totals) {
        let fewer = |before: i64, after: i64| u64::try_from(before - after).unwrap_or(0);
        self.conversations += fewer(before.conversations, after.conversations);
        self.messages += fewer(before.messages, after.messages);
        self.memories += fewer(before.memories, after.memories);
        self.chunks += fewer(before.chunks, after.chunks);
        self.full_text += fewer(after.deleted_texts, before.deleted_texts);
        let vectors = fewer(before.vectors, after.vectors);
        self.vectors += vectors;
        // each vector that goes leaves a job that takes it out of the index
        self.jobs += fewer(before.jobs + vectors as i64, after.jobs);
    }
}
