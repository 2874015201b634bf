//! LibreChat: an exported conversation, as a list of messages or as a tree of messages within messages.

use serde_json::{Map, Value};

use super::told::{Parent, Part, Said, Told};
use super::{blocks, json};
use crate::api::data::ImportFormat;
use crate::model::{AnswerStatus, Role};

/// What the first messages name as their parent.
const NO_PARENT: &str = "00000000-0000-0000-0000-000000000000";

/// A conversation of the export, and whether its bytes had to be mended. Errors: why it is none.
pub(super) fn told(bytes: &[u8]) -> Result<(Told, bool), String> {
    let mut messages = Vec::new();
    let outer = flatten(bytes, &mut messages);
    let (outer, mut is_mended) = json::parse(&outer)?;
    let Value::Object(outer) = outer else { return Err("is no object".into()) };
    let is_list =
        ["messages", "messagesTree"].iter().any(|name| outer.get(*name).is_some_and(Value::is_array));
    if !is_list {
        return Err("has no list 'messages'".into());
    }
    let mut told = Told::new(ImportFormat::LibreChat, json::id(&outer, &["conversationId"]));
    told.title = json::name(&outer, &["title"]);
    let options = outer.get("options").and_then(Value::as_object);
    told.model =
        options.and_then(|options| json::name(options, &["model"])).or(json::name(&outer, &["model"]));
    told.created = json::time(&outer, &["createdAt"]);
    told.updated = json::time(&outer, &["updatedAt"]);
    told.tags = json::names(outer.get("tags"));
    told.archived = json::is_set(&outer, "isArchived");
    if let Some(endpoint) = json::text(&outer, &["endpoint"]) {
        told.metadata.insert("endpoint".into(), endpoint.into());
    }
    let mut ids: Vec<Option<String>> = Vec::with_capacity(messages.len());
    for (at, Flat { json: bytes, parent }) in messages.into_iter().enumerate() {
        let within = parent.and_then(|parent| ids[parent].clone());
        let said = match json::parse(&bytes) {
            Ok((Value::Object(message), was_mended)) => {
                is_mended |= was_mended;
                said(&mut told, at + 1, message, within)
            }
            Ok(_) => {
                told.refuse(at + 1, "is no object");
                Said::of(Vec::new()).after(within.map_or(Parent::Previous, Parent::Of))
            }
            Err(reason) => {
                told.refuse(at + 1, reason);
                Said::of(Vec::new()).after(within.map_or(Parent::Previous, Parent::Of))
            }
        };
        // children of a message without an id find it by its place
        let said = match said.id {
            Some(_) => said,
            None => said.named(Some(format!("message {}", at + 1))),
        };
        ids.push(said.id.clone());
        told.messages.push(said);
    }
    Ok((told, is_mended))
}

fn said(told: &mut Told, number: usize, message: Map<String, Value>, within: Option<String>) -> Said {
    let id = json::id(&message, &["messageId", "id"]);
    let parent = match json::id(&message, &["parentMessageId"]) {
        Some(parent) if parent == NO_PARENT => Parent::Nobody,
        Some(parent) => Parent::Of(parent),
        None => within.map_or(Parent::Previous, Parent::Of),
    };
    let sender = json::text(&message, &["sender"]);
    let role = match (message.get("isCreatedByUser"), json::text(&message, &["role"]), sender) {
        (Some(Value::Bool(true)), ..) => Role::User,
        (Some(Value::Bool(false)), ..) => Role::Assistant,
        (_, Some(role), _) if json::role_named(role).is_some() => {
            json::role_named(role).unwrap_or(Role::Assistant)
        }
        (_, _, Some(sender)) => json::role_named(sender).unwrap_or(Role::Assistant),
        _ => {
            told.refuse(number, "says not who speaks");
            return Said::of(Vec::new()).named(id).after(parent);
        }
    };
    let mut content = blocks::Content::default();
    match json::text(&message, &["text"]) {
        Some(_) => content
            .parts
            .extend(message.get("text").and_then(Value::as_str).map(|text| Part::said(role, text))),
        None => {
            for block in message.get("content").and_then(Value::as_array).into_iter().flatten() {
                part(&mut content, role, block);
            }
            if let Some(Value::String(text)) = message.get("content") {
                content.parts.push(Part::said(role, text));
            }
        }
    }
    content.unknown.iter().for_each(|kind| told.ignore(kind));
    let mut said = Said::of(content.parts).named(id).after(parent);
    said.time = json::time(&message, &["createdAt", "updatedAt"]);
    said.model = json::name(&message, &["model"]).filter(|_| role == Role::Assistant);
    // the sender of an answer is the name that the person gave to the model
    said.author =
        json::name(&message, &["sender"]).filter(|sender| role == Role::Assistant && sender != "Assistant");
    said.status = match (json::is_set(&message, "error"), json::is_set(&message, "unfinished")) {
        (true, _) => Some(AnswerStatus::Failed),
        (false, true) => Some(AnswerStatus::Cancelled),
        _ => None,
    };
    said.thinking(&content.thinking);
    said
}

