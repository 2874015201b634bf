//! Proposes memories: the language model reads what the person said and names lasting facts, which wait until the
//! person accepts them.
//!
//! Only the person's own words are read. What an answer recalled, what a prompt fenced in and what is secret never
//! is, so that no memory feeds the next one.

use std::collections::HashSet;
use std::sync::PoisonError;

use sha2::{Digest, Sha256};

use super::extract::{shared, words};
use super::json::facts;
use super::task::Work;
use super::templates::Task;
use super::{Actor, Memory, Outcome, check, fence};
use crate::api::event::Action;
use crate::error::{Kind, Result};
use crate::llm::{Choice, ModelChoice};
use crate::model::{Message, Proposal, ProposalId, Role, Timestamp};
use crate::secrets;
use crate::store::{NewProposal, ToExtract};
use crate::text::collapse_whitespace;

/// Messages that are read at a time.
const MOST_MESSAGES: usize = 16;
/// Bytes of messages that are fetched at a time.
const READ_BYTES: usize = 256 << 10;
/// A fact is a sentence.
const MOST_FACT_CHARS: usize = 500;
/// Facts of one reading; a model that names more names everything.
const MOST_FACTS: usize = 10;
/// The part of a fact's words that the person must have said, or forms of them.
const LEAST_GROUNDED: f64 = 0.6;
/// A memory that shares so much says the same, and is no news.
const SAME_WORDS: f64 = 0.95;
const SAME_MEANING: f64 = 0.985;
/// Failures in a row after which a conversation is left alone.
const MOST_FAILURES: u32 = 3;
/// Without a model, when to look again.
const LOOK_AGAIN_MILLIS: i64 = 10 * 60 * 1000;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// With fewer tokens than this nothing can be read.
const LEAST_TOKENS: u64 = 64;

impl Memory {
    /// One step: reads some turns of one conversation, if there is one to be read and the day's budget allows it.
    pub(super) async fn extract(&self, now: Timestamp) -> Result<Outcome> {
        let settings = self.config().memory.extract.clone();
        if !settings.enabled {
            return Ok(Outcome::Idle(None));
        }
        let Some(next) = self.store().next_extraction().await? else { return Ok(Outcome::Idle(None)) };
        let Choice::Model(model) = self.choice(None).await? else {
            return Ok(Outcome::Idle(Some(now.plus_millis(LOOK_AGAIN_MILLIS))));
        };
        let (said, read_seq) = self.said_since(next).await?;
        if said.is_empty() {
            self.store().extracted(next.conversation, read_seq).await?;
            return Ok(Outcome::Worked);
        }
        let tomorrow = Timestamp::from_millis((now.as_millis().div_euclid(DAY_MILLIS) + 1) * DAY_MILLIS);
        let values = [("today", now.day())];
        let work = |most_tokens| Work {
            task: Task::Extract,
            values: &values,
            turns: &said,
            before: None,
            most_tokens,
        };
        // what instructions and answer take comes first; the turns get what is left of the budget
        let answer = u64::from(self.answer_tokens(&model));
        let around = u64::from(super::prompt::total_tokens(&self.prompt_of(&model, &work(0)).messages));
        let room = settings.tokens_per_day.saturating_sub(answer + around);
        if room < LEAST_TOKENS {
            return Ok(Outcome::Idle(Some(tomorrow)));
        }
        let prepared = self.prompt_of(&model, &work(u32::try_from(room).unwrap_or(u32::MAX)));
        let cost = u64::from(super::prompt::total_tokens(&prepared.messages)) + answer;
        if !self.store().spend(now, cost, settings.tokens_per_day).await? {
            tracing::debug!("the day's tokens for proposing memories are used up");
            return Ok(Outcome::Idle(Some(tomorrow)));
        }
        let shown = &said[..prepared.n_turns];
        let done = match self.say_once(&model, prepared.messages).await {
            Ok(done) => done,
            Err(error) => {
                // a server that was not there has cost nothing
                if error.kind() == Kind::Upstream {
                    self.store().correct_spending(now, cost, 0).await?;
                }
                if self.failed_too_often(next) {
                    self.store().extracted(next.conversation, read_seq).await?;
                }
                return Err(error.while_doing("read a conversation for memories"));
            }
        };
        self.store().correct_spending(now, cost, done.tokens).await?;
        self.propose(&model, next, shown, &done.text).await?;
        let read = match shown.last() {
            Some(last) if shown.len() < said.len() => last.seq,
            _ => read_seq,
        };
        self.store().extracted(next.conversation, read).await?;
        Ok(Outcome::Worked)
    }

