//! Everything in again: records as an export or another tool gave them, with their ids, times and provenance.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{count, to_json, uid};
use super::{Store, append, chunks, conversations, memories, names, organise};
use crate::api::system::Counts;
use crate::error::Result;
use crate::model::ChunkRange;
use crate::model::{Conversation, Memory, Message, MessageId};

/// Records to store as they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RestoreBatch {
    /// Conversations, before the messages that belong to them.
    pub conversations: Vec<Conversation>,
    /// Messages, in any order. Their conversations and parents are in this batch or stored already.
    pub messages: Vec<RestoreMessage>,
    /// Memories.
    pub memories: Vec<RestoreMemory>,
}

/// A message to store as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoreMessage {
    /// The message. Its place is kept where it is free, else it goes behind the last.
    pub message: Message,
    /// The parts of its text that are embedded.
    pub chunks: Vec<ChunkRange>,
}

/// A memory to store as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoreMemory {
    /// The memory.
    pub memory: Memory,
    /// The parts of its text that are embedded.
    pub chunks: Vec<ChunkRange>,
}

/// What a [`RestoreBatch`] did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Restored {
    /// What was stored.
    pub added: Counts,
    /// What was there already and was left as it was.
    pub existing: Counts,
    /// What was left out.
    pub refused: Vec<RefusedRecord>,
}

/// A record that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRecord {
    /// Which list of the batch it stands in.
    pub kind: RecordKind,
    /// Its place there, from 0.
    pub index: usize,
    /// Why.
    pub reason: String,
}

/// A list of a [`RestoreBatch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum RecordKind {
    Conversation,
    Message,
    Memory,
}

/// Records of one transaction at most: some tens of milliseconds, between which other writes get their turn.
const STEP_RECORDS: usize = 200;
/// Bytes of text of one transaction, about.
const STEP_BYTES: usize = 256 << 10;

/// A record and its place in its list of the batch.
enum Record {
    Conversation(Conversation),
    Message(usize, RestoreMessage),
    Memory(usize, RestoreMemory),
}

impl Store {
    /// Stores records as they are, in steps of one transaction each. What has an id that is stored already is left
    /// as it was and counted, so that a batch that was broken off goes on when it is given again; what has no
    /// conversation or parent to belong to is refused with the reason.
    pub async fn restore(&self, batch: RestoreBatch) -> Result<Restored> {
        let RestoreBatch { conversations, messages, memories } = batch;
        if conversations.iter().any(|conversation| conversation.private) {
            self.expect_private();
        }
        let mut restored = Restored::default();
        let messages = in_order(messages, &mut restored);
        let mut records = conversations
            .into_iter()
            .map(Record::Conversation)
            .chain(messages.into_iter().map(|(index, one)| Record::Message(index, one)))
            .chain(memories.into_iter().enumerate().map(|(index, one)| Record::Memory(index, one)))
            .peekable();
        while records.peek().is_some() {
            let step = next_step(&mut records);
            let done = self.write(move |db| restore_step(db, step)).await.map_err(|error| {
                let Counts { conversations, messages, memories, chunks: _ } = restored.added;
                error.while_doing(format_args!(
                    "store records ({conversations} conversations, {messages} messages and {memories} memories of them are in)"
                ))
            })?;
            restored.added += done.added;
            restored.existing += done.existing;
            restored.refused.extend(done.refused);
        }
        restored.refused.sort_by_key(|refused| refused.index);
        Ok(restored)
    }
}

impl Restored {
    fn refuse(&mut self, kind: RecordKind, index: usize, reason: String) {
        self.refused.push(RefusedRecord { kind, index, reason });
    }
}

/// The next records, one at least and no more than a transaction takes.
fn next_step(records: &mut impl Iterator<Item = Record>) -> Vec<Record> {
    let mut step = Vec::new();
    let mut bytes = 0;
    for record in records {
        bytes += match &record {
            Record::Conversation(_) => 0,
            Record::Message(_, one) => one.message.content.len(),
            Record::Memory(_, one) => one.memory.content.len(),
        };
        step.push(record);
        if step.len() >= STEP_RECORDS || bytes >= STEP_BYTES {
            break;
        }
    }
    step
}

