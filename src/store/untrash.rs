//! A deleted message goes back to where it stood.

use rusqlite::{Connection, OptionalExtension, params};

use super::restore::{RestoreMessage, Restored, restore_message};
use super::rows::uid;
use super::trash::remove_entry;
use super::trashed::TrashEntry;
use super::{Store, append, conversations};
use crate::error::{Error, Kind, Result};
use crate::model::{ConversationId, MessageId};

impl Store {
    /// Stores a message from the trash again, under its parent and over what answered it, and as the head if it was
    /// that and the conversation did not go on since. Errors: its conversation is not there.
    pub async fn restore_message(&self, entry: TrashEntry, mut message: RestoreMessage) -> Result<Restored> {
        self.write(move |db| {
            let id = message.message.id;
            let conversation = conversation(db, message.message.conversation_id)?;
            let head = head(db, conversation)?;
            let parent = living_parent(db, conversation, id, message.message.parent_id)?;
            message.message.parent_id = parent;
            let mut restored = Restored::default();
            restore_message(db, 0, message, &mut restored)?;
            if let Some(refused) = restored.refused.first() {
                let message = format!("restore the message {id}: {}", refused.reason);
                return Err(Error::new(Kind::Conflict, message).hint("it stays in the trash"));
            }
            let number = append::number_in(db, conversation, id)?;
            let above = match parent {
                Some(parent) => append::number_in(db, conversation, parent)?,
                None => None,
            };
            db.prepare_cached(
                "UPDATE message SET parent_id = ?1 WHERE conversation_id = ?2 AND parent_id IS ?3 AND id <> ?1
                   AND uid IN (SELECT uid FROM trash_child WHERE trash_id = ?4)",
            )?
            .execute(params![number, conversation, above, entry.number])?;
            let was_head: bool = db
                .prepare_cached("SELECT was_head FROM trash WHERE id = ?1")?
                .query_row([entry.number], |row| row.get(0))?;
            let is_head = head.is_none() || (was_head && head == above);
            db.prepare_cached("UPDATE conversation SET head_message_id = ?2 WHERE id = ?1")?
                .execute(params![conversation, if is_head { number } else { head }])?;
            remove_entry(db, entry.number)?;
            Ok(restored)
        })
        .await
    }
}

fn conversation(db: &Connection, id: ConversationId) -> Result<i64> {
    conversations::number(db, id)?.ok_or_else(|| {
        Error::new(Kind::Conflict, format!("restore a message: its conversation {id} is not there"))
            .hint("restore the conversation first, if it lies in the trash too")
    })
}

fn head(db: &Connection, conversation: i64) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached("SELECT head_message_id FROM conversation WHERE id = ?1")?
        .query_row([conversation], |row| row.get(0))?)
}

/// The nearest ancestor that is not in the trash. The trashed ones will take the message back when they come.
fn living_parent(
    db: &Connection,
    conversation: i64,
    child: MessageId,
    parent: Option<MessageId>,
) -> Result<Option<MessageId>> {
    let mut next = parent;
    while let Some(id) = next {
        if append::number_in(db, conversation, id)?.is_some() {
            return Ok(Some(id));
        }
        let trashed: Option<(i64, Option<String>)> = db
            .prepare_cached(
                "SELECT t.id, r.record ->> 'parentId' FROM trash t JOIN trash_record r ON r.trash_id = t.id
                 WHERE t.item = ?1 ORDER BY t.id DESC LIMIT 1",
            )?
            .query_row([uid(id.as_bytes())], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((entry, above)) = trashed else { return Ok(None) };
        db.prepare_cached("INSERT OR IGNORE INTO trash_child(trash_id, uid) VALUES(?1, ?2)")?
            .execute(params![entry, child.as_bytes()])?;
        next = above.and_then(|id| id.parse().ok());
    }
    Ok(None)
}
