//! Chat over the socket of a real daemon: what the model sees, what the client hears, and what is kept however it ends.

mod answers;
mod branches;
mod ends;
mod failures;
mod real;
mod reflection;

use serde_json::{Value, json};

use crate::conformance::wire::{Kind, Wire};
use crate::support::daemon::{Daemon, Home};
use crate::support::ollama;
use crate::support::scripted::{Script, Scripted};

/// A daemon whose model server does what a test tells it.
struct House {
    home: Home,
    model: Scripted,
    daemon: Daemon,
}

impl House {
    /// With short patience, and nothing found by meaning: words are enough here, and the same everywhere.
    async fn start() -> Self {
        let model = ollama::start(&[("tiny:latest", 4096)]).await;
        let home = Home::new();
        configure(&home, &model.url, "");
        let daemon = Daemon::start(&home);
        Self { home, model, daemon }
    }

    async fn open(&self, kind: Kind) -> Wire {
        Wire::open(&self.home.socket(), kind).await
    }

    /// Over a connection of its own.
    async fn call(&self, method: &str, params: Value) -> Value {
        self.open(Kind::Line).await.call(method, params).await
    }

    /// The error of a call, over a connection of its own.
    async fn refused(&self, method: &str, params: Value) -> Value {
        let answer = self.open(Kind::Line).await.ask(request(method, params)).await;
        assert!(answer["error"].is_object(), "{answer}");
        answer["error"].clone()
    }

    /// The messages of a conversation.
    async fn messages(&self, conversation: &Value) -> Vec<Value> {
        let page = self.call("message.list", json!({"conversationId": conversation})).await;
        page["items"].as_array().unwrap().clone()
    }

    /// Waits until a conversation has `n` messages, and gives them.
    async fn messages_once(&self, conversation: &Value, n: usize) -> Vec<Value> {
        let began = std::time::Instant::now();
        loop {
            let messages = self.messages(conversation).await;
            if messages.len() >= n {
                return messages;
            }
            assert!(began.elapsed() < crate::support::PATIENCE, "still {messages:?}");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// The prompt that the model server saw last, as one text.
    fn prompt(&self) -> String {
        text_of(&self.model.last_chat().body["messages"])
    }

    /// How many times the model was asked.
    fn n_asked(&self) -> usize {
        self.model.requests().iter().filter(|request| request.path == "/api/chat").count()
    }

    fn script(&self, script: Script) {
        self.model.script(script);
    }
}

fn configure(home: &Home, url: &str, more: &str) {
    home.configure(&format!(
        "[embed]\nenabled = false\n[chat]\nprovider = \"ollama\"\nollama_url = \"{url}\"\n\
         first_token_timeout_seconds = 2\ntoken_timeout_seconds = 2\n{more}"
    ));
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": "it", "method": method, "params": params})
}

fn text_of(messages: &Value) -> String {
    let texts = messages.as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap());
    texts.collect::<Vec<_>>().join("\n")
}

/// A stream of events that has begun.
struct Stream {
    wire: Wire,
    id: Value,
}

impl Stream {
    async fn begin(mut wire: Wire, params: Value) -> Self {
        let answer = wire.ask(request("chat.stream", params)).await;
        assert!(answer["result"].is_string(), "{answer}");
        Self { wire, id: answer["result"].clone() }
    }

    async fn next(&mut self) -> Value {
        let message = self.wire.receive().await.expect("an event");
        assert_eq!(
            (&message["method"], &message["params"]["subscription"]),
            (&json!("chat.event"), &self.id)
        );
        message["params"]["result"].clone()
    }

    /// Everything up to the last event, which is one and is followed by nothing.
    async fn all(mut self) -> Vec<Value> {
        let mut events = vec![];
        loop {
            let event = self.next().await;
            let is_last = ["done", "cancelled", "error"].contains(&event["type"].as_str().unwrap());
            events.push(event);
            if is_last {
                // an answer to this is the very next message, so nothing came in between
                let answer = self.wire.ask(request("model.list", json!({}))).await;
                assert_eq!(answer["id"], "it", "{answer}");
                return events;
            }
        }
    }
}
