//! Lists of conversations, the last changed first. A page is found by one of two ways: along the index of times,
//! looking at each conversation whether it fits, or from the few conversations that one member of the filter names.

use rusqlite::types::Value;
use rusqlite::{Connection, ToSql};

use super::Store;
use super::conversations;
use super::filter::{Condition, below, tag_called, tag_names};
use super::page::{Filling, begin, rows as page_rows};
use super::readers::READ_DEADLINE;
use super::typed::beginning_with;
use crate::api::Page;
use crate::api::conversation::ConversationList;
use crate::api::organise::{Archived, ConversationFilter};
use crate::error::Result;
use crate::model::{Conversation, ConversationId};

/// Conversations that are few enough to be looked at one by one and sorted. Where a member of the filter names more,
/// so many fit that a page is soon full along the index of times.
const FEW: i64 = if cfg!(test) { 3 } else { 1_000 };

/// A conversation's number, and when it last changed: what lists are sorted by.
type Key = (i64, i64);

impl Store {
    /// Conversations, the last changed first. `filter.query` holds words of the title, no prefixes.
    pub async fn conversations(&self, list: ConversationList) -> Result<Page<Conversation>> {
        let ConversationList { filter, limit, cursor } = list;
        let limit = page_rows(limit);
        let before = begin(cursor.as_ref(), (i64::MAX, i64::MAX))?;
        self.read(READ_DEADLINE, move |db| {
            let mut page = Filling::new(limit);
            for key in keys(db, &filter, before, limit + 1)? {
                let conversation = conversations::by_number(db, key.1)?;
                let bytes = conversations::bytes(&conversation);
                if !page.push(conversation, key, bytes) {
                    break;
                }
            }
            Ok(page.finish())
        })
        .await
    }

    /// The ids of the next conversations of a list, and where it goes on; none: it is at its end.
    pub async fn conversation_ids(
        &self,
        filter: ConversationFilter,
        before: Option<Key>,
        limit: usize,
    ) -> Result<(Vec<ConversationId>, Option<Key>)> {
        self.read(READ_DEADLINE, move |db| {
            let keys = keys(db, &filter, before.unwrap_or((i64::MAX, i64::MAX)), limit)?;
            let mut uid = db.prepare_cached("SELECT uid FROM conversation WHERE id = ?1")?;
            let ids = keys.iter().map(|(_, id)| uid.query_row([id], |row| row.get(0)));
            let ids = ids.map(|uid| uid.map(ConversationId::from_bytes));
            Ok((ids.collect::<rusqlite::Result<_>>()?, keys.last().copied()))
        })
        .await
    }
}

/// The keys of the next conversations that fit.
pub(super) fn keys(
    db: &Connection,
    filter: &ConversationFilter,
    before: Key,
    limit: usize,
) -> Result<Vec<Key>> {
    let query = Query::of(filter);
    let few = query.few(db)?;
    let mut keys = Vec::new();
    // along the index, what is archived and what is not are two stretches
    for archived in query.archived {
        let sql = query.sql(few);
        let (archived, limit) = (*archived, limit as i64);
        let lead = few.map(|place| query.sources[place].values.as_slice()).unwrap_or_default();
        let mut params: Vec<&dyn ToSql> = lead.iter().map(|value| value as &dyn ToSql).collect();
        params.extend([&archived as &dyn ToSql, &before.0, &before.1, &query.since, &query.until]);
        params.extend(query.condition.values());
        if let Some(title) = &query.title {
            params.push(title);
        }
        params.push(&limit);
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map(&params[..], |row| Ok((row.get(0)?, row.get(1)?)))?;
        keys.extend(rows.collect::<rusqlite::Result<Vec<Key>>>()?);
    }
    keys.sort_unstable_by(|a, b| b.cmp(a));
    keys.truncate(limit);
    Ok(keys)
}

/// A filter as SQL.
pub(super) struct Query {
    condition: Condition,
    archived: &'static [i64],
    since: i64,
    until: i64,
    by_project: bool,
    /// Words of the title, in full text's language.
    title: Option<String>,
    sources: Vec<Source>,
}

