//! One piece of work for the language model beside answering: its instructions, the turns it is about, its words.

use super::fence::Fence;
use super::language::Language;
use super::prompt::{shorten, total_tokens};
use super::templates::{self, Task};
use super::wording::Wording;
use super::{Memory, tokens};
use crate::api::chat::PromptMessage;
use crate::error::{Error, Kind, Result};
use crate::llm::{Choice, ModelChoice, Piece};
use crate::model::{Message, Role, Usage};

/// What a model may say at most; one that goes on for ever is stopped.
const MAX_BYTES: usize = 64 << 10;
/// A turn is cut to this part of what all may take, so that one long one does not push the others out.
const TURN_PART: u32 = 4;

/// What is to be done.
pub(super) struct Work<'a> {
    /// The task.
    pub(super) task: Task,
    /// What fills its template.
    pub(super) values: &'a [(&'a str, String)],
    /// The turns that it is about, the oldest first; as many as fit are shown, from the first on.
    pub(super) turns: &'a [Message],
    /// The summary of what came before those.
    pub(super) before: Option<&'a str>,
    /// Tokens of turns at most; fewer where the model's context is smaller.
    pub(super) most_tokens: u32,
}

/// What came of it.
pub(super) struct Done {
    /// What the model said, without its thoughts.
    pub(super) text: String,
    /// What it cost, as the server tells or else estimated.
    pub(super) tokens: u64,
}

/// The prompt of a [`Work`], and how many of its turns it shows.
pub(super) struct Prepared {
    pub(super) messages: Vec<PromptMessage>,
    pub(super) n_turns: usize,
}

impl Memory {
    /// Who would do it: the model that is wanted, or the configured one.
    pub(super) async fn choice(&self, wanted: Option<&str>) -> Result<Choice> {
        let config = self.config();
        self.llm().choose(wanted.or(config.chat.model.as_deref())).await
    }

    /// Tokens that an answer may take of a model's context.
    pub(super) fn answer_tokens(&self, model: &ModelChoice) -> u32 {
        self.config().chat.max_answer_tokens.min(model.context_tokens / 3)
    }

    /// The prompt that `work` makes.
    pub(super) fn prompt_of(&self, model: &ModelChoice, work: &Work<'_>) -> Prepared {
        let Work { task, values, turns, before, most_tokens } = work;
        let said = turns.iter().map(|turn| turn.content.as_str()).chain(*before);
        // a question tells its language within its first words, and a conversation in its first turn
        let language =
            said.clone().find(|text| !text.trim().is_empty()).map_or(Language::English, Language::of);
        let wording = Wording::of(language);
        let fence = Fence::new(said);
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let system = templates::text(&self.config().prompts, language, *task, &values);
        let before = before.map(|text| {
            format!(
                "{}\n{}\n{}\n{}\n\n",
                wording.summary,
                fence.open("summary"),
                fence.tame(text),
                fence.close("summary")
            )
        });
        let before = before.unwrap_or_default();
        let around = tokens::estimate(&system) + tokens::estimate(&before) + AROUND_TOKENS;
        let room = model.context_tokens.saturating_sub(self.answer_tokens(model)).saturating_sub(around);
        let room = room.min(*most_tokens);
        let mut lines = Vec::new();
        let mut used = 0;
        for turn in *turns {
            let speaker = wording.speaker(turn.role);
            let text = shorten(&fence.tame(turn.content.trim()), (room / TURN_PART).max(1), wording);
            let line = format!("({speaker}) {text}");
            let cost = tokens::estimate(&line) + 1;
            if used + cost > room && !lines.is_empty() {
                break;
            }
            used += cost;
            lines.push(line);
        }
        let n_turns = lines.len();
        let (open, close) = (fence.open("turns"), fence.close("turns"));
        let user = format!("{before}{}\n{open}\n{}\n{close}", wording.turns, lines.join("\n"));
        let messages = vec![
            PromptMessage { role: Role::System, content: system },
            PromptMessage { role: Role::User, content: user },
        ];
        Prepared { messages, n_turns }
    }

    /// Lets the model do it. Errors: those of the model server.
    pub(super) async fn carry_out(&self, model: &ModelChoice, work: Work<'_>) -> Result<Done> {
        let prepared = self.prompt_of(model, &work);
        self.say_once(model, prepared.messages).await
    }

    /// The model's whole answer to a prompt.
    pub(super) async fn say_once(&self, model: &ModelChoice, messages: Vec<PromptMessage>) -> Result<Done> {
        let prompt_tokens = total_tokens(&messages);
        let mut answer = self.llm().answer(model, messages).await?;
        let mut text = String::new();
        let mut told = None;
        while let Some(piece) = answer.next().await {
            match piece? {
                Piece::Text(more) => text.push_str(&more),
                Piece::End(usage) => told = Some(usage),
            }
            if text.len() > MAX_BYTES {
                return Err(Error::new(
                    Kind::Upstream,
                    format!("the model '{}' did not come to an end", model.name),
                ));
            }
        }
        let estimated = u64::from(prompt_tokens) + u64::from(tokens::estimate(&text));
        let tokens = told.and_then(cost).unwrap_or(estimated);
        Ok(Done { text: without_thoughts(&text).trim().to_owned(), tokens })
    }
}

/// Marks, headings and the chat template around what a [`Work`] shows.
const AROUND_TOKENS: u32 = 120;

fn cost(usage: Usage) -> Option<u64> {
    Some(usage.prompt_tokens?.saturating_add(usage.completion_tokens?))
}

/// `text` without what a model thought before it answered.
fn without_thoughts(text: &str) -> &str {
    match text.split_once("</think>") {
        Some((_, answer)) => answer,
        None if text.trim_start().starts_with("<think>") => "",
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_are_no_part_of_the_answer() {
        assert_eq!(without_thoughts("<think>a\nb</think> c"), " c");
        assert_eq!(without_thoughts("no answer yet </think>x"), "x");
        assert_eq!(without_thoughts(" <think> for ever"), "");
        assert_eq!(without_thoughts("a"), "a");
    }
}
