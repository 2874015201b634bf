//! What is captured of watched folders. The watcher reads the files and calls these verbs; nobody else does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::guard::Guard;
use super::{Actor, Memory, chunk};
use crate::api::data::Refused;
use crate::api::event::Action;
use crate::api::message::MessageUpdate;
use crate::api::watch::{Watch, WatchState};
use crate::config;
use crate::error::Result;
use crate::exchange::{Readout, Record, Retitled, note};
use crate::model::{ClientRef, ConversationId, Message, MessageId, Metadata, Role, Timestamp};
use crate::store::{NewConversation, Note, Section, Stamp, WatchedFile, WatchedFolder};

/// Left-out files that are told one by one.
const MAX_TOLD: usize = 20;
/// The newest messages of a session whose text may still change.
const CHANGEABLE: usize = 50;

/// How the capturing of a folder goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// How it is watched.
    pub state: WatchState,
    /// What is wrong and what to do, if something is.
    pub problem: Option<String>,
    /// Files that are captured.
    pub files: u64,
    /// Files that are left to be read.
    pub waiting: u64,
    /// Files that are left out.
    pub skipped_total: u64,
    /// Some of them.
    pub skipped: Vec<Refused>,
}

/// What the watcher tells of its work, and what it is told.
#[derive(Default)]
pub(super) struct Captures {
    /// Grows when the list of folders, or a setting, changes.
    version: AtomicU64,
    changed: Notify,
    progress: Mutex<BTreeMap<i64, Progress>>,
}

impl Captures {
    pub(super) fn change(&self) {
        self.version.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// A folder as clients see it.
    pub(super) fn told(&self, folder: WatchedFolder) -> Watch {
        let WatchedFolder { number, path, kind, project, added_at } = folder;
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let Progress { state, problem, files, waiting, skipped_total, skipped } =
            progress.get(&number).cloned().unwrap_or_default();
        Watch { path, kind, project, added_at, state, problem, files, waiting, skipped_total, skipped }
    }

    /// What is wrong with folders.
    pub(super) fn problems(&self) -> Vec<String> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.values().filter_map(|progress| progress.problem.clone()).collect()
    }
}

/// A file that was captured, and what it is from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CapturedFile {
    /// The conversation that it became; none: it says nothing.
    pub conversation: Option<ConversationId>,
    /// Why it is left out.
    pub problem: Option<String>,
}

impl Memory {
    /// Completes when the list of folders or the settings changed; [`Memory::captures_version`] tells it too.
    pub async fn captures_changed(&self) {
        self.0.captures.changed.notified().await;
    }

    /// Grows when the list of folders or the settings change.
    pub fn captures_version(&self) -> u64 {
        self.0.captures.version.load(Ordering::Relaxed)
    }

    /// The settings of the capture.
    pub fn capture_settings(&self) -> config::Capture {
        self.config().capture.clone()
    }

    /// The folders to watch.
    pub async fn watched_folders(&self) -> Result<Vec<WatchedFolder>> {
        self.store().watches().await
    }

    /// What is known of the files of a folder.
    pub async fn watched_files(&self, folder: &WatchedFolder) -> Result<Vec<WatchedFile>> {
        self.store().watched_files(folder.number).await
    }

