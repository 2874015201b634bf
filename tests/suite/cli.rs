//! The program as a person or a script runs it: exit codes, what goes to which stream, what is sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::scripted::{Reply, Scripted};

pub const ID: &str = "0192d3a4-0000-7000-8000-000000000001";

/// The program, away from this machine's settings and sockets.
fn nosso(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nosso"));
    command.args(arguments).current_dir(home).env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin");
    command.env("TZ", "UTC").env("XDG_RUNTIME_DIR", home).stdin(Stdio::null());
    command
}

pub fn run(daemon: &Scripted, arguments: &[&str]) -> Output {
    nosso(daemon.folder(), arguments).env("NOSSO_SOCKET", daemon.socket()).output().unwrap()
}

fn run_with_input(daemon: &Scripted, arguments: &[&str], input: &str) -> Output {
    let mut child = spawn(daemon, arguments, Stdio::piped());
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn spawn(daemon: &Scripted, arguments: &[&str], stdin: Stdio) -> Child {
    nosso(daemon.folder(), arguments)
        .env("NOSSO_SOCKET", daemon.socket())
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts the exit code, and shows what the program said where it differs.
#[track_caller]
pub fn ended_with(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout: {}\nstderr: {}", stdout(output), stderr(output));
}

fn hit(text: &str) -> Value {
    json!({
        "kind": "message", "id": ID, "conversationId": ID, "conversationTitle": "Deploy", "role": "user",
        "createdAt": "2024-03-14T09:00:00.000Z", "client": {"name": "vscode", "version": "1"}, "text": text,
        "offset": 0, "length": text.len(), "spans": [{"start": 0, "end": 3}], "score": 1.5, "before": [], "after": [],
    })
}

fn found(hits: Vec<Value>) -> Value {
    json!({"hits": hits, "served": {"lexical": true, "semantic": true, "pending": 0}})
}

#[test]
fn without_a_daemon_the_error_says_which_command_starts_it() {
    let home = tempfile::tempdir().unwrap();
    let output = nosso(home.path(), &["status"]).output().unwrap();
    ended_with(&output, 69);
    let said = stderr(&output);
    assert!(
        said.contains("nosso/nosso.sock") && said.contains("hint:") && said.contains("nosso serve"),
        "{said}"
    );
    assert_eq!(stdout(&output), "");

    let output = nosso(home.path(), &["list"]).env("LANG", "pt_BR.UTF-8").output().unwrap();
    assert!(stderr(&output).contains("o serviço não está rodando"), "{}", stderr(&output));
}

#[test]
fn searching_is_like_grep() {
    let daemon = Scripted::new(|method, params| match (method, params["query"].as_str()) {
        ("search.query", Some("the deadline")) => Reply::Is(found(vec![hit("the deadline")])),
        _ => Reply::Is(found(vec![])),
    });
    let output = run(&daemon, &["search", "the", "deadline"]);
    ended_with(&output, 0);
    assert_eq!(stdout(&output), format!("2024-03-14 · Deploy · user · vscode ({ID})\n│   the deadline\n"));
    assert_eq!(stderr(&output), "");

    let output = run(&daemon, &["search", "unheard of"]);
    ended_with(&output, 1);
    assert_eq!((stdout(&output), stderr(&output)), (String::new(), "nothing found\n".into()));
    assert_eq!(stderr(&run(&daemon, &["search", "-q", "unheard of"])), "");
}

#[test]
fn filters_reach_the_daemon() {
    let daemon = Scripted::new(|_, _| Reply::Is(found(vec![])));
    std::fs::create_dir(daemon.folder().join(".git")).unwrap();
    let line =
        "search --here --mode lexical --role user --client vscode --kind message --since 2024-03-14 -n 3 x";
    run(&daemon, &line.split(' ').collect::<Vec<_>>());
    let here = daemon.folder().canonicalize().unwrap();
    assert_eq!(
        daemon.calls("search.query"),
        [json!({
            "query": "x", "limit": 3, "mode": "lexical", "context": 0, "explain": false,
            "filter": {"project": here, "role": "user", "client": "vscode", "kind": "message",
                       "since": "2024-03-14T00:00:00.000Z"},
        })]
    );
}

#[test]
fn json_is_what_the_api_gives() {
    let answer = found(vec![hit("\u{1b}[2J")]);
    let script = answer.clone();
    let daemon = Scripted::new(move |_, _| Reply::Is(script.clone()));
    let output = run(&daemon, &["search", "x", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&stdout(&output)).unwrap(), answer);
    assert_eq!(stdout(&output).lines().count(), 1);
}

#[test]
fn stored_text_cannot_control_the_terminal() {
    let daemon = Scripted::new(|_, _| Reply::Is(found(vec![hit("the \u{1b}]0;owned\u{7}\u{9b}31m end")])));
    for arguments in [&["search", "x"][..], &["search", "x", "--color", "always"]] {
        let text = stdout(&run(&daemon, arguments));
        assert!(!text.contains("\u{1b}]") && !text.contains('\u{7}') && !text.contains('\u{9b}'), "{text:?}");
        assert!(text.contains("␛]0;owned␇"), "{text:?}");
    }
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let daemon = Scripted::new(|_, _| Reply::Is(found(vec![hit("the end")])));
    let is_coloured = |arguments: &[&str], name: &str| {
        let mut command = nosso(daemon.folder(), arguments);
        command.env("NOSSO_SOCKET", daemon.socket()).env(name, "1");
        stdout(&command.output().unwrap()).contains('\u{1b}')
    };
    assert!(!is_coloured(&["search", "x"], "UNRELATED"));
    assert!(is_coloured(&["search", "x", "--color", "always"], "NO_COLOR"));
    assert!(is_coloured(&["search", "x"], "CLICOLOR_FORCE"));
    assert!(!is_coloured(&["search", "x", "--color", "never"], "CLICOLOR_FORCE"));
}

fn answered(content: &str) -> Value {
    json!({
        "type": "done", "conversationId": ID, "questionId": ID, "answerId": ID, "content": content, "model": "m",
        "status": "complete", "usage": null,
        "sources": [{"n": 1, "kind": "memory", "id": ID, "conversationId": null, "title": null, "role": null,
                     "createdAt": "2024-03-14T09:00:00.000Z", "text": "tea", "score": 1.0, "cited": true}],
    })
}

fn events(pieces: &[&str]) -> Vec<Value> {
    let mut events =
        vec![json!({"type": "sources", "conversationId": ID, "questionId": ID, "model": "m", "sources": [],
        "notices": ["no model is configured"]})];
    events.extend(pieces.iter().map(|text| json!({"type": "delta", "text": text})));
    events.push(answered(&pieces.concat()));
    events
}

#[test]
fn an_answer_streams_to_standard_output_and_its_sources_to_standard_error() {
    let daemon = Scripted::new(|_, _| Reply::Streams("chat.event", events(&["It is", " tea [1]."])));
    let output =
        run_with_input(&daemon, &["ask", "what", "is it?", "--no-store", "--project", "p"], "+ a diff\n");
    ended_with(&output, 0);
    assert_eq!(stdout(&output), "It is tea [1].\n");
    let expected = "! no model is configured\n\nSources\n[1] 2024-03-14 · memory\n    tea\n";
    assert_eq!(stderr(&output), expected);
    assert_eq!(
        daemon.calls("chat.stream"),
        [
            json!({"content": "what is it?", "attachment": "+ a diff\n", "memory": {}, "store": false, "project": "p"})
        ]
    );
    let quiet = run_with_input(&daemon, &["ask", "-q"], "what is it?\n");
    assert_eq!((stdout(&quiet).as_str(), stderr(&quiet).as_str()), ("It is tea [1].\n", ""));
    assert_eq!(daemon.calls("chat.stream")[1]["content"], "what is it?");
}

#[test]
fn an_answer_as_json_is_one_event_a_line() {
    let daemon = Scripted::new(|_, _| Reply::Streams("chat.event", events(&["a", "b"])));
    let output = run(&daemon, &["ask", "x", "--json"]);
    let types: Vec<String> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types, ["sources", "delta", "delta", "done"]);
}

#[test]
fn an_answer_that_fails_has_its_code_and_keeps_what_came() {
    let failed = json!({"type": "error", "kind": "upstream_cut", "message": "the server went away", "hint": "try again",
        "retryable": true, "partial": null});
    let daemon = Scripted::new(move |_, _| {
        Reply::Streams("chat.event", vec![json!({"type": "delta", "text": "half"}), failed.clone()])
    });
    let output = run(&daemon, &["ask", "x"]);
    ended_with(&output, 75);
    assert_eq!(stdout(&output), "half\n");
    assert_eq!(stderr(&output), "nosso: the server went away\nhint: try again\n");
}

#[test]
fn ctrl_c_ends_an_answer_with_130() {
    let daemon =
        Scripted::new(|_, _| Reply::Streams("chat.event", vec![json!({"type": "delta", "text": "so\n"})]));
    let mut child = spawn(&daemon, &["ask", "x"], Stdio::null());
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "so\n");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    ended_with(&child.wait_with_output().unwrap(), 130);
}

