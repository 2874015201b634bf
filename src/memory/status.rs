//! How nosso is: what `system.status`, `index.status` and the health page tell.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::Memory;
use super::generations::{Generation, blocking};
use crate::api::Page;
use crate::api::index::{BuildingGeneration, IndexStatus, RebuildResult};
use crate::api::job::{Job, JobList, JobRetried, JobRetry};
use crate::api::system::{EmbeddingStatus, Legs, ModelListResult, Places, QueueCounts, Sizes, SystemStatus};
use crate::error::Result;
use crate::model::Timestamp;

/// With less free space on its disk the daemon warns: some of the largest messages, their log and their vectors.
const LEAST_FREE_BYTES: u64 = 16 << 20;

impl Memory {
    /// Everything about the daemon; `connections` and the socket's path are the caller's to know.
    pub async fn status(&self, socket: &str, connections: u64) -> Result<SystemStatus> {
        let (counts, queue, index) =
            tokio::try_join!(self.store().counts(), self.store().queue_counts(), self.index_status())?;
        let embedding = self.embedding_status();
        let (database_bytes, wal_bytes) = self.store().sizes();
        let sizes = Sizes {
            database_bytes,
            wal_bytes,
            index_bytes: index.disk_bytes,
            codes_bytes: index.codes_bytes,
            resident_bytes: resident_bytes(),
        };
        let places = Places {
            database: self.0.paths.database().display().to_string(),
            index: self.0.paths.index().display().to_string(),
            config: self.0.config_file.display().to_string(),
            socket: socket.to_owned(),
        };
        Ok(SystemStatus {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime_seconds: self.0.started.0.elapsed().as_secs(),
            started_at: self.started_at(),
            counts,
            queue,
            legs: Legs { lexical: true, semantic: self.0.generations.leg().is_some() },
            warnings: {
                let mut all = warnings(&embedding, &queue, &index, free_bytes(&self.0.paths.data));
                all.extend(self.0.captures.problems());
                all
            },
            index,
            embedding,
            chat: self.llm().status(),
            sizes,
            connections,
            places,
        })
    }

    /// One line for people who look at the service.
    pub fn status_line(&self) -> String {
        let waiting = self.0.waiting.load(Ordering::Relaxed);
        match self.embedding_status().problem {
            Some(problem) => format!("searches by words only: {problem}"),
            None if waiting > 0 => format!("{waiting} passages wait to be embedded"),
            None => "everything is embedded".into(),
        }
    }

    /// When this daemon started.
    pub fn started_at(&self) -> Timestamp {
        self.0.started.1
    }

    /// The vector index.
    pub async fn index_status(&self) -> Result<IndexStatus> {
        let mut status = IndexStatus { pending: self.pending().await?, ..IndexStatus::default() };
        if let Some(Generation { space, index, embedder: _ }) = self.0.generations.serving() {
            let vectors = blocking(move || Ok(index.status())).await?;
            status.generation = Some(space.generation);
            status.model = Some(space.model);
            status.dimension = Some(space.dimension);
            status.vectors = vectors.vectors;
            status.fresh = vectors.fresh;
            status.disk_bytes = vectors.disk_bytes;
            status.tokens_bytes = vectors.tokens_bytes;
            status.codes_bytes = vectors.codes_bytes;
            status.candidates = vectors.candidates;
            status.recall = vectors.recall;
            status.pending = self.pending_in(space.id).await?;
        }
        if let Some(Generation { space, index, embedder: _ }) = self.0.generations.building() {
            let vectors = blocking(move || Ok(index.status())).await?;
            status.building = Some(BuildingGeneration {
                generation: space.generation,
                model: space.model,
                vectors: vectors.vectors,
                pending: self.pending_in(space.id).await?,
            });
        }
        Ok(status)
    }

    /// Fills a new generation of the index in the background.
    pub async fn rebuild_index(&self) -> Result<RebuildResult> {
        let space = self.0.generations.rebuild(self.store()).await?;
        self.wake();
        Ok(RebuildResult { generation: space.generation, pending: self.pending_in(space.id).await? })
    }

    /// Embedding jobs.
    pub async fn jobs(&self, list: JobList) -> Result<Page<Job>> {
        self.store().jobs(list).await
    }

    /// Puts given-up jobs back.
    pub async fn retry_jobs(&self, retry: JobRetry) -> Result<JobRetried> {
        let retried = self.store().retry_jobs(retry).await?;
        self.wake();
        Ok(JobRetried { retried })
    }

    /// The language models that can answer.
    pub async fn models(&self) -> Result<ModelListResult> {
        self.llm().models().await
    }

    fn embedding_status(&self) -> EmbeddingStatus {
        let embedder = self.0.generations.embedder();
        let model = embedder.as_ref().map(|embedder| embedder.model());
        EmbeddingStatus {
            available: embedder.is_some(),
            model: model.map(|model| format!("{} {}", model.name, short(&model.fingerprint))),
            dimension: model.and_then(|model| u32::try_from(model.dimension).ok()),
            loaded: embedder.as_ref().is_some_and(|embedder| embedder.is_loaded()),
            problem: self.0.generations.problem(),
        }
    }
}

fn warnings(
    embedding: &EmbeddingStatus,
    queue: &QueueCounts,
    index: &IndexStatus,
    free_bytes: Option<u64>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(free) = free_bytes.filter(|free| *free < LEAST_FREE_BYTES) {
        warnings.push(format!(
            "the disk that holds the database has {} KiB left, and soon nothing can be stored; free some space",
            free / 1024
        ));
    }
    match &embedding.problem {
        Some(problem) if embedding.available => {
            warnings.push(format!(
                "the configured embedding model does not run, the one before it does: {problem}"
            ));
        }
        Some(problem) => warnings.push(format!("only words are searched: {problem}")),
        None => {}
    }
    if queue.dead > 0 {
        warnings.push(format!(
            "{} passages could not be embedded; see `nosso jobs --state dead`, then `nosso jobs retry`",
            queue.dead
        ));
    }
    if index.recall.is_some_and(|recall| recall < 0.95) {
        warnings.push("the vector index misses neighbours; run `nosso index rebuild`".into());
    }
    warnings
}

/// What whoever does not run the daemon as the superuser can still write to the disk of a folder; none where the
/// system does not tell.
fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

/// The resident memory of this process; 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}
