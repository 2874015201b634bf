//! The verbs on the trash.

use super::transfer::{cut_memory, cut_message};
use super::{Actor, Memory};
use crate::api::Page;
use crate::api::trash::{TrashKind, TrashList, TrashRestore, TrashRestored, Trashed};
use crate::error::Result;
use crate::store::{RestoreBatch, TrashEntry, TrashRecord};

/// Bytes of records that are stored again in one transaction.
const BATCH_BYTES: usize = 256 << 10;
/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

impl Memory {
    /// What was deleted, the last first.
    pub async fn trash(&self, list: TrashList) -> Result<Page<Trashed>> {
        self.store().trash(list, self.trash_millis()).await
    }

    /// How long something stays in the trash; none: for ever.
    pub(super) fn trash_millis(&self) -> Option<i64> {
        let days = self.config().store.trash_days;
        (days > 0).then(|| i64::from(days) * DAY)
    }

    /// Brings something back as it was. If it is interrupted, the same call again does the rest.
    pub async fn restore_from_trash(&self, which: TrashRestore, actor: &Actor) -> Result<TrashRestored> {
        let entry = self.store().trash_entry(which.id).await?;
        let (kind, item_id) = (entry.kind, entry.item);
        let messages = match kind {
            TrashKind::Message => self.restore_message(entry).await?,
            TrashKind::Conversation | TrashKind::Memory => self.restore_records(entry).await?,
        };
        self.0.events.restored(actor, kind, item_id);
        self.wake();
        Ok(TrashRestored { kind, item_id, messages })
    }

    async fn restore_message(&self, entry: TrashEntry) -> Result<u64> {
        let records = self.store().trash_records(entry.clone(), -1, BATCH_BYTES).await?;
        let Some(TrashRecord::Message(message)) = records.into_iter().map(|(_, record)| record).next() else {
            // forgotten since it was looked up
            return Ok(0);
        };
        self.store().restore_message(entry, cut_message(message)).await?;
        Ok(1)
    }

    async fn restore_records(&self, entry: TrashEntry) -> Result<u64> {
        let (mut after, mut messages) = (-1, 0);
        loop {
            let records = self.store().trash_records(entry.clone(), after, BATCH_BYTES).await?;
            let Some((last, _)) = records.last() else { break };
            after = *last;
            let mut batch = RestoreBatch::default();
            for (_, record) in records {
                match record {
                    TrashRecord::Conversation(conversation) => batch.conversations.push(conversation),
                    TrashRecord::Message(message) => {
                        messages += 1;
                        batch.messages.push(cut_message(message));
                    }
                    TrashRecord::Memory(memory) => batch.memories.push(cut_memory(memory)),
                }
            }
            for refused in self.store().restore(batch).await?.refused {
                tracing::warn!(reason = refused.reason, "a record of the trash could not be restored");
            }
        }
        self.store().leave_trash(entry).await?;
        Ok(messages)
    }
}