/// A member of the filter that may name few conversations: the rows of a table, and the column with their numbers.
struct Source {
    from: &'static str,
    id: &'static str,
    values: Vec<Value>,
}

impl Query {
    pub(super) fn of(filter: &ConversationFilter) -> Self {
        let mut sources = Vec::new();
        let mut source = |from, id, values| sources.push(Source { from, id, values });
        let title = filter.query.as_deref().and_then(beginning_with);
        if let Some(title) = &title {
            source(TITLED, "f.rowid", vec![Value::Text(title.clone())]);
        }
        for tag in &filter.tags {
            source(TAGGED, "f.conversation_id", tag_names(tag).into());
        }
        if let Some(folder) = &filter.folder {
            source(FILED, "f.id", below(folder).into());
        }
        if filter.pinned == Some(true) {
            source(PINNED, "f.id", Vec::new());
        }
        if let Some(client) = &filter.client {
            source(BEGUN, "f.id", vec![Value::Text(client.clone())]);
        }
        Self {
            condition: Condition::of_conversations(filter),
            archived: match filter.archived.unwrap_or(Archived::Exclude) {
                Archived::Exclude => &[0],
                Archived::Only => &[1],
                Archived::Include => &[0, 1],
            },
            since: filter.since.map_or(i64::MIN, |time| time.as_millis()),
            until: filter.until.map_or(i64::MAX, |time| time.as_millis()),
            by_project: filter.project.is_some(),
            title,
            sources,
        }
    }

    /// The member of the filter that names fewest conversations, if they are few.
    fn few(&self, db: &Connection) -> Result<Option<usize>> {
        let mut fewest = (FEW + 1, None);
        for (place, source) in self.sources.iter().enumerate() {
            let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT {})", source.from, fewest.0);
            let n: i64 = db
                .prepare_cached(&sql)?
                .query_row(rusqlite::params_from_iter(&source.values), |row| row.get(0))?;
            if n < fewest.0 {
                fewest = (n, Some(place));
            }
        }
        Ok(fewest.1)
    }

    /// The next keys; `lead`: from the rows of this source, otherwise along the index of times.
    pub(super) fn sql(&self, lead: Option<usize>) -> String {
        let from = match lead.map(|place| &self.sources[place]) {
            Some(Source { from, id, .. }) => {
                let (table, condition) = from.split_once(" WHERE ").unwrap_or((from, "1"));
                format!(
                    "{table} CROSS JOIN conversation c ON c.id = {id} WHERE {condition} AND +c.archived = ?"
                )
            }
            None => {
                let index =
                    if self.by_project { "conversation_by_project" } else { "conversation_by_update" };
                format!("conversation c INDEXED BY {index} WHERE c.archived = ?")
            }
        };
        let title = match self.title {
            Some(_) => format!(" AND +c.id IN (SELECT f.rowid FROM {TITLED})"),
            None => String::new(),
        };
        format!(
            "SELECT c.updated_at, c.id FROM {from} AND (c.updated_at, c.id) < (?, ?) AND c.updated_at >= ?
               AND c.updated_at < ?{}{title} ORDER BY c.updated_at DESC, c.id DESC LIMIT ?",
            self.condition.and_more()
        )
    }

    /// What holds for the conversation alone, and the span of time in which it changed last.
    pub(super) fn conditions(&self) -> (&Condition, i64, i64) {
        (&self.condition, self.since, self.until)
    }

    /// How many sources there are.
    #[cfg(test)]
    pub(super) fn n_sources(&self) -> usize {
        self.sources.len()
    }
}

const TITLED: &str = "titles f WHERE f.titles MATCH ?";
const TAGGED: &str = concat!("conversation_tag f WHERE f.tag_id = ", tag_called!());
const FILED: &str = "conversation f WHERE f.folder_id IN
   (SELECT id FROM folder WHERE path = ? UNION ALL SELECT id FROM folder WHERE path > ? AND path < ?)";
const PINNED: &str = "conversation f WHERE f.pinned = 1";
const BEGUN: &str = "conversation f WHERE f.client_id IN (SELECT id FROM client WHERE name = ?)";
