//! Conversations as Open WebUI exports and imports them: one JSON object each, the messages as a tree by id.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::exchange::open_webui::{FOLDER_PATH, OWN_IDS, OWN_ROLE};
use crate::model::{AnswerStatus, Conversation, Message, MessageId, Role, Timestamp};

/// What Open WebUI calls a conversation without a name.
const UNTITLED: &str = "New Chat";

/// One conversation; several make an array, which is the form that Open WebUI loads. Messages of one parent are
/// brothers in the order of `messages`; one whose parent is not among them begins a branch.
pub fn conversation(conversation: &Conversation, messages: &[Message]) -> Value {
    let there: HashSet<MessageId> = messages.iter().map(|message| message.id).collect();
    let parent_of = |message: &Message| message.parent_id.filter(|parent| there.contains(parent));
    let mut children: HashMap<MessageId, Vec<MessageId>> = HashMap::new();
    for message in messages {
        if let Some(parent) = parent_of(message) {
            children.entry(parent).or_default().push(message.id);
        }
    }
    let mut models: Vec<&str> = Vec::new();
    for model in
        messages.iter().filter_map(|message| message.model.as_deref()).chain(conversation.model.as_deref())
    {
        if !models.contains(&model) {
            models.push(model);
        }
    }
    let node = |message: &Message| {
        let answers = children.get(&message.id).map(Vec::as_slice).unwrap_or_default();
        node(message, parent_of(message), answers, &models)
    };
    let nodes: Map<String, Value> =
        messages.iter().map(|message| (message.id.to_string(), node(message))).collect();
    // without a head it shows the newest
    let shown = conversation.head_message_id.filter(|head| there.contains(head));
    let current = shown.or(messages.last().map(|message| message.id));
    let branch = branch(messages, current);
    let title = conversation.title.as_deref().unwrap_or(UNTITLED);
    let Conversation { pinned, archived, tags, .. } = conversation;
    let mut value = json!({
        "id": conversation.id,
        "user_id": "",
        "title": title,
        "chat": {
            "id": conversation.id,
            "title": title,
            "models": models,
            "params": {},
            "history": {"messages": nodes, "currentId": current},
            "messages": branch.into_iter().map(node).collect::<Vec<_>>(),
            "tags": tags,
            "timestamp": conversation.created_at.as_millis(),
            "files": [],
        },
        "updated_at": seconds(conversation.updated_at),
        "created_at": seconds(conversation.created_at),
        "share_id": null,
        "archived": archived,
        "pinned": pinned,
        "meta": {"tags": tags},
        "folder_id": null,
    });
    if let Some(value) = value.as_object_mut() {
        value.insert(OWN_IDS.into(), true.into());
        // it knows folders by the ids of one of its own databases; who reads it back finds here what the folder was
        if let Some(folder) = &conversation.folder {
            value.insert(FOLDER_PATH.into(), folder.as_str().into());
        }
    }
    value
}

/// The messages from the root to `leaf`.
fn branch(messages: &[Message], leaf: Option<MessageId>) -> Vec<&Message> {
    let by_id: HashMap<MessageId, &Message> = messages.iter().map(|message| (message.id, message)).collect();
    let mut branch = Vec::new();
    let mut next = leaf.and_then(|leaf| by_id.get(&leaf));
    while let Some(message) = next.filter(|_| branch.len() < messages.len()) {
        branch.push(*message);
        next = message.parent_id.and_then(|parent| by_id.get(&parent));
    }
    branch.reverse();
    branch
}

fn node(message: &Message, parent: Option<MessageId>, answers: &[MessageId], models: &[&str]) -> Value {
    let mut node = json!({
        "id": message.id,
        "parentId": parent,
        "childrenIds": answers,
        "role": role(message.role),
        "content": message.content,
        "timestamp": seconds(message.created_at),
    });
    let more = match message.role {
        Role::Assistant | Role::Tool => {
            let model = message.model.as_deref().unwrap_or_default();
            let is_done = message.status != Some(AnswerStatus::Cancelled);
            json!({"model": model, "modelName": model, "modelIdx": 0, "done": is_done, "userContext": null})
        }
        Role::System | Role::User | Role::Note => json!({"models": models}),
    };
    if let (Some(node), Value::Object(more)) = (node.as_object_mut(), more) {
        node.extend(more);
        // it knows questions and answers only; who reads it back finds here what it was
        if role(message.role) != message.role.name() {
            node.insert(OWN_ROLE.into(), message.role.name().into());
        }
        if message.status == Some(AnswerStatus::Failed) {
            node.insert("error".into(), true.into());
        }
    }
    node
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User | Role::Note => "user",
        Role::Assistant | Role::Tool => "assistant",
    }
}

