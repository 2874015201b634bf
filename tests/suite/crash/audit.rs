//! Looks into a daemon's files: whether the database is sound, the queue complete, and the index equal to the store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nosso::embed::{self, Embedder, Passage, cosine};
use nosso::index::{self, Index};
use rusqlite::Connection;

use super::ledger::Known;

/// Vectors that are compared with what the model says now.
const COMPARED: usize = 60;

/// What a database holds.
pub struct Stored {
    pub messages: Known,
    pub memories: Known,
    db: Connection,
    _copy: tempfile::TempDir,
}

impl Stored {
    /// Jobs that somebody holds.
    pub fn leased(&self) -> i64 {
        count(&self.db, "SELECT count(*) FROM embed_job WHERE state = 1")
    }
}

/// Opens a copy of the database as a crash would have left it, recovers it and checks all that must hold always.
pub fn audit(data: &Path) -> Stored {
    let copy = tempfile::tempdir().unwrap();
    for name in ["nosso.db", "nosso.db-wal"] {
        if data.join(name).exists() {
            std::fs::copy(data.join(name), copy.path().join(name)).unwrap();
        }
    }
    let db = Connection::open(copy.path().join("nosso.db")).unwrap();
    assert_eq!(text(&db, "PRAGMA integrity_check"), ["ok"]);
    assert_eq!(
        count(&db, "SELECT count(*) FROM pragma_foreign_key_check"),
        0,
        "a foreign key points nowhere"
    );
    check_words(&db);
    for (what, sql) in ABSENT {
        assert_eq!(count(&db, sql), 0, "{what}");
    }
    let messages = known(&db, "SELECT uid, content FROM message");
    let memories = known(&db, "SELECT uid, content FROM memory WHERE superseded_by IS NULL");
    Stored { messages, memories, db, _copy: copy }
}

/// The full text must be whole, and hold exactly the terms of the texts.
fn check_words(db: &Connection) {
    nosso::store::register_functions(db).unwrap();
    db.execute_batch(
        "INSERT INTO words(words) VALUES('integrity-check');
         CREATE VIRTUAL TABLE temp.expected USING fts5(stems, others, content='', columnsize=0, tokenize='ascii');
         CREATE VIRTUAL TABLE temp.expected_posting USING fts5vocab(temp, expected, instance);
         INSERT INTO expected(rowid, stems, others)
           SELECT nosso_address(conversation_id, seq, content), nosso_stems(content), nosso_others(content)
           FROM message WHERE searchable = 1;
         INSERT INTO expected(rowid, stems, others)
           SELECT nosso_address(0, id, content), nosso_stems(content), nosso_others(content) FROM memory;",
    )
    .unwrap();
    for (more, less) in [("posting", "expected_posting"), ("expected_posting", "posting")] {
        let columns = "SELECT term, doc, col, offset FROM";
        let missing = format!("SELECT count(*) FROM ({columns} {more} EXCEPT {columns} {less})");
        assert_eq!(count(db, &missing), 0, "places in {more} that are not in {less}");
    }
}

/// What must never be found in a database, whatever happened to the daemon.
const ABSENT: &[(&str, &str)] = &[
    (
        "two messages of a conversation have one place",
        "SELECT count(*) - count(DISTINCT conversation_id || ' ' || seq) FROM message",
    ),
    (
        "a place will be given twice",
        "SELECT count(*) FROM conversation c WHERE next_seq <= (SELECT max(seq) FROM message m WHERE m.conversation_id = c.id)",
    ),
    (
        "a conversation counts its messages wrongly",
        "SELECT count(*) FROM conversation c WHERE message_count <> (SELECT count(*) FROM message m WHERE m.conversation_id = c.id)",
    ),
    (
        "a conversation's head is no message of it",
        "SELECT count(*) FROM conversation c WHERE head_message_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM message m WHERE m.id = c.head_message_id AND m.conversation_id = c.id)",
    ),
    (
        "a text has no passage",
        "SELECT count(*) FROM message m WHERE length(CAST(content AS BLOB)) > 0 AND NOT EXISTS (SELECT 1 FROM chunk k WHERE k.message_id = m.id)",
    ),
    (
        "a passage ends behind its text",
        "SELECT count(*) FROM chunk k LEFT JOIN message m ON m.id = k.message_id LEFT JOIN memory y ON y.id = k.memory_id WHERE end_byte > length(CAST(coalesce(m.content, y.content) AS BLOB))",
    ),
    (
        "a passage has not exactly one of job and vector",
        "SELECT count(*) FROM chunk k JOIN embed_space s ON s.state < 2 WHERE 1 <> (SELECT count(*) FROM embed_job j WHERE j.space_id = s.id AND j.chunk_id = k.id AND j.kind = 0) + (SELECT count(*) FROM chunk_vector v WHERE v.space_id = s.id AND v.chunk_id = k.id)",
    ),
    (
        "a job embeds what is not there",
        "SELECT count(*) FROM embed_job j JOIN embed_space s ON s.id = j.space_id AND s.state < 2 WHERE kind = 0 AND NOT EXISTS (SELECT 1 FROM chunk k WHERE k.id = j.chunk_id)",
    ),
    (
        "a job removes what is there",
        "SELECT count(*) FROM embed_job j WHERE kind = 1 AND EXISTS (SELECT 1 FROM chunk k WHERE k.id = j.chunk_id)",
    ),
    (
        "a vector belongs to nothing",
        "SELECT count(*) FROM chunk_vector v JOIN embed_space s ON s.id = v.space_id AND s.state < 2 WHERE NOT EXISTS (SELECT 1 FROM chunk k WHERE k.id = v.chunk_id)",
    ),
    ("a job was given up", "SELECT count(*) FROM embed_job WHERE state = 2"),
    (
        "the store counts wrongly",
        "SELECT (chunks <> (SELECT count(*) FROM chunk)) + (messages <> (SELECT count(*) FROM message)) + (memories <> (SELECT count(*) FROM memory)) + (conversations <> (SELECT count(*) FROM conversation)) FROM store",
    ),
    (
        "a space counts wrongly",
        "SELECT count(*) FROM embed_space s WHERE state < 2 AND (ready <> (SELECT count(*) FROM embed_job j WHERE j.space_id = s.id AND j.state IN (0, 3)) OR leased <> (SELECT count(*) FROM embed_job j WHERE j.space_id = s.id AND j.state = 1) OR vectors <> (SELECT count(*) FROM chunk_vector v WHERE v.space_id = s.id))",
    ),
];

