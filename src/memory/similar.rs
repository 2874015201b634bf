//! Memories that say nearly the same: by the words they share and, where it is asked for and an embedding model runs,
//! by their meaning.

use std::collections::HashSet;
use std::time::Duration;

use super::Memory;
use super::extract::{shared, words};
use crate::api::memory::SimilarMemory;
use crate::api::search::{SearchFilter, SearchMode, SearchParams};
use crate::embed::cosine;
use crate::model::{self, MemoryId, SourceKind};
use crate::text::plain;

/// Memories that are looked at; the search has put the likely ones first.
const CANDIDATES: u32 = 12;
/// So much of the words must be the same. Two facts about the same thing, of which one has another number or another
/// name, are over this; two facts that only speak of the same thing are below.
const LEAST_WORDS: f64 = 0.65;
/// So near must the meaning be. Measured with the default model on 23 pairs of sentences in both languages: the same
/// fact in other words of one language has .915 to .994 (one of eleven is below .93), two facts about the same matter
/// .79 to .92. The same fact in the other language has .875 and is not told apart from those.
const LEAST_MEANING: f64 = 0.93;
/// Who asks for meaning waits for the model, but not for ever.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of a long text the beginning is compared.
const COMPARED_CHARS: usize = 1000;

impl Memory {
    /// The memories that say nearly what `content` says, of no project or of this one, the most similar first; by
    /// words alone where the model is not quick. Never fails: where nothing can be searched, nothing is similar.
    pub(super) async fn similar(
        &self,
        content: &str,
        project: Option<&str>,
        except: Option<MemoryId>,
    ) -> Vec<SimilarMemory> {
        let by_both = self.similar_by(SearchMode::Hybrid, content, project, except);
        match tokio::time::timeout(PATIENCE, by_both).await {
            Ok(similar) => similar,
            Err(_) => self.similar_by(SearchMode::Lexical, content, project, except).await,
        }
    }

    /// The same by words alone, which never waits for a model; or by both.
    pub(super) async fn similar_by(
        &self,
        mode: SearchMode,
        content: &str,
        project: Option<&str>,
        except: Option<MemoryId>,
    ) -> Vec<SimilarMemory> {
        let compared: String = content.chars().take(COMPARED_CHARS).collect();
        let search = SearchParams {
            query: compared.clone(),
            limit: Some(CANDIDATES),
            mode,
            literal: true,
            filter: SearchFilter { kind: Some(SourceKind::Memory), ..SearchFilter::default() },
            context: None,
            explain: false,
        };
        let found = match self.search(search).await {
            Ok(found) => found.hits,
            Err(error) => {
                tracing::debug!(error = error.full_text(), "look for similar memories");
                return Vec::new();
            }
        };
        let mut candidates = Vec::new();
        for hit in found {
            let id = MemoryId::from_bytes(*hit.id.as_bytes());
            let is_elsewhere = hit.project.is_some() && hit.project.as_deref() != project;
            if is_elsewhere || Some(id) == except {
                continue;
            }
            // one that was deleted meanwhile is no candidate
            candidates.extend(self.store().memory(id).await);
        }
        let meanings = match mode {
            SearchMode::Lexical => None,
            SearchMode::Hybrid | SearchMode::Semantic => self.meanings(&compared, &candidates).await,
        };
        let meanings = meanings.unwrap_or_default();
        let compared = words(&compared);
        let mut similar: Vec<SimilarMemory> = candidates
            .into_iter()
            .enumerate()
            .map(|(at, memory)| {
                let words = common(&compared, &words(&memory.content), content, &memory.content);
                SimilarMemory { memory, words, meaning: meanings.get(at).copied() }
            })
            .filter(|one| {
                one.words >= LEAST_WORDS || one.meaning.is_some_and(|meaning| meaning >= LEAST_MEANING)
            })
            .collect();
        similar.sort_by(|a, b| nearness(b).total_cmp(&nearness(a)));
        similar
    }

    /// How near the meaning of each memory is; none where no model runs.
    async fn meanings(&self, text: &str, memories: &[model::Memory]) -> Option<Vec<f64>> {
        let embedder = self.0.generations.leg()?.embedder;
        // both sides as questions: the form in which the model compares like with like
        let asked = embedder.embed_query(text.to_owned()).await.ok()?;
        let mut meanings = Vec::with_capacity(memories.len());
        for memory in memories {
            let text: String = memory.content.chars().take(COMPARED_CHARS).collect();
            let found = embedder.embed_query(text).await.ok()?;
            meanings.push(f64::from(cosine(&asked.vector, &found.vector)));
        }
        Some(meanings)
    }
}

/// The larger of both, so that the same words in another order and other words for the same are alike.
fn nearness(similar: &SimilarMemory) -> f64 {
    similar.words.max(similar.meaning.filter(|meaning| *meaning >= LEAST_MEANING).unwrap_or(0.0))
}

/// How much of the words of two texts is the same, from 0 to 1. Texts without telling words are compared whole.
pub(super) fn common(one: &HashSet<String>, other: &HashSet<String>, text: &str, other_text: &str) -> f64 {
    if one.is_empty() || other.is_empty() {
        return if plain(text) == plain(other_text) { 1.0 } else { 0.0 };
    }
    let (n_one, n_other) = (one.len() as f64, other.len() as f64);
    (shared(one, other) * n_one + shared(other, one) * n_other) / (n_one + n_other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: &str, other: &str, is_similar: bool) {
        let common = common(&words(one), &words(other), one, other);
        assert_eq!(common >= LEAST_WORDS, is_similar, "{one} / {other}: {common:.2}");
    }

    #[test]
    fn words_tell_the_same_fact_from_another_about_the_same() {
        check("The quay service listens on port 7100.", "The quay service listens on port 7200.", true);
        check("Prefiro respostas curtas.", "prefiro RESPOSTAS CURTAS", true);
        check("A reunião é na quinta às dez", "A reunião é na quinta às onze", true);
        check("I like tea.", "I like dogs and long walks by the sea.", false);
        check("The staging database is on db2.", "The staging host restarts on Mondays.", false);
        check("!!", "!!", true);
        check("!!", "??", false);
    }
}
