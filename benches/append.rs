//! Durable appends through the socket, against the same transaction in a plain loop over SQLite.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Embedding};
use crate::support::figures::median;
use crate::support::raw::{Raw, request};
use crate::support::table::{Table, Target};
use crate::support::{Outcome, scratch, texts};

const ROUNDS: usize = 15;
/// Appends of one way in one round.
const APPENDS: usize = 320;
const CLIENTS: usize = 16;

pub fn run(table: &mut Table) -> Outcome {
    let folder = scratch()?;
    let sentences = texts::sentences()?;
    let mut plain = Plain::open(&folder.path().join("plain.db"))?;
    let mut wordless = Plain::open(&folder.path().join("wordless.db"))?;
    wordless.db.execute_batch(
        "DROP TRIGGER message_inserted;
         CREATE TRIGGER message_inserted AFTER INSERT ON message BEGIN
           UPDATE store SET messages = messages + 1 WHERE id = 1;
         END;",
    )?;
    let mut daemon = Daemon::start(&folder.path().join("home"), &Embedding::Off)?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = daemon.client()?;
        let made = client.call("conversation.create", json!({}))?;
        clients.push((client, made["id"].clone()));
    }

    let (mut floors, mut ones, mut manies) = (Vec::new(), Vec::new(), Vec::new());
    let mut without = Vec::new();
    let mut texts = sentences.iter().cycle();
    let mut next = || texts.by_ref().take(APPENDS).cloned().collect::<Vec<_>>();
    for round in 0..=ROUNDS {
        let floor = plain.append(&next())?;
        let wordless = wordless.append(&next())?;
        let one = append(&mut clients[..1], next())?;
        let many = append(&mut clients, next())?;
        // the first round warms up
        if round > 0 {
            let rate = |time: Duration| APPENDS as f64 / time.as_secs_f64();
            floors.push(rate(floor));
            without.push(rate(wordless));
            ones.push(rate(one));
            manies.push(rate(many));
        }
    }

    check_same_work(&mut clients[0].0, &plain)?;
    let ratio = |rates: &[f64]| {
        median(&rates.iter().zip(&floors).map(|(rate, floor)| rate / floor).collect::<Vec<_>>())
    };
    let by = |rates: &[f64]| format!("{:.0}/s, plain loop {:.0}/s", median(rates), median(&floors));
    table.row("1 client / plain SQLite loop", ratio(&ones), "", Target::AtLeast(0.6), &by(&ones));
    let share: Vec<f64> = floors.iter().zip(&without).map(|(with, without)| with / without).collect();
    let told = format!("{:.0}/s, without words {:.0}/s", median(&floors), median(&without));
    table.row("plain loop with words / without", median(&share), "", Target::AtLeast(0.6), &told);
    table.row("16 clients / plain SQLite loop", ratio(&manies), "", Target::AtLeast(2.0), &by(&manies));
    Ok(())
}

/// Each client appends its share, one message a call, all at the same time.
fn append(clients: &mut [(Raw, Value)], texts: Vec<String>) -> Outcome<Duration> {
    let share = texts.len() / clients.len();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let running: Vec<_> = clients
            .iter_mut()
            .zip(texts.chunks(share))
            .map(|((client, conversation), texts)| {
                scope.spawn(move || -> Result<(), String> {
                    for text in texts {
                        let messages = json!([{"role": "user", "content": text}]);
                        let params = json!({"conversationId": conversation, "messages": messages});
                        let answer = client
                            .exchange(&request("message.append", params))
                            .map_err(|error| error.to_string())?;
                        // read only so far as to see that it is none of an error
                        if !answer.windows(8).any(|some| some == b"\"result\"") {
                            return Err(String::from_utf8_lossy(answer).into_owned());
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        for client in running {
            client.join().map_err(|_| "a client panicked")??;
        }
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    Ok(begun.elapsed())
}

/// The ways are comparable only if a message makes as many chunks here as there.
fn check_same_work(client: &mut Raw, plain: &Plain) -> Outcome {
    let counts = &client.call("system.status", json!({}))?["counts"];
    let of_daemon = (counts["chunks"].as_f64(), counts["messages"].as_f64());
    let of_plain: (f64, f64) =
        plain.db.query_row("SELECT chunks, messages FROM store", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    match of_daemon {
        (Some(chunks), Some(messages)) if (chunks / messages - of_plain.0 / of_plain.1).abs() < 0.05 => {
            Ok(())
        }
        other => Err(format!("chunks and messages differ: {other:?} and {of_plain:?}").into()),
    }
}

/// The files that make the schema, in their order.
fn migrations() -> Outcome<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files =
        std::fs::read_dir(folder)?.map(|file| file.map(|file| file.path())).collect::<Result<Vec<_>, _>>()?;
    files.sort();
    Ok(files)
}

/// The store's schema, settings and statements, and nothing around them.
pub struct Plain {
    db: Connection,
    conversation: Vec<u8>,
}

impl Plain {
    pub fn open(path: &Path) -> Outcome<Self> {
        let db = Connection::open(path)?;
        db.set_prepared_statement_cache_capacity(64);
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;
             PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 67108864; PRAGMA secure_delete = ON;",
        )?;
        nosso::store::register_functions(&db)?;
        for migration in migrations()? {
            db.execute_batch(&std::fs::read_to_string(migration)?)?;
        }
        let conversation = uuid::Uuid::now_v7().as_bytes().to_vec();
        db.execute(
            "INSERT INTO conversation(uid, created_at, updated_at) VALUES(?1, 0, 0)",
            [&conversation],
        )?;
        Ok(Self { db, conversation })
    }

    fn append(&mut self, texts: &[String]) -> Outcome<Duration> {
        let begun = Instant::now();
        for text in texts {
            self.append_together(std::slice::from_ref(text))?;
        }
        Ok(begun.elapsed())
    }

    /// Appends all of them in one transaction.
    pub fn append_together(&self, texts: &[String]) -> Outcome {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        texts.iter().try_for_each(|text| self.append_one(text))?;
        self.db.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn append_one(&self, text: &str) -> Outcome {
        let db = &self.db;
        let now = jiff::Timestamp::now().as_millisecond();
        let (conversation, seq, head): (i64, i64, Option<i64>) = db
            .prepare_cached(
                "SELECT c.id, c.next_seq, h.id, h.uid FROM conversation c
                 LEFT JOIN message h ON h.id = c.head_message_id WHERE c.uid = ?1",
            )?
            .query_row([&self.conversation], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let uid = uuid::Uuid::now_v7();
        db.prepare_cached("SELECT id FROM message WHERE uid = ?1")?.exists([uid.as_bytes()])?;
        db.prepare_cached(
            "INSERT INTO message(uid, conversation_id, seq, parent_id, role, created_at, content)
             VALUES(?1, ?2, ?3, ?4, 1, ?5, ?6)",
        )?
        .execute(params![uid.as_bytes(), conversation, seq, head, now, text])?;
        let message = db.last_insert_rowid();
        db.prepare_cached(
            "INSERT INTO chunk(message_id, view, place, start_byte, end_byte) VALUES(?1, 0, 0, 0, ?2)",
        )?
        .execute(params![message, text.len() as i64])?;
        db.prepare_cached(
            "UPDATE conversation SET next_seq = ?2, head_message_id = ?3, message_count = message_count + 1,
               updated_at = ?4 WHERE id = ?1",
        )?
        .execute(params![conversation, seq + 1, message, now])?;
        Ok(())
    }
}
