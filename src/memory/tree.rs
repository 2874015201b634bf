//! The verbs on the tree of a conversation: saying something anew, showing another branch, copying.

use std::collections::HashMap;

use super::{Actor, Memory, check, chunk};
use crate::api::event::Action;
use crate::api::tree::{CloneWhole, Fork, MessageEdit, SetHead};
use crate::api::{Patch, Stored};
use crate::error::{Error, Kind, Result};
use crate::model::{Conversation, ConversationId, CopiedFrom, Message, MessageId, Timestamp};
use crate::store::{self, RestoreBatch, RestoreMessage};

/// Bytes of messages that one step of a copy takes: between two steps other writes get their turn.
const STEP_BYTES: usize = 256 << 10;
/// Messages of one step.
const STEP_MESSAGES: usize = 200;

impl Memory {
    /// Says a message anew beside the old one; the conversation goes on from there.
    pub async fn edit_message(&self, edit: MessageEdit, actor: &Actor) -> Result<Stored<Message>> {
        let MessageEdit { id, content, new_id, metadata } = edit;
        check::content(&content)?;
        check::metadata(metadata.as_ref())?;
        let old = self.store().message(id).await?;
        let guard = self.guard_of(old.conversation_id).await?;
        let (content, mut secrets) = guard.admit(content);
        check::content(&content)?;
        let metadata = metadata.map(|metadata| guard.admit_metadata(metadata, &mut secrets));
        let chunks = chunk::chunk(&content);
        let new = store::NewMessage {
            id: new_id.unwrap_or_else(MessageId::new),
            parent: old.parent_id.map_or(Patch::Clear, Patch::Set),
            author: old.author,
            metadata: metadata.or(old.metadata),
            ..store::NewMessage::new(old.role, content, chunks)
        };
        let append = store::Append {
            conversation: old.conversation_id,
            create: None,
            messages: vec![new],
            client: actor.client.clone(),
        };
        let appended = self.store().append(append).await?;
        let message = appended.messages.into_iter().next();
        let message = message.ok_or_else(|| Error::internal("an append of one message stored none"))?;
        if appended.fresh.contains(&true) {
            let ids = vec![message.id];
            self.0.events.messages(actor, Action::MessagesAppended, message.conversation_id, ids);
            self.wake();
            self.reflect_on_said(message.conversation_id, &[&message]).await;
        }
        Ok(Stored { record: message, secrets })
    }

    /// Shows another branch.
    pub async fn set_head(&self, head: SetHead, actor: &Actor) -> Result<Conversation> {
        let SetHead { message_id, to_leaf } = head;
        let conversation = self.store().set_head(message_id, to_leaf.unwrap_or(true)).await?;
        self.0.events.conversation(actor, Action::ConversationUpdated, conversation.id);
        Ok(conversation)
    }

    /// Copies the branch that leads to a message.
    pub async fn fork(&self, fork: Fork, actor: &Actor) -> Result<Conversation> {
        let Fork { message_id, new_id, title } = fork;
        let (of, mut ids) = self.store().branch_ids(message_id).await?;
        let from = CopiedFrom { conversation_id: of, message_id: Some(message_id) };
        let mut copy = self.begin_copy(from, new_id, title, actor).await?;
        while !ids.is_empty() {
            let step = ids[..ids.len().min(STEP_MESSAGES)].to_vec();
            let messages = self.store().messages_of(step, STEP_BYTES).await?;
            ids.drain(..messages.len());
            copy.take(self, messages).await?;
        }
        copy.end(self, actor, message_id).await
    }

    /// Copies a conversation with all its branches.
    pub async fn clone_conversation(&self, clone: CloneWhole, actor: &Actor) -> Result<Conversation> {
        let CloneWhole { id, new_id, title } = clone;
        let head = self.store().conversation(id).await?.head_message_id;
        let from = CopiedFrom { conversation_id: id, message_id: None };
        let mut copy = self.begin_copy(from, new_id, title, actor).await?;
        let mut after = 0;
        loop {
            let messages = self.store().export_messages(id, after, STEP_BYTES).await?;
            let Some(last) = messages.last() else { break };
            after = last.seq;
            copy.take(self, messages).await?;
        }
        match head {
            Some(head) => copy.end(self, actor, head).await,
            None => self.store().conversation(copy.id).await,
        }
    }

