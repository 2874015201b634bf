//! Memories: stored, read, listed, changed, deleted, retried.

use crate::api::Patch;
use crate::api::memory::{MemoryList, MemoryUpdate};
use crate::error::Kind;
use crate::model::{MemoryId, MessageId, Metadata, Timestamp};
use crate::store::NewMemory;
use crate::store::testing::{client, fact, store, whole};

#[tokio::test]
async fn memories_are_stored_listed_changed_and_deleted() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let source = store.say(c, "said").await.id;
    let new = NewMemory {
        project: Some("casa".into()),
        source_message_id: Some(source),
        expires_at: Some(Timestamp::from_millis(99)),
        metadata: Some(Metadata::from_iter([("k".to_owned(), serde_json::json!([1, null]))])),
        ..fact("o portão fecha às dez")
    };
    let made = store.add_memory(new.clone(), Some(client("cli"))).await.unwrap();
    assert!(made.fresh);
    assert_eq!(store.memory(new.id).await.unwrap(), made.record);
    assert!(!store.add_memory(new.clone(), None).await.unwrap().fresh);
    let other = NewMemory { content: "x".into(), chunks: whole("x"), ..new.clone() };
    assert_eq!(store.add_memory(other, None).await.unwrap_err().kind(), Kind::Conflict);
    let orphan = NewMemory { source_message_id: Some(MessageId::new()), ..fact("x") };
    assert_eq!(store.add_memory(orphan, None).await.unwrap_err().kind(), Kind::NotFound);

    store.add_memory(NewMemory { kind: "rule".into(), ..fact("be brief") }, None).await.unwrap();
    let list = async |project: Option<&str>, kind: Option<&str>| {
        let list = MemoryList {
            project: project.map(Into::into),
            kind: kind.map(Into::into),
            limit: None,
            cursor: None,
        };
        store.memories(list).await.unwrap().items.len()
    };
    assert_eq!((list(None, None).await, list(Some("casa"), None).await), (2, 1));
    assert_eq!((list(None, Some("rule")).await, list(Some("casa"), Some("rule")).await), (1, 0));

    let update = MemoryUpdate {
        id: new.id,
        content: Some("às onze".into()),
        kind: None,
        project: Patch::Clear,
        expires_at: Patch::Clear,
        metadata: Patch::Keep,
    };
    let changed = store.update_memory(update, Some(whole("às onze"))).await.unwrap();
    assert_eq!((changed.project.as_deref(), changed.expires_at), (None, None));
    assert_eq!(store.memory(new.id).await.unwrap(), changed);
    assert_eq!(store.add_memory(new.clone(), None).await.unwrap().record, changed, "a late retry");
    store.delete_message(source).await.unwrap();
    assert!(store.delete_memory(new.id).await.unwrap().deleted);
    assert!(!store.delete_memory(new.id).await.unwrap().deleted);
    assert_eq!(store.memory(MemoryId::new()).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(store.counts().await.unwrap().memories, 1);
}
