//! Questions asked anew and answered again, and from where they recall.

use serde_json::{Value, json};

use super::{House, words};
use crate::conformance::wire::Kind;
use crate::support::scripted::Script;

async fn ask(house: &House, params: Value, answer: &str) -> Value {
    house.script(Script::Stream(words(&[answer])));
    house.call("chat.complete", params).await
}

/// The contents of the branch that is shown, from its beginning.
async fn shown(house: &House, conversation: &Value) -> Vec<String> {
    let page = house.call("message.list", json!({"conversationId": conversation, "path": "head"})).await;
    let mut items = page["items"].as_array().unwrap().clone();
    items.reverse();
    items.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_again_stands_beside_the_first() {
    let house = House::start().await;
    let first = ask(&house, json!({"content": "Which port?"}), "7100.").await;
    let c = &first["conversationId"];
    let later = ask(&house, json!({"content": "And the other?", "conversationId": c}), "7300.").await;
    for named in ["questionId", "answerId"] {
        let again = json!({"regenerate": first[named]});
        let second = ask(&house, again, "7200.").await;
        assert_eq!((&second["questionId"], &second["content"]), (&first["questionId"], &json!("7200.")));
        assert_eq!(shown(&house, c).await, ["Which port?", "7200."]);
        let prompt = house.prompt();
        // not made from its other answers
        assert!(prompt.ends_with("Which port?"), "{prompt}");
        assert!(!prompt.contains("7100") && !prompt.contains("7200"), "{prompt}");
    }
    let answers =
        house.call("message.list", json!({"conversationId": c, "parentId": first["questionId"]})).await;
    let contents: Vec<&Value> =
        answers["items"].as_array().unwrap().iter().map(|it| &it["content"]).collect();
    // two answers again, and what was asked behind the first
    assert_eq!(contents, ["7100.", "7200.", "7200."]);

    house.call("conversation.setHead", json!({"messageId": first["answerId"]})).await;
    assert_eq!(shown(&house, c).await, ["Which port?", "7100.", "And the other?", "7300."]);
    house.call("conversation.setHead", json!({"messageId": first["answerId"], "toLeaf": false})).await;
    assert_eq!(shown(&house, c).await, ["Which port?", "7100."]);
    assert_eq!(house.messages(c).await.len(), 6);
    assert!(later["answerId"].is_string());

    // the prompt of an answer again is that of the first
    let preview = house.call("chat.preview", json!({"regenerate": later["questionId"]})).await;
    let text = super::text_of(&preview["messages"]);
    assert!(text.contains("7100.") && text.ends_with("And the other?") && !text.contains("7300."), "{text}");
    let error = house.refused("chat.complete", json!({"regenerate": c})).await;
    assert_eq!(error["data"]["kind"], "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_the_client_names_is_written_once() {
    let house = House::start().await;
    let first = ask(&house, json!({"content": "Which port?"}), "7100.").await;
    let id = "019a2f4e-7c10-7d31-9b52-0c8f1e6a4d01";
    let again = json!({"regenerate": first["questionId"], "answerId": id});
    let second = ask(&house, again.clone(), "7200.").await;
    assert_eq!(second["answerId"], id);
    let n = house.n_asked();
    let retried = ask(&house, again, "never asked").await;
    assert_eq!((&retried["content"], house.n_asked()), (&json!("7200."), n));
    let taken = json!({"content": "Another question", "answerId": id});
    let error = house.refused("chat.complete", taken).await;
    assert_eq!(error["data"]["kind"], "conflict");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_question_begins_a_branch() {
    let house = House::start().await;
    let first = ask(&house, json!({"content": "Hello."}), "Good day.").await;
    let c = &first["conversationId"];
    ask(&house, json!({"content": "Which port?", "conversationId": c}), "7100.").await;
    let edited = json!({"content": "Which host?", "conversationId": c, "parentId": first["answerId"]});
    ask(&house, edited, "harbour.").await;
    assert_eq!(shown(&house, c).await, ["Hello.", "Good day.", "Which host?", "harbour."]);
    let prompt = house.prompt();
    assert!(prompt.contains("Good day."), "{prompt}");
    assert_eq!(house.model.last_chat().body["messages"].as_array().unwrap().len(), 4, "{prompt}");
    let anew = json!({"content": "Who are you?", "conversationId": c, "parentId": null});
    ask(&house, anew, "nosso.").await;
    assert_eq!(shown(&house, c).await, ["Who are you?", "nosso."]);
}

/// A conversation of another tool, with one message.
async fn told(house: &House, client: &str, project: Value, text: &str) -> Value {
    let mut wire = house.open(Kind::Line).await;
    wire.call("system.initialize", json!({"clientInfo": {"name": client, "version": "1"}})).await;
    let made = wire.call("conversation.create", json!({"title": client, "project": project})).await;
    let message = json!({"role": "assistant", "content": text});
    wire.call("message.append", json!({"conversationId": made["id"], "messages": [message]})).await;
    made["id"].clone()
}

/// What a question recalls.
async fn recalled(house: &House, client: &str, params: Value) -> Vec<String> {
    let mut wire = house.open(Kind::Line).await;
    wire.call("system.initialize", json!({"clientInfo": {"name": client, "version": "1"}})).await;
    let preview = wire.call("chat.preview", params).await;
    let mut texts: Vec<String> = preview["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| source["text"].as_str().unwrap().to_owned())
        .collect();
    texts.sort();
    texts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_and_privacy_hold_for_what_is_recalled() {
    let house = House::start().await;
    let [site, app, hidden] = ["The quay listens on 1.", "The quay listens on 2.", "The quay listens on 3."];
    told(&house, "vscode", json!("/site"), site).await;
    let other = told(&house, "emacs", json!("/app"), app).await;
    let private = told(&house, "emacs", json!("/app"), hidden).await;
    let question = "Where does the quay listen?";
    let asked = |memory: Value| json!({"content": question, "memory": memory});
    assert_eq!(recalled(&house, "x", asked(json!({}))).await, [site, app, hidden]);
    house.call("conversation.organise", json!({"ids": [private], "change": {"private": true}})).await;
    assert_eq!(recalled(&house, "x", asked(json!({}))).await, [site, app]);
    assert_eq!(recalled(&house, "x", asked(json!({"project": "/app"}))).await, [app]);
    assert_eq!(recalled(&house, "emacs", asked(json!({"scope": "client"}))).await, [app]);
    assert_eq!(recalled(&house, "x", asked(json!({"scope": "conversation"}))).await, Vec::<String>::new());

    // the live window holds what is near; what lies on another branch is recalled
    let branch = |id: &Value, scope: &str| json!({"content": question, "conversationId": id, "parentId": null, "memory": {"scope": scope}});
    assert_eq!(recalled(&house, "x", branch(&other, "conversation")).await, [app]);
    assert_eq!(recalled(&house, "x", branch(&other, "project")).await, [app]);
    assert_eq!(recalled(&house, "x", branch(&other, "global")).await, [site, app]);
    assert_eq!(recalled(&house, "x", branch(&private, "global")).await, [site, app, hidden]);
    assert_eq!(recalled(&house, "x", branch(&private, "conversation")).await, [hidden]);

    let error = house.refused("chat.preview", asked(json!({"scope": "project"}))).await;
    assert_eq!(error["data"]["kind"], "invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_talk_is_found_from_within_itself_only() {
    let house = House::start().await;
    let talk =
        ask(&house, json!({"content": "The xylophone is in the attic.", "private": true}), "Noted.").await;
    let search = |filter: Value| json!({"query": "xylophone", "filter": filter});
    let hits = async |filter: Value| {
        let found = house.call("search.query", search(filter)).await;
        let hits = found["hits"].as_array().unwrap().iter();
        hits.filter(|hit| hit["text"].as_str().unwrap().contains("xylophone")).count()
    };
    assert_eq!(hits(json!({})).await, 0);
    assert_eq!(hits(json!({"conversationId": talk["conversationId"]})).await, 1);
    assert_eq!(hits(json!({"seenFrom": talk["conversationId"]})).await, 1);
    // nor is what is not stored found anywhere
    ask(&house, json!({"content": "The marimba is in the cellar.", "store": false}), "Noted.").await;
    let found = house.call("search.query", json!({"query": "marimba"})).await;
    assert_eq!(found["hits"], json!([]));
}
