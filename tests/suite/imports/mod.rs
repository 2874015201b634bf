//! Histories of other tools: what is read from samples of each, from broken variants, and what arrives in the store.

mod broken;
mod daemon;
mod databases;
mod follow;
mod mutations;
mod samples;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use nosso::api::data::ImportFormat;
use nosso::exchange::{self, Readout, Record, Source};
use nosso::model::{Message, MessageId, Timestamp};

/// The samples, each with the format that it is in.
pub const SAMPLES: &[(&str, ImportFormat)] = &[
    ("open-webui.json", ImportFormat::OpenWebui),
    ("open-webui-old.json", ImportFormat::OpenWebui),
    ("chatgpt.json", ImportFormat::ChatGpt),
    ("chatgpt-one.json", ImportFormat::ChatGpt),
    ("claude.json", ImportFormat::Claude),
    ("librechat.json", ImportFormat::LibreChat),
    ("aichat.yaml", ImportFormat::Aichat),
    ("claude-code.jsonl", ImportFormat::ClaudeCode),
    ("claude-code-2.jsonl", ImportFormat::ClaudeCode),
    ("claude-code-agent.jsonl", ImportFormat::ClaudeCode),
    ("codex.jsonl", ImportFormat::Codex),
    ("codex-old.jsonl", ImportFormat::Codex),
    ("gemini.jsonl", ImportFormat::Gemini),
    ("gemini-old.json", ImportFormat::Gemini),
];

pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/imports").join(name)
}

pub fn sample(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

pub fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

pub fn read(format: ImportFormat, bytes: &[u8]) -> Readout {
    let mut all = Readout::default();
    let source = Source { format, name: Some("work"), now: now() };
    exchange::read_from(&mut &bytes[..], source, &mut |part| {
        all.append(part);
        Ok(())
    })
    .unwrap();
    all
}

pub fn messages(readout: &Readout) -> Vec<&Message> {
    fn message(record: &Record) -> Option<&Message> {
        match record {
            Record::Message(message) => Some(message),
            Record::Conversation(_) | Record::Memory(_) => None,
        }
    }
    readout.records.iter().filter_map(message).collect()
}

/// What was read as lines that people can compare: numbers instead of ids, and the beginnings of texts.
pub fn outline(readout: &Readout) -> String {
    let mut text = String::new();
    let mut numbers: HashMap<MessageId, u64> = HashMap::new();
    let mut n = 0;
    for record in &readout.records {
        if let Record::Message(message) = record {
            n += 1;
            numbers.insert(message.id, n);
        }
    }
    let number = |id: Option<MessageId>| id.map_or("-".into(), |id| numbers[&id].to_string());
    for record in &readout.records {
        let line = match record {
            Record::Conversation(it) => {
                let client = it.client.as_ref().map(|client| format!("{} {}", client.name, client.version));
                let metadata = it.metadata.clone().map(serde_json::Value::Object).unwrap_or_default();
                let folder = it.folder.as_ref().map(|folder| format!(" in {folder}")).unwrap_or_default();
                let tags: String = it.tags.iter().map(|tag| format!(" #{tag}")).collect();
                let pinned = if it.pinned { " pinned" } else { "" };
                let archived = if it.archived { " archived" } else { "" };
                format!(
                    "{:?} project {} model {} client {} head {} {} to {}{folder}{tags}{pinned}{archived} {metadata}\n",
                    it.title.as_deref().unwrap_or("-"),
                    it.project.as_deref().unwrap_or("-"),
                    it.model.as_deref().unwrap_or("-"),
                    client.unwrap_or_default().trim(),
                    number(it.head_message_id),
                    it.created_at,
                    it.updated_at,
                )
            }
            Record::Message(it) => {
                let hidden = if it.searchable { "" } else { " not searched" };
                let model = it.model.as_ref().map(|model| format!(" {model}")).unwrap_or_default();
                let author = it.author.as_ref().map(|author| format!(" by {author}")).unwrap_or_default();
                let status = it.status.map(|status| format!(" {status:?}")).unwrap_or_default();
                let tokens = it.usage.and_then(|usage| usage.completion_tokens);
                let usage = tokens.map(|n| format!(" {n} tokens")).unwrap_or_default();
                let metadata = it.metadata.clone().map(serde_json::Value::Object).unwrap_or_default();
                let content: String = it.content.chars().take(60).collect();
                format!(
                    "  {} after {} {} {}{model}{author}{status}{usage}{hidden} {content:?} {metadata}\n",
                    numbers[&it.id],
                    number(it.parent_id),
                    it.created_at,
                    it.role,
                )
            }
            Record::Memory(it) => {
                let path = it.path.as_ref().map(|path| format!(" at {path}")).unwrap_or_default();
                format!("{}{path} {:?} {}\n", it.kind, it.content, it.created_at)
            }
        };
        text.push_str(&line);
    }
    for refused in &readout.refused {
        text.push_str(&format!("refused {}: {}\n", refused.place, refused.reason));
    }
    if !readout.ignored.is_empty() {
        text.push_str(&format!("ignored {:?}\n", readout.ignored));
    }
    if readout.mended > 0 {
        text.push_str(&format!("mended {}\n", readout.mended));
    }
    text
}

/// What every reading promises, whatever was read.
pub fn check_promises(readout: &Readout) {
    let mut conversations = HashMap::new();
    let mut seen: HashMap<MessageId, (nosso::model::ConversationId, u64)> = HashMap::new();
    let mut heads = HashSet::new();
    for record in &readout.records {
        match record {
            Record::Conversation(it) => {
                conversations.insert(it.id, it.message_count);
                heads.extend(it.head_message_id.map(|head| (it.id, head)));
                assert!(it.updated_at >= it.created_at);
            }
            Record::Message(it) => {
                assert!(conversations.contains_key(&it.conversation_id), "a message before its conversation");
                if let Some(parent) = it.parent_id {
                    let (conversation, seq) = seen[&parent];
                    assert_eq!(conversation, it.conversation_id);
                    assert!(seq < it.seq, "a message before the one that it answers");
                }
                assert!(it.content.len() <= nosso::api::limits::MAX_CONTENT_BYTES);
                seen.insert(it.id, (it.conversation_id, it.seq));
            }
            Record::Memory(_) => {}
        }
    }
    for (conversation, head) in heads {
        assert_eq!(seen[&head].0, conversation, "a head of another conversation");
    }
    for refused in &readout.refused {
        assert!(!refused.place.is_empty() && !refused.reason.is_empty(), "{refused:?}");
    }
}
