//! Appending messages: the messages, their chunks, their jobs and their words in one transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::records::{Append, Appended, NewMessage};
use super::rows::{self, MESSAGE_NUMBER, role_number, select_message, status_number, to_json, uid};
use super::{Item, Store, address, chunks, conversations, names};
use crate::api::Patch;
use crate::error::{Error, Kind, Result};
use crate::model::{ChunkRange, ConversationId, Message, MessageId, Timestamp};
use crate::secrets;

impl Store {
    /// Appends messages to a conversation and moves its head to the last of them. Messages that are there already
    /// stay as they are and are answered as stored. Errors: no such conversation or parent; an id that another
    /// conversation uses, or that has other text.
    pub async fn append(&self, append: Append) -> Result<Appended> {
        for message in &append.messages {
            chunks::check(&message.content, &message.chunks)?;
        }
        if append.create.as_ref().is_some_and(|new| new.private) {
            self.expect_private();
        }
        self.write(move |db| run(db, append)).await
    }
}

/// Where the next message goes.
pub(super) struct Tail {
    pub(super) number: i64,
    pub(super) next_seq: i64,
    pub(super) head: Option<(i64, MessageId)>,
}

/// The append itself, inside the caller's transaction.
pub(super) fn run(db: &Connection, append: Append) -> Result<Appended> {
    let Append { conversation, create, messages, client } = append;
    let mut tail = match (tail(db, conversation)?, create) {
        (Some(tail), _) => tail,
        (None, Some(new)) => {
            let number = conversations::insert(db, &new, client.as_ref())?;
            Tail { number, next_seq: 1, head: None }
        }
        (None, None) => return Err(Error::not_found(format_args!("conversation {conversation}"))),
    };
    let client_number = names::client(db, client.as_ref())?;
    let mut appended =
        Appended { messages: Vec::with_capacity(messages.len()), fresh: Vec::with_capacity(messages.len()) };
    let mut previous = tail.head;
    let mut n_fresh = 0;
    let mut model = None;
    for new in messages {
        if let Some((number, stored)) = find(db, new.id)? {
            check_same(&stored, conversation, &new)?;
            previous = Some((number, stored.id));
            appended.messages.push(stored);
            appended.fresh.push(false);
            continue;
        }
        let parent = match new.parent {
            Patch::Keep => previous,
            Patch::Clear => None,
            Patch::Set(parent) => Some((parent_number(db, tail.number, parent)?, parent)),
        };
        let mut message = Message {
            id: new.id,
            conversation_id: conversation,
            parent_id: parent.map(|(_, id)| id),
            seq: tail.next_seq as u64,
            role: new.role,
            author: new.author,
            content: new.content,
            model: new.model,
            client: client.clone(),
            status: new.status,
            sources: new.sources,
            usage: new.usage,
            searchable: true,
            created_at: new.created_at,
            edited_at: None,
            metadata: new.metadata,
        };
        // as it will be read back
        message.searchable = message.is_searchable();
        let parent = parent.map(|(number, _)| number);
        let number = insert(db, tail.number, parent, client_number, &message, &new.chunks)?;
        tail.next_seq += 1;
        n_fresh += 1;
        previous = Some((number, message.id));
        tail.head = previous;
        model = message.model.clone().or(model);
        appended.messages.push(message);
        appended.fresh.push(true);
    }
    if n_fresh > 0 {
        db.prepare_cached(
            "UPDATE conversation SET next_seq = ?2, head_message_id = ?3, message_count = message_count + ?4,
               updated_at = ?5, model = coalesce(?6, model) WHERE id = ?1",
        )?
        .execute(params![
            tail.number,
            tail.next_seq,
            tail.head.map(|(number, _)| number),
            n_fresh,
            Timestamp::now().as_millis(),
            model
        ])?;
    }
    Ok(appended)
}

pub(super) fn tail(db: &Connection, id: ConversationId) -> Result<Option<Tail>> {
    let tail = db
        .prepare_cached(
            "SELECT c.id, c.next_seq, h.id, h.uid FROM conversation c
             LEFT JOIN message h ON h.id = c.head_message_id WHERE c.uid = ?1",
        )?
        .query_row([uid(id.as_bytes())], |row| {
            let head: Option<i64> = row.get(2)?;
            let head = match head {
                Some(number) => Some((number, MessageId::from_bytes(row.get(3)?))),
                None => None,
            };
            Ok(Tail { number: row.get(0)?, next_seq: row.get(1)?, head })
        })
        .optional()?;
    Ok(tail)
}

/// Stores one message as it stands, with its words and its chunks.
pub(super) fn insert(
    db: &Connection,
    conversation: i64,
    parent: Option<i64>,
    client: Option<i64>,
    message: &Message,
    chunks: &[ChunkRange],
) -> Result<i64> {
    if message.seq as i64 > address::MAX_SEQ {
        let full = format!("the conversation has {} places, and none is left", address::MAX_SEQ);
        return Err(Error::new(Kind::TooLarge, full).hint("begin another conversation"));
    }
    let sources = (!message.sources.is_empty()).then_some(&message.sources);
    db.prepare_cached(
        "INSERT INTO message(uid, conversation_id, seq, parent_id, client_id, role, status, created_at, edited_at,
           author, model, sources, usage, metadata, searchable, content)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        message.id.as_bytes(),
        conversation,
        message.seq as i64,
        parent,
        client,
        role_number(message.role),
        message.status.map(status_number),
        message.created_at.as_millis(),
        message.edited_at.map(Timestamp::as_millis),
        message.author,
        message.model,
        to_json(sources)?,
        to_json(message.usage.as_ref())?,
        to_json(message.metadata.as_ref())?,
        message.is_searchable(),
        message.content
    ])?;
    let number = db.last_insert_rowid();
    if message.is_searchable() {
        chunks::insert(db, Item::Message(number), chunks)?;
    }
    Ok(number)
}

/// The message of this id and its number.
pub(super) fn find(db: &Connection, id: MessageId) -> Result<Option<(i64, Message)>> {
    let mut statement = db.prepare_cached(select_message!("WHERE m.uid = ?1"))?;
    let mut found = statement.query([uid(id.as_bytes())])?;
    found.next()?.map(|row| Ok((row.get(MESSAGE_NUMBER)?, rows::message(row)?))).transpose()
}

/// A retry names the same conversation, role and text. A text that was changed since cannot be compared.
fn check_same(stored: &Message, conversation: ConversationId, new: &NewMessage) -> Result<()> {
    let id = stored.id;
    let problem = if stored.conversation_id != conversation {
        format!("the message {id} belongs to another conversation")
    } else if stored.role != new.role
        || (stored.edited_at.is_none()
            && stored.status.is_none()
            && !secrets::is_same(&stored.content, &new.content))
    {
        format!("the message {id} is stored with another text or role")
    } else {
        return Ok(());
    };
    Err(Error::new(Kind::Conflict, problem).hint("use a new id, or message.update to change what is stored"))
}

fn parent_number(db: &Connection, conversation: i64, parent: MessageId) -> Result<i64> {
    number_in(db, conversation, parent)?.ok_or_else(|| {
        Error::not_found(format_args!("the parent message {parent}"))
            .hint("append the parent first; it must be of the same conversation")
    })
}

/// The number of a message of this conversation.
pub(super) fn number_in(db: &Connection, conversation: i64, id: MessageId) -> Result<Option<i64>> {
    let number = db
        .prepare_cached("SELECT id FROM message WHERE uid = ?1 AND conversation_id = ?2")?
        .query_row(params![id.as_bytes(), conversation], |row| row.get(0))
        .optional()?;
    Ok(number)
}
