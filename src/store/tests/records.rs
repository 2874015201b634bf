//! Conversations, messages and memories: stored, read, listed, changed, deleted, retried.

use crate::api::conversation::{ConversationList, ConversationUpdate};
use crate::api::limits::MAX_CONTENT_BYTES;
use crate::api::message::{MessageList, MessagePath, MessageUpdate};
use crate::api::organise::ConversationFilter;
use crate::api::system::Counts;
use crate::api::{Cursor, Patch};
use crate::error::Kind;
use crate::model::{
    AnswerStatus, ConversationId, Message, MessageId, Metadata, Role, Source, SourceKind, Timestamp, Usage,
};
use crate::store::testing::{append, client, said, store, whole};
use crate::store::{Append, NewConversation, NewMessage};

fn metadata(key: &str) -> Metadata {
    let mut metadata = Metadata::new();
    metadata.insert(key.into(), serde_json::json!({"deep": [1, null, "\u{0}é"]}));
    metadata
}

fn new_conversation(id: ConversationId) -> NewConversation {
    NewConversation {
        id,
        title: Some("Título".into()),
        project: Some("casa".into()),
        model: None,
        folder: None,
        tags: Vec::new(),
        private: false,
        created_at: Timestamp::from_millis(1_000),
        metadata: Some(metadata("k")),
    }
}

fn source() -> Source {
    Source {
        n: 1,
        kind: SourceKind::Memory,
        id: uuid::Uuid::from_u128(7),
        conversation_id: None,
        title: None,
        role: None,
        created_at: Timestamp::from_millis(5),
        client: Some(client("x")),
        text: "quoted".into(),
        score: 0.25,
        cited: true,
    }
}

fn list_of(conversation: ConversationId) -> MessageList {
    MessageList {
        conversation_id: conversation,
        path: MessagePath::All,
        parent_id: Patch::Keep,
        newest_first: false,
        limit: None,
        cursor: None,
    }
}

