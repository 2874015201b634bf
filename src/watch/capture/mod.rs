//! Captures the folders that the user named, while their files change: looks at what changed, reads it, and hands it
//! to the application, which stores it. Everything is looked at once at the start, and where nothing tells of changes
//! from time to time. Nothing here writes to a watched folder.

mod events;
mod folder;
mod listing;
mod note;
mod session;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::api::data::ImportFormat;
use crate::config;
use crate::error::{Doing, Error, Kind, Result};
use crate::memory::{CapturedFile, Memory};
use crate::store::{Stamp, WatchedFile};
use events::Events;
use folder::{Changes, Folder};
use note::{LeftOut, Note};
use session::Sessions;

/// How long to wait after something failed that will work later, such as a write to a full disk.
const RETRY: Duration = Duration::from_secs(5);
/// Files that are read between two reports of how it goes.
const REPORT_EVERY: u64 = 20;

/// Captures until told to stop.
pub async fn run(memory: Memory, stop: CancellationToken) {
    let mut capture = Capture::new(memory);
    loop {
        let done = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            done = capture.step() => done,
        };
        let Err(error) = done else { continue };
        tracing::error!(error = error.full_text(), "a capture failed and is tried again");
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(Instant::now() + RETRY) => capture.begin_again(),
        }
    }
}

struct Capture {
    memory: Memory,
    /// The list of folders and the settings that count.
    version: Option<u64>,
    settings: config::Capture,
    folders: BTreeMap<i64, Folder>,
    /// Files that just changed, and those that were found at the start.
    urgent: VecDeque<Job>,
    backlog: VecDeque<Job>,
    sessions: Option<Sessions>,
    arrived: Arc<Notify>,
}

/// A file that is to be read.
struct Job {
    folder: i64,
    path: String,
}

impl Capture {
    fn new(memory: Memory) -> Self {
        Self {
            settings: memory.capture_settings(),
            memory,
            version: None,
            folders: BTreeMap::new(),
            urgent: VecDeque::new(),
            backlog: VecDeque::new(),
            sessions: Some(Sessions::default()),
            arrived: Arc::new(Notify::new()),
        }
    }

