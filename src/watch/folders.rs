//! The kernel's events for a few folders, reduced to "something happened".

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// One waiting event says all that ten would: something happened, look.
const QUEUED_EVENTS: usize = 1;

/// Watches folders, not recursively.
pub(super) struct Folders {
    watcher: RecommendedWatcher,
    events: mpsc::Receiver<()>,
    /// By path, with the device and inode that were watched: a folder that was made anew must be watched anew.
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

impl Folders {
    /// None where the system has no more watches to give; the caller then looks from time to time.
    pub(super) fn new() -> Option<Self> {
        let (sender, events) = mpsc::channel(QUEUED_EVENTS);
        let told = move |event: notify::Result<notify::Event>| {
            // reading a file is an event too, and our own look at it would wake us for ever
            let only_read = event.is_ok_and(|event| event.kind.is_access());
            if !only_read {
                // full means that one is waiting already
                let _ = sender.try_send(());
            }
        };
        match notify::recommended_watcher(told) {
            Ok(watcher) => Some(Self { watcher, events, watched: BTreeMap::new() }),
            Err(error) => {
                tracing::warn!(%error, "cannot watch files, looking from time to time instead");
                None
            }
        }
    }

    /// Watches exactly these folders, of which each exists. False where the system has no more watches to give.
    pub(super) fn watch(&mut self, folders: &[PathBuf]) -> bool {
        let gone: Vec<_> = self.watched.keys().filter(|path| !folders.contains(path)).cloned().collect();
        for path in gone {
            self.forget(&path);
        }
        for path in folders {
            let Some(identity) = identity(path) else { continue };
            if self.watched.get(path) == Some(&identity) {
                continue;
            }
            self.forget(path);
            match self.watcher.watch(path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(path.clone(), identity);
                }
                Err(error) if is_exhausted(&error) => {
                    tracing::warn!(
                        folder = %path.display(),
                        "no inotify watches left, looking from time to time instead; raise fs.inotify.max_user_watches"
                    );
                    return false;
                }
                // it went away just now: its parent's event follows
                Err(error) => tracing::debug!(folder = %path.display(), %error, "cannot watch"),
            }
        }
        true
    }

    /// Waits for the next event. Can be dropped without losing one.
    pub(super) async fn event(&mut self) {
        if self.events.recv().await.is_none() {
            // the sender lives in the watcher, which lives in us
            std::future::pending().await
        }
    }

    fn forget(&mut self, path: &Path) {
        if self.watched.remove(path).is_some() {
            // a folder that is gone has no watch any more, and that is what was wanted
            let _ = self.watcher.unwatch(path);
        }
    }
}

pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino()))
}

pub(super) fn is_exhausted(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::MaxFilesWatch => true,
        ErrorKind::Io(io) => {
            let full = [rustix::io::Errno::NOSPC, rustix::io::Errno::MFILE, rustix::io::Errno::NFILE];
            full.iter().any(|errno| io.raw_os_error() == Some(errno.raw_os_error()))
        }
        _ => false,
    }
}
