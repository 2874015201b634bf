//! Open WebUI: chats whose messages are a map of a tree, from its export and from its database.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::json;
use super::tables::{Row, Rows, Select};
use super::told::{Parent, Part, Said, Told};
use super::{Readout, Record, convert};
use crate::api::data::ImportFormat;
use crate::api::limits::{MAX_MEMORY_BYTES, MAX_PATH_BYTES};
use crate::error::Result;
use crate::model::{AnswerStatus, Memory, MemoryId, Role, Timestamp};

/// A chat of the export, of either age: the old form has no `chat` around it. Errors: why it is none.
pub(super) fn told(value: Value) -> Result<Told, String> {
    let Value::Object(mut outer) = value else { return Err("is no object".into()) };
    let mut chat = match outer.remove("chat") {
        Some(Value::Object(chat)) => chat,
        // a database keeps it as text
        Some(Value::String(text)) => match json::parse(text.as_bytes())?.0 {
            Value::Object(chat) => chat,
            _ => return Err("has a 'chat' that is no object".into()),
        },
        Some(_) => return Err("has a 'chat' that is no object".into()),
        None => std::mem::take(&mut outer),
    };
    let mut told = Told::new(ImportFormat::OpenWebui, json::id(&outer, &["id"]).or(json::id(&chat, &["id"])));
    told.title = json::name(&outer, &["title"]).or(json::name(&chat, &["title"]));
    told.created = json::time(&outer, &["created_at"]).or(json::time(&chat, &["timestamp", "created_at"]));
    told.updated = json::time(&outer, &["updated_at"]).or(json::time(&chat, &["updated_at"]));
    told.model = json::names(chat.get("models")).into_iter().next();
    let meta = outer.get("meta").or(chat.get("meta")).and_then(|meta| meta.get("tags"));
    let mut tags = json::names(meta);
    tags.extend(json::names(chat.get("tags")));
    tags.sort();
    tags.dedup();
    let is_set = |name: &str| json::is_set(&outer, name) || json::is_set(&chat, name);
    (told.pinned, told.archived) = (is_set("pinned"), is_set("archived"));
    told.folder = json::name(&outer, &[FOLDER_PATH]);
    told.keeps_ids = json::is_set(&outer, OWN_IDS);
    told.tags = tags;
    // the export names folders by their ids only
    if let (None, Some(folder)) = (&told.folder, json::id(&outer, &["folder_id"])) {
        told.metadata.insert("folderId".into(), folder.into());
    }

    let mut history = json::take_object(&mut chat, "history").unwrap_or_default();
    told.current = json::id(&history, &["currentId"]);
    match (history.remove("messages"), chat.remove("messages")) {
        (Some(Value::Object(messages)), _) if !messages.is_empty() => tree(&mut told, messages),
        (Some(Value::Array(messages)), _) | (_, Some(Value::Array(messages))) => list(&mut told, messages),
        (Some(Value::Object(_)), _) => {}
        _ => return Err("has neither 'history.messages' nor a list 'messages'".into()),
    }
    Ok(told)
}

/// Where the path of a chat's folder stands, which only the database and nosso's own export know.
pub(super) const FOLDER_PATH: &str = "folder_path";
/// What nosso's own export sets, so that what it brings back keeps its ids.
pub(super) const OWN_IDS: &str = "nossoIds";
/// Where nosso's own export keeps a role that Open WebUI does not know.
pub(super) const OWN_ROLE: &str = "nossoRole";

