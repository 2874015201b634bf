//! What is done when nothing else is to be done.

use rusqlite::Connection;

use super::Store;
use super::readers::READ_DEADLINE;
use crate::error::Result;

/// Pages of full text that one step merges: it keeps other writes waiting for some tens of milliseconds.
const MERGE_PAGES: i64 = 500;

impl Store {
    /// Clears away what is left of dropped spaces, takes the words of deleted texts out of the full text, and
    /// writes the log back, so that nothing deleted stays readable in the files. After a delete it writes the
    /// full text anew (a fifth of the database), in steps between which other writes get their turn; so call it
    /// now and then, not after each call.
    pub async fn maintain(&self) -> Result<()> {
        self.purge().await?;
        self.forget_deleted_words().await?;
        self.0.writer.checkpoint().await
    }

    /// Full text notes a deleted row beside the old one, whose words go away only when the two are merged. Its
    /// own `secure-delete` does that at once, at fifteen times the cost of each delete.
    async fn forget_deleted_words(&self) -> Result<()> {
        let deleted: i64 = self
            .read(READ_DEADLINE, |db| {
                Ok(db.query_row("SELECT deleted_texts FROM store WHERE id = 1", [], |row| row.get(0))?)
            })
            .await?;
        if deleted == 0 {
            return Ok(());
        }
        for table in ["words", "titles"] {
            // a negative number begins to merge all that there is into one, a positive one goes on with it
            let mut pages = -MERGE_PAGES;
            while self.write(move |db| merge(db, table, pages)).await? {
                pages = MERGE_PAGES;
            }
        }
        self.write(move |db| {
            db.execute(
                "UPDATE store SET deleted_texts = max(deleted_texts - ?1, 0) WHERE id = 1",
                [deleted],
            )?;
            Ok(())
        })
        .await
    }
}

/// Whether there was something to merge, by the number of rows changed as the manual of full text advises.
fn merge(db: &Connection, table: &str, pages: i64) -> Result<bool> {
    let before = db.total_changes();
    db.prepare_cached(&format!("INSERT INTO {table}({table}, rank) VALUES('merge', ?1)"))?
        .execute([pages])?;
    Ok(db.total_changes() - before >= 2)
}
