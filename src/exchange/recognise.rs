//! Tells by the beginning of a file which tool wrote it.

use std::collections::HashSet;

use super::{record, without_mark};
use crate::api::data::ImportFormat;

/// The format of a text, judged by its beginning, of which a mebibyte is plenty; none for what is none.
pub fn recognise(text: &str) -> Option<ImportFormat> {
    let text = without_mark(text).trim_start();
    match text.chars().next()? {
        '[' if text[1..].trim_start().starts_with(']') => Some(ImportFormat::History),
        '[' | '{' => of_keys(&Keys::of(text), text),
        _ => is_aichat(text).then_some(ImportFormat::Aichat),
    }
}

/// The format of a database, judged by the names of its tables.
pub fn recognise_tables(tables: &[String]) -> Option<ImportFormat> {
    let has = |names: &[&str]| names.iter().all(|name| tables.iter().any(|table| table == name));
    if has(&["conversations", "responses"]) || has(&["threads", "turns", "messages", "parts"]) {
        Some(ImportFormat::Llm)
    } else if has(&["chats", "messages"]) {
        Some(ImportFormat::Ollama)
    } else if has(&["chat"]) {
        Some(ImportFormat::OpenWebui)
    } else {
        None
    }
}

fn of_keys(keys: &Keys, text: &str) -> Option<ImportFormat> {
    use ImportFormat::*;
    let Keys { outer, inner, types } = keys;
    let has = |name: &str| outer.contains(name);
    let is_type = |names: &[&str]| names.iter().any(|name| types.contains(*name));
    let is_lines = text.starts_with('{');
    Some(if has("mapping") {
        ChatGpt
    } else if has("chat_messages") {
        Claude
    } else if has("messagesTree") || (has("conversationId") && has("messages")) {
        LibreChat
    } else if has("projectHash") && has("sessionId") {
        Gemini
    } else if is_lines && has("id") && has("timestamp") && (has("instructions") || has("record_type")) {
        // the first versions; their items have types of ours
        Codex
    } else if is_lines && is_type(record::TYPES) {
        Nosso
    } else if is_lines && has("payload") && is_type(CODEX) {
        Codex
    } else if is_lines && (has("sessionId") && has("uuid") || is_type(CLAUDE_CODE)) {
        ClaudeCode
    } else if has("chat") && (inner.contains("history") || inner.contains("messages")) {
        OpenWebui
    } else if has("history") && (inner.contains("currentId") || inner.contains("messages")) && !has("version")
    {
        // the old form of a chat; another program writes {"version": 1, "history": […]}
        OpenWebui
    } else if has("messages")
        || has("role")
        || inner.contains("messages")
        || (has("version") && has("history"))
    {
        History
    } else {
        return None;
    })
}

const CODEX: &[&str] = &["session_meta", "response_item", "event_msg", "turn_context", "compacted"];
const CLAUDE_CODE: &[&str] =
    &["summary", "file-history-snapshot", "queue-operation", "custom-title", "ai-title"];

/// What the first values of a file are made of.
#[derive(Debug, Default)]
struct Keys {
    /// The members of the values.
    outer: HashSet<String>,
    /// The members of what these hold.
    inner: HashSet<String>,
    /// What the values' `type` is.
    types: HashSet<String>,
}

