//! The verbs on folders that are watched.

use std::path::{Component, Path, PathBuf};

use super::{Actor, Memory, check};
use crate::api::watch::{Watch, WatchAdd, WatchKind, WatchList, WatchRemove, WatchRemoved};
use crate::error::{Error, Kind, Result};
use crate::store::WatchedFolder;

impl Memory {
    /// Captures the files of a folder from now on. The same folder again changes nothing.
    pub async fn add_watch(&self, add: WatchAdd) -> Result<Watch> {
        let WatchAdd { path, kind, project } = add;
        check::name("the project", project.as_deref())?;
        let path = folder(&path).await?;
        let kind = kind.unwrap_or_else(|| kind_of(&path));
        let path = path.into_os_string().into_string().map_err(|path| {
            Error::invalid(format!("watch {}: the name is no UTF-8", Path::new(&path).display()))
                .hint("rename the folder")
        })?;
        let others = self.store().watches().await?;
        if let Some(other) = others.iter().find(|other| overlaps(other, &path, kind)) {
            return Err(Error::new(
                Kind::Conflict,
                format!("watch {path}: {} is watched already", other.path),
            )
            .hint("one holds the other, and its files would be captured twice: remove that one first"));
        }
        let added = self.store().add_watch(path, kind, project).await?;
        self.0.captures.change();
        Ok(self.0.captures.told(added))
    }

    /// The folders that are watched, and how that goes.
    pub async fn watches(&self) -> Result<WatchList> {
        let all = self.store().watches().await?;
        Ok(WatchList { items: all.into_iter().map(|folder| self.0.captures.told(folder)).collect() })
    }

    /// Captures a folder no longer.
    pub async fn remove_watch(&self, remove: WatchRemove, actor: &Actor) -> Result<WatchRemoved> {
        let WatchRemove { path, forget } = remove;
        // one that is gone from the disk can be removed too, by the name it had
        let real = folder(&path).await.ok();
        let all = self.store().watches().await?;
        let is_meant = |folder: &&WatchedFolder| {
            Path::new(&folder.path) == Path::new(&path) || real.as_deref() == Some(Path::new(&folder.path))
        };
        let Some(found) = all.iter().find(is_meant) else {
            return Ok(WatchRemoved { removed: false, conversations: 0 });
        };
        let removed = self.store().remove_watch(found.number).await?;
        self.0.captures.change();
        let mut conversations = 0;
        if forget {
            for id in removed.iter().flatten() {
                conversations += u64::from(self.delete_conversation(*id, actor).await?.deleted);
            }
        }
        Ok(WatchRemoved { removed: removed.is_some(), conversations })
    }
}

/// The folder that is meant: its real place, without links, so that it is one whatever it is called.
async fn folder(path: &str) -> Result<PathBuf> {
    let hint = "give the absolute path of a folder that is there";
    if !Path::new(path).is_absolute() {
        return Err(Error::invalid(format!("watch '{path}': it is no absolute path")).hint(hint));
    }
    let real = tokio::fs::canonicalize(path).await.map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => Kind::NotFound,
            _ => Kind::Storage,
        };
        Error::new(kind, format!("watch {path}: {error}")).hint(hint).caused_by(error)
    })?;
    match real.is_dir() {
        true => Ok(real),
        false => Err(Error::invalid(format!("watch {path}: it is no folder")).hint(hint)),
    }
}

/// Folders within each other would both capture the same files; sessions lie in notes only where these are code that
/// reads sessions.
fn overlaps(other: &WatchedFolder, path: &str, kind: WatchKind) -> bool {
    let (other_path, path) = (Path::new(&other.path), Path::new(path));
    let is_within = other_path.starts_with(path) || path.starts_with(other_path);
    is_within && other_path != path && other.kind == kind
}

/// What the files of a folder are, judged by where tools keep their sessions.
fn kind_of(path: &Path) -> WatchKind {
    let has = |folders: [&str; 2]| {
        let names: Vec<_> = path.components().map(Component::as_os_str).collect();
        names.windows(2).any(|pair| pair[0] == folders[0] && pair[1] == folders[1])
    };
    if has([".claude", "projects"]) {
        WatchKind::ClaudeCode
    } else if has([".codex", "sessions"]) || has([".codex", "archived_sessions"]) {
        WatchKind::Codex
    } else if has([".gemini", "tmp"]) {
        WatchKind::Gemini
    } else {
        WatchKind::Notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_told_by_the_place() {
        let check = |path: &str, expected| assert_eq!(kind_of(Path::new(path)), expected, "{path}");
        check("/home/ana/.claude/projects", WatchKind::ClaudeCode);
        check("/home/ana/.claude/projects/-home-ana-site", WatchKind::ClaudeCode);
        check("/home/ana/.codex/sessions/2026", WatchKind::Codex);
        check("/home/ana/.gemini/tmp", WatchKind::Gemini);
        check("/home/ana/.gemini/notes/tmp", WatchKind::Notes);
        check("/home/ana/notes", WatchKind::Notes);
    }
}
