//! Conversations put in order: folders, tags, pins, the archive, and what is private.

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::filter::{below, tag_key};
use super::page::{Filling, rows as page_rows};
use super::readers::READ_DEADLINE;
use super::rows::count;
use super::{Store, messages};
use crate::api::organise::{Change, Folder, NameList, Tag};
use crate::api::{Cursor, Page, Patch};
use crate::error::{Error, Kind, Result};
use crate::model::ConversationId;

impl Store {
    /// Does the same to each of the conversations. Errors: one of them does not exist; then nothing is done.
    pub async fn organise(&self, ids: Vec<ConversationId>, change: Change) -> Result<()> {
        if change.private == Some(true) {
            self.expect_private();
        }
        self.write(move |db| {
            for id in ids {
                change_one(db, messages::number_of(db, id)?, &change)?;
            }
            Ok(())
        })
        .await
    }

    /// The folders, in the order of their paths.
    pub async fn folders(&self, list: NameList) -> Result<Page<Folder>> {
        self.names(list, FOLDERS, |row| Ok(Folder { path: row.get(0)?, conversations: count(row, 1)? })).await
    }

    /// The tags, in the order of the alphabet.
    pub async fn tags(&self, list: NameList) -> Result<Page<Tag>> {
        self.names(list, TAGS, |row| Ok(Tag { name: row.get(2)?, conversations: count(row, 1)? })).await
    }

    /// A page of a list whose first column is what it is sorted by.
    async fn names<T: Send + 'static>(
        &self,
        list: NameList,
        sql: &'static str,
        read: fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Page<T>> {
        let limit = page_rows(list.limit);
        let after = list.cursor.map(|cursor| cursor.to_string()).unwrap_or_default();
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(sql)?;
            let mut found = statement.query(params![after, limit as i64 + 1])?;
            let mut page = Filling::new(limit);
            let (mut last, mut n) = (String::new(), 0);
            while let Some(row) = found.next()? {
                let key: String = row.get(0)?;
                let bytes = key.len();
                n += 1;
                if !page.push(read(row)?, (n, 0), bytes) {
                    break;
                }
                last = key;
            }
            let page = page.finish();
            // names are their own cursors
            Ok(Page { next_cursor: page.next_cursor.map(|_| Cursor::from(last)), ..page })
        })
        .await
    }

    /// Makes a folder and those on the way to it.
    pub async fn create_folder(&self, path: String) -> Result<Folder> {
        self.write(move |db| {
            folder(db, Some(&path))?;
            get(db, &path)
        })
        .await
    }

    /// Renames a folder or moves it elsewhere, with what lies below it. Errors: there is none; the new path is taken,
    /// or lies within the folder.
    pub async fn move_folder(&self, path: String, to: String) -> Result<Folder> {
        self.write(move |db| {
            get(db, &path)?;
            if path == to {
                return get(db, &to);
            }
            if to.starts_with(&format!("{path}/")) {
                return Err(Error::invalid(format!(
                    "move the folder '{path}' to '{to}': that lies within it"
                )));
            }
            if number(db, &to)?.is_some() {
                return Err(Error::new(
                    Kind::Conflict,
                    format!("move the folder '{path}': there is a folder '{to}' already"),
                )
                .hint("choose another name, or move what lies in it"));
            }
            if let Some((parent, _)) = to.rsplit_once('/') {
                folder(db, Some(parent))?;
            }
            for (id, old) in subtree(db, &path)? {
                let new = format!("{to}{}", &old[path.len()..]);
                db.prepare_cached(RENAME)?.execute(params![id, new])?;
            }
            get(db, &to)
        })
        .await
    }

    /// Deletes a folder. What lies in it moves to the folder above; a folder that has a namesake there is merged with
    /// it. Answers how many conversations moved. Errors: there is none.
    pub async fn delete_folder(&self, path: String) -> Result<u64> {
        self.write(move |db| {
            let root = number(db, &path)?.ok_or_else(|| missing(&path))?;
            let parent = path.rsplit_once('/').map(|(parent, _)| parent);
            let above = folder(db, parent)?;
            let moved = db.prepare_cached(REFILE)?.execute(params![root, above])?;
            let below: Vec<_> = subtree(db, &path)?.into_iter().filter(|(id, _)| *id != root).collect();
            db.prepare_cached(DELETE_FOLDER)?.execute([root])?;
            // first out of each other's way: no path of a folder begins with a slash
            for (id, _) in &below {
                db.prepare_cached(RENAME)?.execute(params![id, format!("/{id}")])?;
            }
            for (id, old) in below {
                let rest = &old[path.len() + 1..];
                let new = parent.map_or(rest.to_owned(), |parent| format!("{parent}/{rest}"));
                match number(db, &new)? {
                    Some(namesake) => {
                        db.prepare_cached(REFILE)?.execute(params![id, namesake])?;
                        db.prepare_cached(DELETE_FOLDER)?.execute([id])?;
                    }
                    None => {
                        db.prepare_cached(RENAME)?.execute(params![id, new])?;
                    }
                }
            }
            Ok(moved as u64)
        })
        .await
    }

    /// The paths of all folders: to find the one that somebody means.
    pub async fn folder_paths(&self) -> Result<Vec<String>> {
        self.read(READ_DEADLINE, |db| {
            let mut statement = db.prepare_cached("SELECT path FROM folder ORDER BY path")?;
            let paths = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok(paths)
        })
        .await
    }

    /// The names of all projects, the newest first: to find the one that somebody means.
    pub async fn project_names(&self) -> Result<Vec<String>> {
        self.read(READ_DEADLINE, |db| {
            let mut statement = db.prepare_cached("SELECT name FROM project ORDER BY id DESC")?;
            let names = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok(names)
        })
        .await
    }

    /// Takes a tag from every conversation; answers how many had it.
    pub async fn delete_tag(&self, name: String) -> Result<u64> {
        self.write(move |db| {
            let found: Option<(i64, i64)> = db
                .prepare_cached("SELECT id, conversations FROM tag WHERE key = ?1")?
                .query_row([tag_key(&name)], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((tag, conversations)) = found else { return Ok(0) };
            db.prepare_cached("DELETE FROM tag WHERE id = ?1")?.execute([tag])?;
            Ok(conversations.unsigned_abs())
        })
        .await
    }
}

