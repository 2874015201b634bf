//! What the process asks of the system before anything else: private files, enough file descriptors.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// Makes every file private, and raises the soft limit of file descriptors (often 1,024 in a user service, one goes to
/// each connection) to the hard one.
pub(super) fn prepare() {
    umask(Mode::RWXG | Mode::RWXO);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // the old limit is worse, but no reason not to start
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}
