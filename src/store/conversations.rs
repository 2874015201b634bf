//! Conversations: made, read, changed and deleted.

use rusqlite::{Connection, OptionalExtension, params};

use super::page::json_bytes;
use super::readers::READ_DEADLINE;
use super::records::{Created, NewConversation};
use super::rows::{self, select_conversation, to_json, uid};
use super::{Store, append, names, organise};
use crate::api::Patch;
use crate::api::conversation::ConversationUpdate;
use crate::error::{Error, Result};
use crate::model::{ClientRef, Conversation, ConversationId, Metadata};

impl Store {
    /// Begins a conversation; one that has this id already is answered as it is.
    pub async fn create_conversation(
        &self,
        new: NewConversation,
        client: Option<ClientRef>,
    ) -> Result<Created<Conversation>> {
        if new.private {
            self.expect_private();
        }
        self.write(move |db| {
            let fresh = number(db, new.id)?.is_none();
            if fresh {
                insert(db, &new, client.as_ref())?;
            }
            Ok(Created { record: get(db, new.id)?, fresh })
        })
        .await
    }

    /// The conversation of this id.
    pub async fn conversation(&self, id: ConversationId) -> Result<Conversation> {
        self.read(READ_DEADLINE, move |db| get(db, id)).await
    }

    /// Changes what the update names; no name or other order makes it a later one. A head must be a message of the
    /// conversation.
    pub async fn update_conversation(&self, update: ConversationUpdate) -> Result<Conversation> {
        self.write(move |db| {
            let ConversationUpdate { id, title, project, model, head_message_id, metadata } = update;
            let number =
                number(db, id)?.ok_or_else(|| Error::not_found(format_args!("conversation {id}")))?;
            let old = get(db, id)?;
            let head = match head_message_id {
                Patch::Keep => None,
                Patch::Clear => Some(None),
                Patch::Set(head) => Some(Some(append::number_in(db, number, head)?.ok_or_else(|| {
                    Error::not_found(format_args!("message {head} in this conversation"))
                })?)),
            };
            if let Some(head) = head {
                db.prepare_cached("UPDATE conversation SET head_message_id = ?2 WHERE id = ?1")?
                    .execute(params![number, head])?;
            }
            let project = names::project(db, project.apply(old.project).as_deref())?;
            let metadata: Option<Metadata> = metadata.apply(old.metadata);
            db.prepare_cached(
                "UPDATE conversation SET title = ?2, project_id = ?3, model = ?4, metadata = ?5 WHERE id = ?1",
            )?
            .execute(params![
                number,
                title.apply(old.title),
                project,
                model.apply(old.model),
                to_json(metadata.as_ref())?
            ])?;
            get(db, id)
        })
        .await
    }
}

/// The number of the conversation of this id.
pub(super) fn number(db: &Connection, id: ConversationId) -> Result<Option<i64>> {
    let number = db
        .prepare_cached("SELECT id FROM conversation WHERE uid = ?1")?
        .query_row([uid(id.as_bytes())], |row| row.get(0))
        .optional()?;
    Ok(number)
}

pub(super) fn get(db: &Connection, id: ConversationId) -> Result<Conversation> {
    let mut statement = db.prepare_cached(select_conversation!("WHERE c.uid = ?1"))?;
    let mut found = statement.query([uid(id.as_bytes())])?;
    match found.next()? {
        Some(row) => rows::conversation(row),
        None => Err(Error::not_found(format_args!("conversation {id}"))),
    }
}

/// The conversation of this number.
pub(super) fn by_number(db: &Connection, number: i64) -> Result<Conversation> {
    let mut statement = db.prepare_cached(select_conversation!("WHERE c.id = ?1"))?;
    let mut found = statement.query([number])?;
    match found.next()? {
        Some(row) => rows::conversation(row),
        None => Err(Error::not_found("a conversation")),
    }
}

/// Stores a conversation without messages; answers its number.
pub(super) fn insert(db: &Connection, new: &NewConversation, client: Option<&ClientRef>) -> Result<i64> {
    let NewConversation { id, title, project, model, folder, tags, private, created_at, metadata } = new;
    let project = names::project(db, project.as_deref())?;
    let client = names::client(db, client)?;
    let folder = organise::folder(db, folder.as_deref())?;
    db.prepare_cached(
        "INSERT INTO conversation(uid, project_id, client_id, title, model, created_at, updated_at, metadata,
           folder_id, private) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        id.as_bytes(),
        project,
        client,
        title,
        model,
        created_at.as_millis(),
        to_json(metadata.as_ref())?,
        folder,
        private
    ])?;
    let number = db.last_insert_rowid();
    organise::add_tags(db, number, tags)?;
    Ok(number)
}

/// Bytes of a conversation's texts as JSON.
pub(super) fn bytes(conversation: &Conversation) -> usize {
    let Conversation { title, project, model, folder, tags, metadata, .. } = conversation;
    let texts = [title, project, model, folder].into_iter().flatten().chain(tags);
    metadata.as_ref().map_or(0, metadata_bytes) + texts.map(|text| json_bytes(text)).sum::<usize>()
}

/// Bytes of a client's own data as JSON.
pub(super) fn metadata_bytes(metadata: &Metadata) -> usize {
    serde_json::to_vec(metadata).map_or(0, |json| json.len())
}
