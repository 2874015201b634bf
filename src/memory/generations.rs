//! The generations of the vector index: the one that serves, the one that is being filled, and their models.
//!
//! The worker changes them ([`Generations::refresh`] and what it leads to), and `index.rebuild`, one at a time;
//! searches read them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;

use super::chunk::CHUNKER_VERSION;
use super::index_folders;
use crate::config::{Config, Embed};
use crate::embed::{self, Embedder};
use crate::error::{Doing, Error, Kind, Result};
use crate::index::{self, Index};
use crate::paths::Paths;
use crate::store::{Space, SpaceState, Store};

/// How often a model that was not there is looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Why nothing can be searched by meaning where nothing is wrong.
pub(super) const NOT_YET: &str = "the embedding model is being started";

/// The generations. Searches clone what they need and hold no lock while they work.
pub(super) struct Generations {
    paths: Paths,
    /// What `ORT_DYLIB_PATH` says.
    runtime_library: Option<OsString>,
    state: RwLock<State>,
    /// One change of the generations at a time: the worker's and `index.rebuild`'s. Made to be held over an await;
    /// nobody who searches takes it.
    changing: tokio::sync::Mutex<()>,
    settings_changed: AtomicBool,
    looked: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct State {
    opened: bool,
    serving: Option<Generation>,
    building: Option<Generation>,
    /// The configured model, and what it was started with.
    configured: Option<(Embed, Embedder)>,
    problem: Option<String>,
}

/// One generation: its row in the store, its vectors, and its model where that could be started.
#[derive(Clone)]
pub(super) struct Generation {
    pub space: Space,
    pub index: Index,
    pub embedder: Option<Embedder>,
}

/// A generation that queries can be asked of.
pub(super) struct Leg {
    pub space: Space,
    pub index: Index,
    pub embedder: Embedder,
}

impl Generations {
    pub(super) fn new(paths: Paths, runtime_library: Option<OsString>) -> Self {
        let state = RwLock::new(State::default());
        Self {
            paths,
            runtime_library,
            state,
            changing: tokio::sync::Mutex::new(()),
            settings_changed: AtomicBool::new(true),
            looked: Mutex::new(None),
        }
    }

    /// The settings changed: the next [`Generations::refresh`] looks at the model again.
    pub(super) fn settings_changed(&self) {
        self.settings_changed.store(true, Ordering::Relaxed);
    }

    /// The model is gone or its files changed: the next [`Generations::refresh`] starts it again, or says why not.
    pub(super) async fn start_anew(&self, error: &Error) {
        self.replace_configured(None, Some(error.full_text())).await;
    }

    /// What a query can be asked of: the serving generation, or the one being filled where the old model is gone.
    pub(super) fn leg(&self) -> Option<Leg> {
        let state = self.read();
        [&state.serving, &state.building].into_iter().flatten().find_map(|generation| {
            let Generation { space, index, embedder } = generation.clone();
            embedder.map(|embedder| Leg { space, index, embedder })
        })
    }

    pub(super) fn serving(&self) -> Option<Generation> {
        self.read().serving.clone()
    }

    pub(super) fn building(&self) -> Option<Generation> {
        self.read().building.clone()
    }

    /// The configured model, if it runs.
    pub(super) fn embedder(&self) -> Option<Embedder> {
        self.read().configured.as_ref().map(|(_, embedder)| embedder.clone())
    }

    /// Why nothing is embedded, and what to do.
    pub(super) fn problem(&self) -> Option<String> {
        self.read().problem.clone()
    }

    /// Brings the generations in line with the store, the files and the settings. Cheap where nothing changed.
    pub(super) async fn refresh(&self, store: &Store, config: &Config) -> Result<()> {
        let _alone = self.changing.lock().await;
        if !self.read().opened {
            self.open_stored(store).await?;
        }
        self.reopen_deleted(store).await?;
        if self.is_time_to_look(&config.embed)
            && let Err(error) = self.start_configured(store, &config.embed).await
        {
            // a full disk, say: it is tried again until it works
            self.settings_changed();
            return Err(error);
        }
        Ok(())
    }

    /// Begins to fill a new generation of the configured model, for `index.rebuild`.
    pub(super) async fn rebuild(&self, store: &Store) -> Result<Space> {
        let _alone = self.changing.lock().await;
        let Some(serving) = self.serving() else {
            let problem = self.problem().unwrap_or_else(|| NOT_YET.into());
            return Err(Error::new(
                Kind::ModelUnavailable,
                format!("there is no index to rebuild: {problem}"),
            )
            .hint("`nosso doctor` says what is missing and how to get it"));
        };
        if let Some(building) = self.building() {
            let number = building.space.generation;
            return Err(Error::new(Kind::Conflict, format!("generation {number} is being filled already"))
                .hint("`nosso status` shows how far it is"));
        }
        let space = store.new_generation(serving.space.id).await?;
        let building = self.open_generation(store, space.clone(), serving.embedder).await?;
        self.write().building = Some(building);
        Ok(space)
    }

    /// Lets the filled generation serve and drops the old one.
    pub(super) async fn promote(&self, store: &Store) -> Result<()> {
        let _alone = self.changing.lock().await;
        let Some(filled) = self.building() else { return Ok(()) };
        store.promote_space(filled.space.id).await?;
        let old = {
            let mut state = self.write();
            let space = Space { state: SpaceState::Serving, ..filled.space.clone() };
            state.building = None;
            state.serving.replace(Generation { space, ..filled })
        };
        if let Some(Generation { space, index, embedder }) = old {
            tracing::info!(old = space.generation, "the new generation of the index serves");
            self.stop_unless_used(embedder).await;
            close_index(index).await;
            index_folders::remove(&self.folder(&space)).await;
        }
        Ok(())
    }

