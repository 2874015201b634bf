//! The kernel's events for many folders: which paths something happened to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::super::folders::{identity, is_exhausted};

/// Paths that wait to be looked at; if there are more, everything is looked at.
const MAX_WAITING: usize = 10_000;

/// Watches folders, each for itself, so that those that are ignored cost nothing.
pub(super) struct Events {
    /// None: the system has no watches to give.
    watcher: Option<RecommendedWatcher>,
    queue: Arc<Queue>,
    /// By path, with the device and inode that were watched: a folder that was made anew must be watched anew.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    /// Folders that are watched at most.
    most: usize,
}

/// What happened since it was last asked.
struct Queue {
    waiting: Mutex<Happened>,
    arrived: Arc<Notify>,
}

/// What happened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Happened {
    /// What it happened to.
    pub paths: BTreeSet<PathBuf>,
    /// Whether more happened than could be told.
    pub is_overflown: bool,
}

/// What watching more folders came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    /// They were watched already.
    Before,
    /// Some are watched from now on: what happened in them until now was not told.
    FromNow,
    /// There are no more watches.
    Exhausted,
}

impl Events {
    /// Watches nothing yet, and never more folders than `most`; wakes who waits for `arrived`.
    pub fn new(most: usize, arrived: Arc<Notify>) -> Self {
        let queue = Arc::new(Queue { waiting: Mutex::default(), arrived });
        let watcher = notify::recommended_watcher({
            let queue = queue.clone();
            move |event| queue.note(event)
        });
        let watcher = watcher.inspect_err(|error| tracing::warn!(%error, "cannot watch folders")).ok();
        Self { watcher, queue, watched: BTreeMap::new(), most }
    }

    /// What happened since the last time.
    pub fn take(&self) -> Happened {
        std::mem::take(&mut *self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Watches these folders too.
    pub fn watch(&mut self, folders: &BTreeSet<PathBuf>) -> Watched {
        let Some(watcher) = &mut self.watcher else { return Watched::Exhausted };
        let mut outcome = Watched::Before;
        for path in folders {
            let Some(identity) = identity(path) else { continue };
            match self.watched.get(path) {
                Some(known) if *known == identity => continue,
                // an error says that it is gone, as it should be
                Some(_) => drop(watcher.unwatch(path)),
                None if self.watched.len() >= self.most => return Watched::Exhausted,
                None => {}
            }
            self.watched.remove(path);
            match watcher.watch(path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(path.clone(), identity);
                    outcome = Watched::FromNow;
                }
                Err(error) if is_exhausted(&error) => return Watched::Exhausted,
                // it went away just now: its parent's event follows
                Err(error) => tracing::debug!(folder = %path.display(), %error, "cannot watch"),
            }
        }
        outcome
    }

    /// Watches nothing at and below this path any more.
    pub fn forget(&mut self, path: &Path) {
        let is_gone = |known: &&PathBuf| known.starts_with(path);
        let gone: Vec<PathBuf> = self.watched.keys().filter(is_gone).cloned().collect();
        for path in gone {
            self.watched.remove(&path);
            if let Some(watcher) = &mut self.watcher {
                // a folder that is gone has no watch any more, and that is what was wanted
                let _ = watcher.unwatch(&path);
            }
        }
    }
}

impl Queue {
    fn note(&self, event: notify::Result<notify::Event>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            // reading a file is an event too, and our own reading would wake us for ever
            Ok(event) if event.kind.is_access() => return,
            Ok(event) => {
                waiting.is_overflown |= event.need_rescan();
                waiting.paths.extend(event.paths);
            }
            Err(error) => {
                tracing::debug!(%error, "an event could not be told");
                waiting.is_overflown = true;
            }
        }
        if waiting.paths.len() > MAX_WAITING {
            waiting.paths.clear();
            waiting.is_overflown = true;
        }
        drop(waiting);
        self.arrived.notify_one();
    }
}

/// Folders that may be watched: half of what the system gives a user, because editors and others need some too.
pub(super) fn most_watches() -> usize {
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").unwrap_or_default();
    limit.trim().parse::<usize>().map_or(usize::MAX, |limit| limit / 2)
}
