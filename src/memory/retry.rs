//! Asking the same question again: one that is being answered is not asked twice, and one that was answered is
//! answered from what is stored.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::ask::question_text;
use super::{Memory, cite};
use crate::api::Patch;
use crate::api::chat::{ChatParams, ChatResult};
use crate::api::limits::{MAX_CONTENT_BYTES, MAX_PAGE, MAX_QUERY_BYTES};
use crate::api::message::{MessageList, MessagePath};
use crate::error::{Error, Kind, Result};
use crate::model::{AnswerStatus, Message, MessageId, Role};
use crate::secrets;

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
        let is_other =
            stored.edited_at.is_none() && !secrets::is_same(&stored.content, &question_text(params));
        if is_elsewhere || is_other || stored.role != Role::User {
            let found = format!("the message {id} is stored with another text, role or conversation");
            return Err(Error::new(Kind::Conflict, found).hint("ask with a new messageId"));
        }
        Ok(Some(stored))
    }

    /// The stored question that is to be answered again; the parameters become those with which it was asked.
    pub(super) async fn asked_again(&self, params: &mut ChatParams) -> Result<Option<Message>> {
        let Some(id) = params.regenerate else { return Ok(None) };
        let named = self.store().message(id).await?;
        let question = match (named.role, named.parent_id) {
            (Role::Assistant, Some(parent)) => self.store().message(parent).await?,
            _ => named,
        };
        let is_elsewhere = params.conversation_id.is_some_and(|wanted| wanted != question.conversation_id);
        if question.role != Role::User || is_elsewhere {
            let found = format!("the message {id} is no question of this conversation and no answer to one");
            return Err(Error::invalid(found).hint("give the id of a stored question, or of an answer to it"));
        }
        // a question may have been stored with a text that is too long to search with
        let end = question.content.floor_char_boundary(MAX_QUERY_BYTES);
        let (content, rest) = question.content.split_at(end);
        params.content = content.to_owned();
        params.attachment = (!rest.is_empty()).then(|| rest.to_owned());
        params.conversation_id = Some(question.conversation_id);
        params.message_id = Some(question.id);
        params.parent_id = question.parent_id.map_or(Patch::Clear, Patch::Set);
        Ok(Some(question))
    }

    /// What came after a question so far: the other answers to it, and the branch that is shown. An answer again is not
    /// to be made from them.
    pub(super) async fn said_after(&self, question: MessageId) -> Result<Vec<Message>> {
        let conversation = self.store().message(question).await?.conversation_id;
        let mut after = self.store().branch(conversation, None, MAX_CONTENT_BYTES).await?;
        let place = after.iter().position(|message| message.id == question).unwrap_or(after.len());
        after.drain(..place);
        let answers = MessageList {
            conversation_id: conversation,
            path: MessagePath::All,
            parent_id: Patch::Set(question),
            newest_first: true,
            limit: Some(MAX_PAGE),
            cursor: None,
        };
        after.extend(self.store().messages(answers).await?.items);
        Ok(after)
    }

    /// The stored answer, if this was asked before and answered to the end: the one that the client named, or else any
    /// to the same question where it is not to be answered again.
    ///
    /// Errors: `Conflict` where the id of the answer stands for something else.
    pub(super) async fn answered_before(
        &self,
        params: &ChatParams,
        asked: Option<&Message>,
    ) -> Result<Option<ChatResult>> {
        let named = match params.answer_id {
            Some(id) => self.store().message_if_any(id).await?,
            None => None,
        };
        let Some(question) = asked.filter(|_| named.is_some() || params.regenerate.is_none()) else {
            return match named {
                Some(taken) => Err(taken_id(taken.id)),
                None => Ok(None),
            };
        };
        let answer = match named {
            Some(answer)
                if answer.parent_id == Some(question.id) && answer.status == Some(AnswerStatus::Complete) =>
            {
                Some(answer)
            }
            Some(taken) => return Err(taken_id(taken.id)),
            None => self.store().answer_to(question.id).await?,
        };
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

fn taken_id(id: MessageId) -> Error {
    Error::new(
        Kind::Conflict,
        format!("the answerId {id} stands for another message, or for an answer that was cut off"),
    )
    .hint("ask with a new answerId")
}
