//! Folders that are captured while they change: real files, a real daemon.

use std::io::Write;
use std::path::{Path, PathBuf};

use nosso::api::data::ImportFormat;
use serde_json::{Value, json};

use crate::imports::sample;
use crate::support::daemon::{Daemon, Home, call};
use crate::support::wait_for;

/// No model may take part.
const SETTINGS: &str = "[chat]\nprovider = \"extractive\"\n[embed]\nenabled = false\n";

struct Captured {
    home: Home,
    daemon: Option<Daemon>,
}

impl Captured {
    fn start(settings: &str) -> Self {
        let home = Home::new();
        home.configure(&format!("{SETTINGS}{settings}"));
        let daemon = Some(Daemon::start(&home));
        std::fs::create_dir(home.path("notes")).unwrap();
        Self { home, daemon }
    }

    fn stop(&mut self) {
        self.daemon = None;
    }

    fn start_again(&mut self) {
        self.daemon = Some(Daemon::start(&self.home));
    }

    fn path(&self, below: &str) -> PathBuf {
        self.home.path(below)
    }

    fn write(&self, below: &str, text: impl AsRef<[u8]>) {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn append(&self, below: &str, text: &str) {
        let mut file = std::fs::File::options().append(true).create(true).open(self.path(below)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn call(&self, method: &str, params: Value) -> Value {
        let answer = call(&self.home.socket(), method, params);
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// Adds a folder by the program, and waits until it was looked at and all of it was read.
    fn watch(&self, args: &[&str]) -> Value {
        let output = self.home.nosso(&["watch", "add", "--json"]).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let added: Value = serde_json::from_slice(&output.stdout).unwrap();
        self.settled(added["path"].as_str().unwrap())
    }

    /// The folder once nothing of it is left to be read.
    fn settled(&self, path: &str) -> Value {
        wait_for("the capture of the folder", || {
            let is_done = |it: &Value| it["path"] == path && it["state"] != "starting" && it["waiting"] == 0;
            self.call("watch.list", json!({}))["items"]
                .as_array()
                .unwrap()
                .iter()
                .find(|it| is_done(it))
                .cloned()
        })
    }

    /// The titles of the conversations in which the words are found.
    fn found(&self, words: &str) -> Vec<String> {
        let result = self.call("search.query", json!({"query": words, "mode": "lexical"}));
        let hits = result["hits"].as_array().unwrap();
        let mut titles: Vec<String> =
            hits.iter().map(|hit| hit["conversationTitle"].as_str().unwrap_or_default().to_owned()).collect();
        titles.dedup();
        titles
    }

    fn wait_until_found(&self, words: &str, titles: &[&str]) {
        wait_for(&format!("{words:?} in {titles:?}"), || (self.found(words) == titles).then_some(()));
    }

    fn conversations(&self) -> Vec<Value> {
        self.call("conversation.list", json!({}))["items"].as_array().unwrap().clone()
    }
}

fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn notes_follow_their_files() {
    let captured = Captured::start("[capture]\nmax_file_kib = 4\n");
    let notes = captured.path("notes");
    captured.write("notes/garden.md", "# Roses\nPrune them in *zwiebelfisch* month.\n");
    captured.write("notes/.gitignore", "private/\n");
    captured.write("notes/private/diary.md", "nobody reads grimoire");
    captured.write("notes/picture.png", b"PNG\0grimoire");
    captured.write("notes/large.txt", "grimoire ".repeat(1000));
    captured.write("notes/latin.txt", b"caf\xe9 quokka");
    let watch = captured.watch(&[text_of(&notes), "--project", "site"]);
    assert_eq!((&watch["state"], &watch["files"]), (&json!("events"), &json!(2)), "{watch}");
    assert_eq!(watch["skippedTotal"], 2, "{watch}");
    assert_eq!(captured.found("zwiebelfisch"), ["garden.md"]);
    assert_eq!(captured.found("quokka"), ["latin.txt"]);
    assert_eq!(captured.found("grimoire"), Vec::<String>::new());
    let hit =
        captured.call("search.query", json!({"query": "zwiebelfisch", "mode": "lexical"}))["hits"][0].clone();
    assert_eq!((&hit["role"], &hit["client"]["name"]), (&json!("note"), &json!("notes")), "{hit}");

    // new text replaces the old
    captured.write("notes/garden.md", "# Roses\nPrune them in *krakatoa* month.\n");
    captured.wait_until_found("krakatoa", &["garden.md"]);
    assert_eq!(captured.found("zwiebelfisch"), Vec::<String>::new());

    // a rename keeps the conversation
    let conversation = |title: &str| {
        let all = captured.conversations();
        let one =
            all.iter().find(|one| one["title"] == title).unwrap_or_else(|| panic!("no {title} in {all:?}"));
        assert_eq!(one["project"], "site");
        one["id"].clone()
    };
    let id = conversation("garden.md");
    captured.write("notes/plants/other.md", "an okapi");
    captured.wait_until_found("okapi", &["plants/other.md"]);
    std::fs::rename(notes.join("garden.md"), notes.join("plants/roses.md")).unwrap();
    captured.wait_until_found("krakatoa", &["plants/roses.md"]);
    assert_eq!(conversation("plants/roses.md"), id);

    // and a delete takes it away
    std::fs::remove_file(notes.join("plants/roses.md")).unwrap();
    captured.wait_until_found("krakatoa", &[]);
    assert!(captured.conversations().iter().all(|one| one["id"] != id));

    // a file that grows too large, or becomes something else, is not found by what it said
    captured.write("notes/plants/other.md", b"an okapi\0");
    captured.wait_until_found("okapi", &[]);
}

#[test]
fn what_happened_while_the_daemon_was_away_is_noticed() {
    let mut captured = Captured::start("");
    let notes = captured.path("notes");
    for (name, text) in [("a.md", "aardvark"), ("b.md", "bandicoot"), ("c.md", "capybara")] {
        captured.write(&format!("notes/{name}"), text);
    }
    captured.watch(&[text_of(&notes)]);
    let before = captured.conversations();
    captured.stop();
    captured.write("notes/a.md", "axolotl");
    std::fs::rename(notes.join("b.md"), notes.join("moved.md")).unwrap();
    std::fs::remove_file(notes.join("c.md")).unwrap();
    captured.write("notes/d.md", "dugong");
    captured.start_again();
    captured.settled(text_of(&notes));
    let found: Vec<_> =
        ["aardvark", "axolotl", "bandicoot", "capybara", "dugong"].map(|word| captured.found(word)).concat();
    assert_eq!(found, ["a.md", "moved.md", "d.md"]);
    let id = |all: &[Value], title: &str| all.iter().find(|one| one["title"] == title).unwrap()["id"].clone();
    assert_eq!(id(&before, "b.md"), id(&captured.conversations(), "moved.md"));
}

#[test]
fn a_long_note_keeps_its_order_and_what_is_the_same_in_it() {
    let captured = Captured::start("");
    let section = |n: usize| format!("## Section {n}\n{}\n", format!("word{n} ").repeat(40));
    let text = |numbers: &[usize]| numbers.iter().map(|n| section(*n)).collect::<String>();
    captured.write("notes/long.md", text(&(0..300).collect::<Vec<_>>()));
    captured.watch(&[text_of(&captured.path("notes"))]);
    let id = captured.conversations()[0]["id"].clone();
    let messages = || {
        let (mut all, mut cursor) = (vec![], Value::Null);
        loop {
            let page =
                captured.call("message.list", json!({"conversationId": id, "limit": 200, "cursor": cursor}));
            all.extend(page["items"].as_array().unwrap().clone());
            cursor = page["nextCursor"].clone();
            if cursor.is_null() {
                return all;
            }
        }
    };
    let content = |all: &[Value]| all.iter().map(|it| it["content"].as_str().unwrap()).collect::<String>();
    let before = messages();
    assert_eq!((before.len(), content(&before)), (300, text(&(0..300).collect::<Vec<_>>())));
    assert_eq!(before[1]["metadata"]["line"], 3);
    let mut numbers: Vec<usize> = (0..300).collect();
    numbers.remove(10);
    numbers.push(300);
    captured.write("notes/long.md", text(&numbers));
    captured.wait_until_found("word300", &["long.md"]);
    captured.wait_until_found("word10", &[]);
    let after = messages();
    assert_eq!(content(&after), text(&numbers));
    let ids = |all: &[Value], n: usize| all[..n].iter().map(|it| it["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&before, 10), ids(&after, 10));
    assert!(after.windows(2).all(|pair| pair[1]["parentId"] == pair[0]["id"]));
    let conversation = captured.call("conversation.get", json!({"id": id}));
    assert_eq!(
        (&conversation["messageCount"], &conversation["headMessageId"]),
        (&json!(300), &after[299]["id"])
    );
}

#[test]
fn sessions_arrive_while_they_are_written() {
    let captured = Captured::start("");
    let folder = captured.path(".claude/projects");
    std::fs::create_dir_all(&folder).unwrap();
    let text = sample("claude-code-agent.jsonl");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    captured.write(".claude/projects/-x/s.jsonl", lines[..3].concat());
    let watch = captured.watch(&["--kind", "claude-code"]);
    assert_eq!((&watch["kind"], &watch["files"]), (&json!("claude-code"), &json!(1)), "{watch}");
    let n_messages = || captured.call("system.status", json!({}))["counts"]["messages"].as_u64().unwrap();
    let first = n_messages();
    assert!(first > 0);
    // half a line is no line
    captured.append(".claude/projects/-x/s.jsonl", &lines[3..].concat()[..lines[3..].concat().len() - 9]);
    wait_for("the next messages", || (n_messages() > first).then_some(()));
    captured.append(".claude/projects/-x/s.jsonl", &text[text.len() - 9..]);
    let all =
        crate::imports::messages(&crate::imports::read(ImportFormat::ClaudeCode, text.as_bytes())).len();
    wait_for("the last message", || (n_messages() == all as u64).then_some(()));
    // it is what an import makes of it
    let output = captured.home.nosso(&["import", "--json", text_of(&folder)]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["added"]["messages"], &report["added"]["conversations"]),
        (&json!(0), &json!(0)),
        "{report}"
    );

    // a file that begins anew with something else
    captured.write(
        ".claude/projects/-x/s.jsonl",
        "{\"type\":\"user\",\"sessionId\":\"t\",\"uuid\":\"z\",\"message\":{\"content\":\"a narwhal\"}}\n",
    );
    captured.wait_until_found("narwhal", &["a narwhal"]);
    // what a tool tidies away stays
    let before = n_messages();
    std::fs::remove_file(folder.join("-x/s.jsonl")).unwrap();
    wait_for("the end of the file", || {
        (captured.call("watch.list", json!({}))["items"][0]["files"] == 0).then_some(())
    });
    assert_eq!(n_messages(), before);
}

#[test]
fn sessions_of_the_other_tools_arrive_too() {
    let captured = Captured::start("");
    let lines = |name: &str| sample(name).split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
    let (codex, gemini) = (lines("codex.jsonl"), lines("gemini.jsonl"));
    captured.write(".codex/sessions/2026/01/02/rollout-1.jsonl", codex[..4].concat());
    captured.write(".gemini/tmp/hash/chats/session-1.jsonl", gemini[..3].concat());
    for kind in ["codex", "gemini"] {
        assert_eq!(captured.watch(&["--kind", kind])["files"], 1);
    }
    captured.append(".codex/sessions/2026/01/02/rollout-1.jsonl", &codex[4..].concat());
    captured.append(".gemini/tmp/hash/chats/session-1.jsonl", &gemini[3..].concat());
    let expected: usize = [("codex.jsonl", ImportFormat::Codex), ("gemini.jsonl", ImportFormat::Gemini)]
        .iter()
        .map(|(name, format)| {
            crate::imports::messages(&crate::imports::read(*format, sample(name).as_bytes())).len()
        })
        .sum();
    wait_for("all messages", || {
        (captured.call("system.status", json!({}))["counts"]["messages"] == expected).then_some(())
    });

    // an answer that is written again when there is more of it
    let said = |text: &str| json!({"id": "growing", "type": "gemini", "timestamp": "2026-01-02T03:04:05Z", "content": text});
    captured.append(".gemini/tmp/hash/chats/session-1.jsonl", &format!("{}\n", said("a pangolin")));
    wait_for("the answer", || (captured.found("pangolin").len() == 1).then_some(()));
    captured
        .append(".gemini/tmp/hash/chats/session-1.jsonl", &format!("{}\n", said("a pangolin and a wombat")));
    wait_for("the rest of the answer", || (captured.found("wombat").len() == 1).then_some(()));
}

#[test]
fn where_nothing_tells_of_changes_it_looks_from_time_to_time() {
    let captured = Captured::start("[capture]\npolling = \"always\"\n");
    let notes = captured.path("notes");
    captured.write("notes/a.md", "aardvark");
    assert_eq!(captured.watch(&[text_of(&notes)])["state"], "polling");
    captured.write("notes/a.md", "axolotl");
    captured.write("notes/sub/b.md", "bandicoot");
    captured.wait_until_found("axolotl", &["a.md"]);
    captured.wait_until_found("bandicoot", &["sub/b.md"]);
    std::fs::remove_file(notes.join("a.md")).unwrap();
    captured.wait_until_found("axolotl", &[]);
}

#[test]
fn what_was_deleted_here_stays_deleted() {
    let mut captured = Captured::start("");
    let notes = captured.path("notes");
    captured.write("notes/a.md", "aardvark");
    captured.write("notes/b.md", "bandicoot");
    captured.watch(&[text_of(&notes)]);
    let all = captured.conversations();
    let one = all.iter().find(|one| one["title"] == "a.md").unwrap();
    captured.call("conversation.delete", json!({"id": one["id"]}));
    captured.write("notes/a.md", "aardvark and axolotl");
    captured.write("notes/b.md", "bandicoot and binturong");
    captured.wait_until_found("binturong", &["b.md"]);
    let check = |captured: &Captured| {
        wait_for("the reason", || {
            let watch = captured.settled(text_of(&notes));
            (watch["skipped"][0]["place"] == "a.md").then_some(())
        });
        assert_eq!(captured.found("aardvark"), Vec::<String>::new());
    };
    check(&captured);
    captured.stop();
    captured.start_again();
    check(&captured);
}

#[test]
fn a_folder_is_watched_until_it_is_removed() {
    let captured = Captured::start("");
    let notes = captured.path("notes");
    captured.write("notes/a.md", "aardvark");
    captured.watch(&[text_of(&notes)]);
    // the same again, another kind, one within, none at all
    captured.watch(&[text_of(&notes)]);
    std::fs::create_dir(notes.join("sub")).unwrap();
    let refused =
        |params: Value| call(&captured.home.socket(), "watch.add", params)["error"]["data"]["kind"].clone();
    assert_eq!(refused(json!({"path": notes, "kind": "codex"})), "conflict");
    assert_eq!(refused(json!({"path": notes.join("sub")})), "conflict");
    assert_eq!(refused(json!({"path": notes.join("absent")})), "not_found");
    assert_eq!(refused(json!({"path": notes.join("a.md")})), "invalid");
    assert_eq!(refused(json!({"path": "notes"})), "invalid");

    let remove = |args: &[&str]| {
        captured.home.nosso(&["watch", "remove", text_of(&notes)]).args(args).output().unwrap()
    };
    assert!(remove(&[]).status.success());
    assert_eq!(remove(&[]).status.code(), Some(1));
    assert_eq!(captured.found("aardvark"), ["a.md"]);
    captured.write("notes/a.md", "axolotl");
    // what is added again is captured as it is now
    let doctor = captured.home.nosso(&["doctor"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&doctor.stdout).contains("watch.folders"));
    captured.watch(&[text_of(&notes)]);
    assert_eq!(captured.found("aardvark"), Vec::<String>::new());
    let doctor = String::from_utf8(captured.home.nosso(&["doctor"]).output().unwrap().stdout).unwrap();
    assert!(doctor.contains("watch.folders") && doctor.contains("(notes): 1 files"), "{doctor}");
    assert_eq!(captured.found("axolotl"), ["a.md"]);
    assert!(remove(&["--forget"]).status.success());
    assert_eq!(captured.found("axolotl"), Vec::<String>::new());
}

#[test]
fn secrets_are_masked_on_the_way_in() {
    let captured = Captured::start("");
    let notes = captured.path("notes");
    let key = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    captured.write("notes/a.md", format!("the token of the aardvark is {key}"));
    captured.watch(&[text_of(&notes)]);
    assert_eq!(captured.found("aardvark"), ["a.md"]);
    let exported = String::from_utf8(captured.home.nosso(&["export"]).output().unwrap().stdout).unwrap();
    assert!(exported.contains("aardvark") && !exported.contains(&key), "{exported}");
}
