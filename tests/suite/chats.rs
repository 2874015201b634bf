//! Conversations in order, over the socket and in the terminal of a real daemon.

use serde_json::{Value, json};

use crate::conformance::wire::{Kind, Wire};
use crate::support::daemon::{Daemon, Home};

const SETTINGS: &str = "[chat]\nprovider = \"extractive\"\n[embed]\nenabled = false\n";

struct House {
    home: Home,
    wire: Wire,
    _daemon: Daemon,
}

impl House {
    async fn start() -> Self {
        let home = Home::new();
        home.configure(SETTINGS);
        let daemon = Daemon::start(&home);
        let wire = Wire::open(&home.socket(), Kind::Line).await;
        Self { home, wire, _daemon: daemon }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.wire.call(method, params).await
    }

    async fn refused(&mut self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": "it", "method": method, "params": params});
        let answer = self.wire.ask(request).await;
        assert!(answer["error"].is_object(), "{answer}");
        answer["error"]["data"]["kind"].clone()
    }

    /// A conversation with one message after the other.
    async fn told(&mut self, title: &str, texts: &[&str]) -> (Value, Vec<Value>) {
        let made = self.call("conversation.create", json!({"title": title})).await;
        let messages: Vec<Value> =
            texts.iter().map(|text| json!({"role": "user", "content": text})).collect();
        if messages.is_empty() {
            return (made["id"].clone(), vec![]);
        }
        let append = json!({"conversationId": made["id"], "messages": messages});
        let appended = self.call("message.append", append).await;
        let ids = appended["messages"].as_array().unwrap().iter().map(|message| message["id"].clone());
        (made["id"].clone(), ids.collect())
    }

    async fn contents(&mut self, conversation: &Value, path: &str) -> Vec<String> {
        let list = json!({"conversationId": conversation, "path": path, "limit": 200});
        let page = self.call("message.list", list).await;
        let items = page["items"].as_array().unwrap();
        items.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
    }

    async fn titles(&mut self, params: Value) -> Vec<String> {
        let page = self.call("conversation.list", params).await;
        let items = page["items"].as_array().unwrap();
        items.iter().map(|one| one["title"].as_str().unwrap().to_owned()).collect()
    }