#[tokio::test]
async fn a_conversation_is_stored_once_and_changed_by_member() {
    let store = store().await;
    let id = ConversationId::new();
    let made = store.create_conversation(new_conversation(id), Some(client("vscode"))).await.unwrap();
    assert!(made.fresh);
    let other = NewConversation { title: Some("other".into()), ..new_conversation(id) };
    let again = store.create_conversation(other, None).await.unwrap();
    assert_eq!((again.fresh, &again.record), (false, &made.record));
    assert_eq!(made.record.client, Some(client("vscode")));
    assert_eq!(made.record.metadata, Some(metadata("k")));
    let update = ConversationUpdate {
        id,
        title: Patch::Clear,
        project: Patch::Set("work".into()),
        model: Patch::Keep,
        head_message_id: Patch::Keep,
        metadata: Patch::Keep,
    };
    let changed = store.update_conversation(update).await.unwrap();
    assert_eq!((changed.title.as_deref(), changed.project.as_deref()), (None, Some("work")));
    assert_eq!(changed.metadata, made.record.metadata);
    assert_eq!(changed.updated_at, made.record.updated_at, "another name makes it no later one");
    assert_eq!(store.conversation(id).await.unwrap(), changed);
    assert_eq!(store.conversation(ConversationId::new()).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn everything_of_a_message_comes_back() {
    let store = store().await;
    let conversation = store.conversation_of("c", None).await;
    let message = NewMessage {
        role: Role::Assistant,
        author: Some("Zoë".into()),
        model: Some("m".into()),
        status: Some(AnswerStatus::Failed),
        sources: vec![source()],
        usage: Some(Usage { prompt_tokens: Some(3), completion_tokens: None }),
        metadata: Some(metadata("m")),
        created_at: Timestamp::from_millis(-5),
        ..said("text")
    };
    let answered = store.append(append(conversation, vec![message])).await.unwrap().messages.remove(0);
    let stored = store.message(answered.id).await.unwrap();
    assert_eq!(stored, answered);
    assert_eq!((stored.seq, stored.parent_id, stored.sources), (1, None, vec![source()]));
    let conversation = store.conversation(conversation).await.unwrap();
    assert_eq!(conversation.model.as_deref(), Some("m"));
    assert_eq!((conversation.head_message_id, conversation.message_count), (Some(answered.id), 1));
}

#[tokio::test]
async fn texts_come_back_byte_for_byte_and_are_found_behind_a_nul() {
    let store = store().await;
    let conversation = store.conversation_of("c\0d", Some("p\0q")).await;
    let long = "é\0\u{10FFFF}".repeat(MAX_CONTENT_BYTES / 7);
    for text in ["", "\0", "antes\0atrásdonulo", "\u{FEFF}e\u{301}\r\n\u{202E}", long.as_str()] {
        let id = store.say(conversation, text).await.id;
        assert_eq!(store.message(id).await.unwrap().content, text);
    }
    let found = store.conversation(conversation).await.unwrap();
    assert_eq!((found.title.as_deref(), found.project.as_deref()), (Some("c\0d"), Some("p\0q")));
    assert_eq!(store.holding("atrasdonulo"), 1);
    store.check_words();
    // deleting it finds the same words to take out
    store.delete_conversation(conversation).await.unwrap();
    assert_eq!(store.holding("atrasdonulo"), 0);
    store.check_words();
}

#[tokio::test]
async fn a_retry_changes_nothing_and_answers_the_same() {
    let store = store().await;
    let conversation = store.conversation_of("c", None).await;
    let call = append(conversation, vec![said("one"), said("two")]);
    let first = store.append(call.clone()).await.unwrap();
    let longer = Append { messages: [call.messages.clone(), vec![said("three")]].concat(), ..call.clone() };
    let later = store.append(longer).await.unwrap();
    let retry = store.append(call.clone()).await.unwrap();
    assert_eq!((first.fresh, later.fresh), (vec![true, true], vec![false, false, true]));
    assert_eq!((&retry.messages, retry.fresh), (&first.messages, vec![false, false]));
    assert_eq!(later.messages[2].parent_id, Some(first.messages[1].id));
    let stored = store.conversation(conversation).await.unwrap();
    assert_eq!((stored.message_count, stored.head_message_id), (3, Some(later.messages[2].id)));

    let id = first.messages[0].id;
    let changed = NewMessage { content: "else".into(), ..call.messages[0].clone() };
    let conflict = store.append(append(conversation, vec![said("lost"), changed])).await.unwrap_err();
    assert_eq!(conflict.kind(), Kind::Conflict);
    assert!(conflict.to_string().contains(&id.to_string()), "{conflict}");
    let other = store.conversation_of("d", None).await;
    let elsewhere = store.append(append(other, call.messages.clone())).await.unwrap_err();
    assert_eq!(elsewhere.kind(), Kind::Conflict);
    assert_eq!(store.counts().await.unwrap().messages, 3, "nothing of a refused call is stored");

    // after an edit the text of the retry says nothing
    let update =
        MessageUpdate { id, content: Some("new".into()), author: Patch::Keep, metadata: Patch::Keep };
    store.update_message(update, Some(whole("new"))).await.unwrap();
    assert_eq!(store.append(call).await.unwrap().messages[0].content, "new");
}

#[tokio::test]
async fn a_conversation_can_be_made_with_its_first_message() {
    let store = store().await;
    let id = ConversationId::new();
    let call = Append { create: Some(new_conversation(id)), ..append(id, vec![said("hi")]) };
    assert_eq!(store.append(append(id, vec![said("x")])).await.unwrap_err().kind(), Kind::NotFound);
    store.append(call.clone()).await.unwrap();
    store.append(call).await.unwrap();
    let stored = store.conversation(id).await.unwrap();
    assert_eq!((stored.title.as_deref(), stored.message_count), (Some("Título"), 1));
}

#[tokio::test]
async fn messages_form_a_tree_and_a_branch_is_its_path() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let ask = |parent, text: &str| NewMessage { parent, ..said(text) };
    let tree = vec![said("root"), said("left"), said("left leaf")];
    let left = store.append(append(c, tree)).await.unwrap().messages;
    let right = ask(Patch::Set(left[0].id), "right");
    let right = store.append(append(c, vec![right, said("right leaf")])).await.unwrap().messages;
    let new_root = store.append(append(c, vec![ask(Patch::Clear, "again")])).await.unwrap().messages;
    let texts = async |leaf: Option<&Message>, bytes| {
        let branch = store.branch(c, leaf.map(|leaf| leaf.id), bytes).await.unwrap();
        branch.into_iter().map(|message| message.content).collect::<Vec<_>>()
    };
    assert_eq!(texts(left.last(), 1000).await, ["root", "left", "left leaf"]);
    assert_eq!(texts(right.last(), 1000).await, ["root", "right", "right leaf"]);
    assert_eq!(texts(right.last(), 15).await, ["right", "right leaf"]);
    assert_eq!(texts(right.last(), 0).await, ["right leaf"]);
    assert_eq!(texts(None, 1000).await, ["again"]);
    assert_eq!(new_root[0].parent_id, None);
    let elsewhere = store.conversation_of("d", None).await;
    assert_eq!(store.branch(elsewhere, None, 10).await.unwrap(), []);
    for parent in [left[0].id, MessageId::new()] {
        let error = store.append(append(elsewhere, vec![ask(Patch::Set(parent), "x")])).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
    }
    assert_eq!(store.branch(elsewhere, Some(left[0].id), 10).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn deleting_a_message_keeps_the_tree_whole() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let m = store.append(append(c, vec![said("a"), said("b"), said("c")])).await.unwrap().messages;
    let head = async || store.conversation(c).await.unwrap().head_message_id;
    let deleted = store.delete_message(m[1].id).await.unwrap();
    assert_eq!((deleted.deleted, deleted.messages), (true, 1));
    assert_eq!(store.message(m[2].id).await.unwrap().parent_id, Some(m[0].id));
    assert_eq!(head().await, Some(m[2].id));
    store.delete_message(m[2].id).await.unwrap();
    assert_eq!(head().await, Some(m[0].id));
    let root = NewMessage { parent: Patch::Clear, ..said("root") };
    let root = store.append(append(c, vec![root])).await.unwrap().messages.remove(0);
    assert_eq!(root.seq, 4, "a place is never used twice");
    store.delete_message(root.id).await.unwrap();
    assert_eq!(head().await, Some(m[0].id), "without a parent, the newest that is left");
    store.delete_message(m[0].id).await.unwrap();
    assert_eq!(head().await, None);
    assert!(!store.delete_message(m[0].id).await.unwrap().deleted);
    assert_eq!(store.conversation(c).await.unwrap().message_count, 0);
}

#[tokio::test]
async fn the_head_can_be_moved_within_its_conversation_only() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let m = store.append(append(c, vec![said("a"), said("b")])).await.unwrap().messages;
    let other = store.conversation_of("d", None).await;
    let stranger = store.say(other, "x").await.id;
    let update = |head| ConversationUpdate {
        id: c,
        title: Patch::Keep,
        project: Patch::Keep,
        model: Patch::Keep,
        head_message_id: head,
        metadata: Patch::Keep,
    };
    let moved = store.update_conversation(update(Patch::Set(m[0].id))).await.unwrap();
    assert_eq!(moved.head_message_id, Some(m[0].id));
    assert_eq!(store.say(c, "beside b").await.parent_id, Some(m[0].id));
    let refused = store.update_conversation(update(Patch::Set(stranger))).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::NotFound);
    assert_eq!(store.update_conversation(update(Patch::Clear)).await.unwrap().head_message_id, None);
}

