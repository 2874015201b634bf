//! Conversations while somebody types: by the words of their titles and messages, the last of which may be the
//! beginning of one.
//!
//! Full text would read the rows of every word that begins so, a third of all for two letters, before it gives the
//! first. So the words themselves are looked up first, each by one step into the index, and of them no more than can
//! be searched in time.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::address::{MEMORIES, range_of};
use super::filter::Private;
use super::lexical::{any_form, quoted};
use super::listing;
use super::readers::READ_DEADLINE;
use super::rows::role;
use super::{Store, conversations, typed};
use crate::api::organise::{Archived, ConversationFilter};
use crate::error::Result;
use crate::model::{Conversation, MessageId, Role};
use crate::text::{Question, UNSTEMMED, fold};

/// Words that a beginning is completed to.
const MAX_COMPLETIONS: usize = 48;
/// Whole words that are searched.
const MAX_WORDS: usize = 16;
/// Messages of one conversation that are looked at after the first.
const MAX_REPEATED: i64 = 30;
/// The newest messages that are looked at: enough to find a page of conversations.
const MAX_MESSAGES: i64 = 1_000;
/// The newest titles that are looked at.
const MAX_TITLES: usize = 1_000;

/// A conversation that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// The conversation.
    pub conversation: Conversation,
    /// Its newest message that holds the words, with its role and text.
    pub message: Option<(MessageId, Role, String)>,
}

impl Store {
    /// Conversations whose title, or one of whose messages, holds the words of `filter.query`: titles first, the last
    /// changed first; where more messages fit than asked for, those of the conversations that were stored last. Messages
    /// of private ones are not looked at.
    pub async fn find_conversations(&self, filter: ConversationFilter, limit: usize) -> Result<Vec<Matched>> {
        let private = self.private();
        self.read(READ_DEADLINE, move |db| {
            let titles = MAX_TITLES.min(limit);
            let mut numbers: Vec<i64> = listing::keys(db, &filter, (i64::MAX, i64::MAX), titles)?
                .into_iter()
                .map(|(_, id)| id)
                .collect();
            let query =
                filter.query.as_deref().and_then(|text| text_query(db, text).transpose()).transpose()?;
            let mut messages = Vec::new();
            if let Some(query) = &query {
                messages = newest(db, query, &filter, private, limit)?;
            }
            let known: HashSet<i64> = numbers.iter().copied().collect();
            numbers.extend(
                messages.iter().map(|(conversation, _)| *conversation).filter(|id| !known.contains(id)),
            );
            numbers.truncate(limit);
            let n_titles = known.len();
            let mut matched = Vec::with_capacity(numbers.len());
            for number in numbers {
                let message = messages.iter().find(|(conversation, _)| *conversation == number);
                matched.push(Matched {
                    conversation: conversations::by_number(db, number)?,
                    message: message.map(|(_, message)| text(db, *message)).transpose()?,
                });
            }
            matched[n_titles..].sort_by_key(|one: &Matched| std::cmp::Reverse(one.conversation.updated_at));
            Ok(matched)
        })
        .await
    }
}

/// The query of full text for words that are being typed; none: there is none, or no text has them.
fn text_query(db: &Connection, typed: &str) -> Result<Option<String>> {
    let Some(last) = typed::words(typed).last().map(|last| fold(last)) else { return Ok(None) };
    let mut all: Vec<String> = Vec::new();
    let completions = completions(db, &last)?;
    let whole = Question::of(typed).words;
    if completions.is_empty() {
        // signs, and scripts that put no spaces between words
        all.extend(whole.iter().take(MAX_WORDS).map(any_form));
    } else {
        all.extend(whole.iter().filter(|word| word.form != last).take(MAX_WORDS).map(any_form));
        let any: Vec<String> = completions.iter().map(|word| quoted(word)).collect();
        all.push(format!("({})", any.join(" OR ")));
    }
    Ok((!all.is_empty()).then(|| all.join(" AND ")))
}

