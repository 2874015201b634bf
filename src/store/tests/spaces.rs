//! Spaces: the first model, another model, a rebuild, and an index that is not as it should be.

use std::time::Duration;

use crate::error::Kind;
use crate::store::testing::{Temporary, store};
use crate::store::{Reconciled, SpaceState};

const TTL: Duration = Duration::from_secs(60);

async fn filled(n: usize) -> Temporary {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    for n in 0..n {
        store.say(c, &format!("text {n}")).await;
    }
    store
}

async fn embed_all(store: &Temporary, space: i64) {
    let jobs = store.lease(space, 1000, TTL).await.unwrap();
    assert_eq!(store.complete(&jobs).await.unwrap(), jobs.len());
}

#[tokio::test]
async fn jobs_wait_for_the_first_model() {
    let store = filled(2).await;
    assert_eq!(store.spaces().await.unwrap(), []);
    assert_eq!(store.queue_counts().await.unwrap().ready, 2);
    let space = store.ensure_space("e5", "abc", 384, 1).await.unwrap();
    assert_eq!((space.state, space.dimension, space.generation), (SpaceState::Serving, 384, space.id as u64));
    assert_eq!(store.ensure_space("e5", "abc", 384, 1).await.unwrap(), space);
    assert_eq!(store.spaces().await.unwrap(), std::slice::from_ref(&space));
    assert_eq!(store.lease(space.id, 9, TTL).await.unwrap().len(), 2);
    assert_eq!(store.ensure_space("e5", "", 384, 1).await.unwrap_err().kind(), Kind::Internal);
}

#[tokio::test]
async fn another_model_is_filled_beside_and_takes_over() {
    let store = filled(3).await;
    let old = store.ensure_space("old", "a", 3, 1).await.unwrap();
    embed_all(&store, old.id).await;
    let new = store.ensure_space("new", "b", 4, 1).await.unwrap();
    assert_eq!((new.state, store.pending(new.id).await.unwrap()), (SpaceState::Building, 3));
    let c = store.conversation_of("d", None).await;
    store.say(c, "meanwhile").await;
    assert_eq!(store.queue_counts().await.unwrap().ready, 3 + 2, "a new text is embedded for both");
    embed_all(&store, new.id).await;
    assert_eq!(store.promote_space(new.id).await.unwrap(), [old]);
    let spaces = store.spaces().await.unwrap();
    assert_eq!((spaces.len(), spaces[0].id, spaces[0].state), (1, new.id, SpaceState::Serving));
    assert_eq!(store.number("SELECT count(*) FROM embed_space"), 1);
    assert_eq!(store.number("SELECT count(*) FROM chunk_vector WHERE space_id = 1"), 0);
    assert_eq!(store.queue_counts().await.unwrap().ready, 0);
    assert_eq!(store.pending(1).await.unwrap_err().kind(), Kind::NotFound);
    let back = store.ensure_space("old", "a", 3, 1).await.unwrap();
    assert!(back.id > new.id, "a number is never used twice");
}

#[tokio::test]
async fn a_space_for_a_model_that_is_no_longer_wanted_is_given_up() {
    let store = filled(2).await;
    let old = store.ensure_space("old", "a", 3, 1).await.unwrap();
    store.ensure_space("new", "b", 4, 1).await.unwrap();
    assert_eq!(store.ensure_space("old", "a", 3, 1).await.unwrap(), old);
    assert_eq!(store.spaces().await.unwrap(), [old]);
    assert_eq!(store.queue_counts().await.unwrap().ready, 2);
}

#[tokio::test]
async fn a_rebuild_makes_one_more_generation() {
    let store = filled(2).await;
    let old = store.ensure_space("m", "a", 3, 1).await.unwrap();
    embed_all(&store, old.id).await;
    let new = store.new_generation(old.id).await.unwrap();
    assert_eq!((new.state, new.fingerprint.as_str()), (SpaceState::Building, "a"));
    assert_eq!(store.new_generation(old.id).await.unwrap(), new);
    assert_eq!(store.ensure_space("m", "a", 3, 1).await.unwrap(), old, "the one that serves");
    assert_eq!(store.spaces().await.unwrap().len(), 2);
    store.promote_space(new.id).await.unwrap();
    assert_eq!(store.new_generation(old.id).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(store.promote_space(old.id).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn an_index_that_lost_vectors_is_filled_again() {
    let store = filled(5).await;
    let space = store.ensure_space("m", "a", 3, 1).await.unwrap().id;
    let jobs = store.lease(space, 4, TTL).await.unwrap();
    store.complete(&jobs).await.unwrap();
    assert_eq!(store.indexed_chunks(space).await.unwrap(), [2, 3, 4, 5]);
    let found = store.reconcile(space, vec![9, 3, 5, 9, 1]).await.unwrap();
    assert_eq!(found, Reconciled { requeued: 2, orphans: vec![1, 9] });
    assert_eq!(store.indexed_chunks(space).await.unwrap(), [3, 5]);
    assert_eq!(store.queue_counts().await.unwrap().ready, 3);
    assert_eq!(store.reconcile(space, vec![3, 5]).await.unwrap(), Reconciled::default());
    let lost = store.reconcile(space, vec![]).await.unwrap();
    assert_eq!((lost.requeued, store.pending(space).await.unwrap()), (2, 5));
}

#[tokio::test]
async fn what_is_left_of_a_dropped_space_is_cleared_away_at_leisure() {
    let store = filled(2).await;
    let space = store.ensure_space("m", "a", 3, 1).await.unwrap().id;
    store.ensure_space("n", "b", 3, 1).await.unwrap();
    // as if the daemon had been killed in the middle of a promotion
    store.sql().execute("UPDATE embed_space SET state = 2 WHERE id <> ?1", [space]).unwrap();
    let store = store.reopen().await;
    assert_eq!(store.queue_counts().await.unwrap().ready, 2);
    store.maintain().await.unwrap();
    assert_eq!(store.number("SELECT count(*) FROM embed_job"), 2);
}