fn seconds(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sample::{conversation as sample, message};
    use super::*;
    use crate::api::data::ImportFormat;
    use crate::exchange::{Record, Source, read};

    #[test]
    fn the_tree_the_head_and_the_times_are_kept() {
        let messages = [
            message(1, None, Role::User, "Olá"),
            message(2, Some(1), Role::Assistant, "Oi"),
            message(3, Some(1), Role::Assistant, "E aí"),
            message(4, Some(3), Role::Note, "anotado"),
        ];
        let id = |n: usize| json!(messages[n - 1].id);
        let held = Conversation {
            head_message_id: Some(messages[1].id),
            pinned: true,
            tags: vec!["pt".into()],
            folder: Some("A/B".into()),
            ..sample(Some("Saudações"), 4)
        };
        let value = conversation(&held, &messages);
        assert_eq!(value["folder_path"], json!("A/B"));
        assert_eq!((&value["title"], &value["chat"]["title"]), (&json!("Saudações"), &json!("Saudações")));
        assert_eq!((&value["pinned"], &value["archived"]), (&json!(true), &json!(false)));
        assert_eq!((&value["meta"]["tags"], &value["chat"]["tags"]), (&json!(["pt"]), &json!(["pt"])));
        assert_eq!(
            (&value["created_at"], &value["updated_at"]),
            (&json!(1_700_000_000), &json!(1_700_000_100))
        );
        let history = &value["chat"]["history"];
        assert_eq!(history["currentId"], id(2));
        let nodes = history["messages"].as_object().unwrap();
        assert_eq!(nodes.len(), 4);
        let first = &nodes[&messages[0].id.to_string()];
        assert_eq!((&first["parentId"], &first["childrenIds"]), (&Value::Null, &json!([id(2), id(3)])));
        assert_eq!((&first["role"], &first["timestamp"]), (&json!("user"), &json!(1_700_000_001)));
        let answer = &nodes[&messages[1].id.to_string()];
        assert_eq!((&answer["model"], &answer["done"]), (&json!("m"), &json!(true)));
        let note = &nodes[&messages[3].id.to_string()];
        assert_eq!((&note["role"], &note["nossoRole"]), (&json!("user"), &json!("note")));
        let shown: Vec<&Value> =
            value["chat"]["messages"].as_array().unwrap().iter().map(|message| &message["content"]).collect();
        assert_eq!(shown, [&json!("Olá"), &json!("Oi")]);
    }

    #[test]
    fn what_is_missing_has_a_place_all_the_same() {
        let value = conversation(&sample(None, 0), &[]);
        assert_eq!(value["title"], UNTITLED);
        assert_eq!(value["chat"]["history"], json!({"messages": {}, "currentId": null}));
        let orphan = message(2, Some(1), Role::Assistant, "x");
        let value = conversation(&sample(Some("t"), 1), std::slice::from_ref(&orphan));
        let node = &value["chat"]["history"]["messages"][orphan.id.to_string()];
        assert_eq!(node["parentId"], Value::Null, "a parent that is not there would break the tree");
        assert_eq!(value["chat"]["history"]["currentId"], json!(orphan.id));
    }

    /// What a message says, and what the message that it answers says.
    type Said = (Role, String, Option<String>);

    fn said<'a>(messages: impl Iterator<Item = &'a Message> + Clone) -> Vec<Said> {
        let texts: HashMap<MessageId, &str> =
            messages.clone().map(|message| (message.id, message.content.as_str())).collect();
        let above = |message: &Message| message.parent_id.map(|parent| texts[&parent].to_owned());
        let mut said: Vec<Said> =
            messages.map(|message| (message.role, message.content.clone(), above(message))).collect();
        said.sort_by(|one, other| one.1.cmp(&other.1));
        said
    }

    proptest! {
        #[test]
        fn any_tree_is_read_back(
            nodes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..5, "\\PC{0,20}"), 1..30),
            head in any::<prop::sample::Index>(),
        ) {
            const ROLES: [Role; 5] = [Role::System, Role::User, Role::Assistant, Role::Tool, Role::Note];
            let messages: Vec<Message> = (1u64..)
                .zip(&nodes)
                .map(|(n, (above, role, text))| {
                    // 0: it begins a tree
                    let above = above.index(n as usize) as u64;
                    message(n, (above > 0).then_some(above), ROLES[*role], &format!("{n} {text}"))
                })
                .collect();
            let head = (!messages.is_empty()).then(|| &messages[head.index(messages.len())]);
            let head_message_id = head.map(|head| head.id);
            let written = Conversation { head_message_id, ..sample(Some("t"), messages.len() as u64) };
            let text = Value::Array(vec![conversation(&written, &messages)]).to_string();
            let source = Source { format: ImportFormat::OpenWebui, name: None, now: Timestamp::from_millis(0) };
            let readout = read(&text, source).unwrap();
            prop_assert_eq!((&readout.refused, readout.mended), (&vec![], 0));
            let read: Vec<&Message> = readout.records.iter().filter_map(|record| match record {
                Record::Message(message) => Some(message),
                Record::Conversation(_) | Record::Memory(_) => None,
            }).collect();
            prop_assert_eq!(said(read.iter().copied()), said(messages.iter()));
            let Some(Record::Conversation(found)) = readout.records.first() else { panic!("no conversation") };
            let shown = read.iter().find(|message| Some(message.id) == found.head_message_id);
            prop_assert_eq!(shown.map(|message| &message.content), head.map(|head| &head.content));
            let ids: HashSet<MessageId> = read.iter().map(|message| message.id).collect();
            prop_assert_eq!((found.id, ids), (written.id, messages.iter().map(|message| message.id).collect()));
        }
    }
}