    /// Notes how the capturing of a folder goes; none: it is not watched any more.
    pub fn tell_progress(&self, folder: i64, progress: Option<Progress>) {
        let mut all = self.0.captures.progress.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Some(mut progress) => {
                progress.skipped.truncate(MAX_TOLD);
                all.insert(folder, progress);
            }
            None => drop(all.remove(&folder)),
        }
    }

    /// Notes how a file was when it was read.
    pub async fn set_watched_file(&self, folder: &WatchedFolder, file: WatchedFile) -> Result<()> {
        self.store().set_watched_file(folder.number, file).await
    }

    /// Whether what a file became was deleted by somebody: then it stays so.
    pub async fn was_forgotten(&self, file: &WatchedFile) -> Result<bool> {
        match file.conversation {
            Some(id) => Ok(!self.store().has_conversation(id).await?),
            None => Ok(false),
        }
    }

    /// Stores a file of notes in the place of what was stored of it.
    pub async fn capture_note(
        &self,
        folder: &WatchedFolder,
        path: &str,
        stamp: Stamp,
        known: Option<ConversationId>,
        text: String,
    ) -> Result<CapturedFile> {
        let written = Timestamp::from_millis(stamp.modified / 1_000_000).min(Timestamp::now());
        let id = match known {
            Some(known) => known,
            None => self.conversation_for(folder, path).await?,
        };
        let guard = self.guard_of_captured(id, folder).await?;
        // the whole text, because a key may go over several sections
        let cut = move || sections(id, &guard.admit(text).0, written);
        let sections = tokio::task::spawn_blocking(cut).await.map_err(|panic| {
            crate::error::Error::internal("cut a file into sections: the program failed").caused_by(panic)
        })?;
        if sections.is_empty() && known.is_none() {
            let file = WatchedFile { path: path.into(), stamp, conversation: None, problem: None };
            self.store().set_watched_file(folder.number, file).await?;
            return Ok(CapturedFile::default());
        }
        let conversation = NewConversation {
            id,
            title: Some(guard.admit(path.to_owned()).0),
            project: folder.project.clone(),
            model: None,
            folder: None,
            tags: Vec::new(),
            private: false,
            metadata: Some(whereabouts(folder, path)),
            created_at: written,
        };
        let file = WatchedFile { path: path.into(), stamp, conversation: Some(id), problem: None };
        let note = Note { watch: folder.number, file, conversation, client: client(), sections };
        let noted = self.store().capture_note(note).await?;
        if noted.created {
            self.0.events.conversation(&actor(folder), Action::ConversationCreated, id);
        } else if noted.deleted > 0 {
            self.0.events.conversation(&actor(folder), Action::ConversationUpdated, id);
        }
        if !noted.added.is_empty() {
            self.0.events.messages(&actor(folder), Action::MessagesAppended, id, noted.added);
        }
        self.wake();
        Ok(CapturedFile { conversation: Some(id), problem: None })
    }

    /// What happens to secrets: as the project says that the conversation is in, or will be.
    async fn guard_of_captured(&self, id: ConversationId, folder: &WatchedFolder) -> Result<Guard> {
        match self.store().has_conversation(id).await? {
            true => self.guard_of(id).await,
            false => Ok(self.guard(folder.project.as_deref())),
        }
    }

    /// The conversation of a file that was not known: what it became when it was watched before, unless another file
    /// has that now because it was renamed.
    async fn conversation_for(&self, folder: &WatchedFolder, path: &str) -> Result<ConversationId> {
        let before = ConversationId::derived(NOTES, &whole_path(folder, path));
        Ok(match self.store().is_captured(before).await? {
            true => ConversationId::new(),
            false => before,
        })
    }

    /// Stores what was read of a session; what is stored already stays.
    pub async fn capture_session(
        &self,
        folder: &WatchedFolder,
        mut read: Readout,
        retitled: Vec<Retitled>,
    ) -> Result<CapturedFile> {
        let mut captured = CapturedFile::default();
        for record in &mut read.records {
            if let Record::Conversation(conversation) = record {
                captured.conversation.get_or_insert(conversation.id);
                conversation.project = folder.project.clone().or(conversation.project.take());
            }
        }
        if captured.conversation.is_none() {
            captured.problem =
                read.refused.first().map(|refused| format!("{} {}", refused.place, refused.reason));
        }
        self.change_what_grew(folder, &read).await?;
        let brought = self.bring_in(read, false).await?;
        let mut by_conversation: BTreeMap<ConversationId, Vec<MessageId>> = BTreeMap::new();
        for (conversation, message) in brought.fresh {
            by_conversation.entry(conversation).or_default().push(message);
        }
        for (conversation, messages) in by_conversation {
            self.0.events.messages(&actor(folder), Action::MessagesAppended, conversation, messages);
        }
        for Retitled { conversation, title, former } in retitled {
            let guard = self.guard_of_captured(conversation, folder).await?;
            let title = guard.admit(title).0;
            let former = former.into_iter().map(|former| guard.admit(former).0).collect();
            if self.store().retitle(conversation, title, former).await? {
                self.0.events.conversation(&actor(folder), Action::ConversationUpdated, conversation);
            }
        }
        Ok(captured)
    }

    /// Some tools write an answer down while it grows, and then again. What a person changed since is left alone.
    async fn change_what_grew(&self, folder: &WatchedFolder, read: &Readout) -> Result<()> {
        let message = |record: &Record| match record {
            Record::Message(message) => Some(message.clone()),
            Record::Conversation(_) | Record::Memory(_) => None,
        };
        let newest: Vec<Message> = read.records.iter().rev().filter_map(message).take(CHANGEABLE).collect();
        for Message { id, content, .. } in newest {
            let Some(stored) = self.store().message_if_any(id).await? else { continue };
            let guard = self.guard_of_captured(stored.conversation_id, folder).await?;
            let content = guard.admit(content).0;
            if stored.content != content
                && (stored.edited_at.is_none() || content.starts_with(&stored.content))
            {
                let chunks = chunk::chunk(&content);
                let update = MessageUpdate {
                    id,
                    content: Some(content),
                    author: Default::default(),
                    metadata: Default::default(),
                };
                self.store().update_message(update, Some(chunks)).await?;
            }
        }
        Ok(())
    }

    /// A file of the folder has another name.
    pub async fn capture_moved(&self, folder: &WatchedFolder, file: &WatchedFile, to: &str) -> Result<()> {
        self.store().move_watched_file(folder.number, file.path.clone(), to.to_owned()).await?;
        if let (Some(id), None) = (file.conversation, folder.kind.format()) {
            let title = self.guard_of_captured(id, folder).await?.admit(to.to_owned()).0;
            self.store().rename_note(id, title, whereabouts(folder, to)).await?;
            self.0.events.conversation(&actor(folder), Action::ConversationUpdated, id);
            self.wake();
        }
        Ok(())
    }

    /// A file of the folder is gone, and a note with it; sessions stay: their tools tidy their files away.
    pub async fn capture_gone(&self, folder: &WatchedFolder, file: &WatchedFile) -> Result<()> {
        self.forget_note(folder, file).await?;
        self.store().forget_watched_file(folder.number, file.path.clone()).await
    }

    /// Deletes what a note became.
    pub async fn forget_note(&self, folder: &WatchedFolder, file: &WatchedFile) -> Result<()> {
        if let (Some(id), None) = (file.conversation, folder.kind.format()) {
            self.delete_conversation(id, &actor(folder)).await?;
        }
        Ok(())
    }
}

