//! The gate of retrieval: what `nosso eval` reaches on the benchmarks that ship, with a small tolerance.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use crate::brought::set_up;
use crate::support::daemon::Home;

/// Questions of each benchmark, the same ones every time; the passages are all there.
const QUESTIONS: &str = "100";

/// A few of the questions: what another processor's rounding may turn.
const TOLERANCE: f64 = 0.03;

/// By mode R@1 and R@10 of one benchmark.
type Reached = HashMap<String, (f64, f64)>;

/// What the command prints for a benchmark over a daemon with the default model; none where there is no model.
fn evaluate(name: &str, benchmark: &Value) -> Option<Reached> {
    let cache = set_up(&format!("retrieval on {name}"))?;
    let home = Home::new();
    let file = home.path("benchmark.json");
    std::fs::write(&file, benchmark.to_string()).unwrap();
    std::fs::create_dir_all(home.path(".local/share")).unwrap();
    std::fs::create_dir_all(home.path("tmp")).unwrap();
    std::os::unix::fs::symlink(&cache.data, home.path(".local/share/nosso")).unwrap();
    let mut command = home.nosso(&["eval", "--mode", "all", "--limit", QUESTIONS, "--json"]);
    let output = command.arg(&file).env("TMPDIR", home.path("tmp")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = printed["sets"][0]["runs"].as_array().unwrap().iter();
    let reached = runs.map(|run| {
        let figure = |name: &str| run["groups"][0]["figures"][name]["value"].as_f64().unwrap();
        (run["mode"].as_str().unwrap().to_owned(), (figure("recall@1"), figure("recall@10")))
    });
    Some(reached.collect())
}

/// A benchmark that ships.
fn shipped(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/data").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn check(name: &str, benchmark: &Value, least: (f64, f64)) {
    let Some(reached) = evaluate(name, benchmark) else { return };
    let hybrid = reached["hybrid"];
    let holds = |reached: f64, least: f64| reached >= least - TOLERANCE;
    assert!(holds(hybrid.0, least.0) && holds(hybrid.1, least.1), "{name}: {hybrid:?}, not {least:?}");
    for mode in ["lexical", "semantic"] {
        let alone = reached[mode];
        let is_better = holds(hybrid.0, alone.0) && holds(hybrid.1, alone.1);
        assert!(is_better, "{name}: {mode} alone finds {alone:?}, both together {hybrid:?}");
    }
}

#[test]
fn portuguese_passages_of_one_field_are_found() {
    check("FaQuAD", &shipped("faquad.json"), (0.90, 0.99));
}

/// Three articles of the sample: all ten take too long where nothing is optimised.
#[test]
fn portuguese_passages_of_an_encyclopedia_are_found() {
    let mut sample = shipped("squad-pt.json");
    let articles = sample["data"].as_array_mut().unwrap();
    articles.retain(|article| {
        ["Montana", "Genocide", "Antibiotics"].map(Value::from).contains(&article["title"])
    });
    assert_eq!(articles.len(), 3);
    check("SQuAD-pt", &sample, (0.85, 0.97));
}
