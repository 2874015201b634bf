//! What one client can cost the others: memory, places, and nothing at all where it is somebody else's.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nosso::api::limits;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::house::{House, eventually};
use super::wire::{self, Kind, PATIENCE, Wire};

/// Resident memory that a client which never reads may cost, in KiB. An unbounded queue takes gigabytes in the
/// same time.
const CEILING_KIB: u64 = 60 << 10;

/// The other side of the tests of memory: a server in a process of its own, whose memory nothing else touches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is started by the tests of memory"]
async fn serve_for_another_process() {
    let house = House::start();
    println!("SOCKET {}", house.path.display());
    let mut end = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut end).await;
    house.server.stopped(Duration::from_secs(1)).await;
}

struct Served {
    child: tokio::process::Child,
    path: std::path::PathBuf,
}

impl Served {
    async fn start() -> Self {
        let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "conformance::limits::serve_for_another_process", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        loop {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
            if let Some((_, path)) = line.split_once("SOCKET ") {
                return Self { child, path: path.into() };
            }
        }
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// Writes until the server takes no more for a while, or `most` bytes are taken; gives how many it took.
async fn pour(wire: &mut Wire, message: &[u8], most: usize) -> usize {
    let many = message.repeat((64 << 10) / message.len() + 1);
    let mut taken = 0;
    while taken < most {
        match tokio::time::timeout(Duration::from_millis(700), wire.stream.write_all(&many)).await {
            Ok(Ok(())) => taken += many.len(),
            Ok(Err(error)) => panic!("{:?}: {error}", wire.kind),
            Err(_) => break,
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_costs_little_memory() {
    for kind in wire::ALL {
        let served = Served::start().await;
        let mut wire = Wire::open(&served.path, kind).await;
        wire.call("sum", json!([1])).await;
        let before = served.resident_kib();
        // Calls that are answered at once with more than they ask, without end.
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"test.big","params":{"bytes":2000}}"#;
        let most = 64 << 20;
        let taken = pour(&mut wire, &Wire::encode(kind, call), most).await;
        assert!(taken < most, "{kind:?}: the server reads on without end");
        // The same with calls that have to wait.
        let mut waiting = Wire::open(&served.path, kind).await;
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"test.sleep","params":{"ms":5}}"#;
        let taken = pour(&mut waiting, &Wire::encode(kind, call), most).await;
        assert!(taken < most, "{kind:?}: the server reads on without end");
        // And with subscriptions.
        let mut flooded = Vec::new();
        if kind != Kind::Http {
            for _ in 0..4 {
                let mut wire = Wire::open(&served.path, kind).await;
                wire.send(r#"{"jsonrpc":"2.0","id":1,"method":"test.flood","params":{"bytes":1000}}"#).await;
                flooded.push(wire);
            }
        }
        // Others are served meanwhile.
        let mut other = Wire::open(&served.path, kind).await;
        for _ in 0..100 {
            assert_eq!(other.call("sum", json!([1, 1])).await, 2, "{kind:?}");
        }
        let grown = served.resident_kib() - before;
        assert!(grown < CEILING_KIB, "{kind:?}: {grown} KiB");
        eprintln!("{kind:?}: a client that never reads cost {grown} KiB");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_slows_its_stream_only() {
    let house = House::start();
    for kind in wire::OPEN {
        let mut slow = Wire::open(&house.path, kind).await;
        slow.send(r#"{"jsonrpc":"2.0","id":1,"method":"test.flood","params":{"bytes":1000}}"#).await;
        let flooded = || house.traces.flooded.load(Ordering::SeqCst);
        // It stands still when what may be unread is unread.
        let mut last = u64::MAX;
        while flooded() != last {
            last = flooded();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert!(last > 0);
        let mut other = Wire::open(&house.path, kind).await;
        assert_eq!(other.call("sum", json!([1, 1])).await, 2, "{kind:?}");
        // Every item is there, in order, once it reads again.
        assert_eq!(slow.receive().await.unwrap()["id"], 1);
        let mut expected = 0;
        while expected < 3000 {
            let item = slow.receive().await.unwrap();
            assert_eq!(item["params"]["result"]["n"], expected, "{kind:?}");
            expected += 1;
        }
        drop(slow);
        eventually("the flood is over", || house.server.subscriptions() == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_only_so_many_places() {
    let (soft, _) = raise_file_limit();
    if soft < 2 * limits::MAX_CONNECTIONS as u64 + 200 {
        crate::support::skipped(&format!("only {soft} file descriptors are allowed here"));
        return;
    }
    let house = House::start();
    let mut wires = Vec::new();
    for n in 0..limits::MAX_CONNECTIONS {
        let mut wire = Wire::open(&house.path, wire::ALL[n % 4]).await;
        wire.call("sum", json!([1])).await;
        wires.push(wire);
    }
    assert_eq!(house.server.connections(), limits::MAX_CONNECTIONS as u64);
    for kind in [Kind::Line, Kind::Header] {
        let mut wire = Wire::open(&house.path, kind).await;
        let answer = wire.ask(json!({"jsonrpc": "2.0", "id": 1, "method": "sum", "params": [1]})).await;
        let told = (&answer["error"]["code"], &answer["error"]["data"]["kind"]);
        assert_eq!(told, (&json!(-32009), &json!("busy")), "{kind:?}: {answer}");
        assert_eq!(wire.receive().await, None);
    }
    let mut wire = Wire::open(&house.path, Kind::Http).await;
    wire.send(r#"{"jsonrpc":"2.0","id":1,"method":"sum","params":[1]}"#).await;
    let answer = wire.receive_http().await.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap()["error"]["data"]["retryable"], true);
    // Those who have a place keep it, and one that becomes free is given away.
    assert_eq!(wires[0].call("sum", json!([1, 2])).await, 3);
    wires.pop();
    let full = limits::MAX_CONNECTIONS as u64;
    eventually("a place is free", || house.server.connections() < full).await;
    let mut wire = Wire::open(&house.path, Kind::Line).await;
    assert_eq!(wire.call("sum", json!([1, 2])).await, 3);
}

fn raise_file_limit() -> (u64, u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let limit = getrlimit(Resource::Nofile);
    (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_is_turned_away() {
    if !rustix::process::geteuid().is_root() {
        crate::support::skipped("only root can try as another user");
        return;
    }
    let house = House::start();
    // The modes keep other users out already; they are opened, so that the check behind them is what answers.
    for (path, mode) in [(house.path.parent().unwrap(), 0o755), (house.path.as_path(), 0o666)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let folder = house.path.parent().unwrap().parent().unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = house.path.clone();
    let answered = tokio::task::spawn_blocking(move || ask_as_nobody(&path)).await.unwrap();
    assert_eq!(answered.unwrap(), "", "another user is told nothing");
    assert!(house.server.metrics().contains("nosso_rpc_connections_refused_user_total 1\n"));
    assert_eq!(house.server.connections(), 0);
}

/// Connects as another user; a thread of its own, because only its own identity is changed.
fn ask_as_nobody(path: &Path) -> std::io::Result<String> {
    use std::io::{Read, Write};
    let path = path.to_owned();
    std::thread::spawn(move || {
        let nobody = rustix::process::Uid::from_raw(65534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody)?;
        let mut stream = std::os::unix::net::UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let _ = stream.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\",\"params\":[1]}\n");
        let mut answer = String::new();
        match stream.read_to_string(&mut answer) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => return Err(error),
        }
        Ok(answer)
    })
    .join()
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_client_costs_nobody_anything() {
    let house = House::start();
    let silent = UnixStream::connect(&house.path).await.unwrap();
    let mut wire = Wire::open(&house.path, Kind::Line).await;
    assert_eq!(wire.call("sum", json!([1])).await, 1);
    drop((silent, wire));
    eventually("no connection is left", || house.server.connections() == 0).await;
}