/// From the roots down, children in the order in which their parent names them; then what nobody names.
fn tree(told: &mut Told, mut messages: Map<String, Value>) {
    let children = |message: &Value| -> Vec<String> {
        let named = message.get("childrenIds").and_then(Value::as_array).into_iter().flatten();
        named.filter_map(json::id_of).collect()
    };
    let is_root = |message: &Value| message.get("parentId").is_none_or(Value::is_null);
    let mut open: Vec<String> =
        messages.iter().filter(|(_, message)| is_root(message)).map(|(id, _)| id.clone()).rev().collect();
    let mut rest: Vec<String> = messages.keys().rev().cloned().collect();
    let mut seen = HashSet::new();
    let mut number = 0;
    while let Some(id) = open.pop().or_else(|| rest.pop()) {
        if !seen.insert(id.clone()) {
            continue;
        }
        let Some(value) = messages.remove(&id) else { continue };
        open.extend(children(&value).into_iter().rev());
        number += 1;
        let said = said(told, number, Some(id), value, Parent::Nobody);
        told.messages.push(said);
    }
}

fn list(told: &mut Told, messages: Vec<Value>) {
    for (at, value) in messages.into_iter().enumerate() {
        let said = said(told, at + 1, None, value, Parent::Previous);
        told.messages.push(said);
    }
}

/// One message; what cannot be read is refused and stays as a link of the tree.
fn said(told: &mut Told, number: usize, key: Option<String>, value: Value, parent: Parent) -> Said {
    let Value::Object(mut message) = value else {
        told.refuse(number, "is no object");
        return Said::of(Vec::new()).named(key).after(parent);
    };
    let id = key.or_else(|| json::id(&message, &["id"]));
    let parent = json::id(&message, &["parentId"]).map_or(parent, Parent::Of);
    let empty = Said::of(Vec::new()).named(id).after(parent);
    let role = json::text(&message, &[OWN_ROLE, "role"]).unwrap_or_default();
    let Some(role) = json::role_named(role) else {
        let reason = format!("has the unknown role '{}'", json::shortened(role, 40));
        told.refuse(number, reason);
        return empty;
    };
    let content = match message.remove("content") {
        Some(Value::String(text)) => text,
        Some(Value::Null) | None => String::new(),
        Some(Value::Array(blocks)) => json::text_of(&Value::Array(blocks)).unwrap_or_default(),
        Some(other) => {
            told.refuse(number, format!("has a content that is {}", kind(&other)));
            return empty;
        }
    };
    let error = message.get("error").filter(|error| !matches!(error, Value::Null | Value::Bool(false)));
    let content = match content.trim().is_empty() {
        true => files(&message).or_else(|| json::text_of(error?.get("content")?)).unwrap_or(content),
        false => content,
    };
    // an answer without words keeps its place in the tree
    let parts = vec![Part::said(role, content)];
    let status = match (role, &error, message.get("done")) {
        (Role::Assistant, Some(_), _) => Some(AnswerStatus::Failed),
        (Role::Assistant, None, Some(Value::Bool(false))) => Some(AnswerStatus::Cancelled),
        _ => None,
    };
    let usage = ["usage", "info"].iter().find_map(|name| {
        let usage = message.get(*name)?.as_object()?;
        json::usage(usage, "prompt_tokens", "completion_tokens")
            .or_else(|| json::usage(usage, "prompt_eval_count", "eval_count"))
    });
    let model = json::name(&message, &["model"]).filter(|_| role == Role::Assistant);
    Said { parts, model, status, usage, ..empty }.at(json::time(&message, &["timestamp", "created_at"]))
}

