//! Everything out, and in again.

use tokio::sync::mpsc;

use super::{Actor, Memory, chunk};
use crate::api::data::{ExportItem, ExportParams, ImportFormat, ImportParams, ImportResult, Refused};
use crate::api::limits::{MAX_CONTENT_BYTES, MAX_MEMORY_BYTES};
use crate::api::system::Counts;
use crate::error::{Error, Result};
use crate::exchange::{self, Record, history, record};
use crate::model::Timestamp;
use crate::store::{RecordKind, RefusedRecord, RestoreBatch, RestoreMemory, RestoreMessage, Restored};

/// Records that wait for a slow reader, in batches of lines.
const MAX_WAITING_BATCHES: usize = 4;
/// Bytes of lines in one item, about.
const BATCH_BYTES: usize = 48 << 10;
/// Conversations and memories that are read at a time.
const PAGE: usize = 100;
/// Refused records that are told one by one; the rest is counted.
const MAX_TOLD: usize = 100;

/// Lines on their way to a reader, sent when there are enough of them.
struct Lines {
    lines: Vec<String>,
    bytes: usize,
    items: mpsc::Sender<ExportItem>,
}

impl Memory {
    /// Everything as records, in pages, so that neither side holds all of it. The last item is `Done` or `Error`;
    /// dropping the receiver ends the export.
    pub fn export(&self, params: ExportParams) -> mpsc::Receiver<ExportItem> {
        let (items, receiver) = mpsc::channel(MAX_WAITING_BATCHES);
        let memory = self.clone();
        self.0.tasks.spawn(async move {
            let exported = tokio::select! {
                exported = memory.export_all(params, items.clone()) => exported,
                () = memory.0.stop.cancelled() => Err(Error::new(crate::error::Kind::Busy, "the daemon stops")),
            };
            let last = match exported {
                Ok(Some(counts)) => ExportItem::Done { counts },
                Ok(None) => return, // the reader is gone
                Err(error) => {
                    ExportItem::Error { kind: error.kind().name().into(), message: error.full_text() }
                }
            };
            // an error says that the reader is gone
            let _ = items.send(last).await;
        });
        receiver
    }

    async fn export_all(
        &self,
        params: ExportParams,
        items: mpsc::Sender<ExportItem>,
    ) -> Result<Option<Counts>> {
        let ExportParams { project } = params;
        let mut counts = Counts::default();
        let mut lines = Lines { lines: Vec::new(), bytes: 0, items };
        if !lines.push(record::header(Timestamp::now())).await {
            return Ok(None);
        }
        let mut after = 0;
        loop {
            let page = self.store().export_conversations(project.clone(), after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (_, conversation) in page {
                let id = conversation.id;
                counts.conversations += 1;
                if !lines.push(record::line(&Record::Conversation(conversation))?).await {
                    return Ok(None);
                }
                let mut after_seq = 0;
                loop {
                    let messages = self.store().export_messages(id, after_seq, BATCH_BYTES).await?;
                    let Some(last) = messages.last() else { break };
                    after_seq = last.seq;
                    for message in messages {
                        counts.messages += 1;
                        if !lines.push(record::line(&Record::Message(message))?).await {
                            return Ok(None);
                        }
                    }
                }
            }
        }
        let mut after = 0;
        loop {
            let page = self.store().export_memories(project.clone(), after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (_, memory) in page {
                counts.memories += 1;
                if !lines.push(record::line(&Record::Memory(memory))?).await {
                    return Ok(None);
                }
            }
        }
        Ok(lines.flush().await.then_some(counts))
    }

    /// Brings records in, a few hundred in each transaction, so that other writes go on meanwhile. The same data
    /// twice adds nothing, and data that came in only half goes on; what is broken is left out and told.
    pub async fn import(&self, params: ImportParams, actor: &Actor) -> Result<ImportResult> {
        let ImportParams { format, data } = params;
        let format = match format.or_else(|| exchange::recognise(&data)) {
            Some(format) => format,
            None => {
                return Err(Error::invalid("`data` is in no format that is known").hint(
                    "give NDJSON as `data.export` writes it, or a JSON array of conversations with `messages`",
                ));
            }
        };
        let read = match format {
            ImportFormat::Nosso => record::read(&data),
            ImportFormat::History => history::read(&data, Timestamp::now()),
        }?;
        let mut result = ImportResult::default();
        for refused in read.refused {
            result.refuse(refused);
        }
        let (batch, places) = sort_out(read.records, &mut result);
        let restored = self.store().restore(batch).await;
        // what failed half-way has stored something too
        if restored.as_ref().map_or(true, |restored| restored.added != Counts::default()) {
            self.0.events.imported(actor);
            self.wake();
        }
        let Restored { added, existing, refused } = restored.map_err(|error| error.while_doing("import"))?;
        for RefusedRecord { kind, index, reason } in refused {
            result.refuse(Refused { place: places.of(kind, index), reason });
        }
        (result.added, result.existing) = (added, existing);
        Ok(result)
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

/// Puts records into the lists of a batch; what is too large is refused.
fn sort_out(records: Vec<Record>, result: &mut ImportResult) -> (RestoreBatch, Places) {
    let mut batch = RestoreBatch::default();
    let mut places = Places::default();
    for record in records {
        let place = match &record {
            Record::Conversation(conversation) => format!("conversation {}", conversation.id),
            Record::Message(message) => format!("message {}", message.id),
            Record::Memory(memory) => format!("memory {}", memory.id),
        };
        let limit = match &record {
            Record::Memory(memory) if memory.content.len() > MAX_MEMORY_BYTES => Some(MAX_MEMORY_BYTES),
            Record::Message(message) if message.content.len() > MAX_CONTENT_BYTES => Some(MAX_CONTENT_BYTES),
            Record::Conversation(_) | Record::Message(_) | Record::Memory(_) => None,
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
                let chunks = chunk::chunk(&message.content);
                batch.messages.push(RestoreMessage { message, chunks });
                places.messages.push(place);
            }
            Record::Memory(memory) => {
                let chunks = chunk::chunk(&memory.content);
                batch.memories.push(RestoreMemory { memory, chunks });
                places.memories.push(place);
            }
        }
    }
    (batch, places)
}

impl Lines {
    /// Whether the reader is still there.
    async fn push(&mut self, line: String) -> bool {
        self.bytes += line.len();
        self.lines.push(line);
        self.bytes < BATCH_BYTES || self.flush().await
    }

    async fn flush(&mut self) -> bool {
        if self.lines.is_empty() {
            return true;
        }
        self.bytes = 0;
        let lines = std::mem::take(&mut self.lines);
        self.items.send(ExportItem::Records { lines }).await.is_ok()
    }
}

impl ImportResult {
    fn refuse(&mut self, refused: Refused) {
        self.refused_total += 1;
        if self.refused.len() < MAX_TOLD {
            self.refused.push(refused);
        }
    }
}