    /// What the person said behind the place that was read, without what was quoted and without secrets; and how far
    /// that reads.
    async fn said_since(&self, next: ToExtract) -> Result<(Vec<Message>, u64)> {
        let messages = match self.store().export_messages(next.conversation, next.read_seq, READ_BYTES).await
        {
            Err(error) if error.kind() == Kind::NotFound => return Ok((Vec::new(), next.read_seq)),
            messages => messages?,
        };
        let mut said = Vec::new();
        let mut read_seq = next.read_seq;
        for mut message in messages {
            if said.len() == MOST_MESSAGES {
                break;
            }
            read_seq = message.seq;
            if message.role != Role::User {
                continue;
            }
            let own = fence::without_quotes(&message.content);
            message.content = secrets::mask(&own).0.into_owned();
            if !message.content.trim().is_empty() {
                said.push(message);
            }
        }
        Ok((said, read_seq))
    }

    async fn propose(
        &self,
        model: &ModelChoice,
        next: ToExtract,
        shown: &[Message],
        answer: &str,
    ) -> Result<()> {
        let project = self.store().conversation(next.conversation).await?.project;
        let said: Vec<HashSet<String>> = shown.iter().map(|turn| words(&turn.content)).collect();
        let all: HashSet<String> = said.iter().flatten().cloned().collect();
        let mut proposals = Vec::new();
        for fact in facts(answer).into_iter().take(MOST_FACTS) {
            let content = collapse_whitespace(&fact.content);
            let told = words(&content);
            let is_secret = content.contains("[masked:") || !secrets::scan(&content).is_empty();
            let is_good = !told.is_empty()
                && content.chars().count() <= MOST_FACT_CHARS
                && !is_secret
                // what the person did not say was made up, or was recalled
                && shared(&told, &all) >= LEAST_GROUNDED;
            if !is_good {
                continue;
            }
            let similar = self.similar(&content, project.as_deref(), None).await;
            let is_known = similar.iter().any(|known| {
                known.words >= SAME_WORDS || known.meaning.is_some_and(|meaning| meaning >= SAME_MEANING)
            });
            let source =
                (0..shown.len()).max_by(|a, b| shared(&told, &said[*a]).total_cmp(&shared(&told, &said[*b])));
            let (false, Some(source)) = (is_known, source) else { continue };
            let proposal = Proposal {
                id: ProposalId::new(),
                kind: kind(fact.kind.as_deref()),
                path: fact.path.and_then(|path| check::path(&path).ok()),
                project: project.clone(),
                source_message_id: shown[source].id,
                similar_to: similar.first().map(|known| known.memory.id),
                model: model.name.clone(),
                created_at: Timestamp::now(),
                content,
            };
            proposals.push(NewProposal { proposal, digest: digest(told) });
        }
        if self.store().propose(proposals).await? > 0 {
            self.0.events.in_general(&Actor::default(), Action::MemoriesProposed);
        }
        Ok(())
    }

    /// Counts failures in a row of one conversation.
    fn failed_too_often(&self, next: ToExtract) -> bool {
        let mut failures = self.0.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let n = match *failures {
            Some((conversation, n)) if conversation == next.conversation => n + 1,
            _ => 1,
        };
        *failures = (n < MOST_FAILURES).then_some((next.conversation, n));
        n >= MOST_FAILURES
    }
}

/// The kind that a model may give. Instructions to all models are the person's to give.
fn kind(named: Option<&str>) -> String {
    match named {
        Some(kind @ ("user" | "preference" | "fact")) => kind.to_owned(),
        Some("instruction") => "preference".to_owned(),
        _ => "context".to_owned(),
    }
}

/// Stands for a set of words, in whatever order they were said.
fn digest(words: HashSet<String>) -> Vec<u8> {
    let mut words: Vec<String> = words.into_iter().collect();
    words.sort();
    Sha256::digest(words.join(" ").as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_have_the_same_digest() {
        let of = |text: &str| digest(words(text));
        assert_eq!(of("Ana prefers short answers."), of("short answers Ana prefers"));
        assert_ne!(of("Ana prefers short answers."), of("Ana prefers long answers."));
    }

    #[test]
    fn a_model_gives_no_instructions() {
        for (named, expected) in [
            (Some("user"), "user"),
            (Some("instruction"), "preference"),
            (Some("x"), "context"),
            (None, "context"),
        ] {
            assert_eq!(kind(named), expected);
        }
    }
}
