//! The verbs on messages.

use super::conversations::set_name;
use super::guard::Guard;
use super::{Actor, Memory, check, chunk};
use crate::api::event::Action;
use crate::api::limits::MAX_APPEND_MESSAGES;
use crate::api::message::{
    MessageAppend, MessageAppended, MessageList, MessageSecret, MessageUpdate, NewMessage,
};
use crate::api::{Deleted, Page, Patch, Stored};
use crate::error::{Error, Kind, Result};
use crate::model::{Message, MessageId};
use crate::secrets::SecretField;
use crate::store;

impl Memory {
    /// Appends messages in one transaction. Durable when this returns; found by words at once.
    pub async fn append(&self, append: MessageAppend, actor: &Actor) -> Result<MessageAppended> {
        let MessageAppend { conversation_id, messages } = append;
        if messages.is_empty() {
            return Err(Error::invalid("`messages` is empty").hint("give at least one message"));
        }
        if messages.len() > MAX_APPEND_MESSAGES {
            let found = messages.len();
            let message =
                format!("`messages` holds {found} messages, at most {MAX_APPEND_MESSAGES} are allowed");
            return Err(Error::new(Kind::TooLarge, message).hint("send them in several calls"));
        }
        let guard = self.guard_of(conversation_id).await?;
        let mut secrets = Vec::new();
        let prepared = messages.into_iter().map(|message| prepare(message, guard, &mut secrets));
        let messages = prepared.collect::<Result<Vec<_>>>()?;
        let append = store::Append {
            conversation: conversation_id,
            create: None,
            messages,
            client: actor.client.clone(),
        };
        let appended = self.store().append(append).await?;
        let fresh = appended.messages.iter().zip(&appended.fresh).filter(|(_, fresh)| **fresh);
        let fresh: Vec<&Message> = fresh.map(|(message, _)| message).collect();
        if !fresh.is_empty() {
            let ids = fresh.iter().map(|message| message.id).collect();
            self.0.events.messages(actor, Action::MessagesAppended, conversation_id, ids);
            self.wake();
            self.reflect_on_said(conversation_id, &fresh).await;
        }
        Ok(MessageAppended { messages: appended.messages, secrets })
    }

    /// One message.
    pub async fn message(&self, id: MessageId) -> Result<Message> {
        self.store().message(id).await
    }

    /// A conversation's messages: all, the branch that is shown, or the answers to one.
    pub async fn messages(&self, list: MessageList) -> Result<Page<Message>> {
        self.store().messages(list).await
    }

    /// Changes what is given; new text is found by its new words at once, and embedded anew.
    pub async fn update_message(&self, update: MessageUpdate, actor: &Actor) -> Result<Stored<Message>> {
        set_name("the author", &update.author)?;
        if let Patch::Set(metadata) = &update.metadata {
            check::metadata(Some(metadata))?;
        }
        let mut update = update;
        let guard = self.guard_of_message(update.id).await?;
        let (mut chunks, mut secrets) = (None, Vec::new());
        if let Some(content) = update.content.take() {
            check::content(&content)?;
            let (content, found) = guard.admit(content);
            check::content(&content)?;
            secrets = found;
            chunks = Some(chunk::chunk(&content));
            update.content = Some(content);
        }
        update.author = update.author.map(|name| guard.admit_name(name, SecretField::Author, &mut secrets));
        update.metadata = update.metadata.map(|metadata| guard.admit_metadata(metadata, &mut secrets));
        let updated = self.store().update_message(update, chunks).await?;
        self.0.events.messages(actor, Action::MessageUpdated, updated.conversation_id, vec![updated.id]);
        self.wake();
        Ok(Stored { record: updated, secrets })
    }

    /// Moves one message into the trash; its vector follows in the background.
    pub async fn delete_message(&self, id: MessageId, actor: &Actor) -> Result<Deleted> {
        let conversation = match self.store().message(id).await {
            Ok(message) => message.conversation_id,
            Err(error) if error.kind() == Kind::NotFound => {
                return Ok(Deleted::NOTHING);
            }
            Err(error) => return Err(error),
        };
        let deleted = self.store().delete_message(id).await?;
        if deleted.deleted {
            self.0.events.messages(actor, Action::MessageDeleted, conversation, vec![id]);
            self.wake();
        }
        Ok(deleted)
    }
}

fn prepare(new: NewMessage, guard: Guard, secrets: &mut Vec<MessageSecret>) -> Result<store::NewMessage> {
    let NewMessage { id, parent_id, role, author, content, model, created_at, metadata } = new;
    check::content(&content)?;
    check::name("the author", author.as_deref())?;
    check::name("the model", model.as_deref())?;
    check::metadata(metadata.as_ref())?;
    let id = id.unwrap_or_else(MessageId::new);
    let (content, mut found) = guard.admit(content);
    // a mask may be longer than what it stands for
    check::content(&content)?;
    let author = author.map(|name| guard.admit_name(name, SecretField::Author, &mut found));
    let metadata = metadata.map(|metadata| guard.admit_metadata(metadata, &mut found));
    secrets.extend(found.into_iter().map(|place| MessageSecret { message_id: id, place }));
    let chunks = chunk::chunk(&content);
    let said = store::NewMessage::new(role, content, chunks);
    let created_at = created_at.unwrap_or(said.created_at);
    Ok(store::NewMessage { id, parent: parent_id, author, model, created_at, metadata, ..said })
}