#[tokio::test]
async fn a_new_text_takes_new_chunks_and_new_words() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let m = store.say(c, "abacaxi").await;
    let update = |content: Option<&str>, author| MessageUpdate {
        id: m.id,
        content: content.map(Into::into),
        author,
        metadata: Patch::Set(metadata("u")),
    };
    let named = store.update_message(update(None, Patch::Set("Ana".into())), None).await.unwrap();
    assert_eq!((named.author.as_deref(), named.edited_at), (Some("Ana"), None));
    let same =
        store.update_message(update(Some("abacaxi"), Patch::Keep), Some(whole("abacaxi"))).await.unwrap();
    assert_eq!(same.edited_at, None, "the same text is no edit");
    assert_eq!(store.number("SELECT max(id) FROM chunk"), 1);
    let edited =
        store.update_message(update(Some("banana"), Patch::Clear), Some(whole("banana"))).await.unwrap();
    assert!(edited.edited_at.is_some() && edited.author.is_none());
    assert_eq!(store.message(m.id).await.unwrap(), edited);
    assert_eq!(store.number("SELECT min(id) FROM chunk"), 2);
    for (word, n) in [("abacaxi", 0), ("banana", 1)] {
        assert_eq!(store.holding(word), n, "{word}");
    }
    let unchunked = store.update_message(update(Some("x"), Patch::Keep), None).await.unwrap_err();
    assert_eq!(unchunked.kind(), Kind::Internal);
    let outside = store.update_message(update(Some("é"), Patch::Keep), Some(whole("x"))).await.unwrap_err();
    assert_eq!(outside.kind(), Kind::Internal);
}

