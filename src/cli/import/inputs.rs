//! What there is to import: the files that were named, and those of the folders that were named.

use std::path::{Path, PathBuf};

use crate::error::{Doing, Kind, Result};

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Where it is; `-` is standard input.
    pub path: PathBuf,
    /// Its size, where it is known.
    pub bytes: Option<u64>,
    /// Whether it was found in a folder: then it may be something else, and is passed over.
    pub is_found: bool,
}

impl Input {
    /// Whether it is standard input.
    pub fn is_standard_input(&self) -> bool {
        self.path.as_os_str() == "-" && !self.is_found
    }
}

/// Folders within the folders of sessions that hold no conversations of their own.
const NOT_ENTERED: &[&str] = &["subagents", "tool-results", "node_modules", ".git", "__MACOSX"];
/// What histories are called in a folder.
const ENDINGS: &[&str] = &["json", "jsonl", "ndjson", "yaml", "yml", "db", "sqlite", "sqlite3", "zip"];

/// The files, in the order in which they were named; those of a folder sorted by their names, which for sessions is
/// their time. Errors: a file or folder that cannot be read.
pub fn expand(named: &[PathBuf]) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in named {
        if path.as_os_str() == "-" {
            inputs.push(Input { path: path.clone(), bytes: None, is_found: false });
            continue;
        }
        let found = std::fs::metadata(path).doing(Kind::Storage, format!("read {}", path.display()))?;
        match found.is_dir() {
            true => walk(path, &mut inputs)?,
            false => {
                let bytes = found.is_file().then_some(found.len());
                inputs.push(Input { path: path.clone(), bytes, is_found: false });
            }
        }
    }
    Ok(inputs)
}

fn walk(folder: &Path, inputs: &mut Vec<Input>) -> Result<()> {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let doing = || format!("read the folder {}", folder.display());
        let mut entries = std::fs::read_dir(&folder)
            .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
            .doing(Kind::Storage, doing())?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        let mut below = Vec::new();
        for entry in entries {
            // links are not followed: they may lead back
            let Ok(kind) = entry.file_type() else { continue };
            let (path, name) = (entry.path(), entry.file_name());
            if kind.is_dir() {
                if !NOT_ENTERED.iter().any(|known| name == *known) {
                    below.push(path);
                }
            } else if kind.is_file() && has_ending(&path) {
                let bytes = entry.metadata().ok().map(|found| found.len());
                inputs.push(Input { path, bytes, is_found: true });
            }
        }
        open.extend(below.into_iter().rev());
    }
    Ok(())
}

/// Whether the name is one that histories have.
pub fn has_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    ENDINGS.contains(&ending.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_the_files_that_may_be_histories() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["b/2.jsonl", "b/1.jsonl", "a.JSON", "b/subagents/x.jsonl", "notes.txt", ".hidden/s.yaml"]
        {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), folder.path().join("b/loop")).unwrap();
        let found: Vec<String> = expand(&[folder.path().to_owned(), folder.path().join("notes.txt")])
            .unwrap()
            .into_iter()
            .map(|input| input.path.strip_prefix(folder.path()).unwrap().display().to_string())
            .collect();
        assert_eq!(found, ["a.JSON", ".hidden/s.yaml", "b/1.jsonl", "b/2.jsonl", "notes.txt"]);
        assert!(expand(&[folder.path().join("absent")]).unwrap_err().to_string().contains("absent"));
    }
}
