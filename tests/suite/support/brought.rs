//! The real library and model, once for all tests: brought by the set-up itself into the build's own folder.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nosso::embed;
use nosso::paths::Paths;
use nosso::setup::{self, DEFAULT_MODEL, Options, Quiet};

/// What tests need of a set-up.
#[derive(Debug, Clone)]
pub struct Brought {
    /// Where the runtime library is.
    pub library: Vec<PathBuf>,
    /// The default model's folder.
    pub model: PathBuf,
}

/// The folder of packages that `NOSSO_TEST_FROM` names.
pub fn packages() -> Option<PathBuf> {
    std::env::var_os("NOSSO_TEST_FROM").map(PathBuf::from)
}

/// Library and model: out of `NOSSO_TEST_FROM`, or by the network where `NOSSO_TEST_DOWNLOAD` is set, or what the
/// person who runs the tests has set up already. Otherwise says loudly that the test is skipped.
pub fn brought(test: &str) -> Option<Brought> {
    static BROUGHT: OnceLock<Result<Brought, String>> = OnceLock::new();
    match BROUGHT.get_or_init(bring) {
        Ok(brought) => Some(brought.clone()),
        Err(reason) => {
            eprintln!("SKIPPED: {test}: {reason}");
            None
        }
    }
}

fn bring() -> Result<Brought, String> {
    let own = Paths::below(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("set-up"));
    let may_fetch = packages().is_some() || std::env::var_os("NOSSO_TEST_DOWNLOAD").is_some();
    if may_fetch {
        let options = Options { paths: own.clone(), from: packages(), python: None };
        setup::run(&options, &Quiet).map_err(|error| error.full_text())?;
    }
    let of_person = Paths::from_env(|name| std::env::var_os(name));
    for paths in [Some(own), of_person].into_iter().flatten() {
        let found = setup::status(&paths);
        if let (Some(_), Some(model)) = (found.library, found.model) {
            assert!(model.ends_with(DEFAULT_MODEL));
            return Ok(Brought { library: embed::candidates(None, None, &paths.libraries()), model });
        }
    }
    Err("no library and model; run `nosso setup`, or set NOSSO_TEST_FROM to a folder of packages, or \
         NOSSO_TEST_DOWNLOAD=1 to fetch them"
        .into())
}
