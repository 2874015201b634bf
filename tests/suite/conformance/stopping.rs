//! How the server stops: what runs may end, nothing new begins, and it does not take long.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nosso::api::limits;
use serde_json::json;
use tokio::net::UnixStream;

use super::house::{House, eventually};
use super::wire::{self, Kind, Wire};

const SLEEP: &str = r#"{"jsonrpc":"2.0","id":1,"method":"test.sleep","params":{"ms":300}}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_flight_are_answered_and_streams_say_their_last_item() {
    let house = House::start();
    let mut wires = Vec::new();
    for kind in wire::ALL {
        let mut wire = Wire::open(&house.path, kind).await;
        wire.send(SLEEP).await;
        wires.push(wire);
    }
    let mut watchers = Vec::new();
    for kind in wire::OPEN {
        let mut wire = Wire::open(&house.path, kind).await;
        wire.call("test.watch", json!({})).await;
        watchers.push(wire);
    }
    let idle = Wire::open(&house.path, Kind::Line).await;
    let sleeping = || house.traces.sleeping.load(Ordering::SeqCst) == 4;
    eventually("all calls are in flight", sleeping).await;
    let began = Instant::now();
    let path = house.path.clone();
    let server = house.server;
    let stopped = tokio::spawn(async move { server.stopped(limits::STOP_DEADLINE).await });
    for mut wire in watchers {
        let item = wire.receive().await.unwrap();
        assert_eq!(item["params"]["result"], json!({"type": "stopping"}), "{:?}", wire.kind);
        assert_eq!(wire.receive().await, None);
    }
    for mut wire in wires {
        assert_eq!(wire.receive().await.unwrap()["result"], 300, "{:?}", wire.kind);
        assert_eq!(wire.receive().await, None);
    }
    assert_eq!(stopped.await.unwrap(), 0);
    assert!(began.elapsed() < limits::STOP_CALLS_DEADLINE, "{:?}", began.elapsed());
    assert!(UnixStream::connect(&path).await.is_err(), "nobody listens any more");
    drop(idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_takes_too_long_is_cut_off_and_a_write_is_waited_for() {
    let house = House::start();
    let mut wire = Wire::open(&house.path, Kind::Line).await;
    wire.send(r#"{"jsonrpc":"2.0","id":1,"method":"test.sleep","params":{"ms":600000}}"#).await;
    let mut writer = Wire::open(&house.path, Kind::Line).await;
    writer.send(r#"{"jsonrpc":"2.0","id":1,"method":"test.write","params":{"ms":5600}}"#).await;
    eventually("both run", || {
        house.traces.sleeping.load(Ordering::SeqCst) + house.traces.writes_begun.load(Ordering::SeqCst) == 2
    })
    .await;
    let began = Instant::now();
    let unfinished = house.server.stopped(limits::STOP_DEADLINE).await;
    let took = began.elapsed();
    assert_eq!((unfinished, house.traces.writes_done.load(Ordering::SeqCst)), (0, 1));
    assert_eq!(house.traces.sleeping.load(Ordering::SeqCst), 0);
    assert!(took >= limits::STOP_CALLS_DEADLINE && took < limits::STOP_DEADLINE, "{took:?}");
    assert_eq!(wire.receive().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_does_not_keep_the_server() {
    let house = House::start();
    let mut wires = Vec::new();
    for kind in wire::OPEN {
        let mut wire = Wire::open(&house.path, kind).await;
        wire.send(r#"{"jsonrpc":"2.0","id":1,"method":"test.flood","params":{"bytes":1000}}"#).await;
        wires.push(wire);
    }
    let mut http = Wire::open(&house.path, Kind::Http).await;
    http.send(r#"{"jsonrpc":"2.0","id":1,"method":"test.big","params":{"bytes":8000000}}"#).await;
    eventually("all floods run", || house.traces.streaming.load(Ordering::SeqCst) == 3).await;
    // The answer is there, but for what the client does not read.
    http.stream.readable().await.unwrap();
    let began = Instant::now();
    assert_eq!(house.server.stopped(limits::STOP_DEADLINE).await, 0);
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
}
