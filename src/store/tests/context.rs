//! What a chunk is embedded with, and that it is embedded again when that changes.

use std::time::Duration;

use crate::api::Patch;
use crate::api::conversation::ConversationUpdate;
use crate::api::message::MessageUpdate;
use crate::model::{ChunkRange, ConversationId, MessageId, Timestamp};
use crate::store::testing::{Temporary, append, said, store};
use crate::store::{NewMessage, Passage};

/// What waits to be embedded, oldest first, as "context | text"; it counts as embedded afterwards.
async fn embedded(store: &Temporary, space: i64) -> Vec<String> {
    let mut jobs = store.lease(space, 99, Duration::from_secs(60)).await.unwrap();
    assert_eq!(store.complete(&jobs).await.unwrap(), jobs.len());
    jobs.sort_by_key(|job| job.chunk);
    let told = |Passage { context, text }: Passage| format!("{context} | {text}");
    jobs.into_iter().filter_map(|job| job.passage.map(told)).collect()
}

fn by(author: &str, text: &str) -> NewMessage {
    NewMessage { author: Some(author.into()), ..said(text) }
}

fn at(millis: i64, message: NewMessage) -> NewMessage {
    NewMessage { created_at: Timestamp::from_millis(millis), ..message }
}

async fn filled(messages: Vec<NewMessage>) -> (Temporary, ConversationId, Vec<MessageId>, i64) {
    let store = store().await;
    let conversation = store.conversation_of("Title", None).await;
    let stored = store.append(append(conversation, messages)).await.unwrap().messages;
    let space = store.ensure_space("m", "f", 3, 1).await.unwrap().id;
    (store, conversation, stored.into_iter().map(|message| message.id).collect(), space)
}

fn update(id: MessageId) -> MessageUpdate {
    MessageUpdate { id, content: None, author: Patch::Keep, metadata: Patch::Keep }
}

#[tokio::test]
async fn the_message_before_and_the_title_are_the_context() {
    let hour = 3_600_000;
    let long = "one two three four";
    let cut = |start, end| ChunkRange { view: 0, start, end };
    let in_parts = NewMessage { chunks: vec![cut(0, 7), cut(8, 18)], ..by("Rui", long) };
    let messages = vec![
        at(0, by("Ana", "first")),
        at(hour, said("second")),
        at(2 * hour, in_parts),
        at(20 * hour, said("much later")),
    ];
    let (store, _, _, space) = filled(messages).await;
    store.remember("a fact").await;
    let expected = [
        "Title | Ana: first",
        "Ana: first | second",
        "second | Rui: one two",
        "one two | Rui: three four",
        " | much later",
        " | a fact",
    ];
    assert_eq!(embedded(&store, space).await, expected);
}

#[tokio::test]
async fn what_changes_before_a_chunk_has_it_embedded_again() {
    let messages = ["a", "b", "c", "d"].map(said).to_vec();
    let (store, conversation, ids, space) = filled(messages).await;
    assert_eq!(embedded(&store, space).await, ["Title | a", "a | b", "b | c", "c | d"]);

    store.delete_message(ids[1]).await.unwrap();
    assert_eq!(store.indexed_chunks(space).await.unwrap(), [1, 4], "the old vector of c counts no more");
    assert_eq!(embedded(&store, space).await, ["a | c"]);

    let whole = Some(vec![ChunkRange { view: 0, start: 0, end: 2 }]);
    let edit = MessageUpdate { content: Some("c!".into()), ..update(ids[2]) };
    store.update_message(edit, whole).await.unwrap();
    assert_eq!(embedded(&store, space).await, ["c! | d", "a | c!"]);

    let author = MessageUpdate { author: Patch::Set("Ana".into()), ..update(ids[0]) };
    store.update_message(author, None).await.unwrap();
    assert_eq!(embedded(&store, space).await, ["Title | Ana: a", "Ana: a | c!"]);

    let title = |title: &str| ConversationUpdate {
        id: conversation,
        title: Patch::Set(title.into()),
        project: Patch::Keep,
        model: Patch::Keep,
        head_message_id: Patch::Keep,
        metadata: Patch::Keep,
    };
    store.update_conversation(title("Other")).await.unwrap();
    assert_eq!(embedded(&store, space).await, ["Other | Ana: a"]);
    store.update_conversation(title("Other")).await.unwrap();
    assert!(embedded(&store, space).await.is_empty(), "nothing has changed");

    store.delete_message(ids[0]).await.unwrap();
    assert_eq!(embedded(&store, space).await, ["Other | c!"], "it is the first now");
}

#[tokio::test]
async fn a_message_that_comes_between_is_the_context_of_the_next() {
    let (store, _, ids, space) = filled(["a", "b", "c"].map(said).to_vec()).await;
    embedded(&store, space).await;
    store.delete_message(ids[1]).await.unwrap();
    assert_eq!(embedded(&store, space).await, ["a | c"]);
    // as a restored message does that takes its old place
    store
        .sql()
        .execute_batch(
            "INSERT INTO message(uid, conversation_id, seq, role, created_at, content)
               SELECT randomblob(16), conversation_id, 2, role, created_at, 'b' FROM message WHERE seq = 1;
             INSERT INTO chunk(message_id, place, start_byte, end_byte) SELECT id, 0, 0, 1 FROM message WHERE seq = 2",
        )
        .unwrap();
    assert_eq!(embedded(&store, space).await, ["b | c", "a | b"]);
}

#[tokio::test]
async fn a_chunk_that_waits_again_is_removed_and_a_late_word_counts_for_nothing() {
    let (store, _, ids, space) = filled(["a", "b"].map(said).to_vec()).await;
    let leased = store.lease(space, 9, Duration::from_secs(60)).await.unwrap();
    assert_eq!(leased.len(), 2);
    store.delete_message(ids[0]).await.unwrap();
    assert_eq!(store.complete(&leased).await.unwrap(), 0, "what was embedded had another context");
    assert_eq!(embedded(&store, space).await, ["Title | b"]);

    let title = "UPDATE conversation SET title = 'x'";
    store.sql().execute(title, []).unwrap();
    store.delete_message(ids[1]).await.unwrap();
    let removals = store.lease(space, 9, Duration::from_secs(60)).await.unwrap();
    assert_eq!(
        removals.iter().map(|job| job.chunk).collect::<Vec<_>>(),
        [2],
        "its vector is in the index still"
    );
}