    /// What the program prints; the exit code must be this.
    #[track_caller]
    fn terminal(&self, code: i32, args: &[&str]) -> String {
        let output = self.home.nosso(args).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
        format!("{out}{err}")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_said_anew_and_the_old_branch_stays() {
    let mut house = House::start().await;
    let (c, ids) = house.told("t", &["one", "two", "three"]).await;
    let new_id = "019a2f4e-7c10-7d31-9b52-0c8f1e6a4d01";
    for _ in 0..2 {
        let edit = json!({"id": ids[1], "content": "TWO", "newId": new_id});
        let edited = house.call("message.edit", edit).await;
        assert_eq!((&edited["parentId"], &edited["seq"]), (&ids[0], &json!(4)));
    }
    assert_eq!(house.contents(&c, "head").await, ["TWO", "one"]);
    assert_eq!(house.contents(&c, "all").await, ["one", "two", "three", "TWO"]);
    house.call("conversation.setHead", json!({"messageId": ids[1]})).await;
    assert_eq!(house.contents(&c, "head").await, ["three", "two", "one"]);
    assert_eq!(house.refused("message.edit", json!({"id": c, "content": "x"})).await, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_hold_a_branch_or_the_whole_tree() {
    let mut house = House::start().await;
    let (c, ids) = house.told("Original", &["one", "two", "three"]).await;
    house.call("message.edit", json!({"id": ids[1], "content": "TWO"})).await;
    let change = json!({"pinned": true, "addTags": ["t"], "folder": "Work", "private": true});
    house.call("conversation.organise", json!({"ids": [c], "change": change})).await;
    let new_id = "019a2f4e-7c10-7d31-9b52-0c8f1e6a4d02";
    let mut first = Value::Null;
    for _ in 0..2 {
        let fork = house.call("conversation.fork", json!({"messageId": ids[1], "newId": new_id})).await;
        assert_eq!(fork["copiedFrom"], json!({"conversationId": c, "messageId": ids[1]}));
        assert_eq!((&fork["title"], &fork["messageCount"]), (&json!("Original"), &json!(2)));
        assert_eq!(
            (&fork["tags"], &fork["folder"], &fork["private"]),
            (&json!(["t"]), &json!("Work"), &json!(true))
        );
        assert!(fork["pinned"].is_null(), "{fork}");
        let head = fork["headMessageId"].clone();
        assert!(first.is_null() || first == head);
        first = head;
    }
    assert_eq!(house.contents(&json!(new_id), "head").await, ["two", "one"]);
    let clone = house.call("conversation.clone", json!({"id": c, "title": "Copy"})).await;
    assert_eq!((&clone["title"], &clone["messageCount"]), (&json!("Copy"), &json!(4)));
    assert_eq!(house.contents(&clone["id"], "all").await, ["one", "two", "three", "TWO"]);
    assert_eq!(house.contents(&clone["id"], "head").await, ["TWO", "one"]);
    // what is said in one is not said in the other
    house.call("conversation.delete", json!({"id": c})).await;
    assert_eq!(house.contents(&clone["id"], "head").await, ["TWO", "one"]);
    let taken = json!({"id": clone["id"], "newId": new_id});
    assert_eq!(house.refused("conversation.clone", taken).await, "conflict");
    let (empty, _) = house.told("Empty", &[]).await;
    assert_eq!(house.call("conversation.clone", json!({"id": empty})).await["messageCount"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_conversations_are_copied_and_read_in_steps() {
    let mut house = House::start().await;
    let (c, _) = house.told("Long", &["begin"]).await;
    let text = "palavra ".repeat(120);
    for _ in 0..3 {
        let messages: Vec<Value> = (0..400).map(|_| json!({"role": "user", "content": text})).collect();
        house.call("message.append", json!({"conversationId": c, "messages": messages})).await;
    }
    let clone = house.call("conversation.clone", json!({"id": c})).await;
    assert_eq!(clone["messageCount"], 1201);
    let fork = house.call("conversation.fork", json!({"messageId": clone["headMessageId"]})).await;
    assert_eq!(fork["messageCount"], 1201);
    let mut cursor = Value::Null;
    let mut n = 0;
    loop {
        let list = json!({"conversationId": fork["id"], "path": "head", "limit": 200, "cursor": cursor});
        let page = house.call("message.list", list).await;
        n += page["items"].as_array().unwrap().len();
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(n, 1201);
    let file = house.home.path("long.html");
    house.terminal(0, &["share", clone["id"].as_str().unwrap(), "-o", file.to_str().unwrap()]);
    let page = std::fs::read_to_string(file).unwrap();
    assert_eq!(page.matches("<article ").count(), 1201);
    assert!(page.ends_with("</html>\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prefixes_narrow_lists_and_searches() {
    let mut house = House::start().await;
    let (work, _) = house.told("Deploy plan", &["the quokka deploys"]).await;
    let (home, _) = house.told("Garden", &["the quokka sleeps"]).await;
    let change = json!({"addTags": ["Work"], "folder": "My work/Clients", "pinned": true});
    house.call("conversation.organise", json!({"ids": [work], "change": change})).await;
    house.call("conversation.organise", json!({"ids": [home], "change": {"archived": true}})).await;
    for (query, expected) in [
        ("", vec!["Deploy plan"]),
        ("tag:work", vec!["Deploy plan"]),
        ("folder:clients dep", vec!["Deploy plan"]),
        ("folder:\"my work\"", vec!["Deploy plan"]),
        ("pinned:no", vec![]),
        ("archived:yes", vec!["Garden"]),
        ("archived:any gard", vec!["Garden"]),
        ("before:2024", vec![]),
        ("after:2024", vec!["Deploy plan"]),
        ("tag:none", vec![]),
    ] {
        assert_eq!(house.titles(json!({"query": query})).await, expected, "{query}");
    }
    let mut found = async |params: Value| {
        let found = house.call("search.query", params).await;
        let mut titles: Vec<String> = found["hits"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hit| hit["conversationTitle"].as_str().unwrap().to_owned())
            .collect();
        titles.sort();
        titles
    };
    assert_eq!(found(json!({"query": "quokka"})).await, ["Deploy plan", "Garden"], "the archive is searched");
    assert_eq!(found(json!({"query": "quokka archived:no"})).await, ["Deploy plan"]);
    assert_eq!(found(json!({"query": "tag:work quokka"})).await, ["Deploy plan"]);
    assert_eq!(found(json!({"query": "quokka folder:clients"})).await, ["Deploy plan"]);
    assert_eq!(
        found(json!({"query": "tag:nowhere quokka", "literal": true})).await,
        ["Deploy plan", "Garden"]
    );
    assert_eq!(house.refused("search.query", json!({"query": "tag:work"})).await, "invalid");

    let typed = house.call("conversation.search", json!({"query": "archived:any quok"})).await;
    let items = typed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["snippet"]["spans"], json!([{"start": 4, "end": 10}]), "{typed}");
    let typed = house.call("conversation.search", json!({"query": "DEP"})).await;
    assert_eq!(typed["items"][0]["titleSpans"], json!([{"start": 0, "end": 6}]), "{typed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_organised_and_deleted_at_once() {
    let mut house = House::start().await;
    for n in 0..7 {
        let (id, _) = house.told(&format!("Conversation {n}"), &["text"]).await;
        if n < 3 {
            house.call("conversation.organise", json!({"ids": [id], "change": {"addTags": ["old"]}})).await;
        }
    }
    let archive = json!({"filter": {"query": "tag:old"}, "change": {"archived": true}});
    assert_eq!(house.call("conversation.organise", archive).await["conversations"], 3);
    assert_eq!(house.titles(json!({})).await.len(), 4);
    let back = json!({"filter": {"archived": "only"}, "change": {"archived": false, "folder": "Old/Ones"}});
    assert_eq!(house.call("conversation.organise", back).await["conversations"], 3);
    assert_eq!(house.titles(json!({"folder": "Old"})).await.len(), 3);
    for (method, params) in [
        ("conversation.deleteMatching", json!({})),
        ("conversation.organise", json!({"change": {"pinned": true}})),
        ("folder.create", json!({"path": " / "})),
    ] {
        assert_eq!(house.refused(method, params).await, "invalid", "{method}");
    }
    let deleted = house.call("conversation.deleteMatching", json!({"filter": {"tags": ["OLD"]}})).await;
    assert_eq!(deleted, json!({"conversations": 3, "messages": 3}));
    assert_eq!(house.call("tag.list", json!({})).await["items"], json!([]), "nobody has the tag any more");
    let (id, _) = house.told("Filed", &["text"]).await;
    house.call("conversation.organise", json!({"ids": [id], "change": {"folder": "Old/Ones"}})).await;
    let deleted = house.call("folder.delete", json!({"path": "Old", "contents": "delete"})).await;
    assert_eq!(deleted, json!({"conversations": 1, "messages": 1}));
    assert_eq!(house.call("folder.list", json!({})).await["items"], json!([]));
    assert_eq!(house.titles(json!({})).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_terminal_puts_in_order_shares_and_counts() {
    let mut house = House::start().await;
    let (c, ids) = house.told("Deploy <plan>", &["first\n```sh\nrm -rf <x>\n```", "second"]).await;
    let c = c.as_str().unwrap().to_owned();
    house.terminal(
        0,
        &["organise", &c, "--pin", "--tag", "Work", "--folder", "A/B", "--title", "Deploy plan"],
    );
    let listed = house.terminal(0, &["list"]);
    assert!(listed.contains("Deploy plan  2 · A/B · #Work · pinned"), "{listed}");
    let listed = house.terminal(0, &["list", "tag:work", "seco"]);
    assert!(listed.contains("user: second"), "{listed}");
    house.terminal(1, &["list", "unheard"]);
    assert!(house.terminal(0, &["folders"]).contains("A/B  1"));
    assert!(house.terminal(0, &["folders", "move", "A/B", "C"]).contains('C'));
    assert!(house.terminal(0, &["tags"]).contains("Work  1"));
    house.terminal(0, &["organise", "--matching", "tag:work", "--archive", "--untag", "work"]);
    assert!(!house.terminal(0, &["list"]).contains("Deploy"));
    assert!(house.terminal(0, &["list", "--archived"]).contains("archived"));
    assert!(house.terminal(2, &["folders", "delete", "C", "--contents"]).contains("--yes"));

    house.terminal(0, &["edit", ids[1].as_str().unwrap(), "in", "other", "words"]);
    let shown = house.terminal(0, &["show", &c]);
    assert!(
        shown.contains("in other words") && !shown.contains("second") && shown.contains("1 more"),
        "{shown}"
    );
    house.terminal(0, &["branch", ids[1].as_str().unwrap()]);
    assert!(house.terminal(0, &["show", &c]).contains("second"));
    assert!(house.terminal(0, &["copy", ids[0].as_str().unwrap(), "--title", "Fork"]).contains("copied 1"));

    let page = house.terminal(0, &["share", &c, "-o", "-"]);
    assert!(
        page.contains("<pre><code>\nrm -rf &lt;x&gt;\n</code></pre>") && !page.contains("in other words")
    );
    let text = house.terminal(0, &["share", &c, "--markdown", "--branches", "-o", "-"]);
    assert!(text.contains("```sh\nrm -rf <x>\n```") && text.contains("in other words"), "{text}");
    let file = house.home.path("out.html");
    house.terminal(0, &["share", &c, "-o", file.to_str().unwrap()]);
    house.terminal(1, &["share", &c, "-o", file.to_str().unwrap()]);
    assert!(std::fs::read_to_string(file).unwrap().ends_with("</html>\n"));

    let stats = house.terminal(0, &["stats", "--json"]);
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert_eq!((&stats["total"]["messages"], &stats["total"]["questions"]), (&json!(4), &json!(4)));
    assert!(house.terminal(0, &["stats"]).contains("4 messages"));
    assert!(house.terminal(2, &["organise", "--matching", "fork", "--delete"]).contains("--yes"));
    assert!(
        house.terminal(0, &["organise", "--matching", "fork", "--delete", "--yes"]).contains("deleted 1")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_tell_who_said_how_much() {
    let mut house = House::start().await;
    let made = house.call("conversation.create", json!({"title": "t", "project": "/p"})).await;
    let said = |role: &str, model: Value, time: &str| json!({"role": role, "content": "two words", "model": model, "createdAt": time});
    let messages = [
        said("user", Value::Null, "2024-03-14T23:30:00Z"),
        said("assistant", json!("m"), "2024-03-15T00:30:00Z"),
        said("note", Value::Null, "2024-04-01T00:00:00Z"),
    ];
    house.call("message.append", json!({"conversationId": made["id"], "messages": messages})).await;
    let span = json!({"since": "2024-03-01", "until": "2024-04-01", "offsetMinutes": 60});
    let usage = house.call("stats.usage", span).await;
    let counts = json!({"messages": 2, "questions": 1, "answers": 1, "words": 4});
    assert_eq!(usage["total"], counts);
    assert_eq!(usage["days"][0]["name"], "2024-03-15");
    assert_eq!(usage["days"].as_array().unwrap().len(), 1);
    assert_eq!((&usage["models"][0]["name"], &usage["models"][0]["words"]), (&json!("m"), &json!(2)));
    assert_eq!((&usage["projects"][0]["name"], &usage["clients"][0]["name"]), (&json!("/p"), &json!("")));
    let nothing = house.call("stats.usage", json!({"since": "2024-03-01", "project": "/q"})).await;
    assert_eq!((&nothing["total"]["messages"], &nothing["days"]), (&json!(0), &json!([])));
    assert_eq!(house.refused("stats.usage", json!({"offsetMinutes": 9000})).await, "invalid");
}
