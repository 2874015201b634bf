//! Everything that a hit of a search shows: the whole text, where it stands, and its neighbours.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::fault::shorten;
use super::names::client_of;
use super::readers::READ_DEADLINE;
use super::rows::{role, time};
use super::{Item, Store};
use crate::api::search::Neighbour;
use crate::error::Result;
use crate::model::{ClientRef, ConversationId, MessageId, Role, SourceKind, Timestamp};

/// What is shown of a neighbour's text, in bytes.
const NEIGHBOUR_BYTES: usize = 2_000;

/// A message or memory as a search shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemText {
    /// Which one.
    pub item: Item,
    /// Whether it is a message or a memory.
    pub kind: SourceKind,
    /// Its id.
    pub id: Uuid,
    /// The conversation of a message.
    pub conversation_id: Option<ConversationId>,
    /// That conversation's title.
    pub conversation_title: Option<String>,
    /// The project it belongs to.
    pub project: Option<String>,
    /// A message's place in its conversation.
    pub seq: Option<u64>,
    /// Who said it.
    pub role: Option<Role>,
    /// The display name of who said it.
    pub author: Option<String>,
    /// When it was said.
    pub created_at: Timestamp,
    /// The tool it came from.
    pub client: Option<ClientRef>,
    /// The whole text.
    pub content: String,
    /// Messages before it in the conversation, oldest first, their texts cut where they are long.
    pub before: Vec<Neighbour>,
    /// Messages after it.
    pub after: Vec<Neighbour>,
}

impl Store {
    /// The texts of items in the order asked, each with at most `context` neighbours on either side; what is gone
    /// is left out, and so are memories that no longer hold.
    pub async fn passages(&self, items: Vec<Item>, context: u32) -> Result<Vec<ItemText>> {
        self.read(READ_DEADLINE, move |db| {
            let mut passages = Vec::with_capacity(items.len());
            for item in items {
                passages.extend(match item {
                    Item::Message(number) => message(db, number, context)?,
                    Item::Memory(number) => memory(db, number)?,
                });
            }
            Ok(passages)
        })
        .await
    }
}

fn message(db: &Connection, number: i64, context: u32) -> Result<Option<ItemText>> {
    let mut statement = db.prepare_cached(
        "SELECT m.uid, c.uid, c.title, p.name, m.seq, m.role, m.author, m.created_at, k.name, k.version,
           m.content, c.id
         FROM message m JOIN conversation c ON c.id = m.conversation_id
           LEFT JOIN project p ON p.id = c.project_id LEFT JOIN client k ON k.id = m.client_id
         WHERE m.id = ?1",
    )?;
    let mut found = statement.query([number])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let (conversation, seq): (i64, i64) = (row.get(11)?, row.get(4)?);
    let mut before = neighbours(db, BEFORE, conversation, seq, context)?;
    before.reverse();
    Ok(Some(ItemText {
        item: Item::Message(number),
        kind: SourceKind::Message,
        id: Uuid::from_bytes(row.get(0)?),
        conversation_id: Some(ConversationId::from_bytes(row.get(1)?)),
        conversation_title: row.get(2)?,
        project: row.get(3)?,
        seq: Some(seq.unsigned_abs()),
        role: Some(role(row.get(5)?)?),
        author: row.get(6)?,
        created_at: time(row, 7)?,
        client: client_of(row, 8)?,
        content: row.get(10)?,
        before,
        after: neighbours(db, AFTER, conversation, seq, context)?,
    }))
}

fn memory(db: &Connection, number: i64) -> Result<Option<ItemText>> {
    let mut statement = db.prepare_cached(
        "SELECT m.uid, p.name, m.created_at, k.name, k.version, m.content
         FROM memory m LEFT JOIN project p ON p.id = m.project_id LEFT JOIN client k ON k.id = m.client_id
         WHERE m.id = ?1 AND m.superseded_by IS NULL AND (m.expires_at IS NULL OR m.expires_at > ?2)",
    )?;
    let mut found = statement.query([number, Timestamp::now().as_millis()])?;
    let Some(row) = found.next()? else { return Ok(None) };
    Ok(Some(ItemText {
        item: Item::Memory(number),
        kind: SourceKind::Memory,
        id: Uuid::from_bytes(row.get(0)?),
        conversation_id: None,
        conversation_title: None,
        project: row.get(1)?,
        seq: None,
        role: None,
        author: None,
        created_at: time(row, 2)?,
        client: client_of(row, 3)?,
        content: row.get(5)?,
        before: Vec::new(),
        after: Vec::new(),
    }))
}

pub(super) const BEFORE: &str = "SELECT uid, role, created_at, content FROM message
   WHERE conversation_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3";
pub(super) const AFTER: &str = "SELECT uid, role, created_at, content FROM message
   WHERE conversation_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";

fn neighbours(db: &Connection, sql: &str, conversation: i64, seq: i64, n: u32) -> Result<Vec<Neighbour>> {
    let mut neighbours = Vec::new();
    if n == 0 {
        return Ok(neighbours);
    }
    let mut statement = db.prepare_cached(sql)?;
    let mut found = statement.query(params![conversation, seq, n])?;
    while let Some(row) = found.next()? {
        neighbours.push(Neighbour {
            id: MessageId::from_bytes(row.get(0)?),
            role: role(row.get(1)?)?,
            created_at: time(row, 2)?,
            text: row
                .get_ref(3)?
                .as_str()
                .map(|text| shorten(text, NEIGHBOUR_BYTES).to_owned())
                .unwrap_or_default(),
        });
    }
    Ok(neighbours)
}
