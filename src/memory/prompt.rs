//! Makes the exact prompt: fills a budget of tokens with the turns of the conversation and with what was
//! recalled, and tells which sources it holds and what had to be left out.

use std::collections::HashSet;

use uuid::Uuid;

use super::fence::Fence;
use super::language::Language;
use super::notes::Notes;
use super::shares::{Shares, share};
use super::window::Window;
use super::wording::Wording;
use super::{sentence, system, tokens};
use crate::api::chat::PromptMessage;
use crate::api::search::Hit;
use crate::config::Prompts;
use crate::error::{Error, Kind, Result};
use crate::model::{
    ClientRef, ConversationId, Memory, Message, Role, Source, SourceKind, Summary, Timestamp,
};

/// What a prompt is made from.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// The question, which is kept whole.
    pub question: &'a str,
    /// Text that belongs to the question: a file, a diff.
    pub attachment: Option<&'a str>,
    /// The caller's instructions to the model, which are kept whole.
    pub system: Option<&'a str>,
    /// The conversation so far, the oldest turn first, without the question.
    pub recent: &'a [Message],
    /// What the turns before those say in few words.
    pub summary: Option<&'a Summary>,
    /// What the person tells every model to do, whatever is asked and whether or not anything is recalled; the most
    /// important first.
    pub instructions: &'a [Passage],
    /// What was recalled; none where nothing was to be.
    pub recalled: Option<Recalled>,
    /// The person's own instructions to the model, in place of the product's.
    pub templates: &'a Prompts,
    /// The time of the question.
    pub now: Timestamp,
    /// How large the prompt may be.
    pub budget: Budget,
}

/// What was recalled for a question.
#[derive(Debug, Clone, Default)]
pub struct Recalled {
    /// Facts that always hold; the most important first.
    pub standing: Vec<Passage>,
    /// Passages that fit the question; the best first.
    pub passages: Vec<Passage>,
    /// Messages and memories that must not be quoted, for the model sees them otherwise.
    pub exclude: HashSet<Uuid>,
}

/// A text that may be quoted.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Whether it is of a message or of a memory.
    pub kind: SourceKind,
    /// That one's id.
    pub id: Uuid,
    /// The conversation of a message.
    pub conversation_id: Option<ConversationId>,
    /// That conversation's title.
    pub title: Option<String>,
    /// Who said it.
    pub role: Option<Role>,
    /// The display name of who said it.
    pub author: Option<String>,
    /// When it was said.
    pub created_at: Timestamp,
    /// The tool it came from.
    pub client: Option<ClientRef>,
    /// The text.
    pub text: String,
    /// How well it fits; larger is better.
    pub score: f64,
}

impl From<Hit> for Passage {
    fn from(hit: Hit) -> Self {
        Self {
            kind: hit.kind,
            id: hit.id,
            conversation_id: hit.conversation_id,
            title: hit.conversation_title,
            role: hit.role,
            author: hit.author,
            created_at: hit.created_at,
            client: hit.client,
            text: hit.text,
            score: hit.score,
        }
    }
}

impl From<Memory> for Passage {
    fn from(memory: Memory) -> Self {
        Self {
            kind: SourceKind::Memory,
            id: Uuid::from_bytes(*memory.id.as_bytes()),
            conversation_id: None,
            title: None,
            role: None,
            author: None,
            created_at: memory.created_at,
            client: memory.client,
            text: memory.content,
            // it holds whatever is asked, which says nothing about how well it fits
            score: 0.0,
        }
    }
}

/// How large a prompt may be, and how its parts share that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Tokens of prompt and answer together.
    pub context_tokens: u32,
    /// Tokens to keep free for the answer; at most a third of the context is.
    pub max_answer_tokens: u32,
    /// The share of facts that always hold; it is taken first. What one part leaves goes to the others.
    pub standing_share: f32,
    /// The share of the conversation's turns.
    pub recent_share: f32,
    /// The share of what was recalled.
    pub recalled_share: f32,
}

/// A prompt that fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// What is sent, exactly.
    pub messages: Vec<PromptMessage>,
    /// What it quotes, numbered from 1 in order of time.
    pub sources: Vec<Source>,
    /// What was cut or left out, in sentences for people.
    pub notices: Vec<String>,
    /// Its tokens, estimated on the high side.
    pub prompt_tokens: u32,
    /// The tokens it may have.
    pub budget_tokens: u32,
    /// The language of the question.
    pub language: Language,
    /// Turns of the conversation that it shows neither as they are nor summed up.
    pub n_turns_left_out: usize,
}

/// What a server's template adds around all messages.
const TEMPLATE_TOKENS: u32 = 8;

