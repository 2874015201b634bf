//! The real daemon as a process: its start, what it tells the service manager, its reload and its stop.

use std::io::Write;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Home, call, get};
use crate::support::{PATIENCE, skipped, wait_for};

/// What a stop may take.
const STOP: Duration = Duration::from_secs(8);

#[test]
fn it_serves_its_pages_and_stops_in_order() {
    let home = Home::new();
    let mut daemon = Daemon::start(&home);
    let (code, health) = get(&home.socket(), "/health");
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!((code, &health["version"]), (200, &env!("CARGO_PKG_VERSION").into()), "{health}");
    let (code, metrics) = get(&home.socket(), "/metrics");
    assert!(
        code == 200
            && metrics.contains("\nnosso_stored{kind=\"message\"} 0")
            && metrics.contains("\nnosso_rpc_connections "),
        "{metrics}"
    );

    daemon.signal(Signal::TERM);
    daemon.wait_for_log("told to stop");
    daemon.wait_for_log("stopped");
    assert_eq!(daemon.ended(STOP).code(), Some(0));
    assert!(!home.socket().exists(), "the socket should be gone");
}

/// A request of which the end does not come: what holds a stop up.
fn unfinished_request(home: &Home) -> UnixStream {
    let mut stream = UnixStream::connect(home.socket()).unwrap();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    // served on the same runtime: once this answers, the other one has been let in
    assert_eq!(get(&home.socket(), "/health").0, 200);
    stream
}

#[test]
fn what_people_say_stays_out_of_the_log() {
    const SECRET: &str = "zanzibar";
    let home = Home::new();
    home.configure("[chat]\nprovider = \"extractive\"\n");
    let mut command = home.nosso(&["serve", "--log", "info"]);
    command.env("RUST_BACKTRACE", "1");
    let mut daemon = Daemon::spawn(command);
    daemon.wait_for_log("ready");
    let ask = |method: &str, params: Value| call(&home.socket(), method, params);
    let id = ask("conversation.create", json!({"title": SECRET}))["result"]["id"].clone();
    let message = json!({"id": uuid::Uuid::now_v7().to_string(), "role": "user", "content": SECRET});
    let other = json!({"id": message["id"], "role": "user", "content": format!("{SECRET}!")});
    for (method, params, is_good) in [
        ("message.append", json!({"conversationId": id, "messages": [message]}), true),
        ("message.append", json!({"conversationId": id, "messages": [other]}), false),
        ("message.append", json!({"conversationId": SECRET, "messages": []}), false),
        ("memory.add", json!({"content": SECRET, "kind": SECRET}), true),
        ("search.query", json!({"query": SECRET}), true),
        ("search.query", json!({"query": SECRET, "mode": "semantic"}), false),
        ("chat.complete", json!({"content": SECRET}), true),
        ("chat.preview", json!({"content": SECRET, "messageId": SECRET}), false),
        ("data.import", json!({"data": format!("[{{\"messages\": [{{\"{SECRET}\": 1}}]}}]")}), true),
        ("data.import", json!({"data": SECRET}), false),
        (SECRET, json!({}), false),
    ] {
        let answer = ask(method, params);
        assert_eq!(answer["result"].is_object(), is_good, "{method}: {answer}");
    }
    daemon.signal(Signal::TERM);
    daemon.ended(STOP);
    let log = daemon.whole_log();
    assert!(log.contains("stopped") && !log.to_lowercase().contains(SECRET), "{log}");
}

#[test]
fn a_client_that_hangs_does_not_hold_the_stop_up() {
    let home = Home::new();
    let mut daemon = Daemon::start(&home);
    let _client = unfinished_request(&home);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended(STOP).code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let home = Home::new();
    let mut daemon = Daemon::start(&home);
    let _client = unfinished_request(&home);
    daemon.signal(Signal::TERM);
    daemon.wait_for_log("told to stop");
    daemon.signal(Signal::INT);
    daemon.wait_for_log("a second time");
    assert_eq!(daemon.ended(Duration::from_secs(1)).code(), Some(1));
    // and what it left is no hindrance
    let _next = Daemon::start(&home);
}

#[test]
fn what_it_writes_is_private() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let mut folders = vec![home.path(".local/share/nosso"), home.path("run/nosso")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions());
            assert_eq!(mode & 0o077, 0, "{} is open to others: {mode:o}", entry.path().display());
            if meta.is_dir() {
                folders.push(entry.path());
            }
        }
    }
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let home = Home::new();
    let _first = Daemon::start(&home);
    // another socket makes it no less the same database
    let other_socket = home.path("other.sock");
    for args in [vec!["serve"], vec!["serve", "--socket", other_socket.to_str().unwrap()]] {
        let second = home.nosso(&args).output().unwrap();
        assert!(!second.status.success(), "{args:?}");
        assert!(!second.stderr.is_empty(), "a refusal says why");
        assert_eq!(get(&home.socket(), "/health").0, 200);
    }
}