impl Keys {
    /// Of all values of the document as far as `text` reaches. An object around a list of conversations counts as
    /// that list.
    fn of(text: &str) -> Self {
        let mut keys = Self::default();
        let bytes = text.as_bytes();
        // what is open: whether it is an object
        let mut open: Vec<bool> = Vec::new();
        // how deep the values are
        let mut base = 0;
        let mut key: Option<&str> = None;
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            at += 1;
            match byte {
                b'"' => {
                    let Some(end) = string_end(bytes, at) else { break };
                    let word = text.get(at..end).unwrap_or_default();
                    at = end + 1;
                    let is_key = open.last() == Some(&true)
                        && bytes[at..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
                    let depth = open.len().wrapping_sub(base);
                    if is_key {
                        key = Some(word);
                        match depth {
                            1 => drop(keys.outer.insert(word.to_owned())),
                            2 => drop(keys.inner.insert(word.to_owned())),
                            _ => {}
                        }
                    } else if depth == 1 && key == Some("type") {
                        keys.types.insert(word.to_owned());
                    }
                }
                b'[' | b'{' => {
                    let is_container = open.len() == base + 1
                        && base == 0
                        && matches!(key, Some("conversations" | "chats" | "data"));
                    open.push(byte == b'{');
                    if open == [false] {
                        base = 1;
                    } else if is_container {
                        keys = Self::default();
                        base = 2;
                    }
                    key = None;
                }
                b']' | b'}' => {
                    open.pop();
                    if base == 2 && open.len() < 2 {
                        // behind the list there is nothing to learn
                        break;
                    }
                }
                _ => {}
            }
        }
        keys
    }
}

fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// A session of aichat says which model it is held with, and lists messages, at the left margin.
fn is_aichat(text: &str) -> bool {
    let begins = |name: &str| text.lines().any(|line| line.starts_with(name));
    begins("messages:") && (begins("model:") || text.contains("role:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_apart() {
        use ImportFormat::*;
        let check = |text: &str, expected| assert_eq!(recognise(text), Some(expected), "{text}");
        check("{\"type\":\"nosso\",\"version\":1}\n", Nosso);
        check("\u{feff}{\"type\":\"message\",\"id\":1}", Nosso);
        check(" [ {\"messages\": []}]", History);
        check("[]", History);
        check("{\n \"conversations\": [{\"messages\": []}]}", History);
        check("{\"abc\": {\"messages\": []}}", History);
        check("{\"version\":1,\"history\":[{\"name\":\"x\",\"messages\":[]}]}", History);
        check("[{\"role\":\"user\",\"content\":\"\\\"mapping\\\": 1\"}]", History);
        check("[{\"title\":\"Corrupted entry\"},{\"title\":\"x\",\"mapping\":{", ChatGpt);
        check("{\"conversations\":[{\"uuid\":1,\"chat_messages\":[]}]}", Claude);
        check("{\"conversationId\":\"1\",\"messages\":[{\"text\":\"x\"}]}", LibreChat);
        check("{\"id\":1,\"chat\":{\"title\":\"\",\"history\":{\"messages\":{}}}}\n{\"id\":2}", OpenWebui);
        check("[{\"title\":\"\",\"history\":{\"currentId\":1,\"messages\":{}}}]", OpenWebui);
        check("{\"sessionId\":\"1\",\"projectHash\":\"2\",\"startTime\":\"\"}\n", Gemini);
        check("{\"timestamp\":\"\",\"type\":\"session_meta\",\"payload\":{}}", Codex);
        check("{\"type\":\"summary\",\"summary\":\"x\",\"leafUuid\":\"y\"}", ClaudeCode);
        check(
            "{\"parentUuid\":null,\"sessionId\":\"s\",\"type\":\"user\",\"uuid\":\"u\",\"message\":{",
            ClaudeCode,
        );
        check("model: openai:gpt-4o\ntemperature: 1.0\nmessages:\n- role: user\n  content: x\n", Aichat);
        for other in
            ["", "  ", "hello", "[1, 2]", "\"x\"", "PK\u{3}\u{4}", "{}", "{\"a\":1}", "messages: none"]
        {
            assert_eq!(recognise(other), None, "{other}");
        }
    }

    #[test]
    fn databases_are_told_apart() {
        let check = |tables: &[&str], expected| {
            let tables: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
            assert_eq!(recognise_tables(&tables), expected, "{tables:?}");
        };
        check(&["conversations", "responses"], Some(ImportFormat::Llm));
        check(&["messages", "parts", "threads", "turns"], Some(ImportFormat::Llm));
        check(&["chats", "messages", "settings"], Some(ImportFormat::Ollama));
        check(&["chat", "user", "folder"], Some(ImportFormat::OpenWebui));
        check(&["moz_places"], None);
    }
}
