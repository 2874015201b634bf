//! A daemon of a subcommand's own: in a temporary folder, with the person's models and settings, gone afterwards.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::context::{self, Context};
use super::exit::Failure;
use super::settings;
use crate::client::Client;
use crate::config::Config;
use crate::error::{Doing, Error, Kind, Result};
use crate::model::ClientRef;

/// How long the daemon may take to listen; migrations of an empty database take milliseconds.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long it may take to stop before it is killed; its own limit is eight seconds.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
/// `sun_path` without its closing zero.
const MAX_SOCKET_PATH_BYTES: usize = 107;
/// Lines of the daemon's log that are shown when it fails.
const LOG_LINES: usize = 8;

/// The running daemon. Dropping it kills it; [`Private::stop`] ends it in order.
pub struct Private {
    child: Child,
    folder: tempfile::TempDir,
    socket: PathBuf,
}

impl Private {
    /// Starts the daemon and waits until it listens. `data`: where its store lies, and stays; none: in the temporary
    /// folder. `change`: what differs from the person's settings.
    pub async fn start(
        context: &Context,
        data: Option<&Path>,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self> {
        let folder = folder()?;
        let base = |name: &str| match (name, data) {
            ("data", Some(data)) => data.to_owned(),
            _ => folder.path().join(name),
        };
        prepare(&base, context, change)?;

        let log = fs::File::create(base("daemon.log"))
            .doing(Kind::Storage, "make the log of the private daemon")?;
        let program = std::env::current_exe().doing(Kind::Storage, "find this program's own file")?;
        let mut command = Command::new(program);
        command
            .args(["serve", "--log", "warn"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C at the terminal is for us; we then stop the daemon
            .process_group(0)
            .kill_on_drop(true);
        for name in foreign_variables(std::env::vars_os().map(|(name, _)| name)) {
            command.env_remove(name);
        }
        for (name, place) in
            [("XDG_DATA_HOME", "data"), ("XDG_CONFIG_HOME", "config"), ("XDG_CACHE_HOME", "cache")]
        {
            command.env(name, base(place));
        }
        command.env("XDG_STATE_HOME", base("state")).env("XDG_RUNTIME_DIR", base("run"));
        let child = command.spawn().doing(Kind::Internal, "start the private daemon")?;

        let socket = base("run").join("nosso/nosso.sock");
        let mut daemon = Self { child, folder, socket };
        daemon.until_it_listens().await?;
        Ok(daemon)
    }

    /// A connection under that name.
    pub async fn connect(&self, as_tool: ClientRef) -> Result<Client> {
        Client::connect(&self.socket, as_tool).await
    }

    /// Stops the daemon in order and removes its folder. `outcome`: of what was done with it; where that failed because
    /// the daemon had ended by itself, it tells how.
    pub async fn stop<T>(mut self, outcome: Result<T, Failure>) -> Result<T, Failure> {
        let ended = self.child.try_wait().ok().flatten();
        let outcome = match (outcome, ended) {
            (Err(Failure::Failed(error)), Some(status)) if error.kind() == Kind::Unreachable => {
                Err(self.end(status).caused_by(error).into())
            }
            (outcome, _) => outcome,
        };
        if let Some(id) = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id as i32)) {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        if tokio::time::timeout(STOP_DEADLINE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        let _ = self.folder.close();
        outcome
    }

    /// What is said of a daemon that ended by itself.
    fn end(&self, status: ExitStatus) -> Error {
        Error::internal(format!("the private daemon ended with {status}\n{}", self.last_log_lines()))
    }

    async fn until_it_listens(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            match self.connect(context::myself()).await {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() != Kind::Unreachable => return Err(error),
                Err(error) => {
                    if let Ok(Some(status)) = self.child.try_wait() {
                        return Err(self.end(status));
                    }
                    if Instant::now() > deadline {
                        return Err(error.while_doing("wait for the private daemon"));
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    fn last_log_lines(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("daemon.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

/// A temporary folder whose path leaves room for the socket's.
fn folder() -> Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("nosso-private-");
    let folder = builder.tempdir().doing(Kind::Storage, "make a temporary folder")?;
    let longest = folder.path().join("run/nosso/nosso.sock");
    match longest.as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
        true => Ok(folder),
        false => builder.tempdir_in("/tmp").doing(Kind::Storage, "make a temporary folder"),
    }
}

/// Folders for one user only, the person's models, and the person's settings without their places.
fn prepare(
    base: &impl Fn(&str) -> PathBuf,
    context: &Context,
    change: impl FnOnce(&mut Config),
) -> Result<()> {
    let doing = "prepare the private daemon's folder";
    for (place, below) in [("data", "nosso"), ("config", "nosso"), ("cache", ""), ("state", ""), ("run", "")]
    {
        let folder = base(place).join(below);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).doing(Kind::Storage, doing)?;
    }
    for (real, name) in [(context.paths.models(), "models"), (context.paths.libraries(), "lib")] {
        let link = base("data").join("nosso").join(name);
        // a store that is used again has links, perhaps to where the models were then
        if fs::symlink_metadata(&link).is_ok_and(|found| found.is_symlink()) {
            fs::remove_file(&link).doing(Kind::Storage, doing)?;
        }
        symlink(real, link).doing(Kind::Storage, doing)?;
    }
    let mut loaded = settings::load(&context.paths, &context.global)?;
    loaded.config.socket.path = None;
    change(&mut loaded.config);
    fs::write(base("config").join("nosso/config.toml"), loaded.to_toml()).doing(Kind::Storage, doing)
}

/// Variables that must not reach the private daemon: settings (they are in its config file already), and what systemd
/// gave to us alone.
fn foreign_variables(names: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let of_systemd = [
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "JOURNAL_STREAM",
    ];
    names
        .filter(|name| {
            name.to_str().is_some_and(|name| name.starts_with("NOSSO_") || of_systemd.contains(&name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_sockets_of_others_are_not_handed_down() {
        let names = ["PATH", "NOSSO_SOCKET", "NOSSO_CHAT__MODEL", "NOTIFY_SOCKET", "ORT_DYLIB_PATH"];
        let removed = foreign_variables(names.iter().map(OsString::from));
        assert_eq!(removed, ["NOSSO_SOCKET", "NOSSO_CHAT__MODEL", "NOTIFY_SOCKET"].map(OsString::from));
    }

    #[test]
    fn the_socket_fits_its_path() {
        let folder = folder().unwrap();
        assert!(folder.path().join("run/nosso/nosso.sock").as_os_str().len() <= MAX_SOCKET_PATH_BYTES);
    }
}
