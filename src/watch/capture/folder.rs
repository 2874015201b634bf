//! One watched folder: what is known of its files, and what became of them since.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::events::{Events, Happened, Watched};
use super::listing::{Depth, IGNORES, Listing, list};
use crate::api::data::Refused;
use crate::api::watch::{WatchKind, WatchState};
use crate::config::Polling;
use crate::memory::Progress;
use crate::store::{Stamp, WatchedFile, WatchedFolder};

/// A program that writes makes a burst of events; it is over when nothing came for so long.
const QUIET: Duration = Duration::from_millis(120);
/// A folder that never becomes quiet is looked at nevertheless.
const PATIENCE: Duration = Duration::from_millis(600);
/// How often to look where nothing tells of changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looking takes this part of the time at most.
const LOOK_SHARE: u32 = 20;
/// How often to look at everything although events tell: they may be lost.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// A folder that is watched.
pub(super) struct Folder {
    /// What was asked for.
    pub stored: WatchedFolder,
    root: PathBuf,
    events: Events,
    /// The files as they were when they were last read.
    pub files: BTreeMap<String, WatchedFile>,
    folders: BTreeSet<PathBuf>,
    /// Folders that something happened in.
    dirty: BTreeSet<PathBuf>,
    is_all_dirty: bool,
    /// The burst that is going on: when it is over, and when we lose patience.
    burst: Option<(Instant, Instant)>,
    /// When to look at everything.
    next_look: Instant,
    state: WatchState,
    problem: Option<String>,
    left_out: BTreeMap<String, String>,
    /// Files that are queued.
    pub waiting: u64,
}

/// What became of the files of a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Files that have another name.
    pub moved: Vec<(String, String)>,
    /// Files that are gone.
    pub gone: Vec<String>,
    /// Files that are new or changed.
    pub changed: Vec<String>,
    /// Whether the folder was looked at for the first time.
    pub is_first: bool,
}

impl Folder {
    /// A folder of which this was known when it was last watched.
    pub fn new(stored: WatchedFolder, files: Vec<WatchedFile>, events: Events) -> Self {
        Self {
            events,
            root: PathBuf::from(&stored.path),
            stored,
            files: files.into_iter().map(|file| (file.path.clone(), file)).collect(),
            folders: BTreeSet::new(),
            dirty: BTreeSet::new(),
            is_all_dirty: true,
            burst: None,
            next_look: Instant::now(),
            state: WatchState::Starting,
            problem: None,
            left_out: BTreeMap::new(),
            waiting: 0,
        }
    }

