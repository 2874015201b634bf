//! The daemon: opens everything in order, keeps it going, and stops it in order. Nothing is above this module.

mod health;
mod liveness;
mod logging;
mod metrics;
mod opening;
mod pages;
mod process;
mod reload;
mod running;
mod signals;
mod systemd;

use crate::config::Flags;
use crate::error::{Doing, Kind, Result};
use crate::paths::Paths;
use crate::watch;

use logging::Logging;
use reload::Settings;
use running::Running;
use signals::Signals;
use systemd::Systemd;

/// Threads that serve calls at most. One alone answers more than 100,000 small calls a second; more would only make
/// idle stacks on a large machine.
const MAX_THREADS: usize = 4;

/// What a daemon is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where its files are.
    pub paths: Paths,
    /// The variables of the process; looked at again on each reload.
    pub env: Vec<(String, String)>,
    /// Settings from the command line.
    pub flags: Flags,
}

impl Options {
    /// Options with the variables of this process; one that is not UTF-8 is no setting of ours.
    pub fn from_process(paths: Paths, flags: Flags) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { paths, env: std::env::vars_os().filter_map(text).collect(), flags }
    }
}

/// Runs the daemon; returns when it was told to stop and has stopped in order, which takes under eight seconds.
///
/// Errors: kind `config` where the settings are wrong (exit code 78), `conflict` where another daemon runs, else what
/// opening the store or the socket met. Sets the umask of the process and its logger, so it is called once.
pub fn run(options: Options) -> Result<()> {
    process::prepare();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(threads)
        .build()
        .doing(Kind::Internal, "start the threads of the daemon")?;
    let ended = runtime.block_on(serve(options));
    // what still blocks a thread has had its time
    runtime.shutdown_background();
    ended
}

async fn serve(options: Options) -> Result<()> {
    // watched before it is read: a change in between is a change
    let config_file = watch::File::new(options.flags.config_file(&options.paths));
    let settings = Settings::load(options)?;
    let logging = Logging::start(&settings.running().log, settings.env())?;
    let systemd = Systemd::new();
    let mut signals = Signals::listen()?;

    let Some(opened) = opening::open(&settings, &systemd, &mut signals).await? else {
        return Ok(());
    };
    let mut running = Running::start(opened, settings, config_file, logging, systemd)?;
    let ended = running.until_told_to_stop(&mut signals).await;
    running.stop(signals).await;
    ended
}
