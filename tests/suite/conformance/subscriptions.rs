//! Subscriptions: their items, their end, and where there can be none.

use std::sync::atomic::Ordering;

use nosso::api::limits;
use serde_json::{Value, json};

use super::house::{House, eventually};
use super::wire::{self, Kind, Wire};

fn subscribe(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": "subscribe", "method": method, "params": params})
}

/// Subscribes and gives the subscription's id; items may come before the answer of something else, never before
/// this one's.
async fn begin(wire: &mut Wire, method: &str, params: Value) -> Value {
    let answer = wire.ask(subscribe(method, params)).await;
    assert_eq!(answer["id"], "subscribe", "{answer}");
    assert!(answer["result"].is_string(), "a subscription's id is a string: {answer}");
    answer["result"].clone()
}

/// The answer to a call, skipping the items of subscriptions.
async fn call_among_items(wire: &mut Wire, method: &str, params: Value) -> Value {
    wire.send_json(json!({"jsonrpc": "2.0", "id": "among", "method": method, "params": params})).await;
    loop {
        let message = wire.receive().await.expect("an answer");
        if message["id"] == "among" {
            return message["result"].clone();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_come_in_order_and_end_with_the_last() {
    let house = House::start();
    for kind in wire::OPEN {
        let mut wire = Wire::open(&house.path, kind).await;
        let id = begin(&mut wire, "test.count", json!({"n": 2000})).await;
        for n in 0..2000 {
            let message = wire.receive().await.unwrap();
            assert_eq!(
                (&message["method"], &message["params"]["subscription"]),
                (&json!("test.counted"), &id)
            );
            assert_eq!(message["params"]["result"]["n"], n, "{kind:?}");
        }
        assert_eq!(wire.receive().await.unwrap()["params"]["result"], json!({"type": "done"}), "{kind:?}");
        eventually("the subscription is over", || house.server.subscriptions() == 0).await;
        assert_eq!(wire.call("sum", json!([1])).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_is_ended_by_its_own_connection_only() {
    let house = House::start();
    for kind in wire::OPEN {
        let mut wire = Wire::open(&house.path, kind).await;
        for by_name in [true, false] {
            let id = begin(&mut wire, "test.watch", json!({})).await;
            let params = |id: &Value| if by_name { json!({"subscription": id}) } else { json!([id]) };
            let mut other = Wire::open(&house.path, kind).await;
            assert_eq!(other.call("test.stopWatching", params(&id)).await, false, "{kind:?}");
            assert_eq!(wire.call("test.stopWatching", params(&json!("other"))).await, false, "{kind:?}");
            assert_eq!(house.server.subscriptions(), 1);
            assert_eq!(wire.call("test.stopWatching", params(&id)).await, true, "{kind:?}");
            eventually("the subscription is over", || house.server.subscriptions() == 0).await;
            assert_eq!(wire.call("test.stopWatching", params(&id)).await, false, "{kind:?}: only once");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_can_be_ended_and_ends_with_its_client() {
    let house = House::start();
    let streaming = || house.traces.streaming.load(Ordering::SeqCst);
    for kind in wire::OPEN {
        let mut wire = Wire::open(&house.path, kind).await;
        let id = begin(&mut wire, "test.flood", json!({})).await;
        assert_eq!(call_among_items(&mut wire, "sum", json!([2, 2])).await, 4, "{kind:?}");
        assert_eq!(call_among_items(&mut wire, "test.stopFlood", json!([id])).await, true, "{kind:?}");
        eventually("the flood is over", || streaming() == 0).await;
        begin_among_items(&mut wire).await;
        drop(wire);
        eventually("the flood is over with its client", || streaming() == 0).await;
    }
}

async fn begin_among_items(wire: &mut Wire) {
    wire.send_json(subscribe("test.flood", json!({}))).await;
    while wire.receive().await.expect("an answer")["id"] != "subscribe" {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_parameters_answer_the_request() {
    let house = House::start();
    for kind in wire::OPEN {
        let mut wire = Wire::open(&house.path, kind).await;
        let answer = wire.ask(subscribe("test.count", json!({"n": "many"}))).await;
        let told = (&answer["id"], &answer["error"]["code"], &answer["error"]["data"]["kind"]);
        assert_eq!(told, (&json!("subscribe"), &json!(-32602), &json!("invalid")), "{kind:?}: {answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("`n`"));
        wire.tell(r#"{"jsonrpc":"2.0","method":"update","params":[]}"#).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_none_in_a_batch_and_none_by_http() {
    let house = House::start();
    for kind in wire::ALL {
        let mut wire = Wire::open(&house.path, kind).await;
        let sum = json!({"jsonrpc": "2.0", "id": 1, "method": "sum", "params": [1]});
        let answers = wire.ask(json!([sum, subscribe("test.count", json!({"n": 3}))])).await;
        let answers = answers.as_array().unwrap();
        assert_eq!((answers.len(), &answers[0]["result"]), (2, &json!(1)), "{kind:?}");
        assert_eq!(answers[1]["error"]["data"]["kind"], "unsupported", "{kind:?}");
        assert_eq!(house.server.subscriptions(), 0);
    }
    let mut wire = Wire::open(&house.path, Kind::Http).await;
    for method in ["test.count", "test.stopCounting"] {
        let error = wire.ask(subscribe(method, json!({"n": 3}))).await["error"].clone();
        assert_eq!(error["data"]["kind"], "unsupported");
        assert!(error["message"].as_str().unwrap().contains("connection that stays open"), "{error}");
        assert!(error["data"]["hint"].as_str().unwrap().contains("WebSocket"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_only_so_many_on_a_connection() {
    let house = House::start();
    for kind in wire::OPEN {
        let mut wire = Wire::open(&house.path, kind).await;
        let mut last = Value::Null;
        for _ in 0..limits::MAX_SUBSCRIPTIONS {
            last = begin(&mut wire, "test.watch", json!({})).await;
        }
        let answer = wire.ask(subscribe("test.watch", json!({}))).await;
        let told = (&answer["error"]["code"], &answer["error"]["data"]["kind"]);
        assert_eq!(told, (&json!(-32006), &json!("too_large")), "{kind:?}: {answer}");
        assert_eq!(wire.call("test.stopWatching", json!([last])).await, true);
        let fewer = u64::from(limits::MAX_SUBSCRIPTIONS) - 1;
        eventually("one is over", || house.server.subscriptions() == fewer).await;
        begin(&mut wire, "test.watch", json!({})).await;
        drop(wire);
        eventually("all end with the connection", || house.server.subscriptions() == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_panics_says_so() {
    let house = House::start();
    for kind in wire::OPEN {
        let mut wire = Wire::open(&house.path, kind).await;
        begin(&mut wire, "test.panicStream", json!({})).await;
        assert_eq!(wire.receive().await.unwrap()["params"]["result"]["type"], "done");
        let message = wire.receive().await.unwrap();
        assert!(message["params"]["error"].is_string(), "{kind:?}: {message}");
        assert_eq!(wire.call("sum", json!([1])).await, 1);
        eventually("it is over", || house.server.subscriptions() == 0).await;
    }
}
