//! Messages: read, listed, followed up a branch, changed and deleted.

use rusqlite::{Connection, params};

use super::conversations::metadata_bytes;
use super::page::{Filling, begin, json_bytes, rows as page_rows};
use super::readers::READ_DEADLINE;
use super::rows::{self, role_number, select_message, status_number, to_json};
use super::{Item, Store, append, chunks, conversations};
use crate::api::Page;
use crate::api::message::{MessageList, MessagePath, MessageUpdate};
use crate::error::{Error, Result};
use crate::model::ChunkRange;
use crate::model::{AnswerStatus, ConversationId, Message, MessageId, Role, Timestamp};

impl Store {
    /// The message of this id.
    pub async fn message(&self, id: MessageId) -> Result<Message> {
        self.read(READ_DEADLINE, move |db| get(db, id).map(|(_, message)| message)).await
    }

    /// One message, if it is there.
    pub async fn message_if_any(&self, id: MessageId) -> Result<Option<Message>> {
        self.read(READ_DEADLINE, move |db| Ok(append::find(db, id)?.map(|(_, message)| message))).await
    }

    /// The newest answer to a question that a model wrote to the end.
    pub async fn answer_to(&self, question: MessageId) -> Result<Option<Message>> {
        self.read(READ_DEADLINE, move |db| {
            let Some((number, _)) = append::find(db, question)? else { return Ok(None) };
            let mut statement = db.prepare_cached(select_message!(
                "WHERE m.parent_id = ?1 AND m.role = ?2 AND m.status = ?3 ORDER BY m.id DESC LIMIT 1"
            ))?;
            let wanted = params![number, role_number(Role::Assistant), status_number(AnswerStatus::Complete)];
            let mut found = statement.query(wanted)?;
            found.next()?.map(rows::message).transpose()
        })
        .await
    }

    /// The messages of a conversation: over all its branches in the order of arrival or from the newest back, of the
    /// branch that is shown from its head back, or the answers to one message.
    pub async fn messages(&self, list: MessageList) -> Result<Page<Message>> {
        match (list.path, list.parent_id.is_keep()) {
            (MessagePath::All, true) => self.all_messages(list).await,
            (MessagePath::Head, true) => self.path_to_head(list).await,
            (_, false) => self.children(list).await,
        }
    }

    async fn all_messages(&self, list: MessageList) -> Result<Page<Message>> {
        let MessageList { conversation_id, path: _, parent_id: _, newest_first, limit, cursor } = list;
        let limit = page_rows(limit);
        let (seq, _) = begin(cursor.as_ref(), if newest_first { (i64::MAX, 0) } else { (i64::MIN, 0) })?;
        self.read(READ_DEADLINE, move |db| {
            let conversation = number_of(db, conversation_id)?;
            let mut statement = db.prepare_cached(if newest_first { LIST_BACK } else { LIST })?;
            let mut found = statement.query(params![conversation, seq, limit as i64 + 1])?;
            let mut page = Filling::new(limit);
            while let Some(row) = found.next()? {
                let message = rows::message(row)?;
                let key = (message.seq as i64, 0);
                let bytes = bytes(&message);
                if !page.push(message, key, bytes) {
                    break;
                }
            }
            Ok(page.finish())
        })
        .await
    }

    /// The branch that ends in `leaf` (none: in the head), oldest first. Where its texts are more than `max_bytes`
    /// the newest are kept, one at least.
    pub async fn branch(
        &self,
        conversation: ConversationId,
        leaf: Option<MessageId>,
        max_bytes: usize,
    ) -> Result<Vec<Message>> {
        self.read(READ_DEADLINE, move |db| {
            let tail = append::tail(db, conversation)?
                .ok_or_else(|| Error::not_found(format_args!("conversation {conversation}")))?;
            let mut next = leaf.or(tail.head.map(|(_, id)| id));
            let mut branch = Vec::new();
            let mut bytes = 0;
            while let Some(id) = next {
                let (_, message) = get(db, id)?;
                if message.conversation_id != conversation {
                    return Err(Error::not_found(format_args!("message {id} in this conversation")));
                }
                bytes += message.content.len();
                if bytes > max_bytes && !branch.is_empty() {
                    break;
                }
                next = message.parent_id;
                branch.push(message);
            }
            branch.reverse();
            Ok(branch)
        })
        .await
    }

