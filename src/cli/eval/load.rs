//! Brings a benchmark's conversations into the private daemon, as any client would.

use indicatif::ProgressBar;

use super::dataset::{Conversation, Dataset};
use crate::api::Patch;
use crate::api::conversation::ConversationCreate as CreateConversation;
use crate::api::limits::MAX_APPEND_MESSAGES;
use crate::api::message::{MessageAppend as AppendMessages, NewMessage};
use crate::api::methods::{ConversationCreate, MessageAppend};
use crate::client::Client;
use crate::error::Result;
use crate::model::{ConversationId, MessageId};

/// What the ids are derived from, so that loading twice adds nothing.
const SOURCE: &str = "nosso-eval";
/// Bytes of text in one request; written as JSON it may take six times that.
const REQUEST_BYTES: usize = 1 << 20;

/// The id under which the message at `place` of a conversation is stored.
pub fn message_id(conversation: &Conversation, place: usize) -> MessageId {
    MessageId::derived(SOURCE, &format!("{}/{place}", conversation.key))
}

/// Stores every conversation.
pub async fn load(set: &Dataset, client: &Client, progress: &ProgressBar) -> Result<()> {
    progress.set_length(set.n_messages() as u64);
    for conversation in &set.conversations {
        let id = ConversationId::derived(SOURCE, &conversation.key);
        let create = CreateConversation {
            id: Some(id),
            title: conversation.title.clone(),
            project: conversation.project.clone(),
            ..CreateConversation::default()
        };
        client.call::<ConversationCreate>(&create).await?;
        for messages in pieces(conversation) {
            let n = messages.len() as u64;
            client.call::<MessageAppend>(&AppendMessages { conversation_id: id, messages }).await?;
            progress.inc(n);
        }
    }
    Ok(())
}

/// The messages in as few requests as the limits allow.
fn pieces(conversation: &Conversation) -> Vec<Vec<NewMessage>> {
    let mut pieces: Vec<Vec<NewMessage>> = vec![];
    let mut n_bytes = 0;
    for (place, message) in conversation.messages.iter().enumerate() {
        let piece = pieces.last_mut().filter(|piece| {
            piece.len() < MAX_APPEND_MESSAGES && n_bytes + message.content.len() <= REQUEST_BYTES
        });
        let new = NewMessage {
            id: Some(message_id(conversation, place)),
            parent_id: Patch::default(),
            role: message.role,
            author: message.author.clone(),
            content: message.content.clone(),
            model: None,
            created_at: Some(message.created_at),
            metadata: None,
        };
        match piece {
            Some(piece) => piece.push(new),
            None => {
                n_bytes = 0;
                pieces.push(vec![new]);
            }
        }
        n_bytes += message.content.len();
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::eval::dataset::Message;
    use crate::model::{Role, Timestamp};

    fn check(lengths: &[usize], expected: &[usize]) {
        let message = |length: &usize| Message {
            unit: 0,
            role: Role::User,
            author: None,
            content: "x".repeat(*length),
            created_at: Timestamp::from_millis(0),
        };
        let messages = lengths.iter().map(message).collect();
        let conversation = Conversation { key: "a".into(), project: None, title: None, messages };
        let pieces = pieces(&conversation);
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), expected);
        let ids: std::collections::HashSet<_> = pieces.iter().flatten().map(|message| message.id).collect();
        assert_eq!(ids.len(), lengths.len());
    }

    #[test]
    fn requests_keep_to_the_limits() {
        check(&[], &[]);
        check(&[1; 2100], &[1000, 1000, 100]);
        check(&[400_000, 400_000, 400_000], &[2, 1]);
        check(&[1 << 20, 1, 1 << 20], &[1, 1, 1]);
    }
}
