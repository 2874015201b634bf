//! The models of the generations: starting the configured one, finding the generation that is its own, and keeping
//! the old one for as long as its generation serves.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Generation, Generations, close_index, folders};
use crate::config::Embed;
use crate::embed::{self, Embedder};
use crate::error::{Doing, Kind, Result};
use crate::memory::chunk::CHUNKER_VERSION;
use crate::store::{Space, SpaceState, Store};

/// How often a model that was not there is looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

impl Generations {
    pub(super) fn is_time_to_look(&self, wanted: &Embed) -> bool {
        let changed = self.settings_changed.swap(false, Ordering::Relaxed);
        // a model that could not be started may arrive, also while another one goes on
        let missing =
            wanted.enabled && self.read().configured.as_ref().is_none_or(|(settings, _)| settings != wanted);
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let due = looked.is_none_or(|last| last.elapsed() >= LOOK_AGAIN);
        if changed || (missing && due) {
            *looked = Some(Instant::now());
            return true;
        }
        false
    }

    /// Keeps why there is no model, and logs it once.
    fn note_problem(&self, problem: String) {
        if self.read().problem.as_ref() != Some(&problem) {
            tracing::warn!(problem, "the embedding model cannot be used");
        }
        self.write().problem = Some(problem);
    }

    /// Starts the configured model and finds, or begins, the generation that belongs to it.
    pub(super) async fn start_configured(&self, store: &Store, wanted: &Embed) -> Result<()> {
        let running = self.read().configured.as_ref().map(|(settings, _)| settings.clone());
        if running.as_ref() == Some(wanted) {
            // of settings that were taken back
            self.write().problem = None;
            return Ok(());
        }
        if !wanted.enabled {
            self.replace_configured(None, Some("embedding is switched off (`embed.enabled = false`)".into()))
                .await;
            return Ok(());
        }
        let folder = wanted.model.clone().unwrap_or_else(|| self.paths.default_model());
        if wanted.model.is_none() && !folder.exists() {
            self.note_problem("the embedding model is missing; run `nosso setup`".into());
            return Ok(());
        }
        let embedder = match Embedder::start(self.options(wanted, folder.clone())).await {
            Ok(embedder) => embedder,
            Err(error) => {
                let hint = error.hint_text().map(|hint| format!("; {hint}")).unwrap_or_default();
                self.note_problem(format!("{}{hint}", error.full_text()));
                return Ok(());
            }
        };
        let model = embedder.model().clone();
        tracing::info!(model = model.name, dimension = model.dimension, "the embedding model is ready");
        let space = store
            .ensure_space(&model.name, &model.fingerprint, dimension(model.dimension)?, CHUNKER_VERSION)
            .await?;
        self.give_up_building_of_others(&space).await;
        self.attach(store, space, embedder.clone(), wanted, &folder).await?;
        self.replace_configured(Some((wanted.clone(), embedder)), None).await;
        Ok(())
    }

    /// The store has given up what was being filled for another model than the space's.
    async fn give_up_building_of_others(&self, space: &Space) {
        let same = |other: &Space| {
            (&other.fingerprint, other.dimension, other.chunker)
                == (&space.fingerprint, space.dimension, space.chunker)
        };
        let given_up = {
            let mut state = self.write();
            if state.building.as_ref().is_some_and(|building| same(&building.space)) {
                None
            } else {
                state.building.take()
            }
        };
        if let Some(Generation { space, index, embedder }) = given_up {
            tracing::info!(generation = space.generation, "given up: the model has changed again");
            self.stop_unless_used(embedder).await;
            close_index(index).await;
            folders::remove(&self.folder(&space)).await;
        }
    }