#[test]
fn a_reader_that_leaves_early_causes_no_noise() {
    let conversation = |n: usize| {
        json!({"id": format!("0192d3a4-0000-7000-8000-{n:012}"), "title": "x".repeat(200), "project": null,
            "model": null, "client": null, "headMessageId": null, "messageCount": 1,
            "createdAt": "2024-03-14T09:00:00Z", "updatedAt": "2024-03-14T09:00:00Z"})
    };
    let page = json!({"items": (0..2000).map(conversation).collect::<Vec<_>>(), "nextCursor": null});
    let daemon = Scripted::new(move |_, _| Reply::Is(page.clone()));
    let mut child = spawn(&daemon, &["list", "--all"], Stdio::null());
    let mut first = [0; 36];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    ended_with(&output, 0);
    assert_eq!(stderr(&output), "");
}

#[test]
fn the_daemons_errors_decide_the_exit_code() {
    let daemon = Scripted::new(|_, params| match params["project"].as_str() {
        Some("busy") => Reply::Fails("busy", "wait a little"),
        Some("full") => Reply::Fails("storage_full", "make room"),
        _ => Reply::Fails("internal", "tell us"),
    });
    for (project, code) in [("busy", 75), ("full", 74), ("other", 70)] {
        let output = run(&daemon, &["list", "--project", project]);
        ended_with(&output, code);
        assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
    }
}

