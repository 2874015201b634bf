//! The embedder: a handle of two threads, one for questions and one for stored texts.
//!
//! Each thread owns a session of the same model. A question therefore never waits for a batch of the backlog: its
//! thread runs at normal priority and takes the processor from the other, which steps back (a thread without
//! privileges can lower its priority, but never raise it again, so one thread could not do both). The second session
//! costs some 40 MB while there are texts to embed; it leaves memory soon after the last of them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use super::directory::ModelFolder;
use super::golden::Role;
use super::lane::{Lane, Terms};
use super::network::{Loading, Network};
use super::passage::{Embedding, Passage};
use crate::error::{Doing, Error, Kind, Result};

/// Questions that may wait. Each takes some milliseconds, so the last of them waits for a fraction of a second.
const QUERY_QUEUE: usize = 32;

/// Calls with stored texts that may wait: one is worked on, one is ready.
const PASSAGE_QUEUE: usize = 2;

/// Texts of one call at most; a caller with more makes more calls, so that stopping never waits for long.
const MOST_PASSAGES: usize = 1024;

/// How long the session for stored texts stays without work: long enough for the next message of a conversation that
/// is going on, and loading it again takes a fifth of a second.
const PASSAGES_LINGER: Duration = Duration::from_secs(60);

/// What an embedder needs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the runtime library may be, best first; see [`super::candidates`].
    pub library: Vec<PathBuf>,
    /// The model's folder.
    pub model: PathBuf,
    /// Threads for one run.
    pub threads: usize,
    /// How far the work on stored texts steps back behind other programs, 0 to 19. Questions never step back.
    pub niceness: i32,
    /// The time without work after which the model leaves memory; None: never.
    pub unload_after: Option<Duration>,
}

/// What is known of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// Its name.
    pub name: String,
    /// A hexadecimal SHA-256 of its files and settings. Vectors of different fingerprints cannot be compared.
    pub fingerprint: String,
    /// Numbers of a vector.
    pub dimension: usize,
    /// Tokens of a text at most; what is longer is cut.
    pub max_tokens: usize,
}

/// Embeds texts. A cheap clone of one handle; the threads end when [`Embedder::stop`] is called or the last clone is
/// dropped.
#[derive(Debug, Clone)]
pub struct Embedder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    model: ModelInfo,
    queries: Lane,
    passages: Lane,
}

impl Embedder {
    /// Loads the library and the model and checks the model's golden vectors. Errors: [`Kind::ModelUnavailable`] where
    /// library or model are not there, [`Kind::Corrupt`] where the model is not what it should be,
    /// [`Kind::Unsupported`] where it is no text embedding model; each with a hint.
    pub async fn start(options: Options) -> Result<Self> {
        let Options { library, model, threads, niceness, unload_after } = options;
        let (folder, fingerprint) = tokio::task::spawn_blocking(move || {
            let folder = ModelFolder::open(&model)?;
            let fingerprint = folder.fingerprint()?;
            Ok::<_, Error>((folder, fingerprint))
        })
        .await
        .doing(Kind::Internal, "open the embedding model")??;
        let loading = Loading { library, folder: folder.clone(), threads };
        let tokenizer = Arc::new(Mutex::new(Weak::new()));
        let terms = |role, name, queue, niceness, unload_after| Terms {
            role,
            name,
            queue,
            niceness,
            unload_after,
            loading: loading.clone(),
            fingerprint: fingerprint.clone(),
            tokenizer: Arc::clone(&tokenizer),
        };
        let linger = unload_after.map(|idle| idle.min(PASSAGES_LINGER)).or(Some(PASSAGES_LINGER));
        let queries = Lane::start(terms(Role::Query, "embed-query", QUERY_QUEUE, 0, unload_after))?;
        let passages = Lane::start(terms(Role::Passage, "embed-passage", PASSAGE_QUEUE, niceness, linger))?;
        let opened = queries.open().await;
        let (name, max_tokens) = (folder.name, folder.max_tokens);
        let model = |dimension| ModelInfo { name, fingerprint, dimension, max_tokens };
        match opened {
            Ok(dimension) => {
                Ok(Self { shared: Arc::new(Shared { model: model(dimension), queries, passages }) })
            }
            Err(error) => {
                join([queries.stop(), passages.stop()]).await;
                Err(error)
            }
        }
    }

