//! Which project a command belongs to: the git checkout around the working directory, unless told otherwise.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{Error, Result};

/// The word that says "no project".
const NONE: &str = "none";

/// The project of something new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct NewIn {
    /// The project it belongs to, or "none" [default: the git checkout around the working directory]
    #[arg(long, value_name = "NAME|none")]
    pub project: Option<String>,
}

impl NewIn {
    /// The project's name; none: it belongs to no project.
    pub fn name(&self, working_directory: &Path) -> Option<String> {
        match self.project.as_deref() {
            Some(NONE | "") => None,
            Some(name) => Some(name.to_owned()),
            None => checkout(working_directory).map(|root| root.display().to_string()),
        }
    }
}

/// The project that a search or a list is restricted to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Only {
    /// Only the project of the working directory's git checkout
    #[arg(long, conflicts_with = "project")]
    pub here: bool,
    /// Only this project
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
}

impl Only {
    /// The project's name; none: everywhere.
    pub fn name(&self, working_directory: &Path) -> Result<Option<String>> {
        here_or(self.here, self.project.as_deref(), working_directory)
    }
}

/// The named project; with `here` the checkout's, which must then exist.
pub fn here_or(here: bool, named: Option<&str>, working_directory: &Path) -> Result<Option<String>> {
    if !here {
        return Ok(named.map(str::to_owned));
    }
    let root = checkout(working_directory).ok_or_else(|| {
        Error::invalid(format!("find this project: {} is in no git checkout", working_directory.display()))
            .hint("go into a checkout, or name the project with --project")
    })?;
    Ok(Some(root.display().to_string()))
}

/// The root of the git checkout that holds the folder. `.git` is a folder, or a file in worktrees and submodules.
pub fn checkout(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_checkout_is_found() {
        let root = tempfile::tempdir().unwrap();
        let outer = root.path().join("outer");
        let inner = outer.join("vendor/inner");
        std::fs::create_dir_all(outer.join(".git")).unwrap();
        std::fs::create_dir_all(inner.join("src/deep")).unwrap();
        std::fs::write(inner.join(".git"), "gitdir: elsewhere").unwrap();
        assert_eq!(checkout(&outer), Some(outer.clone()));
        assert_eq!(checkout(&outer.join("vendor")), Some(outer.clone()));
        assert_eq!(checkout(&inner.join("src/deep")), Some(inner));
    }

    #[test]
    fn a_new_thing_goes_to_the_checkout_unless_told_otherwise() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(".git")).unwrap();
        let name = |project: Option<&str>| NewIn { project: project.map(str::to_owned) }.name(root.path());
        assert_eq!(name(None), Some(root.path().display().to_string()));
        assert_eq!(name(Some("site")), Some("site".into()));
        assert_eq!(name(Some("none")), None);
    }

    #[test]
    fn here_needs_a_checkout() {
        let error = here_or(true, None, Path::new("/")).unwrap_err();
        assert!(error.hint_text().is_some());
        assert_eq!(here_or(false, Some("x"), Path::new("/")).unwrap(), Some("x".into()));
    }
}
