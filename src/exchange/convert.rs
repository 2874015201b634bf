//! Turns what another tool's history says into records, with ids that are the same each time it is read.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::told::{Said, Told, count};
use super::tree::Tree;
use super::{Readout, Record, json};
use crate::api::data::{ImportFormat, Refused};
use crate::api::limits::MAX_CONTENT_BYTES;
use crate::model::{ClientRef, Conversation, ConversationId, Message, MessageId, Metadata, Timestamp};

/// The member of a conversation's metadata that names the format it was read from.
pub const IMPORTED_FROM: &str = "importedFrom";
/// The member of a conversation's or a message's metadata that keeps its id in the other tool.
pub const SOURCE_ID: &str = "sourceId";

/// The records of a conversation, with `place` before the places of what was refused.
///
/// A message that consists of several parts, or is longer than a message may be, becomes several, one answering the
/// other. A conversation without messages is left out, unless it is of a plain history.
pub(super) fn records(told: Told, place: &str, now: Timestamp) -> Readout {
    let mut readout = Readout::default();
    let mut making = Making {
        id: conversation_id(&told),
        format: told.format,
        // a plain history says nothing about where it comes from
        client: (told.format != ImportFormat::History).then(|| ClientRef {
            name: told.format.name().into(),
            version: json::shortened(told.version.as_deref().unwrap_or_default(), 100),
        }),
        messages: Vec::with_capacity(told.messages.len()),
        used: HashSet::with_capacity(told.messages.len()),
    };
    readout.ignored = told.ignored;
    readout.refused.extend(told.refused.into_iter().map(|refused| placed(place, refused)));

    let mut tree = Tree::new(told.messages, &mut readout);
    let mut ends: HashMap<usize, MessageId> = HashMap::with_capacity(tree.said.len());
    let mut head = None;
    for (at, time) in tree.order(told.created.unwrap_or(now)) {
        let parent = tree.parents[at].and_then(|parent| ends.get(&parent).copied());
        let said = std::mem::replace(&mut tree.said[at], Said::of(Vec::new()));
        let is_aside = said.is_aside;
        let Some(end) = making.message(said, at, parent, time) else { continue };
        ends.insert(at, end);
        head = if is_aside { head } else { Some(end) };
    }
    let Making { id, format, client, messages, .. } = making;
    if messages.is_empty() && format != ImportFormat::History {
        match readout.refused.is_empty() {
            true => count(&mut readout.ignored, "conversation without messages"),
            false => {
                let place = if place.is_empty() { "the file" } else { place };
                readout.refuse(place, "has no message that can be read");
            }
        }
        return readout;
    }
    let named = told.current.and_then(|id| ends.get(&tree.find(&id)?).copied());
    let times = || messages.iter().map(|message| message.created_at);
    let created_at = told.created.or(times().min()).unwrap_or(now);
    let mut metadata = told.metadata;
    if format != ImportFormat::History {
        metadata.insert(IMPORTED_FROM.into(), format.name().into());
        note_id(&mut metadata, told.id.as_deref());
    }
    let conversation = Conversation {
        id,
        title: told.title,
        project: told.project,
        model: told.model.or_else(|| messages.iter().rev().find_map(|message| message.model.clone())),
        client,
        folder: told.folder,
        tags: told.tags,
        pinned: told.pinned,
        archived: told.archived,
        private: false,
        copied_from: None,
        head_message_id: named.or(head).or(messages.last().map(|message| message.id)),
        message_count: messages.len() as u64,
        created_at,
        updated_at: told.updated.or(times().max()).unwrap_or(created_at).max(created_at),
        metadata: json::fitting(metadata),
    };
    readout.records.push(Record::Conversation(conversation));
    readout.records.extend(messages.into_iter().map(Record::Message));
    readout
}

/// The messages of a conversation that are made already.
struct Making {
    id: ConversationId,
    format: ImportFormat,
    client: Option<ClientRef>,
    messages: Vec<Message>,
    used: HashSet<MessageId>,
}

