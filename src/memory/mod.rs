//! What nosso does, apart from how it is reached: keep conversations and memories, find them again, answer
//! with them. Every edge (socket, terminal, bridges) calls these verbs; only the worker calls [`Memory::tick`].

mod answer;
mod apply;
mod ask;
mod asked;
mod backup;
mod capture;
mod check;
mod chunk;
mod cite;
mod conversations;
mod events;
mod export;
mod extract;
mod fence;
mod find;
mod forget;
mod fusion;
mod generations;
mod guard;
mod highlight;
mod json;
mod language;
mod meaning;
mod memories;
mod messages;
mod narrow;
mod notes;
mod organise;
mod prefixes;
pub mod prompt;
mod propose;
mod recall;
mod reflect;
mod repeats;
mod rerank;
mod retry;
mod scope;
mod sentence;
mod share;
mod shares;
mod similar;
mod stats;
mod status;
mod suggest;
mod summaries;
mod system;
mod task;
mod templates;
mod tick;
mod tokens;
mod transfer;
mod trash;
mod tree;
mod watches;
pub mod when;
mod window;
mod wording;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use ask::Asking;
pub use backup::restore_closed;
pub use capture::{CapturedFile, Progress};
pub use chunk::CHUNKER_VERSION;
pub use events::{Actor, Events, Told};
pub use tick::Outcome;

use crate::config::Config;
use crate::error::Result;
use crate::llm::Llm;
use crate::model::{ConversationId, Timestamp};
use crate::paths::Paths;
use crate::store::{self, Store};
use generations::Generations;

/// What a [`Memory`] is opened with.
pub struct Options {
    /// Where its files are.
    pub paths: Paths,
    /// The config file, for those who ask where it is.
    pub config_file: PathBuf,
    /// The settings.
    pub config: Config,
    /// The runtime library that the environment names (`ORT_DYLIB_PATH`).
    pub runtime_library: Option<OsString>,
}

/// The application. A cheap clone: all clones are one.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    paths: Paths,
    config_file: PathBuf,
    config: RwLock<Arc<Config>>,
    llm: RwLock<Llm>,
    store: Store,
    generations: Generations,
    reranker: rerank::Configured,
    events: Events,
    captures: capture::Captures,
    running: retry::Running,
    /// Answers that are being written; they end, or are ended, before the store closes.
    tasks: TaskTracker,
    /// Ends what is told piece by piece: subscriptions, exports, answers that are read while they are written.
    stop: CancellationToken,
    /// Ends the answers that somebody waits for as a whole.
    stop_answers: CancellationToken,
    /// There is work for the worker.
    wake: Notify,
    /// There is something to reflect on.
    reflections: Notify,
    /// Conversations that outgrew the model's context.
    to_summarize: Mutex<VecDeque<ConversationId>>,
    /// The conversation whose reading for memories failed last, and how often in a row.
    failures: Mutex<Option<(ConversationId, u32)>>,
    started: (Instant, Timestamp),
    /// Jobs that waited when the worker last looked.
    waiting: AtomicU64,
    /// Jobs of a step that failed, until they are given back.
    unfinished: Mutex<Vec<store::LeasedJob>>,
    /// Held by what forgets, and by a backup that takes the database's place: one after the other.
    forgetting: Arc<tokio::sync::Mutex<()>>,
    /// A receipt has changed.
    forgotten: Notify,
    /// Milliseconds from `started` to the worker's last sign of life.
    heartbeat: AtomicU64,
}

impl Memory {
    /// Opens the store, upgrading it if need be. The vector index and the model are opened by the worker's first
    /// [`Memory::tick`], so that this is quick; until then searches go by words.
    pub async fn open(options: Options) -> Result<Self> {
        let Options { paths, config_file, config, runtime_library } = options;
        let llm = Llm::new(&config.chat)?;
        let store = Store::open(store::Options {
            database: paths.database(),
            backups: paths.backups(),
            durability: config.store.durability,
        })
        .await?;
        let inner = Inner {
            generations: Generations::new(paths.clone(), runtime_library),
            reranker: rerank::Configured::default(),
            paths,
            config_file,
            config: RwLock::new(Arc::new(config)),
            llm: RwLock::new(llm),
            store,
            events: Events::new(),
            captures: capture::Captures::default(),
            running: retry::Running::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            stop_answers: CancellationToken::new(),
            wake: Notify::new(),
            reflections: Notify::new(),
            to_summarize: Mutex::default(),
            failures: Mutex::default(),
            started: (Instant::now(), Timestamp::now()),
            waiting: AtomicU64::new(0),
            unfinished: Mutex::default(),
            forgetting: Arc::default(),
            forgotten: Notify::new(),
            heartbeat: AtomicU64::new(0),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Takes new settings over. What a running daemon cannot change (the socket, the durability) stays.
    pub async fn reload(&self, config: &Config) -> Result<()> {
        let llm = Llm::new(&config.chat)?;
        *self.0.llm.write().unwrap_or_else(PoisonError::into_inner) = llm;
        *self.0.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config.clone());
        self.0.generations.settings_changed();
        self.0.captures.change();
        self.wake();
        self.0.reflections.notify_one();
        Ok(())
    }

    /// Whether the store answers, reading and writing.
    pub async fn ping(&self) -> Result<()> {
        self.0.store.ping().await
    }

    /// Ends the answers that are being written, keeping what there is, then closes the index and the store.
    /// Stop the worker and the sockets first.
    pub async fn close(&self) -> Result<()> {
        self.stop();
        self.stop_answers();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.generations.close().await;
        self.0.store.close().await
    }

    /// Where changes are told.
    pub fn events(&self) -> &Events {
        &self.0.events
    }

    /// Completes when the daemon stops; streams end then.
    pub async fn stopping(&self) {
        self.0.stop.cancelled().await;
    }

    /// Tells streams to end, ahead of [`Memory::close`]. Answers that somebody waits for as a whole go on.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    /// Tells these to end too: they are answered with what there is.
    pub fn stop_answers(&self) {
        self.0.stop_answers.cancel();
    }

    /// Waits until there is work for the worker, `limit` at most.
    pub async fn work_arrived(&self, limit: Duration) {
        // running out of time is an answer too: the worker looks again
        let _ = tokio::time::timeout(limit, self.0.wake.notified()).await;
    }

    /// Whether the worker gave a sign of life within `limit`.
    pub fn worker_alive(&self, limit: Duration) -> bool {
        let last = Duration::from_millis(self.0.heartbeat.load(Ordering::Relaxed));
        self.0.started.0.elapsed().saturating_sub(last) <= limit
    }

    pub(crate) fn beat(&self) {
        let now = self.0.started.0.elapsed().as_millis();
        self.0.heartbeat.store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn wake(&self) {
        self.0.wake.notify_one();
    }

    fn config(&self) -> Arc<Config> {
        self.0.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn llm(&self) -> Llm {
        self.0.llm.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn store(&self) -> &Store {
        &self.0.store
    }
}
