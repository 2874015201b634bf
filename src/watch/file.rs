//! One file that may be written, replaced, linked elsewhere, deleted, or not be there yet.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::folders::Folders;

/// An editor that saves makes a burst of events; it is over when nothing came for so long.
const QUIET: Duration = Duration::from_millis(150);
/// A file that never becomes quiet is told of nevertheless.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often to look where the kernel gives no events.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Tells when a file changes.
///
/// Watched are the *folders* of the file, and of what it links to, because editors replace a file instead of writing
/// into it, and a watch on the file would go with the old one; where the folder does not exist yet, the nearest one
/// that does. What counts is the state of the file, compared before and after: events of its neighbours tell
/// nothing.
pub struct File {
    path: PathBuf,
    seen: State,
    /// None: no watches to be had; look from time to time.
    folders: Option<Folders>,
    /// The burst that is going on: when it is over, and when we lose patience.
    burst: Option<(Instant, Instant)>,
}

/// What a change shows in. None: there is no file.
type State = Option<(u64, u64, u64, i64, i64)>;

impl File {
    /// Watches `path` from now on. Never fails: where the kernel gives no events, it looks every two seconds.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let mut file = Self { seen: state(&path), path, folders: Folders::new(), burst: None };
        file.watch();
        file
    }

    /// Looks every two seconds, as where the kernel gives no events.
    #[cfg(test)]
    fn without_events(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { seen: state(&path), path, folders: None, burst: None }
    }

    /// Waits until the file has changed, appeared or vanished, and the changing is over for the moment. Can be
    /// dropped and called again without losing a change.
    pub async fn changed(&mut self) {
        loop {
            let now = Instant::now();
            let wake = match (self.burst, &self.folders) {
                (Some((quiet, patience)), _) => Some(quiet.min(patience)),
                (None, Some(_)) => None,
                (None, None) => Some(now + LOOK_EVERY),
            };
            tokio::select! {
                biased;
                () = at(wake) => {
                    self.burst = None;
                    self.watch();
                    let state = state(&self.path);
                    if state != self.seen {
                        self.seen = state;
                        return;
                    }
                }
                () = event(&mut self.folders) => {
                    // a folder that just appeared may be what we wait for: watch it before looking
                    self.watch();
                    let patience = self.burst.map_or(now + PATIENCE, |(_, patience)| patience);
                    self.burst = Some((Instant::now() + QUIET, patience));
                }
            }
        }
    }

    fn watch(&mut self) {
        let mut wanted: Vec<PathBuf> = nearest_folder(&self.path).into_iter().collect();
        if let Some(behind_link) = self.path.canonicalize().ok().as_deref().and_then(nearest_folder) {
            wanted.push(behind_link);
        }
        wanted.sort();
        wanted.dedup();
        if self.folders.as_mut().is_some_and(|folders| !folders.watch(&wanted)) {
            self.folders = None;
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

async fn event(folders: &mut Option<Folders>) {
    match folders {
        Some(folders) => folders.event().await,
        None => std::future::pending().await,
    }
}

/// The folder that `path` is in, or the nearest one above it that exists.
fn nearest_folder(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_owned)
}

fn state(path: &Path) -> State {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    /// Runs `act` on a watched file and says whether a change was told in time.
    async fn told(file: &mut File, act: impl FnOnce()) {
        act();
        tokio::time::timeout(SOON, file.changed()).await.expect("a change should be told");
    }

    #[tokio::test]
    async fn writing_replacing_and_deleting_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let mut file = File::new(&path);
        told(&mut file, || std::fs::write(&path, "a").unwrap()).await;
        told(&mut file, || std::fs::write(&path, "ab").unwrap()).await;
        told(&mut file, || {
            let new = folder.path().join(".new");
            std::fs::write(&new, "cd").unwrap();
            std::fs::rename(new, &path).unwrap();
        })
        .await;
        told(&mut file, || std::fs::remove_file(&path).unwrap()).await;
    }

    #[tokio::test]
    async fn a_folder_that_appears_later_is_watched_and_one_made_anew_too() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/config.toml");
        let mut file = File::new(&path);
        for text in ["first", "second time"] {
            told(&mut file, || {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, text).unwrap();
            })
            .await;
            told(&mut file, || std::fs::remove_dir_all(root.path().join("a")).unwrap()).await;
        }
    }

    #[tokio::test]
    async fn the_target_of_a_link_is_watched() {
        let (folder, dotfiles) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (path, target) = (folder.path().join("config.toml"), dotfiles.path().join("nosso.toml"));
        std::fs::write(&target, "a").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let mut file = File::new(&path);
        told(&mut file, || std::fs::write(&target, "abc").unwrap()).await;
    }

    #[tokio::test]
    async fn a_burst_is_told_once_and_neighbours_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let mut file = File::new(&path);
        told(&mut file, || {
            for n in 0..50 {
                std::fs::write(&path, "x".repeat(n)).unwrap();
            }
        })
        .await;
        std::fs::write(folder.path().join("neighbour"), "x").unwrap();
        let quiet = tokio::time::timeout(QUIET * 4, file.changed()).await;
        assert!(quiet.is_err(), "nothing of ours changed");
    }

    #[tokio::test]
    async fn waiting_can_be_interrupted_without_losing_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let mut file = File::new(&path);
        std::fs::write(&path, "a").unwrap();
        // shorter than the quiet time: the call is dropped in the middle of the burst
        for _ in 0..3 {
            let _ = tokio::time::timeout(QUIET / 5, file.changed()).await;
        }
        told(&mut file, || ()).await;
    }

    #[tokio::test]
    async fn without_events_it_looks_from_time_to_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let mut file = File::without_events(&path);
        told(&mut file, || std::fs::write(&path, "a").unwrap()).await;
    }
}