impl Making {
    /// Makes the messages of what was said at this place of the file; the last of them.
    fn message(
        &mut self,
        said: Said,
        at: usize,
        mut parent: Option<MessageId>,
        time: Timestamp,
    ) -> Option<MessageId> {
        let key = key(&said, self.id, at);
        let kept = said.id.as_deref().filter(|_| self.format == ImportFormat::History);
        let kept: Option<MessageId> = kept.and_then(|id| id.parse().ok());
        let main = said.parts.iter().position(|part| !part.is_noise).unwrap_or(0);
        let mut metadata = said.metadata;
        if self.format != ImportFormat::History {
            note_id(&mut metadata, said.id.as_deref());
        }
        let mut number = 0;
        for (which, part) in said.parts.into_iter().enumerate() {
            for (piece, content) in pieces(part.text).into_iter().enumerate() {
                // the id, and what is said about the message, belong to its first words
                let is_main = which == main && piece == 0;
                let derived = |key: &str| MessageId::derived(self.format.name(), key);
                let mut id = match (is_main, kept) {
                    (true, Some(kept)) => kept,
                    (true, None) => derived(&key),
                    (false, _) => derived(&format!("{key}/{number}")),
                };
                if !self.used.insert(id) {
                    // the same id twice in one conversation: only the first can have it
                    let place = format!("{}/{}", self.id, at + 1);
                    id = if is_main { derived(&place) } else { derived(&format!("{place}/{number}")) };
                    self.used.insert(id);
                }
                number += 1;
                self.messages.push(Message {
                    id,
                    conversation_id: self.id,
                    parent_id: parent,
                    seq: self.messages.len() as u64 + 1,
                    role: part.role,
                    author: said.author.clone(),
                    content,
                    model: said.model.clone(),
                    client: self.client.clone(),
                    status: said.status.filter(|_| is_main),
                    sources: Vec::new(),
                    usage: said.usage.filter(|_| is_main),
                    searchable: !part.is_noise,
                    created_at: time,
                    edited_at: None,
                    metadata: if is_main { json::fitting(std::mem::take(&mut metadata)) } else { None },
                });
                parent = Some(id);
            }
        }
        if number > 0 { parent } else { None }
    }
}

fn note_id(metadata: &mut Metadata, id: Option<&str>) {
    if let Some(id) = id {
        metadata.insert(SOURCE_ID.into(), json::shortened(id, 1024).into());
    }
}

/// "message 2" of "conversation 3" is "conversation 3, message 2"; a line of a file stands alone.
fn placed(place: &str, refused: Refused) -> Refused {
    match place.is_empty() || refused.place.starts_with("line ") {
        true => refused,
        false => Refused { place: format!("{place}, {}", refused.place), ..refused },
    }
}

/// What a message's id is made from: its conversation, and its id over there or else its place and its text.
fn key(said: &Said, conversation: ConversationId, at: usize) -> String {
    match &said.id {
        Some(id) => format!("{conversation}#{id}"),
        None => {
            // the text belongs to the key: a file that was changed in the middle brings new messages
            let first = said.parts.first();
            let role = first.map(|part| part.role.name()).unwrap_or_default();
            let key = digest([role, first.map(|part| part.text.as_str()).unwrap_or_default()]);
            format!("{conversation}/{}/{key}", at + 1)
        }
    }
}

fn conversation_id(told: &Told) -> ConversationId {
    let name = told.format.name();
    if let Some(given) = &told.id {
        let kept = (told.format == ImportFormat::History).then(|| given.parse().ok()).flatten();
        return kept.unwrap_or_else(|| ConversationId::derived(name, given));
    }
    let parts = told.messages.first().map(|said| said.parts.as_slice()).unwrap_or_default();
    let text: String = parts.iter().map(|part| part.text.as_str()).collect();
    let created = told.created.map(|time| time.to_string()).unwrap_or_default();
    ConversationId::derived(name, &digest([told.title.as_deref().unwrap_or_default(), &text, &created]))
}

/// A name for a list of texts that no other list has.
pub(super) fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text cut into pieces that a message may hold; one, where it is short enough.
fn pieces(mut text: String) -> Vec<String> {
    let mut pieces = Vec::new();
    while text.len() > MAX_CONTENT_BYTES {
        let rest = text.split_off(text.floor_char_boundary(MAX_CONTENT_BYTES));
        pieces.push(std::mem::replace(&mut text, rest));
    }
    pieces.push(text);
    pieces
}
