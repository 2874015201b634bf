//! Filters of searches and lists as conditions of SQL. What is private is kept out here, so that no search can
//! forget it.

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension, ToSql};

use super::rows::role_number;
use crate::api::organise::{Archived, ConversationFilter};
use crate::api::search::SearchFilter;
use crate::error::Result;
use crate::model::{ConversationId, SourceKind, Timestamp};
use crate::text;

/// The tables that a condition on messages may name.
pub(super) const MESSAGES: &str = "message m JOIN conversation c ON c.id = m.conversation_id";

/// What a filter lets through.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Restriction {
    /// Messages that fulfil this; none: no message.
    pub(super) messages: Option<Condition>,
    /// Memories that fulfil this; none: no memory.
    pub(super) memories: Option<Condition>,
    conversation: Option<ConversationId>,
    project: Option<String>,
}

/// Conversations that are listed at most; a filter that lets more through is looked at message by message.
const MAX_LISTED: usize = 50_000;

/// Terms that must all hold, over `message m` and `conversation c`, or over `memory m`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Condition {
    terms: Vec<&'static str>,
    values: Vec<Value>,
}

/// Whether there may be private conversations. Where there are none, nothing has to be kept out, and a search without
/// a filter needs no look at its hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Private {
    None,
    Some,
}

impl Restriction {
    /// What the filter lets through. Memories that no longer hold are never let through, nor are private
    /// conversations but the one that the filter names or that asks.
    pub(super) fn of(filter: &SearchFilter, private: Private) -> Self {
        let SearchFilter {
            conversation_id,
            project,
            client,
            role,
            kind,
            folder,
            tags,
            pinned,
            archived,
            seen_from,
            since,
            until,
        } = filter;
        let mut messages = Condition::default();
        let mut memories = Condition::default();
        memories.add("m.superseded_by IS NULL", []);
        memories.add("(m.expires_at IS NULL OR m.expires_at > ?)", [Timestamp::now().as_millis().into()]);
        if let Some(id) = conversation_id {
            let uid = Value::Blob(id.as_bytes().to_vec());
            messages.add("m.conversation_id = (SELECT id FROM conversation WHERE uid = ?)", [uid]);
        } else if private == Private::Some {
            match seen_from {
                Some(id) => messages.add(
                    "m.conversation_id NOT IN (SELECT id FROM conversation WHERE private = 1 AND uid <> ?)",
                    [Value::Blob(id.as_bytes().to_vec())],
                ),
                None => messages
                    .add("m.conversation_id NOT IN (SELECT id FROM conversation WHERE private = 1)", []),
            }
        }
        if let Some(project) = project {
            let value = Value::Text(project.clone());
            messages.add("c.project_id = (SELECT id FROM project WHERE name = ?)", [value.clone()]);
            memories.add("m.project_id = (SELECT id FROM project WHERE name = ?)", [value]);
        }
        if let Some(client) = client {
            let term = "m.client_id IN (SELECT id FROM client WHERE name = ?)";
            messages.add(term, [Value::Text(client.clone())]);
            memories.add(term, [Value::Text(client.clone())]);
        }
        if let Some(role) = role {
            messages.add("m.role = ?", [role_number(*role).into()]);
        }
        for (time, term) in [(since, "m.created_at >= ?"), (until, "m.created_at < ?")] {
            if let Some(time) = time {
                messages.add(term, [time.as_millis().into()]);
                memories.add(term, [time.as_millis().into()]);
            }
        }
        messages.organised(folder.as_deref(), tags, *pinned);
        match archived {
            None | Some(Archived::Include) => {}
            Some(Archived::Exclude) => messages.add("c.archived = 0", []),
            Some(Archived::Only) => messages.add("c.archived = 1", []),
        }
        // what is said in a conversation or by somebody is no memory
        let is_of_conversations = conversation_id.is_some()
            || role.is_some()
            || folder.is_some()
            || !tags.is_empty()
            || pinned.is_some()
            || *archived == Some(Archived::Only);
        let memories_fit = !is_of_conversations && *kind != Some(SourceKind::Message);
        Self {
            messages: (*kind != Some(SourceKind::Memory)).then_some(messages),
            memories: memories_fit.then_some(memories),
            conversation: *conversation_id,
            project: project.clone(),
        }
    }

    /// The conversations that messages must be of, by number and sorted; none: any, or too many to list.
    pub(super) fn conversations(&self, db: &Connection) -> Result<Option<Vec<i64>>> {
        let (sql, value) = match (&self.conversation, &self.project) {
            (Some(id), _) => (BY_ID, Value::Blob(id.as_bytes().to_vec())),
            (None, Some(project)) => (BY_PROJECT, Value::Text(project.clone())),
            (None, None) => return Ok(None),
        };
        let mut statement = db.prepare_cached(sql)?;
        let found = statement.query_map((value, MAX_LISTED as i64 + 1), |row| row.get(0))?;
        let mut numbers = found.collect::<rusqlite::Result<Vec<i64>>>()?;
        numbers.sort_unstable();
        Ok((numbers.len() <= MAX_LISTED).then_some(numbers))
    }
}

pub(super) const BY_ID: &str = "SELECT id FROM conversation WHERE uid = ?1 LIMIT ?2";
pub(super) const BY_PROJECT: &str =
    "SELECT id FROM conversation WHERE project_id = (SELECT id FROM project WHERE name = ?1) LIMIT ?2";

/// Whether the filter lets everything through that is not private.
pub(super) fn lets_all_through(filter: &SearchFilter) -> bool {
    SearchFilter { seen_from: None, ..filter.clone() } == SearchFilter::default()
}

