//! Bringing records in.

use super::guard::Guards;
use super::{Actor, Memory, chunk};
use crate::api::data::{ImportFormat, ImportParams, ImportResult, Refused};
use crate::api::event::Action;
use crate::api::limits::{MAX_CONTENT_BYTES, MAX_MEMORY_BYTES};
use crate::api::system::Counts;
use crate::error::{Doing, Error, Kind, Result};
use crate::exchange::{self, Readout, Record};
use crate::model::{self, Conversation, ConversationId, Message, MessageId, Timestamp};
use crate::store::{
    Ids, Known, RecordKind, RefusedRecord, RestoreBatch, RestoreMemory, RestoreMessage, Restored,
};

/// Refused records that are told one by one; the rest is counted.
const MAX_TOLD: usize = 100;

impl Memory {
    /// Brings records in, a few hundred in each transaction, so that other writes go on meanwhile. The same data
    /// twice adds nothing, and data that came in only half goes on; what is broken is left out and told.
    pub async fn import(&self, params: ImportParams, actor: &Actor) -> Result<ImportResult> {
        let ImportParams { format, data, dry_run } = params;
        // reading and cutting take their time, and calls of others should not wait for it
        let read = blocking("read what is to be imported", move || read(format, &data)).await??;
        let brought = self.bring_in(read, dry_run).await;
        // what failed half-way has stored something too
        if brought.as_ref().map_or(!dry_run, |brought| brought.has_added()) {
            self.0.events.in_general(actor, Action::Imported);
        }
        Ok(brought?.result)
    }

    /// Stores what was read; what is stored already stays as it is.
    pub(super) async fn bring_in(&self, read: Readout, dry_run: bool) -> Result<Brought> {
        let known = self.store().known(ids(&read.records)).await?;
        let guards = self.guards(&read.records).await?;
        let sorted = move || {
            let mut result =
                ImportResult { ignored: read.ignored, mended: read.mended, ..Default::default() };
            read.refused.into_iter().for_each(|refused| result.refuse(refused));
            let (batch, places) = sort_out(read.records, &known, &guards, &mut result);
            (batch, places, known, result)
        };
        let (batch, places, known, mut result) = blocking("sort out what is to be imported", sorted).await?;
        if dry_run {
            result.added = counts(&batch);
            let is_known = |conversation: &&Conversation| known.conversations.contains_key(&conversation.id);
            let n_known = batch.conversations.iter().filter(is_known).count() as u64;
            result.added.conversations -= n_known;
            result.existing.conversations += n_known;
            return Ok(Brought { result, fresh: Vec::new() });
        }
        if batch == RestoreBatch::default() {
            return Ok(Brought { result, fresh: Vec::new() });
        }
        let ids = |one: &RestoreMessage| (one.message.conversation_id, one.message.id);
        let mut fresh: Vec<_> = batch.messages.iter().map(ids).map(Some).collect();
        let restored = self.store().restore(batch).await;
        self.wake();
        let Restored { added, existing, refused } = restored.map_err(|error| error.while_doing("import"))?;
        for RefusedRecord { kind, index, reason } in refused {
            if let (RecordKind::Message, Some(place)) = (kind, fresh.get_mut(index)) {
                *place = None;
            }
            result.refuse(Refused { place: places.of(kind, index), reason });
        }
        result.added = added;
        result.existing += existing;
        Ok(Brought { result, fresh: fresh.into_iter().flatten().collect() })
    }
}

/// What came of records that were to be stored.
pub(super) struct Brought {
    /// What was added, was there already, and was refused.
    pub result: ImportResult,
    /// The messages that were added, with their conversations, in the order of the records.
    pub fresh: Vec<(ConversationId, MessageId)>,
}

impl Brought {
    fn has_added(&self) -> bool {
        let Counts { conversations, messages, memories, chunks: _ } = self.result.added;
        conversations + messages + memories > 0
    }
}

async fn blocking<T: Send + 'static>(doing: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.doing(Kind::Internal, doing)
}

fn read(format: Option<ImportFormat>, data: &str) -> Result<Readout> {
    let beginning = &data[..data.floor_char_boundary(RECOGNISED_BYTES)];
    let Some(format) = format.or_else(|| exchange::recognise(beginning)) else {
        return Err(Error::invalid("`data` is in no format that is known").hint(
            "give NDJSON as `data.export` writes it, a JSON array of conversations with `messages`, or what another tool exports",
        ));
    };
    exchange::read(data, exchange::Source { format, name: None, now: Timestamp::now() })
}

