//! `kill -9` under load, again and again.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::audit::{audit, index_equals_store};
use super::ledger::{Known, Ledger, equal};
use super::world::{Random, STOP, World, found};
use crate::support::wire::Client;

/// How often the daemon is killed; `NOSSO_TEST_ROUNDS` says more.
const ROUNDS: u64 = 12;
/// With the real model, which is slower.
const REAL_ROUNDS: u64 = 2;
/// Words of the longest texts.
const LONGEST: u64 = 12_000;
const SEED: u64 = 20_260_102;

#[test]
fn what_was_acknowledged_survives_every_kill() {
    let Some(world) = World::new("kill -9 under load") else { return };
    let model = world.model("tiny");
    survive(&world, rounds(ROUNDS), &model, 4, LONGEST);
}

#[test]
fn so_it_does_while_the_real_model_embeds() {
    let test = "kill -9 while the real model embeds";
    let (Some(brought), Some(world)) = (crate::brought::brought(test), World::without_model(test)) else {
        return;
    };
    world.home.configure(&world.settings(&brought.model, ""));
    survive(&world, rounds(REAL_ROUNDS), &brought.model, 1, 8);
}

fn rounds(default: u64) -> u64 {
    std::env::var("NOSSO_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn survive(world: &World, rounds: u64, model: &std::path::Path, clients: u64, longest: u64) {
    let mut random = Random(SEED);
    let socket = world.home.socket();
    let mut daemon = world.start();
    let mut ledgers: Vec<Ledger> = (0..clients).map(|n| Ledger::new(&socket, SEED + n, longest)).collect();
    for round in 0..rounds {
        let load = Duration::from_millis(150 + random.below(650));
        std::thread::scope(|scope| {
            for ledger in &mut ledgers {
                let socket = &socket;
                scope.spawn(move || {
                    if let Ok(refusal) = ledger.write(socket) {
                        panic!("round {round}: refused: {refusal}");
                    }
                });
            }
            // this is the load itself: nothing is waited for
            std::thread::sleep(load);
            daemon.signal(Signal::KILL);
        });
        daemon.ended(STOP);
        audit(&world.data());
        daemon = world.start();
        for ledger in &mut ledgers {
            ledger.retry(&socket);
            ledger.check(&socket);
        }
    }
    let acknowledged: usize = ledgers.iter().map(|ledger| ledger.acknowledged).sum();
    // a busy machine that embeds at the same time does no more
    assert!(acknowledged as u64 > rounds * 5, "{acknowledged} calls in {rounds} rounds are no load");

    const SENTINEL: &str = "the zebra quietly juggles six vexing lamps by the frozen jetty";
    let mut client = Client::connect(&socket).unwrap();
    let sentinel = ledgers[0].append(&mut client, SENTINEL).unwrap().unwrap();
    world.wait_for_meaning();
    world.drain();
    let searched = world.ask(
        "search.query",
        json!({"query": SENTINEL, "mode": "semantic", "limit": 10, "filter": {"role": "user"}}),
    );
    assert!(found(&searched, &sentinel), "{searched}");
    for ledger in &ledgers {
        ledger.check(&socket);
    }
    world.stop(daemon);

    let all = |of: fn(&Ledger) -> &Known| -> Known {
        ledgers.iter().flat_map(|ledger| of(ledger).clone()).collect()
    };
    let stored = audit(&world.data());
    equal("messages", &all(|ledger| &ledger.messages), &stored.messages);
    equal("memories", &all(|ledger| &ledger.memories), &stored.memories);
    index_equals_store(&world.data(), &world.library, model);
}
