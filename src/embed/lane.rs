//! One named thread that owns a session of the network and works off one kind of text.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::golden::Role;
use super::network::{Loading, Network};
use super::passage::{Embedding, Passage};
use super::session::SharedTokenizer;
use crate::error::{Doing, Error, Kind, Result};

/// The pause in the work after which the memory that it took goes back to the system.
const GIVE_BACK_AFTER: Duration = Duration::from_secs(1);

/// What the network made of each passage, or what was wrong with it.
type Embeddings = Vec<Result<Embedding>>;

/// What a lane is for.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) role: Role,
    pub(super) name: &'static str,
    /// Calls that may wait; further callers wait for a place.
    pub(super) queue: usize,
    /// How far the thread, and with it the session's threads, steps back behind other programs.
    pub(super) niceness: i32,
    pub(super) unload_after: Option<Duration>,
    pub(super) loading: Loading,
    /// What the folder's fingerprint must be whenever the network is loaded.
    pub(super) fingerprint: String,
    pub(super) tokenizer: Arc<SharedTokenizer>,
}

/// The handle of the thread.
#[derive(Debug)]
pub(super) struct Lane {
    messages: Sender<Message>,
    places: Arc<Semaphore>,
    signs: Arc<Signs>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread and its handle tell each other beside the queue.
#[derive(Debug, Default)]
struct Signs {
    is_loaded: AtomicBool,
    is_stopping: AtomicBool,
}

enum Message {
    Open(oneshot::Sender<Result<usize>>),
    Embed(Job),
    Stop,
}

struct Job {
    passages: Vec<Passage>,
    answer: oneshot::Sender<Result<Embeddings>>,
    /// The job's place in the queue; given back when the job is done or dropped.
    _place: OwnedSemaphorePermit,
}

impl Lane {
    pub(super) fn start(terms: Terms) -> Result<Self> {
        let (messages, received) = channel();
        let places = Arc::new(Semaphore::new(terms.queue));
        let signs = Arc::new(Signs::default());
        let worker = Worker { terms, signs: Arc::clone(&signs), network: None, has_worked: false };
        let thread = Builder::new()
            .name(worker.terms.name.to_owned())
            .spawn(move || worker.run(&received))
            .doing(Kind::Internal, "start an embedding thread")?;
        Ok(Self { messages, places, signs, thread: Mutex::new(Some(thread)) })
    }

    /// Loads the network, checks its golden vectors and answers its dimension.
    pub(super) async fn open(&self) -> Result<usize> {
        let (answer, dimension) = oneshot::channel();
        self.messages.send(Message::Open(answer)).map_err(|_| stopped())?;
        dimension.await.map_err(|_| stopped())?
    }

    pub(super) async fn embed(&self, passages: Vec<Passage>) -> Result<Embeddings> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| stopped())?;
        let (answer, embeddings) = oneshot::channel();
        let job = Job { passages, answer, _place: place };
        self.messages.send(Message::Embed(job)).map_err(|_| stopped())?;
        // The thread drops the answer unsent only where it stops.
        embeddings.await.map_err(|_| stopped())?
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.signs.is_loaded.load(Ordering::Acquire)
    }

    /// Tells the thread to end after the batch it is at, and answers the handle to wait for.
    pub(super) fn stop(&self) -> Option<JoinHandle<()>> {
        self.signs.is_stopping.store(true, Ordering::Release);
        self.places.close();
        // It may have ended already.
        let _ = self.messages.send(Message::Stop);
        self.thread.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take()
    }
}

struct Worker {
    terms: Terms,
    signs: Arc<Signs>,
    network: Option<Network>,
    /// Since memory was last given back.
    has_worked: bool,
}

impl Worker {
    fn run(mut self, messages: &Receiver<Message>) {
        step_back(self.terms.niceness);
        loop {
            let message = self.wait(messages);
            match message {
                Ok(_) if self.signs.is_stopping.load(Ordering::Acquire) => break,
                Ok(Message::Open(answer)) => {
                    // Whoever asked may be gone; the network is loaded all the same.
                    let _ = answer.send(self.caught(|worker| worker.network()?.prove()));
                }
                Ok(Message::Embed(job)) => self.work(job),
                Err(RecvTimeoutError::Timeout) => self.unload(),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.unload();
    }

    /// The next message, or [`RecvTimeoutError::Timeout`] when the model has been idle long enough to be unloaded.
    fn wait(&mut self, messages: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
        let patience = self.terms.unload_after.filter(|_| self.network.is_some());
        if self.has_worked {
            let pause = patience.map_or(GIVE_BACK_AFTER, |idle| idle.min(GIVE_BACK_AFTER));
            match messages.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                message => return message,
            }
            self.has_worked = false;
            give_back();
        }
        match patience {
            Some(idle) => messages.recv_timeout(idle.saturating_sub(GIVE_BACK_AFTER)),
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn work(&mut self, job: Job) {
        let Job { passages, answer, _place } = job;
        if answer.is_closed() {
            return;
        }
        let (role, signs) = (self.terms.role, Arc::clone(&self.signs));
        let result = self.caught(|worker| {
            worker.network()?.embed(role, &passages, || {
                if signs.is_stopping.load(Ordering::Acquire) {
                    Err(stopped())
                } else if answer.is_closed() {
                    Err(Error::new(Kind::Cancelled, "embed texts: the caller is gone"))
                } else {
                    Ok(())
                }
            })
        });
        let _ = answer.send(result);
    }

    /// A panic costs the call, and the session it may have broken, not the thread.
    fn caught<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.has_worked = true;
        let caught = catch_unwind(AssertUnwindSafe(|| work(self)));
        caught.unwrap_or_else(|_| {
            self.unload();
            Err(Error::internal("embed texts: the embedding thread met a fault in the program"))
        })
    }

    fn network(&mut self) -> Result<&mut Network> {
        let network = match self.network.take() {
            Some(network) => network,
            None => self.load()?,
        };
        Ok(self.network.insert(network))
    }

    fn load(&self) -> Result<Network> {
        let Terms { loading, fingerprint, tokenizer, .. } = &self.terms;
        if loading.folder.fingerprint()? != *fingerprint {
            let what = format!("load the embedding model {}: its files have changed", loading.folder.name);
            return Err(
                Error::new(Kind::ModelUnavailable, what).hint("restart the daemon to use the new files")
            );
        }
        let network = Network::load(loading, tokenizer)?;
        self.signs.is_loaded.store(true, Ordering::Release);
        tracing::debug!(thread = self.terms.name, model = loading.folder.name, "loaded the embedding model");
        Ok(network)
    }

    fn unload(&mut self) {
        if self.network.take().is_some() {
            self.signs.is_loaded.store(false, Ordering::Release);
            give_back();
            tracing::debug!(thread = self.terms.name, "unloaded the embedding model");
        }
    }
}

/// Lowers this thread's priority. Threads inherit it, so the session's own threads step back with it.
fn step_back(niceness: i32) {
    // Only Linux has priorities for single threads; elsewhere this would slow down the whole daemon.
    if cfg!(target_os = "linux")
        && niceness > 0
        && let Err(error) = rustix::process::setpriority_process(None, niceness.min(19))
    {
        tracing::debug!(%error, "the embedding thread keeps its priority");
    }
}

/// Gives freed memory back to the system: the allocator would keep a model's worth of it.
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: the C library's own function, which takes a number and may be called by any thread at any time.
        unsafe { malloc_trim(0) };
    }
}

fn stopped() -> Error {
    Error::new(Kind::Busy, "embed texts: the embedder is stopping")
}