    /// Does what is most urgent, or waits for something to do.
    async fn step(&mut self) -> Result<()> {
        let version = self.memory.captures_version();
        if self.version != Some(version) {
            self.take_folders_over().await?;
            self.version = Some(version);
        }
        self.folders.values_mut().for_each(Folder::take_events);
        let due = self.folders.iter().map(|(number, folder)| (folder.due(), *number)).min();
        if let Some((due, number)) = due
            && due <= Instant::now()
        {
            return self.look(number).await;
        }
        if let Some(job) = self.urgent.pop_front().or_else(|| self.backlog.pop_front()) {
            return self.read(job).await;
        }
        let look = async {
            match due {
                Some((due, _)) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.arrived.notified() => {}
            () = self.memory.captures_changed() => {}
            () = look => {}
        }
        Ok(())
    }

    /// Everything is looked at anew.
    fn begin_again(&mut self) {
        self.version = None;
        self.folders.clear();
        self.sessions = Some(Sessions::default());
    }

    /// Brings the folders into line with the list and the settings.
    async fn take_folders_over(&mut self) -> Result<()> {
        let settings = self.memory.capture_settings();
        if settings != self.settings {
            self.settings = settings;
            self.folders.clear();
        }
        let wanted = self.memory.watched_folders().await?;
        let is_wanted = |number: &i64| wanted.iter().any(|folder| folder.number == *number);
        let gone: Vec<i64> = self.folders.keys().copied().filter(|number| !is_wanted(number)).collect();
        for number in gone {
            self.folders.remove(&number);
            self.memory.tell_progress(number, None);
        }
        for stored in wanted {
            if self.folders.contains_key(&stored.number) {
                continue;
            }
            let number = stored.number;
            let files = self.memory.watched_files(&stored).await?;
            let events = Events::new(events::most_watches(), self.arrived.clone());
            let folder = Folder::new(stored, files, events);
            self.memory.tell_progress(number, Some(folder.progress(self.settings.enabled)));
            if self.settings.enabled {
                tracing::info!(folder = folder.stored.path, kind = %folder.stored.kind, "captured from now on");
                self.folders.insert(number, folder);
            }
        }
        let is_there = |job: &Job| self.folders.contains_key(&job.folder);
        self.urgent.retain(is_there);
        self.backlog.retain(is_there);
        Ok(())
    }

    /// Looks at a folder and queues what is to be read.
    async fn look(&mut self, number: i64) -> Result<()> {
        let Some(mut folder) = self.folders.remove(&number) else { return Ok(()) };
        let polling = self.settings.polling;
        let looked = tokio::task::spawn_blocking(move || {
            let changes = folder.look(polling);
            (folder, changes)
        });
        let (mut folder, changes) = looked.await.doing(Kind::Internal, "look into a watched folder")?;
        let Changes { moved, gone, changed, is_first } = changes;
        for (from, to) in moved {
            let Some(file) = folder.files.remove(&from) else { continue };
            self.memory.capture_moved(&folder.stored, &file, &to).await?;
            self.forget_session(number, &from);
            folder.files.insert(to.clone(), WatchedFile { path: to, ..file });
        }
        for path in gone {
            let Some(file) = folder.files.remove(&path) else { continue };
            self.memory.capture_gone(&folder.stored, &file).await?;
            self.forget_session(number, &path);
        }
        folder.waiting += changed.len() as u64;
        let jobs = changed.into_iter().map(|path| Job { folder: number, path });
        if is_first {
            self.backlog.extend(jobs)
        } else {
            self.urgent.extend(jobs)
        }
        self.memory.tell_progress(number, Some(folder.progress(true)));
        self.folders.insert(number, folder);
        Ok(())
    }

    fn forget_session(&mut self, folder: i64, path: &str) {
        if let Some(sessions) = &mut self.sessions {
            sessions.forget(folder, path);
        }
    }

    /// Reads a file and has it stored.
    async fn read(&mut self, job: Job) -> Result<()> {
        let Some(folder) = self.folders.get_mut(&job.folder) else { return Ok(()) };
        folder.waiting = folder.waiting.saturating_sub(1);
        let known = folder.files.get(&job.path).cloned();
        let is_forgotten = match &known {
            Some(known) => self.memory.was_forgotten(known).await?,
            None => false,
        };
        let read = match folder.stored.kind.format() {
            _ if is_forgotten => self.leave_out(&job, known.clone()).await,
            None => self.read_note(&job, known.as_ref()).await,
            Some(format) => self.read_session(&job, known.as_ref(), format).await,
        };
        let file = match read {
            Ok(file) => file,
            Err(error) if will_work_later(&error) => return Err(error),
            Err(error) => self.unread(&job, known, error.full_text()),
        };
        let Some(folder) = self.folders.get_mut(&job.folder) else { return Ok(()) };
        if let Some(file) = file {
            folder.files.insert(job.path, file);
        }
        if folder.waiting % REPORT_EVERY == 0 {
            self.memory.tell_progress(job.folder, Some(folder.progress(true)));
        }
        Ok(())
    }

    /// A file of which the text was deleted here: it is looked at, so that a look finds it unchanged, and not read.
    async fn leave_out(&self, job: &Job, known: Option<WatchedFile>) -> Result<Option<WatchedFile>> {
        let (Some(folder), Some(known)) = (self.folders.get(&job.folder), known) else { return Ok(None) };
        let Ok(meta) = std::fs::metadata(folder.place(&job.path)) else { return Ok(None) };
        let problem = Some("what was captured of it was deleted here, and stays so".to_owned());
        let file = WatchedFile { stamp: listing::stamp(&meta), problem, ..known };
        self.memory.set_watched_file(&folder.stored, file.clone()).await?;
        Ok(Some(file))
    }

    /// A file that cannot be read; a later look at it, when it has changed, tries again. None: it went away.
    fn unread(&self, job: &Job, known: Option<WatchedFile>, problem: String) -> Option<WatchedFile> {
        let folder = self.folders.get(&job.folder)?;
        let meta = std::fs::metadata(folder.place(&job.path)).ok()?;
        let conversation = known.and_then(|known| known.conversation);
        let captured = CapturedFile { conversation, problem: Some(problem) };
        Some(file(job, listing::stamp(&meta), &captured))
    }

    async fn read_note(&self, job: &Job, known: Option<&WatchedFile>) -> Result<Option<WatchedFile>> {
        let Some(folder) = self.folders.get(&job.folder) else { return Ok(None) };
        let (place, most) = (folder.place(&job.path), self.settings.max_file_kib * 1024);
        let read = tokio::task::spawn_blocking(move || note::read(&place, most));
        let Some(Note { stamp, text }) = read.await.doing(Kind::Internal, "read a note")? else {
            return Ok(None);
        };
        let conversation = known.and_then(|known| known.conversation);
        let left_out = match text {
            Ok(text) => {
                let captured =
                    self.memory.capture_note(&folder.stored, &job.path, stamp, conversation, text).await?;
                return Ok(Some(file(job, stamp, &captured)));
            }
            Err(left_out) => {
                if let Some(known) = known {
                    // what it said before is in it no longer
                    self.memory.capture_gone(&folder.stored, known).await?;
                }
                left_out
            }
        };
        let is_lasting = matches!(left_out, LeftOut::Lasting(_));
        let (LeftOut::Lasting(problem) | LeftOut::Now(problem)) = left_out;
        let file = file(job, stamp, &CapturedFile { conversation: None, problem: Some(problem) });
        if is_lasting {
            self.memory.set_watched_file(&folder.stored, file.clone()).await?;
        }
        Ok(Some(file))
    }

    async fn read_session(
        &mut self,
        job: &Job,
        known: Option<&WatchedFile>,
        format: ImportFormat,
    ) -> Result<Option<WatchedFile>> {
        let Some(folder) = self.folders.get(&job.folder) else { return Ok(None) };
        let place = folder.place(&job.path);
        let (number, path) = (job.folder, job.path.clone());
        let mut sessions = self.sessions.take().unwrap_or_default();
        let read = tokio::task::spawn_blocking(move || {
            let part = sessions.read(number, &path, &place, format);
            (sessions, part)
        });
        let (sessions, part) = read.await.doing(Kind::Internal, "read a session")?;
        self.sessions = Some(sessions);
        let conversation = known.and_then(|known| known.conversation);
        let part = match part {
            Ok(part) => part,
            Err(error) => return Ok(self.unread(job, known.cloned(), error.full_text())),
        };
        let mut captured =
            match self.memory.capture_session(&folder.stored, part.readout, part.retitled).await {
                Ok(captured) => captured,
                Err(error) => {
                    // its records were given once, and must be given again
                    self.forget_session(job.folder, &job.path);
                    return Err(error);
                }
            };
        captured.conversation = conversation.or(captured.conversation);
        if captured.conversation.is_some() {
            captured.problem = None;
        }
        let file = file(job, part.stamp, &captured);
        if part.is_more {
            // what just changed gets its turn; until its end the file counts as unread
            if let Some(folder) = self.folders.get_mut(&job.folder) {
                folder.waiting += 1;
            }
            self.backlog.push_front(Job { folder: job.folder, path: job.path.clone() });
            return Ok(None);
        }
        if let Some(folder) = self.folders.get(&job.folder) {
            self.memory.set_watched_file(&folder.stored, file.clone()).await?;
        }
        Ok(Some(file))
    }
}

/// Whether something failed that has to do with the disk and not with the file.
fn will_work_later(error: &Error) -> bool {
    matches!(error.kind(), Kind::Storage | Kind::StorageFull | Kind::Busy)
}

fn file(job: &Job, stamp: Stamp, captured: &CapturedFile) -> WatchedFile {
    let CapturedFile { conversation, problem } = captured.clone();
    WatchedFile { path: job.path.clone(), stamp, conversation, problem }
}
