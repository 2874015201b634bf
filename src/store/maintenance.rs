//! What is done when nothing else is to be done.

use super::Store;
use super::fulltext::Merging;
use super::readers::READ_DEADLINE;
use crate::error::Result;

impl Store {
    /// Clears away what is left of dropped spaces, takes the words of deleted texts out of the full text, and
    /// writes the log back. After a delete it writes the full text anew (a fifth of the database), in steps between
    /// which other writes get their turn; so call it now and then, not after each call.
    pub async fn maintain(&self) -> Result<()> {
        self.purge().await?;
        self.forget_deleted_words().await?;
        self.empty_log().await?;
        Ok(())
    }

    /// Takes the words of deleted and changed texts out of the full text.
    pub async fn forget_deleted_words(&self) -> Result<()> {
        let deleted: i64 = self
            .read(READ_DEADLINE, |db| {
                Ok(db.query_row("SELECT deleted_texts FROM store WHERE id = 1", [], |row| row.get(0))?)
            })
            .await?;
        if deleted == 0 {
            return Ok(());
        }
        let mut merging = Some(Merging::START);
        while let Some(now) = merging {
            merging = self.write(move |db| now.step(db)).await?;
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

    /// Writes the log back into the database and empties it. False: a reader was in the way, and a part of it stays.
    pub async fn empty_log(&self) -> Result<bool> {
        self.0.writer.checkpoint().await
    }
}