    /// Changes what the update names. `chunks` are those of a new text.
    pub async fn update_message(
        &self,
        update: MessageUpdate,
        chunks: Option<Vec<ChunkRange>>,
    ) -> Result<Message> {
        check_chunks(update.content.as_deref(), chunks.as_deref())?;
        self.write(move |db| {
            let MessageUpdate { id, content, author, metadata } = update;
            let (number, mut message) = get(db, id)?;
            let now = Timestamp::now();
            message.author = author.apply(message.author);
            message.metadata = metadata.apply(message.metadata);
            if let Some(content) = content.filter(|content| *content != message.content) {
                message.content = content;
                message.edited_at = Some(now);
                change_text(db, number, &message.content, &chunks.unwrap_or_default())?;
            }
            db.prepare_cached("UPDATE message SET author = ?2, metadata = ?3, edited_at = ?4 WHERE id = ?1")?
                .execute(params![
                    number,
                    message.author,
                    to_json(message.metadata.as_ref())?,
                    message.edited_at.map(Timestamp::as_millis)
                ])?;
            touch(db, number, now)?;
            Ok(message)
        })
        .await
    }
}

pub(super) const LIST: &str =
    select_message!("WHERE m.conversation_id = ?1 AND m.seq > ?2 ORDER BY m.seq LIMIT ?3");
pub(super) const LIST_BACK: &str =
    select_message!("WHERE m.conversation_id = ?1 AND m.seq < ?2 ORDER BY m.seq DESC LIMIT ?3");

/// A new text must come with its chunks, and they must lie in it.
pub(super) fn check_chunks(content: Option<&str>, chunks: Option<&[ChunkRange]>) -> Result<()> {
    match (content, chunks) {
        (Some(content), Some(chunks)) => chunks::check(content, chunks),
        (Some(_), None) => Err(Error::internal("a new text came without its chunks")),
        (None, _) => Ok(()),
    }
}

fn get(db: &Connection, id: MessageId) -> Result<(i64, Message)> {
    append::find(db, id)?.ok_or_else(|| Error::not_found(format_args!("message {id}")))
}

pub(super) fn number_of(db: &Connection, id: ConversationId) -> Result<i64> {
    conversations::number(db, id)?.ok_or_else(|| Error::not_found(format_args!("conversation {id}")))
}

fn change_text(db: &Connection, number: i64, content: &str, chunks: &[ChunkRange]) -> Result<()> {
    db.prepare_cached("UPDATE message SET content = ?2 WHERE id = ?1")?.execute(params![number, content])?;
    let is_searchable = db
        .prepare_cached("SELECT searchable FROM message WHERE id = ?1")?
        .query_row([number], |row| row.get(0))?;
    match is_searchable {
        true => chunks::replace(db, Item::Message(number), chunks),
        false => Ok(()),
    }
}

/// Notes in the conversation that one of its messages changed.
fn touch(db: &Connection, message: i64, now: Timestamp) -> Result<()> {
    db.prepare_cached(
        "UPDATE conversation SET updated_at = ?2
         WHERE id = (SELECT conversation_id FROM message WHERE id = ?1)",
    )?
    .execute(params![message, now.as_millis()])?;
    Ok(())
}

/// Bytes of a message's texts as JSON.
pub(super) fn bytes(message: &Message) -> usize {
    json_bytes(&message.content)
        + message.metadata.as_ref().map_or(0, metadata_bytes)
        + message.sources.iter().map(|source| json_bytes(&source.text) + 400).sum::<usize>()
}
