//! The programs that stand in documents, and how they are run.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::daemon::Home;
use super::{binary, skipped};

/// A fenced block of a Markdown document.
#[derive(Debug, Clone)]
pub struct Block {
    /// The heading above it.
    pub heading: String,
    /// What stands behind the fence's first line.
    pub language: String,
    /// Its lines.
    pub text: String,
}

/// All blocks of a document.
pub fn blocks(document: &str) -> Vec<Block> {
    let mut found: Vec<Block> = vec![];
    let (mut heading, mut is_open) = (String::new(), false);
    for line in document.lines() {
        match line.strip_prefix("```") {
            Some(_) if is_open => is_open = false,
            Some(language) => {
                found.push(Block {
                    heading: heading.clone(),
                    language: language.into(),
                    text: String::new(),
                });
                is_open = true;
            }
            None if is_open => {
                let block = found.last_mut().expect("an open block was pushed");
                block.text.push_str(line);
                block.text.push('\n');
            }
            None if line.starts_with('#') => heading = line.trim_start_matches('#').trim().to_owned(),
            None => {}
        }
    }
    found
}

/// Runs a block in `home`: what it wrote. None, said loudly, where the machine lacks a program that it needs.
pub fn run(home: &Home, block: &Block, folder: &Path) -> Option<String> {
    let needed = if block.language == "python" { "python3" } else { "sh" };
    let others =
        ["curl", "socat", "git"].into_iter().filter(|name| words(&block.text).any(|word| word == *name));
    for program in others.chain([needed]) {
        if Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_err()
        {
            skipped(&format!("a program of the documents needs {program}: {}", block.text));
            return None;
        }
    }
    let output = interpret(home, needed, &block.text, folder);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\nended with {}:\n{said}{complaint}", block.text, output.status);
    Some(said)
}

/// Runs a program's text; `nosso` in it is the program that is tested.
fn interpret(home: &Home, interpreter: &str, text: &str, folder: &Path) -> Output {
    let mut command = Command::new(interpreter);
    home.place(&mut command);
    let path = std::env::var("PATH").unwrap_or_default();
    let own = binary();
    command.env("PATH", format!("{}:{path}", own.parent().unwrap().display()));
    command.current_dir(folder).args(["-c", text]).stdin(Stdio::null()).output().unwrap()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
}
