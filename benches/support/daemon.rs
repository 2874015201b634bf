//! The real program as a process of its own, in folders of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Outcome;
use super::model::Brought;
use super::raw::Raw;

/// A start that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a daemon embeds.
pub enum Embedding<'a> {
    Off,
    With(&'a Brought),
}

/// A running daemon; dropping it stops it in order.
pub struct Daemon {
    process: Child,
    folder: PathBuf,
}

/// The resident memory of a process, in megabytes.
pub struct Resident {
    pub all: f64,
    pub anonymous: f64,
    pub of_files: f64,
}

impl Daemon {
    /// Starts it in `folder`, which may hold an earlier one's data, and does not wait.
    pub fn spawn(folder: &Path, embedding: &Embedding<'_>) -> Outcome<Self> {
        let config = folder.join("config/nosso");
        std::fs::create_dir_all(&config)?;
        std::fs::create_dir_all(folder.join("run"))?;
        let text = match embedding {
            Embedding::Off => "[embed]\nenabled = false\n".to_owned(),
            Embedding::With(Brought { library, model, .. }) => {
                format!("[embed]\nlibrary = {library:?}\nmodel = {model:?}\n")
            }
        };
        std::fs::write(config.join("config.toml"), text)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_nosso"));
        command.arg("serve").env_clear().env("HOME", folder);
        for (variable, below) in [
            ("XDG_DATA_HOME", "data"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_RUNTIME_DIR", "run"),
        ] {
            command.env(variable, folder.join(below));
        }
        let log = std::fs::File::create(folder.join("log"))?;
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        Ok(Self { process, folder: folder.to_owned() })
    }

    /// Starts it and waits until it answers.
    pub fn start(folder: &Path, embedding: &Embedding<'_>) -> Outcome<Self> {
        let mut daemon = Self::spawn(folder, embedding)?;
        daemon.client()?.call("system.status", serde_json::json!({}))?;
        Ok(daemon)
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join("run/nosso/nosso.sock")
    }

    /// A connection, as soon as there is one to be had.
    pub fn client(&mut self) -> Outcome<Raw> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let failure = match Raw::connect(&self.socket()) {
                Ok(client) => return Ok(client),
                Err(error) => error,
            };
            let ended = self.process.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(format!("the daemon does not answer ({failure}): {log}").into());
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Its resident memory now.
    pub fn resident(&self) -> Outcome<Resident> {
        resident(self.process.id())
    }
}

/// The resident memory of a process now.
pub fn resident(process: u32) -> Outcome<Resident> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let megabytes = |name: &str| -> Outcome<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such figure")?;
        let kibibytes: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024.0 / 1e6)
    };
    Ok(Resident {
        all: megabytes("VmRSS")?,
        anonymous: megabytes("RssAnon")?,
        of_files: megabytes("RssFile")? + megabytes("RssShmem")?,
    })
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
    }
}
