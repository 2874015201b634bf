//! The trash: what was deleted lies there as records, apart from every table that is listed, searched or exported,
//! until it is restored or forgotten.
//!
//! Restoring stores the records again, so what was embedded is embedded anew; in return no query of any table has
//! to know that there is a trash.

use std::time::Instant;

use rusqlite::{Connection, OptionalExtension, params};

use super::fault::shorten;
use super::readers::READ_DEADLINE;
use super::rows::{self, count, select_message, uid};
use super::writer::SLICE;
use super::{Store, append, conversations, memories};
use crate::api::Deleted;
use crate::api::trash::TrashKind;
use crate::error::Result;
use crate::model::{ConversationId, MemoryId, Message, MessageId, Timestamp, TrashId};

/// What an entry is known by, in bytes of its title or text.
const TITLE_BYTES: usize = 120;

impl Store {
    /// Moves a conversation with its messages into the trash. A long one goes in steps, the newest messages first,
    /// between which other writes get their turn; what a crash interrupts, [`Store::finish_deletes`] ends.
    pub async fn delete_conversation(&self, id: ConversationId) -> Result<Deleted> {
        match self.write(move |db| begin_conversation(db, id)).await? {
            Some(entry) => self.move_messages(entry, id).await,
            None => Ok(Deleted::NOTHING),
        }
    }

    /// Ends the deletes that a crash interrupted.
    pub async fn finish_deletes(&self) -> Result<()> {
        let unfinished: Vec<(i64, ConversationId)> = self
            .read(READ_DEADLINE, |db| {
                let mut statement = db.prepare_cached(UNFINISHED)?;
                let found = statement
                    .query_map([], |row| Ok((row.get(0)?, ConversationId::from_bytes(row.get(1)?))))?;
                Ok(found.collect::<rusqlite::Result<_>>()?)
            })
            .await?;
        for (entry, id) in unfinished {
            self.move_messages(entry, id).await?;
        }
        Ok(())
    }

    async fn move_messages(&self, entry: i64, id: ConversationId) -> Result<Deleted> {
        while self.write(move |db| move_step(db, entry, id)).await? {}
        self.write(move |db| {
            let deleted = db
                .prepare_cached("UPDATE trash SET whole = 1 WHERE id = ?1 RETURNING uid, messages")?
                .query_row([entry], |row| {
                    let trash_id = Some(TrashId::from_bytes(row.get(0)?));
                    Ok(Deleted { deleted: true, messages: count(row, 1)?, trash_id })
                })
                .optional()?;
            // forgotten meanwhile
            Ok(deleted.unwrap_or(Deleted::NOTHING))
        })
        .await
    }

    /// Moves one message into the trash. What answered it answers its parent from now on, and a head that goes away
    /// moves to the parent, or else to the newest message that is left.
    pub async fn delete_message(&self, id: MessageId) -> Result<Deleted> {
        self.write(move |db| {
            let Some((number, message)) = append::find(db, id)? else { return Ok(Deleted::NOTHING) };
            let (project, is_head): (Option<String>, bool) = db
                .prepare_cached(
                    "SELECT p.name, c.head_message_id IS ?2 FROM conversation c
                     LEFT JOIN project p ON p.id = c.project_id WHERE c.uid = ?1",
                )?
                .query_row(params![message.conversation_id.as_bytes(), number], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            let new = New {
                kind: TrashKind::Message,
                item: *message.id.as_bytes(),
                conversation: Some(message.conversation_id),
                title: Some(&message.content),
                project: project.as_deref(),
                client: message.client.as_ref().map(|client| client.name.as_str()),
                was_head: is_head,
            };
            let (entry, trash_id) = insert(db, new)?;
            insert_record(db, entry, message.seq as i64, message.id.as_bytes(), &message)?;
            db.prepare_cached("INSERT INTO trash_child SELECT ?1, uid FROM message WHERE parent_id = ?2")?
                .execute([entry, number])?;
            db.prepare_cached("UPDATE trash SET messages = 1 WHERE id = ?1")?.execute([entry])?;
            remove_message(db, number)?;
            Ok(Deleted { deleted: true, messages: 1, trash_id: Some(trash_id) })
        })
        .await
    }

    /// Moves a memory with its history into the trash.
    pub async fn delete_memory(&self, id: MemoryId) -> Result<Deleted> {
        self.write(move |db| move_memory(db, id)).await
    }
}

pub(super) const UNFINISHED: &str = "SELECT id, item FROM trash INDEXED BY trash_unfinished WHERE whole = 0";
/// A message that nothing answers, so that none loses its parent before it goes itself: the newest in almost all
/// conversations.
pub(super) const LAST_LEAF: &str = select_message!(
    "WHERE m.conversation_id = ?1 AND NOT EXISTS (SELECT 1 FROM message a WHERE a.parent_id = m.id)
     ORDER BY m.seq DESC LIMIT 1"
);
pub(super) const REPARENT: &str = "UPDATE message SET parent_id = ?2 WHERE parent_id = ?1";

struct New<'a> {
    kind: TrashKind,
    item: [u8; 16],
    conversation: Option<ConversationId>,
    title: Option<&'a str>,
    project: Option<&'a str>,
    client: Option<&'a str>,
    was_head: bool,
}

fn insert(db: &Connection, new: New<'_>) -> Result<(i64, TrashId)> {
    let New { kind, item, conversation, title, project, client, was_head } = new;
    let id = TrashId::new();
    db.prepare_cached(
        "INSERT INTO trash(uid, kind, item, conversation, title, project, client, whole, was_head, deleted_at)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        id.as_bytes(),
        kind as i64,
        item,
        conversation.as_ref().map(|id| id.as_bytes()),
        title.map(|text| shorten(text, TITLE_BYTES)),
        project,
        client,
        kind != TrashKind::Conversation,
        was_head,
        Timestamp::now().as_millis()
    ])?;
    Ok((db.last_insert_rowid(), id))
}