    /// Where a file is.
    pub fn place(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Takes note of what happened, to look at it when it is over.
    pub fn take_events(&mut self) {
        let Happened { paths, is_overflown } = self.events.take();
        if paths.is_empty() && !is_overflown {
            return;
        }
        self.is_all_dirty |= is_overflown;
        for path in paths {
            let is_ignore = path.file_name().is_some_and(|name| IGNORES.iter().any(|ignore| name == *ignore));
            self.is_all_dirty |= is_ignore && self.stored.kind == WatchKind::Notes;
            let parent = path.parent().filter(|parent| parent.starts_with(&self.root));
            self.dirty.extend(parent.map(Path::to_owned));
            if self.folders.contains(&path) {
                self.dirty.insert(path);
            }
        }
        let now = Instant::now();
        let patience = self.burst.map_or(now + PATIENCE, |(_, patience)| patience);
        self.burst = Some((now + QUIET, patience));
    }

    /// When to look next.
    pub fn due(&self) -> Instant {
        let burst = self.burst.map(|(quiet, patience)| quiet.min(patience));
        burst.map_or(self.next_look, |burst| burst.min(self.next_look))
    }

    /// Looks at what is due, and watches what is new. Reads the disk.
    pub fn look(&mut self, polling: Polling) -> Changes {
        let begun = Instant::now();
        if self.next_look <= begun {
            self.is_all_dirty = true;
        }
        self.burst = None;
        let dirty = std::mem::take(&mut self.dirty);
        let is_everything = std::mem::take(&mut self.is_all_dirty);
        let is_first = self.state == WatchState::Starting;
        let Some(root) = self.root_is_there() else {
            self.state = WatchState::Missing;
            self.problem = Some(format!(
                "the watched folder {} is not there; what was captured stays",
                self.stored.path
            ));
            self.events.forget(&self.root);
            self.folders.clear();
            self.next_look = Instant::now() + LOOK_EVERY;
            return Changes::default();
        };
        self.problem = None;
        let is_told = polling == Polling::Auto && self.state != WatchState::Polling;
        let mut listings = Vec::new();
        if is_everything || self.state == WatchState::Missing || self.folders.is_empty() {
            listings.push((self.root.clone(), Depth::Tree));
        } else {
            listings.extend(dirty.into_iter().map(|folder| (folder, Depth::Folder)));
        }
        let mut scan = Scan { is_told, ..Scan::default() };
        while let Some((folder, depth)) = listings.pop() {
            let below = self.look_into(&folder, depth, &mut scan);
            listings.extend(below.into_iter().map(|folder| (folder, Depth::Tree)));
        }
        if scan.found.is_empty() && self.is_elsewhere(root) {
            // an empty folder where a disk belongs
            self.problem = Some(format!(
                "the watched folder {} is empty and on another disk than before; what was captured stays",
                self.stored.path
            ));
            self.state = WatchState::Missing;
            self.next_look = Instant::now() + LOOK_EVERY;
            return Changes::default();
        }
        self.settle(&scan, polling, begun);
        Changes { is_first, ..self.compare(scan) }
    }

    /// Lists a folder; what is below it and was not known.
    fn look_into(&mut self, folder: &Path, depth: Depth, scan: &mut Scan) -> Vec<PathBuf> {
        let kind = self.stored.kind;
        let mut listing = list(&self.root, folder, depth, kind);
        let mut to_watch = listing.folders.clone();
        if depth == Depth::Folder {
            // those below are watched when they are looked into
            to_watch.retain(|found| found == folder || self.folders.contains(found));
        }
        // what is gone first: a folder that was renamed has the watch of its old name
        let was_below = |known: &&PathBuf| match depth {
            Depth::Tree => known.starts_with(folder),
            Depth::Folder => known.parent() == Some(folder) || *known == folder,
        };
        let gone: Vec<PathBuf> = self
            .folders
            .iter()
            .filter(|known| was_below(known) && !listing.folders.contains(*known))
            .cloned()
            .collect();
        for path in &gone {
            self.events.forget(path);
            self.folders.retain(|known| !known.starts_with(path));
        }
        if scan.is_told {
            match self.events.watch(&to_watch) {
                Watched::Before => {}
                // between the listing and the watch something may have happened
                Watched::FromNow => listing = list(&self.root, folder, depth, kind),
                Watched::Exhausted => scan.is_exhausted = true,
            }
        }
        let Listing { files, folders, left_out, problem } = listing;
        let below: Vec<PathBuf> = match depth {
            Depth::Tree => Vec::new(),
            Depth::Folder => folders
                .iter()
                .filter(|found| !self.folders.contains(*found) && *found != folder)
                .cloned()
                .collect(),
        };
        match depth {
            Depth::Tree => self.folders.extend(folders),
            Depth::Folder => drop(self.folders.insert(folder.to_owned())),
        }
        scan.left_out.extend(left_out);
        if problem.is_none() {
            scan.looked_into.push((folder.to_owned(), depth));
            scan.looked_into.extend(gone.into_iter().map(|path| (path, Depth::Tree)));
        }
        scan.problem = scan.problem.take().or(problem);
        scan.found.extend(files);
        below
    }

    /// What the look says of the folder as a whole.
    fn settle(&mut self, scan: &Scan, polling: Polling, begun: Instant) {
        let path = &self.stored.path;
        let is_polled = polling == Polling::Always || !scan.is_told || scan.is_exhausted;
        if scan.is_exhausted {
            // it holds what others could use
            self.events.forget(&self.root);
            tracing::warn!(
                folder = path,
                "no inotify watches are left: the folder is looked at from time to time"
            );
        }
        let took = begun.elapsed();
        let every = if is_polled { LOOK_EVERY.max(took * LOOK_SHARE) } else { LOOK_AGAIN };
        let is_whole =
            scan.looked_into.iter().any(|(folder, depth)| *folder == self.root && *depth == Depth::Tree);
        if is_whole || is_polled {
            self.next_look = Instant::now() + every;
        }
        self.state = if is_polled { WatchState::Polling } else { WatchState::Events };
        self.problem = scan.problem.clone();
        if is_polled && polling == Polling::Auto {
            self.problem.get_or_insert(format!(
                "the watched folder {path} is looked at every {:.0} seconds, because the system has no inotify watches \
                 left; raise fs.inotify.max_user_watches (and max_user_instances) with sysctl",
                every.as_secs_f64().ceil()
            ));
        }
    }

    /// What became of the files that were looked for.
    fn compare(&mut self, scan: Scan) -> Changes {
        let Scan { found, looked_into, left_out, .. } = scan;
        let found: BTreeMap<String, Stamp> = found.into_iter().collect();
        let was_looked_for = |path: &str| {
            let place = self.root.join(path);
            looked_into.iter().any(|(folder, depth)| match depth {
                Depth::Tree => place.starts_with(folder),
                Depth::Folder => place.parent() == Some(folder),
            })
        };
        let mut changes = Changes::default();
        self.left_out.retain(|path, _| !was_looked_for(path));
        self.left_out.extend(left_out);
        let mut new: BTreeSet<&String> =
            found.keys().filter(|path| !self.files.contains_key(*path)).collect();
        for (path, file) in &self.files {
            if found.contains_key(path) || !was_looked_for(path) {
                continue;
            }
            let is_it = |other: &&&String| found[**other].is_same_file(&file.stamp);
            match new.iter().find(is_it).copied() {
                Some(to) => {
                    new.remove(to);
                    changes.moved.push((path.clone(), to.clone()));
                }
                None => changes.gone.push(path.clone()),
            }
        }
        let moved: BTreeMap<&String, &String> = changes.moved.iter().map(|(from, to)| (to, from)).collect();
        for (path, stamp) in &found {
            let known = self.files.get(moved.get(path).copied().unwrap_or(path));
            if known.is_none_or(|known| known.stamp != *stamp) {
                changes.changed.push(path.clone());
            }
        }
        changes
    }

    /// The disk that the folder is on, if it is a folder.
    fn root_is_there(&self) -> Option<u64> {
        std::fs::metadata(&self.root).ok().filter(std::fs::Metadata::is_dir).map(|meta| meta.dev())
    }

    fn is_elsewhere(&self, device: u64) -> bool {
        !self.files.is_empty() && self.files.values().all(|file| file.stamp.device != device)
    }

    /// How it goes.
    pub fn progress(&self, is_enabled: bool) -> Progress {
        let problems = self.files.values().filter_map(|file| Some((&file.path, file.problem.as_ref()?)));
        let skipped: Vec<Refused> = problems
            .chain(&self.left_out)
            .map(|(path, reason)| Refused { place: path.clone(), reason: reason.clone() })
            .collect();
        Progress {
            state: if is_enabled { self.state } else { WatchState::Off },
            problem: self.problem.clone().filter(|_| is_enabled),
            files: self.files.values().filter(|file| file.problem.is_none()).count() as u64,
            waiting: self.waiting,
            skipped_total: skipped.len() as u64,
            skipped,
        }
    }
}

/// What one look gathers.
#[derive(Debug, Default)]
struct Scan {
    found: Vec<(String, Stamp)>,
    looked_into: Vec<(PathBuf, Depth)>,
    left_out: Vec<(String, String)>,
    problem: Option<String>,
    /// Whether events are asked for.
    is_told: bool,
    is_exhausted: bool,
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
