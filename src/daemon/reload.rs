//! New settings for a running daemon: all of a valid file, or nothing of an invalid one.

use super::Options;
use super::logging::Logging;
use std::path::PathBuf;

use crate::config::{self, Applies, Change, Config};
use crate::error::Result;
use crate::memory::Memory;
use crate::paths::Paths;

/// The settings that count, and how to load them again.
pub(super) struct Settings {
    options: Options,
    running: Config,
}

/// What a reload did.
#[derive(Debug, PartialEq)]
pub(super) struct Reloaded {
    /// Settings that count from now on.
    pub(super) taken_over: Vec<&'static str>,
    /// Settings that differ, but count only after a restart.
    pub(super) on_restart: Vec<&'static str>,
}

impl Settings {
    pub(super) fn load(options: Options) -> Result<Self> {
        let loaded = config::load(&options.paths, options.env.iter().cloned(), &options.flags)?;
        Ok(Self { options, running: loaded.config })
    }

    /// The settings that count now.
    pub(super) fn running(&self) -> &Config {
        &self.running
    }

    pub(super) fn paths(&self) -> &Paths {
        &self.options.paths
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.options.flags.config_file(&self.options.paths)
    }

    pub(super) fn env(&self) -> &[(String, String)] {
        &self.options.env
    }

    /// A variable of the process.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.options.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Loads the settings again and hands the changed ones out. On an error nothing has changed.
    pub(super) async fn reload(&mut self, memory: &Memory, logging: &Logging) -> Result<Reloaded> {
        let Options { paths, env, flags } = &self.options;
        let loaded = config::load(paths, env.iter().cloned(), flags)?;
        let filter = Logging::filter(&loaded.config.log.filter)?;
        let changes = config::changes(&self.running, &loaded.config)?;
        let next = config::keeping_until_restart(&self.running, &loaded.config)?;

        if next != self.running {
            memory.reload(&next).await?;
            logging.set(filter);
            self.running = next;
        }
        let named = |when: Applies| {
            let of = |change: &Change| (change.applies == when).then_some(change.key);
            changes.iter().filter_map(of).collect()
        };
        Ok(Reloaded { taken_over: named(Applies::AtOnce), on_restart: named(Applies::OnRestart) })
    }
}

impl Reloaded {
    /// Says it in the log, a line to each setting that cannot be taken over.
    pub(super) fn log(&self) {
        for key in &self.on_restart {
            tracing::warn!(key, "this setting has changed and counts after a restart of the daemon");
        }
        match self.taken_over.as_slice() {
            [] => tracing::info!("settings loaded again, nothing to take over"),
            keys => tracing::info!(keys = keys.join(", "), "settings taken over"),
        }
    }
}
