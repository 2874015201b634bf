//! A database that the first release left, opened by this one: nothing is lost, all of it is found.

use std::path::Path;

use nosso::model::{ConversationId, MemoryId, MessageId};
use nosso::paths::Paths;
use rusqlite::{Connection, params as sql};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::application::{App, params, quoting};

/// The schema as the first release had it, which no later one may change.
const SCHEMA: &str = include_str!("../../migrations/0001_init.sql");
/// Messages that fill the conversations up.
const FILLING: i64 = 2_000;

/// An id that tells what it is of.
fn id(kind: u8, n: i64) -> [u8; 16] {
    let mut id = [kind; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    id
}

const CONVERSATION: u8 = 1;
const MESSAGE: u8 = 2;
const MEMORY: u8 = 3;

/// What the first release would have written: its migrator's notes, and conversations, messages and memories with
/// everything that a row can hold.
fn write(database: &Path) {
    std::fs::create_dir_all(database.parent().unwrap()).unwrap();
    let mut db = Connection::open(database).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    let tx = db.transaction().unwrap();
    tx.execute_batch(
        "CREATE TABLE schema_migration(
           version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,
           applied_at INTEGER NOT NULL, applied_by TEXT NOT NULL) STRICT",
    )
    .unwrap();
    tx.execute_batch(SCHEMA).unwrap();
    let checksum: String = Sha256::digest(SCHEMA).iter().map(|byte| format!("{byte:02x}")).collect();
    tx.execute("INSERT INTO schema_migration VALUES(1, '0001_init.sql', ?1, 0, '0.1.0')", [checksum])
        .unwrap();
    tx.pragma_update(None, "application_id", 0x4E4F_5353).unwrap();
    tx.pragma_update(None, "user_version", 1).unwrap();

    tx.execute_batch(
        "INSERT INTO project VALUES(1, '/home/ana/harbour');
         INSERT INTO client VALUES(1, 'harbour-notes', '2.1'), (2, 'editor', '');",
    )
    .unwrap();
    for n in 1..=40 {
        tx.execute(
            "INSERT INTO conversation(uid, project_id, client_id, title, model, created_at, updated_at, metadata)
             VALUES(?1, ?2, 1, ?3, 'llama', ?4, ?4 + 1000, '{\"tab\":3}')",
            sql![id(CONVERSATION, n), (n % 2 == 0).then_some(1), (n != 3).then(|| format!("Conversa {n}")), n * 10_000],
        )
        .unwrap();
    }
    let say = |conversation: i64, seq: i64, parent: Option<i64>, role: i64, content: &str| -> i64 {
        tx.execute(
            "INSERT INTO message(uid, conversation_id, seq, parent_id, client_id, role, created_at, content)
             VALUES(zeroblob(16), ?1, ?2, ?3, 1, ?4, ?1 * 10000 + ?2, ?5)",
            sql![conversation, seq, parent, role, content],
        )
        .unwrap();
        let number = tx.last_insert_rowid();
        tx.execute("UPDATE message SET uid = ?1 WHERE id = ?2", sql![id(MESSAGE, number), number]).unwrap();
        tx.execute(
            "INSERT INTO chunk(message_id, place, start_byte, end_byte) VALUES(?1, 0, 0, ?2)",
            sql![number, content.len() as i64],
        )
        .unwrap();
        number
    };
    // a tree with two branches, the older of which is shown
    let question = say(1, 1, None, 1, "Quando saem as reuniões do porto?");
    let answer = say(1, 2, Some(question), 2, "The cranes are greased every second Tuesday.");
    let other = say(1, 3, Some(question), 2, "Ninguém sabe \u{0} ao certo 🦀");
    let mut last = [None; 41];
    for n in 0..FILLING {
        let conversation = 2 + n % 38;
        let seq = 1 + n / 38;
        let text = format!("number{n} of the talk about ships and weather");
        last[conversation as usize] =
            Some(say(conversation, seq, last[conversation as usize], 1 + n % 2, &text));
    }
    tx.execute(
        "UPDATE message SET model = 'llama', author = 'Ana', edited_at = 77, status = 1, metadata = '{\"a\":[1.5,null]}',
           usage = '{\"promptTokens\":7,\"completionTokens\":2}' WHERE id = ?1",
        [answer],
    )
    .unwrap();
    tx.execute_batch(&format!(
        "UPDATE conversation SET
           head_message_id = (SELECT max(id) FROM message WHERE conversation_id = conversation.id),
           message_count = (SELECT count(*) FROM message WHERE conversation_id = conversation.id),
           next_seq = 1 + coalesce((SELECT max(seq) FROM message WHERE conversation_id = conversation.id), 0);
         UPDATE conversation SET head_message_id = {answer} WHERE id = 1;"
    ))
    .unwrap();
    assert_eq!(other, 3);
    for (n, content) in
        [(1, "o café é sem açúcar"), (2, "o café era com açúcar"), (3, "the pilot's name is Rui")]
    {
        tx.execute(
            "INSERT INTO memory(uid, project_id, client_id, kind, source_message, superseded_by, created_at,
               updated_at, expires_at, metadata, content) VALUES(?1, ?2, 2, 'preference', ?3, ?4, 5, 6, ?5, '{\"n\":1}', ?6)",
            sql![
                id(MEMORY, n),
                (n == 3).then_some(1),
                (n == 3).then(|| id(MESSAGE, answer)),
                (n == 2).then(|| id(MEMORY, 1)),
                (n == 3).then_some(3_800_000_000_000i64),
                content
            ],
        )
        .unwrap();
        if n != 2 {
            tx.execute(
                "INSERT INTO chunk(memory_id, place, start_byte, end_byte) VALUES(?1, 0, 0, ?2)",
                sql![n, content.len() as i64],
            )
            .unwrap();
        }
    }
    tx.commit().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_release_stored_is_there_and_found() {
    let Some(app) = App::with_model("a database of the first release").await else { return };
    app.memory.close().await.unwrap();
    let paths = Paths::below(&app.root.path().join("home"));
    std::fs::remove_dir_all(&paths.data).unwrap();
    write(&paths.database());
    let app = App::open_in(app.root, app.config).await;

    // by ids
    let messages = app.messages(ConversationId::from_bytes(id(CONVERSATION, 1))).await;
    assert_eq!(
        messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>(),
        [
            "Quando saem as reuniões do porto?",
            "The cranes are greased every second Tuesday.",
            "Ninguém sabe \u{0} ao certo 🦀",
        ]
    );
    let answer = app.memory.message(MessageId::from_bytes(id(MESSAGE, 2))).await.unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    let expected = json!({"id": answer["id"], "conversationId": answer["conversationId"],
        "parentId": messages[0].id, "seq": 2, "role": "assistant", "author": "Ana", "model": "llama",
        "content": "The cranes are greased every second Tuesday.",
        "client": {"name": "harbour-notes", "version": "2.1"}, "status": "cancelled",
        "usage": {"promptTokens": 7, "completionTokens": 2}, "createdAt": "1970-01-01T00:00:10.002Z",
        "editedAt": "1970-01-01T00:00:00.077Z", "metadata": {"a": [1.5, null]}});
    assert_eq!(answer, expected);
    let conversation =
        app.memory.conversation(ConversationId::from_bytes(id(CONVERSATION, 1))).await.unwrap();
    assert_eq!((conversation.head_message_id, conversation.message_count), (Some(messages[1].id), 3));
    let counts = app.memory.status("", 0).await.unwrap().counts;
    assert_eq!((counts.conversations, counts.messages, counts.memories), (40, FILLING as u64 + 3, 3));
    let pilot = app.memory.memory(MemoryId::from_bytes(id(MEMORY, 3))).await.unwrap();
    assert_eq!(pilot.source_message_id, Some(messages[1].id));
    let history = app.memory.memory_history(MemoryId::from_bytes(id(MEMORY, 1))).await.unwrap();
    assert_eq!(serde_json::to_value(history).unwrap().to_string().matches("açúcar").count(), 2);

    // by words, at once: other forms of them too, by all there is of it
    let first = async |asked: Value| {
        let found = app.memory.search(params(asked)).await.unwrap();
        serde_json::to_value(found).unwrap()["hits"][0]["text"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(
        first(json!({"query": "reunião", "mode": "lexical"})).await,
        "Quando saem as reuniões do porto?"
    );
    assert_eq!(first(json!({"query": "pilots", "mode": "lexical"})).await, "the pilot's name is Rui");
    for n in [0, 999, FILLING - 1] {
        let found = first(json!({"query": format!("number{n}"), "mode": "lexical"})).await;
        assert!(found.starts_with(&format!("number{n} ")), "{found}");
    }
    let listed = app.memory.conversations(params(json!({"query": "conversa 17"}))).await.unwrap().items;
    assert_eq!(listed[0].title.as_deref(), Some("Conversa 17"));

    // by meaning, once it is embedded
    app.work().await;
    let index = app.memory.index_status().await.unwrap();
    assert_eq!((index.vectors, index.pending), (FILLING as u64 + 5, 0));
    let found =
        first(json!({"query": "The cranes are greased every second Tuesday.", "mode": "semantic"})).await;
    assert!(!found.is_empty());

    // the backup is that of the first release, and goes back in
    let backups = app.memory.backups().await.unwrap().backups;
    assert_eq!(backups.len(), 1);
    assert!(backups[0].file.contains("from-v1-"), "{}", backups[0].file);
    let old = Connection::open(&backups[0].file).unwrap();
    let version: i64 = old.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let n: i64 = old.query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap();
    assert_eq!((version, n), (1, FILLING + 3));
    drop(old);
    let before = app.export().await;
    app.conversation(&["said since"]).await;
    let restore = json!({"file": backups[0].file});
    app.memory.restore_backup(params(restore), &crate::application::actor()).await.unwrap();
    assert_eq!(app.export().await, before);
    assert_eq!(
        first(json!({"query": "reunião", "mode": "lexical"})).await,
        "Quando saem as reuniões do porto?"
    );
    app.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_release_stored_goes_out_and_in_again() {
    let app = App::open(quoting()).await;
    app.memory.close().await.unwrap();
    let paths = Paths::below(&app.root.path().join("home"));
    std::fs::remove_dir_all(&paths.data).unwrap();
    write(&paths.database());
    let one = App::open_in(app.root, app.config).await;
    let exported = one.export().await;
    assert_eq!(exported.len() as i64, 1 + 40 + FILLING + 3 + 3);
    let two = App::open(quoting()).await;
    assert_eq!(two.import(&exported.join("\n")).await.refused, []);
    assert_eq!(two.export().await, exported);
    for app in [one, two] {
        app.memory.close().await.unwrap();
    }
}
