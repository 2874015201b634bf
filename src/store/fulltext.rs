//! Tending to the full text: taking the words of deleted texts out of it, and comparing it with the texts.

use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::Connection;

use super::address::address;
use crate::error::{Error, Kind, Result};
use crate::text::{ANALYSIS_VERSION, Analysis};

/// Pages that one step merges: it keeps other writes waiting for some milliseconds.
const MERGE_PAGES: i64 = 128;
/// Full text cuts longer terms.
const MAX_TERM: usize = 32768;

/// The full text of messages and memories, and that of titles.
const TABLES: &[&str] = &["words", "titles"];

/// Where a merge of all tables is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merging {
    table: usize,
    begun: bool,
}

impl Merging {
    pub(super) const START: Self = Self { table: 0, begun: false };

    /// Does one step; none: all tables are merged.
    ///
    /// Full text notes a deleted row beside the old one, whose words go away only when the two are merged. Its own
    /// `secure-delete` does that at once, at fifteen times the cost of each delete.
    pub(super) fn step(self, db: &Connection) -> Result<Option<Self>> {
        let Some(table) = TABLES.get(self.table) else { return Ok(None) };
        // a negative number begins to merge all that there is into one, a positive one goes on with it
        let pages = if self.begun { MERGE_PAGES } else { -MERGE_PAGES };
        let before = db.total_changes();
        db.prepare_cached(&format!("INSERT INTO {table}({table}, rank) VALUES('merge', ?1)"))?
            .execute([pages])?;
        // the manual's own way to see that there was nothing left to merge
        let worked = db.total_changes() - before >= 2;
        Ok(Some(match worked {
            true => Self { begun: true, ..self },
            false => Self { table: self.table + 1, begun: false },
        }))
    }
}

/// Looks through the full text, and compares the one of messages and memories with these, term by term. Errors: [`Kind::Corrupt`] where they differ. What an
/// older program made is not looked at: it is made anew at the next start.
pub(super) fn check(db: &Connection) -> Result<()> {
    let corrupt = |error: rusqlite::Error| {
        let error = Error::from(error).while_doing("look through the full text");
        match error.kind() {
            Kind::StorageFull => error,
            _ => Error::new(Kind::Corrupt, error.full_text()),
        }
    };
    for table in TABLES {
        // an older schema has none
        if !db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1")?.exists([table])? {
            return Ok(());
        }
        db.execute(&format!("INSERT INTO {table}({table}) VALUES('integrity-check')"), [])
            .map_err(corrupt)?;
    }
    let made_by: i64 = db.query_row("SELECT analysis FROM store WHERE id = 1", [], |row| row.get(0))?;
    if made_by != ANALYSIS_VERSION {
        return Ok(());
    }
    if places_of_words(db).map_err(corrupt)? != places_of_texts(db)? {
        return Err(Error::new(Kind::Corrupt, "the full text differs from its texts"));
    }
    Ok(())
}

/// How many places of terms there are, and the sum of their hashes: two lists in any order are the same where both are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Places {
    n: u64,
    sum: u64,
}

impl Places {
    fn add(&mut self, term: &[u8], address: i64, column: &str, place: i64) {
        let mut hasher = DefaultHasher::new();
        (term, address, column, place).hash(&mut hasher);
        self.n += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }

    fn add_all(&mut self, address: i64, Analysis { stems, others, n_stems: _ }: &Analysis) {
        for (column, terms) in [("stems", stems), ("others", others)] {
            for (place, term) in (0..).zip(terms.split_ascii_whitespace()) {
                let term = &term.as_bytes()[..term.len().min(MAX_TERM)];
                self.add(term, address, column, place);
            }
        }
    }
}

fn places_of_words(db: &Connection) -> rusqlite::Result<Places> {
    let mut places = Places::default();
    let mut statement = db.prepare("SELECT term, doc, col, offset FROM posting")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let column = row.get_ref(2)?.as_str().unwrap_or_default();
        places.add(row.get_ref(0)?.as_bytes().unwrap_or_default(), row.get(1)?, column, row.get(3)?);
    }
    Ok(places)
}

fn places_of_texts(db: &Connection) -> Result<Places> {
    let mut places = Places::default();
    for sql in [
        "SELECT conversation_id, seq, content FROM message WHERE searchable = 1",
        "SELECT 0, id, content FROM memory",
    ] {
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let text = String::from_utf8_lossy(row.get_ref(2)?.as_bytes().unwrap_or_default());
            let analysis = Analysis::of(&text);
            // what has no address is not found by words
            if let Some(address) = address(row.get(0)?, row.get(1)?, analysis.n_stems) {
                places.add_all(address, &analysis);
            }
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::store;

    #[tokio::test]
    async fn the_comparison_knows_every_kind_of_term() {
        let store = store().await;
        let c = store.conversation_of("c", None).await;
        let long = "x".repeat(MAX_TERM + 900);
        for text in [
            "",
            "as reuniões de hoje, the meetings of today",
            "fooBar_baz::quux http://a.b/c?d=1 ünï \u{0} código",
            "今日は良い天気 🦀🦀 naïve Straße",
            "the of and",
            &long,
        ] {
            store.say(c, text).await;
            store.remember(&format!("{text} remembered")).await;
        }
        check(&store.sql()).unwrap();
        let db = store.sql();
        for spoil in [
            "UPDATE message SET content = 'as reuniões de ontem, the meetings of today' WHERE id = 2",
            "UPDATE memory SET content = 'another' WHERE id = 1",
            "DELETE FROM message WHERE id = 4",
        ] {
            db.execute_batch(
                "BEGIN; DROP TRIGGER message_changed; DROP TRIGGER memory_changed;
                DROP TRIGGER message_deleted;",
            )
            .unwrap();
            db.execute_batch(spoil).unwrap();
            assert_eq!(check(&db).unwrap_err().kind(), Kind::Corrupt, "{spoil}");
            db.execute_batch("ROLLBACK").unwrap();
        }
        check(&db).unwrap();
    }
}
