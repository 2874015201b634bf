//! Lists of conversations against a plain look at all of them.

use proptest::prelude::*;

use crate::api::Patch;
use crate::api::conversation::ConversationList;
use crate::api::organise::{Archived, Change, ConversationFilter};
use crate::model::{Conversation, ConversationId, Timestamp};
use crate::store::NewConversation;
use crate::store::testing::{Temporary, client, store};

const PROJECTS: [&str; 2] = ["p", "q"];
const CLIENTS: [&str; 2] = ["vscode", "shell"];
const FOLDERS: [&str; 4] = ["a", "a/b", "a0", "ab"];
const TAGS: [&str; 3] = ["x", "Y", "ação"];
const TITLES: [&str; 3] = ["Deploy of the site", "deployment notes", "Ação"];

/// What one conversation is like, as places in the lists above.
type Made = (Option<usize>, Option<usize>, Option<usize>, Vec<usize>, Option<usize>, bool, bool);

fn made() -> impl Strategy<Value = Made> {
    let of = |n: usize| prop::option::of(0..n);
    (of(2), of(2), of(4), prop::collection::vec(0..3_usize, 0..3), of(3), any::<bool>(), any::<bool>())
}

fn filter() -> impl Strategy<Value = ConversationFilter> {
    let rarely = |n: usize| prop::option::weighted(0.3, 0..n);
    let archived =
        prop::option::of(prop::sample::select(vec![Archived::Exclude, Archived::Only, Archived::Include]));
    let words = prop::option::weighted(0.3, prop::sample::select(vec!["dep", "deploy si", "ACAO", "--"]));
    let rest =
        (prop::option::weighted(0.3, any::<bool>()), archived, words, prop::option::weighted(0.2, 0..9_i64));
    (rarely(2), rarely(2), rarely(4), prop::collection::vec(0..3_usize, 0..2), rest).prop_map(
        |(project, client, folder, tags, (pinned, archived, words, since))| ConversationFilter {
            query: words.map(Into::into),
            project: project.map(|at| PROJECTS[at].into()),
            client: client.map(|at| CLIENTS[at].into()),
            folder: folder.map(|at| FOLDERS[at].into()),
            tags: tags.into_iter().map(|at| TAGS[at].to_uppercase()).collect(),
            pinned,
            archived,
            since: since.map(Timestamp::from_millis),
            until: since.map(|since| Timestamp::from_millis(since + 5)),
        },
    )
}

async fn make(store: &Temporary, n: i64, made: Made) -> ConversationId {
    let (project, began, folder, tags, title, pinned, archived) = made;
    let new = NewConversation {
        id: ConversationId::new(),
        title: title.map(|at| TITLES[at].into()),
        project: project.map(|at| PROJECTS[at].into()),
        model: None,
        folder: folder.map(|at| FOLDERS[at].into()),
        tags: tags.into_iter().map(|at| TAGS[at].into()).collect(),
        private: false,
        // some at the same time
        created_at: Timestamp::from_millis(n / 2),
        metadata: None,
    };
    let id = store.create_conversation(new, began.map(|at| client(CLIENTS[at]))).await.unwrap().record.id;
    let change = Change { pinned: Some(pinned), archived: Some(archived), ..Change::default() };
    store.organise(vec![id], change).await.unwrap();
    id
}

fn fits(conversation: &Conversation, filter: &ConversationFilter) -> bool {
    let ConversationFilter { query, project, client, folder, tags, pinned, archived, since, until } = filter;
    let title = conversation.title.as_deref().unwrap_or_default();
    let fits_title = match query.as_deref() {
        None | Some("--") => true,
        Some("dep") => title.to_lowercase().starts_with("deploy"),
        Some("deploy si") => title == TITLES[0],
        Some("ACAO") => title == TITLES[2],
        Some(other) => panic!("{other}"),
    };
    let own: Vec<String> = conversation.tags.iter().map(|tag| tag.to_lowercase()).collect();
    let in_folder = |folder: &String| {
        conversation
            .folder
            .as_ref()
            .is_some_and(|own| own == folder || own.starts_with(&format!("{folder}/")))
    };
    fits_title
        && project.as_ref().is_none_or(|project| conversation.project.as_ref() == Some(project))
        && client
            .as_ref()
            .is_none_or(|name| conversation.client.as_ref().is_some_and(|own| own.name == *name))
        && folder.as_ref().is_none_or(in_folder)
        && tags.iter().all(|tag| own.contains(&tag.to_lowercase()))
        && pinned.is_none_or(|pinned| conversation.pinned == pinned)
        && since.is_none_or(|since| conversation.updated_at >= since)
        && until.is_none_or(|until| conversation.updated_at < until)
        && match archived.unwrap_or(Archived::Exclude) {
            Archived::Exclude => !conversation.archived,
            Archived::Only => conversation.archived,
            Archived::Include => true,
        }
}

async fn listed(store: &Temporary, filter: &ConversationFilter, limit: u32) -> Vec<ConversationId> {
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let list = ConversationList { filter: filter.clone(), limit: Some(limit), cursor };
        let page = store.conversations(list).await.unwrap();
        ids.extend(page.items.iter().map(|conversation| conversation.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return ids;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_list_holds_what_fits(
        made in prop::collection::vec(made(), 0..14), filters in prop::collection::vec(filter(), 8), limit in 1..5_u32
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = store().await;
            let mut all = Vec::new();
            for (n, made) in made.into_iter().enumerate() {
                let id = make(&store, n as i64, made).await;
                all.push(store.conversation(id).await.unwrap());
            }
            // the last changed first, of equals the last made
            all.sort_by_key(|conversation| conversation.updated_at);
            all.reverse();
            for filter in filters {
                let expected: Vec<_> =
                    all.iter().filter(|one| fits(one, &filter)).map(|one| one.id).collect();
                let mut found = listed(&store, &filter, limit).await;
                let (ids, _) = store.conversation_ids(filter.clone(), None, 99).await.unwrap();
                assert_eq!(found, ids, "{filter:?}");
                // of those that changed at the same time the order is that of their numbers
                let mut expected_sorted = expected;
                expected_sorted.sort();
                found.sort();
                assert_eq!(found, expected_sorted, "{filter:?}");
            }
        });
    }
}

#[tokio::test]
async fn putting_in_order_is_no_change() {
    let store = store().await;
    let first = store.conversation_of("first", None).await;
    let second = store.conversation_of("second", None).await;
    let change = Change {
        pinned: Some(true),
        folder: Patch::Set("a".into()),
        add_tags: vec!["t".into()],
        ..Change::default()
    };
    store.organise(vec![first], change).await.unwrap();
    assert_eq!(listed(&store, &ConversationFilter::default(), 9).await, [second, first]);
}
