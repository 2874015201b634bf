//! Asks the questions through the socket, one after the other as a person does, and notes what came and how fast.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use uuid::Uuid;

use super::dataset::{Dataset, Question};
use super::load::message_id;
use super::metrics::distinct;
use crate::api::methods::SearchQuery;
use crate::api::search::{SearchFilter, SearchMode, SearchParams, SearchResult};
use crate::client::Client;
use crate::error::{Error, Kind, Result};

/// Hits that are ranked; what comes later counts as not found.
const N_RANKED: u32 = 100;

/// Where an answer may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// From everything that is stored.
    Store,
    /// From the chat that the question is about.
    Conversation,
}

/// What came back for one question.
pub struct Answer {
    /// Units, best first, each once.
    pub ranked: Vec<usize>,
    /// How long the search took that a client makes when it says nothing about the number of hits.
    pub latency: Duration,
}

/// The answers to all questions, in their order.
///
/// Errors: the daemon's; `ModelUnavailable` where a search by meaning that was asked for did not take part.
pub async fn ask(
    set: &Dataset,
    scope: Scope,
    mode: SearchMode,
    client: &Client,
    progress: &ProgressBar,
) -> Result<Vec<Answer>> {
    let units: HashMap<Uuid, usize> = set
        .conversations
        .iter()
        .flat_map(|it| it.messages.iter().enumerate().map(move |(place, m)| (message_id(it, place), m.unit)))
        .map(|(id, unit)| (Uuid::from_bytes(*id.as_bytes()), unit))
        .collect();
    progress.set_length(set.questions.len() as u64);
    // a model that sleeps is loaded by the first question, which is no search's fault
    if let Some(question) = set.questions.first() {
        search(question, scope, mode, None, client).await?;
    }
    let mut answers = Vec::with_capacity(set.questions.len());
    for question in &set.questions {
        let began = Instant::now();
        search(question, scope, mode, None, client).await?;
        let latency = began.elapsed();
        let result = search(question, scope, mode, Some(N_RANKED), client).await?;
        // passages of one message are one answer
        let ranked = distinct(result.hits.iter().filter_map(|hit| units.get(&hit.id).copied()));
        answers.push(Answer { ranked, latency });
        progress.inc(1);
    }
    Ok(answers)
}

async fn search(
    question: &Question,
    scope: Scope,
    mode: SearchMode,
    limit: Option<u32>,
    client: &Client,
) -> Result<SearchResult> {
    let project = match scope {
        Scope::Store => None,
        Scope::Conversation => question.project.clone(),
    };
    let params = SearchParams {
        query: question.text.clone(),
        limit,
        mode,
        filter: SearchFilter { project, ..SearchFilter::default() },
        ..SearchParams::default()
    };
    let result = client.call::<SearchQuery>(&params).await?;
    match &result.served.problem {
        // figures of half a search would pass for those of a whole one
        Some(problem) => Err(Error::new(Kind::ModelUnavailable, format!("search: {problem}"))),
        None => Ok(result),
    }
}