/// A quote shorter than this says too little to be worth its place.
pub(super) const LEAST_QUOTE_TOKENS: u32 = 40;

/// The part of the prompt that instructions may take: they are always there, but not instead of everything else.
const INSTRUCTIONS_SHARE: f64 = 0.5;

/// The part of the recent turns' tokens that the summary of the turns before may take.
const SUMMARY_SHARE: f64 = 0.5;

/// The part of all that is left that an attachment may take where there is something else to show.
const ATTACHMENT_SHARE: f64 = 0.75;

/// Makes the prompt of `input`.
///
/// The order is: instructions, the conversation's turns, and then in one message the notes, the attachment and
/// the question, for small models heed best what stands near the end. No two messages of one role follow each
/// other and the first turn is the person's, which the templates of some models insist on.
///
/// Errors: `TooLarge` where the question with its instructions does not fit.
pub fn make(input: Input<'_>) -> Result<Prompt> {
    let language = Language::of(input.question);
    let wording = Wording::of(language);
    let Budget { context_tokens, max_answer_tokens, standing_share, recent_share, recalled_share } =
        input.budget;
    let budget_tokens = context_tokens - max_answer_tokens.min(context_tokens / 3);
    let mut notices = Vec::new();

    let recalled = input.recalled.clone().unwrap_or_default();
    let is_alone = input.recent.is_empty()
        && input.summary.is_none()
        && recalled.standing.is_empty()
        && recalled.passages.is_empty();
    let quoted = [input.instructions, &recalled.passages, &recalled.standing];
    let fence = Fence::new(
        [
            Some(input.question),
            input.attachment,
            input.system,
            input.summary.map(|summary| summary.content.as_str()),
        ]
        .map(Option::unwrap_or_default)
        .into_iter()
        .chain(quoted.into_iter().flatten().map(|passage| passage.text.as_str())),
    );

    let system = system::without_instructions(&input, language);
    let frame_tokens = frame_tokens(system.tokens(), &input, wording);
    let Some(mut left) = budget_tokens.checked_sub(frame_tokens) else {
        return Err(too_large(frame_tokens, budget_tokens, context_tokens));
    };
    let instructions =
        system::Instructions::fill(input.instructions, share(left, INSTRUCTIONS_SHARE), &fence, wording);
    left -= instructions.tokens.min(left);

    let attachment = input.attachment.filter(|text| !text.trim().is_empty()).and_then(|text| {
        let limit = if is_alone { left } else { share(left, ATTACHMENT_SHARE) };
        attached(text, limit, &fence, wording, &mut notices)
    });
    left -= attachment.as_deref().map_or(0, |text| tokens::estimate(text) + 2).min(left);

    let mut shares = Shares::new(left, standing_share, recent_share, recalled_share);
    let mut notes = Notes::new(&fence, wording, recalled.exclude.clone());
    shares.take(notes.add(&recalled.standing, shares.standing(instructions.tokens)));
    let recent = shares.recent();
    let summary =
        input.summary.map(|summary| summed_up(summary, share(recent, SUMMARY_SHARE), &fence, wording));
    let summary_tokens =
        summary.as_deref().map_or(0, |text| tokens::estimate(text) + tokens::MESSAGE_TOKENS + 2).min(recent);
    shares.take(summary_tokens);
    let mut window = Window::new(input.recent, wording);
    shares.take(window.extend(recent - summary_tokens, &HashSet::new()));
    notes.leave_out(window.ids());
    shares.take(notes.add(&recalled.passages, shares.left()));
    // what recall left goes to older turns; one that is quoted already ends the window
    shares.take(window.extend(shares.left(), &notes.quoted()));
    shares.take(notes.add(&recalled.standing, shares.left()));

    notices.extend(instructions.notice());
    notices.extend(input.summary.map(|summary| {
        format!(
            "the first {} messages of the conversation stand in the prompt as a summary",
            summary.messages
        )
    }));
    notices.extend(window.notice());
    notices.extend(notes.notice(context_tokens));
    let n_turns_left_out = window.n_left_out();
    let (block, sources) = notes.finish(input.recalled.is_some());
    let last = [block, attachment.unwrap_or_default(), question(&input, wording)]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n");
    let messages = assemble(system.with(instructions), summary, window, last, wording);
    let prompt_tokens = total_tokens(&messages);
    Ok(Prompt { messages, sources, notices, prompt_tokens, budget_tokens, language, n_turns_left_out })
}

/// The summary of the turns that are not shown, between marks.
fn summed_up(summary: &Summary, limit: u32, fence: &Fence, wording: &Wording) -> String {
    let (open, close) = (fence.open("summary"), fence.close("summary"));
    let around = tokens::estimate(&format!("{}\n{open}\n\n{close}", wording.summary));
    let kept = shorten(&fence.tame(summary.content.trim()), limit.saturating_sub(around), wording);
    format!("{}\n{open}\n{kept}\n{close}", wording.summary)
}

