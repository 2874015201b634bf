//! The one place where the terminal loads the settings.

use std::path::PathBuf;

use super::args::Global;
pub use crate::config::{Flags, Loaded};
use crate::error::Result;
use crate::paths::Paths;

/// The flags among the global ones that are settings.
pub fn flags(global: &Global) -> Flags {
    let mut flags = Flags::default();
    if let Some(file) = &global.config {
        flags = flags.with_file(file);
    }
    if let Some(socket) = &global.socket {
        flags = flags.with("--socket", "socket.path", socket.to_string_lossy());
    }
    flags
}

/// Defaults < file < `NOSSO_*` < flags.
pub fn load(paths: &Paths, global: &Global) -> Result<Loaded> {
    crate::config::load(paths, variables(), &flags(global))
}

/// The socket that the config file names although it is wrong elsewhere.
pub fn socket_in_broken_file(paths: &Paths, global: &Global) -> Option<PathBuf> {
    crate::config::socket_in_broken_file(&flags(global).config_file(paths), std::env::home_dir().as_deref())
}

/// The variables of the process that are text; no setting is anything else.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
