//! Requests, notifications, batches and cancellation.

use std::sync::atomic::Ordering;
use std::time::Duration;

use nosso::api::limits;
use serde_json::{Value, json};

use super::house::{House, eventually, not_found};
use super::wire::{self, Kind, Wire};

/// The specification's messages say more than a client may rely on; the `data` beside them is ours.
fn without_data(mut answer: Value) -> Value {
    let strip = |answer: &mut Value| {
        if let Some(error) = answer.get_mut("error").and_then(Value::as_object_mut) {
            assert!(error["data"]["kind"].is_string() && error["data"]["hint"].is_string(), "{error:?}");
            error.remove("data");
        }
    };
    match &mut answer {
        Value::Array(answers) => answers.iter_mut().for_each(strip),
        answer => strip(answer),
    }
    answer
}

fn sorted(answer: Value) -> Vec<String> {
    let mut texts: Vec<_> = match answer {
        Value::Array(answers) => answers.iter().map(Value::to_string).collect(),
        answer => vec![answer.to_string()],
    };
    texts.sort();
    texts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_specification() {
    let house = House::start();
    let examples: Value = serde_json::from_str(include_str!("../../data/jsonrpc-section7.json")).unwrap();
    let cases = examples["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 15);
    for kind in wire::ALL {
        let mut wire = Wire::open(&house.path, kind).await;
        for case in cases {
            let request = case["request"].as_str().unwrap();
            if case["expect"].is_null() {
                wire.tell(request).await;
                continue;
            }
            let answer = without_data(wire.ask_text(request).await);
            if case["order_free"] == true {
                assert_eq!(sorted(answer), sorted(case["expect"].clone()), "{kind:?}: {}", case["name"]);
            } else {
                assert_eq!(answer, case["expect"], "{kind:?}: {}", case["name"]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_messages_are_told_and_the_connection_lives() {
    let house = House::start();
    let long = format!(r#"{{"jsonrpc":"2.0","id":4,"method":"{}"}}"#, "x".repeat(100_000));
    let deep = "[".repeat(100_000);
    let cases: &[(&str, i64, Value, &str)] = &[
        ("{", -32700, Value::Null, "parse_error"),
        ("{}{}", -32700, Value::Null, "parse_error"),
        ("nonsense", -32700, Value::Null, "parse_error"),
        (&deep, -32700, Value::Null, "parse_error"),
        ("17", -32600, Value::Null, "invalid_request"),
        ("\"text\"", -32600, Value::Null, "invalid_request"),
        ("{}", -32600, Value::Null, "invalid_request"),
        (r#"{"jsonrpc":"1.0","id":2,"method":"sum"}"#, -32600, json!(2), "invalid_request"),
        (r#"{"id":3,"method":"sum"}"#, -32600, json!(3), "invalid_request"),
        (r#"{"jsonrpc":"2.0","id":"x","method":"sum","params":7}"#, -32600, json!("x"), "invalid_request"),
        (r#"{"jsonrpc":"2.0","id":-1,"method":"sum"}"#, -32600, Value::Null, "invalid_request"),
        (r#"{"jsonrpc":"2.0","id":{},"method":"sum"}"#, -32600, Value::Null, "invalid_request"),
        (&long, -32601, json!(4), "unknown_method"),
        (r#"{"jsonrpc":"2.0","id":5,"method":"test.slep"}"#, -32601, json!(5), "unknown_method"),
        (r#"{"jsonrpc":"2.0","id":6,"method":"$/unknown"}"#, -32601, json!(6), "unknown_method"),
        (r#"{"jsonrpc":"2.0","id":null,"method":"nothing"}"#, -32601, Value::Null, "unknown_method"),
    ];
    for kind in wire::ALL {
        let mut wire = Wire::open(&house.path, kind).await;
        for (text, code, id, name) in cases {
            // A line's first byte decides the framing; later ones may be anything.
            wire.call("sum", json!([1])).await;
            let answer = wire.ask_text(text).await;
            let told = (&answer["error"]["code"], &answer["id"], &answer["error"]["data"]["kind"]);
            assert_eq!(told, (&json!(code), id, &json!(name)), "{kind:?}: {text:.100}: {answer}");
        }
        let answer = wire.ask_text(cases[13].0).await;
        let hint = answer["error"]["data"]["hint"].as_str().unwrap();
        assert!(hint.contains("`test.sleep`"), "{hint}");
        // Bytes that are no UTF-8 are no JSON.
        let mut bytes = Wire::encode(kind, r#"{"jsonrpc":"2.0","id":1,"method":"s~m"}"#);
        if kind != Kind::WebSocket {
            let at = bytes.iter().position(|byte| *byte == b'~').unwrap();
            bytes[at] = 0xff;
            wire.write(&bytes).await;
            assert_eq!(wire.receive().await.unwrap()["error"]["code"], -32700, "{kind:?}");
        }
        assert_eq!(wire.call("sum", json!([1, 2])).await, 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_over_the_limit_are_refused_and_the_next_one_is_answered() {
    let house = House::start();
    let padding = "x".repeat(limits::MAX_REQUEST_BYTES);
    let large = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"test.whoAmI","params":{{"x":"{padding}"}}}}"#);
    let fits = &padding[..limits::MAX_REQUEST_BYTES - 100];
    let fits = format!(r#"{{"jsonrpc":"2.0","id":2,"method":"test.whoAmI","params":{{"x":"{fits}"}}}}"#);
    for kind in wire::ALL {
        let mut wire = Wire::open(&house.path, kind).await;
        let answer = wire.ask_text(&large).await;
        let told = (&answer["error"]["code"], &answer["id"], &answer["error"]["data"]["kind"]);
        assert_eq!(told, (&json!(-32007), &Value::Null, &json!("too_large")), "{kind:?}: {answer}");
        assert_eq!(wire.call("sum", json!([1, 2])).await, 3, "{kind:?}");
        let answer = wire.ask_text(&fits).await;
        assert_eq!(answer["id"], 2, "{kind:?}: {:.200}", answer.to_string());
        assert!(answer["result"]["uid"].is_number());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_over_the_limit_are_refused() {
    let house = House::start();
    for kind in wire::ALL {
        let mut wire = Wire::open(&house.path, kind).await;
        let big = limits::MAX_RESPONSE_BYTES - 1000;
        let answer = wire.call("test.big", json!({"bytes": big})).await;
        assert_eq!(answer.as_str().unwrap().len(), big, "{kind:?}");
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "test.big", "params": {"bytes": big + 2000}});
        let answer = wire.ask(call).await;
        let told = (&answer["error"]["code"], &answer["id"], &answer["error"]["data"]["kind"]);
        assert_eq!(told, (&json!(-32008), &json!(1), &json!("too_large")), "{kind:?}");
        let half =
            json!({"jsonrpc": "2.0", "id": 1, "method": "test.big", "params": {"bytes": big / 2 + 1000}});
        let answer = wire.ask(json!([half, half])).await;
        assert_eq!(answer["error"]["code"], -32011, "{kind:?}: {:.200}", answer.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_say_what_kind_they_are_and_what_to_do() {
    let house = House::start();
    for kind in wire::ALL {
        let mut wire = Wire::open(&house.path, kind).await;
        let mut ask = async |method: &str, params: Value| -> Value {
            let call = json!({"jsonrpc": "2.0", "id": "e", "method": method, "params": params});
            wire.ask(call).await["error"].clone()
        };
        assert_eq!(ask("test.fail", json!({})).await, not_found(), "{kind:?}");

        let error = ask("test.need", json!({})).await;
        assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32602), &json!("invalid")));
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("missing field `count`"), "{message}");
        let error = ask("test.need", json!({"count": "three"})).await;
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("the parameter `count`"), "{message}");
        let error = ask("test.need", json!([3])).await;
        assert!(error["data"]["hint"].as_str().unwrap().contains("`count`"), "{error}");

        for method in ["test.panic", "test.panicLater", "test.panicInWrite"] {
            let error = ask(method, json!({})).await;
            assert_eq!((&error["code"], &error["message"]), (&json!(-32603), &json!("Internal error")));
        }
        // A panic costs one request.
        assert_eq!(wire.call("sum", json!([4, 2])).await, 6, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_are_executed() {
    let house = House::start();
    let mut expected = 0;
    for kind in wire::ALL {
        let mut wire = Wire::open(&house.path, kind).await;
        wire.tell(r#"{"jsonrpc":"2.0","method":"update","params":[5,6]}"#).await;
        wire.tell(
            r#"[{"jsonrpc":"2.0","method":"update","params":[1]},{"jsonrpc":"2.0","method":"notify_sum","params":[2]}]"#,
        )
        .await;
        expected += 14;
        assert_eq!(house.traces.notified.load(Ordering::SeqCst), expected, "{kind:?}");
        // Nobody could end a subscription that begins without an id.
        wire.tell(r#"{"jsonrpc":"2.0","method":"test.flood"}"#).await;
        wire.tell(r#"{"jsonrpc":"2.0","method":"test.panic"}"#).await;
        assert_eq!(house.server.subscriptions(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_bounded_mixed_and_in_order() {
    let house = House::start();
    let call = |id: usize| json!({"jsonrpc": "2.0", "id": id, "method": "sum", "params": [id]});
    for kind in wire::ALL {
        let mut wire = Wire::open(&house.path, kind).await;
        let full: Vec<_> = (0..limits::MAX_BATCH).map(call).collect();
        let answers = wire.ask(Value::Array(full)).await;
        let ids: Vec<_> = answers.as_array().unwrap().iter().map(|answer| answer["id"].clone()).collect();
        assert_eq!(ids, (0..limits::MAX_BATCH).map(Value::from).collect::<Vec<_>>(), "{kind:?}");
        let over: Vec<_> = (0..=limits::MAX_BATCH).map(call).collect();
        let answer = wire.ask(Value::Array(over)).await;
        let told = (&answer["error"]["code"], &answer["error"]["data"]["kind"]);
        assert_eq!(told, (&json!(-32010), &json!("too_large")), "{kind:?}");
        let answers = wire
            .ask(json!([
                call(1),
                {"jsonrpc": "2.0", "method": "update", "params": [1]},
                {"jsonrpc": "2.0", "id": 2, "method": "test.sleep", "params": {"ms": 1}},
                {"jsonrpc": "2.0", "id": 3, "method": "test.panic"},
                {"jsonrpc": "2.0", "id": 4, "method": "test.fail"},
                [call(5)],
            ]))
            .await;
        let told: Vec<_> = answers
            .as_array()
            .unwrap()
            .iter()
            .map(|answer| (answer["id"].clone(), answer["error"]["code"].clone()))
            .collect();
        let expected = [
            (json!(1), Value::Null),
            (json!(2), Value::Null),
            (json!(3), json!(-32603)),
            (json!(4), json!(4004)),
            (Value::Null, json!(-32600)),
        ];
        assert_eq!(told, expected, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_come_as_they_are_ready() {
    let house = House::start();
    for kind in wire::OPEN {
        let mut wire = Wire::open(&house.path, kind).await;
        wire.send_json(json!({"jsonrpc":"2.0","id":"slow","method":"test.sleep","params":{"ms":200}})).await;
        wire.send_json(json!({"jsonrpc":"2.0","id":"fast","method":"sum","params":[1]})).await;
        assert_eq!(wire.receive().await.unwrap()["id"], "fast", "{kind:?}");
        assert_eq!(wire.receive().await.unwrap()["id"], "slow", "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_can_be_taken_back() {
    let house = House::start();
    let sleeping = || house.traces.sleeping.load(Ordering::SeqCst);
    for kind in wire::OPEN {
        let mut wire = Wire::open(&house.path, kind).await;
        for id in [json!(7), json!("seven")] {
            wire.send_json(json!({"jsonrpc":"2.0","id":id,"method":"test.sleep","params":{"ms":600_000}}))
                .await;
            wire.send_json(json!({"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":id}})).await;
            let answer = wire.receive().await.unwrap();
            let told = (&answer["id"], &answer["error"]["code"], &answer["error"]["data"]["kind"]);
            assert_eq!(told, (&id, &json!(-32800), &json!("cancelled")), "{kind:?}: {answer}");
            eventually("the sleep is dropped", || sleeping() == 0).await;
        }
        // Of what is unknown, or over, nothing is said.
        wire.tell(r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":99}}"#).await;
        wire.tell(r#"{"jsonrpc":"2.0","method":"$/cancelRequest"}"#).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_waits_for_its_turn_can_be_taken_back_too() {
    let house = House::start();
    for kind in wire::OPEN {
        let mut wire = Wire::open(&house.path, kind).await;
        let sleep =
            |id: usize| json!({"jsonrpc":"2.0","id":id,"method":"test.sleep","params":{"ms":600_000}});
        for id in 0..limits::MAX_IN_FLIGHT {
            wire.send_json(sleep(id)).await;
        }
        let turn = || house.traces.sleeping.load(Ordering::SeqCst) == limits::MAX_IN_FLIGHT as u64;
        eventually("all turns are taken", turn).await;
        wire.send_json(json!({"jsonrpc":"2.0","id":"waits","method":"sum","params":[1, 1]})).await;
        wire.send_json(sleep(1000)).await;
        let cancel = |id: Value| json!({"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":id}});
        wire.send_json(cancel(json!(1000))).await;
        let answer = wire.receive().await.unwrap();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1000), &json!(-32800)), "{kind:?}");
        // A turn that becomes free goes to the one that waits.
        wire.send_json(cancel(json!(3))).await;
        let mut answers = [wire.receive().await.unwrap(), wire.receive().await.unwrap()];
        answers.sort_by_key(|answer| answer["id"].to_string());
        assert_eq!((&answers[0]["id"], &answers[0]["result"]), (&json!("waits"), &json!(2)), "{kind:?}");
        assert_eq!((&answers[1]["id"], &answers[1]["error"]["code"]), (&json!(3), &json!(-32800)));
        drop(wire);
        let gone = || house.traces.sleeping.load(Ordering::SeqCst) == 0;
        eventually("the rest is dropped with the connection", gone).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_takes_its_reads_with_it_and_leaves_its_writes() {
    let house = House::start();
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::SeqCst);
    for (n, kind) in wire::ALL.into_iter().enumerate() {
        let n = n as u64;
        let mut wire = Wire::open(&house.path, kind).await;
        wire.send_json(json!({"jsonrpc":"2.0","id":1,"method":"test.sleep","params":{"ms":600_000}})).await;
        eventually("the sleep has begun", || load(&house.traces.sleeping) == 1).await;
        drop(wire);
        eventually("the sleep is dropped", || load(&house.traces.sleeping) == 0).await;

        let mut wire = Wire::open(&house.path, kind).await;
        wire.send_json(json!({"jsonrpc":"2.0","id":1,"method":"test.write","params":{"ms":50}})).await;
        eventually("the write has begun", || load(&house.traces.writes_begun) == n + 1).await;
        drop(wire);
        eventually("the write is finished", || load(&house.traces.writes_done) == n + 1).await;
    }
    eventually("no connection is left", || house.server.connections() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_has_only_stopped_sending_gets_its_answers() {
    use tokio::io::AsyncWriteExt;
    let house = House::start();
    for kind in wire::ALL {
        let mut wire = Wire::open(&house.path, kind).await;
        wire.send_json(json!({"jsonrpc":"2.0","id":1,"method":"test.sleep","params":{"ms":150}})).await;
        wire.stream.shutdown().await.unwrap();
        assert_eq!(wire.receive().await.unwrap(), json!({"jsonrpc":"2.0","id":1,"result":150}), "{kind:?}");
        assert_eq!(wire.receive().await, None, "{kind:?} closes when all is answered");
    }
    // The last line may lack its line feed: `printf … | socat`.
    let mut wire = Wire::open(&house.path, Kind::Line).await;
    wire.write(br#"{"jsonrpc":"2.0","id":1,"method":"sum","params":[1,2]}"#).await;
    wire.stream.shutdown().await.unwrap();
    assert_eq!(wire.receive().await.unwrap()["result"], 3);
    // A subscription goes on as well.
    let mut wire = Wire::open(&house.path, Kind::Line).await;
    wire.send_json(json!({"jsonrpc":"2.0","id":1,"method":"test.count","params":{"n":500}})).await;
    wire.stream.shutdown().await.unwrap();
    let mut received = 0;
    while let Some(message) = wire.receive().await {
        received += 1;
        if message["params"]["result"]["type"] == "done" {
            break;
        }
    }
    assert_eq!(received, 502);
    assert_eq!(wire.receive().await, None);
    eventually("no connection is left", || house.server.connections() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_remembers_who_introduced_itself() {
    let house = House::start();
    let us = rustix::process::geteuid().as_raw();
    let mut connections = std::collections::HashSet::new();
    for kind in wire::ALL {
        let mut wire = Wire::open(&house.path, kind).await;
        let who = wire.call("test.whoAmI", json!({})).await;
        assert_eq!((&who["uid"], &who["client"]), (&json!(us), &Value::Null), "{kind:?}");
        assert!(connections.insert(who["connection"].as_u64().unwrap()));
        wire.call("test.introduce", json!({"name": "vim", "version": "9"})).await;
        let who = wire.call("test.whoAmI", json!({})).await;
        assert_eq!(who["client"], json!({"name": "vim", "version": "9"}), "{kind:?}");
        let mut other = Wire::open(&house.path, kind).await;
        assert_eq!(other.call("test.whoAmI", json!({})).await["client"], Value::Null, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_may_come_in_any_portions() {
    let house = House::start();
    for kind in [Kind::Line, Kind::Header, Kind::WebSocket] {
        let mut wire = Wire::open(&house.path, kind).await;
        let mut bytes = Wire::encode(kind, r#"{"jsonrpc":"2.0","id":1,"method":"sum","params":[1]}"#);
        bytes.extend(Wire::encode(kind, r#"{"jsonrpc":"2.0","id":2,"method":"sum","params":[2]}"#));
        for portion in bytes.chunks(3) {
            wire.write(portion).await;
            tokio::task::yield_now().await;
        }
        for id in 1..=2 {
            assert_eq!(
                wire.receive().await.unwrap(),
                json!({"jsonrpc":"2.0","id":id,"result":id}),
                "{kind:?}"
            );
        }
    }
    // Many at once are answered, each once.
    for kind in wire::OPEN {
        let mut wire = Wire::open(&house.path, kind).await;
        let many: Vec<u8> = (0..3000)
            .flat_map(|id| {
                let call = json!({"jsonrpc":"2.0","id":id,"method":"sum","params":[id]});
                Wire::encode(kind, &call.to_string())
            })
            .collect();
        wire.write(&many).await;
        let mut ids = std::collections::HashSet::new();
        for _ in 0..3000 {
            assert!(ids.insert(wire.receive().await.unwrap()["id"].as_u64().unwrap()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_speaks_nothing_known_is_closed() {
    let house = House::start();
    for bytes in [&b"\x16\x03\x01"[..], b"hello", b"\0"] {
        let mut wire = Wire::open(&house.path, Kind::Line).await;
        wire.write(bytes).await;
        assert_eq!(wire.receive().await, None);
    }
    let mut wire = Wire::open(&house.path, Kind::Header).await;
    wire.write(b"Content-Type: text\r\n\r\n").await;
    assert_eq!(wire.receive().await.unwrap()["error"]["code"], -32700);
    assert_eq!(wire.receive().await, None);
    let mut wire = Wire::open(&house.path, Kind::WebSocket).await;
    wire.write(b"\x81\x02{}").await;
    let (first, payload) = wire.receive_frame().await.unwrap();
    assert_eq!((first, u16::from_be_bytes([payload[0], payload[1]])), (0x88, 1002));
    assert_eq!(wire.receive().await, None);
    eventually("no connection is left", || house.server.connections() == 0).await;
    tokio::time::timeout(Duration::from_secs(5), house.server.stopped(Duration::from_secs(4))).await.unwrap();
}
