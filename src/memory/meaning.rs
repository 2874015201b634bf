//! The search by meaning: what the vectors find, and what vectors and tokens say of any candidate.

use std::collections::HashMap;
use std::ops::Range;

use super::Memory;
use super::asked::Asked;
use super::fusion::{Candidate, Term};
use super::generations::{self, NOT_YET, blocking};
use crate::api::search::SearchFilter;
use crate::embed::Embedding;
use crate::error::{Error, Kind, Result};
use crate::index::QueryToken;
use crate::store::{ChunkItem, Item, Store};

/// Passages of one message may crowd the list, so that more of them are asked for than items wanted.
const CHUNKS_PER_ITEM: usize = 2;
/// Passages that are looked through without the filter first: where enough of them pass, the filter need not be
/// written out.
const UNFILTERED: usize = 1_000;
/// Passages of one candidate whose vectors are compared.
const CHUNKS_COMPARED: usize = 16;
/// Passages of one candidate whose tokens are compared: the best by their vectors.
const LATE_CHUNKS: usize = 2;

/// A question asked of one generation, and what it found.
pub(super) struct Meaning {
    leg: generations::Leg,
    embedding: Embedding,
    /// What the index found and what was asked for since, by candidate.
    chunks: HashMap<Item, Vec<Compared>>,
    /// The candidates of the index alone.
    found: Vec<Item>,
}

/// A passage of a candidate.
#[derive(Debug, Clone, Copy)]
struct Compared {
    chunk: ChunkItem,
    cosine: Option<f64>,
    late: Option<f64>,
}

impl Memory {
    /// What lies in the direction of the question. Errors: [`Kind::ModelUnavailable`] where there is no model.
    pub(super) async fn meaning(&self, query: &str, filter: &SearchFilter, pool: usize) -> Result<Meaning> {
        let Some(mut leg) = self.0.generations.leg() else {
            let problem = self.0.generations.problem().unwrap_or_else(|| NOT_YET.into());
            return Err(Error::new(Kind::ModelUnavailable, format!("search by meaning: {problem}")));
        };
        loop {
            let searched = self.meaning_in(leg.clone(), query, filter, pool).await;
            match self.0.generations.successor(&leg) {
                // it took over under the search
                Some(successor) if searched.is_err() => leg = successor,
                _ => return searched,
            }
        }
    }

    async fn meaning_in(
        &self,
        leg: generations::Leg,
        query: &str,
        filter: &SearchFilter,
        pool: usize,
    ) -> Result<Meaning> {
        let embedding = leg.embedder.embed_query(query.to_owned()).await?;
        let mut meaning = Meaning { leg, embedding, chunks: HashMap::new(), found: Vec::new() };
        let wanted = pool * CHUNKS_PER_ITEM;
        if self.store().lets_all_through(filter) {
            meaning.find(self.store(), filter, wanted, pool, None).await?;
        } else if meaning.find(self.store(), filter, UNFILTERED.max(wanted), usize::MAX, None).await? < pool {
            let among = self.store().chunks_matching(filter).await?;
            meaning.find(self.store(), filter, wanted, usize::MAX, among).await?;
        }
        Ok(meaning)
    }
}

impl Meaning {
    /// What the index found.
    pub(super) fn items(&self) -> impl Iterator<Item = Item> {
        self.found.iter().copied()
    }

    /// Whether another generation or another model has taken over since.
    pub(super) fn has_given_way(&self, memory: &Memory) -> bool {
        memory.0.generations.successor(&self.leg).is_some()
    }

    /// The bytes of the passage of a candidate that fits best.
    pub(super) fn passage(&self, item: Item) -> Option<Range<usize>> {
        let fits = |compared: &&Compared| (compared.late, compared.cosine);
        let best = self.chunks.get(&item)?.iter().max_by(|a, b| {
            let ((a_late, a_cosine), (b_late, b_cosine)) = (fits(a), fits(b));
            order(a_late, b_late).then(order(a_cosine, b_cosine))
        })?;
        Some(best.chunk.start as usize..best.chunk.end as usize)
    }

