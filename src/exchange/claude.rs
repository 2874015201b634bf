//! Claude: `conversations.json` of the export, whose messages are lists of blocks.

use serde_json::Value;

use super::told::{Parent, Part, Said, Told};
use super::{blocks, json};
use crate::api::data::ImportFormat;

/// What the first messages of an export name as their parent.
const NO_PARENT: &str = "00000000-0000-4000-8000-000000000000";

/// A conversation of the export. Errors: why it is none.
pub(super) fn told(value: Value) -> Result<Told, String> {
    let Value::Object(mut outer) = value else { return Err("is no object".into()) };
    let messages = json::take_list(&mut outer, "chat_messages").ok_or("has no list 'chat_messages'")?;
    let mut told = Told::new(ImportFormat::Claude, json::id(&outer, &["uuid", "id"]));
    told.title = json::name(&outer, &["name", "title"]);
    told.model = json::name(&outer, &["model"]);
    told.created = json::time(&outer, &["created_at"]);
    told.updated = json::time(&outer, &["updated_at"]);
    told.current = json::id(&outer, &["current_leaf_message_uuid"]);
    (told.pinned, told.archived) = (json::is_set(&outer, "is_starred"), json::is_set(&outer, "is_archived"));
    for key in ["summary", "project_uuid"] {
        if let Some(text) = json::text(&outer, &[key]) {
            told.metadata.insert(key.into(), text.into());
        }
    }
    for (at, value) in messages.into_iter().enumerate() {
        let said = said(&mut told, at + 1, value);
        told.messages.push(said);
    }
    Ok(told)
}

fn said(told: &mut Told, number: usize, value: Value) -> Said {
    let Value::Object(message) = value else {
        told.refuse(number, "is no object");
        return Said::of(Vec::new());
    };
    let id = json::id(&message, &["uuid", "id"]);
    let parent = match json::id(&message, &["parent_message_uuid"]) {
        Some(parent) if parent == NO_PARENT => Parent::Nobody,
        Some(parent) => Parent::Of(parent),
        None => Parent::Previous,
    };
    let sender = json::text(&message, &["sender", "role"]).unwrap_or_default();
    let Some(role) = json::role_named(sender) else {
        let reason = format!("has the unknown sender '{}'", json::shortened(sender, 40));
        told.refuse(number, reason);
        return Said::of(Vec::new()).named(id).after(parent);
    };
    let mut content = blocks::read(role, message.get("content").unwrap_or(&Value::Null));
    let says_nothing = content.parts.iter().all(|part| part.text.trim().is_empty());
    if says_nothing && let Some(text) = json::text(&message, &["text"]) {
        content.parts = vec![Part::said(role, text)];
    }
    // pasted texts; of other files only the names are exported
    for attachment in message.get("attachments").and_then(Value::as_array).into_iter().flatten() {
        let text = attachment.get("extracted_content").and_then(Value::as_str).unwrap_or_default();
        content.parts.push(Part::said(role, text));
    }
    for file in message.get("files").and_then(Value::as_array).into_iter().flatten() {
        let name = file.get("file_name").and_then(Value::as_str).unwrap_or_default();
        let name = if name.is_empty() { String::new() } else { format!("[{name}]") };
        content.parts.push(Part::said(role, name));
    }
    content.unknown.iter().for_each(|kind| told.ignore(kind));
    let mut said = Said::of(content.parts).named(id).after(parent).at(json::time(&message, &["created_at"]));
    said.thinking(&content.thinking);
    said
}
