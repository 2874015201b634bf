//! The small bilingual history that the demo loads: what several tools of one person stored over two years.

use serde::Deserialize;

use super::super::context;
use crate::api::conversation::ConversationCreate as CreateConversation;
use crate::api::memory::MemoryAdd as AddMemory;
use crate::api::message::{MessageAppend as AppendMessages, NewMessage};
use crate::api::methods::{ConversationCreate, MemoryAdd, MessageAppend};
use crate::api::system::Counts;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::model::{ClientRef, ConversationId, MemoryId, MessageId, Timestamp};

const CONVERSATIONS: &str = include_str!("../../../demo/history.json");
const MEMORIES: &str = include_str!("../../../demo/memories.json");
/// What the ids are derived from, so that loading twice adds nothing.
const SOURCE: &str = "nosso-demo";

/// A conversation of the history, in the plain form that `nosso import` reads as well.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Conversation {
    title: String,
    client: String,
    #[serde(default)]
    project: Option<String>,
    messages: Vec<NewMessage>,
}

/// A standing fact of the history.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Memory {
    client: String,
    kind: String,
    #[serde(default)]
    project: Option<String>,
    created_at: Timestamp,
    content: String,
}

/// The whole history.
pub struct History {
    conversations: Vec<Conversation>,
    memories: Vec<Memory>,
}

impl History {
    /// Reads what ships with the program.
    pub fn read() -> Result<Self> {
        let broken = |error: serde_json::Error| Error::internal(format!("read the demo's history: {error}"));
        Ok(Self {
            conversations: serde_json::from_str(CONVERSATIONS).map_err(broken)?,
            memories: serde_json::from_str(MEMORIES).map_err(broken)?,
        })
    }

    /// Stores it, each tool's share over a connection of that tool, as the tools themselves would.
    pub async fn store(self, connect: impl AsyncFn(ClientRef) -> Result<Client>) -> Result<Counts> {
        let mut counts = Counts::default();
        let mut tools: Vec<String> = self.conversations.iter().map(|it| it.client.clone()).collect();
        tools.extend(self.memories.iter().map(|it| it.client.clone()));
        tools.sort();
        tools.dedup();
        let (mut conversations, mut memories) = (self.conversations, self.memories);
        for tool in tools {
            let client =
                connect(ClientRef { name: tool.clone(), version: context::myself().version }).await?;
            for conversation in conversations.extract_if(.., |it| it.client == tool) {
                counts.messages += store_conversation(&client, conversation).await?;
                counts.conversations += 1;
            }
            for memory in memories.extract_if(.., |it| it.client == tool) {
                client.call::<MemoryAdd>(&to_add(memory)).await?;
                counts.memories += 1;
            }
        }
        Ok(counts)
    }
}

async fn store_conversation(client: &Client, conversation: Conversation) -> Result<u64> {
    let id = ConversationId::derived(SOURCE, &conversation.title);
    let create = CreateConversation {
        id: Some(id),
        title: Some(conversation.title.clone()),
        project: conversation.project,
        ..CreateConversation::default()
    };
    client.call::<ConversationCreate>(&create).await?;
    let mut messages = conversation.messages;
    for (i, message) in messages.iter_mut().enumerate() {
        message.id = Some(MessageId::derived(SOURCE, &format!("{}/{i}", conversation.title)));
    }
    let n = messages.len() as u64;
    client.call::<MessageAppend>(&AppendMessages { conversation_id: id, messages }).await?;
    Ok(n)
}

fn to_add(memory: Memory) -> AddMemory {
    AddMemory {
        id: Some(MemoryId::derived(SOURCE, &memory.content)),
        content: memory.content,
        kind: Some(memory.kind),
        project: memory.project,
        created_at: Some(memory.created_at),
        ..AddMemory::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_whole_and_in_order() {
        let history = History::read().unwrap();
        assert!(history.conversations.len() >= 12 && history.memories.len() >= 4);
        for conversation in &history.conversations {
            let times: Vec<Timestamp> =
                conversation.messages.iter().map(|message| message.created_at.unwrap()).collect();
            assert!(times.is_sorted(), "{}", conversation.title);
            assert!(conversation.messages.iter().all(|message| !message.content.trim().is_empty()));
        }
    }

    #[test]
    fn titles_are_unique_because_ids_come_from_them() {
        let history = History::read().unwrap();
        let mut titles: Vec<&str> = history.conversations.iter().map(|it| it.title.as_str()).collect();
        titles.sort();
        titles.dedup();
        assert_eq!(titles.len(), history.conversations.len());
    }

    #[test]
    fn several_tools_and_both_languages_take_part() {
        let history = History::read().unwrap();
        let tools: std::collections::HashSet<&str> =
            history.conversations.iter().map(|it| it.client.as_str()).collect();
        assert!(tools.len() >= 3, "{tools:?}");
        let accented = |it: &&Conversation| it.messages.iter().any(|m| m.content.contains("ão"));
        let portuguese = history.conversations.iter().filter(accented).count();
        assert!((5..=8).contains(&portuguese), "{portuguese} of {}", history.conversations.len());
    }

    #[test]
    fn the_file_is_one_that_import_takes() {
        let read = crate::exchange::history::read(CONVERSATIONS, Timestamp::now()).unwrap();
        assert!(read.refused.is_empty() && read.records.len() > 12, "{:?}", read.refused);
    }
}
