//! Sums long conversations up: each summary goes on from the one before, and stands beside the messages, never in
//! their place.

use super::shares::share;
use super::task::Work;
use super::templates::Task;
use super::{Memory, guard, tokens};
use crate::api::conversation::{Summarize, SummaryList};
use crate::error::{Error, Kind, Result};
use crate::llm::{Choice, ModelChoice};
use crate::model::{ConversationId, Message, MessageId, Summary, SummaryId, Timestamp};
use crate::store::NewSummary;

/// What is read of a branch: more than any context takes.
const READ_BYTES: usize = 4 << 20;
/// Calls of the model after one answer: a conversation that was imported and is very long is caught up with step by
/// step.
const MOST_STEPS: usize = 8;
/// Calls of the model that one request may take.
const MOST_STEPS_ON_REQUEST: usize = 64;
/// The part of the prompt whose newest turns stay as they are.
const KEPT_PART: f64 = 0.4;
/// Words of a summary, at least and at most.
const LEAST_WORDS: u32 = 80;
const MOST_WORDS: u32 = 400;
/// Tokens of a word, about, on the high side.
const TOKENS_PER_WORD: u32 = 3;

impl Memory {
    /// Sums a branch up to a message, or all of it.
    pub async fn summarize(&self, summarize: Summarize) -> Result<Summary> {
        let Summarize { id, last_message_id, model } = summarize;
        let model = match self.choice(model.as_deref()).await? {
            Choice::Model(model) => model,
            Choice::Extractive { .. } => {
                let found = "a language model sums conversations up, and none is configured";
                return Err(Error::new(Kind::ModelUnavailable, found)
                    .hint("start Ollama, or set chat.openai_url to an OpenAI-compatible server"));
            }
        };
        let mut last = None;
        for _ in 0..MOST_STEPS_ON_REQUEST {
            let branch = self.store().branch(id, last_message_id, READ_BYTES).await?;
            match self.sum_up(id, &branch, branch.len(), &model).await? {
                Some(summary) => last = Some(summary),
                None => break,
            }
        }
        if let Some(last) = last {
            return Ok(last);
        }
        let leaf = last_message_id.or(self.store().conversation(id).await?.head_message_id);
        let known = match leaf {
            Some(leaf) => self.store().summary_of_branch(leaf).await?,
            None => None,
        };
        known.ok_or_else(|| {
            Error::invalid(format!("the conversation {id} has no words that could be summed up"))
        })
    }

    /// The summaries of a conversation.
    pub async fn summaries(&self, id: ConversationId) -> Result<SummaryList> {
        Ok(SummaryList { summaries: self.store().summaries(id).await? })
    }

    /// Sums up what a conversation has outgrown its model's context by.
    pub(super) async fn sum_up_outgrown(&self, id: ConversationId) -> Result<()> {
        let Choice::Model(model) = self.choice(None).await? else { return Ok(()) };
        for _ in 0..MOST_STEPS {
            let branch = match self.store().branch(id, None, READ_BYTES).await {
                Err(error) if error.kind() == Kind::NotFound => return Ok(()),
                branch => branch?,
            };
            let end = self.end_of_old(&branch, &model);
            match self.sum_up(id, &branch, end, &model).await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                // the next answer brings it back
                Err(error) if error.kind() == Kind::Conflict => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Where the turns end that are not among the newest.
    fn end_of_old(&self, branch: &[Message], model: &ModelChoice) -> usize {
        let context = self.config().chat.context_tokens.unwrap_or(model.context_tokens);
        let kept = share(context.saturating_sub(self.answer_tokens(model)), KEPT_PART);
        let mut used = 0;
        for (at, turn) in branch.iter().enumerate().rev() {
            used += tokens::estimate(&turn.content) + tokens::MESSAGE_TOKENS;
            if used > kept {
                return at + 1;
            }
        }
        0
    }

    /// One step: sums up what stands before `end` and behind the last summary, as much as the model takes at once.
    /// None where there is nothing.
    async fn sum_up(
        &self,
        id: ConversationId,
        branch: &[Message],
        end: usize,
        model: &ModelChoice,
    ) -> Result<Option<Summary>> {
        let Some(newest) = branch[..end].last() else { return Ok(None) };
        let previous = self.store().summary_of_branch(newest.id).await?;
        let place = |id: MessageId| branch.iter().position(|turn| turn.id == id);
        let start =
            previous.as_ref().and_then(|summary| place(summary.last_message_id)).map_or(0, |at| at + 1);
        let turns = &branch[start.min(end)..end];
        if turns.iter().all(|turn| turn.content.trim().is_empty()) {
            return Ok(None);
        }
        let words = (self.answer_tokens(model) / TOKENS_PER_WORD).clamp(LEAST_WORDS, MOST_WORDS);
        let values = [("words", words.to_string())];
        let work = Work {
            task: Task::Summary,
            values: &values,
            turns,
            before: previous.as_ref().map(|summary| summary.content.as_str()),
            most_tokens: u32::MAX,
        };
        let prepared = self.prompt_of(model, &work);
        let covered = &turns[..prepared.n_turns];
        let Some(last) = covered.last() else { return Ok(None) };
        let done = self.say_once(model, prepared.messages).await?;
        if done.text.is_empty() {
            return Err(Error::new(Kind::Upstream, format!("the model '{}' wrote no summary", model.name))
                .hint("try another model"));
        }
        let (content, found) = self.guard_of(id).await?.admit(done.text);
        if let Some(notice) = guard::notice("a summary", &found) {
            tracing::debug!(notice);
        }
        let before = previous.as_ref().map_or(start as u64, |summary| summary.messages);
        let summary = Summary {
            id: SummaryId::new(),
            conversation_id: id,
            last_message_id: last.id,
            messages: before + covered.len() as u64,
            content,
            model: model.name.clone(),
            created_at: Timestamp::now(),
        };
        let covered = covered.iter().map(|turn| (turn.id, turn.content.clone())).collect();
        let new = NewSummary { summary, previous: previous.map(|summary| summary.id), covered };
        let summary = self.store().add_summary(new).await?;
        tracing::info!(conversation = %id, messages = summary.messages, "summed a conversation up");
        Ok(Some(summary))
    }
}