/// A restriction's two conditions as prepared statements.
pub(super) struct Prepared<'a> {
    messages: Option<(CachedStatement<'a>, &'a Condition)>,
    memories: Option<(CachedStatement<'a>, &'a Condition)>,
}

impl<'a> Prepared<'a> {
    /// `message` and `memory` write the queries; each answers the number of what it finds, if anything.
    pub(super) fn new(
        db: &'a Connection,
        restriction: &'a Restriction,
        message: fn(&Condition) -> String,
        memory: fn(&Condition) -> String,
    ) -> Result<Self> {
        let prepare = |condition: &'a Option<Condition>, sql: fn(&Condition) -> String| {
            let prepared = condition
                .as_ref()
                .map(|condition| Ok::<_, rusqlite::Error>((db.prepare_cached(&sql(condition))?, condition)));
            prepared.transpose()
        };
        Ok(Self {
            messages: prepare(&restriction.messages, message)?,
            memories: prepare(&restriction.memories, memory)?,
        })
    }

    /// The number of the message that the query finds with these values before those of its condition.
    pub(super) fn message(&mut self, values: &[&dyn ToSql]) -> Result<Option<i64>> {
        first(&mut self.messages, values)
    }

    /// The same of a memory.
    pub(super) fn memory(&mut self, values: &[&dyn ToSql]) -> Result<Option<i64>> {
        first(&mut self.memories, values)
    }
}

fn first(
    prepared: &mut Option<(CachedStatement<'_>, &Condition)>,
    values: &[&dyn ToSql],
) -> Result<Option<i64>> {
    let Some((statement, condition)) = prepared else { return Ok(None) };
    let params: Vec<&dyn ToSql> = values.iter().copied().chain(condition.values()).collect();
    Ok(statement.query_row(&params[..], |row| row.get(0)).optional()?)
}

/// A memory of that number, if the condition lets it through.
pub(super) fn memory_numbered(condition: &Condition) -> String {
    format!("SELECT m.id FROM memory m WHERE m.id = ?{}", condition.and_more())
}

impl Condition {
    /// What a filter of conversations says but for the archive, the words and the time.
    pub(super) fn of_conversations(filter: &ConversationFilter) -> Self {
        let ConversationFilter {
            query: _,
            project,
            client,
            folder,
            tags,
            pinned,
            archived: _,
            since: _,
            until: _,
        } = filter;
        let mut condition = Self::default();
        if let Some(project) = project {
            let value = Value::Text(project.clone());
            condition.add("c.project_id = (SELECT id FROM project WHERE name = ?)", [value]);
        }
        if let Some(client) = client {
            let value = Value::Text(client.clone());
            condition.add("c.client_id IN (SELECT id FROM client WHERE name = ?)", [value]);
        }
        condition.organised(folder.as_deref(), tags, *pinned);
        condition
    }

    fn organised(&mut self, folder: Option<&str>, tags: &[String], pinned: Option<bool>) {
        if let Some(folder) = folder {
            let term = "c.folder_id IN (SELECT id FROM folder WHERE path = ? UNION ALL SELECT id FROM folder WHERE path > ? AND path < ?)";
            self.add(term, below(folder));
        }
        for tag in tags {
            self.add(
                concat!(
                    "EXISTS (SELECT 1 FROM conversation_tag t WHERE t.conversation_id = c.id AND t.tag_id = ",
                    tag_called!(),
                    ")"
                ),
                tag_names(tag),
            );
        }
        if let Some(pinned) = pinned {
            self.add("c.pinned = ?", [i64::from(pinned).into()]);
        }
    }

    fn add<const N: usize>(&mut self, term: &'static str, values: [Value; N]) {
        self.terms.push(term);
        self.values.extend(values);
    }

    /// " WHERE …", or nothing where there is no condition.
    pub(super) fn and_where(&self) -> String {
        if self.terms.is_empty() { String::new() } else { format!(" WHERE {}", self.terms.join(" AND ")) }
    }

    /// " AND …", or nothing where there is no condition.
    pub(super) fn and_more(&self) -> String {
        self.terms.iter().map(|term| format!(" AND {term}")).collect()
    }

    /// Whether every row fulfils it.
    pub(super) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The values, in the order of their question marks.
    pub(super) fn params(&self) -> impl rusqlite::Params + '_ {
        rusqlite::params_from_iter(self.values.iter())
    }

    /// The values as further parameters behind others.
    pub(super) fn values(&self) -> impl Iterator<Item = &dyn ToSql> {
        self.values.iter().map(|value| value as &dyn ToSql)
    }
}

/// A path, and the ends of the range of paths below it: `/` is followed by `0` in the order of characters.
pub(super) fn below(path: &str) -> [Value; 3] {
    [path.to_owned(), format!("{path}/"), format!("{path}0")].map(Value::Text)
}

/// The tag of a name: the one of just this name, or else the first that is the same without accents. Its parameters
/// are [`tag_names`].
macro_rules! tag_called {
    () => {
        "coalesce((SELECT id FROM tag WHERE key = ?),
           (SELECT id FROM tag WHERE nosso_bare(key) = ? ORDER BY id LIMIT 1))"
    };
}
pub(super) use tag_called;

/// A tag's name as `tag_called` wants it: with accents and without.
pub(super) fn tag_names(name: &str) -> [Value; 2] {
    let key = tag_key(name);
    let bare = text::bare(&key);
    [key, bare].map(Value::Text)
}

/// Two tags of the same key are one.
pub(super) fn tag_key(name: &str) -> String {
    name.trim().to_lowercase()
}
