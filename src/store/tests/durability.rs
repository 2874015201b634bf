//! What is on the disk: after a crash, a delete, a close, and when the disk is full.

use crate::error::Kind;
use crate::store::Store;
use crate::store::testing::{append, options, said, store};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(options(folder.path())).await.unwrap();
    let temporary = crate::store::testing::Temporary { store, folder };
    let c = temporary.conversation_of("c", None).await;
    let id = temporary.say(c, "kept").await.id;
    // what a crash leaves: the files as they are, the log not written back
    let copy = tempfile::tempdir().unwrap();
    for name in ["nosso.db", "nosso.db-wal"] {
        std::fs::copy(temporary.folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let recovered = Store::open(options(copy.path())).await.unwrap();
    assert_eq!(recovered.message(id).await.unwrap().content, "kept");
    assert_eq!(recovered.identity(), temporary.identity());
}

#[tokio::test]
async fn a_closed_store_refuses_and_leaves_no_log() {
    let store = store().await;
    store.ping().await.unwrap();
    let c = store.conversation_of("c", None).await;
    store.say(c, "x").await;
    assert!(store.sizes().1 > 0);
    store.close().await.unwrap();
    assert_eq!(store.sizes().1, 0);
    assert_eq!(store.ping().await.unwrap_err().kind(), Kind::Busy);
    assert_eq!(store.append(append(c, vec![said("y")])).await.unwrap_err().kind(), Kind::Busy);
    let store = store.reopen_closed().await;
    assert_eq!(store.counts().await.unwrap().messages, 1);
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_loses_nothing() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    store.say(c, "kept").await;
    store.write(|db| Ok(db.execute_batch("PRAGMA max_page_count = 60")?)).await.unwrap();
    let full = store.append(append(c, vec![said(&"x".repeat(1 << 20))])).await.unwrap_err();
    assert_eq!(full.kind(), Kind::StorageFull);
    assert!(full.hint_text().unwrap().contains("space"));
    store.write(|db| Ok(db.execute_batch("PRAGMA max_page_count = 1000000")?)).await.unwrap();
    store.say(c, "more").await;
    let store = store.reopen().await;
    assert_eq!(store.counts().await.unwrap().messages, 2);
    store.check_words();
}
