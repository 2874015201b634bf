//! Writes one answer: asks the model, hands its words on, checks its citations, keeps what came however it ends.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::ask::Prepared;
use super::retry::Claim;
use super::{Actor, Memory, cite, extract, guard};
use crate::api::chat::{ChatEvent, ChatResult};
use crate::error::{Error, Result};
use crate::llm::{Choice, ModelChoice, Piece};
use crate::model::{AnswerStatus, Usage};

/// One answer on its way.
pub(super) struct Answering {
    pub prepared: Prepared,
    pub actor: Actor,
    pub events: mpsc::Sender<ChatEvent>,
    pub cancel: CancellationToken,
    pub claim: Claim,
}

/// What the model said, and how it ended.
struct Said {
    text: String,
    usage: Option<Usage>,
    end: End,
}

enum End {
    Complete,
    Cancelled,
    Failed(Error),
}

impl Memory {
    /// Answers, and tells it as it goes. The last event is told once everything is durable.
    pub(super) async fn answer(&self, answering: Answering) {
        let last = match self.try_answer(&answering).await {
            Ok(last) => last,
            Err(error) => ChatEvent::error(&error, None),
        };
        let Answering { events, claim, .. } = answering;
        // before the last event: whoever hears it may ask again at once
        drop(claim);
        // an error says that the client is gone; what it would have read is stored
        let _ = events.send(last).await;
    }

    async fn try_answer(&self, answering: &Answering) -> Result<ChatEvent> {
        let Answering { prepared, actor, events, cancel, claim: _ } = answering;
        if prepared.is_stored() {
            self.store_question(prepared, actor).await?;
        }
        let sources = prepared.sources_event(prepared.prompt.sources.clone());
        let said = tokio::select! {
            sent = events.send(sources) => match sent {
                Ok(()) => self.say(prepared, events, cancel).await,
                Err(_) => Said::nothing(End::Cancelled),
            },
            () = cancel.cancelled() => Said::nothing(End::Cancelled),
        };
        let mut notices = prepared.notices.clone();
        // a model may say what it was told before the settings were as they are
        let guard = match prepared.is_stored() && prepared.conversation.is_some() {
            true => self.guard_of(prepared.conversation_id).await?,
            false => self.guard(prepared.params.project.as_deref()),
        };
        let (text, found) = guard.admit(said.text);
        notices.extend(guard::notice("the answer", &found));
        let mut sources = prepared.prompt.sources.clone();
        let unknown_citations = cite::check(&text, &mut sources).unknown;
        let status = match said.end {
            End::Complete => AnswerStatus::Complete,
            End::Cancelled => AnswerStatus::Cancelled,
            End::Failed(_) => AnswerStatus::Failed,
        };
        let mut result = ChatResult {
            conversation_id: prepared.is_stored().then_some(prepared.conversation_id),
            question_id: prepared.is_stored().then_some(prepared.question_id),
            answer_id: None,
            content: text,
            model: prepared.model_name(),
            status,
            sources,
            unknown_citations,
            usage: said.usage,
            notices,
        };
        // of an answer that ended before its first word there is nothing to keep
        if prepared.is_stored() && (status == AnswerStatus::Complete || !result.content.is_empty()) {
            result.answer_id = Some(self.store_answer(prepared, actor, &result).await?);
        }
        Ok(match said.end {
            End::Complete => ChatEvent::Done(result),
            End::Cancelled => ChatEvent::Cancelled(result),
            End::Failed(error) => {
                tracing::warn!(error = error.full_text(), "the model did not answer to the end");
                let partial = result.answer_id.is_some().then_some(result);
                ChatEvent::error(&error, partial)
            }
        })
    }

    async fn say(
        &self,
        prepared: &Prepared,
        events: &mpsc::Sender<ChatEvent>,
        cancel: &CancellationToken,
    ) -> Said {
        match &prepared.choice {
            Choice::Model(model) => self.ask_model(model, prepared, events, cancel).await,
            Choice::Extractive { .. } => {
                let text = extract::answer(&prepared.params.content, &prepared.prompt.sources);
                let end = match events.send(ChatEvent::Delta { text: text.clone() }).await {
                    Ok(()) => End::Complete,
                    Err(_) => End::Cancelled,
                };
                Said { text, usage: None, end }
            }
        }
    }

    async fn ask_model(
        &self,
        model: &ModelChoice,
        prepared: &Prepared,
        events: &mpsc::Sender<ChatEvent>,
        cancel: &CancellationToken,
    ) -> Said {
        let llm = self.llm();
        let asked = tokio::select! {
            asked = llm.answer(model, prepared.prompt.messages.clone()) => asked,
            () = cancel.cancelled() => return Said::nothing(End::Cancelled),
        };
        let mut answer = match asked {
            Ok(answer) => answer,
            Err(error) => return Said::nothing(End::Failed(error)),
        };
        let mut said = Said::nothing(End::Complete);
        loop {
            let piece = tokio::select! {
                piece = answer.next() => piece,
                () = cancel.cancelled() => {
                    said.end = End::Cancelled;
                    return said;
                }
            };
            match piece {
                Some(Ok(Piece::Text(text))) => {
                    said.text.push_str(&text);
                    let sent = tokio::select! {
                        sent = events.send(ChatEvent::Delta { text }) => sent.is_ok(),
                        () = cancel.cancelled() => false,
                    };
                    if !sent {
                        said.end = End::Cancelled;
                        return said;
                    }
                }
                Some(Ok(Piece::End(usage))) => said.usage = Some(usage),
                Some(Err(error)) => {
                    said.end = End::Failed(error);
                    return said;
                }
                None => return said,
            }
        }
    }
}

impl Said {
    fn nothing(end: End) -> Self {
        Self { text: String::new(), usage: None, end }
    }
}