#[test]
fn a_large_import_is_sent_in_pieces_and_summed_up() {
    let daemon = Scripted::new(|_, params| {
        let lines = params["data"].as_str().unwrap().lines().count();
        let counts = |messages| json!({"conversations": 0, "messages": messages, "memories": 0, "chunks": 0});
        Reply::Is(json!({"added": counts(lines), "existing": counts(0), "refused": [], "refusedTotal": 0}))
    });
    let message = |n: usize| {
        json!({"type": "message", "id": format!("0192d3a4-0000-7000-8000-{n:012}"), "conversationId": ID, "parentId": null,
            "seq": n, "role": "user", "content": "x".repeat(1_000_000), "createdAt": "2024-03-14"})
    };
    let mut file: Vec<String> = (1..=6).map(|n| message(n).to_string()).collect();
    file.push(json!({"type": "message", "bad": "y".repeat(4_000_000)}).to_string());
    let output = run_with_input(&daemon, &["import", "-"], &(file.join("\n") + "\n"));
    ended_with(&output, 1);
    let (file, total) = (
        "standard input (nosso): 6 messages added, 0 were there already",
        "added 0 conversations, 6 messages, 0 memories",
    );
    assert_eq!(stdout(&output), format!("{file}\n{total}\n"));
    assert!(stderr(&output).contains("left out: 1 records\n  line 7: is no message"), "{}", stderr(&output));
    let calls = daemon.calls("data.import");
    assert!(calls.len() >= 3, "{} calls", calls.len());
    assert!(calls.iter().all(|call| call.to_string().len() < nosso::api::limits::MAX_REQUEST_BYTES));
}

#[test]
fn an_empty_import_is_a_mistake() {
    let daemon = Scripted::new(|_, _| Reply::Fails("internal", ""));
    let output = run_with_input(&daemon, &["import", "-"], "\n");
    ended_with(&output, 2);
    assert!(stderr(&output).contains("empty") && daemon.calls("data.import").is_empty());
}

#[test]
fn a_missing_input_is_exit_code_66() {
    let daemon = Scripted::new(|_, _| Reply::Fails("internal", ""));
    let output = run(&daemon, &["import", "absent.json"]);
    ended_with(&output, 66);
    assert!(stderr(&output).contains("absent.json"));
}

#[test]
fn an_export_is_written_whole_or_not_at_all() {
    let counts = json!({"conversations": 1, "messages": 2, "memories": 0, "chunks": 0});
    let daemon = Scripted::new(move |_, params| {
        let mut items = vec![json!({"type": "records", "lines": ["{\"a\":1}", "{\"b\":2}"]})];
        items.push(match params["project"].as_str() {
            Some("broken") => json!({"type": "error", "kind": "storage", "message": "cannot read"}),
            _ => json!({"type": "done", "counts": counts.clone()}),
        });
        Reply::Streams("data.exported", items)
    });
    let output = run(&daemon, &["export"]);
    assert_eq!(stdout(&output), "{\"a\":1}\n{\"b\":2}\n");
    let output = run(&daemon, &["export", "out.ndjson"]);
    ended_with(&output, 0);
    assert_eq!(
        std::fs::read_to_string(daemon.folder().join("out.ndjson")).unwrap(),
        "{\"a\":1}\n{\"b\":2}\n"
    );
    ended_with(&run(&daemon, &["export", "out.ndjson"]), 1);
    ended_with(&run(&daemon, &["export", "out.ndjson", "--force"]), 0);
    ended_with(&run(&daemon, &["export", "other.ndjson", "--project", "broken"]), 74);
    assert!(!daemon.folder().join("other.ndjson").exists());
}

