//! Finding again: the lexical and the semantic search side by side, put together, and their hits made readable.

use std::collections::HashMap;

use super::fusion::{self, Fused, LEXICAL_WEIGHT, Ranked, SEMANTIC_WEIGHT, Scale};
use super::generations::{self, NOT_YET, blocking};
use super::{Memory, check, chunk, highlight};
use crate::api::limits::MAX_HITS;
use crate::api::search::{Explain, Hit, Leg, SearchFilter, SearchMode, SearchParams, SearchResult, Served};
use crate::error::{Error, Kind, Result};
use crate::model::ChunkRange;
use crate::store::{Item, ItemText, LexicalQuery, LexicalResult};

/// Hits unless the client says how many.
const DEFAULT_HITS: u32 = 10;
/// Neighbouring messages on each side at most.
const MAX_CONTEXT: u32 = 10;
/// Hits of each leg that are put together; more are asked for where more are wanted.
const POOL: usize = 100;
/// Passages of one message may crowd the semantic list, so that many more chunks are asked for than items wanted.
const CHUNKS_PER_ITEM: usize = 2;

/// A semantic search's items, best first, with the chunk of each that fits best.
#[derive(Default)]
struct SemanticResult {
    hits: Vec<(Item, f64)>,
    chunks: HashMap<Item, ChunkRange>,
}

impl Memory {
    /// Searches. Never writes, never waits for stored text to be embedded; without a model it goes by words alone
    /// and says so in `served`.
    pub async fn search(&self, params: SearchParams) -> Result<SearchResult> {
        let SearchParams { query, limit, mode, filter, context, explain } = params;
        check::query(&query)?;
        let limit = limit.unwrap_or(DEFAULT_HITS).clamp(1, MAX_HITS) as usize;
        let context = context.unwrap_or(0).min(MAX_CONTEXT);
        let pool = POOL.max(limit);
        let lexical = async {
            match mode {
                SearchMode::Semantic => Ok(None),
                SearchMode::Hybrid | SearchMode::Lexical => {
                    let query = LexicalQuery { text: query.clone(), filter: filter.clone(), limit: pool };
                    self.store().lexical(query).await.map(Some)
                }
            }
        };
        let semantic = async {
            match mode {
                SearchMode::Lexical => Ok(None),
                SearchMode::Hybrid | SearchMode::Semantic => {
                    self.semantic(&query, &filter, pool).await.map(Some)
                }
            }
        };
        let (lexical, semantic) = tokio::join!(lexical, semantic);
        let mut served = Served { lexical: false, semantic: false, pending: 0, problem: None };
        let semantic = match semantic {
            Ok(semantic) => semantic,
            // meaning alone was asked for: words must not stand in for it
            Err(error) if mode == SearchMode::Semantic => return Err(error),
            Err(error) => {
                served.problem = Some(error.full_text());
                None
            }
        };
        let lexical = lexical?;
        served.lexical = lexical.is_some();
        served.semantic = semantic.is_some();
        served.pending = self.pending().await?;
        let (lexical, semantic) = (lexical.unwrap_or_default(), semantic.unwrap_or_default());

        let legs = [
            Ranked { name: "lexical", weight: LEXICAL_WEIGHT, scale: Scale::FromZero, hits: &lexical.hits },
            Ranked {
                name: "semantic",
                weight: SEMANTIC_WEIGHT,
                scale: Scale::WithinList,
                hits: &semantic.hits,
            },
        ];
        let mut fused = fusion::fuse(&legs);
        fused.truncate(limit);
        let names: Vec<&str> = legs.iter().map(|leg| leg.name).collect();
        let items = fused.iter().map(|hit| hit.key).collect();
        let mut texts: HashMap<Item, ItemText> =
            self.store().passages(items, context).await?.into_iter().map(|text| (text.item, text)).collect();
        let mut hits: Vec<Hit> = Vec::with_capacity(fused.len());
        for fused in fused {
            let Some(text) = texts.remove(&fused.key) else { continue };
            let mut hit = readable(text, semantic.chunks.get(&fused.key), &lexical.terms, fused.score);
            hit.explain = explain.then(|| explained(&fused, &names, &lexical));
            hits.push(hit);
        }
        // of equally good hits the newer comes first
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.created_at.cmp(&a.created_at)));
        Ok(SearchResult { hits, served })
    }

    /// Passages that are not embedded yet.
    pub(super) async fn pending(&self) -> Result<u64> {
        match self.0.generations.leg() {
            Some(leg) => self.pending_in(leg.space.id).await,
            None => Ok(self.store().counts().await?.chunks),
        }
    }

    /// The same for one generation; none wait for one that has just given way to another.
    pub(super) async fn pending_in(&self, space: i64) -> Result<u64> {
        match self.store().pending(space).await {
            Err(error) if error.kind() == Kind::NotFound => Ok(0),
            pending => pending,
        }
    }

    async fn semantic(&self, query: &str, filter: &SearchFilter, pool: usize) -> Result<SemanticResult> {
        let Some(mut leg) = self.0.generations.leg() else {
            let problem = self.0.generations.problem().unwrap_or_else(|| NOT_YET.into());
            return Err(Error::new(Kind::ModelUnavailable, format!("search by meaning: {problem}")));
        };
        loop {
            let (space, embedder) = (leg.space.id, leg.embedder.clone());
            let searched = self.semantic_in(leg, query, filter, pool).await;
            // another generation or another model may have taken over under the search
            match self.0.generations.leg() {
                Some(now)
                    if searched.is_err() && (now.space.id != space || !now.embedder.is_same(&embedder)) =>
                {
                    leg = now;
                }
                _ => return searched,
            }
        }
    }

    async fn semantic_in(
        &self,
        leg: generations::Leg,
        query: &str,
        filter: &SearchFilter,
        pool: usize,
    ) -> Result<SemanticResult> {
        let (embedded, among) = tokio::try_join!(
            leg.embedder.embed_query(query.to_owned()),
            self.store().chunks_matching(filter)
        )?;
        let index = leg.index;
        let neighbours =
            blocking(move || index.search(&embedded.vector, pool * CHUNKS_PER_ITEM, among.as_deref()))
                .await?;
        let cosines: HashMap<u32, f64> =
            neighbours.iter().map(|neighbour| (neighbour.id, f64::from(neighbour.cosine))).collect();
        let found =
            self.store().chunk_items(neighbours.iter().map(|neighbour| neighbour.id).collect()).await?;
        let mut best: HashMap<Item, (f64, ChunkRange)> = HashMap::new();
        for chunk in found {
            let cosine = cosines.get(&chunk.chunk).copied().unwrap_or(f64::MIN);
            let range = ChunkRange { view: 0, start: chunk.start, end: chunk.end };
            let entry = best.entry(chunk.item).or_insert((f64::MIN, range));
            if cosine > entry.0 {
                *entry = (cosine, range);
            }
        }
        let mut hits: Vec<(Item, f64)> = best.iter().map(|(item, (cosine, _))| (*item, *cosine)).collect();
        hits.sort_by(|a, b| b.1.total_cmp(&a.1));
        hits.truncate(pool);
        Ok(SemanticResult {
            hits,
            chunks: best.into_iter().map(|(item, (_, range))| (item, range)).collect(),
        })
    }
}

