//! The embedding model arrives late, changes, and the index is built anew: queries are answered all the while.

use std::time::Instant;

use serde_json::{Value, json};

use super::audit::{audit, index_equals_store};
use super::ledger::Ledger;
use super::world::{World, found, wait_until};
use crate::support::PATIENCE;
use crate::support::wire::Client;

const N: usize = 300;

fn fill(world: &World, n: usize) -> (Ledger, String) {
    let mut ledger = Ledger::new(&world.home.socket(), 3, 20);
    let mut client = Client::connect(&world.home.socket()).unwrap();
    let mut id = String::new();
    for n in 0..n {
        id = ledger.append(&mut client, &format!("fato número{n} da história")).unwrap().unwrap();
    }
    (ledger, id)
}

#[test]
fn a_model_that_arrives_later_embeds_the_backlog() {
    let test = "a model that arrives later";
    let Some(brought) = crate::brought::brought(test) else { return };
    let Some(world) = World::without_model(test) else { return };
    world.home.configure("[chat]\nprovider = \"extractive\"\n");
    let daemon = world.start();
    let (_ledger, id) = fill(&world, 20);
    wait_until("the daemon has looked for a model", Instant::now() + PATIENCE, || {
        let searched = world.search("número19", "hybrid");
        assert!(found(&searched, &id));
        assert_eq!(
            (&searched["served"]["semantic"], &searched["served"]["pending"]),
            (&json!(false), &json!(20))
        );
        let problem = searched["served"]["problem"].as_str().unwrap();
        problem.contains("nosso setup").then_some(())
    });
    let status = world.ask("system.status", json!({}));
    assert_eq!((&status["queue"]["ready"], &status["embedding"]["available"]), (&json!(20), &json!(false)));

    // what `nosso setup` leaves behind
    for folder in ["lib", "models"] {
        std::os::unix::fs::symlink(brought.paths.data.join(folder), world.data().join(folder)).unwrap();
    }
    world.wait_for_meaning();
    world.drain();
    assert!(found(&world.search("a história do fato", "semantic"), &id));
    world.stop(daemon);
    index_equals_store(&world.data(), &world.library, &brought.model);
}

/// Searches until `is_over`; each must be answered by word and by meaning.
fn searched_until(world: &World, what: &str, id: &str, mut is_over: impl FnMut(&Value) -> bool) {
    wait_until(what, Instant::now() + 3 * PATIENCE, || {
        let searched = world.search(&format!("número{}", N - 1), "hybrid");
        assert!(found(&searched, id), "{searched}");
        assert_eq!(searched["served"]["semantic"], true, "{}", searched["served"]);
        is_over(&world.ask("index.status", json!({}))).then_some(())
    });
}

#[test]
fn another_model_takes_over_when_its_generation_is_full() {
    let Some(world) = World::new("another model") else { return };
    world.make_model("other", 64);
    let mut daemon = world.start();
    let (ledger, id) = fill(&world, N);
    world.wait_for_meaning();
    world.drain();
    let first = world.ask("index.status", json!({}));
    assert_eq!(
        (&first["model"], &first["dimension"], &first["vectors"]),
        (&json!("tiny"), &json!(32), &json!(N))
    );

    // there, and back before it is full, and there again: the last word counts
    world.configure("other", "");
    daemon.wait_for_log("embed.model");
    world.configure("tiny", "");
    daemon.wait_for_log("embed.model");
    searched_until(&world, "the first model is back", &id, |index| {
        index["model"] == "tiny" && index["building"].is_null() && index["pending"] == 0
    });
    world.configure("other", "");
    daemon.wait_for_log("embed.model");
    searched_until(&world, "the other model serves", &id, |index| {
        index["model"] == "other" && index["building"].is_null()
    });
    let index = world.ask("index.status", json!({}));
    assert_eq!(
        (&index["dimension"], &index["vectors"], &index["pending"]),
        (&json!(64), &json!(N), &json!(0))
    );
    assert_ne!(index["generation"], first["generation"]);
    ledger.check(&world.home.socket());
    world.stop(daemon);
    assert_eq!(generations(&world), 1, "the old generation's folder is gone");
    audit(&world.data());
    index_equals_store(&world.data(), &world.library, &world.model("other"));
}

#[test]
fn settings_may_change_and_a_kill_may_come_while_a_generation_is_filled() {
    let Some(world) = World::new("a generation that is interrupted") else { return };
    world.make_model("other", 64);
    let mut daemon = world.start();
    let (_, id) = fill(&world, N);
    world.wait_for_meaning();
    world.drain();
    world.configure("other", "");
    daemon.wait_for_log("the embedding model is ready");
    let threads = world.settings(&world.model("other"), "").replace("threads = 1", "threads = 2");
    world.home.configure(&threads);
    daemon.wait_for_log("embed.threads");
    daemon.signal(rustix::process::Signal::KILL);
    daemon.ended(super::world::STOP);
    audit(&world.data());
    let daemon = world.start();
    world.wait_for_meaning();
    searched_until(&world, "the other model serves", &id, |index| {
        index["model"] == "other" && index["building"].is_null()
    });
    world.drain();
    world.stop(daemon);
    assert_eq!(generations(&world), 1);
    index_equals_store(&world.data(), &world.library, &world.model("other"));
}

#[test]
fn a_rebuild_fills_a_new_generation_while_the_old_one_serves() {
    let Some(world) = World::new("index.rebuild") else { return };
    let daemon = world.start();
    let (_, id) = fill(&world, N);
    world.wait_for_meaning();
    world.drain();
    let old = world.ask("index.status", json!({}))["generation"].clone();
    let begun = world.ask("index.rebuild", json!({}));
    assert_ne!(begun["generation"], old);
    searched_until(&world, "the new generation serves", &id, |index| {
        index["generation"] == begun["generation"] && index["building"].is_null()
    });
    world.drain();
    world.stop(daemon);
    assert_eq!(generations(&world), 1);
    index_equals_store(&world.data(), &world.library, &world.model("tiny"));
}

#[test]
fn invalid_settings_change_nothing() {
    let Some(world) = World::new("invalid settings") else { return };
    let mut daemon = world.start();
    let (_, id) = fill(&world, 5);
    world.wait_for_meaning();
    world.home.configure("[embed]\nenabled = false\nmodle = \"/nowhere\"\n");
    let line = daemon.wait_for_log("the old settings stay");
    assert!(line.contains("embed.model"), "{line}");
    world.drain();
    let searched = world.search("número4", "hybrid");
    assert!(found(&searched, &id) && searched["served"]["semantic"] == true, "{searched}");
    // a model that is not there is valid, and the old one goes on
    world.configure("nowhere", "");
    daemon.wait_for_log("the embedding model cannot be used");
    assert_eq!(world.search("número4", "hybrid")["served"]["semantic"], true);
}

/// Folders of generations on the disk.
fn generations(world: &World) -> usize {
    std::fs::read_dir(world.data().join("index")).unwrap().count()
}