fn restore_step(db: &Connection, step: Vec<Record>) -> Result<Restored> {
    let mut restored = Restored::default();
    for record in step {
        match record {
            Record::Conversation(one) => restore_conversation(db, &one, &mut restored)?,
            Record::Message(index, one) => restore_message(db, index, one, &mut restored)?,
            Record::Memory(index, one) => restore_memory(db, index, &one, &mut restored)?,
        }
    }
    Ok(restored)
}

/// Its head is noted and taken by the message of that id, which may come in a later batch.
fn restore_conversation(db: &Connection, conversation: &Conversation, restored: &mut Restored) -> Result<()> {
    if let Some(number) = conversations::number(db, conversation.id)? {
        restored.existing.conversations += 1;
        return follow(db, number, conversation);
    }
    db.prepare_cached(
        "INSERT INTO conversation(uid, project_id, client_id, title, model, wanted_head, created_at, updated_at,
           metadata, folder_id, pinned, archived, private, copied_conversation, copied_message)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        conversation.id.as_bytes(),
        names::project(db, conversation.project.as_deref())?,
        names::client(db, conversation.client.as_ref())?,
        conversation.title,
        conversation.model,
        wanted_head(conversation),
        conversation.created_at.as_millis(),
        conversation.updated_at.as_millis(),
        to_json(conversation.metadata.as_ref())?,
        organise::folder(db, conversation.folder.as_deref())?,
        conversation.pinned,
        conversation.archived,
        conversation.private,
        conversation.copied_from.as_ref().map(|from| from.conversation_id.as_bytes()),
        conversation.copied_from.as_ref().and_then(|from| from.message_id.as_ref()).map(|id| id.as_bytes())
    ])?;
    organise::add_tags(db, db.last_insert_rowid(), &conversation.tags)?;
    restored.added.conversations += 1;
    Ok(())
}

/// A conversation that went on in the tool that it was imported from goes on here too: its head moves, unless it was
/// moved here since, or what comes is older than what is stored.
fn follow(db: &Connection, number: i64, conversation: &Conversation) -> Result<()> {
    let Some(head) = conversation.head_message_id else { return Ok(()) };
    db.prepare_cached(
        "UPDATE conversation SET wanted_head = ?2, updated_at = ?3, title = coalesce(title, ?4),
           head_message_id = coalesce(
             (SELECT id FROM message WHERE uid = ?2 AND conversation_id = ?1), head_message_id)
         WHERE id = ?1 AND updated_at <= ?3 AND wanted_head <> ?2
           AND wanted_head = (SELECT uid FROM message WHERE id = head_message_id)",
    )?
    .execute(params![
        number,
        head.as_bytes(),
        conversation.updated_at.as_millis(),
        conversation.title
    ])?;
    Ok(())
}

/// The head that a message of a later batch takes; the empty one where messages come and none of them is it.
fn wanted_head(conversation: &Conversation) -> Option<&[u8]> {
    match &conversation.head_message_id {
        Some(id) => Some(id.as_bytes()),
        None => (conversation.message_count > 0).then_some(&[]),
    }
}

/// The messages with their places in the batch, parents before their children; otherwise the places in their
/// conversations decide.
fn in_order(messages: Vec<RestoreMessage>, restored: &mut Restored) -> Vec<(usize, RestoreMessage)> {
    let coming: HashSet<MessageId> = messages.iter().map(|one| one.message.id).collect();
    let mut ordered = Vec::with_capacity(messages.len());
    // the smallest place first among those whose parents are in
    let mut ready: BTreeMap<(u64, usize), RestoreMessage> = BTreeMap::new();
    let mut children: HashMap<MessageId, Vec<(usize, RestoreMessage)>> = HashMap::new();
    for (index, one) in messages.into_iter().enumerate() {
        match one.message.parent_id {
            Some(parent) if coming.contains(&parent) && parent != one.message.id => {
                children.entry(parent).or_default().push((index, one));
            }
            _ => drop(ready.insert((one.message.seq, index), one)),
        }
    }
    while let Some(((_, index), one)) = ready.pop_first() {
        for (index, child) in children.remove(&one.message.id).unwrap_or_default() {
            ready.insert((child.message.seq, index), child);
        }
        ordered.push((index, one));
    }
    for (index, one) in children.into_values().flatten() {
        let id = one.message.id;
        restored.refuse(RecordKind::Message, index, format!("the message {id} is among its own ancestors"));
    }
    ordered
}

