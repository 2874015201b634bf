//! Who said something, when, and how it begins: what ranking wants to know of many candidates at once.

use rusqlite::{Connection, params};

use super::readers::READ_DEADLINE;
use super::rows::time;
use super::{Item, Store};
use crate::error::Result;
use crate::model::Timestamp;
use crate::text::fold;

/// Characters of the beginning that are given.
const BEGINNING: u32 = 400;
/// Of longer texts no beginning is given: SQLite reads a text as a whole.
const LONGEST: u32 = 32 << 10;
/// Authors of one first name that are looked at.
const NAMESAKES: u32 = 16;

/// What is known of a message or memory without its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Byline {
    /// The display name of who said it.
    pub author: Option<String>,
    /// When it was said.
    pub created_at: Timestamp,
    /// How it begins; none where it is long.
    pub beginning: Option<String>,
}

impl Store {
    /// The bylines of items, in no order; what is gone is left out.
    pub async fn bylines(&self, items: Vec<Item>) -> Result<Vec<(Item, Byline)>> {
        self.read(READ_DEADLINE, move |db| {
            let mut bylines = Vec::with_capacity(items.len());
            for item in items {
                let (sql, number) = match item {
                    Item::Message(number) => (MESSAGE_BYLINE, number),
                    Item::Memory(number) => (MEMORY_BYLINE, number),
                };
                let mut statement = db.prepare_cached(sql)?;
                let mut found = statement.query(params![number, BEGINNING, LONGEST])?;
                if let Some(row) = found.next()? {
                    let byline =
                        Byline { author: row.get(0)?, created_at: time(row, 1)?, beginning: row.get(2)? };
                    bylines.push((item, byline));
                }
            }
            Ok(bylines)
        })
        .await
    }

    /// Those of the folded `words` (no accents, lower case) that are the first name, or the whole name, of somebody who said something.
    pub async fn names_of_authors(&self, words: Vec<String>) -> Result<Vec<String>> {
        self.read(READ_DEADLINE, move |db| {
            let mut names = Vec::new();
            for word in words {
                if is_name(db, &word)? {
                    names.push(word);
                }
            }
            Ok(names)
        })
        .await
    }
}

fn is_name(db: &Connection, word: &str) -> Result<bool> {
    let mut statement = db.prepare_cached(NAMESAKE)?;
    let mut found = statement.query(params![word, format!("{word}{}", char::MAX), NAMESAKES])?;
    while let Some(row) = found.next()? {
        let author: String = row.get(0)?;
        let first_name = author.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        if fold(first_name) == word || fold(&author) == word {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) const MESSAGE_BYLINE: &str = "SELECT author, created_at,
   CASE WHEN octet_length(content) <= ?3 THEN substr(content, 1, ?2) END FROM message WHERE id = ?1";
pub(super) const MEMORY_BYLINE: &str = "SELECT NULL, created_at,
   CASE WHEN octet_length(content) <= ?3 THEN substr(content, 1, ?2) END FROM memory WHERE id = ?1";
pub(super) const NAMESAKE: &str = "SELECT DISTINCT author FROM message
   WHERE author IS NOT NULL AND author COLLATE NOCASE >= ?1 AND author COLLATE NOCASE < ?2 LIMIT ?3";
