//! Plain JSON histories: conversations with `messages: [{role, content, …}]`, as many small programs keep them.

use std::io::BufRead;

use serde_json::{Map, Value};

use super::scan::{Found, Shape, scan};
use super::told::{Said, Told};
use super::{Readout, convert, json, reading};
use crate::api::data::ImportFormat;
use crate::api::limits::MAX_CONTENT_BYTES;
use crate::error::Result;
use crate::model::{Metadata, Timestamp};

const SHAPE: Shape = Shape { containers: &["conversations", "chats", "history"], is_keyed: true };

/// Reads a history: an array of conversations, `{"conversations": …}`, an object whose keys are the ids, a single
/// conversation, or an array of messages.
///
/// Reading the same text again gives the same ids: those of the file where they are UUIDs, else ids derived from
/// the file's, else from the title, the first message and the time. Each message answers the one before it. What
/// has no time gets that of the message before it, or `now`. A broken conversation or message is refused and the
/// others are read.
///
/// Errors: none, as nothing is read from outside.
pub fn read(text: &str, now: Timestamp) -> Result<Readout> {
    reading::read(text, reading::Source { format: ImportFormat::History, name: None, now })
}

pub(super) fn read_from(
    reader: &mut dyn BufRead,
    now: Timestamp,
    each: &mut dyn FnMut(Readout) -> Result<()>,
) -> Result<()> {
    let mut number = 0u64;
    // a bare list of messages is one conversation, which is whole at its end
    let mut loose: Vec<Value> = Vec::new();
    scan(reader, SHAPE, &mut |found| {
        let (key, value) = match found {
            Found::Value { key, json: bytes } => match json::parse(bytes) {
                Ok((value, _)) if key.is_none() && is_message(&value) => {
                    loose.push(value);
                    return Ok(());
                }
                Ok((value, is_mended)) => (key, Ok((value, is_mended))),
                Err(reason) => (key, Err(reason)),
            },
            Found::Broken(reason) => (None, Err(reason)),
            Found::End if loose.is_empty() => return Ok(()),
            Found::End => {
                let messages = Value::Array(std::mem::take(&mut loose));
                (None, Ok((Value::Object(Map::from_iter([("messages".to_owned(), messages)])), false)))
            }
        };
        number += 1;
        let place = format!("conversation {number}");
        let mut readout = Readout::default();
        match value.and_then(|(value, is_mended)| Ok((told(key, value)?, is_mended))) {
            Ok((told, is_mended)) => {
                readout = convert::records(told, &place, now);
                readout.mended += u64::from(is_mended);
            }
            Err(reason) => readout.refuse(place, reason),
        }
        each(readout)
    })
}

fn is_message(value: &Value) -> bool {
    value.get("role").is_some() && value.get("messages").is_none()
}

fn told(key: Option<String>, value: Value) -> Result<Told, String> {
    let Value::Object(mut members) = value else { return Err("is no object".into()) };
    let said = json::take_list(&mut members, "messages").ok_or("has no array 'messages'")?;
    let title = json::name(&members, &["title", "name"]);
    let created = json::time(&members, CREATED);
    let id = json::id(&members, &["id", "uuid"]).or(key).unwrap_or_else(|| {
        let first = said.first().map(Value::to_string).unwrap_or_default();
        let created = created.map(|time| time.to_string()).unwrap_or_default();
        convert::digest([title.as_deref().unwrap_or_default(), &first, &created])
    });
    let mut told = Told::new(ImportFormat::History, Some(id));
    told.keeps_ids = true;
    told.title = title;
    told.created = created;
    told.updated = json::time(&members, UPDATED);
    told.project = json::name(&members, &["project"]);
    told.model = json::name(&members, &["model"]);
    told.metadata = metadata(&mut members);
    for (at, value) in said.into_iter().enumerate() {
        let said = message(value).unwrap_or_else(|reason| {
            told.refuse(at + 1, reason);
            Said::of(Vec::new())
        });
        told.messages.push(said);
    }
    Ok(told)
}

fn message(value: Value) -> Result<Said, String> {
    let Value::Object(mut members) = value else { return Err("is no object".into()) };
    let role = json::text(&members, &["role", "sender"]).ok_or("has no role")?;
    let role = json::role_named(role)
        .ok_or_else(|| format!("has the unknown role '{}'", json::shortened(role, 40)))?;
    let content = ["content", "text"].iter().find_map(|name| members.get(*name)).and_then(json::text_of);
    let content = content.ok_or("has no text")?;
    if content.trim().is_empty() {
        return Err("has an empty text".into());
    }
    if content.len() > MAX_CONTENT_BYTES {
        return Err(format!("has {} bytes of text; at most {MAX_CONTENT_BYTES} are stored", content.len()));
    }
    let mut said = Said::of(vec![super::told::Part { role, text: content, is_noise: false }]);
    said.id = json::id(&members, &["id", "uuid"]);
    said.author = json::name(&members, &["author", "name"]);
    said.model = json::name(&members, &["model"]);
    said.time = json::time(&members, CREATED);
    said.metadata = metadata(&mut members);
    Ok(said)
}

fn metadata(members: &mut Map<String, Value>) -> Metadata {
    json::take_object(members, "metadata").unwrap_or_default()
}

const CREATED: &[&str] = &["timestamp", "created_at", "createdAt", "date", "created", "create_time", "time"];

const UPDATED: &[&str] = &["updated_at", "updatedAt", "update_time", "modified"];
