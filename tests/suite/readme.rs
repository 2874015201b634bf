//! The README: its commands run in order against a real daemon, its settings load.

use std::path::Path;

use nosso::config::{Flags, load};
use nosso::paths::Paths;
use serde_json::Value;

use crate::brought::set_up;
use crate::support::daemon::{Daemon, Home};
use crate::support::shell::{self, Block};

/// Neither model takes part, so that the commands do the same everywhere.
const SETTINGS: &str = "[chat]\nprovider = \"extractive\"\n[embed]\nenabled = false\n";
/// What is not run here: it would install, or is tested elsewhere, or is this.
const LEFT_OUT: &[&str] =
    &["cargo run --release -- demo", "cargo test", "cargo install --path .", "nosso service install"];
/// The headings whose commands are run, and the only ones that have commands.
const INSTALL: &str = "Install";
const TOUR: &str = "Five minutes";
const SOCKET: &str = "From your own tool";
const TRY: &str = "Try it";

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

fn commands(heading: &str) -> Vec<Block> {
    let blocks = shell::blocks(&readme()).into_iter();
    blocks.filter(|block| block.language == "console" && block.heading == heading).collect()
}

fn run(home: &Home, text: &str, folder: &Path) -> Option<String> {
    let text = format!("set -e\n{text}");
    shell::run(home, &Block { heading: String::new(), language: "console".into(), text }, folder)
}

#[test]
fn every_command_is_tested_or_left_out_on_purpose() {
    let blocks = shell::blocks(&readme());
    for block in blocks.iter().filter(|block| block.language == "console") {
        assert!([TRY, INSTALL, TOUR, SOCKET].contains(&block.heading.as_str()), "{block:?}");
    }
    for block in commands(TRY) {
        assert!(LEFT_OUT.contains(&block.text.trim()), "{block:?}");
    }
    for left_out in LEFT_OUT {
        assert!(
            blocks.iter().any(|block| block.text.contains(left_out)),
            "{left_out} is not in the README any more"
        );
    }
}

#[test]
fn the_five_minutes_go_as_told() {
    let home = Home::new();
    home.configure(SETTINGS);
    let _daemon = Daemon::start(&home);
    let folder = home.path("project");
    std::fs::create_dir(&folder).unwrap();
    changed_repository(&home, &folder);
    let history =
        r#"[{"title": "Deploy", "messages": [{"role": "user", "content": "Why the timezone bug?"}]}]"#;
    std::fs::write(folder.join("history.json"), history).unwrap();

    for watched in ["notes", ".claude/projects"] {
        std::fs::create_dir_all(home.path(watched)).unwrap();
    }

    // what was told some other day
    run(&home, "nosso remember 'The timezone bug was in the nightly export.'", &folder);
    let mut told = String::new();
    for block in commands(TOUR) {
        // one by one, because the ids are known only when what they name is there
        for line in block.text.lines() {
            let line = line.replace("delete ID", &format!("delete {}", first_id(&home, &["memories"])));
            let line = line.replace("forget ID", &format!("forget --yes {}", first_id(&home, &["memories"])));
            let line = match line.contains(" ID") {
                true => line.replace(" ID", &format!(" {}", first_id(&home, &["list"]))),
                false => line,
            };
            let Some(said) = run(&home, &line, &folder) else { continue };
            told.push_str(&format!("$ {line}\n{said}"));
        }
    }
    let said = |command: &str| {
        let begin = told.find(&format!("$ {command}")).unwrap_or_else(|| panic!("no {command} in\n{told}"));
        told[begin + 2..].split("\n$ ").next().unwrap().to_owned()
    };
    let asked = said("nosso ask \"When is staging restored?\"");
    assert!(asked.contains("every Monday at 6") && asked.contains("[1]"), "{asked}");
    assert!(said("nosso import").contains('1'), "{told}");
    assert!(said("nosso list tag:work").contains("Site/Deploy · #work · pinned"), "{told}");
    assert!(std::fs::read_to_string(folder.join("talk.html")).unwrap().ends_with("</html>\n"));
    let exported = std::fs::read_to_string(folder.join("everything.ndjson")).unwrap();
    assert!(exported.lines().count() > 3 && exported.contains("Why the timezone bug?"), "{exported}");
}

#[test]
fn its_requests_are_answered() {
    let home = Home::new();
    home.configure(SETTINGS);
    let _daemon = Daemon::start(&home);
    let blocks = commands(SOCKET);
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let Some(said) = run(&home, &block.text, Path::new(".")) else { continue };
        let answer: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        assert!(answer["result"].is_object(), "{answer}");
    }
}

#[test]
fn what_is_installed_is_as_it_should_be() {
    let Some(cache) = set_up("the README's installation") else { return };
    let home = Home::new();
    let data = home.path(".local/share/nosso");
    std::fs::create_dir_all(&data).unwrap();
    for (there, name) in [(cache.models(), "models"), (cache.libraries(), "lib")] {
        std::os::unix::fs::symlink(there, data.join(name)).unwrap();
    }
    let _daemon = Daemon::start(&home);
    for block in commands(INSTALL) {
        let lines = block.text.lines().filter(|line| !LEFT_OUT.iter().any(|out| line.starts_with(out)));
        for line in lines {
            run(&home, line, Path::new("."));
        }
    }
}

#[test]
fn its_settings_load_with_and_without_the_commented_ones() {
    let blocks = shell::blocks(&readme());
    let block = blocks.iter().find(|block| block.language == "toml").expect("the settings");
    let mut text = block.text.clone();
    check_settings(&text);
    // "# key = value   what it is for" is a setting too
    text = text.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).map(without_remark).collect();
    let loaded = check_settings(&text);
    assert_eq!(loaded.openai_url.as_deref(), Some("http://127.0.0.1:8080/v1"));
}

/// A line up to what follows its value.
fn without_remark(line: &str) -> String {
    let end = line.find("   ").unwrap_or(line.len());
    format!("{}\n", &line[..end])
}

fn check_settings(text: &str) -> nosso::config::Chat {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    std::fs::create_dir_all(&paths.config).unwrap();
    std::fs::write(paths.config_file(), text).unwrap();
    let loaded =
        load(&paths, [], &Flags::default()).unwrap_or_else(|error| panic!("{}\n{text}", error.full_text()));
    loaded.config.chat
}

/// The id of the first thing that a list shows; none: nothing yet.
fn first_id(home: &Home, list: &[&str]) -> String {
    let output = home.nosso(list).arg("--json").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let start = text.find("\"id\":").map_or(text.len(), |at| at + 5);
    text[start..].trim_start().trim_start_matches('"').chars().take(36).collect()
}

/// A repository with a change that is not committed.
fn changed_repository(home: &Home, folder: &Path) {
    let text = "git init -q && git -c user.name=Ana -c user.email=ana@example.org commit -q --allow-empty -m Begin
        echo 'restore = \"Monday 6:00\"' > staging.toml && git add staging.toml && git commit -q -m Settings 2>/dev/null \\
          || git -c user.name=Ana -c user.email=ana@example.org commit -q -m Settings
        echo 'restore = \"Tuesday 7:00\"' > staging.toml";
    run(home, text, folder);
}
