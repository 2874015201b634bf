//! What goes out comes in again as it was: nosso's own records byte for byte, Open WebUI's chats as the same trees.

use std::collections::HashSet;

use nosso::model::{Conversation, ConversationId};
use serde_json::{Map, Value, json};

use crate::application::{App, actor, params, quoting};

/// Fills a store with everything that a record can hold.
pub async fn furnish(app: &App) {
    let (c, messages) = app.conversation(&["one fish", "two \u{0} fish", "🦀 \"quoted\"\nlines"]).await;
    let reply = json!({"conversationId": c, "messages": [
        {"role": "assistant", "content": "beside", "parentId": messages[0].id, "model": "m", "author": "Ana",
         "metadata": {"b": [1.5, null], "a": {"z": 1}}, "createdAt": "2020-01-01T00:00:00Z"}]});
    app.memory.append(params(reply), &actor()).await.unwrap();
    app.memory.delete_message(messages[1].id, &actor()).await.unwrap();
    let headless = json!({"id": c, "headMessageId": null, "project": "/p", "metadata": {"tab": 3}});
    app.memory.update_conversation(params(headless), &actor()).await.unwrap();
    let (d, messages) = app.conversation(&["red fish", "blue fish"]).await;
    let back = json!({"id": d, "headMessageId": messages[0].id, "title": null});
    app.memory.update_conversation(params(back), &actor()).await.unwrap();
    app.memory.create_conversation(params(json!({"title": "empty"})), &actor()).await.unwrap();
    for (n, content) in ["chá", "café"].into_iter().enumerate() {
        let memory = json!({"content": content, "kind": "preference", "project": (n == 1).then_some("/p"),
            "sourceMessageId": messages[1].id, "expiresAt": "2090-01-01T00:00:00Z", "metadata": {"n": n}});
        app.memory.add_memory(params(memory), &actor()).await.unwrap();
    }
    let asked = app.complete(json!({"content": "which fish was blue?"})).await;
    assert!(!asked.sources.is_empty());
    organise(app, d).await;
    remember(app).await;
    // what tools were told and answered is stored and not searched
    let told = json!([{"mapping": {
        "1": {"id": "1", "parent": null, "message": {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["run it"]}}},
        "2": {"id": "2", "parent": "1", "message": {"author": {"role": "tool"}, "content": {"content_type": "execution_output", "text": "out"}}}
    }, "current_node": "2", "create_time": 1_700_000_000.5, "title": "tools"}]);
    assert_eq!(app.import(&told.to_string()).await.added.messages, 2);
}

/// Folders, tags, a pin, the archive, a private conversation, copies.
async fn organise(app: &App, of: ConversationId) {
    let change = |id: ConversationId, change: Value| async move {
        app.memory.organise(params(json!({"ids": [id], "change": change})), &actor()).await.unwrap();
    };
    change(of, json!({"pinned": true, "folder": "Work/Água", "addTags": ["B", "ação"]})).await;
    let (archived, _) = app.conversation(&["put away"]).await;
    change(archived, json!({"archived": true, "folder": "Work", "addTags": ["b"]})).await;
    let (private, messages) = app.conversation(&["for me alone", "and this"]).await;
    change(private, json!({"private": true})).await;
    app.memory.fork(params(json!({"messageId": messages[0].id})), &actor()).await.unwrap();
    app.memory.clone_conversation(params(json!({"id": of, "title": "again"})), &actor()).await.unwrap();
}

/// Memories with a path, a pin and a past.
async fn remember(app: &App) {
    let placed =
        json!({"content": "the host is db1", "path": "work/db", "pinned": true, "kind": "instruction"});
    let placed = app.memory.add_memory(params(placed), &actor()).await.unwrap();
    let id = serde_json::to_value(&placed).unwrap()["id"].clone();
    for content in ["the host is db2", "the host is db3"] {
        let update = json!({"id": id, "content": content});
        app.memory.update_memory(params(update), &actor()).await.unwrap();
    }
}

