//! Ollama's app: a database of chats and their messages.

use serde_json::Value;

use super::tables::{Row, Rows, Select};
use super::told::{Part, Said, Told};
use super::{Readout, blocks, convert, json};
use crate::api::data::ImportFormat;
use crate::error::Result;
use crate::model::{Role, Timestamp};

const MESSAGE: &[&str] = &["id", "role", "content", "thinking", "model_name", "created_at", "tool_result"];

/// Reads a database.
pub(super) fn read_tables(
    rows: &Rows<'_>,
    now: Timestamp,
    each: &mut dyn FnMut(Readout) -> Result<()>,
) -> Result<()> {
    let mut number = 0u64;
    rows(&Select::all("chats", &["id", "title", "created_at"]), &mut |row| {
        number += 1;
        let mut told = Told::new(ImportFormat::Ollama, json::id(&row, &["id"]));
        told.title = json::name(&row, &["title"]);
        told.created = json::time(&row, &["created_at"]);
        let id = row.get("id").cloned().unwrap_or_default();
        rows(&Select::all("messages", MESSAGE).only("chat_id", id).sorted(&["id"]), &mut |row| {
            let said = match said(rows, &row)? {
                Ok(said) => said,
                Err(reason) => {
                    told.refuse(told.messages.len() + 1, reason);
                    Said::of(Vec::new())
                }
            };
            told.messages.push(said);
            Ok(())
        })?;
        each(convert::records(told, &format!("chat {number}"), now))
    })
}

fn said(rows: &Rows<'_>, row: &Row) -> Result<Result<Said, String>> {
    let named = json::text(row, &["role"]).unwrap_or_default();
    let Some(role) = json::role_named(named) else {
        return Ok(Err(format!("has the unknown role '{}'", json::shortened(named, 40))));
    };
    let id = row.get("id").cloned().unwrap_or_default();
    let mut parts = Vec::new();
    let attachments = Select::all("attachments", &["filename"]).only("message_id", id.clone());
    rows(&attachments.sorted(&["id"]), &mut |row| {
        let name = json::text(&row, &["filename"]).unwrap_or("file");
        parts.push(Part::said(role, format!("[{name}]")));
        Ok(())
    })?;
    let content = row.get("content").and_then(Value::as_str).unwrap_or_default();
    parts.push(Part::said(role, content));
    if role == Role::Tool && content.trim().is_empty() {
        parts.push(Part::noise(role, row.get("tool_result").map(blocks::result_text).unwrap_or_default()));
    }
    const CALL: &[&str] = &["function_name", "function_arguments", "function_result"];
    rows(&Select::all("tool_calls", CALL).only("message_id", id.clone()).sorted(&["id"]), &mut |row| {
        let name = json::text(&row, &["function_name"]).unwrap_or("tool");
        parts.push(Part::call(name, row.get("function_arguments").unwrap_or(&Value::Null)));
        let result = row.get("function_result").map(blocks::result_text).unwrap_or_default();
        parts.push(Part::noise(Role::Tool, result));
        Ok(())
    })?;
    let mut said = Said::of(parts).named(json::id_of(&id)).at(json::time(row, &["created_at"]));
    said.model = json::name(row, &["model_name"]).filter(|_| role == Role::Assistant);
    said.thinking(row.get("thinking").and_then(Value::as_str).unwrap_or_default());
    Ok(Ok(said))
}
