//! The default model and its runtime library, fetched once by the set-up itself.

use std::path::PathBuf;

use nosso::embed;
use nosso::paths::Paths;
use nosso::setup::{self, Options, Quiet};

use super::{Outcome, cache};

pub struct Brought {
    pub library: PathBuf,
    pub model: PathBuf,
}

/// Fetches what is not there. `NOSSO_BENCH_FROM` names a folder of packages for a machine without a network.
pub fn brought() -> Outcome<Brought> {
    let paths = Paths::below(&cache());
    let from = std::env::var_os("NOSSO_BENCH_FROM").map(PathBuf::from);
    let report = setup::run(&Options { paths, from, python: None }, &Quiet)
        .map_err(|error| format!("library and model are not here: {}", error.full_text()))?;
    Ok(Brought { library: report.library.path, model: report.model.path })
}

impl Brought {
    /// As the daemon starts it by default, without stepping back behind others.
    pub fn options(&self) -> embed::Options {
        embed::Options {
            library: vec![self.library.clone()],
            model: self.model.clone(),
            threads: 2,
            niceness: 0,
            unload_after: None,
        }
    }
}
