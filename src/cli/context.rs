//! What every subcommand works with: the flags, the places, the output, the way to the daemon.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use tokio::signal::unix::{SignalKind, signal};

use super::args::Global;
use super::clean;
use super::exit::Failure;
use super::output::Output;
use super::settings;
use super::text::{self, Words};
use crate::client::Client;
use crate::error::{Doing, Error, Kind, Result};
use crate::model::ClientRef;
use crate::paths::Paths;

/// The name by which the daemon knows what the terminal stored.
pub const CLIENT_NAME: &str = "shell";

/// What every subcommand works with.
pub struct Context {
    /// The flags that every subcommand takes.
    pub global: Global,
    /// Where things are on disk.
    pub paths: Paths,
    /// Where the command was given.
    pub working_directory: PathBuf,
    /// Where results and messages go.
    pub out: Output,
    /// The messages in the person's language.
    pub words: &'static Words,
    /// The time zone in which times are shown.
    pub zone: TimeZone,
}

impl Context {
    /// The context that flags and environment make.
    pub fn new(global: Global) -> Result<Self> {
        let var = |name: &str| std::env::var(name).ok();
        let paths = Paths::from_env(|name| std::env::var_os(name)).ok_or_else(|| {
            Error::new(Kind::Config, "find your folders: HOME is not set")
                .hint("set HOME to your home folder")
        })?;
        Ok(Self {
            out: Output::new(&global, var),
            words: text::words(var),
            working_directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            zone: TimeZone::system(),
            paths,
            global,
        })
    }

    /// The socket that flags, environment and settings name, and what is wrong with the settings: a running daemon
    /// goes on with those it has, and so do its clients.
    ///
    /// Errors: a config file that was named and does not exist.
    pub fn socket(&self) -> Result<(PathBuf, Option<Error>)> {
        let from_environment = std::env::var_os("NOSSO_SOCKET").filter(|path| !path.is_empty());
        if let Some(path) = self.global.socket.clone().or(from_environment.map(PathBuf::from)) {
            return Ok((path, None));
        }
        let (named, problem) = match settings::load(&self.paths, &self.global) {
            Ok(loaded) => (loaded.config.socket.path, None),
            Err(error) if self.global.config.as_ref().is_some_and(|file| !file.exists()) => {
                return Err(error);
            }
            Err(error) => (settings::socket_in_broken_file(&self.paths, &self.global), Some(error)),
        };
        Ok((named.unwrap_or_else(|| self.paths.socket()), problem))
    }

    /// A connection to the daemon; where there is none, an error that says which command starts it.
    pub async fn client(&mut self) -> Result<Client, Failure> {
        let (socket, problem) = self.socket()?;
        if let Some(problem) = problem {
            let problem = clean::block(&problem.full_text());
            self.out.warn(&text::fill(self.words.wrong_settings, &[&problem]));
        }
        Client::connect(&socket, myself()).await.map_err(|error| match is_absence(&error) {
            true => {
                let command = self.command_that_starts_the_daemon();
                error.hint(text::fill(self.words.start_the_daemon, &[&command])).into()
            }
            false => error.into(),
        })
    }

    /// Asks before something is gone for good; `doing` names what is being done.
    pub fn confirmed(&mut self, doing: &str, question: &str) -> Result<bool> {
        if !std::io::stdin().is_terminal() {
            return Err(Error::invalid(format!("{doing}: nobody is there to be asked"))
                .hint("say yes beforehand: --yes"));
        }
        self.out.prompt(question);
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Error::invalid(format!("read the answer: {error}")))?;
        Ok(text::is_yes(&answer))
    }

    /// What to type so that the daemon runs: the unit where it is installed, else the program itself.
    pub fn command_that_starts_the_daemon(&self) -> String {
        let units = [
            self.paths.config.with_file_name("systemd/user"),
            "/etc/systemd/user".into(),
            "/usr/lib/systemd/user".into(),
        ];
        match (&self.global.socket, units.iter().any(|folder| folder.join("nosso.socket").exists())) {
            (Some(socket), _) => format!("nosso serve --socket {}", socket.display()),
            (None, true) => "systemctl --user start nosso.socket".into(),
            // the folder is there when systemd started the machine
            (None, false) if Path::new("/run/systemd/system").is_dir() => {
                "nosso service install   (or, in a terminal of its own: nosso serve)".into()
            }
            (None, false) => "nosso serve   (in a terminal of its own)".into(),
        }
    }
}

/// Whether nobody listens, as opposed to somebody who does not let us in.
fn is_absence(error: &Error) -> bool {
    use std::io::ErrorKind;
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    error.kind() == Kind::Unreachable
        && cause.is_none_or(|io| {
            !matches!(
                io.kind(),
                ErrorKind::PermissionDenied | ErrorKind::WouldBlock | ErrorKind::InvalidInput
            )
        })
}

/// How the program introduces itself to the daemon.
pub fn myself() -> ClientRef {
    ClientRef { name: CLIENT_NAME.into(), version: env!("CARGO_PKG_VERSION").into() }
}

/// Reads a file that was named as input; `-` is standard input.
pub fn read_input(file: &Path) -> Result<String, Failure> {
    let (name, text) = match file.to_str() {
        Some("-") => ("standard input".to_owned(), std::io::read_to_string(std::io::stdin())),
        _ => (file.display().to_string(), std::fs::read_to_string(file)),
    };
    text.map_err(|error| {
        Failure::NoInput(Error::new(Kind::Storage, format!("read {name}: {error}")).caused_by(error))
    })
}

/// Does the work until it is done, Ctrl-C is pressed, or the program is asked to end (`kill`, `timeout`): who started
/// a daemon of its own then still stops it.
///
/// Only for work that waits in an orderly way: once the signal is ours, a blocking read would never see it.
pub async fn unless_interrupted<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut asked_to_end =
        signal(SignalKind::terminate()).doing(Kind::Internal, "listen for the signal to end")?;
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
        _ = asked_to_end.recv() => Err(Failure::Interrupted),
    }
}