pub(super) fn insert_record(
    db: &Connection,
    entry: i64,
    place: i64,
    id: &[u8; 16],
    record: &impl serde::Serialize,
) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO trash_record(trash_id, place, uid, record) VALUES(?1, ?2, ?3, ?4)",
    )?
    .execute(params![entry, place, id, rows::to_json(Some(record))?])?;
    Ok(())
}

/// The entry that takes the conversation; one that an interrupted delete began goes on.
fn begin_conversation(db: &Connection, id: ConversationId) -> Result<Option<i64>> {
    if conversations::number(db, id)?.is_none() {
        return Ok(None);
    }
    let begun = db
        .prepare_cached("SELECT id FROM trash WHERE item = ?1 AND whole = 0")?
        .query_row([uid(id.as_bytes())], |row| row.get(0))
        .optional()?;
    if begun.is_some() {
        return Ok(begun);
    }
    let conversation = conversations::get(db, id)?;
    let new = New {
        kind: TrashKind::Conversation,
        item: *id.as_bytes(),
        conversation: None,
        title: conversation.title.as_deref(),
        project: conversation.project.as_deref(),
        client: conversation.client.as_ref().map(|client| client.name.as_str()),
        was_head: false,
    };
    let (entry, _) = insert(db, new)?;
    insert_record(db, entry, 0, id.as_bytes(), &conversation)?;
    Ok(Some(entry))
}

/// Moves some messages, and in the end the conversation; false: all of it is moved.
fn move_step(db: &Connection, entry: i64, id: ConversationId) -> Result<bool> {
    let Some(conversation) = conversations::number(db, id)? else { return Ok(false) };
    let begun = Instant::now();
    let mut moved = 0;
    while begun.elapsed() < SLICE {
        let Some((number, message)) = last_leaf(db, conversation)? else {
            db.prepare_cached("DELETE FROM conversation WHERE id = ?1")?.execute([conversation])?;
            break;
        };
        insert_record(db, entry, message.seq as i64, message.id.as_bytes(), &message)?;
        db.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([number])?;
        moved += 1;
    }
    shrink(db, conversation, moved)?;
    db.prepare_cached("UPDATE trash SET messages = messages + ?2 WHERE id = ?1")?.execute([entry, moved])?;
    Ok(true)
}

/// Moves a memory with what it had replaced, inside the caller's transaction.
pub(super) fn move_memory(db: &Connection, id: MemoryId) -> Result<Deleted> {
    let Some((number, memory)) = memories::find(db, id)? else { return Ok(Deleted::NOTHING) };
    let new = New {
        kind: TrashKind::Memory,
        item: *memory.id.as_bytes(),
        conversation: None,
        title: Some(&memory.content),
        project: memory.project.as_deref(),
        client: memory.client.as_ref().map(|client| client.name.as_str()),
        was_head: false,
    };
    let (entry, trash_id) = insert(db, new)?;
    insert_record(db, entry, 0, memory.id.as_bytes(), &memory)?;
    let mut statement = db.prepare_cached(memories::FORMER)?;
    let mut former = statement.query([memory.id.as_bytes()])?;
    let mut place = 0;
    while let Some(row) = former.next()? {
        let memory = rows::memory(row)?;
        place += 1;
        insert_record(db, entry, place, memory.id.as_bytes(), &memory)?;
    }
    drop(former);
    // a trigger deletes its history
    db.prepare_cached("DELETE FROM memory WHERE id = ?1")?.execute([number])?;
    Ok(Deleted { deleted: true, messages: 0, trash_id: Some(trash_id) })
}

fn last_leaf(db: &Connection, conversation: i64) -> Result<Option<(i64, Message)>> {
    let mut statement = db.prepare_cached(LAST_LEAF)?;
    let mut found = statement.query([conversation])?;
    found.next()?.map(|row| Ok((row.get(rows::MESSAGE_NUMBER)?, rows::message(row)?))).transpose()
}

/// Notes that a conversation lost that many of its messages; if it is there no longer, that is fine.
pub(super) fn shrink(db: &Connection, conversation: i64, messages: i64) -> Result<()> {
    db.prepare_cached(
        "UPDATE conversation SET message_count = message_count - ?2, head_message_id =
           (SELECT id FROM message WHERE conversation_id = ?1 ORDER BY seq DESC LIMIT 1) WHERE id = ?1",
    )?
    .execute([conversation, messages])?;
    Ok(())
}

/// Removes one message: its answers move up to its parent, and so does a head that it was.
pub(super) fn remove_message(db: &Connection, number: i64) -> Result<()> {
    let (conversation, parent): (i64, Option<i64>) = db
        .prepare_cached("SELECT conversation_id, parent_id FROM message WHERE id = ?1")?
        .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
    db.prepare_cached(REPARENT)?.execute(params![number, parent])?;
    db.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([number])?;
    db.prepare_cached(
        "UPDATE conversation SET message_count = message_count - 1, updated_at = ?2,
           head_message_id = CASE WHEN head_message_id IS NOT ?3 THEN head_message_id ELSE coalesce(?4,
             (SELECT id FROM message WHERE conversation_id = ?1 ORDER BY seq DESC LIMIT 1)) END
         WHERE id = ?1",
    )?
    .execute(params![conversation, Timestamp::now().as_millis(), number, parent])?;
    Ok(())
}

pub(super) fn remove_entry(db: &Connection, number: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM trash WHERE id = ?1")?.execute([number])?;
    Ok(())
}