/// The kinds of things that `furnish` is to have made, so that none is forgotten here.
fn check_furnished(lines: &[String]) {
    let records: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let members = |of: &str| -> HashSet<String> {
        let records = records.iter().filter(|record| record["type"] == of);
        let set = records
            .flat_map(|record| record.as_object().unwrap().iter().filter(|(_, value)| !value.is_null()));
        set.map(|(name, _)| name.clone()).collect()
    };
    let all_but = |of: &str, none: &[&str]| {
        let (schema, members) = (schema(of), members(of.to_lowercase().as_str()));
        let missing: Vec<&String> =
            schema.iter().filter(|name| !members.contains(*name) && !none.contains(&name.as_str())).collect();
        assert!(missing.is_empty(), "{of} has no {missing:?}");
    };
    // without a model and without a tool that names itself
    all_but("Conversation", &["model", "client"]);
    all_but("Message", &["client", "status", "usage", "editedAt"]);
    all_but("Memory", &["client"]);
}

fn schema(of: &str) -> Vec<String> {
    let document = std::fs::read_to_string("docs/openrpc.json").unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let properties = &document["components"]["schemas"][of]["properties"];
    properties.as_object().unwrap_or_else(|| panic!("no {of}")).keys().cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_in_and_comes_out_the_same_byte_for_byte() {
    let one = App::open(quoting()).await;
    furnish(&one).await;
    let exported = one.export().await;
    check_furnished(&exported);
    // as one piece, and line by line as a stream that is cut anywhere
    for cut in [exported.len(), 1] {
        let two = App::open(quoting()).await;
        for piece in exported.chunks(cut) {
            assert_eq!(two.import(&piece.join("\n")).await.refused, []);
        }
        assert_eq!(two.export().await.join("\n"), exported.join("\n"));
        let again = two.import(&exported.join("\n")).await;
        assert_eq!((again.added, again.refused), (Default::default(), vec![]));
        // what is found and shown is the same, too
        for asked in [json!({"query": "fish"}), json!({"query": "alone"}), json!({"query": "db1"})] {
            let found = |app: &App| {
                let memory = app.memory.clone();
                let asked = params(asked.clone());
                async move {
                    let found = memory.search(asked).await.unwrap();
                    serde_json::to_value(found).unwrap()["hits"].clone()
                }
            };
            assert_eq!(found(&two).await, found(&one).await, "{asked}");
        }
        two.memory.close().await.unwrap();
    }
    one.memory.close().await.unwrap();
}

/// A chat as Open WebUI has it after an edited question and an answer that was asked for again.
fn branched() -> Value {
    let message = |id: &str, parent: Option<&str>, children: &[&str], role: &str, content: &str, at: i64| {
        let mut message = json!({"id": id, "parentId": parent, "childrenIds": children, "role": role,
            "content": content, "timestamp": at});
        match role {
            "assistant" => {
                message["model"] = json!("m2");
                message["done"] = json!(true);
            }
            _ => message["models"] = json!(["m1", "m2"]),
        }
        (id.to_owned(), message)
    };
    let messages: Map<String, Value> = [
        message("s", None, &["q1", "q2"], "system", "Be brief.", 1_700_000_000),
        message("q1", Some("s"), &["a1", "a2"], "user", "Qual é a capital?", 1_700_000_001),
        message("a1", Some("q1"), &[], "assistant", "Paris?", 1_700_000_005),
        message("a2", Some("q1"), &["q3"], "assistant", "Lisboa.", 1_700_000_009),
        message("q3", Some("a2"), &["a3"], "user", "And the population?\n\n```py\nx = 1\n```", 1_700_000_020),
        message(
            "a3",
            Some("q3"),
            &[],
            "assistant",
            "<details type=\"reasoning\">hm</details>\nHalf a million.",
            1_700_000_030,
        ),
        message("q2", Some("s"), &["a4"], "user", "Qual é a capital de Portugal?", 1_700_000_040),
        message("a4", Some("q2"), &[], "assistant", "Lisboa 🇵🇹", 1_700_000_050),
        message("other", None, &[], "user", "a second root", 1_700_000_060),
    ]
    .into_iter()
    .collect();
    json!({"id": "branched", "user_id": "u", "title": "Capitais", "chat": {"title": "Capitais", "models": ["m1"],
        "history": {"messages": messages, "currentId": "a3"}, "tags": ["geo"]}, "created_at": 1_700_000_000,
        "updated_at": 1_700_000_060, "share_id": null, "archived": true, "pinned": true,
        "meta": {"tags": ["geo", "pt"]}, "folder_id": null})
}

/// What a chat says, with numbers in place of ids: the tree in the order in which parents name their children.
fn shape(chat: &Value) -> Value {
    let history = &chat["chat"]["history"];
    let messages = history["messages"].as_object().unwrap();
    let mut tags: Vec<&str> = [&chat["meta"]["tags"], &chat["chat"]["tags"]]
        .into_iter()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    tags.sort_unstable();
    tags.dedup();
    let mut roots: Vec<&Value> = messages.values().filter(|message| message["parentId"].is_null()).collect();
    roots.sort_by_key(|root| root["timestamp"].as_i64());
    let tree: Vec<Value> =
        roots.into_iter().map(|root| below(root, messages, &history["currentId"])).collect();
    json!({"title": chat["title"], "pinned": chat["pinned"], "archived": chat["archived"], "tags": tags,
        "created": chat["created_at"], "updated": chat["updated_at"], "tree": tree})
}

fn below(message: &Value, messages: &Map<String, Value>, current: &Value) -> Value {
    let children = message["childrenIds"].as_array().unwrap();
    let children: Vec<Value> =
        children.iter().map(|id| below(&messages[id.as_str().unwrap()], messages, current)).collect();
    let model = (message["role"] == "assistant").then(|| message["model"].clone());
    json!({"role": message["role"], "content": message["content"], "at": message["timestamp"], "model": model,
        "shown": message["id"] == *current, "children": children})
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_of_open_webui_come_out_as_the_same_trees() {
    let mut chats: Vec<Value> = serde_json::from_str(&crate::imports::sample("open-webui.json")).unwrap();
    chats.push(branched());
    let expected: Vec<Value> = chats.iter().map(shape).collect();
    let mut text = Value::Array(chats).to_string();
    // the second time what nosso itself wrote goes in
    for round in 1..=2 {
        let app = App::open(quoting()).await;
        let imported = app.import(&text).await;
        assert_eq!((imported.refused, imported.mended, imported.added.conversations), (vec![], 0, 4));
        text = app.export_as(json!({"format": "open-webui"})).await.join("\n");
        let chats: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(chats.iter().map(shape).collect::<Vec<_>>(), expected, "round {round}");
        app.memory.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_open_webui_does_not_know_comes_back_from_its_form() {
    let one = App::open(quoting()).await;
    let (c, messages) = app_with_roles(&one).await;
    let change = json!({"ids": [c], "change": {"folder": "Work/Water", "addTags": ["b"]}});
    one.memory.organise(params(change), &actor()).await.unwrap();
    let text = one.export_as(json!({"format": "open-webui"})).await.join("\n");
    let two = App::open(quoting()).await;
    assert_eq!(two.import(&text).await.added.messages, messages);
    let listed = two.memory.conversations(params(json!({}))).await.unwrap().items;
    let Conversation { id, folder, tags, .. } = &listed[0];
    assert_eq!((folder.as_deref(), tags), (Some("Work/Water"), &vec!["b".to_owned()]));
    assert_eq!(*id, c, "it would come again into the store that it is from");
    let again = one.import(&text).await;
    assert_eq!((again.added.conversations, again.added.messages), (0, 0));
    let said = |messages: Vec<nosso::model::Message>| {
        messages.into_iter().map(|it| (it.role, it.content, it.status)).collect::<Vec<_>>()
    };
    assert_eq!(said(two.messages(*id).await), said(one.messages(c).await));
    for app in [one, two] {
        app.memory.close().await.unwrap();
    }
}

/// A message of every role, and answers that ended badly.
async fn app_with_roles(app: &App) -> (ConversationId, u64) {
    let (c, _) = app.conversation(&["question"]).await;
    let more = json!({"conversationId": c, "messages": [
        {"role": "assistant", "content": "half of an", "model": "m"},
        {"role": "assistant", "content": "it broke", "model": "m"},
        {"role": "tool", "content": "a result"},
        {"role": "note", "content": "a note"},
        {"role": "system", "content": "a rule"}]});
    app.memory.append(params(more), &actor()).await.unwrap();
    app.tamper(
        "UPDATE message SET status = 1 WHERE content = 'half of an';
                UPDATE message SET status = 2 WHERE content = 'it broke'",
    );
    (c, 6)
}
