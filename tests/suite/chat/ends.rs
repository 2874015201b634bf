//! Answers that are taken back: the model is stopped, and what had come is kept.

use serde_json::{Value, json};

use super::{House, Stream, request, words};
use crate::conformance::wire::{self, Kind};
use crate::support::scripted::Script;

const QUESTION: &str = "What did we decide about the lighthouse?";

/// A stream that has said "Half a " and goes on for ever, and its conversation and question.
async fn half_way(house: &House, kind: Kind) -> (Stream, Value, Value) {
    house.script(Script::HangAfter(words(&["Half ", "a "])));
    let mut stream = Stream::begin(house.open(kind).await, json!({"content": QUESTION})).await;
    let sources = stream.next().await;
    let mut text = String::new();
    while text != "Half a " {
        text.push_str(stream.next().await["text"].as_str().unwrap());
    }
    (stream, sources["conversationId"].clone(), sources["questionId"].clone())
}

async fn is_kept(house: &House, conversation: &Value) {
    let messages = house.messages_once(conversation, 2).await;
    assert_eq!(messages[0]["content"], QUESTION);
    assert_eq!((&messages[1]["content"], &messages[1]["status"]), (&json!("Half a "), &json!("cancelled")));
    assert_eq!(messages.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsubscribing_stops_the_model() {
    let house = House::start().await;
    for (i, kind) in wire::OPEN.into_iter().enumerate() {
        let (mut stream, conversation, _) = half_way(&house, kind).await;
        let answer = stream.wire.ask(request("chat.unsubscribe", json!([stream.id]))).await;
        assert_eq!(answer["result"], true, "{kind:?} {answer}");
        house.model.clients_closed(i + 1).await;
        is_kept(&house, &conversation).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn going_away_stops_the_model() {
    let house = House::start().await;
    for (i, kind) in wire::OPEN.into_iter().enumerate() {
        let (stream, conversation, _) = half_way(&house, kind).await;
        drop(stream);
        house.model.clients_closed(i + 1).await;
        is_kept(&house, &conversation).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_by_name_ends_the_stream_with_what_came() {
    let house = House::start().await;
    let (mut stream, conversation, question) = half_way(&house, Kind::Line).await;
    // from another connection: a button in another window
    let cancelled = house.call("chat.cancel", json!({"questionId": question})).await;
    assert_eq!(cancelled, json!({"cancelled": true}));
    let last = stream.next().await;
    assert_eq!((&last["type"], &last["status"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!((&last["content"], &last["questionId"]), (&json!("Half a "), &question));
    house.model.clients_closed(1).await;
    is_kept(&house, &conversation).await;
    let late = house.call("chat.cancel", json!({"questionId": question})).await;
    assert_eq!(late, json!({"cancelled": false}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_answer_that_is_taken_back_stops_the_model() {
    let house = House::start().await;
    for (i, kind) in wire::OPEN.into_iter().enumerate() {
        let conversation = house.call("conversation.create", json!({})).await["id"].clone();
        house.script(Script::HangAfter(words(&["Half ", "a "])));
        let mut wire = house.open(kind).await;
        let params = json!({"conversationId": conversation, "content": QUESTION});
        wire.send_json(request("chat.complete", params)).await;
        house.messages_once(&conversation, 1).await;
        asked(&house, i + 1).await;
        wire.send_json(json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": "it"}})).await;
        let answer = wire.receive().await.unwrap();
        assert_eq!(
            (&answer["id"], &answer["error"]["data"]["kind"]),
            (&json!("it"), &json!("cancelled")),
            "{answer}"
        );
        house.model.clients_closed(i + 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_takes_its_whole_answer_back() {
    let house = House::start().await;
    for (i, kind) in wire::ALL.into_iter().enumerate() {
        house.script(Script::HangBeforeFirst);
        let conversation = house.call("conversation.create", json!({})).await["id"].clone();
        let mut wire = house.open(kind).await;
        let params = json!({"conversationId": conversation, "content": QUESTION});
        wire.send_json(request("chat.complete", params)).await;
        asked(&house, i + 1).await;
        drop(wire);
        house.model.clients_closed(i + 1).await;
        let messages = house.messages(&conversation).await;
        assert_eq!((messages.len(), &messages[0]["content"]), (1, &json!(QUESTION)), "the question is kept");
    }
}

/// A whole answer to the words of a slow model, begun before the daemon was told to stop.
async fn answered_at_a_stop(n_words: usize) -> Value {
    let mut house = House::start().await;
    let drip = (1..=n_words).map(|n| format!("{n} ")).collect();
    house.script(Script::Drip(drip, std::time::Duration::from_millis(300)));
    let mut wire = house.open(Kind::Line).await;
    wire.send_json(request("chat.complete", json!({"content": QUESTION}))).await;
    asked(&house, 1).await;
    house.daemon.signal(rustix::process::Signal::TERM);
    let answer = wire.receive().await.expect("an answer")["result"].clone();
    assert_eq!(house.daemon.ended(nosso::api::limits::STOP_DEADLINE).code(), Some(0));
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_answer_is_finished_when_the_daemon_stops() {
    let answer = answered_at_a_stop(4).await;
    assert_eq!((&answer["status"], &answer["content"]), (&json!("complete"), &json!("1 2 3 4 ")), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_takes_too_long_is_given_as_far_as_it_came() {
    let answer = answered_at_a_stop(100).await;
    assert_eq!(answer["status"], "cancelled", "{answer}");
    let content = answer["content"].as_str().unwrap();
    assert!(content.starts_with("1 2 3 4 "), "it had some seconds: {answer}");
    assert!(answer["answerId"].is_string(), "and is kept: {answer}");
}

/// Waits until the model was asked `n` times.
async fn asked(house: &House, n: usize) {
    let began = std::time::Instant::now();
    while house.n_asked() < n {
        assert!(began.elapsed() < crate::support::PATIENCE, "the model was never asked");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
