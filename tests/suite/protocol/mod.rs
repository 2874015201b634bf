//! The protocol's documents: made from the types and from examples that are run, and never out of date.
//!
//! `NOSSO_WRITE_DOCS=1 cargo test protocol` writes `docs/PROTOCOL.md` and `docs/openrpc.json` anew.

mod examples;
mod pattern;
mod render;

use std::path::Path;

use nosso::api::{methods, openrpc};

use crate::support::daemon::{Daemon, Home};
use crate::support::shell;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_answers_what_the_document_says() {
    let differences = examples::run(&examples::read()).await;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_method_has_an_example() {
    let examples = examples::read();
    for method in methods::ALL {
        assert!(examples.iter().any(|example| example.method == method.name), "none for {}", method.name);
    }
    for example in &examples {
        assert!(methods::ALL.iter().any(|method| method.name == example.method), "{}", example.method);
    }
}

#[test]
fn the_documents_are_current() {
    let openrpc = openrpc::document();
    is_current("docs/openrpc.json", &format!("{openrpc:#}\n"));
    is_current("docs/PROTOCOL.md", &render::document(&openrpc, &examples::read()));
}

/// Every program of the chapter that shows how to connect, against a real daemon.
#[test]
fn its_programs_run() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let blocks = shell::blocks(&render::document(&openrpc::document(), &examples::read()));
    let mut run = 0;
    for block in blocks.iter().filter(|block| ["sh", "python"].contains(&block.language.as_str())) {
        let Some(said) = shell::run(&home, block, Path::new(".")) else { continue };
        assert!(
            said.contains("\"jsonrpc\":\"2.0\"") && said.contains("\"result\":"),
            "{}\n{said}",
            block.text
        );
        run += 1;
    }
    assert!(run > 0, "no program could run");
}

fn is_current(name: &str, expected: &str) {
    if std::env::var_os("NOSSO_WRITE_DOCS").is_some() {
        std::fs::write(file(name), expected).unwrap();
    }
    let there = std::fs::read_to_string(file(name)).unwrap_or_default();
    let at = there.lines().zip(expected.lines()).position(|(there, expected)| there != expected);
    assert!(
        there == expected,
        "{name} is out of date (first at line {at:?}, counted from 0); `NOSSO_WRITE_DOCS=1 cargo test protocol` writes it"
    );
}

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
