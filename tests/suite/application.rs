//! The application without its socket: steps of the background work by hand, import and export, chat.

use std::time::Duration;

use nosso::api::chat::{ChatCancel, ChatEvent, ChatResult};
use nosso::api::data::{ExportItem, ExportParams, ImportResult};
use nosso::config::Config;
use nosso::memory::{Actor, Memory, Options, Outcome};
use nosso::model::{AnswerStatus, ConversationId, Message, MessageId, Role};
use nosso::paths::Paths;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::brought::brought;
use crate::support::daemon::{Daemon, Home};
use crate::support::ollama;
use crate::support::scripted::{Script, Scripted};
use crate::support::wire::Client;
use crate::tiny_model;

/// The application on folders of its own.
pub struct App {
    pub memory: Memory,
    pub config: Config,
    pub root: TempDir,
}

impl App {
    pub async fn open(config: Config) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), config).await
    }

    pub async fn open_in(root: TempDir, config: Config) -> Self {
        let paths = Paths::below(&root.path().join("home"));
        let config_file = paths.config_file();
        let options = Options { paths, config: config.clone(), config_file, runtime_library: None };
        Self { memory: Memory::open(options).await.unwrap(), config, root }
    }

    /// With the tiny model, opened by the first step.
    pub async fn with_model(test: &str) -> Option<Self> {
        let library = brought(test)?.library.into_iter().find(|file| file.is_file())?;
        let root = tempfile::tempdir().unwrap();
        let model = root.path().join("tiny");
        std::fs::create_dir(&model).unwrap();
        let naming = nosso::embed::Naming { name: "tiny".into(), golden: Vec::new() };
        nosso::embed::convert(&tiny_model::weight_file(), naming, &model).unwrap();
        let mut config = quoting();
        config.embed.model = Some(model);
        config.embed.library = Some(library);
        Some(Self::open_in(root, config).await)
    }

    /// Answered by a scripted server.
    pub async fn with_server() -> (Self, Scripted) {
        let server = ollama::start(&[("m", 8192)]).await;
        let mut config = Config::default();
        config.embed.enabled = false;
        config.chat.provider = nosso::config::ChatProvider::Ollama;
        config.chat.ollama_url = server.url.clone();
        (Self::open(config).await, server)
    }

    pub async fn conversation(&self, texts: &[&str]) -> (ConversationId, Vec<Message>) {
        let made =
            self.memory.create_conversation(params(json!({"title": "t"})), &actor()).await.unwrap().record;
        let messages: Vec<Value> =
            texts.iter().map(|text| json!({"role": "user", "content": text})).collect();
        let append = params(json!({"conversationId": made.id, "messages": messages}));
        (made.id, self.memory.append(append, &actor()).await.unwrap().messages)
    }

    pub async fn messages(&self, conversation: ConversationId) -> Vec<Message> {
        self.memory.messages(params(json!({"conversationId": conversation}))).await.unwrap().items
    }

    /// Steps until there is nothing to do.
    pub async fn work(&self) {
        while self.memory.tick(&CancellationToken::new()).await.unwrap() == Outcome::Worked {}
    }

    /// Ready, leased, dead.
    pub async fn queue(&self) -> (u64, u64, u64) {
        let queue = self.memory.status("", 0).await.unwrap().queue;
        (queue.ready, queue.leased, queue.dead)
    }

    /// Changes the database behind the application's back.
    pub fn tamper(&self, sql: &str) {
        let paths = Paths::below(&self.root.path().join("home"));
        let db = rusqlite::Connection::open(paths.database()).unwrap();
        db.busy_timeout(Duration::from_secs(5)).unwrap();
        nosso::store::register_functions(&db).unwrap();
        db.execute_batch(sql).unwrap();
    }

    pub async fn export(&self) -> Vec<String> {
        self.export_as(json!({})).await
    }

    pub async fn export_as(&self, asked: Value) -> Vec<String> {
        let mut items = self.memory.export(params::<ExportParams>(asked));
        let mut all = Vec::new();
        loop {
            match items.recv().await.unwrap() {
                ExportItem::Document { .. } => {}
                ExportItem::Records { lines } => all.extend(lines),
                ExportItem::Done { .. } => return all,
                ExportItem::Error { message, .. } => panic!("{message}"),
            }
        }
    }

    pub async fn import(&self, data: &str) -> ImportResult {
        self.memory.import(params(json!({"data": data})), &actor()).await.unwrap()
    }

    pub async fn complete(&self, asked: Value) -> ChatResult {
        self.memory.complete(params(asked), &actor()).await.unwrap()
    }
}

