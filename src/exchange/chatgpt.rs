//! ChatGPT: `conversations.json`, whose conversations are maps of nodes, hidden ones among them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::json;
use super::told::{Parent, Part, Said, Told};
use crate::api::data::ImportFormat;
use crate::model::{AnswerStatus, Role};

/// A conversation of the export. Errors: why it is none.
pub(super) fn told(value: Value) -> Result<Told, String> {
    let Value::Object(mut outer) = value else { return Err("is no object".into()) };
    let mapping = json::take_object(&mut outer, "mapping").ok_or("has no object 'mapping'")?;
    let id = json::id(&outer, &["conversation_id", "id"]);
    let mut told = Told::new(ImportFormat::ChatGpt, id);
    told.title = json::name(&outer, &["title"]);
    told.created = json::time(&outer, &["create_time"]);
    told.updated = json::time(&outer, &["update_time"]);
    told.model = json::name(&outer, &["default_model_slug"]);
    told.current = json::id(&outer, &["current_node"]);
    (told.pinned, told.archived) = (json::is_set(&outer, "is_starred"), json::is_set(&outer, "is_archived"));
    nodes(&mut told, mapping);
    if told.id.is_none() {
        // the id of a root is as good a name, as every node has its own
        let of_first = told.messages.iter().find_map(|said| said.id.clone());
        told.id = of_first.map(|id| format!("node {id}"));
    }
    Ok(told)
}

/// From the roots down, children in the order in which their parent names them; then what nobody names.
fn nodes(told: &mut Told, mut mapping: Map<String, Value>) {
    let parent_of = |node: &Value| node.get("parent").and_then(json::id_of);
    let mut open: Vec<String> = mapping
        .iter()
        .filter(|(_, node)| parent_of(node).is_none())
        .map(|(id, _)| id.clone())
        .rev()
        .collect();
    let mut rest: Vec<String> = mapping.keys().rev().cloned().collect();
    let mut seen = HashSet::new();
    let mut number = 0;
    while let Some(id) = open.pop().or_else(|| rest.pop()) {
        if !seen.insert(id.clone()) {
            continue;
        }
        let Some(mut node) = mapping.remove(&id) else { continue };
        let children = node.get("children").and_then(Value::as_array).into_iter().flatten();
        let children: Vec<String> = children.filter_map(json::id_of).collect();
        open.extend(children.into_iter().rev());
        number += 1;
        let parent = parent_of(&node).map_or(Parent::Nobody, Parent::Of);
        let message = node.get_mut("message").map(Value::take);
        let said = match message {
            // the root is a node without a message
            None | Some(Value::Null) if node.is_object() => Said::of(Vec::new()),
            Some(Value::Object(message)) => said(message).unwrap_or_else(|reason| {
                told.refuse(number, reason);
                Said::of(Vec::new())
            }),
            _ => {
                told.refuse(number, "is no object");
                Said::of(Vec::new())
            }
        };
        told.messages.push(said.named(Some(id)).after(parent));
    }
}

fn said(mut message: Map<String, Value>) -> Result<Said, String> {
    let author = json::take_object(&mut message, "author").unwrap_or_default();
    let named = json::text(&author, &["role"]).ok_or("has no author with a role")?;
    let role = json::role_named(named)
        .ok_or_else(|| format!("has the unknown role '{}'", json::shortened(named, 40)))?;
    let metadata = json::take_object(&mut message, "metadata").unwrap_or_default();
    let mut content = json::take_object(&mut message, "content").unwrap_or_default();
    let recipient = json::text(&message, &["recipient"]).filter(|recipient| *recipient != "all");
    let kind = json::text(&content, &["content_type"]).unwrap_or("text").to_owned();
    let is_hidden = json::is_set(&metadata, "is_visually_hidden_from_conversation");
    let part = match kind.as_str() {
        "user_editable_context" | "model_editable_context" => {
            let texts = ["user_profile", "user_instructions", "model_set_context"];
            let texts: Vec<&str> = texts.iter().filter_map(|name| json::text(&content, &[name])).collect();
            Part::noise(Role::System, texts.join("\n\n"))
        }
        // thoughts stand in a node of their own, so they are its text
        "thoughts" | "reasoning_recap" => Part::noise(role, thought_texts(&content)),
        _ => {
            let text = match content.remove("parts") {
                Some(parts) => parts_text(&parts),
                None => json::text(&content, &["text", "result", "content"]).unwrap_or_default().to_owned(),
            };
            match (role, recipient) {
                // what the model told a tool
                (Role::Assistant, Some(tool)) => Part::call(tool, &Value::from(text)),
                _ if is_hidden => Part::noise(role, text),
                _ => Part::said(role, text),
            }
        }
    };
    let mut said = Said::of(vec![part]).at(json::time(&message, &["create_time"]));
    said.author = json::name(&author, &["name"]);
    said.model = json::name(&metadata, &["model_slug"]).filter(|_| role == Role::Assistant);
    said.status = match json::text(&message, &["status"]) {
        Some("in_progress" | "finished_partial_completion") if role == Role::Assistant => {
            Some(AnswerStatus::Cancelled)
        }
        _ => None,
    };
    Ok(said)
}

/// Texts as they are; of what is no text, what sort of thing it is.
fn parts_text(parts: &Value) -> String {
    let Value::Array(parts) = parts else { return json::text_of(parts).unwrap_or_default() };
    let texts = parts.iter().filter_map(|part| match part {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => json::text(object, &["text"]).map(str::to_owned).or_else(|| {
            Some(format!("[{}]", json::text(object, &["content_type"])?.trim_end_matches("_asset_pointer")))
        }),
        _ => None,
    });
    texts.filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

fn thought_texts(content: &Map<String, Value>) -> String {
    let thoughts = content.get("thoughts").and_then(Value::as_array).into_iter().flatten();
    let mut texts: Vec<String> = thoughts
        .filter_map(|thought| Some(json::text(thought.as_object()?, &["content", "summary"])?.to_owned()))
        .collect();
    texts.extend(json::text(content, &["content"]).map(str::to_owned));
    texts.join("\n\n")
}