    /// Closes the indexes and stops the models.
    pub(super) async fn close(&self) {
        let _alone = self.changing.lock().await;
        let state = std::mem::take(&mut *self.write());
        let State { opened: _, serving, building, configured, problem: _ } = state;
        let mut embedders: Vec<Embedder> = configured.map(|(_, embedder)| embedder).into_iter().collect();
        for generation in [serving, building].into_iter().flatten() {
            embedders.extend(generation.embedder);
            close_index(generation.index).await;
        }
        for embedder in embedders {
            embedder.stop().await;
        }
    }

    /// Opens the generations that the store knows, and removes the folders of those that it does not.
    async fn open_stored(&self, store: &Store) -> Result<()> {
        let spaces = store.spaces().await?;
        let known: Vec<PathBuf> = spaces.iter().map(|space| self.folder(space)).collect();
        index_folders::remove_unknown(&self.paths.index(), &known).await;
        let serving = spaces.into_iter().find(|space| space.state == SpaceState::Serving);
        let serving = match serving {
            Some(space) => Some(self.open_generation(store, space, None).await?),
            None => None,
        };
        let mut state = self.write();
        state.serving = serving;
        state.opened = true;
        Ok(())
    }

    /// Whoever deletes the index loses nothing: it is begun anew and filled again.
    async fn reopen_deleted(&self, store: &Store) -> Result<()> {
        for is_serving in [true, false] {
            let found = if is_serving { self.serving() } else { self.building() };
            let Some(generation) = found.filter(|generation| !generation.index.is_intact()) else { continue };
            tracing::warn!(
                generation = generation.space.generation,
                "the index was deleted; it is filled again"
            );
            let Generation { space, index, embedder } = generation;
            {
                let mut state = self.write();
                if is_serving { state.serving = None } else { state.building = None }
            }
            close_index(index).await;
            let reopened = self.open_generation(store, space, embedder).await;
            if reopened.is_err() {
                self.begin_anew().await;
            }
            let reopened = reopened?;
            let mut state = self.write();
            if is_serving { state.serving = Some(reopened) } else { state.building = Some(reopened) }
        }
        Ok(())
    }

    /// Forgets everything that is open, so that the next [`Generations::refresh`] opens it from the store.
    async fn begin_anew(&self) {
        let State { opened: _, serving, building, configured, problem: _ } =
            std::mem::take(&mut *self.write());
        self.settings_changed();
        for generation in [serving, building].into_iter().flatten() {
            close_index(generation.index).await;
            self.stop_unless_used(generation.embedder).await;
        }
        self.stop_unless_used(configured.map(|(_, embedder)| embedder)).await;
    }

    fn is_time_to_look(&self, wanted: &Embed) -> bool {
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
    async fn start_configured(&self, store: &Store, wanted: &Embed) -> Result<()> {
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
            index_folders::remove(&self.folder(&space)).await;
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
            index_folders::remember_model(&self.folder(&space), folder).await;
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
        index_folders::remember_model(&self.folder(&space), folder).await;
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
        let Some(folder) = index_folders::remembered_model(&self.folder(&serving.space)).await else {
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

    async fn open_generation(
        &self,
        store: &Store,
        space: Space,
        embedder: Option<Embedder>,
    ) -> Result<Generation> {
        let options = index::Options {
            folder: self.folder(&space),
            dimension: space.dimension as usize,
            stamp: format!("{}/{}/{}", store.identity(), space.fingerprint, space.id),
        };
        let (index, present) = blocking(move || {
            let index = Index::open(options)?;
            let present = index.ids()?;
            Ok((index, present))
        })
        .await?;
        let reconciled = store.reconcile(space.id, present).await?;
        if reconciled.requeued > 0 || !reconciled.orphans.is_empty() {
            let (requeued, orphans) = (reconciled.requeued, reconciled.orphans.len());
            tracing::info!(requeued, orphans, generation = space.generation, "the index was brought in line");
        }
        let target = index.clone();
        blocking(move || target.remove(&reconciled.orphans)).await?;
        Ok(Generation { space, index, embedder })
    }

    fn options(&self, wanted: &Embed, model: PathBuf) -> embed::Options {
        let Embed { enabled: _, model: _, library, threads, niceness, unload_after_seconds } = wanted.clone();
        embed::Options {
            library: embed::candidates(
                library.as_deref(),
                self.runtime_library.as_deref(),
                &self.paths.libraries(),
            ),
            model,
            threads,
            niceness,
            unload_after: (unload_after_seconds > 0).then(|| Duration::from_secs(unload_after_seconds)),
        }
    }

    async fn replace_configured(&self, new: Option<(Embed, Embedder)>, problem: Option<String>) {
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
    async fn stop_unless_used(&self, embedder: Option<Embedder>) {
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

    fn folder(&self, space: &Space) -> PathBuf {
        self.paths.index().join(format!("{:04}", space.id))
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs what reads or writes LMDB on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(Error::internal("the vector index failed").caused_by(panic)),
    }
}

async fn close_index(index: Index) {
    if let Err(error) = blocking(move || index.close()).await {
        tracing::warn!(error = error.full_text(), "close the vector index");
    }
}

fn dimension(dimension: usize) -> Result<u32> {
    u32::try_from(dimension).doing(Kind::Corrupt, format!("use a model of {dimension} dimensions"))
}
