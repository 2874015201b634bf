//! The start: folders, the lock, the socket, the store; each only when the one before it is there.

use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

use super::reload::Settings;
use super::signals::{Signal, Signals};
use super::systemd::Systemd;
use crate::error::{Doing, Error, Kind, Result};
use crate::memory::{self, Memory};
use crate::rpc::{BoundSocket, socket};
use crate::store::Lock;

/// How often a start that takes long asks for patience, and for how much: an upgrade may copy a large database.
const ASK_EVERY: Duration = Duration::from_secs(5);
const ASK_FOR: Duration = Duration::from_secs(30);

/// What a start ends with.
pub(super) struct Opened {
    /// Held for as long as the daemon lives.
    pub(super) lock: Lock,
    pub(super) socket: BoundSocket,
    pub(super) memory: Memory,
}

/// Opens everything; None where a signal to stop came first.
pub(super) async fn open(
    settings: &Settings,
    systemd: &Systemd,
    signals: &mut Signals,
) -> Result<Option<Opened>> {
    let paths = settings.paths();
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&paths.data)
        .doing(Kind::Storage, format!("make the folder {}", paths.data.display()))?;
    // one daemon to a database, whatever socket it listens on: two would each take themselves for the only writer
    let lock = Lock::acquire(&paths.data.join("lock"))?;
    let socket = match socket::adopt_activated()? {
        Some(socket) => socket,
        None => socket::bind(&socket_path(settings))?,
    };

    // a task of its own, so that a migration does not keep us from asking for patience
    let options = memory::Options {
        paths: paths.clone(),
        config_file: settings.config_file(),
        config: settings.running().clone(),
        runtime_library: settings.variable("ORT_DYLIB_PATH").map(Into::into),
    };
    let mut opening = tokio::spawn(Memory::open(options));
    let mut ask = tokio::time::interval(ASK_EVERY);
    systemd.status("opening the store");
    loop {
        tokio::select! {
            opened = &mut opening => {
                let memory = opened.map_err(|panic| {
                    Error::internal("open the store: the program failed").caused_by(panic)
                })??;
                return Ok(Some(Opened { lock, socket, memory }));
            }
            signal = signals.next() => match signal {
                Signal::Stop => {
                    tracing::info!("told to stop while the store was being opened");
                    return Ok(None);
                }
                // the settings are as fresh as can be
                Signal::Reload => (),
            },
            _ = ask.tick() => systemd.extend_timeout(ASK_FOR),
        }
    }
}

pub(super) fn socket_path(settings: &Settings) -> PathBuf {
    settings.running().socket.path.clone().unwrap_or_else(|| settings.paths().socket())
}