fn files(message: &Map<String, Value>) -> Option<String> {
    let files = message.get("files")?.as_array()?.iter().map(|file| {
        let name = ["name", "filename", "type"].iter().find_map(|name| file.get(*name)?.as_str());
        format!("[{}]", name.unwrap_or("file"))
    });
    let files: Vec<String> = files.collect();
    (!files.is_empty()).then(|| files.join(" "))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Reads `webui.db`: its chats, and what it remembers about its user.
pub(super) fn read_tables(
    rows: &Rows<'_>,
    now: Timestamp,
    each: &mut dyn FnMut(Readout) -> Result<()>,
) -> Result<()> {
    let mut folders = HashMap::new();
    rows(&Select::all("folder", &["id", "name", "parent_id"]), &mut |row| {
        if let (Some(id), Some(name)) = (json::id(&row, &["id"]), json::name(&row, &["name"])) {
            folders.insert(id, (name, json::id(&row, &["parent_id"])));
        }
        Ok(())
    })?;
    const CHAT: &[&str] =
        &["id", "title", "archived", "pinned", "created_at", "updated_at", "chat", "meta", "folder_id"];
    let mut number = 0u64;
    rows(&Select::all("chat", CHAT), &mut |mut row| {
        number += 1;
        let place = format!("chat {number}");
        if let Some(Value::String(meta)) = row.get("meta") {
            let meta = json::parse(meta.as_bytes()).map_or(Value::Null, |(meta, _)| meta);
            row.insert("meta".into(), meta);
        }
        if let Some(path) = json::id(&row, &["folder_id"]).and_then(|id| folder_path(&folders, id)) {
            row.insert(FOLDER_PATH.into(), path.into());
        }
        each(match told(Value::Object(row)) {
            Ok(told) => convert::records(told, &place, now),
            Err(reason) => {
                let mut readout = Readout::default();
                readout.refuse(place, reason);
                readout
            }
        })
    })?;
    let mut number = 0u64;
    rows(&Select::all("memory", &["id", "content", "type", "path", "created_at", "updated_at"]), &mut |row| {
        number += 1;
        let mut readout = Readout::default();
        match memory(&row, now) {
            Ok(memory) => readout.records.push(Record::Memory(memory)),
            Err(reason) => readout.refuse(format!("memory {number}"), reason),
        }
        each(readout)
    })
}

/// "Work/Clients" of the folder "Clients" in the folder "Work".
fn folder_path(folders: &HashMap<String, (String, Option<String>)>, id: String) -> Option<String> {
    const DEEPEST: usize = 20;
    let mut names = Vec::new();
    let mut next = Some(id);
    while let Some((name, parent)) = next.and_then(|id| folders.get(&id)) {
        // a slash would make two folders of one
        names.push(name.replace('/', "∕"));
        if names.len() == DEEPEST {
            break;
        }
        next = parent.clone();
    }
    names.reverse();
    (!names.is_empty()).then(|| names.join("/"))
}

/// A path without the slashes at its ends; none where it has names that paths here may not have.
fn memory_path(path: &str) -> Option<String> {
    let path = path.trim().trim_matches('/');
    let is_name = |name: &str| {
        !name.is_empty()
            && name == name.trim()
            && name != "."
            && name != ".."
            && !name.contains(char::is_control)
    };
    (path.len() <= MAX_PATH_BYTES && path.split('/').all(is_name)).then(|| path.to_owned())
}

fn memory(row: &Row, now: Timestamp) -> Result<Memory, String> {
    let id = json::id(row, &["id"]).ok_or("has no id")?;
    let content = json::text(row, &["content"]).ok_or("has no text")?;
    if content.len() > MAX_MEMORY_BYTES {
        return Err(format!("has {} bytes of text; at most {MAX_MEMORY_BYTES} are stored", content.len()));
    }
    let created_at = json::time(row, &["created_at", "updated_at"]).unwrap_or(now);
    let kind = match json::text(row, &["type"]) {
        Some(kind @ ("user" | "context")) => kind,
        Some(_) | None => "fact",
    };
    Ok(Memory {
        id: MemoryId::derived(ImportFormat::OpenWebui.name(), &id),
        kind: kind.into(),
        path: json::text(row, &["path"]).and_then(memory_path),
        pinned: false,
        content: content.to_owned(),
        project: None,
        client: Some(crate::model::ClientRef {
            name: ImportFormat::OpenWebui.name().into(),
            version: String::new(),
        }),
        source_message_id: None,
        created_at,
        updated_at: json::time(row, &["updated_at"]).unwrap_or(created_at).max(created_at),
        expires_at: None,
        superseded_by: None,
        metadata: None,
    })
}
