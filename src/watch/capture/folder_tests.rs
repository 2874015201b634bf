//! What a look at a watched folder finds: real folders, looked at by hand.

use std::sync::Arc;

use tokio::sync::Notify;

use super::*;
use crate::model::Timestamp;

/// A watched folder in a temporary place, looked at by hand.
struct Watching {
    place: tempfile::TempDir,
    folder: Folder,
    arrived: Arc<Notify>,
}

impl Watching {
    fn new(most_watches: usize) -> Self {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("notes");
        std::fs::create_dir(&root).unwrap();
        let arrived = Arc::new(Notify::new());
        let stored = WatchedFolder {
            number: 1,
            path: root.display().to_string(),
            kind: WatchKind::Notes,
            project: None,
            added_at: Timestamp::now(),
        };
        let events = Events::new(most_watches, arrived.clone());
        Self { folder: Folder::new(stored, Vec::new(), events), place, arrived }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.place.path().join("notes").join(below)
    }

    fn write(&self, below: &str, text: &str) {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Looks, and takes what is found for read; the changes as "+changed -gone from>to".
    fn look(&mut self) -> String {
        let Changes { moved, gone, changed, is_first: _ } = self.folder.look(Polling::Auto);
        let mut told: Vec<String> = moved.iter().map(|(from, to)| format!("{from}>{to}")).collect();
        for (from, to) in moved {
            let file = self.folder.files.remove(&from).unwrap();
            self.folder.files.insert(to.clone(), WatchedFile { path: to, ..file });
        }
        for path in gone {
            self.folder.files.remove(&path).unwrap();
            told.push(format!("-{path}"));
        }
        for path in changed {
            let meta = std::fs::metadata(self.path(&path)).unwrap();
            let stamp = crate::watch::capture::listing::stamp(&meta);
            let file = WatchedFile { path: path.clone(), stamp, conversation: None, problem: None };
            told.push(format!("+{path}"));
            self.folder.files.insert(path, file);
        }
        told.sort();
        told.join(" ")
    }

    /// Waits for events, and looks when their burst is over.
    async fn look_when_told(&mut self) -> String {
        loop {
            self.folder.take_events();
            if self.folder.burst.is_some() {
                tokio::time::sleep_until(self.folder.due()).await;
                self.folder.take_events();
                let told = self.look();
                if !told.is_empty() {
                    return told;
                }
            }
            tokio::time::timeout(Duration::from_secs(10), self.arrived.notified())
                .await
                .expect("a change should be told");
        }
    }
}

#[tokio::test]
async fn what_happens_to_files_is_told() {
    let mut watching = Watching::new(100);
    watching.write("a.md", "a");
    watching.write("sub/b.md", "b");
    assert_eq!(watching.look(), "+a.md +sub/b.md");
    assert_eq!(watching.folder.progress(true).state, WatchState::Events);
    watching.write("a.md", "aa");
    assert_eq!(watching.look_when_told().await, "+a.md");
    std::fs::rename(watching.path("a.md"), watching.path("sub/c.md")).unwrap();
    assert_eq!(watching.look_when_told().await, "+sub/c.md a.md>sub/c.md");
    std::fs::remove_file(watching.path("sub/b.md")).unwrap();
    assert_eq!(watching.look_when_told().await, "-sub/b.md");
    // a folder that appears with files in it, and one that is renamed
    watching.write("new/deep/d.md", "d");
    assert_eq!(watching.look_when_told().await, "+new/deep/d.md");
    std::fs::rename(watching.path("new"), watching.path("old")).unwrap();
    assert_eq!(watching.look_when_told().await, "new/deep/d.md>old/deep/d.md");
    watching.write("old/deep/d.md", "dd");
    assert_eq!(watching.look_when_told().await, "+old/deep/d.md");
    std::fs::remove_dir_all(watching.path("old")).unwrap();
    assert_eq!(watching.look_when_told().await, "-old/deep/d.md");
    // what becomes ignored goes, and comes back
    watching.write("sub/.gitignore", "c.*");
    assert_eq!(watching.look_when_told().await, "-sub/c.md");
    std::fs::remove_file(watching.path("sub/.gitignore")).unwrap();
    assert_eq!(watching.look_when_told().await, "+sub/c.md");
}

#[tokio::test]
async fn a_file_that_an_editor_replaces_is_the_same_file() {
    let mut watching = Watching::new(100);
    watching.write("a.md", "a");
    watching.look();
    watching.write(".a.md.new", "b");
    std::fs::rename(watching.path(".a.md.new"), watching.path("a.md")).unwrap();
    assert_eq!(watching.look_when_told().await, "+a.md");
}

#[test]
fn without_watches_it_is_looked_at_from_time_to_time() {
    for most in [0, 2] {
        let mut watching = Watching::new(most);
        watching.write("a/b/c.md", "x");
        assert_eq!(watching.look(), "+a/b/c.md");
        let progress = watching.folder.progress(true);
        assert_eq!(progress.state, WatchState::Polling);
        assert!(progress.problem.unwrap().contains("fs.inotify.max_user_watches"));
        assert!(watching.folder.due() <= Instant::now() + LOOK_EVERY);
        watching.write("a/b/c.md", "xy");
        watching.write("d.md", "x");
        watching.folder.next_look = Instant::now();
        assert_eq!(watching.look(), "+a/b/c.md +d.md");
    }
}

#[test]
fn a_folder_that_is_gone_takes_nothing_with_it() {
    let mut watching = Watching::new(100);
    watching.write("a.md", "a");
    watching.look();
    let (there, away) = (watching.path(""), watching.place.path().join("away"));
    std::fs::rename(&there, &away).unwrap();
    watching.folder.is_all_dirty = true;
    assert_eq!(watching.look(), "");
    let progress = watching.folder.progress(true);
    assert_eq!((progress.state, progress.files), (WatchState::Missing, 1));
    std::fs::rename(&away, &there).unwrap();
    watching.write("b.md", "b");
    assert_eq!(watching.look(), "+b.md");
    assert_eq!(watching.folder.progress(true).state, WatchState::Events);
    // an empty folder of another disk is where one is not mounted
    watching.folder.files.values_mut().for_each(|file| file.stamp.device += 1);
    for name in ["a.md", "b.md"] {
        std::fs::remove_file(watching.path(name)).unwrap();
    }
    watching.folder.is_all_dirty = true;
    assert_eq!(watching.look(), "");
    assert_eq!(watching.folder.progress(true).state, WatchState::Missing);
}