#[tokio::test]
async fn deleting_a_conversation_takes_everything_along() {
    let store = store().await;
    let kept = store.conversation_of("kept", None).await;
    store.say(kept, "kept words").await;
    let c = store.conversation_of("gone", None).await;
    for text in ["gone one", "gone two"] {
        store.say(c, text).await;
    }
    let gone = store.delete_conversation(c).await.unwrap();
    assert_eq!((gone.deleted, gone.messages), (true, 2));
    let again = store.delete_conversation(c).await.unwrap();
    assert_eq!((again.deleted, again.messages), (false, 0));
    assert_eq!(store.messages(list_of(c)).await.unwrap_err().kind(), Kind::NotFound);
    let counts = Counts { conversations: 1, messages: 1, memories: 0, chunks: 1 };
    assert_eq!(store.counts().await.unwrap(), counts);
    assert_eq!(store.queue_counts().await.unwrap().ready, 1);
}

#[tokio::test]
async fn a_long_conversation_is_deleted_whole() {
    let store = store().await;
    let c = store.conversation_of("long", None).await;
    for _ in 0..3 {
        store.append(append(c, (0..250).map(|_| said("x")).collect())).await.unwrap();
    }
    let gone = store.delete_conversation(c).await.unwrap();
    assert_eq!((gone.deleted, gone.messages), (true, 750));
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    assert_eq!(store.conversation(c).await.unwrap_err().kind(), Kind::NotFound);
}

/// Goes through a list by its cursors.
async fn pages<T, F: Future<Output = crate::api::Page<T>>>(
    mut page: impl FnMut(Option<Cursor>) -> F,
) -> Vec<Vec<T>> {
    let (mut pages, mut cursor) = (Vec::new(), None);
    loop {
        let next = page(cursor).await;
        pages.push(next.items);
        cursor = next.next_cursor;
        if cursor.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn lists_go_page_by_page_in_order() {
    let store = store().await;
    let mut titles = Vec::new();
    for n in 0..7 {
        let project = if n % 2 == 0 { Some("even") } else { None };
        store.conversation_of(&n.to_string(), project).await;
        titles.insert(0, n.to_string());
    }
    let list = async |project: Option<&str>| {
        let pages = pages(|cursor| async {
            let filter =
                ConversationFilter { project: project.map(Into::into), ..ConversationFilter::default() };
            let list = ConversationList { filter, limit: Some(3), cursor };
            store.conversations(list).await.unwrap()
        });
        pages
            .await
            .into_iter()
            .map(|page| page.into_iter().filter_map(|c| c.title).collect())
            .collect::<Vec<Vec<_>>>()
    };
    assert_eq!(list(None).await, titles.chunks(3).map(<[_]>::to_vec).collect::<Vec<_>>());
    assert_eq!(list(Some("even")).await, [vec!["6", "4", "2"], vec!["0"]]);
    assert_eq!(list(Some("none")).await, [Vec::<String>::new()]);

    let c = store.conversation_of("m", None).await;
    for n in 0..5 {
        store.say(c, &n.to_string()).await;
    }
    let list = async |newest_first| {
        let pages = pages(|cursor| async {
            let list = MessageList { newest_first, limit: Some(2), cursor, ..list_of(c) };
            store.messages(list).await.unwrap()
        });
        pages
            .await
            .into_iter()
            .map(|page| page.into_iter().map(|m| m.content).collect())
            .collect::<Vec<Vec<_>>>()
    };
    assert_eq!(list(false).await, [vec!["0", "1"], vec!["2", "3"], vec!["4"]]);
    assert_eq!(list(true).await, [vec!["4", "3"], vec!["2", "1"], vec!["0"]]);
    let foreign = MessageList { cursor: Some(Cursor::from("x".to_owned())), ..list_of(c) };
    assert_eq!(store.messages(foreign).await.unwrap_err().kind(), Kind::Invalid);
}

#[tokio::test]
async fn a_page_of_large_messages_ends_early() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    for _ in 0..8 {
        store.say(c, &"x".repeat(1 << 20)).await;
    }
    let page = store.messages(list_of(c)).await.unwrap();
    assert_eq!(page.items.len(), 5);
    let rest = store.messages(MessageList { cursor: page.next_cursor, ..list_of(c) }).await.unwrap();
    assert_eq!((rest.items.len(), rest.next_cursor), (3, None));
}
