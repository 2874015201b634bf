//! An answer as it is written: its pieces as they come, then what it was made from. Ctrl-C stops the answer.

use indicatif::ProgressBar;

use super::clean;
use super::context::Context;
use super::exit::Failure;
use super::flow::Flow;
use super::source;
use super::style::{self, paint};
use crate::api::chat::{ChatEvent, ChatParams, ChatResult};
use crate::api::methods::ChatStream;
use crate::client::Client;
use crate::error::{Error, Kind};
use crate::model::{ConversationId, MessageId, Source};

/// How long to wait until the daemon knows that nobody wants the answer; it notices a closed connection as well.
const LEAVE_DEADLINE: std::time::Duration = std::time::Duration::from_secs(1);

/// How an answer came out.
pub struct Answer {
    /// The conversation it belongs to; none where nothing is stored.
    pub conversation_id: Option<ConversationId>,
    /// The question, stored or not.
    pub question_id: Option<MessageId>,
    /// What it was made from.
    pub sources: Vec<Source>,
    /// Whether Ctrl-C stopped it.
    pub cancelled: bool,
}

/// Asks, and prints the answer to standard output while it is written, the notices to standard error.
pub async fn ask(client: &Client, params: &ChatParams, context: &mut Context) -> Result<Answer, Failure> {
    let mut ctrl_c = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
        .map_err(|error| Error::internal(format!("listen for Ctrl-C: {error}")))?;
    let waiting = waiting(context);
    let mut shown = Shown { waiting, flow: Flow::new(context.out.wrap_width()) };
    let mut answer = Answer {
        conversation_id: params.conversation_id,
        question_id: None,
        sources: vec![],
        cancelled: false,
    };
    let mut events = tokio::select! {
        events = client.stream::<ChatStream>(params) => events?,
        _ = ctrl_c.recv() => return Err(Failure::Interrupted),
    };
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            // leaving the stream is what takes the question back; the daemon keeps what had come
            _ = ctrl_c.recv() => {
                let _ = tokio::time::timeout(LEAVE_DEADLINE, events.end()).await;
                shown.finish(context)?;
                context.out.note(&paint(style::DIM, context.words.cancelled));
                answer.cancelled = true;
                return Ok(answer);
            }
        };
        let event = event.ok_or_else(|| {
            Error::new(Kind::UpstreamCut, "read the answer: the daemon closed the connection")
                .hint("what had come is stored; see how the daemon is: nosso status")
        })??;
        if context.out.json {
            context.out.json_line(&event)?;
        }
        match event {
            ChatEvent::Sources { conversation_id, question_id, sources, notices, model: _ } => {
                answer.question_id = Some(question_id);
                answer.conversation_id = conversation_id.or(answer.conversation_id);
                answer.sources = sources;
                shown.pause();
                notices.iter().for_each(|notice| context.out.warn(&clean::line(notice)));
            }
            ChatEvent::Delta { text } => shown.delta(&text, context)?,
            ChatEvent::Done(result) => {
                shown.finish(context)?;
                finish(&mut answer, result, context);
                return Ok(answer);
            }
            ChatEvent::Cancelled(result) => {
                shown.finish(context)?;
                finish(&mut answer, result, context);
                answer.cancelled = true;
                return Ok(answer);
            }
            ChatEvent::Error { kind, message, hint, .. } => {
                shown.finish(context)?;
                let error = Error::new(Kind::from_name(&kind).unwrap_or(Kind::Upstream), message);
                return Err(match hint {
                    Some(hint) => error.hint(hint).into(),
                    None => error.into(),
                });
            }
        }
    }
}

/// The sources as a list on standard error, so that the answer alone can be piped on.
pub fn show_sources(sources: &[Source], context: &mut Context) {
    let width = context.out.wrap_width().unwrap_or(100);
    let list = source::list(sources, context.words, &context.zone, width);
    if !list.is_empty() && !context.out.json {
        context.out.note(&format!("\n{}", list.trim_end()));
    }
}

fn finish(answer: &mut Answer, result: ChatResult, context: &mut Context) {
    answer.conversation_id = result.conversation_id.or(answer.conversation_id);
    answer.sources = result.sources;
    if !result.unknown_citations.is_empty() {
        let numbers: Vec<String> = result.unknown_citations.iter().map(|n| format!("[{n}]")).collect();
        context.out.warn(&format!("{} cites no source", numbers.join(" ")));
    }
}

fn waiting(context: &Context) -> ProgressBar {
    if !context.out.live || context.out.json {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner().with_message(context.words.thinking);
    spinner.enable_steady_tick(std::time::Duration::from_millis(120));
    spinner
}

/// What of the answer is on the screen.
struct Shown {
    waiting: ProgressBar,
    flow: Flow,
}

impl Shown {
    fn pause(&self) {
        self.waiting.finish_and_clear();
    }

    fn delta(&mut self, text: &str, context: &mut Context) -> Result<(), Failure> {
        self.pause();
        if !context.out.json && !text.is_empty() {
            context.out.text(&self.flow.push(&clean::block(text)))?;
        }
        Ok(())
    }

    /// Writes what was held back, and ends the line that the answer left open.
    fn finish(&mut self, context: &mut Context) -> Result<(), Failure> {
        self.pause();
        match self.flow.finish() {
            rest if rest.is_empty() => Ok(()),
            rest => context.out.text(&rest),
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.pause();
    }
}
