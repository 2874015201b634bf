//! `nosso demo`: what it shows, and that it leaves nothing behind, however it ends.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::brought::set_up;
use crate::support::daemon::{Home, call};
use crate::support::scripted::{Script, Scripted};
use crate::support::{PATIENCE, ollama, wait_for};

/// The demo in a home of its own, with a folder for temporary files that can be looked into.
fn demo(home: &Home, args: &[&str]) -> Command {
    let mut command = home.nosso(&["demo"]);
    std::fs::create_dir_all(home.path("tmp")).unwrap();
    command.args(args).env("TMPDIR", home.path("tmp")).env("NO_COLOR", "1").env("LANG", "C.UTF-8");
    command
}

fn left_behind(home: &Home) -> Vec<PathBuf> {
    std::fs::read_dir(home.path("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn it_shows_answers_with_citations_in_both_languages_and_leaves_nothing() {
    let Some(cache) = set_up("the demo") else { return };
    let home = Home::new();
    std::fs::create_dir_all(home.path(".local/share")).unwrap();
    std::os::unix::fs::symlink(&cache.data, home.path(".local/share/nosso")).unwrap();
    let output = demo(&home, &[]).env("NOSSO_CHAT__PROVIDER", "extractive").output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{shown}\n{said}");
    // each question is followed by its answer and the sources that it cites
    let answers: Vec<&str> = shown.split("nosso ask ").skip(1).collect();
    assert_eq!(answers.len(), 3, "{shown}");
    let check = |answer: &str, words: &[&str]| {
        let cites =
            (1..=9).any(|n| answer.contains(&format!(" [{n}]\n")) && answer.contains(&format!("\n[{n}] ")));
        assert!(cites, "no citation with its source in\n{answer}");
        for word in words {
            assert!(answer.to_lowercase().contains(word), "no {word} in\n{answer}");
        }
    };
    check(answers[0], &["pensão luanda", "this was said before"]);
    check(answers[1], &["502", "isto foi dito antes"]);
    check(answers[2], &["marina"]);
    // what is found shares no word with the question: it was found by its meaning
    let gift = shown.split("gift for mom").nth(1).unwrap().split("nosso search").next().unwrap();
    assert!(gift.to_lowercase().contains("mãe"), "{gift}");
    assert_eq!(left_behind(&home), Vec::<PathBuf>::new());
    assert!(!cache.data.join("nosso.db").exists(), "the person's own data is not touched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_cleans_up() {
    ended_by(Signal::INT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn being_told_to_end_cleans_up() {
    ended_by(Signal::TERM).await;
}

async fn ended_by(signal: Signal) {
    let model = ollama::start(&[("tiny:latest", 8192)]).await;
    model.script(Script::HangAfter(vec!["Still ".into(), "writing".into()]));
    let model = Arc::new(model);
    let asked = model.clone();
    let waiting = tokio::task::spawn_blocking(move || interrupted(&asked, signal));
    waiting.await.unwrap();
    model.clients_closed(1).await;
}

/// Runs the demo against that model server and sends it the signal while the first answer is written.
fn interrupted(model: &Scripted, signal: Signal) {
    let home = Home::new();
    // nothing to set up from: it goes on without
    std::fs::create_dir(home.path("empty")).unwrap();
    let mut command = demo(&home, &["--from"]);
    command
        .arg(home.path("empty"))
        .env("NOSSO_CHAT__PROVIDER", "ollama")
        .env("NOSSO_CHAT__OLLAMA_URL", &model.url);
    let mut process =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (sender, lines) = channel();
    let stdout = BufReader::new(process.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut shown = vec![];
    while !shown.last().is_some_and(|line: &String| line.contains("nosso ask")) {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => shown.push(line),
            Err(error) => panic!("{error} after {shown:?}\n{}", complaint(&mut process)),
        }
    }
    wait_for("the question at the model", || {
        model.requests().iter().any(|it| it.path == "/api/chat").then_some(())
    });
    let [folder] = &left_behind(&home)[..] else { panic!("one folder while it runs") };
    let status = call(&folder.join("run/nosso/nosso.sock"), "system.status", json!({}));
    let daemon = status["result"]["pid"].as_u64().expect("the private daemon");

    kill_process(Pid::from_child(&process), signal).unwrap();
    let ended = process.wait().unwrap();
    reader.join().unwrap();
    assert_eq!(ended.code(), Some(130), "{}", complaint(&mut process));
    assert_eq!(left_behind(&home), Vec::<PathBuf>::new());
    assert!(!PathBuf::from(format!("/proc/{daemon}")).exists(), "its daemon is gone too");
}

fn complaint(process: &mut Child) -> String {
    let _ = process.kill();
    let mut text = String::new();
    let _ = process.stderr.take().map(|mut stderr| stderr.read_to_string(&mut text));
    text
}