/// A hit with the passage that fits: the chunk that the semantic search found, or else the one with most of the
/// query's words.
fn readable(text: ItemText, found: Option<&ChunkRange>, terms: &[String], score: f64) -> Hit {
    let whole = text.content;
    let by_words = || highlight::best_chunk(&whole, &chunk::chunk(&whole), terms);
    let range = found.cloned().or_else(by_words).map(|chunk| chunk.start as usize..chunk.end as usize);
    // text that changed since it was embedded may be shorter than the chunk says
    let range = range.filter(|range| whole.get(range.clone()).is_some()).unwrap_or(0..whole.len());
    let passage = whole[range.clone()].to_owned();
    Hit {
        kind: text.kind,
        id: text.id,
        conversation_id: text.conversation_id,
        conversation_title: text.conversation_title,
        project: text.project,
        role: text.role,
        author: text.author,
        created_at: text.created_at,
        client: text.client,
        spans: highlight::spans(&passage, terms),
        text: passage,
        offset: range.start as u64,
        length: whole.len() as u64,
        score,
        before: text.before,
        after: text.after,
        explain: None,
    }
}

fn explained(fused: &Fused<Item>, names: &[&str], lexical: &LexicalResult) -> Explain {
    let legs = fused.legs.iter().zip(names).map(|(found, name)| Leg {
        name: (*name).to_owned(),
        rank: found.map(|(rank, _, _)| rank),
        score: found.map(|(_, score, _)| score),
        contribution: found.map_or(0.0, |(_, _, contribution)| contribution),
    });
    Explain { legs: legs.collect(), terms: lexical.terms.clone(), pruned: lexical.pruned.clone() }
}
