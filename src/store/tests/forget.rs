//! Forget means forgotten: no piece of a text and none of its words is left in any file.

use std::collections::HashSet;

use serde_json::json;

use crate::api::forget::{ForgetParams, ForgetReceipt, Removed};
use crate::api::memory::MemoryUpdate;
use crate::api::message::MessageUpdate;
use crate::api::{Patch, system::Counts};
use crate::error::Kind;
use crate::model::{
    Conversation, ConversationId, CopiedFrom, EXTRACTIVE, Message, Role, Source, SourceKind, Timestamp,
};
use crate::store::testing::{Temporary, append, client, fact, forget, said, store, undo, whole};
use crate::store::{Append, NewMemory, NewMessage, RestoreBatch};

/// So many bytes of a text in a row are found again only where they are left of it.
const PIECE: usize = 12;

/// Words that occur nowhere else, the same in each run.
struct Dice(u64);

impl Dice {
    fn next(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn text(&mut self, bytes: usize) -> String {
        let mut text = String::new();
        while text.len() < bytes {
            for _ in 0..12 + self.next(6) {
                text.push(char::from(b'a' + self.next(26) as u8));
            }
            // so that the stem is another word
            text.push_str(["", "", "ing", "s"][self.next(4) as usize]);
            text.push(' ');
        }
        text
    }
}

fn pieces(texts: &[String]) -> HashSet<Vec<u8>> {
    texts.iter().flat_map(|text| text.as_bytes().windows(PIECE)).map(<[u8]>::to_vec).collect()
}

/// How many pieces of the texts the files of the folder hold.
fn left(store: &Temporary, texts: &[String]) -> usize {
    let pieces = pieces(texts);
    let mut found = HashSet::new();
    let mut n_files = 0;
    for entry in std::fs::read_dir(store.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(path).unwrap();
            found.extend(bytes.windows(PIECE).filter(|piece| pieces.contains(*piece)).map(<[u8]>::to_vec));
            n_files += 1;
        }
    }
    assert!(n_files >= 2, "the database and its log");
    found.len()
}

fn check_whole(store: &Temporary) {
    crate::store::backup::check_content(&store.sql()).unwrap();
}

#[tokio::test]
async fn no_piece_of_what_was_forgotten_is_left() {
    let store = store().await;
    let mut dice = Dice(7);
    let mut conversations = Vec::new();
    for n in 0..12 {
        conversations.push((store.conversation_of(&format!("title {n}"), None).await, Vec::new()));
    }
    // side by side, short ones and ones that fill pages of their own, so that they share pages with what stays
    for _ in 0..14 {
        for (id, texts) in &mut conversations {
            let bytes = [30, 200, 900, 3_000, 6_000][dice.next(5) as usize];
            let text = dice.text(bytes);
            store.say(*id, &text).await;
            texts.push(text);
        }
    }
    let mut facts = Vec::new();
    for _ in 0..60 {
        let text = dice.text(120);
        facts.push((store.remember(&text).await, text));
    }
    // words that lie beside those of others in merged segments, words of an edit and of something deleted
    store.maintain().await.unwrap();
    let edited = store.say(conversations[1].0, "to be edited").await;
    let old = dice.text(500);
    let change = |content: &str| MessageUpdate {
        id: edited.id,
        content: Some(content.into()),
        author: Patch::Keep,
        metadata: Patch::Keep,
    };
    store.update_message(change(&old), Some(whole(&old))).await.unwrap();
    store.update_message(change("edited"), Some(whole("edited"))).await.unwrap();
    let trashed = dice.text(2_000);
    let in_trash = store.say(conversations[0].0, &trashed).await;
    store.delete_message(in_trash.id).await.unwrap();

    let mut target = ForgetParams { message_ids: vec![in_trash.id, edited.id], ..Default::default() };
    let (mut gone, mut kept) = (vec![old, trashed], Vec::new());
    for (n, (id, texts)) in conversations.iter().enumerate() {
        if n % 3 == 1 {
            target.conversation_ids.push(*id);
            gone.extend(texts.clone());
        } else {
            kept.extend(texts.clone());
        }
    }
    for (n, (id, text)) in facts.into_iter().enumerate() {
        if n % 4 == 0 {
            target.memory_ids.push(id);
            gone.push(text);
        } else {
            kept.push(text);
        }
    }
    // long texts go over from page to page, so that some pieces are in two parts
    assert!(left(&store, &gone) > pieces(&gone).len() * 99 / 100, "the search finds what is there");
    let kept_before = left(&store, &kept);
    let receipt = forget(&store, target).await;
    assert_eq!(left(&store, &gone), 0);
    assert!(left(&store, &kept) > kept_before * 99 / 100);
    let removed = Removed {
        conversations: 4,
        messages: 4 * 14 + 1,
        memories: 15,
        trash: 1,
        // with the titles
        full_text: 4 + 4 * 14 + 1 + 15,
        chunks: 4 * 14 + 1 + 15,
        jobs: 4 * 14 + 1 + 15,
        ..Removed::default()
    };
    assert_eq!(receipt.removed, removed);
    check_whole(&store);
    let counts = Counts { conversations: 8, messages: 8 * 14, memories: 45, chunks: 8 * 14 + 45 };
    assert_eq!(store.counts().await.unwrap(), counts);
}

