//! The tree of a conversation's messages: the branch that is shown, the branches below a message, the head.
//!
//! A page of a branch is a walk of that many steps from the cursor towards the root: how long the conversation is
//! does not matter.

use rusqlite::{Connection, OptionalExtension, params};

use super::messages::{bytes, number_of};
use super::page::{Filling, begin, rows as page_rows};
use super::readers::READ_DEADLINE;
use super::rows::{self, MESSAGE_NUMBER, select_message};
use super::{Store, append, conversations};
use crate::api::message::MessageList;
use crate::api::{Page, Patch};
use crate::error::{Error, Result};
use crate::model::{Conversation, ConversationId, Message, MessageId};

/// In the second place of a cursor: the message before it has no parent.
const ROOT: i64 = -1;

impl Store {
    /// The branch that is shown, from its head back to its beginning.
    pub(super) async fn path_to_head(&self, list: MessageList) -> Result<Page<Message>> {
        let limit = page_rows(list.limit);
        let cursor = match &list.cursor {
            None => None,
            Some(_) => Some(begin(list.cursor.as_ref(), (0, 0))?),
        };
        let of = list.conversation_id;
        self.read(READ_DEADLINE, move |db| {
            let conversation = number_of(db, of)?;
            let mut next = match cursor {
                None => append::tail(db, of)?.and_then(|tail| tail.head).map(|(head, _)| head),
                Some((last, parent)) => behind(db, conversation, last, parent)?,
            };
            let mut statement =
                db.prepare_cached(select_message!("WHERE m.id = ?1 AND m.conversation_id = ?2"))?;
            let mut page = Filling::new(limit);
            while let Some(number) = next {
                let mut found = statement.query([number, conversation])?;
                let Some(row) = found.next()? else { break };
                let message = rows::message(row)?;
                next = parent_of(db, number)?;
                let bytes = bytes(&message);
                if !page.push(message, (number, next.unwrap_or(ROOT)), bytes) {
                    break;
                }
            }
            Ok(page.finish())
        })
        .await
    }

    /// The messages that answer one, or that answer none, in the order of arrival or from the newest back.
    pub(super) async fn children(&self, list: MessageList) -> Result<Page<Message>> {
        let MessageList { conversation_id, path: _, parent_id, newest_first, limit, cursor } = list;
        let limit = page_rows(limit);
        let (from, _) = begin(cursor.as_ref(), if newest_first { (i64::MAX, 0) } else { (i64::MIN, 0) })?;
        self.read(READ_DEADLINE, move |db| {
            let conversation = number_of(db, conversation_id)?;
            let n = limit as i64 + 1;
            let parent = match parent_id {
                Patch::Keep | Patch::Clear => None,
                Patch::Set(parent) => {
                    Some(append::number_in(db, conversation, parent)?.ok_or_else(|| {
                        Error::not_found(format_args!("message {parent} in this conversation"))
                    })?)
                }
            };
            let mut statement = db.prepare_cached(match (parent, newest_first) {
                (Some(_), false) => CHILDREN,
                (Some(_), true) => CHILDREN_BACK,
                (None, false) => ROOTS,
                (None, true) => ROOTS_BACK,
            })?;
            let mut found = statement.query(params![parent.unwrap_or(conversation), from, n])?;
            let mut page = Filling::new(limit);
            while let Some(row) = found.next()? {
                let message = rows::message(row)?;
                let bytes = bytes(&message);
                if !page.push(message, (row.get(MESSAGE_NUMBER)?, 0), bytes) {
                    break;
                }
            }
            Ok(page.finish())
        })
        .await
    }

