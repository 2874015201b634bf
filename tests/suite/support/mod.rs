//! What several tests need: the program, waiting for a state, skipping loudly.
#![allow(dead_code, reason = "not every topic needs everything")]

pub mod daemon;
pub mod ollama;
pub mod openai;
pub mod scripted;
pub mod shell;
pub mod user_systemd;
pub mod wire;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long anything may take that a test waits for. Reached only by what never comes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The program that is tested.
pub fn binary() -> PathBuf {
    env!("CARGO_BIN_EXE_nosso").into()
}

/// Says loudly that a test could not run here, and why. `eprintln!` would be silent: a test that passes shows nothing
/// of what it prints.
pub fn skipped(why: &str) {
    // nobody reads it: then nobody is told
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
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
