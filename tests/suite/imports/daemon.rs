//! `nosso import` against a real daemon: what arrives, what a second time adds, what is found.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use nosso::api::data::ImportFormat;
use serde_json::{Value, json};

use super::{SAMPLES, messages, path, read, sample};
use crate::support::daemon::{Daemon, Home, call};
use crate::support::wait_for;

/// No model may take part.
const SETTINGS: &str = "[chat]\nprovider = \"extractive\"\n[embed]\nenabled = false\n";

fn start() -> (Home, Daemon) {
    let home = Home::new();
    home.configure(SETTINGS);
    let daemon = Daemon::start(&home);
    (home, daemon)
}

/// The report of `nosso import --json`, and the exit code.
fn import(home: &Home, args: &[&str]) -> (Value, i32) {
    let output = home.nosso(&["import", "--json"]).args(args).output().unwrap();
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.code().unwrap())
}

fn n(report: &Value, what: &str, of: &str) -> u64 {
    report[what][of].as_u64().unwrap_or_else(|| panic!("no {what}.{of} in {report}"))
}

fn found(home: &Home, query: &str) -> Vec<Value> {
    let answer = call(&home.socket(), "search.query", json!({"query": query, "mode": "lexical"}));
    answer["result"]["hits"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}

#[test]
fn a_folder_of_histories_comes_in_once() {
    let (home, _daemon) = start();
    let folder = path("");
    let folder = folder.to_str().unwrap();
    let mut expected = 0;
    for (name, format) in SAMPLES {
        // the name of a file is the name of a session of aichat
        let bytes = sample(name);
        let source = nosso::exchange::Source {
            format: *format,
            name: Path::new(name).file_stem().and_then(|stem| stem.to_str()),
            now: super::now(),
        };
        expected += messages(&nosso::exchange::read(&bytes, source).unwrap()).len() as u64;
    }
    let (planned, code) = import(&home, &[folder, "--dry-run"]);
    assert_eq!(
        (n(&planned, "added", "messages"), n(&planned, "existing", "messages")),
        (expected, 0),
        "{planned}"
    );
    assert_eq!(call(&home.socket(), "system.status", json!({}))["result"]["counts"]["messages"], 0);
    let (report, code_again) = import(&home, &[folder]);
    assert_eq!((code, code_again), (0, 0), "{report}");
    assert_eq!(report["added"], planned["added"]);
    assert_eq!(report["files"].as_array().unwrap().len(), SAMPLES.len(), "{report}");
    let (again, _) = import(&home, &[folder]);
    assert_eq!(again["existing"]["messages"], report["added"]["messages"]);
    assert_eq!(again["existing"]["conversations"], report["added"]["conversations"]);
    assert_eq!((n(&again, "added", "conversations"), n(&again, "added", "messages")), (0, 0), "{again}");

    // what was said is found, what tools answered is kept and not found
    assert_eq!(found(&home, "Dom Casmurro")[0]["conversationTitle"], "Romances brasileiros");
    assert!(found(&home, "Iracema romance José de Alencar tool").iter().all(|hit| hit["role"] != "tool"));
    assert_eq!(found(&home, "npm ERR"), Vec::<Value>::new());
    let output = home.nosso(&["export"]).output().unwrap();
    let exported = String::from_utf8(output.stdout).unwrap();
    let kept = exported.lines().find(|line| line.contains("npm ERR")).unwrap();
    let kept: Value = serde_json::from_str(kept).unwrap();
    assert_eq!((&kept["role"], &kept["searchable"]), (&json!("tool"), &json!(false)));
}

/// Whatever reads a history, what comes of it goes one way.
#[test]
fn a_key_in_a_history_is_masked_whoever_reads_it() {
    let (home, _daemon) = start();
    let folder = tempfile::tempdir().unwrap();
    let key = format!("ghp_{}", "a1B2c3D4e5".repeat(4));
    for (name, format) in SAMPLES {
        let bytes = sample(name);
        let read = read(*format, bytes.as_bytes());
        let said = messages(&read).into_iter().find(|it| it.role == nosso::model::Role::User).unwrap();
        let words = said.content.split(|c: char| !c.is_ascii_alphabetic());
        let word = words.max_by_key(|word| word.len()).unwrap();
        assert!(bytes.contains(word), "{name}");
        std::fs::write(folder.path().join(name), bytes.replace(word, &key)).unwrap();
    }
    let titled = json!([{"title": key, "messages": [
        {"role": "user", "author": key, "content": "my password is hunter2"},
    ]}]);
    std::fs::write(folder.path().join("plain.json"), titled.to_string()).unwrap();
    let (report, code) = import(&home, &[folder.path().to_str().unwrap()]);
    assert_eq!((code, report["files"].as_array().unwrap().len()), (0, SAMPLES.len() + 1), "{report}");
    assert!(n(&report, "secrets", "github-token") >= SAMPLES.len() as u64 + 2, "{report}");
    assert_eq!(n(&report, "secrets", "password"), 1, "{report}");
    assert_eq!(home.files_that_hold(&key), Vec::<std::path::PathBuf>::new());
    let (again, _) = import(&home, &[folder.path().to_str().unwrap()]);
    assert_eq!(n(&again, "added", "messages"), 0, "{again}");
    assert_eq!(again["existing"]["messages"], report["added"]["messages"]);
}

#[test]
fn a_session_that_went_on_is_continued() {
    let (home, _daemon) = start();
    let text = sample("claude-code-agent.jsonl");
    let lines: Vec<&str> = text.lines().collect();
    let file = home.path("session.jsonl");
    let head = |home: &Home| {
        let all = call(&home.socket(), "conversation.list", json!({}));
        let one = all["result"]["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["messageCount"] != 1)
            .cloned()
            .unwrap();
        let head = call(&home.socket(), "message.get", json!({"id": one["headMessageId"]}));
        head["result"]["content"].as_str().unwrap().to_owned()
    };
    let file_name = file.to_str().unwrap();
    std::fs::write(&file, lines[..3].join("\n")).unwrap();
    import(&home, &[file_name]);
    assert_eq!(head(&home), "Find the slow query\nplease");
    std::fs::write(&file, lines[..10].join("\n")).unwrap();
    let (report, _) = import(&home, &[file_name]);
    assert_eq!(n(&report, "existing", "conversations"), 1, "{report}");
    assert_eq!(head(&home), "It lacks an index.");
    std::fs::write(&file, &text).unwrap();
    import(&home, &[file_name]);
    // a shorter file, read again, takes nothing back
    std::fs::write(&file, lines[..3].join("\n")).unwrap();
    let (report, _) = import(&home, &[file_name]);
    assert_eq!(n(&report, "added", "messages"), 0);
    assert_eq!(head(&home), "This session is being continued.");
}

#[test]
fn archives_and_standard_input_are_read() {
    let (home, _daemon) = start();
    let archive = home.path("export.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&archive).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, text) in [
        ("users.json", "[{\"uuid\": \"u\", \"full_name\": \"Ana\"}]".to_owned()),
        ("conversations.json", sample("claude.json")),
        ("picture.png", "PNG".into()),
    ] {
        zip.start_file(name, options).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    let (report, code) = import(&home, &[archive.to_str().unwrap()]);
    assert_eq!((code, n(&report, "added", "messages")), (0, 2), "{report}");
    assert_eq!(report["files"][0]["format"], "claude");
    assert_eq!(report["passedOver"], 1);

    for bytes in [sample("librechat.json").into_bytes(), std::fs::read(&archive).unwrap()] {
        let mut child = home
            .nosso(&["import", "-", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(n(&report, "added", "messages") + n(&report, "existing", "messages") > 1, "{report}");
    }
}

#[test]
fn what_is_no_history_is_told_and_the_other_files_come_in() {
    let (home, _daemon) = start();
    for (name, bytes) in [
        ("notes.json", &b"{\"a\": 1}"[..]),
        ("empty.json", b" \n"),
        ("packed.jsonl", b"\x28\xb5\x2f\xfdxxxx"),
        ("good.json", b"[{\"title\": \"x\", \"messages\": [{\"role\": \"user\", \"content\": \"hello\"}]}]"),
        ("broken.zip", b"PK\x03\x04xxxxxxxx"),
        ("broken.db", b"SQLite format 3\0xxxxxxx"),
    ] {
        std::fs::write(home.path(name), bytes).unwrap();
    }
    let names = ["notes.json", "empty.json", "packed.jsonl", "good.json", "broken.zip", "broken.db"];
    let paths: Vec<String> = names.iter().map(|name| home.path(name).display().to_string()).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let (report, code) = import(&home, &paths);
    assert_eq!((code, n(&report, "added", "messages")), (1, 1), "{report}");
    let failed = report["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 5, "{report}");
    assert!(failed[2]["hint"].as_str().unwrap().contains("zstd -d"), "{report}");
    // by another name it is read, whatever it looks like
    let (report, code) = import(&home, &[paths[0], "--format", "claude"]);
    assert_eq!((code, n(&report, "added", "messages")), (1, 0));
    assert_eq!(report["refused"][0]["reason"], "has no list 'chat_messages'");
    assert_eq!(home.nosso(&["import", "--format", "word", "x"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn an_import_that_was_interrupted_is_finished_by_the_next() {
    let (home, _daemon) = start();
    let conversation = |c: usize| {
        let said: Vec<Value> = (0..50)
            .map(|m| json!({"uuid": format!("{c}-{m}"), "sender": "human", "text": format!("message {m} of {c} {}", "x".repeat(2000))}))
            .collect();
        json!({"uuid": format!("c{c}"), "name": format!("conversation {c}"), "chat_messages": said})
    };
    let file = home.path("many.json");
    let all: Vec<Value> = (0..200).map(conversation).collect();
    std::fs::write(&file, json!(all).to_string()).unwrap();
    let file = file.to_str().unwrap();
    let child = home.nosso(&["import", file]).stdout(Stdio::null()).spawn().unwrap();
    let count =
        || call(&home.socket(), "system.status", json!({}))["result"]["counts"]["messages"].as_u64().unwrap();
    wait_for("the first messages", || (count() > 0).then_some(()));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    let status = child.wait_with_output().unwrap().status;
    let n_first = count();
    let (report, code) = import(&home, &[file]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(n(&report, "added", "messages") + n(&report, "existing", "messages"), 10_000);
    assert_eq!(count(), 10_000);
    // on a fast machine it may have been done before
    assert!(status.code() == Some(130) || n_first == 10_000, "{status}");
    let expected = read(ImportFormat::Claude, json!(all).to_string().as_bytes());
    let exported = home.nosso(&["export"]).output().unwrap().stdout;
    let exported = nosso::exchange::record::read(&String::from_utf8(exported).unwrap()).unwrap();
    let sorted = |readout: &nosso::exchange::Readout| {
        let mut all: Vec<_> =
            messages(readout).iter().map(|it| (it.id, it.parent_id, it.content.clone())).collect();
        all.sort();
        all
    };
    assert!(sorted(&exported) == sorted(&expected));
}
