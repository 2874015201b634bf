//! A file of notes as a conversation: its sections are messages, and when the file changes they change with it.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::rows::to_json;
use super::watches::{self, WatchedFile};
use super::{NewConversation, Store, append, chunks, conversations, names};
use crate::error::Result;
use crate::model::{ChunkRange, ClientRef, ConversationId, Message, MessageId};

/// A file as it is to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// The number of the folder that it is in.
    pub watch: i64,
    /// The file, as it was when it was read.
    pub file: WatchedFile,
    /// The conversation, which is made if it is new.
    pub conversation: NewConversation,
    /// Who is named as the tool that wrote it; messages of others stay as they are.
    pub client: ClientRef,
    /// Its sections in order, each answering the one before.
    pub sections: Vec<Section>,
}

/// A message and the parts of its text that are embedded.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The message; its id tells its place and its text, its parent and its place in the conversation are found here.
    pub message: Message,
    /// The parts of its text that are embedded.
    pub chunks: Vec<ChunkRange>,
}

/// What became of a [`Note`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted {
    /// Whether the conversation is new.
    pub created: bool,
    /// Messages that were stored.
    pub added: Vec<MessageId>,
    /// How many were taken away.
    pub deleted: u64,
}

/// Messages that one transaction takes away or adds: some tens of milliseconds.
const STEP: usize = 200;

impl Store {
    /// Stores the file in the place of what was stored of it. Sections at its beginning that are the same stay; those
    /// behind the first that is not are replaced, so that the order of the messages is that of the file. A long file
    /// takes several transactions; only the last of them notes that it was read.
    pub async fn capture_note(&self, note: Note) -> Result<Noted> {
        for section in &note.sections {
            chunks::check(&section.message.content, &section.chunks)?;
        }
        let note = Arc::new(note);
        let mut noted = Noted::default();
        loop {
            let step = Arc::clone(&note);
            let (done, is_whole) = self.write(move |db| capture_step(db, &step)).await?;
            noted.created |= done.created;
            noted.added.extend(done.added);
            noted.deleted += done.deleted;
            if is_whole {
                return Ok(noted);
            }
        }
    }
}

/// One step, and whether it was the last.
fn capture_step(db: &Connection, note: &Note) -> Result<(Noted, bool)> {
    let Note { watch, file, conversation: new, client, sections } = note;
    let mut noted = Noted::default();
    if !watches::is_watched(db, *watch)? {
        // it was removed since the file was read
        return Ok((noted, true));
    }
    let conversation = match conversations::number(db, new.id)? {
        Some(number) => number,
        None => {
            noted.created = true;
            conversations::insert(db, new, Some(client))?
        }
    };
    let stored = stored(db, conversation, &client.name)?;
    let n_same = stored.iter().zip(sections).take_while(|((_, id), one)| *id == one.message.id).count();
    let (gone, is_rest) = match &stored[n_same..] {
        gone if gone.len() > STEP => (&gone[gone.len() - STEP..], true),
        gone => (gone, false),
    };
    for (number, _) in gone.iter().rev() {
        delete(db, *number)?;
    }
    noted.deleted = gone.len() as u64;
    let mut last = stored.get(..n_same).and_then(<[_]>::last).map(|(number, _)| *number);
    let mut seq: i64 = db
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM message WHERE conversation_id = ?1")?
        .query_row([conversation], |row| row.get(0))?;
    let fresh = if is_rest { &[][..] } else { &sections[n_same..] };
    let client_number = names::client(db, Some(client))?;
    for section in fresh.iter().take(STEP) {
        seq += 1;
        let message = Message { seq: seq.unsigned_abs(), ..section.message.clone() };
        last = Some(append::insert(db, conversation, last, client_number, &message, &section.chunks)?);
        noted.added.push(message.id);
    }
    let is_whole = !is_rest && fresh.len() <= STEP;
    settle(db, conversation, note, last)?;
    if is_whole {
        watches::set(db, *watch, file)?;
    }
    Ok((noted, is_whole))
}

/// The messages that the file gave the last time, in its order.
fn stored(db: &Connection, conversation: i64, client: &str) -> Result<Vec<(i64, MessageId)>> {
    let mut statement = db.prepare_cached(
        "SELECT id, uid FROM message WHERE conversation_id = ?1
           AND client_id IN (SELECT id FROM client WHERE name = ?2) ORDER BY seq",
    )?;
    let found = statement.query_map(params![conversation, client], |row| {
        Ok((row.get(0)?, MessageId::from_bytes(row.get(1)?)))
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Takes a message away; what somebody wrote in answer to it answers what it answered.
fn delete(db: &Connection, number: i64) -> Result<()> {
    db.prepare_cached(
        "UPDATE message SET parent_id = (SELECT parent_id FROM message WHERE id = ?1) WHERE parent_id = ?1",
    )?
    .execute([number])?;
    db.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([number])?;
    Ok(())
}

/// Brings the conversation up to date with its messages. A head that somebody put elsewhere stays, as does whatever else
/// a person said about it.
fn settle(db: &Connection, conversation: i64, note: &Note, last: Option<i64>) -> Result<()> {
    let head: Option<i64> = db
        .prepare_cached(
            "SELECT m.id FROM conversation c JOIN message m ON m.id = c.head_message_id
             WHERE c.id = ?1 AND m.client_id IS NOT (SELECT id FROM client WHERE name = ?2 AND version = ?3)",
        )?
        .query_map(params![conversation, note.client.name, note.client.version], |row| row.get(0))?
        .next()
        .transpose()?;
    db.prepare_cached(
        "UPDATE conversation SET updated_at = ?2, head_message_id = ?3,
           (message_count, next_seq) =
             (SELECT count(*), coalesce(max(seq), 0) + 1 FROM message WHERE conversation_id = ?1)
         WHERE id = ?1",
    )?
    .execute(params![conversation, note.conversation.created_at.as_millis(), head.or(last)])?;
    Ok(())
}

impl Store {
    /// Gives a conversation that was made of a file another title, and says where the file is now.
    pub async fn rename_note(
        &self,
        id: ConversationId,
        title: String,
        metadata: crate::model::Metadata,
    ) -> Result<()> {
        self.write(move |db| {
            let metadata = to_json(Some(&metadata))?;
            db.prepare_cached("UPDATE conversation SET title = ?2, metadata = ?3 WHERE uid = ?1")?
                .execute(params![id.as_bytes(), title, metadata])?;
            Ok(())
        })
        .await
    }

    /// Gives a conversation a better title, unless somebody gave it one that is not among the `former`.
    pub async fn retitle(&self, id: ConversationId, title: String, former: Vec<String>) -> Result<bool> {
        self.write(move |db| {
            let known: Option<String> = db
                .prepare_cached("SELECT title FROM conversation WHERE uid = ?1")?
                .query_map([id.as_bytes()], |row| row.get(0))?
                .next()
                .transpose()?
                .flatten();
            if !known.is_some_and(|known| known != title && former.contains(&known)) {
                return Ok(false);
            }
            db.prepare_cached("UPDATE conversation SET title = ?2 WHERE uid = ?1")?
                .execute(params![id.as_bytes(), title])?;
            Ok(true)
        })
        .await
    }

    /// Whether a conversation is stored.
    pub async fn has_conversation(&self, id: ConversationId) -> Result<bool> {
        let known = self.known(super::Ids { conversations: vec![id], ..Default::default() }).await?;
        Ok(known.conversations.contains_key(&id))
    }
}
