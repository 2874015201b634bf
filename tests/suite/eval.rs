//! `nosso eval`: a small benchmark through a private daemon, kept and taken up again, and what is refused.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::daemon::Home;

/// Two chats of two sessions; what answers each question shares its words.
fn locomo() -> Value {
    let turn = |id: &str, text: &str| json!({"speaker": "Ana", "dia_id": id, "text": text});
    let chat = |name: &str, first: [&str; 2], second: &str, question: &str, evidence: &str| {
        json!({
            "sample_id": name,
            "conversation": {
                "session_1_date_time": "1:56 pm on 8 May, 2023",
                "session_1": [turn("D1:1", first[0]), turn("D1:2", first[1])],
                "session_2_date_time": "9:00 am on 2 June, 2023",
                "session_2": [turn("D2:1", second)],
            },
            "qa": [{"question": question, "answer": "-", "evidence": [evidence], "category": 4}],
        })
    };
    json!([
        chat("a", ["the red kite flew", "hello there"], "a boat sank", "Which kite flew?", "D1:1"),
        chat(
            "b",
            ["good morning", "rain again"],
            "the green kite flew far",
            "Did the green kite fly far?",
            "D2:1"
        ),
    ])
}

fn eval(home: &Home, args: &[&str]) -> Output {
    std::fs::create_dir_all(home.path("tmp")).unwrap();
    let mut command = home.nosso(&["eval"]);
    command.args(args).env("TMPDIR", home.path("tmp")).env("NO_COLOR", "1").output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn questions_are_asked_in_both_scopes_and_nothing_stays() {
    let home = Home::new();
    let file = home.path("small.json");
    std::fs::write(&file, locomo().to_string()).unwrap();
    let report = home.path("report.json");
    let output =
        eval(&home, &[file.to_str().unwrap(), "--mode", "lexical", "--json", "-o", report.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let set = &printed["sets"][0];
    assert_eq!(
        (&set["name"], &set["format"], &set["messages"]),
        (&json!("small"), &json!("locomo"), &json!(6))
    );
    let runs: Vec<_> = set["runs"].as_array().unwrap().iter().map(|run| &run["scope"]).collect();
    assert_eq!(runs, ["conversation", "store"]);
    for run in set["runs"].as_array().unwrap() {
        let group = &run["groups"][0];
        assert_eq!((&group["name"], &group["questions"]), (&json!("all"), &json!(2)));
        assert_eq!(group["figures"]["hit@5"]["value"], 1.0, "{group}");
        assert!(run["latencyMs"]["p95"]["value"].as_f64().unwrap() > 0.0);
        assert!(run.get("questions").is_none());
    }
    // alone in its chat, the kite is found first
    assert_eq!(set["runs"][0]["groups"][0]["figures"]["recall@1"]["value"], 1.0);
    let written: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(written["sets"][0]["runs"][0]["questions"][0]["ranks"], json!([1]));
    assert_eq!(std::fs::read_dir(home.path("tmp")).unwrap().count(), 0, "a folder was left behind");
    assert!(!home.path(".local/share/nosso").exists(), "the person's own store was touched");
}

#[test]
fn a_kept_store_is_taken_up_by_the_next_run_with_the_same_messages() {
    let home = Home::new();
    let (file, kept) = (home.path("small.json"), home.path("kept"));
    std::fs::write(&file, locomo().to_string()).unwrap();
    let args = [file.to_str().unwrap(), "--mode", "lexical", "--keep", kept.to_str().unwrap()];
    let first = eval(&home, &args);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    assert!(said(&first).contains("storing small: 6 messages"), "{}", said(&first));
    let second = eval(&home, &args);
    assert!(said(&second).contains("taking up small"), "{}", said(&second));
    let table = |output: &Output| String::from_utf8_lossy(&output.stdout).replace("latency", "\0");
    let figures = |output: &Output| table(output).split('\0').next().unwrap().to_owned();
    assert_eq!(figures(&first), figures(&second));
    assert!(figures(&first).contains("R@10"), "{}", figures(&first));

    let mut other = locomo();
    other[0]["conversation"]["session_1"][0]["text"] = "something else".into();
    std::fs::write(&file, other.to_string()).unwrap();
    let refused = eval(&home, &args);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("another set of messages"), "{}", said(&refused));
}

#[test]
fn what_would_measure_something_else_is_refused() {
    let home = Home::new();
    let file = home.path("small.json");
    std::fs::write(&file, locomo().to_string()).unwrap();
    let path = file.to_str().unwrap();
    let check = |args: &[&str], code: i32, expected: &str| {
        let output = eval(&home, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(expected), "{args:?}: {}", said(&output));
        assert_eq!(std::fs::read_dir(home.path("tmp")).unwrap().count(), 0);
    };
    // there is no model in this home: half of a hybrid search is not measured as if it were one
    check(&[path], 69, "nosso setup");
    check(&["/nowhere.json"], 66, "/nowhere.json");
    let other = home.path("other.json");
    std::fs::write(&other, "{\"a\": 1}").unwrap();
    check(&[other.to_str().unwrap()], 2, "LongMemEval");
    let squad = home.path("squad.json");
    let text = r#"{"data": [{"paragraphs": [{"context": "O Rio.", "qas": [{"question": "Onde?"}]}]}]}"#;
    std::fs::write(&squad, text).unwrap();
    check(&[squad.to_str().unwrap(), "--scope", "conversation"], 2, "--scope conversation");
}
