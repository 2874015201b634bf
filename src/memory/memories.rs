//! The verbs on memories: standing facts that all tools share.

use super::conversations::set_name;
use super::{Actor, Memory, check, chunk};
use crate::api::event::Action;
use crate::api::memory::{
    MemoriesMoved, MemoryAdd, MemoryAdded, MemoryHistory, MemoryList, MemoryMove, MemoryPathList,
    MemoryPaths, MemoryUpdate, OnDuplicate, SimilarMemory,
};
use crate::api::search::SearchMode;
use crate::api::{Deleted, Page, Patch, Stored};
use crate::error::{Error, Kind, Result};
use crate::model::{self, ClientRef, MemoryId, Timestamp};
use crate::secrets::{SecretField, SecretPlace};
use crate::store::NewMemory;

/// What sort of fact a memory is unless the client says.
const DEFAULT_KIND: &str = "fact";

impl Memory {
    /// Stores a fact; the same id again answers what is stored, and so does the very same fact without an id.
    pub async fn add_memory(&self, add: MemoryAdd, actor: &Actor) -> Result<MemoryAdded> {
        let on_duplicate = add.on_duplicate;
        let is_named = add.id.is_some();
        let is_known = match add.id {
            Some(id) => self.is_stored(id).await?,
            None => false,
        };
        let has_kind = add.kind.is_some();
        let (mut new, mut secrets) = self.checked(add)?;
        let (content, project, except) = (new.content.as_str(), new.project.as_deref(), Some(new.id));
        let similar = match (is_known, on_duplicate) {
            (true, _) => Vec::new(),
            // what is stored in any case must not wait for a model that is busy
            (false, OnDuplicate::Add) => self.similar_by(SearchMode::Lexical, content, project, except).await,
            (false, OnDuplicate::Suggest | OnDuplicate::Replace) => {
                self.similar(content, project, except).await
            }
        };
        if !is_named && let Some(known) = similar.iter().find(|known| is_same(&known.memory, &new)) {
            let memory = known.memory.clone();
            return Ok(MemoryAdded { memory, stored: true, similar, replaced: None, secrets });
        }
        if on_duplicate == OnDuplicate::Suggest && !similar.is_empty() {
            let memory = would_be(new, actor.client.clone());
            return Ok(MemoryAdded { memory, stored: false, similar, replaced: None, secrets });
        }
        if on_duplicate == OnDuplicate::Replace
            && let Some(SimilarMemory { memory: former, .. }) = similar.first()
        {
            self.take_place(&mut new, former, has_kind, &mut secrets);
        }
        let replaced = new.replaces;
        let created = self.store().add_memory(new, actor.client.clone()).await?;
        if created.fresh {
            self.0.events.memory(actor, Action::MemoryAdded, created.record.id);
            self.wake();
        }
        let replaced = replaced.filter(|_| created.fresh);
        Ok(MemoryAdded { memory: created.record, stored: true, similar, replaced, secrets })
    }

    /// Puts `new` into the place of `former`: what held everywhere must not hold in one project only from then on, nor
    /// lose its path. Where the settings of that one's project find other secrets, those are put to `secrets`.
    fn take_place(
        &self,
        new: &mut NewMemory,
        former: &model::Memory,
        has_kind: bool,
        secrets: &mut Vec<SecretPlace>,
    ) {
        new.replaces = Some(former.id);
        new.pinned |= former.pinned;
        new.path = new.path.take().or_else(|| former.path.clone());
        if !has_kind {
            new.kind.clone_from(&former.kind);
        }
        if new.project == former.project {
            return;
        }
        new.project.clone_from(&former.project);
        let guard = self.guard(former.project.as_deref());
        let (content, found) = guard.admit(std::mem::take(&mut new.content));
        new.chunks = chunk::chunk(&content);
        new.content = content;
        if !found.is_empty() {
            secrets.retain(|place| place.field != SecretField::Content);
            secrets.extend(found);
        }
    }

    /// A memory to store, checked, with its secrets treated as the settings say.
    pub(super) fn checked(&self, add: MemoryAdd) -> Result<(NewMemory, Vec<SecretPlace>)> {
        let MemoryAdd {
            id,
            content,
            kind,
            path,
            pinned,
            on_duplicate: _,
            project,
            source_message_id,
            expires_at,
            created_at,
            metadata,
        } = add;
        check::memory(&content)?;
        check::name("the project", project.as_deref())?;
        check::metadata(metadata.as_ref())?;
        let kind = kind.unwrap_or_else(|| DEFAULT_KIND.to_owned());
        check::kind(&kind)?;
        let path = path.as_deref().map(check::path).transpose()?;
        let guard = self.guard(project.as_deref());
        let (content, mut secrets) = guard.admit(content);
        // a mask may be longer than what it stands for
        check::memory(&content)?;
        let metadata = metadata.map(|metadata| guard.admit_metadata(metadata, &mut secrets));
        let new = NewMemory {
            id: id.unwrap_or_else(MemoryId::new),
            chunks: chunk::chunk(&content),
            kind,
            content,
            path,
            pinned,
            replaces: None,
            project,
            source_message_id,
            expires_at,
            created_at: created_at.unwrap_or_else(Timestamp::now),
            metadata,
        };
        Ok((new, secrets))
    }