/// The beginning of a text by which its format is recognised.
const RECOGNISED_BYTES: usize = 1 << 20;

fn ids(records: &[Record]) -> Ids {
    let mut ids = Ids::default();
    for record in records {
        match record {
            Record::Conversation(conversation) => ids.conversations.push(conversation.id),
            Record::Message(message) => ids.messages.push(message.id),
            Record::Memory(memory) => ids.memories.push(memory.id),
        }
    }
    ids
}

/// What a batch would add.
fn counts(batch: &RestoreBatch) -> Counts {
    let RestoreBatch { conversations, messages, memories } = batch;
    let of_messages = messages.iter().filter(|one| one.message.is_searchable()).map(|one| one.chunks.len());
    let of_memories = memories.iter().map(|one| one.chunks.len());
    Counts {
        conversations: conversations.len() as u64,
        messages: messages.len() as u64,
        memories: memories.len() as u64,
        chunks: of_messages.chain(of_memories).sum::<usize>() as u64,
    }
}

/// What each record of a batch is called when it is refused.
#[derive(Default)]
struct Places {
    conversations: Vec<String>,
    messages: Vec<String>,
    memories: Vec<String>,
}

impl Places {
    fn of(&self, kind: RecordKind, index: usize) -> String {
        let places = match kind {
            RecordKind::Conversation => &self.conversations,
            RecordKind::Message => &self.messages,
            RecordKind::Memory => &self.memories,
        };
        places.get(index).cloned().unwrap_or_default()
    }
}

/// Puts records into the lists of a batch, with their secrets treated as the settings say; what is too large is
/// refused, and what is known already only counted. A known conversation is in the batch only if another head is named
/// for it.
fn sort_out(
    records: Vec<Record>,
    known: &Known,
    guards: &Guards,
    result: &mut ImportResult,
) -> (RestoreBatch, Places) {
    let mut batch = RestoreBatch::default();
    let mut places = Places::default();
    for mut record in records {
        if let Some(count) = known_as(&record, known, &mut result.existing) {
            *count += 1;
            continue;
        }
        guards.admit(&mut record, &mut result.secrets);
        // a mask may be longer than what it stands for, so only now
        let (place, limit) = match &record {
            Record::Conversation(it) => (format!("conversation {}", it.id), None),
            Record::Message(it) => (
                format!("message {}", it.id),
                (it.content.len() > MAX_CONTENT_BYTES).then_some(MAX_CONTENT_BYTES),
            ),
            Record::Memory(it) => (
                format!("memory {}", it.id),
                (it.content.len() > MAX_MEMORY_BYTES).then_some(MAX_MEMORY_BYTES),
            ),
        };
        if let Some(limit) = limit {
            result.refuse(Refused { place, reason: format!("its content has more than {limit} bytes") });
            continue;
        }
        match record {
            Record::Conversation(conversation) => {
                batch.conversations.push(conversation);
                places.conversations.push(place);
            }
            Record::Message(message) => {
                batch.messages.push(cut_message(message));
                places.messages.push(place);
            }
            Record::Memory(memory) => {
                batch.memories.push(cut_memory(memory));
                places.memories.push(place);
            }
        }
    }
    (batch, places)
}

/// Where a record is counted that is stored already and changes nothing; none where it is to be stored.
fn known_as<'a>(record: &Record, known: &Known, existing: &'a mut Counts) -> Option<&'a mut u64> {
    match record {
        Record::Conversation(it) => {
            let head = known.conversations.get(&it.id)?;
            (*head == it.head_message_id).then_some(&mut existing.conversations)
        }
        Record::Message(it) => known.messages.contains(&it.id).then_some(&mut existing.messages),
        Record::Memory(it) => known.memories.contains(&it.id).then_some(&mut existing.memories),
    }
}

/// A message with the passages that are to be embedded of it: none of one that is not searched.
pub(super) fn cut_message(message: Message) -> RestoreMessage {
    let chunks = if message.is_searchable() { chunk::chunk(&message.content) } else { Vec::new() };
    RestoreMessage { message, chunks }
}

pub(super) fn cut_memory(memory: model::Memory) -> RestoreMemory {
    // what no longer holds is not found by its meaning
    let holds = memory.superseded_by.is_none();
    let chunks = if holds { chunk::chunk(&memory.content) } else { Vec::new() };
    RestoreMemory { memory, chunks }
}

impl ImportResult {
    fn refuse(&mut self, refused: Refused) {
        self.refused_total += 1;
        if self.refused.len() < MAX_TOLD {
            self.refused.push(refused);
        }
    }
}