    /// Asks the index for `n` vectors; of what it finds only what `filter` admits is kept, `most` candidates at most.
    /// Answers how many that are.
    async fn find(
        &mut self,
        store: &Store,
        filter: &SearchFilter,
        n: usize,
        most: usize,
        among: Option<Vec<u32>>,
    ) -> Result<usize> {
        let (index, vector) = (self.leg.index.clone(), self.embedding.vector.clone());
        let neighbours = blocking(move || index.search(&vector, n, among.as_deref())).await?;
        let ids = neighbours.iter().map(|neighbour| neighbour.id).collect();
        let chunks = store.chunk_items(ids, filter).await?;
        self.chunks.clear();
        self.found.clear();
        for chunk in chunks {
            let of_item = match self.chunks.get_mut(&chunk.item) {
                Some(of_item) => of_item,
                None if self.found.len() == most => continue,
                None => {
                    self.found.push(chunk.item);
                    self.chunks.entry(chunk.item).or_default()
                }
            };
            of_item.push(Compared { chunk, cosine: None, late: None });
        }
        Ok(self.found.len())
    }

    /// Notes for every candidate how near its best passage is to the question, beyond what all passages share.
    pub(super) async fn add_cosines(
        &mut self,
        store: &Store,
        candidates: &mut [Candidate<Item>],
    ) -> Result<()> {
        let unknown: Vec<Item> = candidates
            .iter()
            .map(|candidate| candidate.key)
            .filter(|item| !self.chunks.contains_key(item))
            .collect();
        for chunk in store.chunks_of(unknown, CHUNKS_COMPARED).await? {
            self.chunks.entry(chunk.item).or_default().push(Compared { chunk, cosine: None, late: None });
        }
        let ids: Vec<u32> = self.chunks.values().flatten().map(|compared| compared.chunk.chunk).collect();
        let (index, vector) = (self.leg.index.clone(), self.embedding.vector.clone());
        let cosines = blocking(move || index.centred(&vector, &ids)).await?;
        for (compared, cosine) in self.chunks.values_mut().flatten().zip(cosines) {
            compared.cosine = cosine.map(f64::from);
        }
        for candidate in candidates {
            let cosines = self.chunks.get(&candidate.key).into_iter().flatten();
            for cosine in cosines.filter_map(|compared| compared.cosine) {
                candidate.note(Term::Cosine, cosine);
            }
        }
        Ok(())
    }

    /// Notes for these candidates how well their tokens meet those of the question.
    pub(super) async fn add_late(&mut self, asked: &Asked, candidates: &mut [Candidate<Item>]) -> Result<()> {
        let tokens: Vec<QueryToken> = std::mem::take(&mut self.embedding.tokens)
            .into_iter()
            .map(|token| QueryToken { weight: asked.token_weight(&token.range) as f32, vector: token.vector })
            .collect();
        if tokens.is_empty() {
            return Ok(());
        }
        let mut ids = Vec::with_capacity(candidates.len() * LATE_CHUNKS);
        for candidate in candidates.iter() {
            let Some(chunks) = self.chunks.get_mut(&candidate.key) else { continue };
            chunks.sort_by(|a, b| order(b.cosine, a.cosine));
            ids.extend(chunks.iter().take(LATE_CHUNKS).map(|compared| compared.chunk.chunk));
        }
        let (index, asked_for) = (self.leg.index.clone(), ids.clone());
        let scores = blocking(move || index.late(&tokens, &asked_for)).await?;
        let scores: HashMap<u32, f64> =
            ids.into_iter().zip(scores).filter_map(|(id, score)| Some((id, f64::from(score?)))).collect();
        for candidate in candidates {
            for compared in self.chunks.get_mut(&candidate.key).into_iter().flatten() {
                compared.late = scores.get(&compared.chunk.chunk).copied();
                if let Some(late) = compared.late {
                    candidate.note(Term::Late, late);
                }
            }
        }
        Ok(())
    }
}

/// None is less than any number.
fn order(a: Option<f64>, b: Option<f64>) -> std::cmp::Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}
