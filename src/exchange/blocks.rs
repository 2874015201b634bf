//! The content blocks of Anthropic's messages, which Claude's export and Claude Code's sessions share.

use serde_json::Value;

use super::json;
use super::told::Part;
use crate::model::Role;

/// What a list of blocks says.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Its texts, its calls of tools and their results, in order.
    pub parts: Vec<Part>,
    /// What the model thought before.
    pub thinking: String,
    /// Names of blocks that nobody knows.
    pub unknown: Vec<String>,
}

/// Reads a content: a text, or a list of blocks said by `role`.
pub(super) fn read(role: Role, content: &Value) -> Content {
    let mut read = Content::default();
    match content {
        Value::String(text) => read.parts.push(Part::said(role, text)),
        Value::Array(blocks) => blocks.iter().for_each(|block| read.block(role, block)),
        _ => {}
    }
    read
}

impl Content {
    fn block(&mut self, role: Role, block: &Value) {
        if let Value::String(text) = block {
            return self.parts.push(Part::said(role, text));
        }
        let Some(members) = block.as_object() else { return };
        let kind = json::text(members, &["type"]).unwrap_or("text");
        match kind {
            "text" => self.parts.extend(json::text_of(block).map(|text| Part::said(role, text))),
            "thinking" => {
                let thought = json::text(members, &["thinking"]).unwrap_or_default();
                if !self.thinking.is_empty() && !thought.is_empty() {
                    self.thinking.push_str("\n\n");
                }
                self.thinking.push_str(thought);
            }
            "redacted_thinking" | "token_budget" | "flag" => {}
            "tool_use" | "server_tool_use" => {
                let name = json::text(members, &["name"]).unwrap_or("tool");
                self.parts.push(Part::call(name, members.get("input").unwrap_or(&Value::Null)));
            }
            "tool_result" | "web_search_tool_result" => {
                let result = members.get("content").map(result_text).unwrap_or_default();
                self.parts.push(Part::noise(Role::Tool, result));
            }
            "image" | "document" | "file" => {
                let name = json::text(members, &["title", "file_name"]).unwrap_or(kind);
                self.parts.push(Part::said(role, format!("[{name}]")));
            }
            unknown => self.unknown.push(unknown.to_owned()),
        }
    }
}

/// What a tool answered, as text; pictures are only named.
pub(super) fn result_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            blocks.iter().map(result_text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
        }
        Value::Object(members) => match json::text(members, &["type"]) {
            Some(kind @ ("image" | "document")) => format!("[{kind}]"),
            _ => json::text_of(content).unwrap_or_else(|| content.to_string()),
        },
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
