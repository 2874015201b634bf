//! The typed client against the real server.

use std::sync::atomic::Ordering;
use std::time::Duration;

use nosso::client::Client;
use nosso::error::Kind;
use nosso::model::ClientRef;

use super::house::{
    Bytes, Count, Fail, Flood, House, Item, Milliseconds, Need, Nothing, PanicStream, Sleep, Strict, Upto,
    Watch, WhoAmI, eventually,
};

fn shell() -> ClientRef {
    ClientRef { name: "shell".into(), version: "1".into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_typed_and_errors_are_ours() {
    let house = House::start();
    let client = Client::connect(&house.path, shell()).await.unwrap();
    assert_eq!(client.daemon().server_info.name, "test");
    assert_eq!(client.call::<WhoAmI>(&Nothing {}).await.unwrap().client, Some(shell()));
    let error = client.call::<Fail>(&Nothing {}).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str(), error.hint_text()),
        (Kind::NotFound, "conversation 7 does not exist", Some("list them with `conversation.list`"))
    );
    assert_eq!(client.call::<Need>(&Strict { count: 3 }).await.unwrap(), 3);
    let big = client.call::<super::house::Big>(&Bytes { bytes: 5 << 20 }).await.unwrap();
    assert_eq!(big.len(), 5 << 20);
    let (slow, fast) = tokio::join!(
        client.call::<Sleep>(&Milliseconds { ms: 50 }),
        client.call_within::<Sleep>(&Milliseconds { ms: 600_000 }, Duration::from_millis(20)),
    );
    assert_eq!(slow.unwrap(), 50);
    assert_eq!(fast.unwrap_err().kind(), Kind::Busy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_typed_and_end_when_dropped() {
    let house = House::start();
    let client = Client::connect(&house.path, shell()).await.unwrap();
    let mut items = client.stream::<Count>(&Upto { n: 3, bytes: 0 }).await.unwrap();
    for n in 0..3 {
        assert_eq!(items.next().await.unwrap().unwrap(), Item::Number { n, padding: String::new() });
    }
    assert_eq!(items.next().await.unwrap().unwrap(), Item::Done);
    drop(items);

    let items = client.stream::<Watch>(&Nothing {}).await.unwrap();
    assert_eq!(house.server.subscriptions(), 1);
    drop(items);
    eventually("dropping it ends it", || house.server.subscriptions() == 0).await;
    let items = client.stream::<Watch>(&Nothing {}).await.unwrap();
    items.end().await;
    eventually("so does ending it", || house.server.subscriptions() == 0).await;

    let mut items = client.stream::<PanicStream>(&Nothing {}).await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), Item::Done);
    assert_eq!(items.next().await.unwrap().unwrap_err().kind(), Kind::Unreachable);
    assert!(items.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_too_slow_is_told() {
    let house = House::start();
    let client = Client::connect(&house.path, shell()).await.unwrap();
    let mut items = client.stream::<Flood>(&Upto::default()).await.unwrap();
    eventually("the client has given up", || house.traces.streaming.load(Ordering::SeqCst) == 0).await;
    let error = loop {
        match items.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), Kind::Busy, "{error}");
    assert_eq!(client.call::<Need>(&Strict { count: 1 }).await.unwrap(), 1, "the connection is still good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_daemon_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nosso.sock");
    let error = Client::connect(&path, shell()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.to_string().contains("not running"), "{error}");
    assert!(error.hint_text().unwrap().contains("nosso serve"), "{error:?}");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let error = Client::connect(&path, shell()).await.unwrap_err();
    assert!(error.to_string().contains("nobody listens"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_stops_ends_calls_and_streams() {
    let house = House::start();
    let client = Client::connect(&house.path, shell()).await.unwrap();
    let mut items = client.stream::<Watch>(&Nothing {}).await.unwrap();
    house.stop.cancel();
    assert_eq!(items.next().await.unwrap().unwrap(), Item::Stopping);
    assert_eq!(items.next().await.unwrap().unwrap_err().kind(), Kind::Unreachable);
    let error = client.call::<WhoAmI>(&Nothing {}).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
    assert!(!client.is_connected());
}
