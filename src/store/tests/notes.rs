//! Files of notes: whatever the versions of a file were, what is stored is the last one.

use proptest::prelude::*;

use crate::api::Patch;
use crate::api::message::MessageList;
use crate::api::watch::WatchKind;
use crate::model::{ClientRef, ConversationId, MessageId};
use crate::store::testing::{Temporary, append, recorded, said, store, whole};
use crate::store::{NewConversation, Note, Noted, Section, Stamp, WatchedFile};

const STAMP: Stamp = Stamp { device: u64::MAX, inode: 1 << 63, size: 3, modified: -1, changed: 5 };

fn note(watch: i64, id: ConversationId, texts: &[String]) -> Note {
    let section = |(place, text): (usize, &String)| {
        let mut message = recorded(id, None, 0, text.clone()).message;
        message.id = MessageId::derived("notes", &format!("{id}/{place}/{text}"));
        Section { message, chunks: whole(text) }
    };
    let created_at = crate::model::Timestamp::from_millis(7);
    let title = Some("a.md".to_owned());
    Note {
        watch,
        file: WatchedFile { path: "a.md".into(), stamp: STAMP, conversation: Some(id), problem: None },
        conversation: NewConversation {
            id,
            title,
            project: Some("p".into()),
            model: None,
            folder: None,
            tags: Vec::new(),
            private: false,
            metadata: None,
            created_at,
        },
        client: ClientRef { name: "notes".into(), version: String::new() },
        sections: texts.iter().enumerate().map(section).collect(),
    }
}

async fn texts(store: &Temporary, id: ConversationId) -> Vec<String> {
    let list = MessageList {
        conversation_id: id,
        path: Default::default(),
        parent_id: Patch::Keep,
        newest_first: false,
        limit: Some(200),
        cursor: None,
    };
    store.messages(list).await.unwrap().items.into_iter().map(|message| message.content).collect()
}

#[tokio::test]
async fn a_file_is_known_as_it_was_and_its_conversation_keeps_what_others_said() {
    let store = store().await;
    let watch = store.add_watch("/notes".into(), WatchKind::Notes, None).await.unwrap().number;
    let id = ConversationId::new();
    let versions =
        ["one two three", "one four"].map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let noted = store.capture_note(note(watch, id, &versions[0])).await.unwrap();
    assert_eq!((noted.created, noted.added.len(), noted.deleted), (true, 3, 0));
    store.append(append(id, vec![said("a question about it")])).await.unwrap();
    let noted = store.capture_note(note(watch, id, &versions[1])).await.unwrap();
    assert_eq!((noted.created, noted.added.len(), noted.deleted), (false, 1, 2));
    assert_eq!(texts(&store, id).await, ["one", "a question about it", "four"]);
    let conversation = store.conversation(id).await.unwrap();
    assert_eq!(conversation.message_count, 3);
    let head = store.message(conversation.head_message_id.unwrap()).await.unwrap();
    assert_eq!(head.content, "a question about it");
    let files = store.watched_files(watch).await.unwrap();
    assert_eq!(files, [note(watch, id, &[]).file]);
    assert_eq!((store.holding("three"), store.holding("four")), (0, 1));
    store.check_words();

    // of a folder that was removed meanwhile nothing is stored any more
    assert_eq!(store.remove_watch(watch).await.unwrap(), Some(vec![id]));
    assert_eq!(store.remove_watch(watch).await.unwrap(), None);
    assert_eq!(store.capture_note(note(watch, id, &versions[0])).await.unwrap(), Noted::default());
    assert_eq!(store.number("SELECT count(*) FROM watched_file"), 0);
    assert_eq!(store.holding("three"), 0);
}

#[tokio::test]
async fn a_long_file_takes_several_steps() {
    let store = store().await;
    let watch = store.add_watch("/notes".into(), WatchKind::Notes, None).await.unwrap().number;
    let id = ConversationId::new();
    let many: Vec<String> = (0..950).map(|n| format!("section {n}")).collect();
    for (version, expected) in
        [(&many[..], (950, 0)), (&many[..1], (0, 949)), (&many[..], (949, 0)), (&many[1..], (949, 950))]
    {
        let noted = store.capture_note(note(watch, id, version)).await.unwrap();
        assert_eq!((noted.added.len(), noted.deleted), expected);
        let n = store.conversation(id).await.unwrap().message_count;
        assert_eq!(n, version.len() as u64);
        assert_eq!(store.number("SELECT count(*) FROM message"), version.len() as i64);
    }
    store.check_words();
}

#[tokio::test]
async fn a_title_that_a_person_gave_stays() {
    let store = store().await;
    let id = store.conversation_of("first question", None).await;
    let former = || vec!["first question".to_owned()];
    assert!(store.retitle(id, "better".into(), former()).await.unwrap());
    assert!(!store.retitle(id, "best".into(), former()).await.unwrap());
    assert_eq!(store.conversation(id).await.unwrap().title.as_deref(), Some("better"));
}

#[tokio::test]
async fn a_file_that_moves_takes_the_place_of_another() {
    let store = store().await;
    let watch = store.add_watch("/notes".into(), WatchKind::Notes, None).await.unwrap().number;
    let file = |path: &str, problem: Option<&str>| WatchedFile {
        path: path.into(),
        stamp: STAMP,
        conversation: None,
        problem: problem.map(str::to_owned),
    };
    store.set_watched_file(watch, file("a", Some("x"))).await.unwrap();
    store.set_watched_file(watch, file("b", None)).await.unwrap();
    store.move_watched_file(watch, "a".into(), "b".into()).await.unwrap();
    assert_eq!(store.watched_files(watch).await.unwrap(), [file("b", Some("x"))]);
    store.forget_watched_file(watch, "b".into()).await.unwrap();
    assert_eq!(store.watched_files(watch).await.unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_is_stored_is_the_last_version(versions in prop::collection::vec(prop::collection::vec("[a-d]{1,2}", 0..7), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = store().await;
            let watch = store.add_watch("/notes".into(), WatchKind::Notes, None).await.unwrap().number;
            let id = ConversationId::new();
            for version in &versions {
                store.capture_note(note(watch, id, version)).await.unwrap();
                assert_eq!(&texts(&store, id).await, version);
                let conversation = store.conversation(id).await.unwrap();
                assert_eq!(conversation.message_count, version.len() as u64);
                let head = match conversation.head_message_id {
                    Some(head) => Some(store.message(head).await.unwrap().content),
                    None => None,
                };
                assert_eq!(head.as_ref(), version.last());
            }
            store.check_words();
        });
    }
}