#[tokio::test]
async fn deleting_alone_keeps_it_until_the_trash_is_forgotten() {
    let store = store().await;
    let texts = [Dice(3).text(4_000), Dice(5).text(300)];
    let c = store.conversation_of("c", None).await;
    store.say(c, &texts[0]).await;
    let id = store.remember(&texts[1]).await;
    store.delete_conversation(c).await.unwrap();
    store.delete_memory(id).await.unwrap();
    store.maintain().await.unwrap();
    assert!(left(&store, &texts) > 1_000);
    let early = ForgetParams { trash_before: Some(Timestamp::from_millis(1)), ..Default::default() };
    assert_eq!(forget(&store, early).await.removed.trash, 0);
    let now = Timestamp::now().plus_millis(1);
    let receipt = forget(&store, ForgetParams { trash_before: Some(now), ..Default::default() }).await;
    assert_eq!((receipt.removed.trash, left(&store, &texts)), (3, 0));
}

#[tokio::test]
async fn a_conversation_takes_its_deleted_messages_along_and_a_trashed_one_can_be_thinned() {
    let store = store().await;
    let texts = [Dice(3).text(400), Dice(5).text(300), Dice(8).text(300)];
    let c = store.conversation_of("c", None).await;
    let first = store.say(c, &texts[0]).await;
    store.say(c, &texts[1]).await;
    store.delete_message(first.id).await.unwrap();
    forget(&store, ForgetParams { conversation_ids: vec![c], ..Default::default() }).await;
    assert_eq!(left(&store, &texts[..2]), 0);

    let d = store.conversation_of("d", None).await;
    let m = store.append(append(d, vec![said("a"), said(&texts[2]), said("c")])).await.unwrap().messages;
    store.delete_conversation(d).await.unwrap();
    let receipt = forget(&store, ForgetParams { message_ids: vec![m[1].id], ..Default::default() }).await;
    assert_eq!((receipt.removed.trash, left(&store, &texts)), (1, 0));
    undo(&store, uuid::Uuid::from_bytes(*d.as_bytes())).await.unwrap();
    assert_eq!(store.message(m[2].id).await.unwrap().parent_id, Some(m[1].id), "the tree holds");
    assert_eq!(store.message(m[1].id).await.unwrap().content, "");
}

#[tokio::test]
async fn everything_of_a_project_goes_with_its_name() {
    let store = store().await;
    let gone = [Dice(1).text(300), Dice(2).text(300), Dice(4).text(300)];
    let c = store.conversation_of("c", Some("/secret-project-name")).await;
    store.say(c, &gone[0]).await;
    let d = store.conversation_of("d", Some("/secret-project-name")).await;
    store.say(d, &gone[1]).await;
    store.delete_conversation(d).await.unwrap();
    let memory = NewMemory { project: Some("/secret-project-name".into()), ..fact(&gone[2]) };
    store.add_memory(memory, None).await.unwrap();
    let kept = store.conversation_of("kept", Some("other")).await;
    store.say(kept, "kept").await;
    let target = ForgetParams { project: Some("/secret-project-name".into()), ..Default::default() };
    let receipt = forget(&store, target).await;
    let Removed { conversations, messages, memories, trash, .. } = receipt.removed;
    assert_eq!((conversations, messages, memories, trash), (1, 1, 1, 2));
    assert_eq!((left(&store, &gone), left(&store, &["/secret-project-name".into()])), (0, 0));
    assert_eq!(store.counts().await.unwrap().messages, 1);
}

