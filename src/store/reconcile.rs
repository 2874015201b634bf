//! Making the queue right again where the vector index does not hold what the store expects of it.

use std::cmp::Ordering;

use rusqlite::params;

use super::Store;
use super::readers::READ_DEADLINE;
use crate::error::Result;
use crate::model::Timestamp;

/// Rows that one transaction puts right.
const STEP: usize = 5_000;

/// What [`Store::reconcile`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Chunks whose vectors were missing, and which will be embedded again.
    pub requeued: usize,
    /// Vectors that should not be there, for the index to delete.
    pub orphans: Vec<u32>,
}

impl Store {
    /// The chunks whose vectors a space's index is expected to hold, ascending.
    pub async fn indexed_chunks(&self, space: i64) -> Result<Vec<u32>> {
        self.read(READ_DEADLINE, move |db| {
            let mut statement = db.prepare_cached(INDEXED)?;
            let chunks = statement.query_map([space], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok(chunks)
        })
        .await
    }

    /// Compares what a space's index holds (`present`, in any order) with what it is expected to hold. What is
    /// missing is queued again; what is too much is answered. Call it before the worker starts: a vector that was
    /// written and not yet completed counts as too much.
    pub async fn reconcile(&self, space: i64, mut present: Vec<u32>) -> Result<Reconciled> {
        present.sort_unstable();
        present.dedup();
        let expected = self.indexed_chunks(space).await?;
        let (missing, orphans) = differences(&expected, &present);
        let mut requeued = 0;
        for step in missing.chunks(STEP) {
            let step = step.to_vec();
            requeued += self
                .write(move |db| {
                    let now = Timestamp::now().as_millis();
                    let mut delete =
                        db.prepare_cached("DELETE FROM chunk_vector WHERE space_id = ?1 AND chunk_id = ?2")?;
                    let mut queue = db.prepare_cached(
                        "INSERT INTO embed_job(space_id, kind, chunk_id, run_at) VALUES(?1, 0, ?2, ?3)",
                    )?;
                    let mut requeued = 0;
                    for chunk in step {
                        // it may have been deleted since we looked
                        if delete.execute(params![space, chunk])? > 0 {
                            requeued += queue.execute(params![space, chunk, now])?;
                        }
                    }
                    Ok(requeued)
                })
                .await?;
        }
        Ok(Reconciled { requeued, orphans })
    }
}

pub(super) const INDEXED: &str = "SELECT chunk_id FROM chunk_vector WHERE space_id = ?1 ORDER BY chunk_id";

/// What only the first and what only the second of two ascending lists holds.
fn differences(left: &[u32], right: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let (mut only_left, mut only_right) = (Vec::new(), Vec::new());
    let (mut l, mut r) = (left.iter().peekable(), right.iter().peekable());
    loop {
        let order = match (l.peek(), r.peek()) {
            (None, None) => return (only_left, only_right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.cmp(right),
        };
        match order {
            Ordering::Less => only_left.extend(l.next()),
            Ordering::Greater => only_right.extend(r.next()),
            Ordering::Equal => {
                l.next();
                r.next();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn differences_are_those_of_sets(
            a in proptest::collection::btree_set(0u32..40, 0..30),
            b in proptest::collection::btree_set(0u32..40, 0..30),
        ) {
            let list = |set: &BTreeSet<u32>| set.iter().copied().collect::<Vec<_>>();
            let (left, right) = differences(&list(&a), &list(&b));
            prop_assert_eq!(left, a.difference(&b).copied().collect::<Vec<_>>());
            prop_assert_eq!(right, b.difference(&a).copied().collect::<Vec<_>>());
        }
    }
}
