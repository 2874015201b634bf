//! A real language model on a real server: what only they can show.

use std::time::Duration;

use nosso::api::chat::ChatParams;
use nosso::api::methods::ChatStream;
use nosso::client::Client;
use nosso::model::ClientRef;
use nosso::setup;
use serde_json::{Value, json};

use crate::brought::tiny_llm;
use crate::support::daemon::{Daemon, Home, call};

/// What one event may take: on a busy machine even a tiny model reads its prompt slowly.
const SLOWEST_EVENT: Duration = Duration::from_secs(120);

fn is_last(event: &Value) -> bool {
    event["type"] == "done" || event["type"] == "error"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_model_is_given_the_fact_and_answers() {
    const FACT: &str = "The name of Ana's cat is Pickle.";
    const QUESTION: &str = "What is the name of Ana's cat?";
    let found = tokio::task::spawn_blocking(|| tiny_llm("chat with a real model")).await.unwrap();
    let Some(files) = found else { return };
    let server = tokio::task::spawn_blocking(move || setup::llama_server(&files)).await.unwrap().unwrap();
    let home = Home::new();
    home.configure(&format!(
        "[embed]\nenabled = false\n[chat]\nopenai_url = \"{}\"\nmax_answer_tokens = 48\ntemperature = 0.0\n",
        server.base_url()
    ));
    let _daemon = Daemon::start(&home);
    let models = call(&home.socket(), "model.list", json!({}))["result"].clone();
    assert_eq!(models["provider"], "openai");
    assert!(models["models"][0]["contextTokens"].as_u64().is_some_and(|tokens| tokens >= 512), "{models}");

    let fact = call(&home.socket(), "memory.add", json!({"content": FACT}))["result"]["id"].clone();
    let preview = call(&home.socket(), "chat.preview", json!({"content": QUESTION}))["result"].clone();
    assert!(super::text_of(&preview["messages"]).contains(FACT), "{preview}");

    // the stream lives as long as its connection does
    let client = Client::connect(&home.socket(), ClientRef { name: "test".into(), version: "1".into() })
        .await
        .unwrap();
    let params = ChatParams { content: QUESTION.into(), ..ChatParams::default() };
    let mut stream = client.stream::<ChatStream>(&params).await.unwrap();
    let mut events = vec![];
    while !events.last().is_some_and(is_last) {
        let event = tokio::time::timeout(SLOWEST_EVENT, stream.next()).await.expect("an event in time");
        events.push(serde_json::to_value(event.unwrap().unwrap()).unwrap());
    }
    let (first, last) = (&events[0], events.last().unwrap());
    assert_eq!((&first["type"], &last["type"]), (&json!("sources"), &json!("done")), "{last}");
    assert!(first["sources"].as_array().unwrap().iter().any(|source| source["id"] == fact), "{first}");
    let pieces: Vec<&str> = events.iter().filter_map(|event| event["text"].as_str()).collect();
    assert!(pieces.len() > 1, "it comes as it is written: {pieces:?}");
    assert_eq!(last["content"], pieces.concat());
    assert_eq!(last["status"], "complete");
    let usage = &last["usage"];
    assert!(
        usage["promptTokens"].as_u64() > Some(20) && usage["completionTokens"].as_u64() > Some(0),
        "{usage}"
    );

    let list = json!({"conversationId": last["conversationId"]});
    let stored = call(&home.socket(), "message.list", list)["result"]["items"].clone();
    assert_eq!((&stored[0]["content"], &stored[1]["content"]), (&json!(QUESTION), &last["content"]));
    assert_eq!((&stored[1]["sources"], &stored[1]["model"]), (&last["sources"], &last["model"]));
}
