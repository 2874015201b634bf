//! A conversation as one file to read, in pieces on their way to a reader.

use tokio::sync::mpsc;

use super::Memory;
use crate::api::share::{Share, ShareItem};
use crate::error::{Error, Kind, Result};
use crate::exchange::share::{Shared, file_name};
use crate::model::{Message, MessageId};

/// Pieces that wait for a slow reader.
const MAX_WAITING_PIECES: usize = 4;
/// Bytes of messages in one piece, about.
const PIECE_BYTES: usize = 48 << 10;
/// Messages that are asked for at a time.
const STEP_MESSAGES: usize = 200;

/// What is still to be written.
enum Rest {
    /// These messages, in this order.
    Branch(Vec<MessageId>),
    /// All behind this place.
    Behind(u64),
}

impl Memory {
    /// Writes a conversation as one file. The last item is `Done` or `Error`; dropping the receiver ends it.
    pub fn share(&self, share: Share) -> mpsc::Receiver<ShareItem> {
        let (items, receiver) = mpsc::channel(MAX_WAITING_PIECES);
        let memory = self.clone();
        self.0.tasks.spawn(async move {
            let shared = tokio::select! {
                shared = memory.share_all(share, &items) => shared,
                () = memory.0.stop.cancelled() => Err(Error::new(Kind::Busy, "the daemon stops")),
            };
            let last = match shared {
                Ok(Some(done)) => done,
                Ok(None) => return, // the reader is gone
                Err(error) => {
                    ShareItem::Error { kind: error.kind().name().into(), message: error.full_text() }
                }
            };
            // an error says that the reader is gone
            let _ = items.send(last).await;
        });
        receiver
    }

    async fn share_all(&self, share: Share, items: &mpsc::Sender<ShareItem>) -> Result<Option<ShareItem>> {
        let Share { id, format, branches } = share;
        let conversation = self.store().conversation(id).await?;
        let mut rest = match (branches, conversation.head_message_id) {
            (false, Some(head)) => Rest::Branch(self.store().branch_ids(head).await?.1),
            _ => Rest::Behind(0),
        };
        let (mut shared, beginning) = Shared::begin(format, &conversation);
        let mut text = beginning;
        loop {
            let messages = match &mut rest {
                Rest::Branch(ids) => {
                    let step = ids[..ids.len().min(STEP_MESSAGES)].to_vec();
                    let messages: Vec<Message> = self.store().messages_of(step, PIECE_BYTES).await?;
                    ids.drain(..messages.len());
                    messages
                }
                Rest::Behind(after) => {
                    let messages = self.store().export_messages(id, *after, PIECE_BYTES).await?;
                    *after = messages.last().map_or(*after, |last| last.seq);
                    messages
                }
            };
            if messages.is_empty() {
                break;
            }
            messages.iter().for_each(|message| text.push_str(&shared.message(message)));
            if items.send(ShareItem::Text { text: std::mem::take(&mut text) }).await.is_err() {
                return Ok(None);
            }
        }
        text.push_str(shared.end());
        if !text.is_empty() && items.send(ShareItem::Text { text }).await.is_err() {
            return Ok(None);
        }
        Ok(Some(ShareItem::Done {
            file_name: file_name(format, &conversation),
            messages: shared.n_messages(),
        }))
    }
}
