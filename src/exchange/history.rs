//! Plain JSON histories: conversations with `messages: [{role, content, …}]`, as many small programs keep them.

use std::collections::HashSet;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Readout, Record, without_mark};
use crate::api::data::Refused;
use crate::api::limits::{MAX_CONTENT_BYTES, MAX_METADATA_BYTES, MAX_NAME_BYTES};
use crate::error::{Error, Result};
use crate::model::{Conversation, ConversationId, Message, MessageId, Metadata, Role, Timestamp};

/// The namespace of ids that are derived because the file has none.
const SOURCE: &str = "history";

/// Reads a history: an array of conversations, `{"conversations": …}`, an object whose keys are the ids, a single
/// conversation, or an array of messages.
///
/// Reading the same text again gives the same ids: those of the file where they are UUIDs, else ids derived from
/// the file's, else from the title, the first message and the time. Each message answers the one before it. What
/// has no time gets that of the message before it, or `now`. A broken conversation or message is refused and the
/// others are read.
///
/// Errors: `Invalid` where the text is no JSON or holds no list of anything.
pub fn read(text: &str, now: Timestamp) -> Result<Readout> {
    let value: Value = serde_json::from_str(without_mark(text)).map_err(|error| {
        Error::invalid(format!("the history is no JSON: {error}"))
            .hint("send a whole JSON document, or whole lines of NDJSON")
    })?;
    let mut readout = Readout::default();
    match conversations(value) {
        Some(conversations) => {
            for (number, (key, value)) in (1u64..).zip(conversations) {
                read_conversation(key, value, &format!("conversation {number}"), now, &mut readout);
            }
            Ok(readout)
        }
        None => Err(Error::invalid("the history is neither a list of conversations nor an object of them")
            .hint("the form is [{\"title\": …, \"messages\": [{\"role\": \"user\", \"content\": …}]}]")),
    }
}

/// The conversations of a document, each with the key that it stands under.
fn conversations(value: Value) -> Option<Vec<(Option<String>, Value)>> {
    let unkeyed = |values: Vec<Value>| values.into_iter().map(|value| (None, value)).collect();
    match value {
        Value::Array(values) if values.first().is_some_and(is_message) => {
            let conversation = Map::from_iter([("messages".to_owned(), Value::Array(values))]);
            Some(vec![(None, Value::Object(conversation))])
        }
        Value::Array(values) => Some(unkeyed(values)),
        Value::Object(mut members) => match members.remove("conversations") {
            Some(Value::Array(values)) => Some(unkeyed(values)),
            Some(Value::Object(members)) => Some(keyed(members)),
            Some(_) => None,
            None if members.contains_key("messages") => Some(vec![(None, Value::Object(members))]),
            None => Some(keyed(members)),
        },
        _ => None,
    }
}

fn keyed(members: Map<String, Value>) -> Vec<(Option<String>, Value)> {
    // {"version": 1, "<id>": {…}}: what is no object is no conversation
    members
        .into_iter()
        .filter(|(_, value)| value.is_object())
        .map(|(key, value)| (Some(key), value))
        .collect()
}

fn is_message(value: &Value) -> bool {
    value.get("role").is_some() && value.get("messages").is_none()
}

fn read_conversation(key: Option<String>, value: Value, place: &str, now: Timestamp, readout: &mut Readout) {
    let mut refuse = |place: String, reason: String| readout.refused.push(Refused { place, reason });
    let Value::Object(mut members) = value else {
        return refuse(place.into(), "is no object".into());
    };
    let Some(Value::Array(said)) = members.remove("messages") else {
        return refuse(place.into(), "has no array 'messages'".into());
    };
    let title = text_member(&members, &["title", "name"]).map(|title| shortened(title, MAX_NAME_BYTES));
    let created = time_member(&members, CREATED);
    let given_id = id_member(&members).or(key);
    let id = conversation_id(given_id, title.as_deref(), created, &said);

    let mut messages: Vec<Message> = Vec::new();
    let mut used = HashSet::new();
    let mut time = created.unwrap_or(now);
    for (number, value) in (1u64..).zip(said) {
        match read_message(value, number) {
            Ok(read) => {
                let mut message_id = read.id(id);
                if !used.insert(message_id) {
                    // the same id twice in one conversation: only the first can have it
                    message_id = MessageId::derived(SOURCE, &format!("{id}/{number}"));
                    used.insert(message_id);
                }
                time = read.time.unwrap_or(time);
                messages.push(Message {
                    id: message_id,
                    conversation_id: id,
                    parent_id: messages.last().map(|message| message.id),
                    seq: messages.len() as u64 + 1,
                    role: read.role,
                    author: read.author,
                    content: read.content,
                    model: read.model,
                    client: None,
                    status: None,
                    sources: Vec::new(),
                    usage: None,
                    created_at: time,
                    edited_at: None,
                    metadata: read.metadata,
                });
            }
            Err(reason) => refuse(format!("{place}, message {number}"), reason),
        }
    }
    let earliest = messages.iter().map(|message| message.created_at).min();
    let latest = messages.iter().map(|message| message.created_at).max();
    let created_at = created.or(earliest).unwrap_or(now);
    let updated_at = time_member(&members, UPDATED).or(latest).unwrap_or(created_at).max(created_at);
    let conversation = Conversation {
        id,
        title,
        project: text_member(&members, &["project"]).map(|project| shortened(project, MAX_NAME_BYTES)),
        model: text_member(&members, &["model"]).map(|model| shortened(model, MAX_NAME_BYTES)),
        client: None,
        head_message_id: messages.last().map(|message| message.id),
        message_count: messages.len() as u64,
        created_at,
        updated_at,
        metadata: metadata_member(&mut members),
    };
    readout.records.push(Record::Conversation(conversation));
    readout.records.extend(messages.into_iter().map(Record::Message));
}