pub(super) const FOLDERS: &str =
    "SELECT f.path, (SELECT count(*) FROM conversation c WHERE c.folder_id = f.id)
   FROM folder f WHERE f.path > ?1 ORDER BY f.path LIMIT ?2";
pub(super) const TAGS: &str = "SELECT key, conversations, name FROM tag WHERE key > ?1 ORDER BY key LIMIT ?2";
pub(super) const REFILE: &str = "UPDATE conversation SET folder_id = ?2 WHERE folder_id = ?1";
pub(super) const SUBTREE: &str = "SELECT id, path FROM folder WHERE path = ?1
   UNION ALL SELECT id, path FROM folder WHERE path > ?2 AND path < ?3";
const RENAME: &str = "UPDATE folder SET path = ?2 WHERE id = ?1";
const DELETE_FOLDER: &str = "DELETE FROM folder WHERE id = ?1";

/// Whether there is a private conversation.
pub(super) fn has_private(db: &Connection) -> Result<bool> {
    Ok(db.query_row("SELECT EXISTS(SELECT 1 FROM conversation WHERE private = 1)", [], |row| row.get(0))?)
}

/// The number of a folder, made with those on the way to it where they are missing. A path without a name is none.
pub(super) fn folder(db: &Connection, path: Option<&str>) -> Result<Option<i64>> {
    let mut found = None;
    let mut way = String::new();
    for name in path.unwrap_or_default().split('/').map(str::trim).filter(|name| !name.is_empty()) {
        if !way.is_empty() {
            way.push('/');
        }
        way.push_str(name);
        found = number(db, &way)?;
        if found.is_none() {
            db.prepare_cached("INSERT INTO folder(path) VALUES(?1)")?.execute([&way])?;
            found = Some(db.last_insert_rowid());
        }
    }
    Ok(found)
}

/// Gives a conversation tags that it may have already.
pub(super) fn add_tags(db: &Connection, conversation: i64, names: &[String]) -> Result<()> {
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        let key = tag_key(name);
        db.prepare_cached("INSERT INTO tag(key, name) VALUES(?1, ?2) ON CONFLICT DO NOTHING")?
            .execute([&key, name])?;
        db.prepare_cached(
            "INSERT INTO conversation_tag(conversation_id, tag_id) SELECT ?1, id FROM tag WHERE key = ?2
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![conversation, key])?;
    }
    Ok(())
}

fn change_one(db: &Connection, conversation: i64, change: &Change) -> Result<()> {
    let Change { pinned, archived, private, folder: into, add_tags: added, remove_tags } = change;
    db.prepare_cached(
        "UPDATE conversation SET pinned = coalesce(?2, pinned), archived = coalesce(?3, archived),
           private = coalesce(?4, private) WHERE id = ?1",
    )?
    .execute(params![conversation, pinned, archived, private])?;
    let into = match into {
        Patch::Keep => None,
        Patch::Clear => Some(None),
        Patch::Set(path) => Some(folder(db, Some(path))?),
    };
    if let Some(folder) = into {
        db.prepare_cached("UPDATE conversation SET folder_id = ?2 WHERE id = ?1")?
            .execute(params![conversation, folder])?;
    }
    add_tags(db, conversation, added)?;
    for name in remove_tags {
        db.prepare_cached(
            "DELETE FROM conversation_tag WHERE conversation_id = ?1
               AND tag_id = (SELECT id FROM tag WHERE key = ?2)",
        )?
        .execute(params![conversation, tag_key(name)])?;
    }
    Ok(())
}

fn number(db: &Connection, path: &str) -> Result<Option<i64>> {
    let sql = "SELECT id FROM folder WHERE path = ?1";
    Ok(db.prepare_cached(sql)?.query_row([path], |row| row.get(0)).optional()?)
}

fn get(db: &Connection, path: &str) -> Result<Folder> {
    let id = number(db, path)?.ok_or_else(|| missing(path))?;
    let conversations = db
        .prepare_cached("SELECT count(*) FROM conversation WHERE folder_id = ?1")?
        .query_row([id], |row| count(row, 0))?;
    Ok(Folder { path: path.to_owned(), conversations })
}

fn missing(path: &str) -> Error {
    Error::not_found(format_args!("a folder '{path}'")).hint("folder.list names them all")
}

/// A folder and those below it.
fn subtree(db: &Connection, path: &str) -> Result<Vec<(i64, String)>> {
    let mut statement = db.prepare_cached(SUBTREE)?;
    let rows = statement.query_map(params_from_iter(below(path)), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
