//! The index folder is deleted: it is derived, so nothing is lost.

use serde_json::json;

use super::audit::{audit, index_equals_store};
use super::ledger::{Ledger, equal};
use super::world::{World, found, wait_until};
use crate::support::wire::Client;

const N: usize = 60;

/// A store with some messages, all embedded, and a daemon that serves them.
fn filled(world: &World) -> (crate::support::daemon::Daemon, Ledger, String) {
    let daemon = world.start();
    let mut ledger = Ledger::new(&world.home.socket(), 5, 20);
    let mut client = Client::connect(&world.home.socket()).unwrap();
    let mut id = String::new();
    for n in 0..N {
        id = ledger.append(&mut client, &format!("passage number{n} of many")).unwrap().unwrap();
    }
    world.wait_for_meaning();
    world.drain();
    (daemon, ledger, id)
}

#[test]
fn deleting_the_index_of_a_running_daemon_loses_nothing() {
    let Some(world) = World::new("the index is deleted while the daemon runs") else { return };
    let (daemon, ledger, id) = filled(&world);
    std::fs::remove_dir_all(world.data().join("index")).unwrap();
    // by word at once, and nothing fails
    assert!(found(&world.search("number59", "hybrid"), &id));
    assert!(found(&world.search("number59", "lexical"), &id));
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    wait_until("the index is full again", deadline, || {
        assert!(found(&world.search("number59", "hybrid"), &id));
        let index = world.ask("index.status", json!({}));
        let is_there = world.data().join("index").is_dir();
        (is_there && index["vectors"] == json!(N) && index["pending"] == json!(0)).then_some(())
    });
    // writing goes on too
    let mut ledger = ledger;
    let mut client = Client::connect(&world.home.socket()).unwrap();
    ledger.append(&mut client, "one more").unwrap().unwrap();
    world.drain();
    world.stop(daemon);
    equal("messages", &ledger.messages, &audit(&world.data()).messages);
    index_equals_store(&world.data(), &world.library, &world.model("tiny"));
}

#[test]
fn deleting_the_index_of_a_stopped_daemon_loses_nothing() {
    let Some(world) = World::new("the index is deleted while the daemon is stopped") else { return };
    let (daemon, ledger, id) = filled(&world);
    world.stop(daemon);
    std::fs::remove_dir_all(world.data().join("index")).unwrap();
    let daemon = world.start();
    assert!(found(&world.search("number59", "hybrid"), &id));
    world.wait_for_meaning();
    world.drain();
    ledger.check(&world.home.socket());
    world.stop(daemon);
    equal("messages", &ledger.messages, &audit(&world.data()).messages);
    index_equals_store(&world.data(), &world.library, &world.model("tiny"));
}
