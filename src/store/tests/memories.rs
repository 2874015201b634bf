//! Memories: stored, read, listed, changed, deleted, retried.

use crate::api::Patch;
use crate::api::memory::{MemoryList, MemoryMove, MemoryPaths, MemoryUpdate};
use crate::error::Kind;
use crate::model::{MemoryId, MessageId, Metadata, Timestamp};
use crate::store::testing::{Temporary, client, fact, store, whole};
use crate::store::{MemoryStep, NewMemory, StepResult};

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
            ..MemoryList::default()
        };
        store.memories(list).await.unwrap().items.len()
    };
    assert_eq!((list(None, None).await, list(Some("casa"), None).await), (2, 1));
    assert_eq!((list(None, Some("rule")).await, list(Some("casa"), Some("rule")).await), (1, 0));

    let update = MemoryUpdate {
        content: Some("às onze".into()),
        project: Patch::Clear,
        expires_at: Patch::Clear,
        ..MemoryUpdate::of(new.id)
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

fn says(id: MemoryId, text: &str) -> MemoryUpdate {
    MemoryUpdate { content: Some(text.into()), ..MemoryUpdate::of(id) }
}

async fn history(store: &Temporary, id: MemoryId) -> Vec<String> {
    store.memory_history(id).await.unwrap().into_iter().map(|version| version.content).collect()
}

#[tokio::test]
async fn what_was_replaced_stays_in_the_history_and_nowhere_else() {
    let store = store().await;
    let id = store.remember("the gate closes at ten").await;
    store
        .update_memory(says(id, "the gate closes at eleven"), Some(whole("the gate closes at eleven")))
        .await
        .unwrap();
    store.update_memory(MemoryUpdate { pinned: Some(true), ..MemoryUpdate::of(id) }, None).await.unwrap();
    let next = NewMemory { replaces: Some(id), ..fact("the gate closes at noon") };
    let next = store.add_memory(next, None).await.unwrap().record.id;
    let all = ["the gate closes at noon", "the gate closes at eleven", "the gate closes at ten"];
    assert_eq!(history(&store, next).await, all);
    assert_eq!(history(&store, id).await, all, "a former version answers the same");
    let listed = store.memories(MemoryList::default()).await.unwrap().items;
    assert_eq!(listed.iter().map(|memory| memory.id).collect::<Vec<_>>(), [next]);
    assert_eq!(store.number("SELECT count(*) FROM chunk"), 1, "what no longer holds is not embedded");

    let late = store.update_memory(says(id, "x"), Some(whole("x"))).await.unwrap_err();
    assert_eq!(late.kind(), Kind::Conflict);
    let twice = NewMemory { replaces: Some(id), ..fact("y") };
    assert_eq!(store.add_memory(twice, None).await.unwrap_err().kind(), Kind::Conflict);
    assert_eq!(store.counts().await.unwrap().memories, 3, "the failed ones changed nothing");

    store.delete_memory(next).await.unwrap();
    assert_eq!(store.counts().await.unwrap().memories, 0, "the past is forgotten with it");
    assert_eq!(store.holding("gate"), 0);
    store.check_words();
}

#[tokio::test]
async fn paths_are_a_tree() {
    let store = store().await;
    let at = async |path: Option<&str>, project: Option<&str>, text: &str| {
        let (path, project) = (path.map(Into::into), project.map(Into::into));
        store.add_memory(NewMemory { path, project, ..fact(text) }, None).await.unwrap().record.id
    };
    at(Some("work"), None, "a").await;
    at(Some("work/db"), None, "b").await;
    let moved = at(Some("work/db/staging"), Some("quay"), "c").await;
    at(Some("work-shop"), None, "d").await;
    at(None, None, "e").await;
    let paths = async |path: Option<&str>| {
        let paths = MemoryPaths { project: None, path: path.map(Into::into) };
        let found = store.memory_paths(paths).await.unwrap();
        found.into_iter().map(|path| format!("{} {}", path.path, path.memories)).collect::<Vec<_>>()
    };
    let below = async |path: &str| {
        let list = MemoryList { path: Some(path.into()), ..MemoryList::default() };
        store.memories(list).await.unwrap().items.len()
    };
    assert_eq!(paths(None).await, ["work 1", "work-shop 1", "work/db 1", "work/db/staging 1"]);
    assert_eq!(paths(Some("work/db")).await, ["work/db 1", "work/db/staging 1"]);
    assert_eq!((below("work").await, below("work/db").await, below("wor").await), (3, 2, 0));

    let go = async |from: &str, to: Option<&str>, project: Option<&str>| {
        let moving =
            MemoryMove { from: from.into(), to: to.map(Into::into), project: project.map(Into::into) };
        store.move_memories(moving).await.unwrap()
    };
    assert_eq!(go("work/db", Some("db"), None).await, 2);
    assert_eq!(paths(None).await, ["db 1", "db/staging 1", "work 1", "work-shop 1"]);
    assert_eq!(go("db", Some("db/old"), Some("quay")).await, 1, "below itself, and of one project");
    assert_eq!(store.memory(moved).await.unwrap().path.as_deref(), Some("db/old/staging"));
    assert_eq!(go("db", None, None).await, 2);
    assert_eq!(paths(None).await, ["old/staging 1", "work 1", "work-shop 1"]);
    assert_eq!(go("nowhere", None, None).await, 0);
}

#[tokio::test]
async fn what_always_holds_is_read_by_project_before_it_is_counted() {
    let store = store().await;
    let add = async |kind: &str, project: Option<&str>, pinned: bool, text: String| {
        let (kind, project) = (kind.into(), project.map(Into::into));
        store.add_memory(NewMemory { kind, project, pinned, ..fact(&text) }, None).await.unwrap()
    };
    add("instruction", Some("quay"), false, "here".into()).await;
    // far more of another project's than are read
    for n in 0..60 {
        add("instruction", Some("else"), false, format!("elsewhere {n}")).await;
    }
    add("context", None, true, "pinned".into()).await;
    add("preference", None, false, "everywhere".into()).await;
    add("fact", None, false, "recalled only".into()).await;
    let expired =
        NewMemory { kind: "user".into(), expires_at: Some(Timestamp::from_millis(1)), ..fact("old") };
    store.add_memory(expired, None).await.unwrap();
    let standing = async |project: Option<&str>| {
        let found = store.standing(project.map(Into::into), 20).await.unwrap();
        found.into_iter().map(|memory| memory.content).collect::<Vec<_>>()
    };
    assert_eq!(standing(Some("quay")).await, ["here", "pinned", "everywhere"]);
    assert_eq!(standing(None).await, ["pinned", "everywhere"]);
}

#[tokio::test]
async fn many_changes_are_one_or_none() {
    let store = store().await;
    let (kept, gone) = (store.remember("kept").await, store.remember("gone").await);
    let new = fact("new");
    let steps = |then: MemoryId| {
        vec![
            MemoryStep::Add(Box::new(new.clone())),
            MemoryStep::Change(Box::new(says(kept, "changed")), Some(whole("changed"))),
            MemoryStep::Remove(gone),
            MemoryStep::Remove(MemoryId::from_bytes([9; 16])),
            MemoryStep::Change(
                Box::new(MemoryUpdate { path: Patch::Set("a/b".into()), ..MemoryUpdate::of(then) }),
                None,
            ),
            MemoryStep::Remove(kept),
        ]
    };
    let failed = store.apply(steps(MemoryId::new()), None).await.unwrap();
    assert_eq!(failed.len(), 5, "it ends with the one that fails");
    assert_eq!(failed[4].as_ref().unwrap_err().kind(), Kind::NotFound);
    assert_eq!(store.memory(kept).await.unwrap().content, "kept");
    assert_eq!(store.counts().await.unwrap().memories, 2);

    let done = store.apply(steps(new.id), Some(client("cli"))).await.unwrap();
    let done: Vec<_> = done
        .into_iter()
        .map(|result| match result.unwrap() {
            StepResult::Done(memory) => format!("{} {:?}", memory.content, memory.path),
            StepResult::Removed => "removed".into(),
            StepResult::Gone => "gone".into(),
        })
        .collect();
    assert_eq!(done, ["new None", "changed None", "removed", "gone", "new Some(\"a/b\")", "removed"]);
    assert_eq!(store.counts().await.unwrap().memories, 1);
}
