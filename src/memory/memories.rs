//! The verbs on memories: standing facts that all tools share.

use super::conversations::set_name;
use super::{Actor, Memory, check, chunk};
use crate::api::event::Action;
use crate::api::memory::{MemoryAdd, MemoryList, MemoryUpdate};
use crate::api::{Deleted, Page, Patch};
use crate::error::Result;
use crate::model::{self, MemoryId, Timestamp};
use crate::store::NewMemory;

/// What sort of fact a memory is unless the client says.
const DEFAULT_KIND: &str = "fact";

impl Memory {
    /// Stores a fact; the same id again answers what is stored.
    pub async fn add_memory(&self, add: MemoryAdd, actor: &Actor) -> Result<model::Memory> {
        let MemoryAdd { id, content, kind, project, source_message_id, expires_at, created_at, metadata } =
            add;
        check::memory(&content)?;
        check::name("the project", project.as_deref())?;
        check::metadata(metadata.as_ref())?;
        let kind = kind.unwrap_or_else(|| DEFAULT_KIND.to_owned());
        check::kind(&kind)?;
        let new = NewMemory {
            id: id.unwrap_or_else(MemoryId::new),
            chunks: chunk::chunk(&content),
            kind,
            content,
            project,
            source_message_id,
            expires_at,
            created_at: created_at.unwrap_or_else(Timestamp::now),
            metadata,
        };
        let created = self.store().add_memory(new, actor.client.clone()).await?;
        if created.fresh {
            self.0.events.memory(actor, Action::MemoryAdded, created.record.id);
            self.wake();
        }
        Ok(created.record)
    }

    /// One memory.
    pub async fn memory(&self, id: MemoryId) -> Result<model::Memory> {
        self.store().memory(id).await
    }

    /// Memories, the last changed first.
    pub async fn memories(&self, list: MemoryList) -> Result<Page<model::Memory>> {
        self.store().memories(list).await
    }

    /// Changes what is given.
    pub async fn update_memory(&self, update: MemoryUpdate, actor: &Actor) -> Result<model::Memory> {
        set_name("the project", &update.project)?;
        if let Some(kind) = &update.kind {
            check::kind(kind)?;
        }
        if let Patch::Set(metadata) = &update.metadata {
            check::metadata(Some(metadata))?;
        }
        let mut chunks = None;
        if let Some(content) = &update.content {
            check::memory(content)?;
            chunks = Some(chunk::chunk(content));
        }
        let updated = self.store().update_memory(update, chunks).await?;
        self.0.events.memory(actor, Action::MemoryUpdated, updated.id);
        self.wake();
        Ok(updated)
    }

    /// Deletes one memory; its vector follows in the background.
    pub async fn delete_memory(&self, id: MemoryId, actor: &Actor) -> Result<Deleted> {
        let deleted = self.store().delete_memory(id).await?;
        if deleted.deleted {
            self.0.events.memory(actor, Action::MemoryDeleted, id);
            self.wake();
        }
        Ok(deleted)
    }
}
