//! What the language model does after answers, one step at a time: sums conversations up that outgrew its context,
//! and proposes memories. The worker calls it in a loop of its own, for a model is slow.

use std::sync::PoisonError;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::ask::Prepared;
use super::{Memory, Outcome};
use crate::error::Result;
use crate::llm::Choice;
use crate::model::{ConversationId, Message, Role, Timestamp};

/// Conversations that wait to be summed up at most; one that is turned away comes back with its next answer.
const MAX_WAITING: usize = 64;

impl Memory {
    /// Notes what an answer gives reason to do.
    pub(super) async fn reflect_on(&self, prepared: &Prepared) {
        let Choice::Model(_) = &prepared.choice else { return };
        let config = self.config();
        if config.chat.summarize && prepared.prompt.n_turns_left_out > 0 {
            self.want_summary(prepared.conversation_id);
            self.0.reflections.notify_one();
        }
        self.read_for_memories(prepared.conversation_id).await;
    }

    /// Notes that the person said something in a conversation that a client keeps here.
    pub(super) async fn reflect_on_said(&self, conversation: ConversationId, messages: &[&Message]) {
        if messages.iter().any(|message| message.role == Role::User) {
            self.read_for_memories(conversation).await;
        }
    }

    async fn read_for_memories(&self, conversation: ConversationId) {
        if !self.config().memory.extract.enabled {
            return;
        }
        match self.store().want_extraction(conversation).await {
            Ok(()) => self.0.reflections.notify_one(),
            // the message is stored, and the next one brings the conversation back
            Err(error) => {
                tracing::warn!(error = error.full_text(), "note a conversation to be read for memories")
            }
        }
    }

    fn want_summary(&self, conversation: ConversationId) {
        let mut waiting = self.0.to_summarize.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.contains(&conversation) && waiting.len() < MAX_WAITING {
            waiting.push_back(conversation);
        }
    }

    /// Does one step. Cancelling `stop` ends it, and what it had begun is begun again another time.
    pub async fn reflect(&self, stop: &CancellationToken) -> Result<Outcome> {
        let waiting = self.0.to_summarize.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let work = async {
            match waiting {
                Some(conversation) => {
                    self.sum_up_outgrown(conversation).await?;
                    Ok(Outcome::Worked)
                }
                None => self.extract(Timestamp::now()).await,
            }
        };
        tokio::select! {
            done = work => done,
            () = stop.cancelled() => Ok(Outcome::Idle(None)),
        }
    }

    /// Waits until there is something to reflect on, `limit` at most.
    pub async fn reflection_wanted(&self, limit: Duration) {
        // running out of time is an answer too
        let _ = tokio::time::timeout(limit, self.0.reflections.notified()).await;
    }
}
