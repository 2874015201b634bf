//! Everything out and in again.

use crate::api::Patch;
use crate::api::conversation::ConversationUpdate;
use crate::api::message::MessageUpdate;
use crate::api::organise::Change;
use crate::api::system::Counts;
use crate::model::{Conversation, ConversationId, Memory, Message, MessageId, Role};
use crate::store::Selection;
use crate::store::testing::{Temporary, append, fact, recorded, said, store, whole};
use crate::store::{
    Ids, NewMemory, NewMessage, RecordKind, RestoreBatch, RestoreMemory, RestoreMessage, Restored,
};

type Everything = (Vec<Conversation>, Vec<Message>, Vec<Memory>);

async fn export(store: &Temporary) -> Everything {
    let conversations = store.export_conversations(Selection::default(), 0, 1000).await.unwrap();
    let mut messages = Vec::new();
    for (_, conversation) in &conversations {
        let mut after = 0;
        loop {
            let page = store.export_messages(conversation.id, after, 10).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.seq;
            messages.extend(page);
        }
    }
    let memories = store.export_memories(Selection::default(), 0, 1000).await.unwrap();
    let second = |list: Vec<(i64, Conversation)>| list.into_iter().map(|(_, one)| one).collect();
    (second(conversations), messages, memories.into_iter().map(|(_, memory)| memory).collect())
}

fn batch((conversations, messages, memories): Everything) -> RestoreBatch {
    RestoreBatch {
        conversations,
        messages: messages
            .into_iter()
            .map(|message| RestoreMessage { chunks: whole(&message.content), message })
            .collect(),
        memories: memories
            .into_iter()
            .map(|memory| RestoreMemory { chunks: whole(&memory.content), memory })
            .collect(),
    }
}

async fn history() -> Temporary {
    let store = store().await;
    let c = store.conversation_of("one", Some("p")).await;
    let m = store.append(append(c, vec![said("a"), said("b"), said("c")])).await.unwrap().messages;
    let branch = NewMessage { parent: Patch::Set(m[0].id), role: Role::Assistant, ..said("d") };
    store.append(append(c, vec![branch, said("e")])).await.unwrap();
    store.delete_message(m[1].id).await.unwrap();
    let edit =
        MessageUpdate { id: m[0].id, content: Some("A".into()), author: Patch::Keep, metadata: Patch::Keep };
    store.update_message(edit, Some(whole("A"))).await.unwrap();
    let head = ConversationUpdate {
        id: c,
        title: Patch::Keep,
        project: Patch::Keep,
        model: Patch::Keep,
        head_message_id: Patch::Set(m[0].id),
        metadata: Patch::Keep,
    };
    store.update_conversation(head).await.unwrap();
    let change = Change {
        pinned: Some(true),
        archived: Some(true),
        private: Some(true),
        folder: Patch::Set("a/b".into()),
        add_tags: vec!["Zebra".into(), "ação".into()],
        ..Change::default()
    };
    store.organise(vec![c], change).await.unwrap();
    let d = store.conversation_of("two", None).await;
    let source = store.say(d, "x").await.id;
    store.conversation_of("empty", None).await;
    let memory = NewMemory { source_message_id: Some(source), project: Some("p".into()), ..fact("m") };
    store.add_memory(memory, None).await.unwrap();
    store.remember("n").await;
    store.delete_message(source).await.unwrap();
    store
}

#[tokio::test]
async fn an_export_comes_in_as_it_went_out() {
    let from = history().await;
    let all = export(&from).await;
    let counts = from.counts().await.unwrap();
    let to = store().await;
    let restored = to.restore(batch(all.clone())).await.unwrap();
    assert_eq!(restored, Restored { added: counts, existing: Counts::default(), refused: vec![] });
    assert_eq!(export(&to).await, all);
    let again = to.restore(batch(all.clone())).await.unwrap();
    assert_eq!((again.added, again.refused), (Counts::default(), vec![]));
    assert_eq!(again.existing, Counts { chunks: 0, ..counts });
    assert_eq!(export(&to).await, all);
    assert_eq!(to.queue_counts().await.unwrap().ready, counts.chunks);
    let of_project = Selection { project: Some("p".into()), ..Selection::default() };
    let project = to.export_conversations(of_project.clone(), 0, 9).await.unwrap();
    assert_eq!((project.len(), to.export_memories(of_project, 0, 9).await.unwrap().len()), (1, 1));
}

#[tokio::test]
async fn records_may_come_in_any_order_and_one_by_one() {
    let from = history().await;
    let all = export(&from).await;
    let to = store().await;
    let RestoreBatch { conversations, messages, memories } = batch(all.clone());
    to.restore(RestoreBatch { conversations, ..RestoreBatch::default() }).await.unwrap();
    for message in messages {
        let one = RestoreBatch { messages: vec![message], ..RestoreBatch::default() };
        assert_eq!(to.restore(one).await.unwrap().added.messages, 1);
    }
    to.restore(RestoreBatch { memories, ..RestoreBatch::default() }).await.unwrap();
    assert_eq!(export(&to).await, all);

    let backwards = store().await;
    let mut batch = batch(all.clone());
    batch.messages.reverse();
    assert_eq!(backwards.restore(batch).await.unwrap().refused, []);
    assert_eq!(export(&backwards).await, all);
}

fn message(conversation: ConversationId, parent: Option<MessageId>, seq: u64) -> RestoreMessage {
    recorded(conversation, parent, seq, "text".into())
}

