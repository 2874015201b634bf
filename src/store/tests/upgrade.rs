//! Databases of older versions.

use rusqlite::Connection;

use crate::api::organise::ConversationFilter;
use crate::store::migrate::{MIGRATIONS, migrate};
use crate::store::testing::{Temporary, append, options, said};
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

/// As the first release wrote them.
const FIRST_DATA: &str = "
  INSERT INTO project(name) VALUES('/home/ana/site');
  INSERT INTO client(name, version) VALUES('vscode', '1');
  INSERT INTO conversation(uid, project_id, client_id, title, head_message_id, next_seq, message_count, created_at, updated_at)
    VALUES(x'0192d3a4000070008000000000000001', 1, 1, 'Deploy às dez', 2, 3, 2, 1000, 2000),
          (x'0192d3a4000070008000000000000002', NULL, NULL, NULL, NULL, 1, 0, 1000, 1500);
  INSERT INTO message(uid, conversation_id, seq, parent_id, client_id, role, created_at, content)
    VALUES(x'0192d3a4000070008000000000000011', 1, 1, NULL, 1, 1, 1000, 'when is the deadline?'),
          (x'0192d3a4000070008000000000000012', 1, 2, 1, 1, 2, 2000, 'on friday');
  INSERT INTO chunk(message_id, place, start_byte, end_byte) VALUES(1, 0, 0, 21), (2, 0, 0, 9);
  INSERT INTO memory(uid, kind, created_at, updated_at, content)
    VALUES(x'0192d3a4000070008000000000000021', 'fact', 1000, 1000, 'tea, not coffee');";

#[tokio::test]
async fn a_database_of_the_first_release_keeps_all_it_holds() {
    let folder = old(1, FIRST_DATA);
    let options = options(folder.path());
    let store = Store::open(options.clone()).await.unwrap();
    assert_eq!(std::fs::read_dir(&options.backups).unwrap().count(), 1, "copied before it was changed");
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.conversations, counts.messages, counts.memories, counts.chunks), (2, 2, 1, 2));
    let everything = ConversationFilter::default();
    let (ids, _) = store.conversation_ids(everything, None, 9).await.unwrap();
    let first = store.conversation(ids[0]).await.unwrap();
    assert_eq!(first.title.as_deref(), Some("Deploy às dez"));
    assert_eq!((first.pinned, first.archived, first.private, first.folder, first.tags), Default::default());
    // what was there is found in the new ways too
    let typed = ConversationFilter { query: Some("as de".into()), ..ConversationFilter::default() };
    assert_eq!(store.find_conversations(typed, 9).await.unwrap().len(), 1);
    let typed = ConversationFilter { query: Some("dead".into()), ..ConversationFilter::default() };
    assert_eq!(store.find_conversations(typed, 9).await.unwrap().len(), 1);
    assert_eq!(found(&store, "deadline").await, [Item::Message(1)]);
    // and it goes on
    let appended = store.append(append(first.id, vec![said("more")])).await.unwrap();
    assert_eq!(appended.messages[0].seq, 3);
    store.close().await.unwrap();
    Store::open(options).await.unwrap();
}
