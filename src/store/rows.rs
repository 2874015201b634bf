//! Records as rows: the columns in their order, and back.

use rusqlite::Row;
use rusqlite::types::{ToSqlOutput, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::damaged;
use super::names::client_of;
use crate::error::{Error, Result};
use crate::model::{
    AnswerStatus, Conversation, ConversationId, CopiedFrom, Memory, MemoryId, Message, MessageId, Role,
    Timestamp,
};

/// `SELECT` of what [`conversation`] reads, from `conversation c`; further columns come behind.
macro_rules! select_conversation {
    ($rest:literal) => {
        concat!(
            "SELECT c.uid, c.title, p.name, c.model, k.name, k.version, h.uid, c.message_count, c.created_at,
               c.updated_at, c.metadata, c.id, f.path, c.pinned, c.archived, c.private, c.copied_conversation,
               c.copied_message, (SELECT json_group_array(t.name) FROM conversation_tag ct
                 JOIN tag t ON t.id = ct.tag_id WHERE ct.conversation_id = c.id)
             FROM conversation c LEFT JOIN project p ON p.id = c.project_id
               LEFT JOIN client k ON k.id = c.client_id LEFT JOIN message h ON h.id = c.head_message_id
               LEFT JOIN folder f ON f.id = c.folder_id ",
            $rest
        )
    };
}
/// `SELECT` of what [`message`] reads, from `message m`.
macro_rules! select_message {
    ($rest:literal) => {
        concat!(
            "SELECT m.uid, c.uid, p.uid, m.seq, m.role, m.author, m.content, m.model, k.name, k.version,
               m.status, m.sources, m.usage, m.created_at, m.edited_at, m.metadata, m.id, m.searchable
             FROM message m JOIN conversation c ON c.id = m.conversation_id
               LEFT JOIN message p ON p.id = m.parent_id LEFT JOIN client k ON k.id = m.client_id ",
            $rest
        )
    };
}
/// `SELECT` of what [`memory`] reads, from `memory m`.
macro_rules! select_memory {
    ($rest:literal) => {
        concat!(
            "SELECT m.uid, m.kind, m.content, p.name, k.name, k.version, m.source_message, m.created_at,
               m.updated_at, m.expires_at, m.superseded_by, m.metadata, m.id, m.path, m.pinned
             FROM memory m LEFT JOIN project p ON p.id = m.project_id
               LEFT JOIN client k ON k.id = m.client_id ",
            $rest
        )
    };
}
pub(super) use {select_conversation, select_memory, select_message};

/// The column behind a conversation's own: its number.
pub(super) const CONVERSATION_NUMBER: usize = 11;
/// The column behind a message's own: its number.
pub(super) const MESSAGE_NUMBER: usize = 16;
/// The column behind a memory's own: its number.
pub(super) const MEMORY_NUMBER: usize = 12;

pub(super) fn conversation(row: &Row<'_>) -> Result<Conversation> {
    let mut tags: Vec<String> = json(row, 18)?.unwrap_or_default();
    tags.sort_by_key(|tag| tag.to_lowercase());
    let copied_message = row.get::<_, Option<_>>(17)?.map(MessageId::from_bytes);
    let copied_from = row
        .get::<_, Option<_>>(16)?
        .map(|id| CopiedFrom { conversation_id: ConversationId::from_bytes(id), message_id: copied_message });
    Ok(Conversation {
        id: ConversationId::from_bytes(row.get(0)?),
        title: row.get(1)?,
        project: row.get(2)?,
        model: row.get(3)?,
        client: client_of(row, 4)?,
        folder: row.get(12)?,
        tags,
        pinned: row.get(13)?,
        archived: row.get(14)?,
        private: row.get(15)?,
        copied_from,
        head_message_id: row.get::<_, Option<_>>(6)?.map(MessageId::from_bytes),
        message_count: count(row, 7)?,
        created_at: time(row, 8)?,
        updated_at: time(row, 9)?,
        metadata: json(row, 10)?,
    })
}

pub(super) fn message(row: &Row<'_>) -> Result<Message> {
    Ok(Message {
        id: MessageId::from_bytes(row.get(0)?),
        conversation_id: ConversationId::from_bytes(row.get(1)?),
        parent_id: row.get::<_, Option<_>>(2)?.map(MessageId::from_bytes),
        seq: count(row, 3)?,
        role: role(row.get(4)?)?,
        author: row.get(5)?,
        content: row.get(6)?,
        model: row.get(7)?,
        client: client_of(row, 8)?,
        status: row.get::<_, Option<_>>(10)?.map(status).transpose()?,
        sources: json(row, 11)?.unwrap_or_default(),
        usage: json(row, 12)?,
        searchable: row.get(17)?,
        created_at: time(row, 13)?,
        edited_at: optional_time(row, 14)?,
        metadata: json(row, 15)?,
    })
}

pub(super) fn memory(row: &Row<'_>) -> Result<Memory> {
    Ok(Memory {
        id: MemoryId::from_bytes(row.get(0)?),
        kind: row.get(1)?,
        content: row.get(2)?,
        project: row.get(3)?,
        client: client_of(row, 4)?,
        source_message_id: row.get::<_, Option<_>>(6)?.map(MessageId::from_bytes),
        created_at: time(row, 7)?,
        updated_at: time(row, 8)?,
        expires_at: optional_time(row, 9)?,
        superseded_by: row.get::<_, Option<_>>(10)?.map(MemoryId::from_bytes),
        metadata: json(row, 11)?,
        path: row.get(13)?,
        pinned: row.get(14)?,
    })
}

/// A number of things, never negative.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(i64::unsigned_abs)
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

pub(super) fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
}

