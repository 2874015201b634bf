//! Which conversations are to be read for memories, how far they were read, and what that has cost.

use rusqlite::{OptionalExtension, params};

use super::Store;
use super::readers::READ_DEADLINE;
use super::rows::{count, uid};
use crate::error::Result;
use crate::model::{ConversationId, Timestamp};

/// Days that the cost is kept for.
const KEPT_DAYS: i64 = 30;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// A conversation whose newest turns are to be read for memories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToExtract {
    /// Which one.
    pub conversation: ConversationId,
    /// The place of the last message that was read; 0: none was.
    pub read_seq: u64,
}

impl Store {
    /// Notes that a conversation has turns to be read for memories. What was said in private is not.
    pub async fn want_extraction(&self, conversation: ConversationId) -> Result<()> {
        self.write(move |db| {
            db.prepare_cached(
                "INSERT INTO extraction(conversation_id) SELECT id FROM conversation WHERE uid = ?1 AND private = 0
                 ON CONFLICT(conversation_id) DO UPDATE SET wanted = 1",
            )?
            .execute([uid(conversation.as_bytes())])?;
            Ok(())
        })
        .await
    }

    /// A conversation to be read, if there is one.
    pub async fn next_extraction(&self) -> Result<Option<ToExtract>> {
        self.read(READ_DEADLINE, |db| {
            let found = db
                .prepare_cached(
                    "SELECT c.uid, e.read_seq FROM extraction e JOIN conversation c ON c.id = e.conversation_id
                     WHERE e.wanted = 1 AND c.private = 0 ORDER BY e.conversation_id LIMIT 1",
                )?
                .query_row([], |row| {
                    Ok(ToExtract { conversation: ConversationId::from_bytes(row.get(0)?), read_seq: count(row, 1)? })
                })
                .optional()?;
            Ok(found)
        })
        .await
    }

    /// Notes how far a conversation was read. It comes again if there is more, which may have come meanwhile.
    pub async fn extracted(&self, conversation: ConversationId, read_seq: u64) -> Result<()> {
        self.write(move |db| {
            db.prepare_cached(
                "UPDATE extraction SET read_seq = max(read_seq, ?2), wanted = EXISTS(SELECT 1 FROM message m
                   WHERE m.conversation_id = extraction.conversation_id AND m.seq > max(read_seq, ?2))
                 WHERE conversation_id = (SELECT id FROM conversation WHERE uid = ?1)",
            )?
            .execute(params![conversation.as_bytes(), i64::try_from(read_seq).unwrap_or(i64::MAX)])?;
            Ok(())
        })
        .await
    }

    /// Takes `tokens` from the budget of the day of `now`, if it has so many left; whether it had. Durable when
    /// this returns, so that a daemon that is killed in the middle does not spend them twice.
    pub async fn spend(&self, now: Timestamp, tokens: u64, budget: u64) -> Result<bool> {
        let day = day(now);
        let (tokens, budget) = (signed(tokens), signed(budget));
        self.write(move |db| {
            db.prepare_cached("DELETE FROM extraction_cost WHERE day < ?1")?.execute([day - KEPT_DAYS])?;
            db.prepare_cached("INSERT OR IGNORE INTO extraction_cost(day, tokens) VALUES(?1, 0)")?
                .execute([day])?;
            let n = db
                .prepare_cached(
                    "UPDATE extraction_cost SET tokens = tokens + ?2 WHERE day = ?1 AND tokens + ?2 <= ?3",
                )?
                .execute(params![day, tokens, budget])?;
            Ok(n > 0)
        })
        .await
    }

    /// Puts the real cost in the place of what [`Store::spend`] took.
    pub async fn correct_spending(&self, then: Timestamp, taken: u64, really: u64) -> Result<()> {
        let day = day(then);
        let difference = signed(really) - signed(taken);
        self.write(move |db| {
            db.prepare_cached("UPDATE extraction_cost SET tokens = max(0, tokens + ?2) WHERE day = ?1")?
                .execute(params![day, difference])?;
            Ok(())
        })
        .await
    }

    /// Tokens that the day of `now` has cost.
    pub async fn spent(&self, now: Timestamp) -> Result<u64> {
        let day = day(now);
        self.read(READ_DEADLINE, move |db| {
            let spent = db
                .prepare_cached("SELECT tokens FROM extraction_cost WHERE day = ?1")?
                .query_row([day], |row| count(row, 0))
                .optional()?;
            Ok(spent.unwrap_or(0))
        })
        .await
    }
}

fn day(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(DAY_MILLIS)
}

fn signed(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX / 4)
}
