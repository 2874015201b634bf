//! The shape of the source tree: who may use whom, who prints, how long a file may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the ground up. A module uses only lines above its own, never a neighbour.
const LAYERS: &[&[&str]] = &[
    &["error"],
    &["model", "paths", "secrets", "text"],
    &["config", "api"],
    &["store", "index", "embed", "llm", "exchange"],
    &["memory", "setup", "client"],
    &["rpc", "worker", "watch", "cli"],
    &["daemon"],
];

/// Outside crates, and the only modules that name them: replacing one concerns one module.
const OWNERS: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("deadpool_sqlite", &["store"]),
    ("heed", &["index"]),
    ("arroy", &["index"]),
    ("ort", &["embed"]),
    ("tokenizers", &["embed"]),
    ("rust_stemmers", &["text"]),
    ("ollama_rs", &["llm"]),
    ("reqwest", &["llm"]),
    ("zip", &["setup", "cli"]),
    ("serde_yaml_ng", &["exchange"]),
    ("notify", &["watch"]),
    ("ignore", &["watch"]),
    ("figment", &["config"]),
    ("toml_edit", &["config"]),
    ("jsonrpsee", &["api", "client", "rpc"]),
    ("hyper", &["rpc"]),
    ("soketto", &["rpc"]),
    ("sd_notify", &["rpc", "daemon"]),
    ("tracing_subscriber", &["daemon"]),
    ("tracing_journald", &["daemon"]),
    ("clap", &["cli"]),
    ("rustyline", &["cli"]),
    ("indicatif", &["cli"]),
    ("anyhow", &["main", "cli"]),
];

/// A file that is longer is two ideas.
const MAX_LINES: usize = 450;

/// Rust files of the project, with their text.
fn files(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut found = vec![];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no file in {folders:?}");
    found
}

/// The files that are built into the program: not those that a `#[cfg(test)] mod name;` brings.
fn program_files() -> Vec<(PathBuf, String)> {
    let all = files(&["src"]);
    let mut tests = vec![];
    for (path, text) in &all {
        let stem = path.file_stem().unwrap();
        let folder = path.parent().unwrap();
        let below = if ["mod", "lib", "main"].iter().any(|name| stem == *name) {
            folder.to_owned()
        } else {
            folder.join(stem)
        };
        for declared in text.split("#[cfg(test)]\nmod ").skip(1) {
            if declared.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').starts_with(';') {
                tests.push(below.join(identifier(declared)));
            }
        }
    }
    let is_test =
        |path: &Path| tests.iter().any(|test| path.starts_with(test) || path == test.with_extension("rs"));
    all.into_iter().filter(|(path, _)| !is_test(path)).collect()
}

/// The module at the top that a file belongs to: `src/rpc/socket.rs` and `src/rpc.rs` are both "rpc".
fn module(path: &Path) -> String {
    let name = path.iter().nth(1).unwrap().to_str().unwrap();
    name.trim_end_matches(".rs").to_owned()
}

/// The lines that are code: neither comment nor, with what follows, the unit tests at the end.
fn code(text: &str) -> String {
    let end = text.find("\n#[cfg(test)]\nmod ").or_else(|| text.find("\n#[cfg(test)]\npub"));
    let lines = text[..end.unwrap_or(text.len())].lines();
    lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The first names behind each `crate::`, alone or in braces.
fn uses(text: &str) -> BTreeSet<String> {
    text.split("crate::").skip(1).flat_map(first_names).collect()
}

/// `api::Page, …` gives `api`; `{api::{Page, Cursor}, model}` gives `api` and `model`.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else { return vec![identifier(path)] };
    let (mut names, mut depth, mut begins) = (vec![], 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && !c.is_whitespace() => {
                names.push(identifier(&group[at..]));
                begins = false;
            }
            _ => (),
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether `text` names the crate: as `name::`, not as the end of another name or path.
fn names_crate(text: &str, name: &str) -> bool {
    text.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
    })
}

/// Fails with all that was found, not only the first.
fn none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn modules_use_only_lower_layers() {
    let layer = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    let mut wrong = vec![];
    for (path, text) in files(&["src"]) {
        let own = module(&path);
        if ["main", "lib"].contains(&own.as_str()) {
            continue;
        }
        let Some(own_layer) = layer(&own) else {
            wrong.push(format!("{own} is in no layer: put it into LAYERS"));
            continue;
        };
        for used in uses(&code(&text)) {
            // names of the crate's root that are no modules are macros
            let Some(used_layer) = layer(&used) else { continue };
            if used != own && used_layer >= own_layer {
                wrong.push(format!("{}: {own} may not use {used}", path.display()));
            }
        }
    }
    none(wrong);
}

