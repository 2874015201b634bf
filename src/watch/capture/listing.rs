//! What is in a folder right now, without what is ignored.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ignore::{DirEntry, WalkBuilder};

use crate::api::watch::WatchKind;
use crate::store::Stamp;

/// Files of one watched folder that are captured at most.
const MAX_FILES: usize = 100_000;
/// A file that people put beside `.gitignore`, for us alone.
pub(super) const OWN_IGNORE: &str = ".nossoignore";
/// Files that say what is ignored.
pub(super) const IGNORES: &[&str] = &[".gitignore", ".ignore", OWN_IGNORE];
/// Folders that programs fill, wherever no `.gitignore` says so.
const NOT_NOTES: &[&str] = &["node_modules", "__pycache__", "__MACOSX"];
/// Folders within the folders of sessions that hold no conversations of their own.
const NOT_SESSIONS: &[&str] = &["subagents", "tool-results"];
/// Files that programs write for themselves, in text.
const LOCKS: &[&str] = &[
    "Cargo.lock",
    "Gemfile.lock",
    "Pipfile.lock",
    "composer.lock",
    "flake.lock",
    "go.sum",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "yarn.lock",
];
const MADE: &[&str] = &[".min.js", ".min.css", ".js.map", ".css.map"];

/// How far down to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// The folder alone.
    Folder,
    /// It and all below.
    Tree,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The files, by their paths below the root.
    pub files: Vec<(String, Stamp)>,
    /// The folders, that which was looked into among them.
    pub folders: BTreeSet<PathBuf>,
    /// Files that cannot be captured, and why.
    pub left_out: Vec<(String, String)>,
    /// What could not be looked into: of what is in there nothing is known.
    pub problem: Option<String>,
}

/// Lists a folder that is `root` or below it.
pub(super) fn list(root: &Path, folder: &Path, depth: Depth, kind: WatchKind) -> Listing {
    let mut listing = Listing::default();
    let mut walk = WalkBuilder::new(folder);
    walk.follow_links(false).require_git(false).max_depth((depth == Depth::Folder).then_some(1));
    if kind == WatchKind::Notes {
        walk.add_custom_ignore_filename(OWN_IGNORE);
    } else {
        // tools keep sessions in hidden folders
        walk.standard_filters(false);
    }
    let top = folder.to_owned();
    walk.filter_entry(move |entry| entry.path() == top || is_entered(entry, kind));
    for entry in walk.build() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                // one that went away meanwhile is no trouble
                if error.io_error().is_none_or(|error| error.kind() != std::io::ErrorKind::NotFound) {
                    listing.problem.get_or_insert(format!("look into {}: {error}", folder.display()));
                }
                continue;
            }
        };
        let Some(found) = entry.file_type() else { continue };
        if found.is_dir() {
            listing.folders.insert(entry.into_path());
        } else if found.is_file() && is_wanted(entry.path(), kind) {
            let Ok(meta) = entry.metadata() else { continue };
            let Ok(below) = entry.path().strip_prefix(root) else { continue };
            match below.to_str() {
                Some(below) => listing.files.push((below.to_owned(), stamp(&meta))),
                None => listing.left_out.push((below.display().to_string(), "its name is no UTF-8".into())),
            }
        }
        if listing.files.len() >= MAX_FILES {
            let more =
                format!("{} holds more than {MAX_FILES} files; only the first are captured", root.display());
            listing.problem =
                Some(format!("{more}: watch folders within it instead, or write a {OWN_IGNORE}"));
            break;
        }
    }
    listing
}

fn is_entered(entry: &DirEntry, kind: WatchKind) -> bool {
    let not = if kind == WatchKind::Notes { NOT_NOTES } else { NOT_SESSIONS };
    let is_folder = entry.file_type().is_some_and(|found| found.is_dir());
    !is_folder || !not.iter().any(|name| entry.file_name() == *name)
}