#[test]
fn a_killed_daemon_leaves_nothing_that_stops_the_next() {
    let home = Home::new();
    let mut daemon = Daemon::start(&home);
    daemon.signal(Signal::KILL);
    daemon.ended(STOP);
    assert!(home.socket().exists(), "a killed daemon leaves its socket");
    let _next = Daemon::start(&home);
    assert_eq!(get(&home.socket(), "/health").0, 200);
}

#[test]
fn wrong_settings_are_told_and_have_their_own_exit_code() {
    let check = |text: &str, expected: &str| {
        let home = Home::new();
        home.configure(text);
        let refused = home.nosso(&["serve"]).output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(78), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!home.socket().exists());
    };
    check("[embed]\nthread = 1\n", "embed.threads");
    check("[log]\nfilter = \"debgu\"\n", "debgu");
}

#[test]
fn a_changed_file_is_taken_over_and_an_invalid_one_is_not() {
    let home = Home::new();
    let mut daemon = Daemon::start(&home);
    let model = || call(&home.socket(), "system.status", json!({}))["result"]["chat"]["model"].clone();
    assert_eq!(model(), Value::Null);

    home.configure("[chat]\nmodel = \"first\"\n");
    daemon.wait_for_log("chat.model");
    assert_eq!(model(), "first");

    home.configure("[chat]\nmodel = 7\n");
    let line = daemon.wait_for_log("the old settings stay");
    assert!(line.contains("config.toml:2: chat.model is 7, but must be a text"), "{line}");
    assert_eq!(model(), "first");

    home.configure("[chat]\nmodel = \"second\"\n[store]\ndurability = \"normal\"\n");
    let line = daemon.wait_for_log("after a restart");
    assert!(line.contains("store.durability"), "{line}");
    daemon.wait_for_log("chat.model");
    assert_eq!(model(), "second");

    daemon.signal(Signal::HUP);
    daemon.wait_for_log("SIGHUP");
    daemon.wait_for_log("nothing to take over");
}

#[test]
fn the_log_filter_changes_while_it_runs_and_lines_can_be_json() {
    let home = Home::new();
    home.configure("[log]\nfilter = \"warn\"\nformat = \"json\"\n");
    let mut daemon = Daemon::spawn(home.nosso(&["serve"]));
    wait_for("the socket", || home.socket().exists().then_some(()));
    wait_for("an answer", || (get(&home.socket(), "/health").0 == 200).then_some(()));
    home.configure("[log]\nfilter = \"info\"\nformat = \"json\"\n");
    let line: Value = serde_json::from_str(&daemon.wait_for_log("taken over")).unwrap();
    assert_eq!((&line["keys"], &line["level"]), (&"log.filter".into(), &"INFO".into()));
}

#[test]
fn the_service_manager_is_told_everything_in_order() {
    let home = Home::new();
    let listener = UnixDatagram::bind(home.path("notify")).unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut told = String::new();
    let mut wait_for_notice = |wanted: &str| {
        let mut buffer = [0; 4096];
        loop {
            let n = listener.recv(&mut buffer).unwrap_or_else(|e| panic!("no {wanted} ({e}) after\n{told}"));
            let notice = std::str::from_utf8(&buffer[..n]).unwrap();
            told.push_str(notice);
            if notice.contains(wanted) {
                return;
            }
        }
    };
    let mut command = home.nosso(&["serve"]);
    command.env("NOTIFY_SOCKET", home.path("notify")).env("WATCHDOG_USEC", "400000");
    let mut daemon = Daemon::spawn(command);

    wait_for_notice("READY=1");
    assert_eq!(get(&home.socket(), "/health").0, 200, "ready means that calls are answered");
    wait_for_notice("STATUS=");
    wait_for_notice("WATCHDOG=1");
    wait_for_notice("WATCHDOG=1");
    home.configure("[nonsense]\n");
    wait_for_notice("RELOADING=1\nMONOTONIC_USEC=");
    wait_for_notice("STATUS=old settings kept: ");
    wait_for_notice("READY=1");
    home.configure("");
    wait_for_notice("RELOADING=1");
    wait_for_notice("READY=1");
    daemon.signal(Signal::INT);
    wait_for_notice("STOPPING=1");
    assert_eq!(daemon.ended(STOP).code(), Some(0));
    assert!(!told.rsplit("STATUS=").nth(1).unwrap_or_default().contains("old settings"), "{told}");
}

#[test]
fn a_connection_can_start_it() {
    let home = Home::new();
    let socket = home.path("activated.sock");
    let mut command = std::process::Command::new("systemd-socket-activate");
    home.place(&mut command);
    command.arg("-l").arg(&socket).arg("--fdname=rpc").arg(crate::support::binary()).arg("serve");
    if std::process::Command::new("systemd-socket-activate").arg("--version").output().is_err() {
        return skipped("activation by connect: systemd-socket-activate is missing");
    }
    let mut daemon = Daemon::spawn(command);
    wait_for("the socket", || socket.exists().then_some(()));
    assert_eq!(get(&socket, "/health").0, 200);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ended(STOP).code(), Some(0));
    assert!(socket.exists(), "the socket belongs to the manager and stays");
}