#[tokio::test]
async fn what_belongs_nowhere_is_refused_with_the_reason() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let elsewhere = store.conversation_of("d", None).await;
    let stranger = store.say(elsewhere, "x").await.id;
    let good = message(c, None, 0);
    let mut own = message(c, None, 0);
    own.message.parent_id = Some(own.message.id);
    let (mut a, mut b) = (message(c, None, 0), message(c, None, 0));
    (a.message.parent_id, b.message.parent_id) = (Some(b.message.id), Some(a.message.id));
    let mut bad_chunks = message(c, None, 0);
    bad_chunks.chunks = whole("longer than the text");
    let messages = vec![
        message(ConversationId::new(), None, 1),
        message(c, Some(MessageId::new()), 1),
        message(c, Some(stranger), 1),
        good.clone(),
        own,
        a,
        b,
        bad_chunks,
        message(c, Some(good.message.id), u64::MAX),
    ];
    let restored = store.restore(RestoreBatch { messages, ..RestoreBatch::default() }).await.unwrap();
    let refused: Vec<_> = restored.refused.iter().map(|refused| refused.index).collect();
    assert_eq!(refused, [0, 1, 2, 4, 5, 6, 7]);
    assert!(restored.refused.iter().all(|refused| refused.kind == RecordKind::Message));
    assert!(restored.refused[0].reason.contains("conversation"), "{restored:?}");
    assert_eq!(restored.added.messages, 2);
    store.say(c, "there is a place behind").await;
    assert_eq!(store.conversation(c).await.unwrap().message_count, 3);
}

#[tokio::test]
async fn a_history_without_a_head_ends_in_its_last_message() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let mut parent = None;
    let mut messages = Vec::new();
    for seq in 0..6 {
        let next = message(c, parent, seq);
        parent = Some(next.message.id);
        messages.push(next);
    }
    for part in messages.chunks(4) {
        store.restore(RestoreBatch { messages: part.to_vec(), ..RestoreBatch::default() }).await.unwrap();
    }
    let stored = store.conversation(c).await.unwrap();
    assert_eq!((stored.head_message_id, stored.message_count), (parent, 6));
    assert_eq!(store.branch(c, None, 1000).await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_conversation_that_went_on_elsewhere_follows_unless_it_went_on_here() {
    let (from, to) = (store().await, store().await);
    let c = from.conversation_of("c", None).await;
    let first = from.say(c, "one").await;
    let (early, _, _) = export(&from).await;
    let all = || async { batch(export(&from).await) };
    to.restore(all().await).await.unwrap();
    let second = from.say(c, "two").await;
    let known =
        to.known(Ids { conversations: vec![c], messages: vec![first.id, second.id], memories: vec![] });
    let known = known.await.unwrap();
    assert_eq!(known.conversations[&c], Some(first.id));
    assert!(known.messages.contains(&first.id) && !known.messages.contains(&second.id));
    let restored = to.restore(all().await).await.unwrap();
    assert_eq!((restored.added.messages, restored.existing.messages), (1, 1));
    assert_eq!(to.conversation(c).await.unwrap().head_message_id, Some(second.id));

    // an older file takes nothing back
    to.restore(RestoreBatch { conversations: early, ..RestoreBatch::default() }).await.unwrap();
    assert_eq!(to.conversation(c).await.unwrap().head_message_id, Some(second.id));
    let here = to.say(c, "said here").await;
    from.say(c, "said there").await;
    to.restore(all().await).await.unwrap();
    assert_eq!(to.conversation(c).await.unwrap().head_message_id, Some(here.id));
}

/// One branch of `n` messages.
fn long_history(conversation: ConversationId, n: u64) -> RestoreBatch {
    let mut parent = None;
    let messages = (1..=n).map(|seq| {
        let next = message(conversation, parent, seq);
        parent = Some(next.message.id);
        next
    });
    RestoreBatch { messages: messages.collect(), ..RestoreBatch::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_writes_get_their_turn_while_a_long_history_comes_in() {
    const N: u64 = 5_000;
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let other = store.conversation_of("other", None).await;
    let coming = tokio::spawn({
        let store = store.store.clone();
        async move { store.restore(long_history(c, N)).await.unwrap() }
    });
    while store.counts().await.unwrap().messages == 0 {
        tokio::task::yield_now().await;
    }
    store.say(other, "meanwhile").await;
    let stored = store.counts().await.unwrap().messages;
    assert!(stored < N, "the append waited for all of {stored}");
    assert_eq!(coming.await.unwrap().added.messages, N);
    assert_eq!(store.branch(c, None, usize::MAX).await.unwrap().len() as u64, N);
}

#[tokio::test]
async fn what_was_broken_off_goes_on_when_it_comes_again() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let mut batch = long_history(c, 500);
    batch.messages[450].message.content = "boom".into();
    batch.messages[450].chunks = whole("boom");
    store
        .sql()
        .execute_batch(
            "CREATE TRIGGER broken BEFORE INSERT ON message WHEN new.content = 'boom'
             BEGIN SELECT RAISE(ABORT, 'a broken disk'); END",
        )
        .unwrap();
    let error = store.restore(batch.clone()).await.unwrap_err();
    let stored = store.counts().await.unwrap().messages;
    assert!(stored > 0 && stored < 450, "{stored}");
    assert!(error.to_string().contains(&format!("{stored} messages")), "{error}");
    store.sql().execute_batch("DROP TRIGGER broken").unwrap();
    let restored = store.restore(batch).await.unwrap();
    assert_eq!((restored.existing.messages, restored.added.messages), (stored, 500 - stored));
    assert_eq!(store.branch(c, None, usize::MAX).await.unwrap().len(), 500);
}