#[test]
fn outside_crates_have_owners() {
    let mut wrong = vec![];
    for (path, text) in files(&["src"]) {
        let (own, code) = (module(&path), code(&text));
        for (name, owners) in OWNERS {
            if !owners.contains(&own.as_str()) && names_crate(&code, name) {
                wrong.push(format!("{}: {name} belongs to {}", path.display(), owners.join(" and ")));
            }
        }
    }
    none(wrong);
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = vec![];
    for (path, text) in files(&["src", "tests", "benches"]) {
        let n_lines = text.lines().count();
        if n_lines > MAX_LINES {
            wrong.push(format!("{} has {n_lines} lines, over {MAX_LINES}", path.display()));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{} does not begin with what it is for", path.display()));
        }
    }
    none(wrong);
}

#[test]
fn only_the_terminal_prints() {
    let prints = ["println!", "print!", "eprintln!", "eprint!", "dbg!", "io::stdout("];
    let mut wrong = vec![];
    for (path, text) in program_files() {
        if module(&path) == "cli" {
            continue;
        }
        let code = code(&text);
        wrong.extend(
            prints.iter().filter(|print| code.contains(**print)).map(|p| format!("{}: {p}", path.display())),
        );
    }
    none(wrong);
}

#[test]
fn only_the_edges_look_at_the_environment() {
    let looks = ["env::var", "env::vars", "env::home_dir", "env::args", "env::set_var", "env::current_dir"];
    let mut wrong = vec![];
    for (path, text) in program_files() {
        if ["main", "cli", "daemon"].contains(&module(&path).as_str()) {
            continue;
        }
        let code = code(&text);
        wrong.extend(
            looks.iter().filter(|look| code.contains(**look)).map(|l| format!("{}: {l}", path.display())),
        );
    }
    none(wrong);
}

#[test]
fn nothing_in_the_tree_is_of_one_machine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // in pieces, or this file would find itself
    let mut machines = vec![format!("/{}/", "root"), format!("/{}/", "work"), root.display().to_string()];
    machines.extend(std::env::var("HOME").ok().filter(|home| home.len() > 1).map(|home| format!("{home}/")));
    let mut wrong = vec![];
    for path in kept_files(root) {
        // pictures, archives
        let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
        let found = machines.iter().filter(|machine| text.contains(machine.as_str()));
        wrong.extend(found.map(|machine| format!("{}: {machine}", path.display())));
        if ["index-url", "index_url", "PIP_INDEX"]
            .iter()
            .any(|option| text.contains(&format!("{option}=http")))
        {
            wrong.push(format!("{}: names a package index", path.display()));
        }
        if path.ends_with("Cargo.lock") {
            let foreign = |line: &&str| line.starts_with("source = ") && !line.contains("/crates.io-index\"");
            wrong.extend(text.lines().filter(foreign).map(|line| format!("Cargo.lock: {line}")));
        }
    }
    assert!(!root.join(".cargo/config.toml").exists(), "settings of cargo belong to the machine");
    none(wrong);
}

/// Every file of the tree that is not built, relative to it.
fn kept_files(root: &Path) -> Vec<PathBuf> {
    let (mut open, mut found) = (vec![root.to_owned()], vec![]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap_or_default();
            match path.is_dir() {
                true if ["target", ".git", "node_modules"].contains(&name) => (),
                true => open.push(path),
                // in a linked work tree `.git` is a file that names a folder of the machine
                false if name == ".git" => (),
                false => found.push(path.strip_prefix(root).unwrap().to_owned()),
            }
        }
    }
    found
}

#[test]
fn what_is_used_is_seen() {
    let text =
        "use crate::error;\nuse crate::{\n    api::{Page, Cursor},\n    model,\n};\ncrate::rpc::start()";
    assert_eq!(uses(text).into_iter().collect::<Vec<_>>(), ["api", "error", "model", "rpc"]);

    let check = |text: &str, expected: bool| assert_eq!(names_crate(text, "notify"), expected, "{text}");
    check("use notify::Watcher;", true);
    check("fn f(e: notify::Event)", true);
    check("sd_notify::notify(&[])", false);
    check("crate::notify::x()", false);
    check("notify_one()", false);

    let text =
        "//! what\n// crate::daemon\nuse crate::api;\n\n#[cfg(test)]\nmod tests {\n    use crate::cli;\n}\n";
    assert_eq!(uses(&code(text)).into_iter().collect::<Vec<_>>(), ["api"]);
}
