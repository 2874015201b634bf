//! How SQLite answers the queries that must stay quick: by an index, without a scan and without sorting.

use std::time::Duration;

use crate::api::organise::ConversationFilter;
use crate::api::search::SearchFilter;
use crate::model::ConversationId;
use crate::store::filter::{Condition, Private, Restriction};
use crate::store::testing::{Temporary, append, said, store};
use crate::store::{
    chunks, context, filter, find, forget, hydrate, jobs, lexical, listing, memories, memory_changes,
    messages, organise, queue, reconcile, removals, trash, trashed, tree, usage,
};

fn plan(store: &Temporary, sql: &str) -> String {
    let db = store.sql();
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = statement.raw_query();
    let mut plan = String::new();
    while let Some(row) = rows.next().unwrap() {
        plan.push_str(&row.get::<_, String>(3).unwrap());
        plan.push('\n');
    }
    plan
}

#[tokio::test]
async fn lists_and_the_queue_use_their_indexes() {
    let store = store().await;
    check_lists_and_queue(&store);
    // nor does it depend on what the tables hold
    for n in 0..40 {
        let c = store.conversation_of("c", (n % 9 == 0).then_some("p")).await;
        store.append(append(c, (0..12).map(|_| said("some text")).collect())).await.unwrap();
        store.remember("fact").await;
    }
    let space = store.ensure_space("m", "f", 3, 1).await.unwrap().id;
    let jobs = store.lease(space, 40, Duration::from_secs(60)).await.unwrap();
    store.fail(&jobs[..20], "x").await.unwrap();
    store.complete(&jobs[20..30]).await.unwrap();
    let store = store.reopen().await;
    check_lists_and_queue(&store);
    let statistics = store.number("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'");
    assert_eq!(statistics, 0, "see the head of the module");
}

