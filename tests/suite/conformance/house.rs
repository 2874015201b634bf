//! A server with methods that are made for testing, on a socket in a folder of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use jsonrpsee::RpcModule;
use jsonrpsee::types::Params;
use nosso::api::{Method, Stream};
use nosso::error::{Error, Kind};
use nosso::model::ClientRef;
use nosso::rpc::{Caller, ItemSink, Page, Server, register, socket};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::wire::PATIENCE;

/// What the methods leave behind.
#[derive(Debug, Default)]
pub struct Traces {
    /// The sum of everything that notifications brought.
    pub notified: AtomicU64,
    /// Sleeps that run now.
    pub sleeping: AtomicU64,
    /// Writes that have begun, and that were finished.
    pub writes_begun: AtomicU64,
    pub writes_done: AtomicU64,
    /// Items of floods that were handed over.
    pub flooded: AtomicU64,
    /// Streams whose handler runs.
    pub streaming: AtomicU64,
}

pub struct House {
    pub path: PathBuf,
    pub traces: Arc<Traces>,
    pub stop: CancellationToken,
    pub server: Server,
    _place: Option<socket::Place>,
    _folder: tempfile::TempDir,
}

impl House {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bound = socket::bind(&folder.path().join("run/test.sock")).unwrap();
        let traces = Arc::new(Traces::default());
        let stop = CancellationToken::new();
        let pages = Arc::new(|path: &str| {
            let page = (path == "/health").then(|| Page {
                status: 200,
                content_type: "application/json",
                body: r#"{"status":"ok"}"#.into(),
            });
            async move { page }.boxed()
        });
        let server = Server::start(bound.listener, module(traces.clone()), pages, stop.clone());
        Self { path: bound.path, traces, stop, server, _place: bound.place, _folder: folder }
    }
}

/// Waits until something is so, however that comes about.
pub async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never came about: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

