//! Folders and tags: what becomes of them and of what lies in them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::api::Patch;
use crate::api::conversation::ConversationList;
use crate::api::organise::{Change, ConversationFilter, NameList};
use crate::error::Kind;
use crate::model::ConversationId;
use crate::store::testing::{Temporary, store};

async fn folders(store: &Temporary) -> Vec<(String, u64)> {
    let page = store.folders(NameList::default()).await.unwrap();
    page.items.into_iter().map(|folder| (folder.path, folder.conversations)).collect()
}

async fn tags(store: &Temporary) -> Vec<(String, u64)> {
    let page = store.tags(NameList::default()).await.unwrap();
    page.items.into_iter().map(|tag| (tag.name, tag.conversations)).collect()
}

async fn file(store: &Temporary, id: ConversationId, path: &str) {
    let change = Change { folder: Patch::Set(path.into()), ..Change::default() };
    store.organise(vec![id], change).await.unwrap();
}

fn owned(list: &[(&str, u64)]) -> Vec<(String, u64)> {
    list.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

#[tokio::test]
async fn folders_are_made_moved_and_deleted_with_what_lies_in_them() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let d = store.conversation_of("d", None).await;
    file(&store, c, "Work/Clients/Ana").await;
    file(&store, d, "Work").await;
    assert_eq!(folders(&store).await, owned(&[("Work", 1), ("Work/Clients", 0), ("Work/Clients/Ana", 1)]));

    store.move_folder("Work/Clients".into(), "People/Old".into()).await.unwrap();
    assert_eq!(store.conversation(c).await.unwrap().folder.as_deref(), Some("People/Old/Ana"));
    for (path, to, kind) in [
        ("People", "People/Old/x", Kind::Invalid),
        ("People", "Work", Kind::Conflict),
        ("Nowhere", "x", Kind::NotFound),
    ] {
        let error = store.move_folder(path.into(), to.into()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    store.move_folder("Work".into(), "work".into()).await.unwrap();

    assert_eq!(store.delete_folder("People/Old".into()).await.unwrap(), 0);
    assert_eq!(folders(&store).await, owned(&[("People", 0), ("People/Ana", 1), ("work", 1)]));
    assert_eq!(store.delete_folder("work".into()).await.unwrap(), 1);
    assert_eq!(store.conversation(d).await.unwrap().folder, None);
    assert_eq!(store.delete_folder("work".into()).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_folder_that_moves_up_is_merged_with_its_namesake() {
    let store = store().await;
    let mut ids = Vec::new();
    for path in ["A", "A/A", "A/A/x", "A/x", "A/x/y"] {
        let id = store.conversation_of(path, None).await;
        file(&store, id, path).await;
        ids.push(id);
    }
    store.delete_folder("A".into()).await.unwrap();
    assert_eq!(folders(&store).await, owned(&[("A", 1), ("A/x", 1), ("x", 1), ("x/y", 1)]));
    let other = store.conversation_of("o", None).await;
    file(&store, other, "x/x").await;
    store.delete_folder("x".into()).await.unwrap();
    assert_eq!(folders(&store).await, owned(&[("A", 1), ("A/x", 1), ("x", 1), ("y", 1)]));
    assert_eq!(store.conversation(ids[3]).await.unwrap().folder, None);
}

#[tokio::test]
async fn names_come_in_pages() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let names: Vec<String> = (0..7).map(|n| format!("tag {n}")).collect();
    store.organise(vec![c], Change { add_tags: names.clone(), ..Change::default() }).await.unwrap();
    let mut list = NameList { limit: Some(3), cursor: None };
    let mut found = Vec::new();
    loop {
        let page = store.tags(list.clone()).await.unwrap();
        found.extend(page.items.into_iter().map(|tag| tag.name));
        match page.next_cursor {
            Some(cursor) => list.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(found, names);
}

#[tokio::test]
async fn a_tag_is_found_without_its_accents_unless_another_has_just_that_name() {
    let store = store().await;
    let mut tagged = Vec::new();
    for name in ["Física", "avô", "avó", "avo"] {
        let id = store.conversation_of(name, None).await;
        let change = Change { add_tags: vec![name.into()], ..Change::default() };
        store.organise(vec![id], change).await.unwrap();
        tagged.push(id);
    }
    let found = async |tag: &str| {
        let filter = ConversationFilter { tags: vec![tag.into()], ..ConversationFilter::default() };
        let list = ConversationList { filter, limit: None, cursor: None };
        let listed = store.conversations(list).await.unwrap();
        listed.items.into_iter().map(|conversation| conversation.id).collect::<Vec<_>>()
    };
    for (tag, expected) in [
        ("fisica", Some(0)),
        ("FÍSICA", Some(0)),
        ("avô", Some(1)),
        ("avó", Some(2)),
        ("avo", Some(3)),
        ("avõ", Some(1)),
        ("fisic", None),
    ] {
        assert_eq!(
            found(tag).await,
            expected.map(|place: usize| tagged[place]).into_iter().collect::<Vec<_>>(),
            "{tag}"
        );
    }
}

#[tokio::test]
async fn what_does_not_exist_changes_nothing() {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    let change = Change { add_tags: vec!["t".into()], ..Change::default() };
    let error = store.organise(vec![c, ConversationId::new()], change).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(tags(&store).await, []);
}

#[derive(Debug, Clone)]
enum Step {
    Tag { conversation: usize, name: usize },
    Untag { conversation: usize, name: usize },
    DeleteTag(usize),
    Delete(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let both = (0..3_usize, 0..4_usize);
    prop_oneof![
        5 => both.clone().prop_map(|(conversation, name)| Step::Tag { conversation, name }),
        3 => both.prop_map(|(conversation, name)| Step::Untag { conversation, name }),
        1 => (0..4_usize).prop_map(Step::DeleteTag),
        1 => (0..3_usize).prop_map(Step::Delete),
    ]
}

const NAMES: [&str; 4] = ["work", "WORK", "Ação", " home "];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn tags_are_counted_and_vanish_with_their_last_conversation(steps in prop::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = store().await;
            let mut ids = Vec::new();
            for n in 0..3 {
                ids.push(store.conversation_of(&n.to_string(), None).await);
            }
            let mut model: BTreeMap<String, BTreeSet<ConversationId>> = BTreeMap::new();
            let key = |name: usize| NAMES[name].trim().to_lowercase();
            for step in steps {
                match step {
                    Step::Tag { conversation, name } => {
                        let id = ids[conversation];
                        let change = Change { add_tags: vec![NAMES[name].into()], ..Change::default() };
                        if store.organise(vec![id], change).await.is_ok() {
                            model.entry(key(name)).or_default().insert(id);
                        }
                    }
                    Step::Untag { conversation, name } => {
                        let id = ids[conversation];
                        let change = Change { remove_tags: vec![NAMES[name].into()], ..Change::default() };
                        if store.organise(vec![id], change).await.is_ok() {
                            model.entry(key(name)).or_default().remove(&id);
                        }
                    }
                    Step::DeleteTag(name) => {
                        let n = store.delete_tag(NAMES[name].into()).await.unwrap();
                        assert_eq!(n as usize, model.remove(&key(name)).map_or(0, |of| of.len()));
                    }
                    Step::Delete(conversation) => {
                        store.delete_conversation(ids[conversation]).await.unwrap();
                        model.values_mut().for_each(|of| {
                            of.remove(&ids[conversation]);
                        });
                    }
                }
                model.retain(|_, of| !of.is_empty());
                let found: Vec<(String, u64)> =
                    tags(&store).await.into_iter().map(|(name, n)| (name.to_lowercase(), n)).collect();
                let expected: Vec<(String, u64)> =
                    model.iter().map(|(name, of)| (name.clone(), of.len() as u64)).collect();
                assert_eq!(found, expected);
            }
        });
    }
}