/// After a stop in order with an empty queue: the vector index holds the vectors of all passages, of nothing else, and
/// each is that of its text.
pub fn index_equals_store(data: &Path, library: &Path, model: &Path) {
    let stored = audit(data);
    let db = &stored.db;
    assert_eq!(count(db, "SELECT count(*) FROM embed_job"), 0, "nothing is left to do");
    let identity: [u8; 16] = db.query_row("SELECT identity FROM store", [], |row| row.get(0)).unwrap();
    let identity = uuid::Builder::from_random_bytes(identity).into_uuid();
    let sql = "SELECT id, fingerprint, dimension FROM embed_space WHERE state = 1";
    let space = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (space, fingerprint, dimension): (i64, String, u32) = db.query_row(sql, [], space).unwrap();
    let folder = data.join("index").join(format!("{space:04}"));
    let stamp = format!("{identity}/{fingerprint}/{space}");
    let index = Index::open(index::Options { folder, dimension: dimension as usize, stamp }).unwrap();
    assert_eq!((index.opened().fresh, &index.opened().why), (false, &None), "it is the daemon's index");
    let texts = passages(db);
    let expected: BTreeSet<u32> = texts.keys().copied().collect();
    assert_eq!(
        index.ids().unwrap().into_iter().collect::<BTreeSet<_>>(),
        expected,
        "the index equals the store"
    );

    let step = (texts.len() / COMPARED).max(1);
    let (ids, texts): (Vec<u32>, Vec<Passage>) = texts.into_iter().step_by(step).unzip();
    let options = embed::Options {
        library: vec![library.to_owned()],
        model: model.to_owned(),
        threads: 1,
        niceness: 0,
        unload_after: None,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let vectors = runtime.block_on(async {
        let embedder = Embedder::start(options).await.unwrap();
        assert_eq!(embedder.model().fingerprint, fingerprint);
        let vectors = embedder.embed_passages(texts).await.unwrap();
        embedder.stop().await;
        vectors
    });
    for ((id, vector), stored) in ids.iter().zip(vectors).zip(index.vectors(&ids).unwrap()) {
        let cosine = cosine(&vector.unwrap().vector, &stored.unwrap());
        assert!(cosine > 0.99, "the vector of passage {id} is of another text: {cosine}");
    }
    index.close().unwrap();
}

/// Every passage as it is to be embedded, by its id: its context is the message before it, the chunk before it or the
/// conversation's title. Nothing here is hours apart.
fn passages(db: &Connection) -> BTreeMap<u32, Passage> {
    let sql = "SELECT k.id, k.start_byte, k.end_byte, coalesce(m.content, y.content), m.author, c.title,
                 (SELECT p.end_byte FROM chunk p WHERE p.message_id = k.message_id AND p.place = k.place - 1),
                 b.content, b.author
               FROM chunk k LEFT JOIN message m ON m.id = k.message_id LEFT JOIN memory y ON y.id = k.memory_id
               LEFT JOIN conversation c ON c.id = m.conversation_id
               LEFT JOIN message b ON b.conversation_id = m.conversation_id AND b.seq = (SELECT max(seq)
                 FROM message WHERE conversation_id = m.conversation_id AND seq < m.seq)";
    let mut statement = db.prepare(sql).unwrap();
    let spoken = |author: Option<String>, text: &str| match author {
        Some(author) => format!("{author}: {text}"),
        None => text.to_owned(),
    };
    let row = |row: &rusqlite::Row<'_>| {
        let (start, end, content): (u32, u32, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let (title, part, before): (Option<String>, Option<u32>, Option<String>) =
            (row.get(5)?, row.get(6)?, row.get(7)?);
        let context = match (part, before) {
            (Some(part), _) => end_of(&content[..part as usize]).to_owned(),
            (None, Some(before)) => spoken(row.get(8)?, end_of(&before)),
            (None, None) => title.unwrap_or_default(),
        };
        let text = spoken(row.get(4)?, &content[start as usize..end as usize]);
        Ok((row.get(0)?, Passage { context, text }))
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// The last 400 bytes of a text or a few less, from a word on.
fn end_of(text: &str) -> &str {
    let text = text.trim_end();
    match text.len() {
        0..=400 => text,
        length => {
            let end = &text[text.ceil_char_boundary(length - 400)..];
            end.find(char::is_whitespace).map_or(end, |space| end[space..].trim_start())
        }
    }
}

fn known(db: &Connection, sql: &str) -> Known {
    let mut statement = db.prepare(sql).unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        let uid: [u8; 16] = row.get(0)?;
        Ok((uuid::Uuid::from_bytes(uid).to_string(), row.get(1)?))
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

fn count(db: &Connection, sql: &str) -> i64 {
    db.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn text(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}