fn check_lists_and_queue(store: &Temporary) {
    let cases = [
        (tree::CHILDREN, "message_by_parent (parent_id=? AND rowid>?)"),
        (tree::CHILDREN_BACK, "message_by_parent (parent_id=? AND rowid<?)"),
        (tree::ROOTS, "message_roots (conversation_id=? AND rowid>?)"),
        (tree::ROOTS_BACK, "message_roots (conversation_id=? AND rowid<?)"),
        (organise::TAGS, "(key>?)"),
        (organise::FOLDERS, "(path>?)"),
        (organise::REFILE, "conversation_by_folder (folder_id=?)"),
        (organise::SUBTREE, "(path>? AND path<?)"),
        (chunks::PRIVATE, "conversation_private"),
        (messages::LIST, "(conversation_id=? AND seq>?)"),
        (messages::LIST_BACK, "(conversation_id=? AND seq<?)"),
        (trash::REPARENT, "message_by_parent (parent_id=?)"),
        (trash::LAST_LEAF, "(conversation_id=?)"),
        (trashed::LIST, "trash_by_time (deleted_at<?"),
        (trashed::RECORDS, "(trash_id=? AND place>?)"),
        (forget::LAST_LEAF, "(conversation_id=?)"),
        (forget::COPIES, "conversation_copied (copied_conversation=?)"),
        (memories::FORMER, "memory_by_successor (superseded_by=?)"),
        (forget::WITH_SOURCES, "message_with_sources (id>?)"),
        (removals::OUTDATED, "embed_job USING INTEGER PRIMARY KEY (rowid>?)"),
        (removals::REMOVALS, "embed_job_ready (space_id=? AND kind=?)"),
        (memories::LIST, "memory_by_update (updated_at<"),
        (memories::LIST_PROJECT, "memory_by_project (project_id=? AND updated_at<"),
        (chunks::CHUNK_ITEM, "SEARCH k USING INTEGER PRIMARY KEY"),
        (chunks::DELETE_OF_MESSAGE, "chunk_of_message (message_id=?)"),
        (chunks::DELETE_OF_MEMORY, "chunk_of_memory (memory_id=?)"),
        (hydrate::BEFORE, "(conversation_id=? AND seq<?)"),
        (hydrate::AFTER, "(conversation_id=? AND seq>?)"),
        (jobs::LIST, "SEARCH j USING INTEGER PRIMARY KEY (rowid>?)"),
        (jobs::LIST_READY, "SEARCH j USING INTEGER PRIMARY KEY (rowid>?)"),
        (jobs::LIST_LEASED, "embed_job_leased"),
        (jobs::LIST_DEAD, "embed_job_dead"),
        (queue::WAKE, "embed_job_waiting (space_id=? AND run_at<?)"),
        (queue::DUE, "embed_job_ready (space_id=?)"),
        (queue::NEXT_READY, "embed_job_ready (space_id=?)"),
        (queue::NEXT_WAITING, "embed_job_waiting (space_id=?)"),
        (context::TEXT, "SEARCH k USING INTEGER PRIMARY KEY"),
        (context::BEFORE, "(conversation_id=? AND seq<?)"),
        (reconcile::INDEXED, "PRIMARY KEY (space_id=?)"),
    ];
    for (sql, expected) in cases {
        let plan = plan(store, sql);
        assert!(plan.contains(expected), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        let is_scan = |line: &str| {
            // the few private ones stand alone in their index
            line.starts_with("SCAN") && !line.contains("USING INDEX conversation_private")
        };
        assert!(!plan.lines().any(is_scan), "{sql}\n{plan}");
    }
    check_listings(store);
    // a branch's descendants are found in the index alone
    let below = plan(store, tree::NEWEST_BELOW);
    assert!(below.contains("USING COVERING INDEX message_by_parent (parent_id=?)"), "{below}");
    let used = plan(store, &usage::used_sql(""));
    assert!(used.contains("message_by_time (created_at>") && !used.contains("TEMP B-TREE"), "{used}");
    // these go through the few rows of a partial index
    for (sql, index) in [
        (queue::RECLAIM, "embed_job_leased"),
        (queue::NEXT_LEASED, "embed_job_leased"),
        (jobs::RETRY_ALL, "embed_job_dead"),
        (memories::STANDING, "memory_standing"),
        (memory_changes::HISTORY, "memory_by_successor (superseded_by=?)"),
        (memory_changes::PATHS, "memory_by_path"),
        (memory_changes::MOVE, "memory_by_path"),
        (trash::UNFINISHED, "trash_unfinished"),
        (forget::UNFINISHED, "erasure_unfinished"),
    ] {
        let plan = plan(store, sql);
        assert!(plan.contains(index), "{sql}\n{plan}");
    }
}

/// Along the index of times without sorting, or from a few without reading the others.
fn check_listings(store: &Temporary) {
    let everything = ConversationFilter {
        query: Some("word".into()),
        client: Some("test".into()),
        folder: Some("a/b".into()),
        tags: vec!["t".into()],
        pinned: Some(true),
        ..ConversationFilter::default()
    };
    let in_project = ConversationFilter { project: Some("p".into()), ..everything.clone() };
    for (filter, index) in [
        (ConversationFilter::default(), "conversation_by_update (archived=? AND updated_at>"),
        (everything.clone(), "conversation_by_update (archived=? AND updated_at>"),
        (in_project, "conversation_by_project (project_id=? AND archived=? AND updated_at>"),
    ] {
        let sql = listing::Query::of(&filter).sql(None);
        let plan = plan(store, &sql);
        let first = plan.lines().next().unwrap_or_default().replace("COVERING ", "");
        assert!(first.starts_with(&format!("SEARCH c USING INDEX {index}")), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE FOR ORDER BY"), "{sql}\n{plan}");
    }
    let few = listing::Query::of(&everything);
    let leads = [
        "SCAN f VIRTUAL TABLE",
        "SEARCH f USING COVERING INDEX conversation_tag_by_tag (tag_id=?)",
        "SEARCH f USING COVERING INDEX conversation_by_folder (folder_id=?)",
        "SCAN f USING COVERING INDEX conversation_pinned",
        "SEARCH f USING COVERING INDEX conversation_by_client (client_id=?)",
    ];
    assert_eq!(few.n_sources(), leads.len());
    for (place, lead) in leads.into_iter().enumerate() {
        let sql = few.sql(Some(place));
        let plan = plan(store, &sql);
        assert!(plan.starts_with(lead), "{sql}\n{plan}");
        assert!(plan.contains("SEARCH c USING INTEGER PRIMARY KEY"), "{sql}\n{plan}");
    }
    // an index other than 0 is a step to the word instead of a walk over all
    let word = plan(store, find::WORD_FROM);
    assert!(!word.contains("VIRTUAL TABLE INDEX 0:"), "{word}");
    let newest = plan(store, &find::newest_sql(" AND c.archived = 0"));
    assert!(newest.starts_with("SCAN words") && !newest.contains("TEMP B-TREE"), "{newest}");
}

#[tokio::test]
async fn full_text_leads_and_sorts_by_itself() {
    let store = store().await;
    let filter = SearchFilter {
        project: Some("p".into()),
        conversation_id: Some(ConversationId::new()),
        ..SearchFilter::default()
    };
    let restricted = Restriction::of(&filter, Private::Some);
    let none = Condition::default();
    let messages = restricted.messages.as_ref().unwrap();
    for condition in [&none, messages] {
        let sql = lexical::newest_messages_sql(condition);
        let plan = plan(&store, &sql);
        assert!(plan.starts_with("SCAN words VIRTUAL TABLE"), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
    let anywhere = SearchFilter { project: Some("p".into()), ..SearchFilter::default() };
    let memories = Restriction::of(&anywhere, Private::Some).memories.unwrap();
    let sql = lexical::newest_memories_sql(&memories);
    let found = plan(&store, &sql);
    assert!(
        found.starts_with("SCAN words VIRTUAL TABLE") && !found.contains("TEMP B-TREE"),
        "{sql}\n{found}"
    );
    for (sql, expected) in [
        (lexical::message_at(&none), "(conversation_id=? AND seq=?)"),
        (lexical::message_at(messages), "(conversation_id=? AND seq=?)"),
        (filter::memory_numbered(&memories), "SEARCH m USING INTEGER PRIMARY KEY"),
        (lexical::PLACES.to_owned(), "SCAN posting VIRTUAL TABLE INDEX"),
        (filter::BY_ID.to_owned(), "(uid=?)"),
        (filter::BY_PROJECT.to_owned(), "COVERING INDEX conversation_by_project (project_id=?)"),
    ] {
        let plan = plan(&store, &sql);
        assert!(plan.contains(expected), "{sql}\n{plan}");
    }
}

#[tokio::test]
async fn deletes_find_what_refers_to_them_by_index() {
    let store = store().await;
    // what the foreign keys and the triggers of a delete run inside
    for (sql, index) in [
        ("SELECT id FROM message WHERE parent_id = 1", "message_by_parent"),
        ("SELECT id FROM message WHERE conversation_id = 1", "(conversation_id=?)"),
        ("SELECT id FROM chunk WHERE message_id = 1", "chunk_of_message"),
        ("SELECT id FROM chunk WHERE memory_id = 1", "chunk_of_memory"),
        ("DELETE FROM memory WHERE superseded_by = x'00'", "memory_by_successor (superseded_by=?)"),
        ("SELECT id FROM memory_proposal WHERE source_message_id = 1", "memory_proposal_by_source"),
        ("SELECT summary_id FROM summary_message WHERE message_id = 1", "(message_id=?)"),
        ("SELECT id FROM summary WHERE previous_id = 1", "summary_by_previous"),
        ("SELECT message_id FROM summary_message WHERE summary_id = 1", "summary_message_by_summary"),
        (
            "DELETE FROM embed_job WHERE space_id IN (SELECT id FROM embed_space) AND chunk_id = 1
               AND kind = 0 AND touched = 0",
            "(space_id=? AND chunk_id=?)",
        ),
        (
            "DELETE FROM chunk_vector WHERE space_id IN (SELECT id FROM embed_space) AND chunk_id = 1",
            "(space_id=? AND chunk_id=?)",
        ),
    ] {
        let plan = plan(&store, sql);
        assert!(plan.contains(index), "{sql}\n{plan}");
    }
}
