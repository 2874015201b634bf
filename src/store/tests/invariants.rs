//! What holds after any sequence of calls.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use rusqlite::Connection;

use crate::api::Patch;
use crate::api::forget::ForgetParams;
use crate::api::job::JobKind;
use crate::api::message::MessageUpdate;
use crate::api::trash::TrashList;
use crate::model::ChunkRange;
use crate::model::{ConversationId, JobId, MemoryId, MessageId};
use crate::store::testing::{Temporary, append, forget, said, store, undo, whole};
use crate::store::{LeasedJob, NewMessage, Passage, context};

#[derive(Debug, Clone)]
enum Step {
    Append { conversation: usize, messages: Vec<String>, parent: Option<usize> },
    Edit { message: usize, text: String },
    Rename { message: usize, author: String },
    DeleteMessage(usize),
    DeleteConversation(usize),
    Remember(String),
    DeleteMemory(usize),
    Undo,
    Forget(usize),
    Lease(usize),
    Complete,
    Fail,
    Release,
    AnotherModel(u8),
    Promote,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let text = "[a-zé ]{0,24}";
    prop_oneof![
        6 => (0..4_usize, prop::collection::vec(text, 1..4), prop::option::of(0..9_usize))
            .prop_map(|(conversation, messages, parent)| Step::Append { conversation, messages, parent }),
        2 => (0..9_usize, text).prop_map(|(message, text)| Step::Edit { message, text }),
        1 => (0..9_usize, "[A-C]").prop_map(|(message, author)| Step::Rename { message, author }),
        2 => (0..9_usize).prop_map(Step::DeleteMessage),
        1 => (0..4_usize).prop_map(Step::DeleteConversation),
        1 => text.prop_map(Step::Remember),
        1 => (0..3_usize).prop_map(Step::DeleteMemory),
        2 => Just(Step::Undo),
        1 => (0..9_usize).prop_map(Step::Forget),
        3 => (1..5_usize).prop_map(Step::Lease),
        3 => Just(Step::Complete),
        1 => Just(Step::Fail),
        1 => Just(Step::Release),
        1 => (0..3_u8).prop_map(Step::AnotherModel),
        1 => Just(Step::Promote),
        1 => Just(Step::Reopen),
    ]
}

/// Chunks of eight bytes or a little more.
fn cut(text: &str) -> Vec<ChunkRange> {
    let mut chunks = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = text.ceil_char_boundary(start + 8);
        chunks.push(ChunkRange { view: 0, start: start as u32, end: end as u32 });
        start = end;
    }
    chunks
}

struct Run {
    store: Temporary,
    conversations: Vec<ConversationId>,
    messages: Vec<MessageId>,
    memories: Vec<MemoryId>,
    leased: Vec<LeasedJob>,
    /// What an index would have been given last, by space and chunk.
    written: HashMap<(i64, u32), Passage>,
}

impl Run {
    async fn step(mut self, step: Step) -> Self {
        let Self { store, conversations, messages, memories, leased, written } = &mut self;
        match step {
            Step::Append { conversation, messages: texts, parent } => {
                while conversations.len() <= conversation {
                    conversations.push(store.conversation_of("c", None).await);
                }
                let mut new: Vec<_> =
                    texts.iter().map(|text| NewMessage { chunks: cut(text), ..said(text) }).collect();
                if let Some(parent) = parent.and_then(|parent| messages.get(parent)) {
                    new[0].parent = Patch::Set(*parent);
                }
                // a parent of another conversation, and a conversation that is gone, are refused
                if let Ok(appended) = store.append(append(conversations[conversation], new)).await {
                    messages.extend(appended.messages.iter().map(|message| message.id));
                }
            }
            Step::Edit { message, text } => {
                if let Some(id) = messages.get(message) {
                    let chunks = Some(cut(&text));
                    let update = MessageUpdate {
                        id: *id,
                        content: Some(text),
                        author: Patch::Keep,
                        metadata: Patch::Keep,
                    };
                    let _ = store.update_message(update, chunks).await;
                }
            }
            Step::Rename { message, author } => {
                if let Some(id) = messages.get(message) {
                    let author = Patch::Set(author);
                    let update = MessageUpdate { id: *id, content: None, author, metadata: Patch::Keep };
                    let _ = store.update_message(update, None).await;
                }
            }
            Step::DeleteMessage(message) => {
                if message < messages.len() {
                    store.delete_message(messages.remove(message)).await.unwrap();
                }
            }
            Step::DeleteConversation(conversation) => {
                if let Some(id) = conversations.get_mut(conversation) {
                    store.delete_conversation(*id).await.unwrap();
                    *id = store.conversation_of("again", None).await;
                }
            }
            Step::Remember(text) => memories.push(store.remember(&text).await),
            Step::DeleteMemory(memory) => {
                if memory < memories.len() {
                    store.delete_memory(memories.remove(memory)).await.unwrap();
                }
            }
            Step::Undo => {
                let trash = store.trash(TrashList::default(), None).await.unwrap();
                if let Some(last) = trash.items.first() {
                    // a message whose conversation is gone stays where it is
                    let _ = undo(store, last.item_id).await;
                }
            }
            Step::Forget(message) => {
                let mut target = ForgetParams::default();
                target.message_ids.extend(messages.get(message));
                target.conversation_ids.extend(conversations.get(message));
                if target != ForgetParams::default() {
                    forget(store, target).await;
                }
            }
            Step::Lease(n) => {
                for space in store.spaces().await.unwrap() {
                    leased.extend(store.lease(space.id, n, Duration::from_secs(60)).await.unwrap());
                }
            }
            Step::Complete => {
                for job in leased.iter() {
                    written.extend(job.passage.clone().map(|passage| ((job.space, job.chunk), passage)));
                }
                store.complete(&std::mem::take(leased)).await.unwrap();
            }
            Step::Fail => drop(store.fail(&std::mem::take(leased), "x").await.unwrap()),
            Step::Release => drop(store.release(&std::mem::take(leased)).await.unwrap()),
            Step::AnotherModel(n) => {
                store.ensure_space("m", &n.to_string(), 3, 1).await.unwrap();
            }
            Step::Promote => {
                if let Some(space) = store.spaces().await.unwrap().last() {
                    store.promote_space(space.id).await.unwrap();
                }
            }
            Step::Reopen => self.store = self.store.reopen().await,
        }
        self
    }