#[test]
fn wrong_settings_are_exit_code_78() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("bad.toml");
    std::fs::write(&file, "[embed]\nthread = 2\n").unwrap();
    let output =
        nosso(home.path(), &["config", "check", "--config", file.to_str().unwrap()]).output().unwrap();
    ended_with(&output, 78);
    assert!(stderr(&output).contains("embed.threads"), "{}", stderr(&output));
    let output = nosso(home.path(), &["config", "edit"]).output().unwrap();
    ended_with(&output, 78);
    assert!(
        stderr(&output).contains("no terminal") && stderr(&output).contains("EDITOR"),
        "{}",
        stderr(&output)
    );
    let output = nosso(home.path(), &["config", "edit"]).env("EDITOR", "true").output().unwrap();
    ended_with(&output, 0);
    assert!(home.path().join(".config/nosso/config.toml").exists());
}

/// The daemon keeps its old settings where the file is wrong; so must those who look for it.
#[test]
fn a_broken_config_file_keeps_nobody_from_the_daemon() {
    let daemon = Scripted::new(|_, _| Reply::Is(found(vec![hit("the deadline")])));
    let file = daemon.folder().join("config.toml");
    let socket = daemon.socket();
    std::fs::write(&file, format!("[embed]\nthread = 2\n[socket]\npath = {socket:?}\n")).unwrap();
    let search = ["--config", file.to_str().unwrap(), "search", "deadline"];
    let output = nosso(daemon.folder(), &search).output().unwrap();
    ended_with(&output, 0);
    assert!(stdout(&output).contains("the deadline"));
    assert!(stderr(&output).contains("embed.thread"), "{}", stderr(&output));
    let output = nosso(daemon.folder(), &["--config", "absent.toml", "search", "deadline"]).output().unwrap();
    ended_with(&output, 78);
}

#[test]
fn the_service_is_installed_through_systemctl() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let output = nosso(home.path(), &["service", "install"]).env("PATH", &bin).output().unwrap();
    ended_with(&output, 69);
    assert!(
        stderr(&output).contains("no systemd") && stderr(&output).contains("nosso serve"),
        "{}",
        stderr(&output)
    );

    let log = home.path().join("log");
    std::fs::write(bin.join("systemctl"), format!("#!/bin/sh\necho \"$@\" >>{}\n", log.display())).unwrap();
    std::fs::set_permissions(bin.join("systemctl"), std::fs::Permissions::from_mode(0o755)).unwrap();
    ended_with(&nosso(home.path(), &["service", "install"]).env("PATH", &bin).output().unwrap(), 0);
    let unit = std::fs::read_to_string(home.path().join(".config/systemd/user/nosso.service")).unwrap();
    assert!(unit.contains(&format!("ExecStart=\"{}\" serve", env!("CARGO_BIN_EXE_nosso"))), "{unit}");
    assert_eq!(
        std::fs::read_to_string(&log).unwrap(),
        "--user daemon-reload\n--user enable --now nosso.socket\n--user try-restart nosso.service\n"
    );
    ended_with(&nosso(home.path(), &["service", "uninstall"]).env("PATH", &bin).output().unwrap(), 0);
    assert_eq!(std::fs::read_dir(home.path().join(".config/systemd/user")).unwrap().count(), 0);
}

#[test]
fn completions_are_good_bash_and_manual_pages_are_written() {
    let home = tempfile::tempdir().unwrap();
    let script = nosso(home.path(), &["completions", "bash"]).output().unwrap().stdout;
    match Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn() {
        Ok(mut bash) => {
            bash.stdin.take().unwrap().write_all(&script).unwrap();
            assert!(bash.wait().unwrap().success());
        }
        Err(error) => crate::support::skipped(&format!("the completions were not read by bash: {error}")),
    }
    ended_with(&nosso(home.path(), &["man", "pages"]).output().unwrap(), 0);
    let n_pages = std::fs::read_dir(home.path().join("pages")).unwrap().count();
    assert!(n_pages > 20, "{n_pages} pages");
}
