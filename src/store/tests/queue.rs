//! The queue: leased, completed, failed, given back, reclaimed; and the removal of what was deleted.

use std::time::Duration;

use crate::api::job::{JobKind, JobList, JobRetry, JobState};
use crate::api::system::QueueCounts;
use crate::model::ChunkRange;
use crate::model::{ConversationId, JobId, Role};
use crate::store::testing::{Temporary, append, fact, said, store};
use crate::store::{LeasedJob, MAX_ATTEMPTS, NewMessage};

const TTL: Duration = Duration::from_secs(60);

async fn filled(texts: &[&str]) -> (Temporary, ConversationId, i64) {
    let store = store().await;
    let c = store.conversation_of("Title", None).await;
    for text in texts {
        store.say(c, text).await;
    }
    let space = store.ensure_space("m", "f", 3, 1).await.unwrap().id;
    (store, c, space)
}

async fn counts(store: &Temporary) -> (u64, u64, u64) {
    let QueueCounts { ready, leased, dead } = store.queue_counts().await.unwrap();
    (ready, leased, dead)
}

fn chunks(jobs: &[LeasedJob]) -> Vec<u32> {
    jobs.iter().map(|job| job.chunk).collect()
}

/// Makes what waits for a time due now.
fn hurry(store: &Temporary) {
    store.sql().execute("UPDATE embed_job SET run_at = 0", []).unwrap();
}

