//! Vectors for stores that are made up for a measurement.

use std::path::Path;
use std::time::Duration;

use nosso::config::Durability;
use nosso::embed;
use nosso::index::{self, Index, Passage};
use nosso::store::{self, Store};

use super::Outcome;
use super::figures::Dice;
use super::model::Brought;

/// Jobs that are done at once.
const LEASED: usize = 4_096;
/// How long they may take.
const LEASE: Duration = Duration::from_secs(600);
/// Different vectors of tokens.
const TOKENS: usize = 4_096;

/// Does the queued jobs of a daemon's data with vectors that are made up, and as many tokens a passage. Store and index
/// are filled as the daemon does it, so that they agree.
pub async fn give_vectors(data: &Path, brought: &Brought, n_tokens: usize) -> Outcome {
    let options = store::Options {
        database: data.join("nosso.db"),
        backups: data.join("backups"),
        durability: Durability::Normal,
    };
    let store = Store::open(options).await?;
    let library = [brought.library.clone()];
    let model = embed::check(&library, &brought.model)?;
    let dimension = u32::try_from(model.dimension)?;
    let space = store
        .ensure_space(&model.name, &model.fingerprint, dimension, nosso::memory::CHUNKER_VERSION)
        .await?;
    let index = Index::open(index::Options {
        folder: data.join(format!("index/{:04}", space.id)),
        dimension: model.dimension,
        stamp: format!("{}/{}/{}", store.identity(), space.fingerprint, space.id),
    })?;
    let mut dice = Dice::new(5);
    let mut vector = || (0..model.dimension).map(|_| dice.normal() as f32 + 1.0).collect::<Vec<f32>>();
    let tokens: Vec<Vec<f32>> = (0..TOKENS).map(|_| vector()).collect();
    let mut next = tokens.iter().cycle();
    loop {
        let jobs = store.lease(space.id, LEASED, LEASE).await?;
        if jobs.is_empty() {
            break;
        }
        let passages = jobs.iter().map(|job| Passage {
            id: job.chunk,
            vector: vector(),
            tokens: next.by_ref().take(n_tokens).cloned().collect(),
        });
        index.put_passages(passages.collect())?;
        store.complete(&jobs).await?;
    }
    index.merge()?;
    index.close()?;
    Ok(store.close().await?)
}
