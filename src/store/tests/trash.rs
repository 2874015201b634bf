//! What is deleted is gone from everywhere, and comes back as it was.

use crate::api::Patch;
use crate::api::system::Counts;
use crate::api::trash::{TrashKind, TrashList};
use crate::error::Kind;
use crate::model::{Conversation, ConversationId, Message, Timestamp};
use crate::store::testing::{Temporary, append, said, store, undo};
use crate::store::{LexicalQuery, NewMessage};

fn uuid(bytes: &[u8; 16]) -> uuid::Uuid {
    uuid::Uuid::from_bytes(*bytes)
}

async fn whole(store: &Temporary, id: ConversationId) -> (Conversation, Vec<Message>) {
    let conversation = store.conversation(id).await.unwrap();
    (conversation, store.export_messages(id, 0, usize::MAX).await.unwrap())
}

async fn found(store: &Temporary, word: &str) -> usize {
    let query = LexicalQuery { text: word.into(), limit: 9, ..LexicalQuery::default() };
    // what stands beside a hit is found as well, and counts less
    store.lexical(query).await.unwrap().hits.iter().filter(|hit| hit.turn > 0.0).count()
}

#[tokio::test]
async fn a_conversation_comes_back_as_it_was() {
    let store = store().await;
    let c = store.conversation_of("Plano", Some("p")).await;
    let m = store.append(append(c, vec![said("um"), said("dois"), said("três")])).await.unwrap().messages;
    let branch = NewMessage { parent: Patch::Set(m[0].id), ..said("outro ramo") };
    store.append(append(c, vec![branch])).await.unwrap();
    store.delete_message(m[1].id).await.unwrap();
    let before = whole(&store, c).await;
    let counts = store.counts().await.unwrap();
    assert_eq!(found(&store, "ramo").await, 1);

    let deleted = store.delete_conversation(c).await.unwrap();
    assert_eq!((deleted.deleted, deleted.messages), (true, 3));
    assert_eq!(store.conversation(c).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!((found(&store, "ramo").await, store.counts().await.unwrap()), (0, Counts::default()));
    let page = store.trash(TrashList::default(), Some(1000)).await.unwrap();
    let [conversation, message] = &page.items[..] else { panic!("{page:?}") };
    assert_eq!((conversation.kind, conversation.item_id), (TrashKind::Conversation, uuid(c.as_bytes())));
    assert_eq!((conversation.title.as_deref(), conversation.project.as_deref()), (Some("Plano"), Some("p")));
    assert_eq!(conversation.messages, 3);
    assert_eq!(conversation.kept_until, Some(conversation.deleted_at.plus_millis(1000)));
    assert_eq!((message.kind, message.conversation_id), (TrashKind::Message, Some(c)));
    let refused = undo(&store, uuid(m[1].id.as_bytes())).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict, "a message without its conversation");

    let store = store.reopen().await;
    undo(&store, uuid(c.as_bytes())).await.unwrap();
    assert_eq!((whole(&store, c).await, store.counts().await.unwrap()), (before, counts));
    assert_eq!(found(&store, "ramo").await, 1);
    assert_eq!(undo(&store, uuid(c.as_bytes())).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_message_goes_back_to_its_place() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let m = store.append(append(c, vec![said("a"), said("b"), said("c")])).await.unwrap().messages;
    let before = whole(&store, c).await.1;
    let head = async || store.conversation(c).await.unwrap().head_message_id;
    for place in [0, 1, 2] {
        store.delete_message(m[place].id).await.unwrap();
        assert_eq!(whole(&store, c).await.1.len(), 2);
        undo(&store, uuid(m[place].id.as_bytes())).await.unwrap();
        assert_eq!(whole(&store, c).await.1, before, "the message at {place}");
        assert_eq!(head().await, Some(m[2].id), "the message at {place}");
    }
    // whatever the order in which they come back
    for order in [[1, 2], [2, 1]] {
        store.delete_message(m[2].id).await.unwrap();
        store.delete_message(m[1].id).await.unwrap();
        for place in order {
            undo(&store, uuid(m[place].id.as_bytes())).await.unwrap();
        }
        assert_eq!(whole(&store, c).await.1, before, "{order:?}");
    }
    // a conversation that went on keeps its head, and its later messages where they are
    store.delete_message(m[2].id).await.unwrap();
    let later = store.say(c, "later").await;
    undo(&store, uuid(m[2].id.as_bytes())).await.unwrap();
    assert_eq!(head().await, Some(later.id));
    assert_eq!(store.message(later.id).await.unwrap().parent_id, Some(m[1].id));
}

#[tokio::test]
async fn a_memory_comes_back_as_it_was() {
    let store = store().await;
    let id = store.remember("gosto de café").await;
    let update = serde_json::from_value(serde_json::json!({"id": id, "content": "gosto de chá"})).unwrap();
    store.update_memory(update, Some(crate::store::testing::whole("gosto de chá"))).await.unwrap();
    let before = store.memory_history(id).await.unwrap();
    assert_eq!(before.len(), 2);
    let deleted = store.delete_memory(id).await.unwrap();
    assert!(deleted.trash_id.is_some() && !store.delete_memory(id).await.unwrap().deleted);
    assert_eq!(found(&store, "chá").await, 0);
    assert!(store.is_trash_older_than(Timestamp::now().plus_millis(1)).await.unwrap());
    undo(&store, uuid(deleted.trash_id.unwrap().as_bytes())).await.unwrap();
    assert_eq!((store.memory_history(id).await.unwrap(), found(&store, "chá").await), (before, 1));
    store.check_words();
    assert!(!store.is_trash_older_than(Timestamp::now().plus_millis(1)).await.unwrap());
}

#[tokio::test]
async fn a_delete_that_a_crash_interrupted_is_ended() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let m = store.append(append(c, vec![said("a"), said("b")])).await.unwrap().messages;
    let before = whole(&store, c).await;
    store.delete_conversation(c).await.unwrap();
    // as if one message had not been moved yet
    undo(&store, uuid(c.as_bytes())).await.unwrap();
    store.delete_message(m[1].id).await.unwrap();
    let sql = store.sql();
    sql.execute(
        "UPDATE trash SET kind = 0, item = ?1, conversation = NULL, whole = 0, messages = 1",
        [&c.as_bytes()[..]],
    )
    .unwrap();
    let head = serde_json::to_string(&before.0).unwrap();
    sql.execute(
        "INSERT INTO trash_record SELECT id, 0, ?1, ?2 FROM trash",
        rusqlite::params![&c.as_bytes()[..], head],
    )
    .unwrap();
    drop(sql);
    store.finish_deletes().await.unwrap();
    assert_eq!(store.conversation(c).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(store.trash(TrashList::default(), None).await.unwrap().items[0].messages, 2);
    undo(&store, uuid(c.as_bytes())).await.unwrap();
    assert_eq!(whole(&store, c).await, before);
}

#[tokio::test]
async fn the_trash_is_listed_page_by_page() {
    let store = store().await;
    for n in 0..5 {
        let id = store.remember(&format!("fact {n}")).await;
        store.delete_memory(id).await.unwrap();
    }
    let mut list = TrashList { limit: Some(2), cursor: None };
    let mut titles = Vec::new();
    loop {
        let page = store.trash(list.clone(), None).await.unwrap();
        titles.extend(page.items.into_iter().filter_map(|trashed| trashed.title));
        list.cursor = page.next_cursor;
        if list.cursor.is_none() {
            break;
        }
    }
    assert_eq!(titles, ["fact 4", "fact 3", "fact 2", "fact 1", "fact 0"]);
}