    /// The model.
    pub fn model(&self) -> &ModelInfo {
        &self.shared.model
    }

    /// Whether both are handles of one model.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether the model is in memory now. It is loaded again when it is needed.
    pub fn is_loaded(&self) -> bool {
        self.shared.queries.is_loaded() || self.shared.passages.is_loaded()
    }

    /// A question's vector and the vectors of its tokens. Errors: [`Kind::Invalid`] for an empty text,
    /// [`Kind::Busy`] while stopping, [`Kind::ModelUnavailable`] where the model could not be loaded again.
    pub async fn embed_query(&self, text: String) -> Result<Embedding> {
        let embeddings = self.shared.queries.embed(vec![Passage::from(text)]).await?;
        embeddings
            .into_iter()
            .next()
            .unwrap_or_else(|| Err(Error::internal("embed a question: no vector came")))
    }

    /// What the network makes of stored texts, each read in its context, in order, or what was wrong with one
    /// ([`Kind::Invalid`] where it is empty). At most 1,024 texts a call; the vectors of their tokens are 1.5 kB a
    /// token with the default model. Errors: as for a question, and [`Kind::TooLarge`].
    pub async fn embed_passages(&self, passages: Vec<Passage>) -> Result<Vec<Result<Embedding>>> {
        if passages.len() > MOST_PASSAGES {
            let what = format!("embed {} texts: one call takes {MOST_PASSAGES} at most", passages.len());
            return Err(Error::new(Kind::TooLarge, what));
        }
        if passages.is_empty() {
            return Ok(Vec::new());
        }
        self.shared.passages.embed(passages).await
    }

    /// Ends the threads after the batch they are at, and waits for them. Calls that wait get [`Kind::Busy`].
    pub async fn stop(&self) {
        join([self.shared.queries.stop(), self.shared.passages.stop()]).await;
    }
}

/// Loads a model once, checks its golden vectors and drops it: what a set-up asks. Blocks. Errors: as
/// [`Embedder::start`].
pub fn check(library: &[PathBuf], model: &Path) -> Result<ModelInfo> {
    let folder = ModelFolder::open(model)?;
    let fingerprint = folder.fingerprint()?;
    let loading = Loading { library: library.to_vec(), folder: folder.clone(), threads: 1 };
    let dimension = Network::load(&loading, &Mutex::new(Weak::new()))?.prove()?;
    Ok(ModelInfo { name: folder.name, fingerprint, dimension, max_tokens: folder.max_tokens })
}

/// The time that `texts` take in batches of `rows` as they come, padded to the longest, loading not counted: how
/// embedding is usually done, and what the benchmark compares [`Embedder::embed_passages`] with. Blocks.
pub fn time_of_plain_batches(options: &Options, texts: &[String], rows: usize) -> Result<Duration> {
    let folder = ModelFolder::open(&options.model)?;
    let loading = Loading { library: options.library.clone(), folder, threads: options.threads };
    let mut network = Network::load(&loading, &Mutex::new(Weak::new()))?;
    let begin = Instant::now();
    for batch in texts.chunks(rows.max(1)) {
        network.embed_padded(Role::Passage, batch)?;
    }
    Ok(begin.elapsed())
}

async fn join(threads: [Option<std::thread::JoinHandle<()>>; 2]) {
    let waited = tokio::task::spawn_blocking(move || {
        for thread in threads.into_iter().flatten() {
            if thread.join().is_err() {
                tracing::error!("an embedding thread ended by a panic");
            }
        }
    });
    // A runtime that is shutting down does not wait for it.
    let _ = waited.await;
}
