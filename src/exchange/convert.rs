//! Turns what another tool's history says into records, with ids that are the same each time it is read.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::told::{Made, Said, Told, count};
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
    Growing::new(told).whole(place, now)
}

/// A conversation of which records are made while it is still being told.
pub(super) struct Growing {
    /// What it is told to be. Messages of which records were made are only links.
    pub told: Told,
    /// Made from the first messages.
    id: Option<ConversationId>,
    /// Messages before this one were there when records were made the last time.
    fresh: usize,
    n_made: u64,
    used: HashSet<MessageId>,
    head: Option<MessageId>,
    model: Option<String>,
    /// The times of the first and of the last message.
    times: Option<(Timestamp, Timestamp)>,
}

impl Growing {
    pub fn new(told: Told) -> Self {
        let used = HashSet::with_capacity(told.messages.len());
        Self { told, id: None, fresh: 0, n_made: 0, used, head: None, model: None, times: None }
    }

    /// The conversation's id, once records were made.
    pub fn id(&self) -> Option<ConversationId> {
        self.id
    }

    /// The records of a conversation that is told to its end.
    pub fn whole(&mut self, place: &str, now: Timestamp) -> Readout {
        let mut readout = self.records(place, now);
        if self.n_made > 0 || self.told.format == ImportFormat::History {
            return readout;
        }
        match readout.refused.is_empty() {
            true => count(&mut readout.ignored, "conversation without messages"),
            false => {
                let place = if place.is_empty() { "the file" } else { place };
                readout.refuse(place, "has no message that can be read");
            }
        }
        readout
    }

    /// The records of what was told since the last time: the conversation as it is now and its new messages; none if
    /// there are no new messages.
    pub fn records(&mut self, place: &str, now: Timestamp) -> Readout {
        let format = self.told.format;
        let mut readout = Readout { ignored: std::mem::take(&mut self.told.ignored), ..Readout::default() };
        let refused = std::mem::take(&mut self.told.refused);
        readout.refused.extend(refused.into_iter().map(|refused| placed(place, refused)));
        if self.told.messages.len() == self.fresh && (self.fresh > 0 || format != ImportFormat::History) {
            return readout;
        }
        let id = *self.id.get_or_insert_with(|| conversation_id(&self.told));
        let client = client(&self.told);
        let (keeps_ids, n_before, used) = (self.told.keeps_ids, self.n_made, &mut self.used);
        let mut making = Making { id, format, keeps_ids, client, n_before, messages: Vec::new(), used };

        let mut tree = Tree::new(std::mem::take(&mut self.told.messages), self.fresh, &mut readout);
        for (at, time) in tree.order(self.told.created.unwrap_or(now)) {
            let parent = tree.parents[at].and_then(|parent| tree.said[parent].made).map(|made| made.last);
            let link = tree.said[at].link(time);
            let said = std::mem::replace(&mut tree.said[at], link);
            let (is_aside, fingerprint) = (said.is_aside, said.fingerprint());
            let Some(last) = making.message(said, at, parent, time) else { continue };
            tree.said[at].made = Some(Made { last, fingerprint });
            self.head = if is_aside { self.head } else { Some(last) };
        }
        let messages = making.messages;
        let named = self.told.current.as_deref().and_then(|id| tree.said[tree.find(id)?].made);
        self.told.messages = tree.said;
        self.fresh = self.told.messages.len();
        if messages.is_empty() && format != ImportFormat::History {
            return readout;
        }
        self.n_made += messages.len() as u64;
        self.model = messages.iter().rev().find_map(|message| message.model.clone()).or(self.model.take());
        let times =
            messages.iter().map(|message| message.created_at).chain(self.times.map(|(first, _)| first));
        let first = times.clone().min();
        let last = times.chain(self.times.map(|(_, last)| last)).max();
        self.times = first.zip(last);
        let head = named.map(|made| made.last).or(self.head).or(messages.last().map(|message| message.id));
        readout.records.push(Record::Conversation(self.conversation(id, head, now)));
        readout.records.extend(messages.into_iter().map(Record::Message));
        readout
    }

    fn conversation(&self, id: ConversationId, head: Option<MessageId>, now: Timestamp) -> Conversation {
        let told = &self.told;
        let created_at = told.created.or(self.times.map(|(first, _)| first)).unwrap_or(now);
        let updated_at =
            told.updated.or(self.times.map(|(_, last)| last)).unwrap_or(created_at).max(created_at);
        let mut metadata = told.metadata.clone();
        if !told.keeps_ids {
            metadata.insert(IMPORTED_FROM.into(), told.format.name().into());
            note_id(&mut metadata, told.id.as_deref());
        }
        Conversation {
            id,
            title: told.title.clone(),
            project: told.project.clone(),
            model: told.model.clone().or_else(|| self.model.clone()),
            client: client(told),
            folder: told.folder.clone(),
            tags: told.tags.clone(),
            pinned: told.pinned,
            archived: told.archived,
            private: false,
            copied_from: None,
            head_message_id: head,
            message_count: self.n_made,
            created_at,
            updated_at,
            metadata: json::fitting(metadata),
        }
    }
}

/// The tool that it is told to come from; what keeps its ids says nothing about that.
fn client(told: &Told) -> Option<ClientRef> {
    let version = || json::shortened(told.version.as_deref().unwrap_or_default(), 100);
    (!told.keeps_ids).then(|| ClientRef { name: told.format.name().into(), version: version() })
}

/// The messages of a conversation that are made already.
struct Making<'a> {
    id: ConversationId,
    format: ImportFormat,
    keeps_ids: bool,
    client: Option<ClientRef>,
    /// Messages that were made before.
    n_before: u64,
    messages: Vec<Message>,
    used: &'a mut HashSet<MessageId>,
}

impl Making<'_> {
    /// Makes the messages of what was said at this place of the file; the last of them.
    fn message(
        &mut self,
        said: Said,
        at: usize,
        mut parent: Option<MessageId>,
        time: Timestamp,
    ) -> Option<MessageId> {
        let key = key(&said, self.id, at);
        let kept = said.id.as_deref().filter(|_| self.keeps_ids);
        let kept: Option<MessageId> = kept.and_then(|id| id.parse().ok());
        let main = said.parts.iter().position(|part| !part.is_noise).unwrap_or(0);
        let mut metadata = said.metadata;
        if !self.keeps_ids {
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
                    seq: self.n_before + self.messages.len() as u64 + 1,
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
        let kept = told.keeps_ids.then(|| given.parse().ok()).flatten();
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
