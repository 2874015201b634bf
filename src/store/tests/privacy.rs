//! What is private is found from within itself only, by words and by meaning.

use crate::api::organise::{Archived, Change, ConversationFilter};
use crate::api::search::SearchFilter;
use crate::model::{ConversationId, Timestamp};
use crate::store::testing::{Temporary, store};
use crate::store::{Item, LexicalQuery, NewConversation};

async fn found(store: &Temporary, filter: SearchFilter) -> Vec<Item> {
    let by_words = async |text: &str| {
        let query =
            LexicalQuery { text: text.into(), filter: filter.clone(), limit: 9, ..LexicalQuery::default() };
        let mut hits: Vec<Item> =
            store.lexical(query).await.unwrap().hits.into_iter().map(|hit| hit.item).collect();
        hits.sort();
        hits
    };
    let words = by_words("secret").await;
    assert_eq!(by_words("🎉").await, words);
    // by meaning: the chunks that a search may find
    let all: Vec<u32> = (1..=20).collect();
    let allowed = store.chunks_matching(&filter).await.unwrap().unwrap_or(all);
    let mut items: Vec<Item> =
        store.chunk_items(allowed, &filter).await.unwrap().into_iter().map(|chunk| chunk.item).collect();
    items.sort();
    assert_eq!(items, words);
    words
}

const TEXT: &str = "the secret 🎉";

#[tokio::test]
async fn private_conversations_are_found_from_within_themselves() {
    let store = store().await;
    let none = SearchFilter::default;
    let open = store.conversation_of("open", None).await;
    let hidden = store.conversation_of("hidden", None).await;
    let other = store.conversation_of("other", None).await;
    let mut items = Vec::new();
    for c in [open, hidden, other] {
        store.say(c, TEXT).await;
        items.push(Item::Message(items.len() as i64 + 1));
    }
    store.remember(TEXT).await;
    let memory = Item::Memory(1);
    assert_eq!(
        store.chunks_matching(&none()).await.unwrap(),
        None,
        "nothing is kept out where nothing is private"
    );
    assert_eq!(found(&store, none()).await, [items[0], items[1], items[2], memory]);

    let private = |private| Change { private: Some(private), ..Change::default() };
    store.organise(vec![hidden, other], private(true)).await.unwrap();
    let from = |id: ConversationId| SearchFilter { seen_from: Some(id), ..none() };
    let named = |id: ConversationId| SearchFilter { conversation_id: Some(id), ..none() };
    for _ in 0..2 {
        assert_eq!(found(&store, none()).await, [items[0], memory]);
        assert_eq!(found(&store, from(hidden)).await, [items[0], items[1], memory]);
        assert_eq!(found(&store, from(open)).await, [items[0], memory]);
        assert_eq!(found(&store, named(hidden)).await, [items[1]]);
        let since = SearchFilter { since: Some(Timestamp::from_millis(0)), ..none() };
        assert_eq!(found(&store, since).await, [items[0], memory]);
        // what is being typed finds its title, but not what was said
        let typed = ConversationFilter { query: Some("secr".into()), ..ConversationFilter::default() };
        let ids: Vec<_> = store
            .find_conversations(typed, 9)
            .await
            .unwrap()
            .into_iter()
            .map(|m| m.conversation.id)
            .collect();
        assert_eq!(ids, [open]);
        // it holds for what was private before the start too
        store.ping().await.unwrap();
    }
    let store = store.reopen().await;
    assert_eq!(found(&store, none()).await, [items[0], memory]);
    store.organise(vec![hidden, other], private(false)).await.unwrap();
    assert_eq!(found(&store, none()).await, [items[0], items[1], items[2], memory]);
}

#[tokio::test]
async fn a_conversation_can_be_private_from_its_beginning() {
    let store = store().await;
    let new = NewConversation {
        id: ConversationId::new(),
        title: None,
        project: None,
        model: None,
        folder: None,
        tags: Vec::new(),
        private: true,
        created_at: Timestamp::now(),
        metadata: None,
    };
    let c = store.create_conversation(new, None).await.unwrap().record;
    assert!(c.private);
    store.say(c.id, TEXT).await;
    assert_eq!(found(&store, SearchFilter::default()).await, []);
}

#[tokio::test]
async fn searches_are_narrowed_to_folders_tags_pins_and_the_archive() {
    let store = store().await;
    let none = SearchFilter::default;
    let (a, b) = (store.conversation_of("a", None).await, store.conversation_of("b", None).await);
    let change = Change {
        pinned: Some(true),
        archived: Some(true),
        folder: crate::api::Patch::Set("Work/Clients".into()),
        add_tags: vec!["Deep".into()],
        ..Change::default()
    };
    store.organise(vec![a], change).await.unwrap();
    store.say(a, TEXT).await;
    store.say(b, TEXT).await;
    store.remember(TEXT).await;
    let (first, second, memory) = (Item::Message(1), Item::Message(2), Item::Memory(1));
    for (filter, expected) in [
        (none(), vec![first, second, memory]),
        (SearchFilter { folder: Some("Work".into()), ..none() }, vec![first]),
        (SearchFilter { folder: Some("Wor".into()), ..none() }, vec![]),
        (SearchFilter { tags: vec!["deep".into()], ..none() }, vec![first]),
        (SearchFilter { tags: vec!["deep".into(), "x".into()], ..none() }, vec![]),
        (SearchFilter { pinned: Some(false), ..none() }, vec![second]),
        (SearchFilter { archived: Some(Archived::Exclude), ..none() }, vec![second, memory]),
        (SearchFilter { archived: Some(Archived::Only), ..none() }, vec![first]),
        (SearchFilter { archived: Some(Archived::Include), ..none() }, vec![first, second, memory]),
    ] {
        assert_eq!(found(&store, filter.clone()).await, expected, "{filter:?}");
    }
}
