//! Everything out, or a selection, in one of the formats; in pages, so that neither side holds all of it.

use tokio::sync::mpsc;
use uuid::Uuid;

use super::Memory;
use crate::api::data::{ExportFormat, ExportItem, ExportParams};
use crate::api::system::Counts;
use crate::api::trash::{TrashKind, TrashList};
use crate::error::{Error, Kind, Result};
use crate::exchange::writers::{markdown, open_webui};
use crate::exchange::{Record, record};
use crate::model::{self, Conversation, ConversationId, Message};
use crate::store::{Selection, TrashRecord};

/// Records that wait for a slow reader, in batches of lines.
const MAX_WAITING_BATCHES: usize = 4;
/// Bytes of lines in one item, about.
const BATCH_BYTES: usize = 48 << 10;
/// Conversations and memories that are read at a time.
const PAGE: usize = 100;

/// Where the records go. Every step answers whether the reader is still there.
struct Output {
    format: ExportFormat,
    counts: Counts,
    /// Memories that become one document.
    memories: Vec<model::Memory>,
    lines: Lines,
}

/// Lines on their way to a reader, sent when there are enough of them.
struct Lines {
    lines: Vec<String>,
    bytes: usize,
    items: mpsc::Sender<ExportItem>,
}

impl Memory {
    /// What `params` select. The last item is `Done` or `Error`; dropping the receiver ends the export.
    pub fn export(&self, params: ExportParams) -> mpsc::Receiver<ExportItem> {
        let (items, receiver) = mpsc::channel(MAX_WAITING_BATCHES);
        let memory = self.clone();
        self.0.tasks.spawn(async move {
            let exported = tokio::select! {
                exported = memory.export_all(params, items.clone()) => exported,
                () = memory.0.stop.cancelled() => Err(Error::new(Kind::Busy, "the daemon stops")),
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
        let ExportParams { format, project, client, conversation_ids, since, until, trash } = params;
        let mut output = Output {
            format,
            counts: Counts::default(),
            memories: Vec::new(),
            lines: Lines { lines: Vec::new(), bytes: 0, items },
        };
        let selection = Selection { project, client, since, until };
        if trash && (selection != Selection::default() || conversation_ids.is_some()) {
            return Err(Error::invalid("`trash` goes with no other selection")
                .hint("export the trash as a whole, or restore what is wanted first"));
        }
        let there = output.begin().await
            && match (trash, conversation_ids) {
                (true, _) => self.export_trash(&mut output).await?,
                (false, Some(ids)) => self.export_these(ids, &selection, &mut output).await?,
                (false, None) => self.export_selected(&selection, &mut output).await?,
            };
        Ok((there && output.end().await).then_some(output.counts))
    }

    async fn export_selected(&self, selection: &Selection, output: &mut Output) -> Result<bool> {
        let mut after = 0;
        loop {
            let page = self.store().export_conversations(selection.clone(), after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (_, conversation) in page {
                if !self.export_one(conversation, output).await? {
                    return Ok(false);
                }
            }
        }
        let mut after = 0;
        loop {
            let page = self.store().export_memories(selection.clone(), after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(true) };
            after = *last;
            for (_, memory) in page {
                if !output.memory(memory).await? {
                    return Ok(false);
                }
            }
        }
    }

    /// Conversations by their ids, in this order, without memories.
    async fn export_these(
        &self,
        ids: Vec<ConversationId>,
        selection: &Selection,
        output: &mut Output,
    ) -> Result<bool> {
        if *selection != Selection::default() {
            return Err(Error::invalid("`conversationIds` goes with no other selection")
                .hint("leave out either the ids or the rest"));
        }
        for id in ids {
            let conversation = self.store().conversation(id).await?;
            if !self.export_one(conversation, output).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn export_one(&self, conversation: Conversation, output: &mut Output) -> Result<bool> {
        let id = conversation.id;
        let mut after = 0;
        let mut pages = Vec::new();
        let is_streamed = output.format == ExportFormat::Nosso;
        if is_streamed && !output.record(Record::Conversation(conversation.clone())).await? {
            return Ok(false);
        }
        loop {
            let page = match self.store().export_messages(id, after, BATCH_BYTES).await {
                // deleted since it was listed
                Err(error) if error.kind() == Kind::NotFound => break,
                page => page?,
            };
            let Some(last) = page.last() else { break };
            after = last.seq;
            if !is_streamed {
                pages.extend(page);
                continue;
            }
            for message in page {
                if !output.record(Record::Message(message)).await? {
                    return Ok(false);
                }
            }
        }
        Ok(is_streamed || output.conversation(conversation, pages).await?)
    }

    /// What was deleted, the last first, as the records that it was.
    async fn export_trash(&self, output: &mut Output) -> Result<bool> {
        let mut list = TrashList { limit: Some(PAGE as u32), cursor: None };
        loop {
            let page = self.store().trash(list.clone(), None).await?;
            for trashed in page.items {
                if !self.export_entry(trashed.kind, Uuid::from_bytes(*trashed.id.as_bytes()), output).await? {
                    return Ok(false);
                }
            }
            if page.next_cursor.is_none() {
                return Ok(true);
            }
            list.cursor = page.next_cursor;
        }
    }

    async fn export_entry(&self, kind: TrashKind, id: Uuid, output: &mut Output) -> Result<bool> {
        let entry = match self.store().trash_entry(id).await {
            // restored or forgotten since it was listed
            Err(error) if error.kind() == Kind::NotFound => return Ok(true),
            entry => entry?,
        };
        let (mut after, mut head, mut messages) = (-1, None, Vec::new());
        loop {
            let page = self.store().trash_records(entry.clone(), after, BATCH_BYTES).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (_, record) in page {
                let there = match record {
                    TrashRecord::Memory(memory) => output.memory(memory).await?,
                    TrashRecord::Conversation(conversation) => {
                        head = Some(conversation.clone());
                        output.record(Record::Conversation(conversation)).await?
                    }
                    TrashRecord::Message(message) => {
                        messages.push(message.clone());
                        output.record(Record::Message(message)).await?
                    }
                };
                if !there {
                    return Ok(false);
                }
            }
        }
        match (kind, head) {
            (TrashKind::Conversation, Some(head)) => output.conversation(head, messages).await,
            _ => Ok(true),
        }
    }
}

impl Output {
    async fn begin(&mut self) -> bool {
        match self.format {
            ExportFormat::Nosso => self.lines.push(record::header()).await,
            ExportFormat::OpenWebui => self.lines.push("[".into()).await,
            ExportFormat::Markdown => true,
        }
    }

    /// A record of nosso's own format; the others take whole conversations.
    async fn record(&mut self, record: Record) -> Result<bool> {
        if self.format != ExportFormat::Nosso {
            return Ok(true);
        }
        match &record {
            Record::Conversation(_) => self.counts.conversations += 1,
            Record::Message(_) => self.counts.messages += 1,
            Record::Memory(_) => self.counts.memories += 1,
        }
        Ok(self.lines.push(record::line(&record)?).await)
    }

    async fn conversation(&mut self, conversation: Conversation, messages: Vec<Message>) -> Result<bool> {
        if self.format == ExportFormat::Nosso {
            return Ok(true);
        }
        let is_first = self.counts.conversations == 0;
        self.counts.conversations += 1;
        self.counts.messages += messages.len() as u64;
        if self.format == ExportFormat::Markdown {
            let text = markdown::conversation(&conversation, &messages);
            return Ok(self.lines.document(markdown::file_name(&conversation), &text).await);
        }
        if !is_first && !self.lines.push(",".into()).await {
            return Ok(false);
        }
        let value = open_webui::conversation(&conversation, &messages);
        // in lines, because a long conversation would be too long for one
        let text = serde_json::to_string_pretty(&value)
            .map_err(|error| Error::internal("write a conversation as JSON").caused_by(error))?;
        Ok(self.lines.all_of(&text).await)
    }

    async fn memory(&mut self, memory: model::Memory) -> Result<bool> {
        match self.format {
            ExportFormat::Nosso => self.record(Record::Memory(memory)).await,
            // it keeps its memories elsewhere
            ExportFormat::OpenWebui => Ok(true),
            ExportFormat::Markdown => {
                self.counts.memories += 1;
                self.memories.push(memory);
                Ok(true)
            }
        }
    }

    async fn end(&mut self) -> bool {
        let there = match self.format {
            ExportFormat::OpenWebui => self.lines.push("]".into()).await,
            ExportFormat::Markdown if !self.memories.is_empty() => {
                let text = markdown::memories(&self.memories);
                self.lines.document("memories.md".into(), &text).await
            }
            ExportFormat::Nosso | ExportFormat::Markdown => true,
        };
        there && self.lines.flush().await
    }
}

impl Lines {
    /// Whether the reader is still there.
    async fn push(&mut self, line: String) -> bool {
        self.bytes += line.len();
        self.lines.push(line);
        self.bytes < BATCH_BYTES || self.flush().await
    }

    async fn all_of(&mut self, text: &str) -> bool {
        for line in text.lines() {
            if !self.push(line.to_owned()).await {
                return false;
            }
        }
        true
    }

    async fn document(&mut self, name: String, text: &str) -> bool {
        self.flush().await
            && self.items.send(ExportItem::Document { name }).await.is_ok()
            && self.all_of(text).await
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
