//! The verbs that put conversations in order.

use super::{Actor, Memory, check};
use crate::api::Page;
use crate::api::Patch;
use crate::api::event::Action;
use crate::api::organise::{
    Archived, Change, Contents, ConversationFilter, DeleteMatching, Folder, FolderDelete, FolderMove,
    FolderPath, NameList, Organise, Organised, Tag, TagName,
};
use crate::error::{Error, Result};
use crate::model::ConversationId;

/// Conversations that one transaction changes: some milliseconds.
const STEP: usize = 500;

impl Memory {
    /// Does the same to each of the conversations. Those of a filter are changed in steps; a retry does the rest.
    pub async fn organise(&self, organise: Organise, actor: &Actor) -> Result<Organised> {
        let Organise { ids, filter, change } = organise;
        let change = checked(change)?;
        let ids = match (ids, filter) {
            (Some(ids), None) => ids,
            (None, Some(filter)) => self.matching(filter).await?,
            _ => {
                return Err(Error::invalid("say which conversations: `ids` or `filter`, not both")
                    .hint("`filter: {}` is every conversation that is not archived"));
            }
        };
        for step in ids.chunks(STEP) {
            self.store().organise(step.to_vec(), change.clone()).await?;
            for id in step {
                self.0.events.conversation(actor, Action::ConversationUpdated, *id);
            }
        }
        // folders and tags come to be by what is put into them, go with the last of it, and tell how much they hold
        let files = !change.folder.is_keep();
        let tags = !(change.add_tags.is_empty() && change.remove_tags.is_empty());
        self.names_changed(actor, !ids.is_empty() && files, !ids.is_empty() && tags);
        Ok(Organised { conversations: ids.len() as u64, messages: 0 })
    }

    /// Tells that there may be other folders or tags than before.
    pub(super) fn names_changed(&self, actor: &Actor, folders: bool, tags: bool) {
        for (changed, action) in [(folders, Action::FoldersChanged), (tags, Action::TagsChanged)] {
            if changed {
                self.0.events.in_general(actor, action);
            }
        }
    }

    /// Deletes every conversation that a filter lets through; a retry does the rest.
    pub async fn delete_matching(&self, delete: DeleteMatching, actor: &Actor) -> Result<Organised> {
        let DeleteMatching { filter, all } = delete;
        let is_everything =
            ConversationFilter { archived: None, ..filter.clone() } == ConversationFilter::default();
        if is_everything && !all {
            return Err(Error::invalid("the filter restricts nothing: all conversations would be deleted")
                .hint("say `all: true` where you mean it"));
        }
        self.delete_each(self.matching(filter).await?, actor).await
    }

    async fn delete_each(&self, ids: Vec<ConversationId>, actor: &Actor) -> Result<Organised> {
        let mut done = Organised::default();
        for id in ids {
            let deleted = self.delete_conversation(id, actor).await?;
            done.conversations += u64::from(deleted.deleted);
            done.messages += deleted.messages;
        }
        Ok(done)
    }

    /// Every conversation that a filter lets through, as it is now.
    async fn matching(&self, filter: ConversationFilter) -> Result<Vec<ConversationId>> {
        let filter = self.narrowed(filter).await?;
        let mut ids = Vec::new();
        let mut before = None;
        loop {
            let (more, last) = self.store().conversation_ids(filter.clone(), before, STEP).await?;
            let is_last = more.len() < STEP;
            ids.extend(more);
            if is_last {
                return Ok(ids);
            }
            before = last;
        }
    }

    /// The folders.
    pub async fn folders(&self, list: NameList) -> Result<Page<Folder>> {
        self.store().folders(list).await
    }

    /// Makes a folder and those on the way to it.
    pub async fn create_folder(&self, folder: FolderPath, actor: &Actor) -> Result<Folder> {
        let made = self.store().create_folder(folder_path(&folder.path)?).await?;
        self.0.events.in_general(actor, Action::FoldersChanged);
        Ok(made)
    }

    /// Renames a folder or moves it elsewhere.
    pub async fn move_folder(&self, folder: FolderMove, actor: &Actor) -> Result<Folder> {
        let moved = self.store().move_folder(folder_path(&folder.path)?, folder_path(&folder.to)?).await?;
        self.0.events.in_general(actor, Action::FoldersChanged);
        Ok(moved)
    }

    /// Deletes a folder, and with `contents: delete` the conversations in it and below it.
    pub async fn delete_folder(&self, folder: FolderDelete, actor: &Actor) -> Result<Organised> {
        let FolderDelete { path, contents } = folder;
        let path = folder_path(&path)?;
        let mut done = Organised::default();
        if contents == Contents::Delete {
            let paths = self.store().folder_paths().await?;
            if paths.contains(&path) {
                let filter = ConversationFilter {
                    folder: Some(path.clone()),
                    archived: Some(Archived::Include),
                    ..ConversationFilter::default()
                };
                done = self.delete_each(self.matching(filter).await?, actor).await?;
            }
            // from the innermost out, so that none of them moves up
            let below = format!("{path}/");
            for folder in paths.iter().rev().filter(|folder| folder.starts_with(&below)) {
                self.store().delete_folder(folder.clone()).await?;
            }
        }
        done.conversations += self.store().delete_folder(path).await?;
        self.0.events.in_general(actor, Action::FoldersChanged);
        Ok(done)
    }

    /// The tags that conversations have.
    pub async fn tags(&self, list: NameList) -> Result<Page<Tag>> {
        self.store().tags(list).await
    }

    /// Takes a tag from every conversation.
    pub async fn delete_tag(&self, tag: TagName, actor: &Actor) -> Result<Organised> {
        let conversations = self.store().delete_tag(tag.name).await?;
        self.0.events.in_general(actor, Action::TagsChanged);
        Ok(Organised { conversations, messages: 0 })
    }
}

fn checked(change: Change) -> Result<Change> {
    let folder = match change.folder {
        Patch::Set(path) => Patch::Set(folder_path(&path)?),
        other => other,
    };
    check_tags(&change.add_tags)?;
    Ok(Change { folder, ..change })
}

pub(super) fn check_tags(tags: &[String]) -> Result<()> {
    tags.iter().try_for_each(|tag| check::name("the tag", Some(tag)))
}

/// A path as it is stored: names with one `/` between them.
pub(super) fn folder_path(path: &str) -> Result<String> {
    let names: Vec<&str> = path.split('/').map(str::trim).filter(|name| !name.is_empty()).collect();
    let whole = names.join("/");
    if whole.is_empty() || whole.contains(char::is_control) {
        return Err(Error::invalid(format!("'{}' is no path of a folder", path.escape_debug()))
            .hint("give names with `/` between them, such as \"Work/Clients\""));
    }
    check::name("the folder's path", Some(&whole))?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::limits::MAX_NAME_BYTES;

    #[test]
    fn paths_have_one_form() {
        for (typed, expected) in [
            ("Work", Some("Work")),
            (" /Work// Clients/", Some("Work/Clients")),
            ("", None),
            (" / ", None),
            ("a\nb", None),
        ] {
            assert_eq!(folder_path(typed).ok().as_deref(), expected, "{typed:?}");
        }
        assert!(folder_path(&"x".repeat(MAX_NAME_BYTES + 1)).is_err());
    }
}