    /// Each of these counts what must not be.
    fn check(&self) {
        for (what, sql) in [
            (
                "chunks without exactly one of a job and a vector in a space",
                "SELECT count(*) FROM chunk k, embed_space s WHERE s.state < 2 AND 1 <>
                   (SELECT count(*) FROM embed_job j WHERE j.chunk_id = k.id AND j.space_id = s.id AND j.kind = 0) +
                   (SELECT count(*) FROM chunk_vector v WHERE v.chunk_id = k.id AND v.space_id = s.id)",
            ),
            (
                "embed jobs and vectors without a chunk",
                "SELECT (SELECT count(*) FROM embed_job WHERE kind = 0 AND chunk_id NOT IN (SELECT id FROM chunk)) +
                        (SELECT count(*) FROM chunk_vector WHERE chunk_id NOT IN (SELECT id FROM chunk))",
            ),
            (
                "removals of living chunks",
                "SELECT count(*) FROM embed_job WHERE kind = 1 AND chunk_id IN (SELECT id FROM chunk)",
            ),
            (
                "heads outside of their conversation, or missing",
                "SELECT count(*) FROM conversation c WHERE NOT EXISTS (SELECT 1 FROM message m
                   WHERE m.id = c.head_message_id AND m.conversation_id = c.id)
                   AND (c.head_message_id IS NOT NULL OR c.message_count > 0)",
            ),
            (
                "parents in another conversation",
                "SELECT count(*) FROM message m JOIN message p ON p.id = m.parent_id
                 WHERE p.conversation_id <> m.conversation_id",
            ),
            (
                "wrong counts of messages, or places that would be used again",
                "SELECT count(*) FROM conversation c WHERE
                   c.message_count <> (SELECT count(*) FROM message WHERE conversation_id = c.id) OR
                   c.next_seq <= (SELECT coalesce(max(seq), 0) FROM message WHERE conversation_id = c.id)",
            ),
            (
                "wrong totals",
                "SELECT (conversations, messages, memories, chunks) <> ((SELECT count(*) FROM conversation),
                   (SELECT count(*) FROM message), (SELECT count(*) FROM memory), (SELECT count(*) FROM chunk))
                 FROM store",
            ),
            (
                "wrong totals of a space",
                "SELECT count(*) FROM embed_space s WHERE (ready, leased, dead, vectors) <> (
                   (SELECT count(*) FROM embed_job WHERE space_id = s.id AND state IN (0, 3)),
                   (SELECT count(*) FROM embed_job WHERE space_id = s.id AND state = 1),
                   (SELECT count(*) FROM embed_job WHERE space_id = s.id AND state = 2),
                   (SELECT count(*) FROM chunk_vector WHERE space_id = s.id))",
            ),
            ("leases without a token", "SELECT count(*) FROM embed_job WHERE (state = 1) <> (lease IS NOT NULL)"),
            ("broken references", "SELECT count(*) FROM pragma_foreign_key_check"),
        ] {
            assert_eq!(self.store.number(sql), 0, "{what}");
        }
        self.check_written(&self.store.sql());
        self.store.check_words();
    }
}

impl Run {
    /// What counts as embedded was embedded with what stands before it now.
    fn check_written(&self, db: &Connection) {
        let mut statement = db.prepare("SELECT space_id, chunk_id FROM chunk_vector").unwrap();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        for found in statement.query_map([], row).unwrap() {
            let (space, chunk) = found.unwrap();
            let mut job = [LeasedJob {
                id: JobId(0),
                kind: JobKind::Embed,
                chunk,
                attempts: 1,
                space,
                lease: 0,
                passage: None,
            }];
            context::add_passages(db, &mut job).unwrap();
            assert_eq!(self.written.get(&(space, chunk)), job[0].passage.as_ref(), "of chunk {chunk}");
        }
    }
}

#[test]
fn nothing_is_lost_or_counted_wrong_whatever_is_done() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let steps = prop::collection::vec(step(), 1..50);
    proptest!(ProptestConfig::with_cases(24), |(steps in steps)| {
        runtime.block_on(async {
            let store = store().await;
            let mut run = Run {
                store,
                conversations: vec![],
                messages: vec![],
                memories: vec![],
                leased: vec![],
                written: HashMap::new(),
            };
            for step in steps {
                run = run.step(step).await;
            }
            run.check();
        });
    });
}

#[tokio::test]
async fn whole_is_what_the_tests_take_it_for() {
    assert_eq!(cut("ééééé").iter().map(|chunk| chunk.end).collect::<Vec<_>>(), [8, 10]);
    assert_eq!((whole("").len(), whole("é")[0].end), (0, 2));
}
