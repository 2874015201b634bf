//! What a call may do before its method runs, and taking a running call back.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use futures_util::future::{Either, select};
use jsonrpsee::MethodCallback;
use jsonrpsee::types::{ErrorObjectOwned, Id};
use tokio::sync::oneshot;

use super::fault;

/// The notification by which a client takes a request back (language servers know it by this name).
pub const CANCEL: &str = "$/cancelRequest";

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// By itself.
    Single,
    /// As an entry of a batch.
    Batch,
    /// As something whose answer nobody waits for.
    Notification,
}

/// Whether the connection outlives the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// More messages may come and go.
    Stays,
    /// One request, one answer.
    OneAnswer,
}

/// Why the method must not run here, if it must not.
pub fn refusal(name: &str, callback: &MethodCallback, place: Place, life: Life) -> Option<ErrorObjectOwned> {
    let (begins, ends) = match callback {
        MethodCallback::Subscription(_) => (true, false),
        MethodCallback::Unsubscription(_) => (false, true),
        MethodCallback::Sync(_) | MethodCallback::Async(_) => return None,
    };
    if life == Life::OneAnswer {
        return Some(fault::subscription_over_http(name));
    }
    // A batch is answered as one message, but a subscription is answered by itself and then goes on; and one that
    // nobody waits for could never be ended.
    (begins && !ends && place != Place::Single).then(|| fault::subscription_in_batch(name))
}

/// The requests of one connection that run, and can be taken back.
#[derive(Debug, Default)]
pub struct Running {
    calls: Mutex<HashMap<Id<'static>, oneshot::Sender<()>>>,
}

impl Running {
    /// Runs `work`; None: the request `id` was taken back, and `work` is dropped.
    ///
    /// Work that is done at the first try is never entered into the table: most calls only look something up.
    pub async fn run<T>(&self, id: &Id<'_>, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        if let Poll::Ready(done) = futures_util::poll!(work.as_mut()) {
            return Some(done);
        }
        if matches!(id, Id::Null) {
            return Some(work.await);
        }
        let (_entry, taken_back) = self.enter(id.clone().into_owned());
        match select(work, taken_back).await {
            Either::Left((done, _)) => Some(done),
            Either::Right((Ok(()), _)) => None,
            // A second request with the same id took the place in the table: this one cannot be named any more.
            Either::Right((Err(_), work)) => Some(work.await),
        }
    }

    /// Takes a request back; false: none of that id runs.
    pub fn cancel(&self, id: &Id<'_>) -> bool {
        let sender = self.lock().remove(&id.clone().into_owned());
        sender.is_some_and(|sender| sender.send(()).is_ok())
    }

    fn enter(&self, id: Id<'static>) -> (Entry<'_>, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(id.clone(), sender);
        (Entry { running: self, id }, receiver)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Id<'static>, oneshot::Sender<()>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves the table when its call ends in any way.
struct Entry<'a> {
    running: &'a Running,
    id: Id<'static>,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let mut calls = self.running.lock();
        // A sender whose receiver lives belongs to a later request with the same id.
        if calls.get(&self.id).is_some_and(oneshot::Sender::is_closed) {
            calls.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_running_call_is_taken_back_by_its_id() {
        let running = Running::default();
        let id = Id::Str("a".into());
        let call = running.run(&id, std::future::pending::<()>());
        let cancel = async { assert!(running.cancel(&Id::Str("a".into()))) };
        let (outcome, ()) = tokio::join!(call, cancel);
        assert_eq!(outcome, None);
        assert!(!running.cancel(&id), "it has left the table");
    }

    #[tokio::test]
    async fn numbers_and_strings_are_different_ids() {
        let running = Running::default();
        let (sender, receiver) = oneshot::channel::<u8>();
        let call = running.run(&Id::Number(1), receiver);
        let other = async {
            assert!(!running.cancel(&Id::Str("1".into())));
            sender.send(7).unwrap();
        };
        let (outcome, ()) = tokio::join!(call, other);
        assert_eq!(outcome, Some(Ok(7)));
    }

    #[tokio::test]
    async fn a_second_call_of_the_same_id_takes_the_name_but_not_the_answer() {
        let running = Running::default();
        let id = Id::Number(1);
        let (sender, receiver) = oneshot::channel::<u8>();
        let first = running.run(&id, receiver);
        let second = running.run(&id, std::future::pending::<()>());
        let other = async {
            sender.send(7).unwrap();
            tokio::task::yield_now().await;
            assert!(running.cancel(&id));
        };
        let (first, second, ()) = tokio::join!(first, second, other);
        assert_eq!((first, second), (Some(Ok(7)), None));
    }
}
