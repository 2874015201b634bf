//! Which questions are being answered right now.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::model::MessageId;

/// The questions that are being answered, by id, so that they can be cancelled.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<MessageId, CancellationToken>>>);

impl Running {
    /// False where the question is being answered already: twice would store two answers.
    pub(super) fn add(&self, question: MessageId, cancel: CancellationToken) -> bool {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match running.entry(question) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(cancel);
                true
            }
        }
    }

    /// The answer has ended.
    pub(super) fn remove(&self, question: MessageId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&question);
    }

    /// Whether there was an answer to end.
    pub(super) fn cancel(&self, question: MessageId) -> bool {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&question).cloned();
        found.map(|token| token.cancel()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_once_at_a_time() {
        let (running, question) = (Running::default(), MessageId::new());
        assert!(running.add(question, CancellationToken::new()));
        assert!(!running.add(question, CancellationToken::new()));
        running.remove(question);
        assert!(running.add(question, CancellationToken::new()));
    }
}
