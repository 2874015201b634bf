//! Databases of other tools: made here as they make them, and read through the store.

use std::path::{Path, PathBuf};

use nosso::api::data::ImportFormat;
use nosso::exchange::{self, Readout, tables};
use nosso::store::ForeignDatabase;
use rusqlite::{Connection, params};

use super::samples::is_expected;
use super::{check_promises, messages, now, outline, sample};

fn read(path: &Path) -> (ImportFormat, Readout) {
    let database = ForeignDatabase::open(path).unwrap();
    let format = exchange::recognise_tables(database.tables()).expect("a known database");
    let mut all = Readout::default();
    let rows = |select: &tables::Select<'_>,
                each: &mut dyn FnMut(tables::Row) -> nosso::error::Result<()>| {
        database.rows(select, each)
    };
    tables::read_tables(format, &rows, now(), &mut |part| {
        all.append(part);
        Ok(())
    })
    .unwrap();
    check_promises(&all);
    (format, all)
}

fn check(name: &str, path: &Path, format: ImportFormat) {
    let (found, readout) = read(path);
    assert_eq!(found, format);
    is_expected(name, &outline(&readout));
    assert_eq!(read(path).1, readout, "read twice");
}

/// A database of `llm`, without its full-text tables.
pub fn llm(folder: &Path) -> (PathBuf, Connection) {
    let path = folder.join("logs.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    for statement in
        sample("llm-logs-schema.sql").split(";\n").filter(|it| it.trim().starts_with("CREATE TABLE"))
    {
        if !statement.contains("_fts") {
            db.execute_batch(statement).unwrap();
        }
    }
    (path, db)
}

#[test]
fn llm_of_the_first_age() {
    let folder = tempfile::tempdir().unwrap();
    let (path, db) = llm(folder.path());
    db.execute_batch(
        "INSERT INTO conversations VALUES('c1', 'olá mundo', 'gpt-4o-mini'), ('c2', NULL, 'm');
         INSERT INTO fragments VALUES(1, 'h', 'a whole book', '2025-01-01', NULL);
         INSERT INTO responses(id, model, prompt, system, response, conversation_id, datetime_utc, input_tokens,
             output_tokens, resolved_model, reasoning) VALUES
           ('r2', 'gpt-4o-mini', 'and then?', 'Be brief.', 'More.', 'c1', '2025-05-01T10:01:00.123456+00:00', 9, 2, NULL, NULL),
           ('r1', 'gpt-4o-mini', 'olá mundo', 'Be brief.', 'Olá!', 'c1', '2025-05-01T10:00:00', 5, 3, 'gpt-4o-mini-2024', 'They greet.'),
           ('r3', 'm', NULL, NULL, 'It is 42.', 'c2', '2025-05-02T10:00:00', NULL, NULL, NULL, NULL),
           ('r4', 'm', 'alone', NULL, 'yes', NULL, '2025-05-03T10:00:00', NULL, NULL, NULL, NULL);
         INSERT INTO prompt_fragments VALUES('r2', 1, 0);
         INSERT INTO tool_calls VALUES(1, 'r1', NULL, 'clock', '{\"zone\": \"UTC\"}', 'x');
         INSERT INTO tool_results VALUES(1, 'r3', NULL, 'clock', '42', 'x', NULL, NULL);",
    )
    .unwrap();
    check("llm-first", &path, ImportFormat::Llm);
}

#[test]
fn llm_of_the_second_age_with_a_fork_and_what_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let (path, db) = llm(folder.path());
    db.execute_batch(
        "INSERT INTO conversations VALUES('t1', 'moved', 'm');
         INSERT INTO responses(id, model, prompt, response, conversation_id) VALUES('r', 'm', 'x', 'y', 't1');
         INSERT INTO fragments VALUES(1, 'h', 'a whole book', '2025-01-01', NULL);
         INSERT INTO messages VALUES('s', NULL, 'system', NULL), ('u', 's', 'user', NULL), ('a', 'u', 'assistant', NULL),
           ('u2', 'a', 'user', NULL), ('a2', 'u2', 'assistant', NULL), ('x', 'gone', 'alien', NULL),
           ('l1', 'l2', 'user', NULL), ('l2', 'l1', 'assistant', NULL);
         INSERT INTO parts(message_hash, position, type, text, payload) VALUES
           ('s', 0, 'text', 'Be brief.', NULL), ('u', 0, 'text', 'first', NULL), ('a', 0, 'reasoning', 'hm', NULL),
           ('a', 1, 'text', 'answer', NULL), ('a', 2, 'tool_call', NULL, '{\"name\": \"f\", \"arguments\": {\"a\": 1}}'),
           ('u2', 0, 'text', NULL, '{\"text_ref\": [{\"fragment\": 1}, {\"literal\": \"\\nabout the book\"}]}'),
           ('u2', 1, 'attachment', NULL, '{}'), ('a2', 0, 'text', 'forked', NULL), ('a2', 1, 'hologram', 'x', 'no json'),
           ('l1', 0, 'text', 'round', NULL), ('l2', 0, 'text', 'and round', NULL);
         INSERT INTO threads VALUES('t1', 'moved', 'a', NULL, '2026-01-01 10:00:00+00:00'),
           ('t2', 'fork', 'a2', 't1', '2026-01-02 10:00:00+00:00'), ('t3', 'odd', 'x', NULL, NULL),
           ('t4', 'loop', 'l1', NULL, '2026-01-03');
         INSERT INTO turns(id, thread_id, parent_message_hash, tip_message_hash, model, output_tokens, datetime_utc) VALUES
           ('1', 't1', 'u', 'a', 'm', 5, '2026-01-01T10:00:01+00:00'),
           ('2', 't2', 'u2', 'a2', 'm', 6, '2026-01-02T10:00:01+00:00');",
    )
    .unwrap();
    check("llm-second", &path, ImportFormat::Llm);
}