/// A message as the file has it.
struct Read {
    given_id: Option<String>,
    number: u64,
    role: Role,
    author: Option<String>,
    content: String,
    model: Option<String>,
    time: Option<Timestamp>,
    metadata: Option<Metadata>,
}

impl Read {
    fn id(&self, conversation: ConversationId) -> MessageId {
        let uuid = self.given_id.as_deref().and_then(|id| id.parse().ok());
        uuid.unwrap_or_else(|| match &self.given_id {
            Some(id) => MessageId::derived(SOURCE, &format!("{conversation}#{id}")),
            // the text belongs to the key: a file that was changed in the middle brings new messages
            None => {
                let key = digest([self.role.name(), &self.content]);
                MessageId::derived(SOURCE, &format!("{conversation}/{}/{key}", self.number))
            }
        })
    }
}

fn read_message(value: Value, number: u64) -> Result<Read, String> {
    let Value::Object(mut members) = value else { return Err("is no object".into()) };
    let role = text_member(&members, &["role", "sender"]).ok_or("has no role")?;
    let role = role_named(role).ok_or_else(|| format!("has the unknown role '{}'", shortened(role, 40)))?;
    let content = ["content", "text"].iter().find_map(|name| members.get(*name)).and_then(text_of);
    let content = content.ok_or("has no text")?;
    if content.trim().is_empty() {
        return Err("has an empty text".into());
    }
    if content.len() > MAX_CONTENT_BYTES {
        return Err(format!("has {} bytes of text; at most {MAX_CONTENT_BYTES} are stored", content.len()));
    }
    let name = |names: &[&str]| text_member(&members, names).map(|text| shortened(text, MAX_NAME_BYTES));
    Ok(Read {
        given_id: id_member(&members),
        number,
        role,
        author: name(&["author", "name"]),
        content,
        model: name(&["model"]),
        time: time_member(&members, CREATED),
        metadata: metadata_member(&mut members),
    })
}

fn conversation_id(
    given: Option<String>,
    title: Option<&str>,
    created: Option<Timestamp>,
    said: &[Value],
) -> ConversationId {
    if let Some(given) = given {
        return given.parse().unwrap_or_else(|_| ConversationId::derived(SOURCE, &given));
    }
    let first = said.first().map(Value::to_string).unwrap_or_default();
    let created = created.map(|time| time.to_string()).unwrap_or_default();
    ConversationId::derived(SOURCE, &digest([title.unwrap_or_default(), &first, &created]))
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn role_named(name: &str) -> Option<Role> {
    let name = name.trim().to_lowercase();
    match name.as_str() {
        "human" | "me" => Some(Role::User),
        "ai" | "bot" | "model" | "gpt" | "chatgpt" | "claude" | "llm" => Some(Role::Assistant),
        "developer" => Some(Role::System),
        "function" => Some(Role::Tool),
        other => other.parse().ok(),
    }
}

/// The text of a string, of `{"text": …}`, or of an array of these, of which those without text are left out.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(part) => part.get("text").or_else(|| part.get("parts")).and_then(text_of),
        Value::Array(parts) => {
            let texts: Vec<String> = parts.iter().filter_map(text_of).collect();
            (!texts.is_empty()).then(|| texts.join("\n"))
        }
        _ => None,
    }
}

fn text_member<'a>(members: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| members.get(*name)?.as_str()).map(str::trim).filter(|text| !text.is_empty())
}

fn id_member(members: &Map<String, Value>) -> Option<String> {
    ["id", "uuid"].iter().find_map(|name| match members.get(*name)? {
        Value::String(id) if !id.trim().is_empty() => Some(id.trim().to_owned()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    })
}

fn metadata_member(members: &mut Map<String, Value>) -> Option<Metadata> {
    match members.remove("metadata")? {
        Value::Object(metadata) => {
            let is_small =
                serde_json::to_string(&metadata).is_ok_and(|json| json.len() <= MAX_METADATA_BYTES);
            (is_small && !metadata.is_empty()).then_some(metadata)
        }
        _ => None,
    }
}

const CREATED: &[&str] = &["timestamp", "created_at", "createdAt", "date", "created", "create_time", "time"];

const UPDATED: &[&str] = &["updated_at", "updatedAt", "update_time", "modified"];

fn time_member(members: &Map<String, Value>, names: &[&str]) -> Option<Timestamp> {
    names.iter().find_map(|name| time_of(members.get(*name)?))
}

/// RFC 3339, a date, the same without a zone (which is taken for UTC), or seconds or more since 1970.
fn time_of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => since_1970(number.as_f64()?),
        Value::String(text) => {
            let text = text.trim();
            let in_zone = || format!("{}Z", text.replacen(' ', "T", 1)).parse().ok();
            text.parse().ok().or_else(in_zone).or_else(|| since_1970(text.parse().ok()?))
        }
        _ => None,
    }
}

fn since_1970(number: f64) -> Option<Timestamp> {
    // as seconds these would be the year 5138 and later, so they are finer units
    let millis = match number.abs() {
        size if size < 1e11 => number * 1e3,
        size if size < 1e14 => number,
        size if size < 1e17 => number / 1e3,
        _ => number / 1e6,
    };
    // 0 stands for "unknown" in many files
    (millis.is_finite() && millis != 0.0).then(|| Timestamp::from_millis(millis.round() as i64))
}

fn shortened(text: &str, limit: usize) -> String {
    text[..text.floor_char_boundary(limit.min(text.len()))].to_owned()
}