    /// Shows the branch that ends in a message, or in the newest message below it. What is shown is no change of what
    /// was said, so the conversation's place in the list stays.
    pub async fn set_head(&self, message: MessageId, to_leaf: bool) -> Result<Conversation> {
        self.write(move |db| {
            let found: Option<(i64, i64)> = db
                .prepare_cached("SELECT id, conversation_id FROM message WHERE uid = ?1")?
                .query_row([message.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let (number, conversation) =
                found.ok_or_else(|| Error::not_found(format_args!("message {message}")))?;
            let head = if to_leaf { newest_below(db, number)? } else { number };
            db.prepare_cached("UPDATE conversation SET head_message_id = ?2 WHERE id = ?1")?
                .execute([conversation, head])?;
            conversations::by_number(db, conversation)
        })
        .await
    }

    /// The messages of a branch from its beginning, by their ids only: what a copy of it takes.
    pub async fn branch_ids(&self, leaf: MessageId) -> Result<(ConversationId, Vec<MessageId>)> {
        self.read(READ_DEADLINE, move |db| {
            let (number, message) =
                append::find(db, leaf)?.ok_or_else(|| Error::not_found(format_args!("message {leaf}")))?;
            let mut step = db.prepare_cached("SELECT uid, parent_id FROM message WHERE id = ?1")?;
            let mut next = Some(number);
            let mut ids = Vec::new();
            while let Some(number) = next {
                let (uid, parent) = step.query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
                ids.push(MessageId::from_bytes(uid));
                next = parent;
            }
            ids.reverse();
            Ok((message.conversation_id, ids))
        })
        .await
    }

    /// These messages in the order asked, up to `max_bytes` of JSON, one at least.
    pub async fn messages_of(&self, ids: Vec<MessageId>, max_bytes: usize) -> Result<Vec<Message>> {
        self.read(READ_DEADLINE, move |db| {
            let mut messages = Vec::new();
            let mut size = 0;
            for id in ids {
                let (_, message) =
                    append::find(db, id)?.ok_or_else(|| Error::not_found(format_args!("message {id}")))?;
                size += bytes(&message);
                if size > max_bytes && !messages.is_empty() {
                    break;
                }
                messages.push(message);
            }
            Ok(messages)
        })
        .await
    }
}

pub(super) const CHILDREN: &str =
    select_message!("WHERE m.parent_id = ?1 AND m.id > ?2 ORDER BY m.id LIMIT ?3");
pub(super) const CHILDREN_BACK: &str =
    select_message!("WHERE m.parent_id = ?1 AND m.id < ?2 ORDER BY m.id DESC LIMIT ?3");
pub(super) const ROOTS: &str = select_message!(
    "WHERE m.parent_id IS NULL AND m.conversation_id = ?1 AND m.id > ?2 ORDER BY m.id LIMIT ?3"
);
pub(super) const ROOTS_BACK: &str = select_message!(
    "WHERE m.parent_id IS NULL AND m.conversation_id = ?1 AND m.id < ?2 ORDER BY m.id DESC LIMIT ?3"
);
/// Answers come after what they answer, so the newest message below another answers nothing that is newer. Only the
/// index is read.
pub(super) const NEWEST_BELOW: &str = "WITH RECURSIVE below(id) AS (
     VALUES(?1) UNION ALL SELECT m.id FROM below CROSS JOIN message m ON m.parent_id = below.id)
   SELECT max(id) FROM below";

fn newest_below(db: &Connection, message: i64) -> Result<i64> {
    Ok(db.prepare_cached(NEWEST_BELOW)?.query_row([message], |row| row.get(0))?)
}

fn parent_of(db: &Connection, message: i64) -> Result<Option<i64>> {
    let sql = "SELECT parent_id FROM message WHERE id = ?1";
    Ok(db.prepare_cached(sql)?.query_row([message], |row| row.get(0))?)
}

/// The message that a branch goes on with behind the last of a page; that one may have been deleted, and then it is
/// what was its parent.
fn behind(db: &Connection, conversation: i64, last: i64, parent: i64) -> Result<Option<i64>> {
    let sql = "SELECT parent_id FROM message WHERE id = ?1 AND conversation_id = ?2";
    let mut statement = db.prepare_cached(sql)?;
    if let Some(now) = statement.query_row([last, conversation], |row| row.get(0)).optional()? {
        return Ok(now);
    }
    let is_there = statement.query_row([parent, conversation], |_| Ok(())).optional()?.is_some();
    match is_there || parent == ROOT {
        true => Ok((parent != ROOT).then_some(parent)),
        false => {
            Err(Error::invalid("the cursor's messages were deleted").hint("begin anew, without a cursor"))
        }
    }
}
