//! A daemon that answers as a test tells it to, over the newline framing.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// How a call is answered.
pub enum Reply {
    /// With a result.
    Is(Value),
    /// With an error of that kind, and a hint.
    Fails(&'static str, &'static str),
    /// With a subscription's items under that notification's name; it stays open afterwards.
    Streams(&'static str, Vec<Value>),
}

/// The daemon; it lives until the test's process ends.
pub struct Scripted {
    folder: tempfile::TempDir,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Scripted {
    /// Listens, and answers each call but `system.initialize` as `script` says.
    pub fn new(script: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s.sock")).unwrap();
        let calls = Arc::new(Mutex::new(vec![]));
        let (script, seen) = (Arc::new(script), calls.clone());
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (script, seen) = (script.clone(), seen.clone());
                std::thread::spawn(move || converse(connection, &*script, &seen));
            }
        });
        Self { folder, calls }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s.sock")
    }

    /// A folder for the test's files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The parameters of every call of that method so far.
    pub fn calls(&self, method: &str) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(name, _)| name == method).map(|(_, params)| params.clone()).collect()
    }
}

fn converse(
    connection: UnixStream,
    script: &(dyn Fn(&str, &Value) -> Reply + Send + Sync),
    seen: &Mutex<Vec<(String, Value)>>,
) {
    let mut write = connection.try_clone().unwrap();
    for line in BufReader::new(connection).lines() {
        let Ok(line) = line else { return };
        let call: Value = serde_json::from_str(&line).unwrap();
        let method = call["method"].as_str().unwrap_or_default().to_owned();
        let params = call["params"].clone();
        seen.lock().unwrap().push((method.clone(), params.clone()));
        let mut say = |value: Value| {
            let _ = writeln!(write, "{value}");
        };
        let answer = |result: Value| json!({"jsonrpc": "2.0", "id": call["id"], "result": result});
        if method == "system.initialize" {
            let limits = serde_json::to_value(nosso::api::limits::Limits::default()).unwrap();
            say(answer(json!({
                "serverInfo": {"name": "scripted", "version": "0"}, "protocolVersion": "1", "methods": [],
                "limits": limits,
            })));
            continue;
        }
        match script(&method, &params) {
            Reply::Is(result) => say(answer(result)),
            Reply::Fails(kind, hint) => say(json!({"jsonrpc": "2.0", "id": call["id"], "error": {
                "code": nosso::error::Kind::from_name(kind).unwrap().code(),
                "message": format!("it is {kind}"),
                "data": {"kind": kind, "hint": hint, "retryable": false},
            }})),
            Reply::Streams(event, items) => {
                say(answer(json!("sub-1")));
                for item in items {
                    let params = json!({"subscription": "sub-1", "result": item});
                    say(json!({"jsonrpc": "2.0", "method": event, "params": params}));
                }
            }
        }
    }
}
