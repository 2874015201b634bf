//! Model servers that fail: each way is told with what to do, and nothing is lost.

use serde_json::{Value, json};

use super::{House, Stream, configure, words};
use crate::conformance::wire::Kind;
use crate::support::daemon::{Daemon, Home};
use crate::support::scripted::Script;

const QUESTION: &str = "Is the lighthouse lit?";

/// Plays a script to a stream: the last event and the conversation's messages.
async fn fail(house: &House, script: Script) -> (Value, Vec<Value>) {
    house.script(script);
    let events = Stream::begin(house.open(Kind::Line).await, json!({"content": QUESTION})).await.all().await;
    let messages = house.messages(&events[0]["conversationId"]).await;
    (events.last().unwrap().clone(), messages)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_has_its_kind_and_hint_and_keeps_what_came() {
    let house = House::start().await;
    let check = async |script: Script, kind: &str, hint: &str, partial: Option<&str>| {
        let what = format!("{script:?}");
        let (last, messages) = fail(&house, script).await;
        assert_eq!((&last["type"], &last["kind"]), (&json!("error"), &json!(kind)), "{what}: {last}");
        assert!(last["hint"].as_str().unwrap().contains(hint), "{what}: {last}");
        assert_eq!(last["retryable"], true, "{what}");
        assert_eq!(messages[0]["content"], QUESTION, "{what}");
        match partial {
            None => assert_eq!((messages.len(), &last["partial"]), (1, &Value::Null), "{what}: {messages:?}"),
            Some(text) => {
                assert_eq!(messages.len(), 2, "{what}");
                assert_eq!(
                    (&messages[1]["content"], &messages[1]["status"]),
                    (&json!(text), &json!("failed"))
                );
                assert_eq!(last["partial"]["answerId"], messages[1]["id"], "{what}");
                assert_eq!(last["partial"]["content"], text);
            }
        }
    };
    let some = || words(&["It ", "is"]);
    check(Script::HangBeforeHead, "upstream_timeout", "first_token_timeout_seconds", None).await;
    check(Script::HangBeforeFirst, "upstream_timeout", "first_token_timeout_seconds", None).await;
    check(Script::HangAfter(some()), "upstream_timeout", "token_timeout_seconds", Some("It is")).await;
    check(Script::CutAfter(some()), "upstream_cut", "ask again", Some("It is")).await;
    check(Script::CutInside(some()), "upstream_cut", "ask again", Some("It is")).await;
    check(Script::ErrorAfter(some(), "out of memory".into()), "upstream", "log", Some("It is")).await;
    check(Script::Http(500, r#"{"error": "boom"}"#.into()), "upstream", "log", None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_answer_fails_with_the_same_kind_and_can_be_tried_again() {
    let house = House::start().await;
    let id = "019a2f4e-ac40-7064-8e85-3fbc4b9d7033";
    let params = json!({"messageId": id, "content": QUESTION});
    house.script(Script::CutAfter(words(&["It "])));
    let error = house.refused("chat.complete", params.clone()).await;
    assert_eq!((&error["data"]["kind"], &error["code"]), (&json!("upstream_cut"), &json!(5005)), "{error}");
    assert!(error["data"]["hint"].is_string() && error["data"]["retryable"] == true, "{error}");

    house.script(Script::Stream(words(&["It is."])));
    let answer = house.call("chat.complete", params).await;
    assert_eq!((&answer["content"], &answer["questionId"]), (&json!("It is."), &json!(id)));
    let messages = house.messages(&answer["conversationId"]).await;
    let ends: Vec<_> =
        messages.iter().map(|it| (it["content"].as_str().unwrap(), it["status"].as_str())).collect();
    assert_eq!(ends, [(QUESTION, None), ("It ", Some("failed")), ("It is.", Some("complete"))]);
    assert!(messages[1..].iter().all(|message| message["parentId"] == id), "both answer the question");
    let prompt = house.prompt();
    assert_eq!(prompt.matches(QUESTION).count(), 1, "{prompt}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_is_missing_is_told_before_anything_is_stored() {
    let house = House::start().await;
    let error = house.refused("chat.complete", json!({"content": QUESTION, "model": "huge"})).await;
    assert_eq!(error["data"]["kind"], "model_unavailable", "{error}");
    assert!(error["data"]["hint"].as_str().unwrap().contains("ollama pull huge"), "{error}");
    let stream = json!({"content": QUESTION, "model": "huge"});
    let events = Stream::begin(house.open(Kind::WebSocket).await, stream).await.all().await;
    assert_eq!((events.len(), &events[0]["kind"]), (1, &json!("model_unavailable")));
    assert_eq!(house.call("conversation.list", json!({})).await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_told_with_how_to_start_it() {
    let home = Home::new();
    // a port that was free a moment ago; nobody listens on it
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    configure(&home, &format!("http://{free}"), "");
    let _daemon = Daemon::start(&home);
    let answer = crate::support::daemon::call(&home.socket(), "chat.complete", json!({"content": QUESTION}));
    let error = &answer["error"];
    assert_eq!(
        (&error["data"]["kind"], &error["data"]["retryable"]),
        (&json!("upstream"), &json!(true)),
        "{error}"
    );
    assert!(error["message"].as_str().unwrap().contains(&free.to_string()), "{error}");
    assert!(error["data"]["hint"].as_str().unwrap().contains("ollama serve"), "{error}");
}
