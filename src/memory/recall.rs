//! Finding again: candidates by words and by meaning, all evidence for each put together, the best made readable.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::asked::Asked;
use super::fusion::{self, Candidate, LATE_CANDIDATES, TERMS, Term};
use super::meaning::Meaning;
use super::repeats::{self, Ranked};
use super::{Memory, check, chunk, highlight};
use crate::api::limits::MAX_HITS;
use crate::api::search::{Explain, Hit, Leg, SearchMode, SearchParams, SearchResult, Served};
use crate::error::{Kind, Result};
use crate::model::ConversationId;
use crate::store::{Item, ItemText, LexicalQuery, LexicalResult};
use crate::text::{block_range, plain};

/// Hits unless the client says how many.
const DEFAULT_HITS: u32 = 10;
/// Texts that are looked at for copies of each other, also where fewer hits are wanted.
const LOOKED_AT: usize = 10;
/// Neighbouring messages on each side at most.
const MAX_CONTEXT: u32 = 10;
/// Candidates that words bring; more are asked for where more hits are wanted.
const WORDS_POOL: usize = 200;
/// The same where one conversation is searched: it has few texts, and what answers stands lower among them.
const WORDS_POOL_OF_ONE: usize = 300;
/// Candidates that meaning brings.
const MEANING_POOL: usize = 100;

impl Memory {
    /// Searches with the query as it is. Never writes, never waits for stored text to be embedded; without a model it
    /// goes by words alone and says so in `served`.
    pub async fn search(&self, params: SearchParams) -> Result<SearchResult> {
        let SearchParams { query, literal: _, limit, mode, filter, context, explain } = params;
        check::query(&query)?;
        let limit = limit.unwrap_or(DEFAULT_HITS).clamp(1, MAX_HITS) as usize;
        let context = context.unwrap_or(0).min(MAX_CONTEXT);
        let asked = self.asked(&query, mode).await?;
        let words_pool = if filter.conversation_id.is_some() { WORDS_POOL_OF_ONE } else { WORDS_POOL };
        let words = async {
            match mode {
                SearchMode::Semantic => Ok(None),
                SearchMode::Hybrid | SearchMode::Lexical => {
                    let query = LexicalQuery {
                        text: query.clone(),
                        weights: asked.word_weights(),
                        legs: fusion::POOL_LEGS,
                        filter: filter.clone(),
                        limit: words_pool.max(limit),
                    };
                    self.store().lexical(query).await.map(Some)
                }
            }
        };
        let meaning = async {
            match mode {
                SearchMode::Lexical => Ok(None),
                SearchMode::Hybrid | SearchMode::Semantic => {
                    self.meaning(&query, &filter, MEANING_POOL.max(limit)).await.map(Some)
                }
            }
        };
        let (words, meaning) = tokio::join!(words, meaning);
        let mut served = Served { lexical: false, semantic: false, pending: 0, problem: None };
        let mut meaning = match meaning {
            Ok(meaning) => meaning,
            // meaning alone was asked for: words must not stand in for it
            Err(error) if mode == SearchMode::Semantic => return Err(error),
            Err(error) => {
                served.problem = Some(error.full_text());
                None
            }
        };
        let words = words?;
        served.lexical = words.is_some();
        served.semantic = meaning.is_some();
        served.pending = self.pending().await?;
        let mut words = words.unwrap_or_default();
        // who searches by words wants to see them; what only stands beside them is for questions
        if mode == SearchMode::Lexical {
            words.hits.retain(|hit| hit.turn > 0.0);
        }
        let mut candidates = self.candidates(&asked, &words, meaning.as_ref()).await?;
        fusion::rank(&mut candidates);
        while let Some(looking) = &mut meaning
            && let Err(error) = self.look_closer(&asked, looking, &mut candidates).await
        {
            if looking.has_given_way(self)
                && let Ok(next) = self.meaning(&query, &filter, MEANING_POOL.max(limit)).await
            {
                candidates = self.candidates(&asked, &words, Some(&next)).await?;
                meaning = Some(next);
                continue;
            }
            if mode == SearchMode::Semantic {
                return Err(error);
            }
            // the index is opened anew, say; what words found is good without it
            served.semantic = false;
            served.problem = Some(error.full_text());
            break;
        }
        let found = Found { words, meaning };
        let reranked = self.add_reranking(&query, &mut candidates, |text| found.passage(text)).await;
        match reranked {
            Ok(()) => fusion::rank(&mut candidates),
            // the hits are good without it
            Err(error) => served.problem = served.problem.or(Some(error.full_text())),
        }
        let hits = self.readable(candidates, &found, limit, context, explain).await?;
        Ok(SearchResult { hits, served })
    }
}

impl Memory {
    /// Everything that words or meaning found, with what words say of it, who said it and when.
    async fn candidates(
        &self,
        asked: &Asked,
        words: &LexicalResult,
        meaning: Option<&Meaning>,
    ) -> Result<Vec<Candidate<Item>>> {
        let mut candidates = candidates(words, meaning);
        self.add_circumstances(asked, &mut candidates).await?;
        Ok(candidates)
    }

