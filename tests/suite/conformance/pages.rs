//! What HTTP has beyond JSON-RPC: pages, statuses, content types, and WebSocket's control frames.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::house::House;
use super::wire::{Http, Kind, Wire, client_frame};

async fn ask(wire: &mut Wire, head: &str, body: &str) -> Http {
    let request = format!("{head}\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    wire.write(request.as_bytes()).await;
    wire.receive_http().await.expect("an answer")
}

const SUM: &str = r#"{"jsonrpc":"2.0","id":1,"method":"sum","params":[1,2]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_statuses() {
    let house = House::start();
    let mut wire = Wire::open(&house.path, Kind::Http).await;
    let page = ask(&mut wire, "GET /health HTTP/1.1", "").await;
    assert_eq!((page.status, page.body.as_str()), (200, r#"{"status":"ok"}"#));
    wire.call("sum", json!([1])).await;
    let page = ask(&mut wire, "GET /metrics HTTP/1.1", "").await;
    assert_eq!(page.status, 200);
    assert!(page.head.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{}", page.head);
    assert!(page.body.contains(r#"nosso_rpc_call_seconds_count{method="sum"} 1"#), "{}", page.body);
    assert!(page.body.contains("nosso_rpc_connections 1\n"), "{}", page.body);
    let cases = [
        ("GET /nothing HTTP/1.1", 404),
        ("GET / HTTP/1.1", 405),
        ("POST /v1/nothing HTTP/1.1", 404),
        ("PUT / HTTP/1.1", 405),
        ("DELETE /health HTTP/1.1", 405),
        ("POST / HTTP/1.1\r\nContent-Type: image/png", 415),
    ];
    for (head, status) in cases {
        let page = ask(&mut wire, head, "").await;
        assert_eq!(page.status, status, "{head}");
        let error: Value = serde_json::from_str(&page.body).unwrap();
        assert!(error["error"]["data"]["hint"].is_string(), "{head}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_curl_sends_is_taken() {
    let house = House::start();
    let mut wire = Wire::open(&house.path, Kind::Http).await;
    for content_type in [
        "",
        "\r\nContent-Type: application/x-www-form-urlencoded",
        "\r\nContent-Type: application/json;charset=UTF-8",
        "\r\nContent-Type: text/plain",
    ] {
        for path in ["/", "/rpc"] {
            let answer = ask(&mut wire, &format!("POST {path} HTTP/1.1{content_type}"), SUM).await;
            assert_eq!(answer.status, 200, "{content_type}");
            assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap()["result"], 3);
        }
    }
    // The body in chunks.
    wire.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for portion in SUM.as_bytes().chunks(10) {
        wire.write(format!("{:x}\r\n", portion.len()).as_bytes()).await;
        wire.write(portion).await;
        wire.write(b"\r\n").await;
    }
    wire.write(b"0\r\n\r\n").await;
    assert_eq!(wire.receive().await.unwrap()["result"], 3);
    // A client that asks before it sends too much is told at once.
    wire.write(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n",
    )
    .await;
    let answer = wire.receive_http().await.unwrap();
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("-32007"), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_names_the_tool_of_one_request() {
    let house = House::start();
    let mut wire = Wire::open(&house.path, Kind::Http).await;
    let who = r#"{"jsonrpc":"2.0","id":1,"method":"test.whoAmI"}"#;
    let answer = ask(&mut wire, "POST / HTTP/1.1\r\nx-nosso-client: shell/5.2", who).await;
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer["result"]["client"], json!({"name": "shell", "version": "5.2"}));
    let answer = ask(&mut wire, "POST / HTTP/1.1", who).await;
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer["result"]["client"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_http_is_refused_and_the_server_lives() {
    let house = House::start();
    for bytes in [
        &b"GET \xff\xff\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let mut wire = Wire::open(&house.path, Kind::Http).await;
        wire.write(bytes).await;
        wire.stream.shutdown().await.unwrap();
        if let Some(answer) = wire.receive_http().await {
            assert_eq!(answer.status, 400, "{}", answer.head);
        }
    }
    let mut wire = Wire::open(&house.path, Kind::Http).await;
    assert_eq!(wire.call("sum", json!([1])).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_fragments_and_goodbyes() {
    let house = House::start();
    let mut wire = Wire::open(&house.path, Kind::WebSocket).await;
    wire.write(&client_frame(0x89, b"are you there")).await;
    assert_eq!(wire.receive_frame().await.unwrap(), (0x8a, b"are you there".to_vec()));
    let (first, rest) = SUM.as_bytes().split_at(20);
    wire.write(&client_frame(0x01, first)).await;
    wire.write(&client_frame(0x89, b"still")).await;
    wire.write(&client_frame(0x80, rest)).await;
    assert_eq!(wire.receive_frame().await.unwrap(), (0x8a, b"still".to_vec()));
    assert_eq!(wire.receive().await.unwrap()["result"], 3);
    wire.write(&client_frame(0x82, SUM.as_bytes())).await;
    assert_eq!(wire.receive().await.unwrap()["result"], 3, "a binary message is JSON as well");
    wire.write(&client_frame(0x88, &1000u16.to_be_bytes())).await;
    let (first, payload) = wire.receive_frame().await.unwrap();
    assert_eq!((first, payload), (0x88, 1000u16.to_be_bytes().to_vec()));
    assert_eq!(wire.receive().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_websocket_client_gets_on() {
    use jsonrpsee::core::client::{ClientT, SubscriptionClientT};
    use jsonrpsee::rpc_params;
    let house = House::start();
    let stream = tokio::net::UnixStream::connect(&house.path).await.unwrap();
    let client = jsonrpsee::ws_client::WsClientBuilder::default()
        .build_with_stream("ws://localhost/", stream)
        .await
        .unwrap();
    let sum: i64 = client.request("sum", rpc_params![1, 2, 3]).await.unwrap();
    assert_eq!(sum, 6);
    let big = "x".repeat(100_000);
    let error = client.request::<i64, _>(&big, rpc_params![]).await.unwrap_err();
    assert!(error.to_string().contains("Method not found"), "{error:.200}");
    let mut items =
        client.subscribe::<Value, _>("test.count", rpc_params![], "test.stopCounting").await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap()["type"], "done");
}