    async fn is_stored(&self, id: MemoryId) -> Result<bool> {
        match self.store().memory(id).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// One memory.
    pub async fn memory(&self, id: MemoryId) -> Result<model::Memory> {
        self.store().memory(id).await
    }

    /// Memories, the last changed first.
    pub async fn memories(&self, list: MemoryList) -> Result<Page<model::Memory>> {
        let path = list.path.as_deref().map(check::path).transpose()?;
        self.store().memories(MemoryList { path, ..list }).await
    }

    /// What a memory says now, and what it said before.
    pub async fn memory_history(&self, id: MemoryId) -> Result<MemoryHistory> {
        Ok(MemoryHistory { versions: self.store().memory_history(id).await? })
    }

    /// The paths at which memories are.
    pub async fn memory_paths(&self, paths: MemoryPaths) -> Result<MemoryPathList> {
        let path = paths.path.as_deref().map(check::path).transpose()?;
        Ok(MemoryPathList { paths: self.store().memory_paths(MemoryPaths { path, ..paths }).await? })
    }

    /// Moves a path and everything below it.
    pub async fn move_memories(&self, moving: MemoryMove, actor: &Actor) -> Result<MemoriesMoved> {
        let from = check::path(&moving.from)?;
        let to = moving.to.as_deref().map(check::path).transpose()?;
        // the longest path below it must still be one
        let below = MemoryPaths { project: moving.project.clone(), path: Some(from.clone()) };
        for found in self.store().memory_paths(below).await? {
            if let Some(to) = &to {
                check::path(&format!("{to}{}", &found.path[from.len()..]))?;
            }
        }
        let moved = self.store().move_memories(MemoryMove { from, to, ..moving }).await?;
        if moved > 0 {
            self.0.events.in_general(actor, Action::MemoryUpdated);
        }
        Ok(MemoriesMoved { moved })
    }

    /// Changes what is given.
    pub async fn update_memory(&self, update: MemoryUpdate, actor: &Actor) -> Result<Stored<model::Memory>> {
        let (update, secrets) = self.checked_update(update).await?;
        let chunks = update.content.as_deref().map(chunk::chunk);
        let updated = self.store().update_memory(update, chunks).await?;
        self.0.events.memory(actor, Action::MemoryUpdated, updated.id);
        self.wake();
        Ok(Stored { record: updated, secrets })
    }

    /// A change, checked, with the secrets of a new text treated as the settings say.
    pub(super) async fn checked_update(
        &self,
        update: MemoryUpdate,
    ) -> Result<(MemoryUpdate, Vec<SecretPlace>)> {
        let mut update = update;
        set_name("the project", &update.project)?;
        if let Some(kind) = &update.kind {
            check::kind(kind)?;
        }
        if let Patch::Set(path) = &update.path {
            update.path = Patch::Set(check::path(path)?);
        }
        if let Patch::Set(metadata) = &update.metadata {
            check::metadata(Some(metadata))?;
        }
        let brings_text = update.content.is_some() || matches!(update.metadata, Patch::Set(_));
        if !brings_text {
            return Ok((update, Vec::new()));
        }
        let project = match &update.project {
            Patch::Set(project) => Some(project.clone()),
            Patch::Clear => None,
            Patch::Keep if self.config().secrets.projects.is_empty() => None,
            Patch::Keep => self.store().memory(update.id).await?.project,
        };
        let guard = self.guard(project.as_deref());
        let mut secrets = Vec::new();
        if let Some(content) = update.content.take() {
            check::memory(&content)?;
            let (content, found) = guard.admit(content);
            check::memory(&content)?;
            secrets = found;
            update.content = Some(content);
        }
        update.metadata = update.metadata.map(|metadata| guard.admit_metadata(metadata, &mut secrets));
        Ok((update, secrets))
    }

    /// Moves one memory and its history into the trash; their vectors follow in the background.
    pub async fn delete_memory(&self, id: MemoryId, actor: &Actor) -> Result<Deleted> {
        let deleted = self.store().delete_memory(id).await?;
        if deleted.deleted {
            self.0.events.memory(actor, Action::MemoryDeleted, id);
            self.wake();
        }
        Ok(deleted)
    }
}

/// Whether `new` would change nothing but the number of memories.
fn is_same(known: &model::Memory, new: &NewMemory) -> bool {
    let of_known = (known.content.trim(), &known.kind, &known.path, known.pinned, &known.project);
    let of_new = (new.content.trim(), &new.kind, &new.path, new.pinned, &new.project);
    of_known == of_new && known.expires_at == new.expires_at
}

/// The memory that `new` would become.
fn would_be(new: NewMemory, client: Option<ClientRef>) -> model::Memory {
    let NewMemory {
        id,
        kind,
        content,
        path,
        pinned,
        replaces: _,
        project,
        source_message_id,
        expires_at,
        created_at,
        metadata,
        chunks: _,
    } = new;
    model::Memory {
        id,
        kind,
        content,
        path,
        pinned,
        project,
        client,
        source_message_id,
        created_at,
        updated_at: created_at,
        expires_at,
        superseded_by: None,
        metadata,
    }
}

/// The error of a list that is too long.
pub(super) fn too_many(what: &str, found: usize, most: usize) -> Error {
    Error::new(Kind::TooLarge, format!("`{what}` holds {found}, at most {most} are allowed"))
        .hint("send them in several calls")
}