macro_rules! types {
    ($( $name:ident { $( $member:ident : $type:ty ),* } )+) => { $(
        #[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
        pub struct $name { $( #[serde(default)] pub $member: $type ),* }
    )+ };
}
types! {
    Nothing {}
    Milliseconds { ms: u64 }
    Bytes { bytes: usize }
    Upto { n: u64, bytes: usize }
    Who { uid: u32, connection: u64, client: Option<ClientRef> }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Strict {
    pub count: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Item {
    Number { n: u64, padding: String },
    Done,
    Stopping,
}

macro_rules! methods {
    ($( $type:ident = $name:literal : $params:ty => $output:ty; )+) => { $(
        pub struct $type;
        impl Method for $type {
            const NAME: &'static str = $name;
            type Params = $params;
            type Output = $output;
        }
    )+ };
}
methods! {
    Sleep = "test.sleep": Milliseconds => u64;
    Write = "test.write": Milliseconds => u64;
    Fail = "test.fail": Nothing => u64;
    Panic = "test.panic": Nothing => u64;
    PanicLater = "test.panicLater": Nothing => u64;
    PanicInWrite = "test.panicInWrite": Nothing => u64;
    Big = "test.big": Bytes => String;
    Need = "test.need": Strict => u32;
    WhoAmI = "test.whoAmI": Nothing => Who;
    Introduce = "test.introduce": ClientRef => Who;
    Initialize = "system.initialize": nosso::api::system::InitializeParams => nosso::api::system::InitializeResult;
}

/// Numbers up to `n`, then `done`.
pub struct Count;
impl Stream for Count {
    const NAME: &'static str = "test.count";
    const EVENT: &'static str = "test.counted";
    const UNSUBSCRIBE: &'static str = "test.stopCounting";
    type Params = Upto;
    type Item = Item;
}

/// Numbers without end, as fast as they are taken; `stopping` when the daemon stops.
pub struct Flood;
impl Stream for Flood {
    const NAME: &'static str = "test.flood";
    const EVENT: &'static str = "test.flooded";
    const UNSUBSCRIBE: &'static str = "test.stopFlood";
    type Params = Upto;
    type Item = Item;
}

/// Nothing until the daemon stops, then `stopping`.
pub struct Watch;
impl Stream for Watch {
    const NAME: &'static str = "test.watch";
    const EVENT: &'static str = "test.watched";
    const UNSUBSCRIBE: &'static str = "test.stopWatching";
    type Params = Nothing;
    type Item = Item;
}

/// Panics behind its first item.
pub struct PanicStream;
impl Stream for PanicStream {
    const NAME: &'static str = "test.panicStream";
    const EVENT: &'static str = "test.panicked";
    const UNSUBSCRIBE: &'static str = "test.stopPanic";
    type Params = Nothing;
    type Item = Item;
}

struct Running<'a>(&'a AtomicU64);

impl<'a> Running<'a> {
    fn new(counter: &'a AtomicU64) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(counter)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

pub fn module(traces: Arc<Traces>) -> RpcModule<Traces> {
    let mut module = RpcModule::from_arc(traces);
    plain(&mut module);
    typed(&mut module);
    streams(&mut module);
    module
}

/// The methods of the specification's examples, which take positional parameters.
fn plain(module: &mut RpcModule<Traces>) {
    let subtract = |params: Params<'_>| -> i64 {
        #[derive(Deserialize)]
        struct Named {
            minuend: i64,
            subtrahend: i64,
        }
        match params.parse::<Named>() {
            Ok(named) => named.minuend - named.subtrahend,
            Err(_) => {
                let (a, b): (i64, i64) = params.parse().unwrap();
                a - b
            }
        }
    };
    module.register_method("subtract", move |params, _, _| subtract(params)).unwrap();
    module
        .register_method("sum", |params, _, _| params.parse::<Vec<i64>>().unwrap().iter().sum::<i64>())
        .unwrap();
    module.register_method("get_data", |_, _, _| vec![Value::from("hello"), Value::from(5)]).unwrap();
    for name in ["update", "notify_sum", "notify_hello"] {
        module
            .register_method(name, |params, traces, _| {
                let sum: u64 = params.parse::<Vec<u64>>().unwrap().iter().sum();
                traces.notified.fetch_add(sum, Ordering::SeqCst);
            })
            .unwrap();
    }
}

fn typed(module: &mut RpcModule<Traces>) {
    register::method::<Sleep, _, _, _>(module, |traces, params, _| async move {
        let _running = Running::new(&traces.sleeping);
        tokio::time::sleep(Duration::from_millis(params.ms)).await;
        Ok(params.ms)
    })
    .unwrap();
    register::write_method::<Write, _, _, _>(module, |traces, params, _| async move {
        traces.writes_begun.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(params.ms)).await;
        traces.writes_done.fetch_add(1, Ordering::SeqCst);
        Ok(params.ms)
    })
    .unwrap();
    register::method::<Fail, _, _, _>(module, |_, _, _| async {
        Err(Error::not_found("conversation 7").hint("list them with `conversation.list`"))
    })
    .unwrap();
    register::method::<Panic, _, _, _>(module, |_, _, _| async { panic!("as asked") }).unwrap();
    register::method::<PanicLater, _, _, _>(module, |_, _, _| async {
        tokio::task::yield_now().await;
        panic!("as asked")
    })
    .unwrap();
    register::write_method::<PanicInWrite, _, _, _>(module, |_, _, _| async { panic!("as asked") }).unwrap();
    register::method::<Big, _, _, _>(module, |_, params, _| async move { Ok("x".repeat(params.bytes)) })
        .unwrap();
    register::method::<Need, _, _, _>(module, |_, params, _| async move { Ok(params.count) }).unwrap();
    register::method::<WhoAmI, _, _, _>(module, |_, _, caller| async move { Ok(who(&caller)) }).unwrap();
    register::method::<Introduce, _, _, _>(module, |_, client, caller| async move {
        caller.introduce(client);
        Ok(who(&caller))
    })
    .unwrap();
    register::method::<Initialize, _, _, _>(module, |_, params, caller| async move {
        if let Some(client) = params.client_info {
            caller.introduce(client);
        }
        Ok(nosso::api::system::InitializeResult {
            server_info: ClientRef { name: "test".into(), version: "1".into() },
            protocol_version: nosso::api::PROTOCOL_VERSION.into(),
            methods: vec![],
            limits: nosso::api::limits::Limits::default(),
        })
    })
    .unwrap();
}

fn who(caller: &Caller) -> Who {
    Who { uid: caller.uid, connection: caller.connection, client: caller.client() }
}

fn streams(module: &mut RpcModule<Traces>) {
    register::stream::<Count, _, _, _>(module, |traces, params, _, items: ItemSink<Count>| async move {
        let _running = Running::new(&traces.streaming);
        for n in 0..params.n {
            let item = Item::Number { n, padding: "x".repeat(params.bytes) };
            if items.send(&item).await.is_err() {
                return;
            }
        }
        let _ = items.send(&Item::Done).await;
    })
    .unwrap();
    register::stream::<Flood, _, _, _>(module, |traces, params, _, items: ItemSink<Flood>| async move {
        let _running = Running::new(&traces.streaming);
        let padding = "x".repeat(params.bytes);
        for n in 0.. {
            let item = Item::Number { n, padding: padding.clone() };
            tokio::select! {
                sent = items.send(&item) => match sent {
                    Ok(()) => traces.flooded.fetch_add(1, Ordering::SeqCst),
                    Err(_) => return,
                },
                () = items.stopping() => {
                    let _ = items.send(&Item::Stopping).await;
                    return;
                }
            };
        }
    })
    .unwrap();
    register::stream::<Watch, _, _, _>(module, |traces, _, _, items: ItemSink<Watch>| async move {
        let _running = Running::new(&traces.streaming);
        tokio::select! {
            () = items.closed() => {}
            () = items.stopping() => {
                let _ = items.send(&Item::Stopping).await;
            }
        }
    })
    .unwrap();
    register::stream::<PanicStream, _, _, _>(module, |_, _, _, items: ItemSink<PanicStream>| async move {
        let _ = items.send(&Item::Done).await;
        panic!("as asked")
    })
    .unwrap();
}

/// The error that `test.fail` makes, as it goes over the wire.
pub fn not_found() -> Value {
    serde_json::json!({
        "code": Kind::NotFound.code(),
        "message": "conversation 7 does not exist",
        "data": {"kind": "not_found", "hint": "list them with `conversation.list`", "retryable": false}
    })
}
