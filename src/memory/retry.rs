//! Asking the same question again: one that is being answered is not asked twice, and one that was answered is
//! answered from what is stored.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::ask::question_text;
use super::{Memory, cite};
use crate::api::chat::{ChatParams, ChatResult};
use crate::error::{Error, Kind, Result};
use crate::model::{AnswerStatus, Message, MessageId, Role};

/// The questions that are being answered, by id, so that they can be cancelled. A cheap clone.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<MessageId, CancellationToken>>>);

/// The right to answer a question; it ends when dropped.
pub(super) struct Claim {
    running: Running,
    question: MessageId,
}

impl Running {
    /// Takes a question on. Errors: `Busy` where it is being answered already.
    pub(super) fn claim(&self, question: MessageId, cancel: CancellationToken) -> Result<Claim> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(question) {
            Entry::Vacant(place) => {
                place.insert(cancel);
                Ok(Claim { running: self.clone(), question })
            }
            Entry::Occupied(_) => {
                let found = format!("the question {question} is being answered already");
                Err(Error::new(Kind::Busy, found).hint("wait for that answer, or stop it with chat.cancel"))
            }
        }
    }

    /// Stops the answer to a question; false where none is being written.
    pub(super) fn cancel(&self, question: MessageId) -> bool {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&question).cloned();
        found.map(|token| token.cancel()).is_some()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.question);
    }
}

impl Memory {
    /// The question as it is stored, where it was asked before.
    ///
    /// Errors: `Conflict` where its id stands for something else.
    pub(super) async fn asked_before(&self, params: &ChatParams) -> Result<Option<Message>> {
        let Some(id) = params.message_id else { return Ok(None) };
        let Some(stored) = self.store().message_if_any(id).await? else { return Ok(None) };
        let is_elsewhere = params.conversation_id.is_some_and(|wanted| wanted != stored.conversation_id);
        // a text that was changed since cannot be compared
        let is_other = stored.edited_at.is_none() && stored.content != question_text(params);
        if is_elsewhere || is_other || stored.role != Role::User {
            let found = format!("the message {id} is stored with another text, role or conversation");
            return Err(Error::new(Kind::Conflict, found).hint("ask with a new messageId"));
        }
        Ok(Some(stored))
    }

    /// The stored answer to a question, if it was answered to the end.
    pub(super) async fn answered_before(&self, asked: Option<&Message>) -> Result<Option<ChatResult>> {
        let Some(question) = asked else { return Ok(None) };
        let answer = self.store().answer_to(question.id).await?;
        Ok(answer.map(|answer| {
            let unknown_citations = cite::check(&answer.content, &mut answer.sources.clone()).unknown;
            ChatResult {
                conversation_id: Some(answer.conversation_id),
                question_id: Some(question.id),
                answer_id: Some(answer.id),
                content: answer.content,
                model: answer.model.unwrap_or_default(),
                status: AnswerStatus::Complete,
                sources: answer.sources,
                unknown_citations,
                usage: answer.usage,
                notices: Vec::new(),
            }
        }))
    }
}