struct Place {
    conversation: i64,
    head: Option<i64>,
    wanted_head: Option<Vec<u8>>,
    head_uid: Option<Vec<u8>>,
    next_seq: u64,
}

fn place(db: &Connection, message: &Message) -> Result<Option<Place>> {
    let place = db
        .prepare_cached(
            "SELECT c.id, c.head_message_id, c.wanted_head, h.uid, c.next_seq
             FROM conversation c LEFT JOIN message h ON h.id = c.head_message_id WHERE c.uid = ?1",
        )?
        .query_row([uid(message.conversation_id.as_bytes())], |row| {
            Ok(Place {
                conversation: row.get(0)?,
                head: row.get(1)?,
                wanted_head: row.get(2)?,
                head_uid: row.get(3)?,
                next_seq: count(row, 4)?,
            })
        })
        .optional()?;
    Ok(place)
}

/// Stores a message as it is.
pub(super) fn restore_message(
    db: &Connection,
    index: usize,
    one: RestoreMessage,
    restored: &mut Restored,
) -> Result<()> {
    let RestoreMessage { mut message, chunks } = one;
    if append::find(db, message.id)?.is_some() {
        restored.existing.messages += 1;
        return Ok(());
    }
    let Some(place) = place(db, &message)? else {
        let id = message.conversation_id;
        restored.refuse(RecordKind::Message, index, format!("its conversation {id} does not exist"));
        return Ok(());
    };
    let mut parent = None;
    if let Some(id) = message.parent_id {
        parent = append::number_in(db, place.conversation, id)?;
        if parent.is_none() {
            restored.refuse(
                RecordKind::Message,
                index,
                format!("its parent {id} does not exist in its conversation"),
            );
            return Ok(());
        }
    }
    if let Err(error) = chunks::check(&message.content, &chunks) {
        restored.refuse(RecordKind::Message, index, error.to_string());
        return Ok(());
    }
    if message.seq < place.next_seq && (message.seq == 0 || taken(db, place.conversation, message.seq)?) {
        message.seq = place.next_seq;
    }
    // a place beyond all bounds would leave none behind it
    message.seq = message.seq.min(place.next_seq.saturating_add(MAX_GAP));
    let client = names::client(db, message.client.as_ref())?;
    let number = append::insert(db, place.conversation, parent, client, &message, &chunks)?;
    let wanted_head = place.wanted_head.as_deref();
    let wanted = wanted_head == Some(&message.id.as_bytes()[..]);
    let none_wanted = wanted_head.is_some_and(<[u8]>::is_empty);
    let settled = none_wanted || (wanted_head.is_some() && place.wanted_head == place.head_uid);
    // until the head that the export names is in, the head follows the branch that it is on
    let follows = place.head.is_none() || place.head == parent;
    let head = if wanted || (follows && !settled) { Some(number) } else { place.head };
    db.prepare_cached(
        "UPDATE conversation SET next_seq = max(next_seq, ?2), head_message_id = ?3,
           message_count = message_count + 1 WHERE id = ?1",
    )?
    .execute(params![place.conversation, message.seq as i64 + 1, head])?;
    restored.added.messages += 1;
    restored.added.chunks += if message.is_searchable() { chunks.len() as u64 } else { 0 };
    Ok(())
}

/// How far a restored place may lie behind the last: exports have small gaps where messages were deleted.
const MAX_GAP: u64 = 1 << 16;

fn taken(db: &Connection, conversation: i64, seq: u64) -> Result<bool> {
    let sql = "SELECT 1 FROM message WHERE conversation_id = ?1 AND seq = ?2";
    Ok(db.prepare_cached(sql)?.exists(params![conversation, seq as i64])?)
}

fn restore_memory(db: &Connection, index: usize, one: &RestoreMemory, restored: &mut Restored) -> Result<()> {
    let RestoreMemory { memory, chunks } = one;
    if memories::number(db, memory.id)?.is_some() {
        restored.existing.memories += 1;
    } else if let Err(error) = chunks::check(&memory.content, chunks) {
        restored.refuse(RecordKind::Memory, index, error.to_string());
    } else {
        memories::insert(db, memory, chunks)?;
        restored.added.memories += 1;
        restored.added.chunks += chunks.len() as u64;
    }
    Ok(())
}
