//! Finds and loads the ONNX Runtime library. A process holds one environment of it, and keeps it to its end.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use ort::environment::Environment;

use crate::error::{Error, Kind, Result};

/// The names under which systems install the library.
const SYSTEM_NAMES: [&str; 2] = ["libonnxruntime.so.1", "libonnxruntime.so"];

static LOADED: OnceLock<Loaded> = OnceLock::new();

/// Two threads that load at once must not make two environments.
static LOADING: Mutex<()> = Mutex::new(());

struct Loaded {
    environment: Environment,
    library: PathBuf,
}

/// Where to look for the library, best first. What the settings name stands alone: to fall back silently to another
/// library would hide their mistake. `variable` is the value of `ORT_DYLIB_PATH`, `libraries` the folder that
/// `nosso setup` fills.
pub fn candidates(setting: Option<&Path>, variable: Option<&OsStr>, libraries: &Path) -> Vec<PathBuf> {
    if let Some(path) = setting {
        return vec![path.to_owned()];
    }
    let mut found: Vec<PathBuf> =
        variable.filter(|value| !value.is_empty()).map(PathBuf::from).into_iter().collect();
    let mut brought: Vec<PathBuf> = fs::read_dir(libraries)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("libonnxruntime.so"))
        .map(|entry| entry.path())
        .collect();
    brought.sort();
    found.extend(brought.into_iter().rev());
    found.extend(SYSTEM_NAMES.map(PathBuf::from));
    found
}

/// The library in use, once one is loaded.
pub fn library() -> Option<&'static Path> {
    LOADED.get().map(|loaded| loaded.library.as_path())
}

/// The process's environment, loading the first of `candidates` that can be. Once one is loaded the candidates do not
/// matter any more; after a failure the next call tries anew. Errors: [`Kind::ModelUnavailable`], with what was wrong
/// with each candidate.
pub(super) fn environment(candidates: &[PathBuf]) -> Result<&'static Environment> {
    if let Some(loaded) = LOADED.get() {
        return Ok(&loaded.environment);
    }
    // A thread that panicked in here left nothing half done: the cell is set or not.
    let _alone = LOADING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(loaded) = LOADED.get() {
        return Ok(&loaded.environment);
    }
    let mut failures = Vec::new();
    for candidate in candidates {
        match load(candidate) {
            Ok(environment) => {
                tracing::debug!(library = %candidate.display(), "loaded the ONNX Runtime");
                let loaded = Loaded { environment, library: candidate.clone() };
                return Ok(&LOADED.get_or_init(|| loaded).environment);
            }
            Err(failure) => failures.push(format!("{}: {failure}", candidate.display())),
        }
    }
    let found = if failures.is_empty() { "no place to look".to_owned() } else { failures.join("; ") };
    Err(Error::new(Kind::ModelUnavailable, format!("load the ONNX Runtime library: {found}"))
        .hint("run `nosso setup`, or set `embed.library` to a libonnxruntime.so of version 1.24 or later"))
}

fn load(path: &Path) -> Result<Environment, String> {
    // `init_from` would look for a relative path beside the executable; a name alone is the system's business.
    let is_name_alone = path.components().count() == 1;
    if !is_name_alone && !path.is_file() {
        return Err("no such file".into());
    }
    let absolute = if is_name_alone { Ok(path.to_owned()) } else { std::path::absolute(path) };
    let absolute = absolute.map_err(|error| error.to_string())?;
    let builder = ort::init_from(absolute).map_err(|error| error.to_string())?;
    builder.with_name("nosso").with_telemetry(false).build().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_stands_alone_and_the_rest_is_in_order() {
        let root = tempfile::tempdir().unwrap();
        for name in ["libonnxruntime.so.1.31.1", "libonnxruntime.so.1.32.0", "unrelated.so"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let named = candidates(Some(Path::new("/x.so")), Some(OsStr::new("/y.so")), root.path());
        assert_eq!(named, [PathBuf::from("/x.so")]);
        let all = candidates(None, Some(OsStr::new("/y.so")), root.path());
        let names: Vec<_> = all.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        let expected = [
            "y.so",
            "libonnxruntime.so.1.32.0",
            "libonnxruntime.so.1.31.1",
            "libonnxruntime.so.1",
            "libonnxruntime.so",
        ];
        assert_eq!(names, expected);
        assert_eq!(candidates(None, Some(OsStr::new("")), Path::new("/nowhere")).len(), 2);
    }

    #[test]
    fn a_library_that_cannot_be_loaded_is_an_error_not_a_panic() {
        let root = tempfile::tempdir().unwrap();
        let no_library = root.path().join("libonnxruntime.so");
        fs::write(&no_library, "not a library").unwrap();
        assert!(load(Path::new("/nowhere/libonnxruntime.so")).unwrap_err().contains("no such file"));
        assert!(!load(&no_library).unwrap_err().is_empty());
    }
}