/// The terms of all texts that begin so: stems, and the words that have others.
fn completions(db: &Connection, beginning: &str) -> Result<Vec<String>> {
    let mut word_from = db.prepare_cached(WORD_FROM)?;
    let mut words: Vec<String> = Vec::new();
    for beginning in [beginning.to_owned(), format!("{UNSTEMMED}{beginning}")] {
        let mut from = beginning.clone();
        for _ in 0..MAX_COMPLETIONS / 2 {
            let word: Option<String> = word_from.query_row([&from], |row| row.get(0)).optional()?;
            let Some(word) = word.filter(|word| word.starts_with(&beginning)) else { break };
            // no term holds a control character, so that this is before the next one
            from = format!("{word}\u{1}");
            words.push(word);
        }
    }
    Ok(words)
}

/// One row of the list of all places is one step into the index: the first place of the next term.
pub(super) const WORD_FROM: &str = "SELECT term FROM posting WHERE term >= ?1 LIMIT 1";

/// The newest message of each conversation that holds the words; those of the conversations that began last come
/// first.
fn newest(
    db: &Connection,
    query: &str,
    filter: &ConversationFilter,
    private: Private,
    limit: usize,
) -> Result<Vec<(i64, i64)>> {
    let list = listing::Query::of(&ConversationFilter { query: None, ..filter.clone() });
    let (condition, since, until) = list.conditions();
    let archived = match filter.archived.unwrap_or(Archived::Exclude) {
        Archived::Exclude => " AND c.archived = 0",
        Archived::Only => " AND c.archived = 1",
        Archived::Include => "",
    };
    let private = match private {
        Private::None => "",
        Private::Some => " AND c.private = 0",
    };
    let sql = newest_sql(&format!("{private}{archived}{}", condition.and_more()));
    let mut statement = db.prepare_cached(&sql)?;
    let mut newest: Vec<(i64, i64)> = Vec::new();
    let (mut below, mut n_rows) = (i64::MAX, 0);
    'next: while newest.len() < limit && n_rows < MAX_MESSAGES {
        let left = MAX_MESSAGES - n_rows;
        let mut params: Vec<&dyn ToSql> = vec![&query, &below, &since, &until];
        params.extend(condition.values());
        params.push(&left);
        let mut found = statement.query(&params[..])?;
        let mut repeated = 0;
        while let Some(row) = found.next()? {
            n_rows += 1;
            let conversation: i64 = row.get(0)?;
            if newest.last().is_none_or(|(last, _)| *last != conversation) {
                newest.push((conversation, row.get(1)?));
                repeated = 0;
            } else {
                repeated += 1;
            }
            if newest.len() == limit {
                break 'next;
            }
            // one that speaks of nothing else is stepped over
            if repeated == MAX_REPEATED {
                below = *range_of(conversation).start();
                continue 'next;
            }
        }
        break;
    }
    Ok(newest)
}

pub(super) fn newest_sql(conditions: &str) -> String {
    format!(
        "SELECT c.id, m.id FROM words
         CROSS JOIN message m ON m.conversation_id = (words.rowid >> 29) AND m.seq = ((words.rowid >> 5) & 16777215)
         CROSS JOIN conversation c ON c.id = m.conversation_id
         WHERE words MATCH ? AND words.rowid > {} AND words.rowid < ? AND c.updated_at >= ? AND c.updated_at < ?{conditions}
         ORDER BY words.rowid DESC LIMIT ?",
        range_of(MEMORIES).end()
    )
}

fn text(db: &Connection, message: i64) -> Result<(MessageId, Role, String)> {
    let mut statement = db.prepare_cached("SELECT uid, role, content FROM message WHERE id = ?1")?;
    let mut found = statement.query(params![message])?;
    match found.next()? {
        Some(row) => Ok((MessageId::from_bytes(row.get(0)?), role(row.get(1)?)?, row.get(2)?)),
        None => Err(crate::error::Error::not_found("a message")),
    }
}