#[tokio::test]
async fn everything_that_a_client_stored_goes_and_what_others_said_stays() {
    let store = store().await;
    let by = |name: &str, conversation, text: &str| Append {
        client: Some(client(name)),
        ..append(conversation, vec![said(text)])
    };
    let gone: Vec<String> = (1..6).map(|n| Dice(n).text(200)).collect();
    // "test" begins both conversations
    let shared = store.conversation_of(&gone[4], None).await;
    let own = store.conversation_of("own", None).await;
    store.append(by("test", shared, &gone[0])).await.unwrap();
    let reply = store.append(by("other", shared, "a reply")).await.unwrap().messages.remove(0);
    store.append(by("test", own, &gone[1])).await.unwrap();
    store.remember(&gone[2]).await;
    let trashed = store.conversation_of("t", None).await;
    store.append(by("test", trashed, &gone[3])).await.unwrap();
    store.delete_conversation(trashed).await.unwrap();
    let receipt = forget(&store, ForgetParams { client: Some("test".into()), ..Default::default() }).await;
    assert_eq!(left(&store, &gone), 0);
    let Removed { conversations, messages, memories, trash, .. } = receipt.removed;
    assert_eq!((conversations, messages, memories, trash), (1, 2, 1, 2));
    let left = store.conversation(shared).await.unwrap();
    assert_eq!((left.message_count, left.title, left.client), (1, None, None));
    let reply = store.message(reply.id).await.unwrap();
    assert_eq!((reply.content.as_str(), reply.parent_id), ("a reply", None));
}

fn source(n: u32, of: &Message, text: &str) -> Source {
    Source {
        n,
        kind: SourceKind::Message,
        id: uuid::Uuid::from_bytes(*of.id.as_bytes()),
        conversation_id: Some(of.conversation_id),
        title: Some("t".into()),
        role: Some(Role::User),
        created_at: of.created_at,
        client: None,
        text: text.into(),
        score: 1.0,
        cited: true,
    }
}

#[tokio::test]
async fn quotations_of_it_go_from_the_answers_that_were_made_from_it() {
    let store = store().await;
    let text = Dice(9).text(300);
    let c = store.conversation_of("c", None).await;
    let secret = store.say(c, &text).await;
    let harmless = store.say(c, "harmless").await;
    let d = store.conversation_of("d", None).await;
    let answer = |model: &str, content: String| NewMessage {
        role: Role::Assistant,
        model: Some(model.into()),
        sources: vec![source(1, &secret, &text), source(2, &harmless, "harmless")],
        ..said(&content)
    };
    let quoting =
        format!("Found:\n\n- “{text}” (2026-01-01, t, user) [1]\n- “harmless” (2026-01-01, t) [2]\n");
    let answers = vec![answer(EXTRACTIVE, quoting), answer("llama", "put otherwise [1]".into())];
    let answers = store.append(append(d, answers)).await.unwrap().messages;
    let taken =
        store.add_memory(NewMemory { source_message_id: Some(secret.id), ..fact("taken") }, None).await;
    let taken = taken.unwrap().record.id;
    let e = store.conversation_of("e", None).await;
    store.append(append(e, vec![answer("m", "in the trash".into())])).await.unwrap();
    store.delete_conversation(e).await.unwrap();

    let receipt = forget(&store, ForgetParams { message_ids: vec![secret.id], ..Default::default() }).await;
    assert_eq!(left(&store, &[text]), 0);
    assert_eq!(receipt.removed.quotations, 3);
    assert_eq!((receipt.answers_kept, receipt.memories_kept), (vec![answers[1].id], vec![taken]));
    let quotes = store.message(answers[0].id).await.unwrap();
    assert_eq!(quotes.content, "Found:\n\n- “harmless” (2026-01-01, t) [2]");
    assert_eq!((quotes.sources[0].text.as_str(), quotes.sources[1].text.as_str()), ("", "harmless"));
    assert_eq!(store.message(answers[1].id).await.unwrap().content, "put otherwise [1]");
    assert_eq!(store.memory(taken).await.unwrap().source_message_id, None);
    assert_eq!(store.message(harmless.id).await.unwrap().parent_id, None);
}

