//! Where things are on disk: the XDG base directories, and what lies in them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The model that `nosso setup` brings, and its folder below [`Paths::models`].
pub const DEFAULT_MODEL: &str = "multilingual-e5-small-enpt";

/// The folders of one user's nosso. Everything else derives from these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `$XDG_DATA_HOME/nosso`: the database, the index, the models.
    pub data: PathBuf,
    /// `$XDG_CONFIG_HOME/nosso`: `config.toml`.
    pub config: PathBuf,
    /// `$XDG_CACHE_HOME/nosso`: downloads.
    pub cache: PathBuf,
    /// `$XDG_STATE_HOME/nosso`: the history of the line editor.
    pub state: PathBuf,
    /// `$XDG_RUNTIME_DIR/nosso`: the socket and the lock.
    pub runtime: PathBuf,
}

impl Paths {
    /// The folders that the environment names, read through `var` (pass `std::env::var_os`). A variable that is
    /// unset, empty or relative is ignored, as the XDG specification asks. Without `XDG_RUNTIME_DIR` the runtime
    /// folder is `/tmp/nosso-UID`. None where `HOME` is not set either.
    pub fn from_env(var: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let absolute = |name: &str| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = absolute("HOME")?;
        let base =
            |name: &str, fallback: &str| absolute(name).unwrap_or_else(|| home.join(fallback)).join("nosso");
        let runtime = absolute("XDG_RUNTIME_DIR")
            .map(|folder| folder.join("nosso"))
            .unwrap_or_else(|| PathBuf::from(format!("/tmp/nosso-{}", rustix::process::geteuid().as_raw())));
        Some(Self {
            data: base("XDG_DATA_HOME", ".local/share"),
            config: base("XDG_CONFIG_HOME", ".config"),
            cache: base("XDG_CACHE_HOME", ".cache"),
            state: base("XDG_STATE_HOME", ".local/state"),
            runtime,
        })
    }

    /// Everything below one folder: a private daemon, a test.
    pub fn below(root: &Path) -> Self {
        Self {
            data: root.join("data"),
            config: root.join("config"),
            cache: root.join("cache"),
            state: root.join("state"),
            runtime: root.join("run"),
        }
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.data.join("nosso.db")
    }

    /// Copies of the database, made before it is upgraded.
    pub fn backups(&self) -> PathBuf {
        self.data.join("backups")
    }

    /// The vector index; deleting it loses nothing.
    pub fn index(&self) -> PathBuf {
        self.data.join("index")
    }

    /// Models, a folder each.
    pub fn models(&self) -> PathBuf {
        self.data.join("models")
    }

    /// The folder of the model that `nosso setup` brings.
    pub fn default_model(&self) -> PathBuf {
        self.models().join(DEFAULT_MODEL)
    }

    /// Native libraries that `nosso setup` brought.
    pub fn libraries(&self) -> PathBuf {
        self.data.join("lib")
    }

    /// The config file.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The socket, unless the settings say otherwise.
    pub fn socket(&self) -> PathBuf {
        self.runtime.join("nosso.sock")
    }

    /// The line editor's history.
    pub fn line_history(&self) -> PathBuf {
        self.state.join("history.txt")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(vars: &[(&str, &str)]) -> Option<Paths> {
        Paths::from_env(|name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_variables_are_honoured_unless_relative() {
        let found =
            paths(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d"), ("XDG_CONFIG_HOME", "relative")]).unwrap();
        assert_eq!(found.database(), Path::new("/d/nosso/nosso.db"));
        assert_eq!(found.config_file(), Path::new("/h/.config/nosso/config.toml"));
    }

    #[test]
    fn without_a_home_there_is_no_place() {
        assert_eq!(paths(&[]), None);
    }
}
