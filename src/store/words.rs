//! Keeps the full text: gives the triggers the terms of texts, and fills it anew when the analysis has changed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, TransactionBehavior};

use super::address::{MAX_SEQ, address};
use crate::error::{Error, Result};
use crate::text::{ANALYSIS_VERSION, Analysis};

/// Messages between two looks at the clock while the full text is filled.
const BATCH: i64 = 10_000;
/// How often a long filling says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Gives the connection the functions that the triggers of messages and memories call. The store's own connections
/// have them; this is for programs that write to its database by other ways, as a benchmark does.
pub fn register_functions(db: &Connection) -> rusqlite::Result<()> {
    // in triggers, with `trusted_schema` off, only what is innocuous may be called
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    let last = Last::default();
    let memo = last.clone();
    db.create_scalar_function("nosso_stems", 1, flags, move |context| {
        memo.analysis(context, 0, |analysis| analysis.stems.clone())
    })?;
    let memo = last.clone();
    db.create_scalar_function("nosso_others", 1, flags, move |context| {
        memo.analysis(context, 0, |analysis| analysis.others.clone())
    })?;
    db.create_scalar_function("nosso_address", 3, flags, move |context| {
        let (conversation, seq) = (context.get(0)?, context.get(1)?);
        let n_stems = last.analysis(context, 2, |analysis| analysis.n_stems)?;
        address(conversation, seq, n_stems).ok_or_else(|| {
            let full =
                format!("a conversation has no more than {MAX_SEQ} places, and none is left: begin another");
            rusqlite::Error::UserFunctionError(full.into())
        })
    })
}

/// The text that was analysed last: one statement asks for all there is to know about it.
#[derive(Clone, Default)]
struct Last(Arc<Mutex<(Vec<u8>, Analysis)>>);

impl Last {
    fn analysis<T>(
        &self,
        context: &Context<'_>,
        argument: usize,
        answer: impl FnOnce(&Analysis) -> T,
    ) -> rusqlite::Result<T> {
        let text = context
            .get_raw(argument)
            .as_bytes()
            .map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))?;
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != text {
            last.1 = Analysis::of(&String::from_utf8_lossy(text));
            last.0.clear();
            last.0.extend_from_slice(text);
        }
        Ok(answer(&last.1))
    }
}

/// Fills the full text anew where another analysis than ours made it; all or nothing.
pub(super) fn bring_up_to_date(connection: &mut Connection) -> Result<()> {
    let made_by: i64 =
        connection.query_row("SELECT analysis FROM store WHERE id = 1", [], |row| row.get(0))?;
    if made_by == ANALYSIS_VERSION {
        return Ok(());
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    fill(&tx).map_err(|error| error.while_doing("make the full text anew"))?;
    tx.execute("UPDATE store SET analysis = ?1 WHERE id = 1", [ANALYSIS_VERSION])?;
    tx.commit()?;
    Ok(())
}

/// In the order of the addresses, which full text takes in without sorting.
fn fill(db: &Connection) -> Result<()> {
    db.execute("INSERT INTO words(words) VALUES('delete-all')", [])?;
    db.execute(
        "INSERT INTO words(rowid, stems, others)
         SELECT nosso_address(0, id, content), nosso_stems(content), nosso_others(content)
         FROM memory ORDER BY id",
        [],
    )?;
    let total: i64 = db.query_row("SELECT messages FROM store WHERE id = 1", [], |row| row.get(0))?;
    let (mut done, mut told) = (0, Instant::now());
    let (mut conversation, mut seq) = (i64::MIN, 0);
    while let Some(next) = batch_end(db, conversation, seq)? {
        done += db.prepare_cached(FILL_BATCH)?.execute([conversation, seq, next.0, next.1])?;
        (conversation, seq) = next;
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            tracing::info!(done, total, "making the full text anew");
        }
    }
    Ok(())
}

const FILL_BATCH: &str = "INSERT INTO words(rowid, stems, others)
   SELECT nosso_address(conversation_id, seq, content), nosso_stems(content), nosso_others(content) FROM message
   WHERE (conversation_id, seq) > (?1, ?2) AND (conversation_id, seq) <= (?3, ?4) AND searchable = 1
     AND seq <= 16777215 ORDER BY conversation_id, seq";

/// The last of the next messages behind this place; none: there is no further one.
fn batch_end(db: &Connection, conversation: i64, seq: i64) -> Result<Option<(i64, i64)>> {
    let sql = "SELECT conversation_id, seq FROM (SELECT conversation_id, seq FROM message
                 WHERE (conversation_id, seq) > (?1, ?2) ORDER BY conversation_id, seq LIMIT ?3)
               ORDER BY conversation_id DESC, seq DESC LIMIT 1";
    let mut statement = db.prepare_cached(sql)?;
    let mut found = statement.query([conversation, seq, BATCH])?;
    let end = found.next()?.map(|row| Ok::<_, Error>((row.get(0)?, row.get(1)?)));
    end.transpose()
}