fn is_wanted(path: &Path, kind: WatchKind) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match kind {
        WatchKind::Notes => !LOCKS.contains(&name) && !MADE.iter().any(|ending| name.ends_with(ending)),
        WatchKind::ClaudeCode | WatchKind::Codex => name.ends_with(".jsonl"),
        WatchKind::Gemini => {
            let is_session = path.parent().is_some_and(|folder| folder.ends_with("chats"));
            is_session && (name.ends_with(".jsonl") || name.ends_with(".json"))
        }
    }
}

/// What a change of the file shows in.
pub(super) fn stamp(meta: &Metadata) -> Stamp {
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    Stamp {
        device: meta.dev(),
        inode: meta.ino(),
        size: meta.len(),
        modified: nanoseconds(meta.mtime(), meta.mtime_nsec()),
        changed: nanoseconds(meta.ctime(), meta.ctime_nsec()),
    }
}

/// The same for a file that is read now. What is written again within the same tick of the clock would show in
/// nothing, so that a file that has just changed is taken for one that changed before, and is read again.
pub(super) fn stamp_to_read(meta: &Metadata) -> Stamp {
    let stamp = stamp(meta);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let is_settled = now.saturating_sub(stamp.changed.unsigned_abs().into()) > TICK.as_nanos();
    Stamp { changed: stamp.changed - i64::from(!is_settled), ..stamp }
}

/// The clock by which files are stamped goes in steps of some milliseconds.
const TICK: std::time::Duration = std::time::Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path, folder: &str, depth: Depth, kind: WatchKind) -> String {
        let mut found: Vec<String> =
            list(root, &root.join(folder), depth, kind).files.into_iter().map(|(path, _)| path).collect();
        found.sort();
        found.join(" ")
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn notes_are_listed_without_what_is_ignored() {
        let root = folder(&[
            (".gitignore", "build/\n*.log\n!keep.log\n"),
            ("a.md", ""),
            ("b.log", ""),
            ("keep.log", ""),
            ("build/made.txt", ""),
            ("sub/.nossoignore", "secret*\n"),
            ("sub/secret.txt", ""),
            ("sub/c.rs", ""),
            ("sub/deep/d.log", ""),
            ("sub/deep/e.txt", ""),
            (".hidden/f.md", ""),
            ("node_modules/x/g.js", ""),
            ("Cargo.lock", ""),
            ("app.min.js", ""),
        ]);
        std::os::unix::fs::symlink(root.path().join("a.md"), root.path().join("link.md")).unwrap();
        let check = |folder: &str, depth, expected: &str| {
            assert_eq!(names(root.path(), folder, depth, WatchKind::Notes), expected, "{folder:?}");
        };
        check("", Depth::Tree, "a.md keep.log sub/c.rs sub/deep/e.txt");
        check("", Depth::Folder, "a.md keep.log");
        // what is said above a folder counts in it
        check("sub", Depth::Folder, "sub/c.rs");
        check("sub/deep", Depth::Tree, "sub/deep/e.txt");
        let listing = list(root.path(), root.path(), Depth::Tree, WatchKind::Notes);
        let folders: Vec<_> = ["", "sub", "sub/deep"].iter().map(|name| root.path().join(name)).collect();
        assert_eq!(listing.folders.into_iter().collect::<Vec<_>>(), {
            let mut folders = folders;
            folders[0] = root.path().to_owned();
            folders
        });
    }

    #[test]
    fn sessions_are_listed_by_what_tools_call_them() {
        let root = folder(&[
            ("-home-ana/1.jsonl", ""),
            ("-home-ana/1/subagents/2.jsonl", ""),
            ("-home-ana/notes.md", ""),
            ("hash/chats/session-1.json", ""),
            ("hash/chats/session-2.jsonl", ""),
            ("hash/logs.json", ""),
            (".hidden/3.jsonl", ""),
            (".gitignore", "*"),
        ]);
        let check = |kind, expected: &str| assert_eq!(names(root.path(), "", Depth::Tree, kind), expected);
        check(WatchKind::ClaudeCode, "-home-ana/1.jsonl .hidden/3.jsonl hash/chats/session-2.jsonl");
        check(WatchKind::Gemini, "hash/chats/session-1.json hash/chats/session-2.jsonl");
    }
}
