//! What was said in a span of time, message by message, for counting.

use rusqlite::types::Value;
use rusqlite::{ToSql, params_from_iter};

use super::Store;
use super::readers::READ_DEADLINE;
use super::rows::{role, time};
use crate::error::Result;
use crate::model::{Role, Timestamp};

/// A message as far as it is counted.
#[derive(Debug, Clone, PartialEq)]
pub struct UsedMessage {
    /// When it was said.
    pub created_at: Timestamp,
    /// Who said it.
    pub role: Role,
    /// The language model that wrote it.
    pub model: Option<String>,
    /// The tool that stored it.
    pub client: Option<String>,
    /// The project of its conversation.
    pub project: Option<String>,
    /// Its words.
    pub words: u64,
}

/// Where a walk over messages in the order of time goes on.
pub type After = (i64, i64);

impl Store {
    /// The next messages of a span of time in its order, and where it goes on; none: that were all. `words` counts
    /// those of a text.
    pub async fn used(
        &self,
        after: After,
        until: Timestamp,
        only: (Option<String>, Option<String>),
        words: fn(&str) -> u64,
        limit: usize,
    ) -> Result<(Vec<UsedMessage>, Option<After>)> {
        let (project, client) = only;
        self.read(READ_DEADLINE, move |db| {
            let mut conditions = String::new();
            let mut values = vec![Value::from(after.0), after.1.into(), until.as_millis().into()];
            if let Some(project) = project {
                conditions.push_str(" AND c.project_id = (SELECT id FROM project WHERE name = ?)");
                values.push(project.into());
            }
            if let Some(client) = client {
                conditions.push_str(" AND m.client_id IN (SELECT id FROM client WHERE name = ?)");
                values.push(client.into());
            }
            values.push((limit as i64).into());
            let mut statement = db.prepare_cached(&used_sql(&conditions))?;
            let mut found =
                statement.query(params_from_iter(values.iter().map(|value| value as &dyn ToSql)))?;
            let mut used = Vec::new();
            let mut last = None;
            while let Some(row) = found.next()? {
                last = Some((row.get(0)?, row.get(1)?));
                used.push(UsedMessage {
                    created_at: time(row, 0)?,
                    role: role(row.get(2)?)?,
                    model: row.get(3)?,
                    client: row.get(4)?,
                    project: row.get(5)?,
                    words: row.get_ref(6)?.as_str().map_or(0, words),
                });
            }
            let next = last.filter(|_| used.len() == limit);
            Ok((used, next))
        })
        .await
    }
}

pub(super) fn used_sql(conditions: &str) -> String {
    format!(
        "SELECT m.created_at, m.id, m.role, m.model, k.name, p.name, m.content
         FROM message m INDEXED BY message_by_time CROSS JOIN conversation c ON c.id = m.conversation_id
           LEFT JOIN project p ON p.id = c.project_id LEFT JOIN client k ON k.id = m.client_id
         WHERE (m.created_at, m.id) > (?, ?) AND m.created_at < ?{conditions}
         ORDER BY m.created_at, m.id LIMIT ?"
    )
}