/// The sections of a file as messages. An id is made of the place and of the text, so that what is the same is known.
fn sections(conversation: ConversationId, text: &str, written: Timestamp) -> Vec<Section> {
    let section = |(place, section): (usize, note::Section<'_>)| {
        let key = format!("{conversation}/{place}/{}", section.text);
        let message = Message {
            id: MessageId::derived(NOTES, &key),
            conversation_id: conversation,
            parent_id: None,
            seq: 0,
            role: Role::Note,
            author: None,
            content: section.text.to_owned(),
            model: None,
            client: Some(client()),
            status: None,
            sources: Vec::new(),
            usage: None,
            searchable: true,
            created_at: written,
            edited_at: None,
            metadata: Some(Metadata::from_iter([("line".to_owned(), section.line.into())])),
        };
        Section { chunks: chunk::chunk(&message.content), message }
    };
    note::sections(text).into_iter().enumerate().map(section).collect()
}

/// The tool that files of notes are credited to.
const NOTES: &str = "notes";

fn client() -> ClientRef {
    ClientRef { name: NOTES.into(), version: String::new() }
}

fn actor(folder: &WatchedFolder) -> Actor {
    let name = folder.kind.name().to_owned();
    Actor { client: Some(ClientRef { name, version: String::new() }), connection: 0 }
}

/// Where a note is, in the conversation's metadata.
fn whereabouts(folder: &WatchedFolder, path: &str) -> Metadata {
    Metadata::from_iter([("file".to_owned(), whole_path(folder, path).into())])
}

fn whole_path(folder: &WatchedFolder, path: &str) -> String {
    std::path::Path::new(&folder.path).join(path).display().to_string()
}
