//! The last look at the best candidates: the configured cross-encoder, if there is one.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::Memory;
use super::fusion::{Candidate, Term};
use crate::config::Rerank;
use crate::embed::{Reranker, RerankerOptions};
use crate::error::Result;
use crate::store::{Item, ItemText};

/// The reranker of the present settings, once it was asked for.
#[derive(Default)]
pub(super) struct Configured(Mutex<Option<Reranker>>);

impl Memory {
    /// The configured reranker; none: none is configured. Errors: its folder is not what it should be.
    fn reranker(&self) -> Result<Option<(Reranker, usize)>> {
        let config = self.config();
        let Rerank { path, candidates } = &config.rerank;
        let mut known = self.0.reranker.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = path else {
            *known = None;
            return Ok(None);
        };
        let options = RerankerOptions {
            library: self.0.generations.library(config.embed.library.as_deref()),
            model: path.clone(),
            threads: config.embed.threads,
        };
        let reranker = match known.take().filter(|reranker| *reranker.options() == options) {
            Some(same) => same,
            None => Reranker::open(options)?,
        };
        *known = Some(reranker.clone());
        Ok(Some((reranker, *candidates as usize)))
    }

    /// Notes for the first candidates what the reranker makes of their passages. `passage` tells the part of a text
    /// that fits. Does nothing where no reranker is configured.
    pub(super) async fn add_reranking(
        &self,
        query: &str,
        candidates: &mut [Candidate<Item>],
        passage: impl Fn(&ItemText) -> Option<Range<usize>>,
    ) -> Result<()> {
        let Some((reranker, most)) = self.reranker()? else { return Ok(()) };
        let first: Vec<Item> = candidates.iter().take(most).map(|candidate| candidate.key).collect();
        let texts = self.store().passages(first, 0).await?;
        let passages = texts.iter().map(|text| {
            let part = passage(text).and_then(|range| text.content.get(range));
            part.unwrap_or(&text.content).to_owned()
        });
        let scores = reranker.score(query.to_owned(), passages.collect()).await?;
        for (text, score) in texts.iter().zip(scores) {
            let candidate = candidates.iter_mut().find(|candidate| candidate.key == text.item);
            if let Some(candidate) = candidate {
                candidate.note(Term::Rerank, f64::from(score));
            }
        }
        Ok(())
    }
}
