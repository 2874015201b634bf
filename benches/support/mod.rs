//! What the benchmarks share: daemons of their own, raw clients, real texts, figures and the table.

pub mod daemon;
pub mod figures;
pub mod filling;
pub mod model;
pub mod raw;
pub mod table;
pub mod texts;

use std::path::{Path, PathBuf};

/// Whatever keeps a benchmark from measuring is told in the table.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// What is expensive to make stays here between runs, beside the build.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("nosso-bench-cache")
}

/// A folder of the cache, which `make` fills at the first run; what was cut short is made anew.
pub fn cached(name: &str, make: impl FnOnce(&Path) -> Outcome) -> Outcome<PathBuf> {
    let (done, making) = (cache().join(name), cache().join(format!("{name}.making")));
    if done.is_dir() {
        return Ok(done);
    }
    if making.is_dir() {
        std::fs::remove_dir_all(&making)?;
    }
    std::fs::create_dir_all(&making)?;
    make(&making)?;
    std::fs::rename(&making, &done)?;
    Ok(done)
}

/// An empty folder on the disk of the build, because `/tmp` may be memory, where a sync costs nothing.
pub fn scratch() -> Outcome<tempfile::TempDir> {
    let below = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(below)?;
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(below)?)
}

/// Keeps this thread, and every thread and process that it starts, on one processor.
pub fn pin_to_one_core() -> Outcome {
    let mut one = rustix::thread::CpuSet::new();
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let last = (0..rustix::thread::CpuSet::MAX_CPU).rev().find(|core| allowed.is_set(*core));
    one.set(last.ok_or("no processor is allowed")?);
    Ok(rustix::thread::sched_setaffinity(None, &one)?)
}
