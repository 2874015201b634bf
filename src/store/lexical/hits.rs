//! From scored places to hits: the best of them, as far as there is a text that the filter admits.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rusqlite::Connection;

use super::score::{BLOCK, STEP, Scored};
use super::{LegWeights, LexicalHit};
use crate::error::Result;
use crate::store::Item;
use crate::store::address::{MEMORIES, conversation_of, seq_of};
use crate::store::filter::{Condition, Prepared, Restriction, memory_numbered};

/// The best of the scored places, of equals the newer first.
pub(super) fn best(
    db: &Connection,
    scored: &[Scored],
    legs: LegWeights,
    restriction: &Restriction,
    limit: usize,
) -> Result<Vec<LexicalHit>> {
    let most = |leg: fn(&Scored) -> f64| scored.iter().map(leg).fold(f64::MIN_POSITIVE, f64::max);
    let (near, session, pairs, surface) =
        (most(|s| s.near), most(|s| s.session), most(|s| s.pairs), most(|s| s.surface));
    let sum = |s: &Scored| {
        s.near / near
            + legs.session * s.session / session
            + legs.pairs * s.pairs / pairs
            + legs.surface * s.surface / surface
    };
    let mut places: BinaryHeap<Place<'_>> =
        scored.iter().map(|scored| Place { score: sum(scored), scored }).collect();
    let mut admitted = Prepared::new(db, restriction, message_at, memory_numbered)?;
    let mut hits = Vec::with_capacity(limit.min(places.len()));
    while hits.len() < limit
        && let Some(Place { score, scored }) = places.pop()
    {
        if let Some(item) = item_at(&mut admitted, scored.key)? {
            let block = scored.block.map(|block| block * STEP..block * STEP + BLOCK);
            let Scored { turn, near, session, pairs, surface, .. } = *scored;
            hits.push(LexicalHit { item, score, turn, near, session, pairs, surface, block });
        }
    }
    Ok(hits)
}

struct Place<'a> {
    score: f64,
    scored: &'a Scored,
}

impl Ord for Place<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(self.scored.key.cmp(&other.scored.key))
    }
}

impl PartialOrd for Place<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Place<'_> {}

/// What lies in a place, if the filter admits it.
fn item_at(admitted: &mut Prepared<'_>, key: i64) -> Result<Option<Item>> {
    let (conversation, seq) = (conversation_of(key), seq_of(key));
    Ok(match conversation {
        MEMORIES => admitted.memory(&[&seq])?.map(Item::Memory),
        _ => admitted.message(&[&conversation, &seq])?.map(Item::Message),
    })
}

/// What lies in a place, if anything does: a neighbour may be missing, or not be there to be found.
pub(crate) const MESSAGE_AT: &str =
    "SELECT m.id FROM message m WHERE m.conversation_id = ? AND m.seq = ? AND m.searchable = 1";

pub(crate) fn message_at(condition: &Condition) -> String {
    if condition.is_empty() {
        return MESSAGE_AT.to_owned();
    }
    format!(
        "SELECT m.id FROM message m CROSS JOIN conversation c ON c.id = m.conversation_id
         WHERE m.conversation_id = ? AND m.seq = ? AND m.searchable = 1{}",
        condition.and_more()
    )
}
