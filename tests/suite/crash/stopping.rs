//! A stop in order while clients write and an answer is being written.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::audit::{audit, index_equals_store};
use super::ledger::{Ledger, equal};
use super::world::{STOP, World};
use crate::support::ollama;
use crate::support::scripted::Script;
use crate::support::wire::Client;

const CLIENTS: u64 = 3;

#[test]
fn a_stop_under_load_keeps_what_was_acknowledged_and_what_was_said() {
    let Some(world) = World::new("a stop under load") else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(ollama::start(&[("m", 8192)]));
    let words = (0..2000).map(|n| format!("word{n} ")).collect();
    server.script(Script::Drip(words, Duration::from_millis(20)));
    world.configure("tiny", &format!("[chat]\nprovider = \"ollama\"\nollama_url = \"{}\"\n", server.url));
    let socket = world.home.socket();
    let mut daemon = world.start();
    let mut ledgers: Vec<Ledger> = (0..CLIENTS).map(|n| Ledger::new(&socket, 40 + n, 600)).collect();
    world.wait_for_meaning();

    let question = uuid::Uuid::now_v7().to_string();
    let mut asking = Client::connect(&socket).unwrap();
    asking.send("chat.stream", &json!({"content": "tell me everything", "messageId": question})).unwrap();
    let (mut said, mut last) = (String::new(), json!(null));
    std::thread::scope(|scope| {
        for ledger in &mut ledgers {
            let socket = &socket;
            // a refusal is as good as a closed connection
            scope.spawn(move || drop(ledger.write(socket)));
        }
        while said.split_whitespace().count() < 5 {
            let event = asking.receive().unwrap();
            said.push_str(event["params"]["result"]["text"].as_str().unwrap_or_default());
        }
        let begin = Instant::now();
        daemon.signal(Signal::TERM);
        while let Ok(event) = asking.receive() {
            let event = &event["params"]["result"];
            said.push_str(event["text"].as_str().unwrap_or_default());
            if !event.is_null() {
                last = event.clone();
            }
        }
        assert_eq!(daemon.ended(STOP).code(), Some(0));
        assert!(begin.elapsed() < STOP, "{:?}", begin.elapsed());
    });
    assert_eq!((&last["type"], &last["status"]), (&json!("cancelled"), &json!("cancelled")), "{last}");
    assert_eq!(last["questionId"], json!(question));
    assert_eq!(last["content"], json!(said));
    let stored = audit(&world.data());
    assert_eq!(stored.leased(), 0, "leases are given back");

    // everything is there, and the rest of the work is done by the next daemon
    server.script(Script::Stream(vec!["again".into()]));
    let daemon = world.start();
    let answer = world.ask("message.get", json!({"id": last["answerId"]}));
    assert_eq!((&answer["status"], &answer["content"]), (&json!("cancelled"), &json!(said)));
    assert_eq!(answer["parentId"], json!(question));
    for ledger in &mut ledgers {
        ledger.retry(&socket);
        ledger.check(&socket);
    }
    world.drain();
    world.stop(daemon);
    let stored = audit(&world.data());
    let own: super::ledger::Known = ledgers.iter().flat_map(|ledger| ledger.messages.clone()).collect();
    let others = stored.messages.clone().into_iter().filter(|(id, _)| !own.contains_key(id));
    assert_eq!(others.count(), 2, "the question and its answer");
    equal("messages", &own, &stored.messages.into_iter().filter(|(id, _)| own.contains_key(id)).collect());
    index_equals_store(&world.data(), &world.library, &world.model("tiny"));
}
