//! The verbs on conversations.

use super::organise::{check_tags, folder_path};
use super::{Actor, Memory, check};
use crate::api::conversation::{ConversationCreate, ConversationList, ConversationUpdate};
use crate::api::event::Action;
use crate::api::{Deleted, Page, Patch, Stored};
use crate::error::Result;
use crate::model::{Conversation, ConversationId, Timestamp};
use crate::secrets::SecretField;
use crate::store::NewConversation;

impl Memory {
    /// Begins a conversation; the same id again answers what is stored.
    pub async fn create_conversation(
        &self,
        new: ConversationCreate,
        actor: &Actor,
    ) -> Result<Stored<Conversation>> {
        let ConversationCreate { id, title, project, model, folder, tags, private, metadata } = new;
        check::name("the title", title.as_deref())?;
        check::name("the project", project.as_deref())?;
        check::name("the model", model.as_deref())?;
        check::metadata(metadata.as_ref())?;
        check_tags(&tags)?;
        let folder = folder.as_deref().map(folder_path).transpose()?;
        let id = id.unwrap_or_else(ConversationId::new);
        let guard = self.guard(project.as_deref());
        let mut secrets = Vec::new();
        let title = title.map(|title| guard.admit_name(title, SecretField::Title, &mut secrets));
        let metadata = metadata.map(|metadata| guard.admit_metadata(metadata, &mut secrets));
        let created_at = Timestamp::now();
        let (files, has_tags) = (folder.is_some(), !tags.is_empty());
        let new = NewConversation { id, title, project, model, folder, tags, private, created_at, metadata };
        let created = self.store().create_conversation(new, actor.client.clone()).await?;
        if created.fresh {
            self.0.events.conversation(actor, Action::ConversationCreated, id);
            self.names_changed(actor, files, has_tags);
        }
        Ok(Stored { record: created.record, secrets })
    }

    /// One conversation.
    pub async fn conversation(&self, id: ConversationId) -> Result<Conversation> {
        self.store().conversation(id).await
    }

    /// Conversations, the last changed first.
    pub async fn conversations(&self, list: ConversationList) -> Result<Page<Conversation>> {
        let filter = self.narrowed(list.filter).await?;
        self.store().conversations(ConversationList { filter, ..list }).await
    }

    /// Changes what is given.
    pub async fn update_conversation(
        &self,
        update: ConversationUpdate,
        actor: &Actor,
    ) -> Result<Stored<Conversation>> {
        set_name("the title", &update.title)?;
        set_name("the project", &update.project)?;
        set_name("the model", &update.model)?;
        if let Patch::Set(metadata) = &update.metadata {
            check::metadata(Some(metadata))?;
        }
        let guard = match &update.project {
            Patch::Set(project) => self.guard(Some(project)),
            Patch::Clear => self.guard(None),
            Patch::Keep => self.guard_of(update.id).await?,
        };
        let mut secrets = Vec::new();
        let title = update.title.map(|title| guard.admit_name(title, SecretField::Title, &mut secrets));
        let metadata = update.metadata.map(|metadata| guard.admit_metadata(metadata, &mut secrets));
        let update = ConversationUpdate { title, metadata, ..update };
        let updated = self.store().update_conversation(update).await?;
        self.0.events.conversation(actor, Action::ConversationUpdated, updated.id);
        Ok(Stored { record: updated, secrets })
    }

    /// Moves a conversation and its messages into the trash; their vectors follow in the background.
    pub async fn delete_conversation(&self, id: ConversationId, actor: &Actor) -> Result<Deleted> {
        let deleted = self.store().delete_conversation(id).await?;
        if deleted.deleted {
            self.0.events.conversation(actor, Action::ConversationDeleted, id);
            self.wake();
        }
        Ok(deleted)
    }
}

/// A name that an update sets.
pub(super) fn set_name(what: &str, patch: &Patch<String>) -> Result<()> {
    match patch {
        Patch::Set(text) => check::name(what, Some(text)),
        Patch::Keep | Patch::Clear => Ok(()),
    }
}
