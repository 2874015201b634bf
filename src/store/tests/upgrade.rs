//! Databases of older versions.

use rusqlite::Connection;

use crate::store::migrate::{MIGRATIONS, migrate};
use crate::store::testing::{Temporary, options};
use crate::store::{Item, LexicalQuery, Store};
use crate::text::ANALYSIS_VERSION;

/// A folder with a database as an older program left it.
fn old(version: usize, sql: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut db = Connection::open(folder.path().join("nosso.db")).unwrap();
    migrate(&mut db, &MIGRATIONS[..version], &folder.path().join("backups")).unwrap();
    db.execute_batch(sql).unwrap();
    folder
}

async fn open(folder: tempfile::TempDir) -> Temporary {
    let store = Store::open(options(folder.path())).await.unwrap();
    Temporary { store, folder }
}

async fn found(store: &Store, words: &str) -> Vec<Item> {
    let query = LexicalQuery { text: words.into(), limit: 10, ..LexicalQuery::default() };
    let hits = store.lexical(query).await.unwrap().hits;
    hits.into_iter().filter(|hit| hit.turn > 0.0).map(|hit| hit.item).collect()
}

const FIRST: &str = "
  INSERT INTO conversation(uid, created_at, updated_at, next_seq, message_count)
    VALUES(randomblob(16), 0, 0, 33554434, 4), (randomblob(16), 0, 0, 1, 0);
  INSERT INTO message(uid, conversation_id, seq, role, created_at, content, searchable) VALUES
    (randomblob(16), 1, 1, 1, 0, 'as reuniões de hoje', 1), (randomblob(16), 1, 2, 2, 0, 'uma reunião citada', 0),
    (randomblob(16), 1, 33554433, 1, 0, 'reunião além de tudo', 1);
  UPDATE conversation SET head_message_id = 3, message_count = 3 WHERE id = 1;
  INSERT INTO memory(uid, kind, created_at, updated_at, content) VALUES(randomblob(16), 'fact', 0, 0, 'reuniao às dez');
";

#[tokio::test]
async fn what_the_first_version_stored_is_found_by_its_stems() {
    let store = open(old(1, FIRST)).await;
    assert_eq!(found(&store, "reunião").await.len(), 2);
    assert_eq!(found(&store, "hoje").await, [Item::Message(1)]);
    // what lies in a place that has no address is not found, and can be deleted all the same
    assert_eq!(store.number("SELECT count(*) FROM message"), 3);
    store.sql().execute("DELETE FROM message WHERE id = 3", []).unwrap();
    store.check_words();
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%\\_fts%' ESCAPE '\\'";
    assert_eq!(store.number(tables), 0);
}

#[tokio::test]
async fn the_full_text_of_another_analysis_is_made_anew() {
    let folder = old(1, FIRST);
    let store = open(folder).await;
    store.close().await.unwrap();
    let db = store.sql();
    db.execute_batch("DELETE FROM message WHERE id = 3; INSERT INTO words(words) VALUES('delete-all')")
        .unwrap();
    db.execute_batch("UPDATE store SET analysis = 99").unwrap();
    drop(db);
    let store = store.reopen_closed().await;
    assert_eq!(found(&store, "reunião").await.len(), 2);
    store.check_words();
    assert_eq!(store.number("SELECT analysis FROM store"), ANALYSIS_VERSION);
}