#[test]
fn open_webui() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("webui.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "CREATE TABLE chat(id TEXT, user_id TEXT, title TEXT, share_id TEXT, archived INTEGER, created_at INTEGER,
           updated_at INTEGER, chat JSON, pinned BOOLEAN, meta JSON, folder_id TEXT);
         CREATE TABLE folder(id TEXT, parent_id TEXT, name TEXT);
         CREATE TABLE memory(id TEXT, user_id TEXT, content TEXT, updated_at INTEGER, created_at INTEGER, type TEXT,
           path TEXT);
         INSERT INTO folder VALUES('f0', NULL, 'Trabalho'), ('f1', 'f0', 'Contas');
         INSERT INTO memory VALUES('m1', 'u', 'Ana likes tea', 1700000000, 1700000000, 'user', '/home/tea/'),
           ('m2', 'u', ' ', 1, 1, 'user', NULL), ('m3', 'u', 'db2 is staging', 1, 1, 'context', 'a//b'),
           ('m4', 'u', 'Bob is tall', 1, 1, NULL, '');",
    )
    .unwrap();
    let exported: serde_json::Value = serde_json::from_str(&sample("open-webui.json")).unwrap();
    for chat in exported.as_array().unwrap() {
        db.execute(
            "INSERT INTO chat VALUES(?1, 'u', ?2, NULL, 1, ?3, ?4, ?5, 1, '{\"tags\": [\"math\"]}', 'f1')",
            params![
                chat["id"].as_str(),
                chat["title"].as_str(),
                chat["created_at"].as_i64(),
                chat["updated_at"].as_i64(),
                chat["chat"].to_string()
            ],
        )
        .unwrap();
    }
    db.execute_batch(
        "INSERT INTO chat(id, chat, meta) VALUES('broken', '{\"title\"', 7), ('none', NULL, NULL)",
    )
    .unwrap();
    check("webui-db", &path, ImportFormat::OpenWebui);
    // from the database and from the export come the same conversations
    let ids = |readout: &Readout| messages(readout).iter().map(|it| it.id).collect::<Vec<_>>();
    let from_export = super::read(ImportFormat::OpenWebui, sample("open-webui.json").as_bytes());
    assert_eq!(ids(&read(&path).1), ids(&from_export));
}

#[test]
fn ollama() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE chats(id TEXT PRIMARY KEY, title TEXT, created_at TIMESTAMP, browser_state TEXT);
         CREATE TABLE messages(id INTEGER PRIMARY KEY, chat_id TEXT, role TEXT, content TEXT, thinking TEXT,
           model_name TEXT, created_at TIMESTAMP, tool_result TEXT);
         CREATE TABLE tool_calls(id INTEGER PRIMARY KEY, message_id INTEGER, type TEXT, function_name TEXT,
           function_arguments TEXT, function_result TEXT);
         CREATE TABLE attachments(id INTEGER PRIMARY KEY, message_id INTEGER, filename TEXT, data BLOB);
         INSERT INTO chats VALUES('a', 'Weather', '2025-08-01 12:00:00', NULL), ('b', 'empty', '2025-08-01', NULL);
         INSERT INTO messages VALUES
           (1, 'a', 'user', 'What is on the map?', '', NULL, '2025-08-01 12:00:01.5-03:00', NULL),
           (2, 'a', 'assistant', '', 'I must look.', 'qwen3', '2025-08-01 15:00:02.123456789 +0000 UTC', NULL),
           (3, 'a', 'tool', '', '', NULL, '2025-08-01 15:00:03', '{\"rain\": true}'),
           (4, 'a', 'assistant', 'Rain.', '', 'qwen3', '2025-08-01 15:00:04', NULL),
           (5, 'a', 'alien', 'x', '', NULL, NULL, NULL), (6, 'gone', 'user', 'orphan', '', NULL, NULL, NULL);
         INSERT INTO tool_calls VALUES(1, 2, 'function', 'look', '{\"at\": \"map\"}', NULL);
         INSERT INTO attachments VALUES(1, 1, 'map.png', x'ff00');",
    )
    .unwrap();
    check("ollama", &path, ImportFormat::Ollama);
}