    /// Orders the candidates by their vectors too, then the first of them by their tokens.
    async fn look_closer(
        &self,
        asked: &Asked,
        meaning: &mut Meaning,
        candidates: &mut [Candidate<Item>],
    ) -> Result<()> {
        meaning.add_cosines(self.store(), candidates).await?;
        fusion::rank(candidates);
        let first = candidates.len().min(LATE_CANDIDATES);
        meaning.add_late(asked, &mut candidates[..first]).await?;
        fusion::rank(candidates);
        Ok(())
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

    /// The best candidates with their passages, neighbours and, where asked for, explanations. The same text counts
    /// once in a conversation, and once among the memories: what repeats it is named in its hit.
    async fn readable(
        &self,
        candidates: Vec<Candidate<Item>>,
        found: &Found,
        limit: usize,
        context: u32,
        explain: bool,
    ) -> Result<Vec<Hit>> {
        let ranks = explain.then(|| Ranks::of(&candidates));
        let wanted = limit.max(LOOKED_AT);
        let mut hits: Vec<Hit> = Vec::with_capacity(wanted);
        let mut ranked: Vec<Ranked> = Vec::with_capacity(wanted);
        let mut seen: HashMap<(Option<ConversationId>, String), usize> = HashMap::new();
        let mut rest = candidates.into_iter().peekable();
        while hits.len() < wanted && rest.peek().is_some() {
            let some: Vec<Candidate<Item>> = rest.by_ref().take(wanted - hits.len()).collect();
            let items = some.iter().map(|candidate| candidate.key).collect();
            let texts = self.store().passages(items, context).await?;
            let mut texts: HashMap<Item, ItemText> =
                texts.into_iter().map(|text| (text.item, text)).collect();
            for candidate in some {
                let Some(text) = texts.remove(&candidate.key) else { continue };
                let words = plain(&text.content);
                // what two conversations say alike was said twice
                let same = (text.conversation_id, words.clone());
                if let Some(first) = seen.get(&same) {
                    hits[*first].duplicates.push(text.id);
                    continue;
                }
                seen.insert(same, hits.len());
                ranked.push(Ranked { score: candidate.score(), created_at: text.created_at, words });
                let passage = found.passage(&text);
                let mut hit = readable(text, passage, &found.words.terms, candidate.score());
                hit.explain = ranks.as_ref().map(|ranks| ranks.explained(&candidate, &found.words));
                hits.push(hit);
            }
        }
        let mut hits: Vec<Option<Hit>> = hits.into_iter().map(Some).collect();
        let order = repeats::order(&ranked).into_iter().take(limit);
        Ok(order.filter_map(|number| hits[number].take()).collect())
    }
}

/// What words and meaning found.
struct Found {
    words: LexicalResult,
    meaning: Option<Meaning>,
}

impl Found {
    /// The bytes of the part of a text that fits, where one is known.
    fn passage(&self, text: &ItemText) -> Option<Range<usize>> {
        let by_meaning = self.meaning.as_ref().and_then(|meaning| meaning.passage(text.item));
        by_meaning.or_else(|| {
            let hit = self.words.hits.iter().find(|hit| hit.item == text.item)?;
            block_range(&text.content, hit.block.clone()?)
        })
    }
}

/// Everything that words or meaning found, once each, with what words say of it.
fn candidates(words: &LexicalResult, meaning: Option<&Meaning>) -> Vec<Candidate<Item>> {
    let mut candidates: Vec<Candidate<Item>> = Vec::new();
    let mut known = HashSet::new();
    for hit in &words.hits {
        let mut candidate = Candidate::new(hit.item);
        candidate.note(Term::Near, hit.near);
        candidate.note(Term::Session, hit.session);
        candidate.note(Term::Pairs, hit.pairs);
        candidate.note(Term::Surface, hit.surface);
        known.insert(hit.item);
        candidates.push(candidate);
    }
    let items = meaning.into_iter().flat_map(Meaning::items);
    candidates.extend(items.filter(|item| known.insert(*item)).map(Candidate::new));
    candidates
}

/// A hit with the passage that fits: the one that was found, or else the one with most of the question's words.
fn readable(text: ItemText, found: Option<Range<usize>>, terms: &[String], score: f64) -> Hit {
    let whole = text.content;
    let by_words = || {
        let chunk = highlight::best_chunk(&whole, &chunk::chunk(&whole), terms)?;
        Some(chunk.start as usize..chunk.end as usize)
    };
    let range = found.or_else(by_words);
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
        duplicates: Vec::new(),
        before: text.before,
        after: text.after,
        explain: None,
    }
}

/// The place of every candidate in the list of each kind of evidence.
struct Ranks([HashMap<Item, u32>; TERMS.len()]);

impl Ranks {
    fn of(candidates: &[Candidate<Item>]) -> Self {
        Self(TERMS.map(|term| {
            let mut known: Vec<(Item, f64)> = candidates
                .iter()
                .filter_map(|candidate| Some((candidate.key, candidate.of(term)?)))
                .filter(|(_, number)| *number != 0.0)
                .collect();
            known.sort_by(|a, b| b.1.total_cmp(&a.1));
            (1..).zip(known).map(|(rank, (item, _))| (item, rank)).collect()
        }))
    }

    fn explained(&self, candidate: &Candidate<Item>, words: &LexicalResult) -> Explain {
        let legs = TERMS.into_iter().map(|term| {
            let rank = self.0[term as usize].get(&candidate.key).copied();
            Leg {
                name: term.name().to_owned(),
                rank,
                score: rank.and_then(|_| candidate.of(term)),
                contribution: candidate.contributions[term as usize],
            }
        });
        Explain {
            legs: legs.collect(),
            foreign: candidate.foreign,
            terms: words.terms.clone(),
            pruned: words.pruned.clone(),
        }
    }
}