/// The numbers of roles are their places here; the database keeps them, so they never change.
const ROLES: [Role; 5] = [Role::System, Role::User, Role::Assistant, Role::Tool, Role::Note];
const STATUSES: [AnswerStatus; 3] = [AnswerStatus::Complete, AnswerStatus::Cancelled, AnswerStatus::Failed];

pub(super) fn role(number: i64) -> Result<Role> {
    nth(&ROLES, number).ok_or_else(|| damaged("an unknown role"))
}

pub(super) fn role_number(role: Role) -> i64 {
    place(&ROLES, role)
}

fn status(number: i64) -> Result<AnswerStatus> {
    nth(&STATUSES, number).ok_or_else(|| damaged("an unknown status of an answer"))
}

pub(super) fn status_number(status: AnswerStatus) -> i64 {
    place(&STATUSES, status)
}

fn nth<T: Copy>(all: &[T], number: i64) -> Option<T> {
    usize::try_from(number).ok().and_then(|number| all.get(number).copied())
}

fn place<T: PartialEq>(all: &[T], one: T) -> i64 {
    all.iter()
        .position(|other| *other == one)
        .expect("every variant stands in its table, which a test checks") as i64
}

/// A value as the JSON that is stored; none stays NULL.
pub(super) fn to_json<T: Serialize>(value: Option<&T>) -> Result<Option<String>> {
    value
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| Error::internal(format!("write JSON for the database: {error}")))
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<Option<T>> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(|_| damaged("JSON that is no text"))?;
    text.map(serde_json::from_str).transpose().map_err(|error| damaged("broken JSON").caused_by(error))
}

/// The 16 bytes of an id, as a parameter.
pub(super) fn uid(bytes: &[u8; 16]) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(Value::Blob(bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_roles_and_statuses_come_back() {
        for known in Role::ALL {
            assert_eq!(role(role_number(*known)).unwrap(), *known);
        }
        for known in STATUSES {
            assert_eq!(status(status_number(known)).unwrap(), known);
        }
        assert!(role(-1).is_err() && role(5).is_err() && status(3).is_err());
    }
}