    /// Puts a model that was just started to the generations that are its own.
    async fn attach(
        &self,
        store: &Store,
        space: Space,
        embedder: Embedder,
        settings: &Embed,
        folder: &Path,
    ) -> Result<()> {
        if space.state == SpaceState::Serving {
            let serving = self.with_model(store, self.serving(), space.clone(), embedder.clone()).await?;
            folders::remember_model(&self.folder(&space), folder).await;
            self.write().serving = Some(serving);
            // a rebuild of the same model that a restart interrupted goes on
            let interrupted = store.spaces().await?.into_iter().filter(|other| {
                other.state == SpaceState::Building && other.fingerprint == space.fingerprint
            });
            if let Some(space) = interrupted.max_by_key(|space| space.id) {
                let building = self.with_model(store, self.building(), space, embedder).await?;
                self.write().building = Some(building);
            }
            return Ok(());
        }
        let building = self.with_model(store, self.building(), space.clone(), embedder).await?;
        folders::remember_model(&self.folder(&space), folder).await;
        self.write().building = Some(building);
        self.revive_serving(settings).await;
        Ok(())
    }

    /// The generation of this space with this model: the one that is `open` already, if it is that one.
    async fn with_model(
        &self,
        store: &Store,
        open: Option<Generation>,
        space: Space,
        embedder: Embedder,
    ) -> Result<Generation> {
        match open.filter(|open| open.space.id == space.id) {
            Some(open) => Ok(Generation { embedder: Some(embedder), ..open }),
            None => self.open_generation(store, space, Some(embedder)).await,
        }
    }

    /// After a restart with another model: the old generation serves on with its old model, if that is still there.
    async fn revive_serving(&self, settings: &Embed) {
        let Some(serving) = self.serving().filter(|serving| serving.embedder.is_none()) else { return };
        let Some(folder) = folders::remembered_model(&self.folder(&serving.space)).await else {
            return;
        };
        let options = self.options(settings, folder);
        match Embedder::start(options).await {
            Ok(old) if old.model().fingerprint == serving.space.fingerprint => {
                self.write().serving = Some(Generation { embedder: Some(old), ..serving });
            }
            Ok(other) => other.stop().await,
            Err(error) => {
                tracing::info!(%error, "the old model is gone; the new generation serves while it fills")
            }
        }
    }

    fn options(&self, wanted: &Embed, model: PathBuf) -> embed::Options {
        let Embed { enabled: _, model: _, library, threads, niceness, unload_after_seconds } = wanted.clone();
        embed::Options {
            library: self.library(library.as_deref()),
            model,
            threads,
            niceness,
            unload_after: (unload_after_seconds > 0).then(|| Duration::from_secs(unload_after_seconds)),
        }
    }

    /// Where the runtime library may be, best first.
    pub(in crate::memory) fn library(&self, setting: Option<&Path>) -> Vec<PathBuf> {
        embed::candidates(setting, self.runtime_library.as_deref(), &self.paths.libraries())
    }

    pub(super) async fn replace_configured(&self, new: Option<(Embed, Embedder)>, problem: Option<String>) {
        let mut building = None;
        let old = {
            let mut state = self.write();
            state.problem = problem;
            let old = std::mem::replace(&mut state.configured, new).map(|(_, embedder)| embedder);
            if state.configured.is_none() {
                for generation in [&mut state.serving].into_iter().flatten() {
                    generation.embedder = None;
                }
                building = state.building.take();
            }
            old
        };
        if let Some(building) = building {
            close_index(building.index).await;
        }
        self.stop_unless_used(old).await;
    }

    /// Stops a model unless a generation still asks it.
    pub(super) async fn stop_unless_used(&self, embedder: Option<Embedder>) {
        let Some(embedder) = embedder else { return };
        let is_used = {
            let state = self.read();
            let configured = state.configured.as_ref().map(|(_, embedder)| embedder);
            let of_generations = [&state.serving, &state.building].into_iter().flatten();
            of_generations
                .filter_map(|generation| generation.embedder.as_ref())
                .chain(configured)
                .any(|other| other.is_same(&embedder))
        };
        if !is_used {
            embedder.stop().await;
        }
    }
}

fn dimension(dimension: usize) -> Result<u32> {
    u32::try_from(dimension).doing(Kind::Corrupt, format!("use a model of {dimension} dimensions"))
}