    async fn begin_copy(
        &self,
        from: CopiedFrom,
        id: Option<ConversationId>,
        title: Option<String>,
        actor: &Actor,
    ) -> Result<Copying> {
        check::name("the title", title.as_deref())?;
        let id = id.unwrap_or_else(ConversationId::new);
        let original = self.store().conversation(from.conversation_id).await?;
        let now = Timestamp::now();
        // the copy itself shows the mask
        let guard = self.guard(original.project.as_deref());
        let title = title.map(|title| guard.admit(title).0);
        let conversation = Conversation {
            id,
            title: title.or(original.title),
            client: actor.client.clone(),
            copied_from: Some(from),
            pinned: false,
            archived: false,
            head_message_id: None,
            message_count: 0,
            created_at: now,
            updated_at: now,
            ..original
        };
        let batch = RestoreBatch { conversations: vec![conversation], ..RestoreBatch::default() };
        let restored = self.store().restore(batch).await?;
        if restored.existing.conversations > 0
            && self.store().conversation(id).await?.copied_from != Some(from)
        {
            let found = format!("the conversation {id} exists and is no copy of this");
            return Err(Error::new(Kind::Conflict, found).hint("use a new id"));
        }
        if restored.added.conversations > 0 {
            self.0.events.conversation(actor, Action::ConversationCreated, id);
        }
        Ok(Copying { id, copies: HashMap::new(), waiting: Vec::new() })
    }
}

/// A copy on its way.
struct Copying {
    id: ConversationId,
    /// The copy of each message.
    copies: HashMap<MessageId, MessageId>,
    /// Copies whose parents are still to come: an import may have put an answer before its question.
    waiting: Vec<Message>,
}

impl Copying {
    /// Stores copies of messages. Their ids are made from the old ones, so that a retry finds what is there already.
    async fn take(&mut self, memory: &Memory, messages: Vec<Message>) -> Result<()> {
        let mut batch = std::mem::take(&mut self.waiting);
        for message in messages {
            self.copies.insert(message.id, self.copy_of(message.id));
            batch.push(message);
        }
        let mut ready = RestoreBatch::default();
        for message in batch {
            match message.parent_id.is_none_or(|parent| self.copies.contains_key(&parent)) {
                true => ready.messages.push(RestoreMessage {
                    chunks: chunk::chunk(&message.content),
                    message: Message {
                        id: self.copy_of(message.id),
                        conversation_id: self.id,
                        parent_id: message.parent_id.map(|parent| self.copy_of(parent)),
                        ..message
                    },
                }),
                false => self.waiting.push(message),
            }
        }
        let restored = memory.store().restore(ready).await?;
        match restored.refused.first() {
            None => Ok(()),
            Some(refused) => {
                Err(Error::new(Kind::Conflict, format!("copy a conversation: {}", refused.reason))
                    .hint("it changed meanwhile; try again with a new id"))
            }
        }
    }

    async fn end(self, memory: &Memory, actor: &Actor, head: MessageId) -> Result<Conversation> {
        if !self.waiting.is_empty() {
            return Err(Error::new(
                Kind::Conflict,
                "copy a conversation: messages lost their parents meanwhile",
            )
            .hint("try again with a new id"));
        }
        let conversation = memory.store().set_head(self.copy_of(head), false).await?;
        memory.0.events.conversation(actor, Action::ConversationUpdated, self.id);
        memory.wake();
        Ok(conversation)
    }

    fn copy_of(&self, message: MessageId) -> MessageId {
        MessageId::derived(&format!("copy:{}", self.id), &message.to_string())
    }
}
