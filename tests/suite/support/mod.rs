//! What several tests need: the program, waiting for a state, skipping loudly, the model.
#![allow(dead_code, reason = "not every topic needs everything")]

pub mod daemon;
pub mod user_systemd;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

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

/// A data folder with the real library and model in it, as `nosso setup` brings them: set up once for all tests and
/// all runs, below `target`. None, said loudly, where the model cannot be fetched.
pub fn model_dir() -> Option<PathBuf> {
    static SET_UP: OnceLock<Option<PathBuf>> = OnceLock::new();
    SET_UP
        .get_or_init(|| {
            let folder = cache_dir();
            std::fs::create_dir_all(&folder).unwrap();
            let output = std::process::Command::new(binary())
                .arg("setup")
                .env("XDG_DATA_HOME", &folder)
                .env("XDG_CACHE_HOME", folder.join("downloads"))
                .output()
                .unwrap();
            if !output.status.success() {
                skipped(&format!("tests with the real model: {}", String::from_utf8_lossy(&output.stderr)));
                return None;
            }
            Some(folder.join("nosso"))
        })
        .clone()
}

/// A folder that survives the tests, for what is costly to fetch.
pub fn cache_dir() -> PathBuf {
    // target/tmp is cargo's own; the folder beside it is found by every profile
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("nosso-test-cache")
}
