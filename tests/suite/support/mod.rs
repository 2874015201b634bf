//! What several tests need: the program, waiting for a state, skipping loudly, the model.
#![allow(dead_code, reason = "not every topic needs everything")]

pub mod daemon;
pub mod ollama;
pub mod openai;
pub mod scripted;
pub mod user_systemd;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nosso::paths::Paths;
use nosso::setup;

/// How long anything may take that a test waits for. Reached only by what never comes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The program that is tested.
pub fn binary() -> PathBuf {
    env!("CARGO_BIN_EXE_nosso").into()
}

/// Says loudly that a test could not run here, and why.
pub fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// Looks again and again until `look` finds something.
///
/// For the state of other processes, of which nothing tells; inside the process use a channel.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Folders in which `nosso setup` has put the real library and model: done once for all tests and all runs, below
/// `target`. None, said loudly, where they cannot be fetched.
pub fn set_up() -> Option<&'static Paths> {
    static SET_UP: OnceLock<Option<Paths>> = OnceLock::new();
    let set_up = || {
        let paths = Paths::below(&cache_dir());
        let options = setup::Options { paths: paths.clone(), from: None, python: None };
        match setup::run(&options, &setup::Quiet) {
            Ok(_) => Some(paths),
            Err(error) => {
                skipped(&format!("tests with the real model: {}", error.full_text()));
                None
            }
        }
    };
    SET_UP.get_or_init(set_up).as_ref()
}

/// The folder of the real model; the library is in `libraries()` of [`set_up`].
pub fn model_dir() -> Option<PathBuf> {
    setup::status(set_up()?).model
}

/// The tiny real language model and its server, fetched once as in [`set_up`].
pub fn tiny_llm() -> Option<&'static setup::TinyLlm> {
    static FETCHED: OnceLock<Option<setup::TinyLlm>> = OnceLock::new();
    let fetch = || {
        let options = setup::Options { paths: Paths::below(&cache_dir()), from: None, python: None };
        let fetched = setup::tiny_llm(&options, &setup::Quiet);
        fetched
            .map_err(|error| skipped(&format!("tests with a real language model: {}", error.full_text())))
            .ok()
    };
    FETCHED.get_or_init(fetch).as_ref()
}

/// A folder that survives the tests, for what is costly to fetch.
pub fn cache_dir() -> PathBuf {
    // cargo's own folder for tests is target/tmp; the one beside it is the same for every profile
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("nosso-test-cache")
}