/// LibreChat's own blocks differ from Anthropic's in where they keep the text.
fn part(content: &mut blocks::Content, role: Role, block: &Value) {
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
    match (kind, block.get("text"), block.get("tool_call")) {
        ("text", Some(text @ Value::Object(_)), _) => {
            let value = text.get("value").and_then(Value::as_str).unwrap_or_default();
            content.parts.push(Part::said(role, value));
        }
        ("think", ..) => {
            content.thinking.push_str(block.get("think").and_then(Value::as_str).unwrap_or_default())
        }
        ("tool_call", _, Some(call)) => {
            let name = call.get("name").and_then(Value::as_str).unwrap_or("tool");
            content.parts.push(Part::call(name, call.get("args").unwrap_or(&Value::Null)));
            let output = call.get("output").map(blocks::result_text).unwrap_or_default();
            content.parts.push(Part::noise(Role::Tool, output));
        }
        _ => {
            let mut more = blocks::read(role, &Value::Array(vec![block.clone()]));
            content.parts.append(&mut more.parts);
            content.thinking.push_str(&more.thinking);
            content.unknown.append(&mut more.unknown);
        }
    }
}

/// A message without its children.
struct Flat {
    json: Vec<u8>,
    /// The place in the list of the message that it stands in.
    parent: Option<usize>,
}

/// Takes the messages out of `messages`, `messagesTree` and `children`, however deep: a conversation of a hundred
/// turns is a document of two hundred levels, which no parser takes. What is left of the document is answered.
fn flatten(bytes: &[u8], messages: &mut Vec<Flat>) -> Vec<u8> {
    /// An object or a list that is open.
    struct Open {
        /// Whose text it is part of: a message, or the document.
        owner: Option<usize>,
        is_list: bool,
        /// A list of messages: its objects are no part of the text around them.
        is_messages: bool,
        /// How deep within its owner.
        depth: usize,
    }
    let mut document = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut key: &[u8] = b"";
    let mut at = 0;
    while at < bytes.len() {
        let begin = at;
        let (owner, depth) = open.last().map_or((None, 0), |open| (open.owner, open.depth));
        let mut writes_to = owner;
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                key = &bytes[begin..at];
            }
            bracket @ (b'{' | b'[') => {
                at += 1;
                let is_message = bracket == b'{' && open.last().is_some_and(|open| open.is_messages);
                // `messages` of the document and `children` of a message, and none that lie deeper
                let is_messages = bracket == b'['
                    && depth == 1
                    && match owner {
                        None => matches!(key, br#""messages""# | br#""messagesTree""#),
                        Some(_) => key == br#""children""#,
                    };
                if is_message {
                    messages.push(Flat { json: Vec::new(), parent: owner });
                    writes_to = Some(messages.len() - 1);
                    open.push(Open { owner: writes_to, is_list: false, is_messages: false, depth: 1 });
                } else {
                    open.push(Open { owner, is_list: bracket == b'[', is_messages, depth: depth + 1 });
                }
                key = b"";
            }
            b'}' | b']' => {
                at += 1;
                let is_list = bytes[begin] == b']';
                // a bracket that closes nothing is left to the parser
                if open.last().is_some_and(|open| open.is_list == is_list) {
                    open.pop();
                }
            }
            b',' if open.last().is_some_and(|open| open.is_messages) => {
                at += 1;
                continue;
            }
            _ => at += 1,
        }
        let text = match writes_to {
            Some(message) => &mut messages[message].json,
            None => &mut document,
        };
        text.extend_from_slice(&bytes[begin..at]);
    }
    document
}

/// Behind the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(found) = bytes.get(end..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        end += found + 1;
        if bytes[end - 1] == b'"' {
            return end;
        }
        end += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_any_depth_are_taken_out() {
        let depth = 5000;
        let mut text = String::from(r#"{"conversationId":"c","messages":["#);
        for n in 0..depth {
            text.push_str(&format!(r#"{{"messageId":"{n}","isCreatedByUser":true,"text":"\"]{n}","x":{{"children":[1]}},"children":["#));
        }
        text.push_str(&"]}".repeat(depth));
        text.push_str("]}");
        let (told, _) = told(text.as_bytes()).unwrap();
        assert_eq!((told.messages.len(), told.refused.len()), (depth, 0));
        assert_eq!(told.messages[9].parent, Parent::Of("8".into()));
        assert_eq!(told.messages[9].parts[0].text, "\"]9");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(text in "(\"children\":|\"messages\":|[\\[\\]{}\",:a]){0,40}") {
            let _ = told(format!("{{{text}").as_bytes());
        }
    }
}