#[tokio::test]
async fn a_request_that_a_crash_interrupted_goes_on_and_receipts_are_kept_for_a_while() {
    let store = store().await;
    let text = Dice(11).text(900);
    let c = store.conversation_of("c", None).await;
    store.append(append(c, (0..400).map(|_| said(&text)).collect())).await.unwrap();
    let target = ForgetParams { conversation_ids: vec![c], ..Default::default() };
    let id = store.begin_erasure(target).await.unwrap();
    assert!(store.erase_rows(id).await.unwrap(), "400 messages take more than one step");
    let store = store.reopen().await;
    assert_eq!(store.unfinished_erasures().await.unwrap(), [id]);
    let sound = "SELECT count(*) FROM conversation WHERE message_count <>
                   (SELECT count(*) FROM message WHERE conversation_id = conversation.id)";
    assert_eq!(store.number(sound), 0);
    while store.erase_rows(id).await.unwrap() {}
    assert_eq!(store.erasure(id).await.unwrap().removed.messages, 400);
    let done = |receipt: &mut ForgetReceipt| receipt.pending.clear();
    assert!(store.update_erasure(id, done).await.unwrap().finished_at.is_some());
    assert!(store.unfinished_erasures().await.unwrap().is_empty());
    store.drop_receipts_before(Timestamp::now().plus_millis(1)).await.unwrap();
    assert_eq!(store.erasure(id).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn copies_that_hold_the_same_words_are_told() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let said = store.say(c, "said").await;
    let mut batch = RestoreBatch::default();
    for n in 0..2 {
        let copied_from = CopiedFrom { conversation_id: c, message_id: None };
        let original = store.conversation(c).await.unwrap();
        batch.conversations.push(Conversation {
            id: ConversationId::from_bytes([n; 16]),
            copied_from: Some(copied_from),
            ..original
        });
    }
    store.restore(batch).await.unwrap();
    let copies = [0, 1].map(|n| ConversationId::from_bytes([n; 16]));
    let receipt = forget(&store, ForgetParams { message_ids: vec![said.id], ..Default::default() }).await;
    assert_eq!(receipt.copies_kept, copies);
    let target = ForgetParams { conversation_ids: vec![c, copies[0]], ..Default::default() };
    assert_eq!(forget(&store, target).await.copies_kept, copies[1..]);
}

#[tokio::test]
async fn what_a_memory_said_before_goes_with_it_wherever_it_lies() {
    let store = store().await;
    let texts: Vec<String> = (20..26).map(|n| Dice(n).text(200)).collect();
    let change = |id, text: &str| {
        let update: MemoryUpdate = serde_json::from_value(json!({"id": id, "content": text})).unwrap();
        store.update_memory(update, Some(whole(text)))
    };
    let stored = store.remember(&texts[0]).await;
    change(stored, &texts[1]).await.unwrap();
    let trashed = store.remember(&texts[2]).await;
    change(trashed, &texts[3]).await.unwrap();
    change(trashed, &texts[4]).await.unwrap();
    let history = store.memory_history(trashed).await.unwrap();
    store.delete_memory(trashed).await.unwrap();
    assert!(left(&store, &texts[..5]) > 500);

    // a former version of what lies in the trash, then the rest of it
    let former = ForgetParams { memory_ids: vec![history[2].id], ..Default::default() };
    assert_eq!(forget(&store, former).await.removed.trash, 1);
    assert_eq!((left(&store, &texts[2..3]), left(&store, &texts[3..5]) > 100), (0, true));
    let both = ForgetParams { memory_ids: vec![stored, trashed], ..Default::default() };
    let receipt = forget(&store, both).await;
    assert_eq!((receipt.removed.memories, receipt.removed.trash), (2, 2));
    assert_eq!(left(&store, &texts), 0);
    check_whole(&store);
}
