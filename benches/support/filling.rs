//! Large stores for measurements: real sentences at random, with vectors and tokens that are made up.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nosso::config::Durability;
use nosso::embed;
use nosso::index::{self, Index, Passage};
use nosso::store::{self, Store};

use serde_json::json;

use super::daemon::{Daemon, Embedding};
use super::figures::Dice;
use super::model::Brought;
use super::{Outcome, cached, texts};

const A_CONVERSATION: usize = 100;
/// Messages of one import.
const BATCH: usize = 5_000;
/// Tokens of a message.
const A_TEXT: usize = 60;
/// Part of the cache's name: another way to fill it is another store.
const RECIPE: u32 = 2;
/// Jobs that are done at once.
const LEASED: usize = 4_096;
/// How long they may take.
const LEASE: Duration = Duration::from_secs(600);
/// Different vectors of tokens.
const TOKENS: usize = 4_096;

/// The folder of a daemon with so many messages, made at the first run; without a model there are no vectors.
pub fn messages(n: usize, brought: Option<&Brought>) -> Outcome<PathBuf> {
    let name = format!("messages-{RECIPE}-{n}-{}", if brought.is_some() { "vectors" } else { "plain" });
    cached(&name, |making| {
        import(making, n)?;
        if let Some(brought) = brought {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(give_vectors(&making.join("data/nosso"), brought))?;
        }
        Ok(())
    })
}

fn import(folder: &Path, n: usize) -> Outcome {
    let mut daemon = Daemon::start(folder, &Embedding::Off)?;
    let mut client = daemon.client()?;
    let sentences = texts::sentences()?;
    let mut dice = Dice::new(3);
    for first in (0..n).step_by(BATCH) {
        let conversations: Vec<_> = (0..BATCH / A_CONVERSATION)
            .map(|at| {
                let message = |place: usize| {
                    let role = if place.is_multiple_of(2) { "user" } else { "assistant" };
                    // two sentences at random: about as many different messages as there are
                    let [one, other] = [(); 2].map(|()| &sentences[dice.below(sentences.len())]);
                    json!({"role": role, "content": format!("{one} {other}")})
                };
                let messages: Vec<_> = (0..A_CONVERSATION).map(message).collect();
                json!({"title": format!("conversation {}", first / A_CONVERSATION + at), "messages": messages})
            })
            .collect();
        let data = serde_json::to_string(&conversations)?;
        let result = client.call("data.import", json!({"data": data}))?;
        if result["added"]["messages"] != json!(BATCH) {
            return Err(format!("the import went wrong: {result}").into());
        }
    }
    Ok(())
}

/// Does the queued jobs of a daemon's data with vectors that are made up. Store and index are filled as the daemon does
/// it, so that they agree.
async fn give_vectors(data: &Path, brought: &Brought) -> Outcome {
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
            tokens: next.by_ref().take(A_TEXT).cloned().collect(),
        });
        index.put_passages(passages.collect())?;
        store.complete(&jobs).await?;
    }
    index.merge()?;
    index.close()?;
    Ok(store.close().await?)
}