#[tokio::test]
async fn jobs_are_leased_newest_first_with_their_texts() {
    let (store, c, space) = filled(&["one"]).await;
    let text = "primeira ação segunda";
    let cut = text.find(" segunda").unwrap() as u32;
    let parts = vec![
        ChunkRange { view: 0, start: 0, end: cut },
        ChunkRange { view: 0, start: cut, end: text.len() as u32 },
    ];
    let message =
        NewMessage { role: Role::Assistant, author: Some("Ana".into()), chunks: parts, ..said(text) };
    store.append(append(c, vec![message])).await.unwrap();
    store.remember("a fact").await;
    let jobs = store.lease(space, 3, TTL).await.unwrap();
    assert_eq!(chunks(&jobs), [4, 3, 2]);
    let texts: Vec<_> = jobs.iter().filter_map(|job| Some(job.passage.as_ref()?.text.as_str())).collect();
    assert_eq!(texts, ["a fact", "Ana:  segunda", "Ana: primeira ação"]);
    assert_eq!((jobs[2].kind, jobs[2].attempts), (JobKind::Embed, 1));
    assert_eq!(counts(&store).await, (1, 3, 0));
    assert_eq!(chunks(&store.lease(space, 3, TTL).await.unwrap()), [1]);
    assert!(store.lease(space, 3, TTL).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_completed_job_leaves_a_vector_and_counts_once() {
    let (store, _, space) = filled(&["one", "two"]).await;
    assert_eq!(store.pending(space).await.unwrap(), 2);
    let jobs = store.lease(space, 2, TTL).await.unwrap();
    assert_eq!(store.complete(&jobs).await.unwrap(), 2);
    assert_eq!(store.complete(&jobs).await.unwrap(), 0);
    assert_eq!(store.fail(&jobs, "late").await.unwrap(), 0);
    assert_eq!(store.indexed_chunks(space).await.unwrap(), [1, 2]);
    assert_eq!((store.pending(space).await.unwrap(), counts(&store).await), (0, (0, 0, 0)));
    assert_eq!(store.next_due(space).await.unwrap(), None);
}

#[tokio::test]
async fn failures_wait_longer_each_time_and_end_dead() {
    let (store, _, space) = filled(&["one"]).await;
    let mut last = 0;
    for attempt in 1..=MAX_ATTEMPTS {
        let before = crate::model::Timestamp::now();
        let jobs = store.lease(space, 1, TTL).await.unwrap();
        assert_eq!((jobs.len(), jobs[0].attempts), (1, attempt));
        assert_eq!(store.fail(&jobs, &"é".repeat(5000)).await.unwrap(), 1);
        assert!(store.lease(space, 1, TTL).await.unwrap().is_empty(), "it waits");
        if attempt < MAX_ATTEMPTS {
            let wait = store.next_due(space).await.unwrap().unwrap().as_millis() - before.as_millis();
            assert!(wait >= 1_000 << (attempt - 1) && wait > last, "{wait} after {attempt}");
            last = wait;
            assert_eq!(counts(&store).await, (1, 0, 0));
            hurry(&store);
        }
    }
    assert_eq!(counts(&store).await, (0, 0, 1));
    let dead = JobList { state: Some(JobState::Dead), ..JobList::default() };
    let job = store.jobs(dead.clone()).await.unwrap().items.remove(0);
    assert_eq!((job.attempts, job.last_error.map(|text| text.len())), (MAX_ATTEMPTS, Some(1000)));
    assert!(job.message_id.is_some() && job.memory_id.is_none());
    assert_eq!(store.retry_jobs(JobRetry { ids: None }).await.unwrap(), 1);
    assert_eq!(store.retry_jobs(JobRetry { ids: None }).await.unwrap(), 0);
    assert!(store.jobs(dead).await.unwrap().items.is_empty());
    assert_eq!(store.lease(space, 1, TTL).await.unwrap()[0].attempts, 1);
}

#[tokio::test]
async fn one_waiting_job_can_be_retried_by_its_id() {
    let (store, _, space) = filled(&["one", "two"]).await;
    let jobs = store.lease(space, 2, TTL).await.unwrap();
    store.fail(&jobs, "x").await.unwrap();
    let ids = Some(vec![jobs[1].id, JobId(999)]);
    assert_eq!(store.retry_jobs(JobRetry { ids }).await.unwrap(), 1);
    assert_eq!(chunks(&store.lease(space, 2, TTL).await.unwrap()), [1]);
}

#[tokio::test]
async fn what_is_given_back_is_due_at_once_and_untried() {
    let (store, _, space) = filled(&["one"]).await;
    let jobs = store.lease(space, 1, TTL).await.unwrap();
    assert_eq!(store.release(&jobs).await.unwrap(), 1);
    assert_eq!(store.release(&jobs).await.unwrap(), 0);
    let again = store.lease(space, 1, TTL).await.unwrap();
    assert_eq!(again[0].attempts, 1);
    assert_eq!(store.complete(&jobs).await.unwrap(), 0, "the old lease counts for nothing");
    assert_eq!(store.complete(&again).await.unwrap(), 1);
}

#[tokio::test]
async fn a_lease_that_ran_out_is_reclaimed_and_in_the_end_given_up() {
    let (store, _, space) = filled(&["one"]).await;
    for attempt in 1..=MAX_ATTEMPTS {
        let jobs = store.lease(space, 1, Duration::ZERO).await.unwrap();
        assert_eq!(jobs[0].attempts, attempt);
    }
    assert!(store.lease(space, 1, TTL).await.unwrap().is_empty());
    assert_eq!(counts(&store).await, (0, 0, 1));
}

#[tokio::test]
async fn opening_ends_every_lease_and_counts_a_try() {
    let (store, _, space) = filled(&["one"]).await;
    let old = store.lease(space, 1, TTL).await.unwrap();
    let store = store.reopen().await;
    assert_eq!(counts(&store).await, (1, 0, 0));
    let new = store.lease(space, 1, TTL).await.unwrap();
    assert_eq!(new[0].attempts, 2, "a crash counts as a failed try");
    assert_ne!(old[0].lease, new[0].lease);
}

/// A text whose embedding kills the process, among others that do not.
#[tokio::test]
async fn a_text_that_kills_the_daemon_is_given_up_and_the_others_are_done() {
    let (mut store, _, space) = filled(&["one", "two", "poison", "three"]).await;
    let mut crashes = 0;
    loop {
        hurry(&store);
        let jobs = store.lease(space, 32, TTL).await.unwrap();
        if jobs.is_empty() {
            break;
        }
        if jobs.iter().any(|job| job.text.as_deref() == Some("poison")) {
            crashes += 1;
            assert!(crashes <= MAX_ATTEMPTS, "it is tried for ever");
            store = store.reopen().await;
        } else {
            store.complete(&jobs).await.unwrap();
        }
    }
    assert_eq!((crashes, counts(&store).await), (MAX_ATTEMPTS, (0, 0, 1)));
    let dead = JobList { state: Some(JobState::Dead), ..JobList::default() };
    let job = store.jobs(dead).await.unwrap().items.remove(0);
    assert!(job.last_error.unwrap().contains("killed"));
    assert_eq!(store.indexed_chunks(space).await.unwrap(), [1, 2, 4]);
}

#[tokio::test]
async fn after_a_second_crash_a_job_waits() {
    let (mut store, _, space) = filled(&["one"]).await;
    for n_due in [1, 1, 0] {
        assert_eq!(store.lease(space, 1, TTL).await.unwrap().len(), n_due);
        store = store.reopen().await;
    }
    assert!(store.next_due(space).await.unwrap().is_some());
}

#[tokio::test]
async fn a_deleted_text_leaves_the_index() {
    let (store, c, space) = filled(&["embedded", "leased"]).await;
    let messages = store.branch(c, None, 1000).await.unwrap();
    let jobs = store.lease(space, 2, TTL).await.unwrap();
    assert_eq!(store.complete(&jobs[1..]).await.unwrap(), 1);
    let fresh = store.say(c, "never touched").await;
    for message in messages.iter().chain([&fresh]) {
        store.delete_message(message.id).await.unwrap();
    }
    // the one that was embedded and the one that may be: both are removed, the untouched one is just gone
    assert_eq!(store.complete(&jobs).await.unwrap(), 0, "a late word counts for nothing");
    let removals = store.lease(space, 9, TTL).await.unwrap();
    assert_eq!(chunks(&removals), [2, 1]);
    assert!(
        removals.iter().all(|job| job.kind == JobKind::Remove && job.passage.is_none() && job.attempts == 1)
    );
    assert_eq!(store.complete(&removals).await.unwrap(), 2);
    assert_eq!((store.indexed_chunks(space).await.unwrap(), counts(&store).await), (vec![], (0, 0, 0)));
    let id = store.say(c, "next").await.id;
    assert_eq!(store.lease(space, 9, TTL).await.unwrap()[0].chunk, 4, "a chunk's id is never used twice");
    store.delete_message(id).await.unwrap();
}

#[tokio::test]
async fn jobs_are_listed_by_state() {
    let (store, _, space) = filled(&["one", "two", "three"]).await;
    store.add_memory(fact("four"), None).await.unwrap();
    let jobs = store.lease(space, 2, TTL).await.unwrap();
    store.fail(&jobs[..1], "x").await.unwrap();
    let list = async |state, limit| {
        let page = store.jobs(JobList { state, limit, cursor: None }).await.unwrap();
        (page.items.iter().map(|job| job.id.0).collect::<Vec<_>>(), page.next_cursor)
    };
    assert_eq!(list(None, None).await.0, [1, 2, 3, 4]);
    assert_eq!(list(Some(JobState::Ready), None).await.0, [1, 2, 4]);
    assert_eq!(list(Some(JobState::Leased), None).await.0, [3]);
    let (first, cursor) = list(None, Some(3)).await;
    assert_eq!(first.len(), 3);
    let rest = store.jobs(JobList { state: None, limit: Some(3), cursor }).await.unwrap();
    assert_eq!((rest.items.len(), rest.items[0].memory_id.is_some()), (1, true));
}