/// The tokens of all `messages`, estimated on the high side.
pub fn total_tokens(messages: &[PromptMessage]) -> u32 {
    let each = messages.iter().map(|message| tokens::estimate(&message.content) + tokens::MESSAGE_TOKENS);
    each.fold(TEMPLATE_TOKENS, u32::saturating_add)
}

/// The question, named where something stands in front of it.
fn question(input: &Input<'_>, wording: &Wording) -> String {
    match input.recalled.is_some() || input.attachment.is_some() {
        true => format!("{} {}", wording.question, input.question),
        false => input.question.to_owned(),
    }
}

/// What the prompt takes before anything optional is in it.
fn frame_tokens(system_tokens: u32, input: &Input<'_>, wording: &Wording) -> u32 {
    // the line in front of the notes, the marks around them, and the line where turns were left out
    let marks = tokens::estimate(wording.notes).max(tokens::estimate(wording.no_notes))
        + if input.recalled.is_some() { FENCE_TOKENS } else { 0 };
    let earlier = if input.recent.is_empty() { 0 } else { tokens::estimate(wording.earlier) + 2 };
    let around = TEMPLATE_TOKENS + 3 * tokens::MESSAGE_TOKENS + marks + earlier;
    around.saturating_add(system_tokens).saturating_add(tokens::estimate(&question(input, wording)))
}

/// What the two marks of a fence and the empty lines around take.
const FENCE_TOKENS: u32 = 40;

fn too_large(needed: u32, budget: u32, context: u32) -> Error {
    let found = format!(
        "the question and its instructions take about {needed} tokens, and the prompt may have {budget} \
         (of a context of {context})"
    );
    Error::new(Kind::TooLarge, found)
        .hint("ask a shorter question and attach the long text, take a model with more context, or raise chat.context_tokens")
}

/// `text` between marks, cut to `limit` tokens; None where not even a line of it fits.
fn attached(
    text: &str,
    limit: u32,
    fence: &Fence,
    wording: &Wording,
    notices: &mut Vec<String>,
) -> Option<String> {
    let (open, close) = (fence.open("attachment"), fence.close("attachment"));
    let around = format!("{}\n{open}\n\n{}\n{close}\n\n", wording.attachment, wording.cut);
    let room = limit.saturating_sub(tokens::estimate(&around));
    let tame = fence.tame(text);
    let end = tokens::longest_beginning(&tame, room);
    let n_all = tame.chars().count();
    if end == tame.len() {
        return Some(format!("{}\n{open}\n{tame}\n{close}", wording.attachment));
    }
    // what is attached is seldom prose: whole lines
    let end = tame[..end].rfind('\n').filter(|line| line * 2 > end).unwrap_or(end);
    let n_kept = tame[..end].chars().count();
    notices
        .push(format!("the attachment was cut: {n_kept} of its {n_all} characters fitted into the prompt"));
    let kept = &tame[..end];
    (end > 0).then(|| format!("{}\n{open}\n{kept}\n{}\n{close}", wording.attachment, wording.cut))
}

/// The messages in the form that every template takes.
fn assemble(
    system: String,
    summary: Option<String>,
    window: Window<'_>,
    last: String,
    wording: &Wording,
) -> Vec<PromptMessage> {
    let mut messages: Vec<PromptMessage> = Vec::new();
    let mut push = |role: Role, content: String| match messages.last_mut() {
        Some(before) if before.role == role => {
            before.content.push_str("\n\n");
            before.content.push_str(&content);
        }
        _ => messages.push(PromptMessage { role, content }),
    };
    if !system.is_empty() {
        push(Role::System, system);
    }
    let turns = window.into_turns();
    let is_summed_up = summary.is_some();
    if let Some(summary) = summary {
        push(Role::User, summary);
    }
    if turns.is_cut_off
        || (!is_summed_up && turns.said.first().is_some_and(|(role, _)| *role == Role::Assistant))
    {
        push(Role::User, wording.earlier.to_owned());
    }
    for (role, text) in turns.said {
        push(role, text);
    }
    push(Role::User, last);
    messages
}

/// The beginning of `text` that fits into `room` tokens, cut behind a sentence, with the mark that it was cut.
pub(super) fn shorten(text: &str, room: u32, wording: &Wording) -> String {
    let end = tokens::longest_beginning(text, room);
    if end == text.len() {
        return text.to_owned();
    }
    let end = sentence::cut(text, end);
    format!("{} {}", text[..end].trim_end(), wording.cut)
}
