//! The examples of the protocol's document, and their run against a real daemon.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::pattern::Ids;
use crate::conformance::wire::{Kind, Wire};
use crate::support::daemon::{Daemon, Home};

/// Neither model may take part, nor what is in folders: what they say differs from machine to machine.
const SETTINGS: &str =
    "[chat]\nprovider = \"extractive\"\n[embed]\nenabled = false\n[capture]\nenabled = false\n";

/// A call and what comes of it: one of `result`, `error` and `items`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The method that is called.
    pub method: String,
    /// Why it is shown.
    #[serde(default)]
    pub say: Option<String>,
    /// Its parameters.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// The result.
    #[serde(default, deserialize_with = "given")]
    pub result: Option<Value>,
    /// The error instead.
    #[serde(default)]
    pub error: Option<Value>,
    /// For a stream: its items.
    #[serde(default)]
    pub items: Vec<Value>,
    /// For a stream: what another client calls once it is subscribed.
    #[serde(default)]
    pub meanwhile: Option<Call>,
}

/// A call whose answer is of no interest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub method: String,
    pub params: Map<String, Value>,
}

/// A `null` that stands there is a result too.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// All examples, in the order in which they run.
pub fn read() -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    let read = |path: &PathBuf| -> Vec<Example> {
        let text = std::fs::read_to_string(path).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files.iter().flat_map(read).collect()
}

/// Runs them one after another on one connection. What differs is in the answer, each with the example that it is of.
pub async fn run(examples: &[Example]) -> Vec<String> {
    let home = Home::new();
    home.configure(SETTINGS);
    let _daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home.socket(), Kind::Line).await;
    let mut ids = Ids::default();
    let mut differences = vec![];
    for (number, example) in examples.iter().enumerate() {
        let params = ids.fill(&Value::Object(example.params.clone()));
        let request = json!({"jsonrpc": "2.0", "id": number, "method": example.method, "params": params});
        let answer = wire.ask(request).await;
        let outcome = match (&example.result, &example.error) {
            (Some(result), None) => ids.check(result, &answer["result"], "result"),
            (None, Some(error)) => ids.check(error, &answer["error"], "error"),
            (None, None) if answer["result"].is_string() => {
                if let Some(Call { method, params }) = &example.meanwhile {
                    Wire::open(&home.socket(), Kind::Line).await.call(method, json!(params)).await;
                }
                items(&mut wire, &mut ids, &example.items).await
            }
            _ => Err("an example has either a result, an error, or items".into()),
        };
        if let Err(difference) = outcome {
            differences.push(format!("example {number} ({}): {difference}\n  in {answer}", example.method));
        }
    }
    differences
}

async fn items(wire: &mut Wire, ids: &mut Ids, expected: &[Value]) -> Result<(), String> {
    for (i, item) in expected.iter().enumerate() {
        let notification = wire.receive().await.expect("an item");
        ids.check(item, &notification["params"]["result"], &format!("items[{i}]"))?;
    }
    Ok(())
}