pub fn quoting() -> Config {
    let mut config = Config::default();
    config.chat.provider = nosso::config::ChatProvider::Extractive;
    config
}

pub fn actor() -> Actor {
    Actor { client: None, connection: 1 }
}

pub fn params<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_embed_what_was_said_and_forget_what_was_deleted() {
    let Some(app) = App::with_model("steps of the background work").await else { return };
    let (_, messages) = app.conversation(&["one fish", "two fish", "red fish"]).await;
    assert_eq!(app.queue().await, (3, 0, 0));
    app.work().await;
    assert_eq!(app.queue().await, (0, 0, 0));
    let vectors = |app: &App| {
        let memory = app.memory.clone();
        async move { memory.index_status().await.unwrap().vectors }
    };
    assert_eq!(vectors(&app).await, 3);
    app.memory.delete_message(messages[1].id, &actor()).await.unwrap();
    assert_eq!(app.queue().await.0, 2, "a removal, and the message after it, which was read with it");
    app.work().await;
    assert_eq!((app.queue().await, vectors(&app).await), ((0, 0, 0), 2));
    app.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_stopped_gives_its_jobs_back() {
    let Some(app) = App::with_model("a step that is stopped").await else { return };
    app.work().await;
    app.conversation(&["one fish"; 40]).await;
    let stop = CancellationToken::new();
    stop.cancel();
    app.memory.tick(&stop).await.unwrap();
    let (ready, leased, dead) = app.queue().await;
    assert!(leased == 0 && dead == 0 && ready > 0, "{ready} {leased} {dead}");
    app.tamper("CREATE TEMP TABLE x AS SELECT 1 / (SELECT count(*) = 0 FROM embed_job WHERE attempts > 0)");
    app.work().await;
    assert_eq!(app.queue().await, (0, 0, 0));
    app.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passage_that_cannot_be_embedded_is_given_up_and_can_be_tried_again() {
    let Some(app) = App::with_model("a passage that cannot be embedded").await else { return };
    let (_, messages) = app.conversation(&["a good one", "a bad one", "another good one"]).await;
    // an empty passage is what every model refuses
    let whole = "DROP TRIGGER chunk_written_again; UPDATE chunk SET end_byte = 9 WHERE end_byte = 0";
    app.tamper("UPDATE chunk SET end_byte = 0 WHERE message_id = 2");
    for tries in 1..=nosso::store::MAX_ATTEMPTS {
        app.work().await;
        let is_last = tries == nosso::store::MAX_ATTEMPTS;
        assert_eq!(app.queue().await, if is_last { (0, 0, 1) } else { (1, 0, 0) }, "after {tries} tries");
        // as if its time to wait had passed
        app.tamper("UPDATE embed_job SET run_at = 0 WHERE state = 3");
    }
    app.work().await;
    assert_eq!(app.queue().await, (0, 0, 1));
    let dead = app.memory.jobs(params(json!({"state": "dead"}))).await.unwrap().items;
    assert_eq!((dead[0].attempts, dead[0].message_id), (nosso::store::MAX_ATTEMPTS, Some(messages[1].id)));
    assert!(dead[0].last_error.as_ref().is_some_and(|error| error.contains("empty")), "{dead:?}");
    let status = app.memory.status("", 0).await.unwrap();
    assert!(status.warnings.iter().any(|warning| warning.contains("nosso jobs")), "{:?}", status.warnings);
    assert_eq!((status.index.vectors, status.index.pending), (2, 1));

    app.tamper(whole);
    assert_eq!(app.memory.retry_jobs(params(json!({}))).await.unwrap().retried, 1);
    app.work().await;
    assert_eq!(app.queue().await, (0, 0, 0));
    assert_eq!(app.memory.index_status().await.unwrap().vectors, 3);
    app.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_passage_that_was_given_up_does_not_keep_a_new_generation_from_serving() {
    let Some(app) = App::with_model("a generation with a passage that was given up").await else { return };
    app.conversation(&["a good one"; 20]).await;
    app.tamper("UPDATE chunk SET end_byte = 0 WHERE message_id = 2");
    app.work().await;
    let begun = app.memory.rebuild_index().await.unwrap();
    for _ in 0..nosso::store::MAX_ATTEMPTS {
        app.tamper("UPDATE embed_job SET run_at = 0 WHERE state = 3");
        app.work().await;
    }
    let status = app.memory.index_status().await.unwrap();
    assert_eq!((status.generation, status.vectors, status.building), (Some(begun.generation), 19, None));
    app.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_imported_twice_is_there_once_and_goes_out_as_it_came() {
    let one = App::open(quoting()).await;
    let history = json!([{"title": "Compras", "messages": [
        {"role": "user", "content": "pão e café"}, {"role": "assistant", "content": "anotado \u{0} 🦀"},
    ]}]);
    let first = one.import(&history.to_string()).await;
    assert_eq!(
        (first.added.conversations, first.added.messages, first.refused_total),
        (1, 2, 0),
        "{first:?}"
    );
    let again = one.import(&history.to_string()).await;
    assert_eq!((again.added.messages, again.existing.messages), (0, 2), "{again:?}");
    one.conversation(&["one fish", ""]).await;
    one.memory
        .add_memory(params(json!({"content": "tea, not coffee", "project": "p"})), &actor())
        .await
        .unwrap();

    let exported = one.export().await;
    let two = App::open(quoting()).await;
    let brought = two.import(&exported.join("\n")).await;
    assert_eq!(
        (brought.added.messages, brought.added.memories, brought.refused_total),
        (4, 1, 0),
        "{brought:?}"
    );
    let twice = two.import(&exported.join("\n")).await;
    assert_eq!((twice.added.messages, twice.added.memories, twice.added.conversations), (0, 0, 0));
    assert_eq!(two.export().await, exported);
    for app in [one, two] {
        app.memory.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_sent_again_is_not_asked_again() {
    let (app, server) = App::with_server().await;
    let n_asked = || server.requests().iter().filter(|request| request.path == "/api/chat").count();
    server.script(Script::Stream(vec!["forty".into(), "-two".into()]));
    let id = MessageId::new();
    let first = app.complete(json!({"content": "how much?", "messageId": id})).await;
    assert_eq!((first.content.as_str(), n_asked()), ("forty-two", 1));
    // whoever lost the answer does not know the conversation that was made for it
    let conversation = first.conversation_id.unwrap();
    for again in [
        json!({"content": "how much?", "messageId": id}),
        json!({"content": "how much?", "messageId": id, "conversationId": conversation}),
    ] {
        let again = app.complete(again).await;
        assert_eq!((again.answer_id, again.conversation_id), (first.answer_id, first.conversation_id));
        assert_eq!((again.content.as_str(), n_asked()), ("forty-two", 1));
    }
    assert_eq!(app.messages(conversation).await.len(), 2);
    app.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_conversation_is_not_recalled_into_it() {
    let app = App::open(quoting()).await;
    let (_, other) = app.conversation(&["the quokka smiles at dawn"]).await;
    let (own, live) = app.conversation(&["the quokka sleeps at noon", "a quokka eats leaves"]).await;
    let asked = json!({"content": "what does the quokka do all day long?", "conversationId": own});
    let preview = app.memory.preview(params(asked), &actor()).await.unwrap();
    let ids: Vec<_> = preview.sources.iter().map(|source| *source.id.as_bytes()).collect();
    assert!(ids.contains(other[0].id.as_bytes()), "{:?}", preview.sources);
    assert!(live.iter().all(|message| !ids.contains(message.id.as_bytes())), "{:?}", preview.sources);
    app.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_cancelled_or_left_is_kept_as_far_as_it_came() {
    let (app, server) = App::with_server().await;
    for is_cancelled in [true, false] {
        server.script(Script::HangAfter(vec!["so ".into(), "far".into()]));
        let id = MessageId::new();
        let asked = params(json!({"content": "tell me", "messageId": id}));
        let mut asking = app.memory.ask(asked, &actor()).await.unwrap();
        let (mut said, mut conversation) = (String::new(), None);
        while said != "so far" {
            match asking.next().await.unwrap() {
                ChatEvent::Sources { conversation_id, .. } => conversation = conversation_id,
                ChatEvent::Delta { text } => said += &text,
                other => panic!("{other:?}"),
            }
        }
        if is_cancelled {
            assert!(app.memory.cancel_answer(ChatCancel { question_id: id }).cancelled);
            let last = asking.next().await.unwrap();
            assert!(matches!(&last, ChatEvent::Cancelled(result) if result.content == "so far"), "{last:?}");
            assert_eq!(asking.next().await, None, "that was the last");
        } else {
            drop(asking);
        }
        let conversation = conversation.unwrap();
        let mut kept = app.messages(conversation).await;
        let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
        while kept.len() < 2 {
            assert!(tokio::time::Instant::now() < deadline, "the partial answer was not kept");
            tokio::time::sleep(Duration::from_millis(5)).await;
            kept = app.messages(conversation).await;
        }
        let answer = &kept[1];
        assert_eq!((answer.content.as_str(), answer.role), ("so far", Role::Assistant));
        assert_eq!((answer.status, answer.parent_id), (Some(AnswerStatus::Cancelled), Some(id)));
    }
    app.memory.close().await.unwrap();
}

#[test]
fn changes_are_told_to_others_and_not_to_who_made_them() {
    let home = Home::new();
    home.configure("[embed]\nenabled = false\n");
    let _daemon = Daemon::start(&home);
    let [mut own, mut other] = [(); 2].map(|()| Client::connect(&home.socket()).unwrap());
    for client in [&mut own, &mut other] {
        client.call("event.subscribe", &json!({})).unwrap().unwrap();
    }
    own.call("memory.add", &json!({"content": "mine"})).unwrap().unwrap();
    let event = other.receive().unwrap();
    assert_eq!(event["method"], "event.changed", "{event}");
    let change = &event["params"]["result"];
    assert_eq!((&change["type"], &change["action"]), (&json!("changed"), &json!("memoryAdded")), "{event}");
    // the next thing that its maker hears of is the change of the other
    other.call("memory.add", &json!({"content": "the other's"})).unwrap().unwrap();
    let heard = own.receive().unwrap();
    assert_ne!(heard["params"]["result"]["memoryId"], change["memoryId"]);
    assert_eq!(heard["params"]["result"]["action"], "memoryAdded", "{heard}");
}

#[test]
fn new_folders_and_tags_are_told_with_what_made_them() {
    let home = Home::new();
    home.configure("[embed]\nenabled = false\n");
    let _daemon = Daemon::start(&home);
    let [mut own, mut other] = [(); 2].map(|()| Client::connect(&home.socket()).unwrap());
    other.call("event.subscribe", &json!({})).unwrap().unwrap();
    let made = own.call("conversation.create", &json!({"tags": ["a"]})).unwrap().unwrap();
    let changes = [json!({"folder": "Work"}), json!({"removeTags": ["a"]}), json!({"pinned": true})];
    for change in changes {
        own.call("conversation.organise", &json!({"ids": [made["id"]], "change": change})).unwrap().unwrap();
    }
    let heard: Vec<Value> =
        (0..7).map(|_| other.receive().unwrap()["params"]["result"]["action"].clone()).collect();
    let updated = "conversationUpdated";
    let told =
        ["conversationCreated", "tagsChanged", updated, "foldersChanged", updated, "tagsChanged", updated];
    assert_eq!(heard, told);
}
