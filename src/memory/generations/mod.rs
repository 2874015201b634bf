//! The generations of the vector index: the one that serves, the one that is being filled, and their models.
//!
//! The worker changes them ([`Generations::refresh`] and what it leads to), and `index.rebuild`, one at a time;
//! searches read them.

mod folders;
mod models;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Instant;

use tokio::task::spawn_blocking;

use crate::config::{Config, Embed};
use crate::embed::Embedder;
use crate::error::{Error, Kind, Result};
use crate::index::{self, Index};
use crate::paths::Paths;
use crate::store::{Space, SpaceState, Store};

/// Why nothing can be searched by meaning where nothing is wrong.
pub(in crate::memory) const NOT_YET: &str = "the embedding model is being started";

/// The generations. Searches clone what they need and hold no lock while they work.
pub(in crate::memory) struct Generations {
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
pub(in crate::memory) struct Generation {
    pub space: Space,
    pub index: Index,
    pub embedder: Option<Embedder>,
}

/// A generation that queries can be asked of.
#[derive(Clone)]
pub(in crate::memory) struct Leg {
    pub space: Space,
    pub index: Index,
    pub embedder: Embedder,
}

impl Generations {
    pub(in crate::memory) fn new(paths: Paths, runtime_library: Option<OsString>) -> Self {
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
    pub(in crate::memory) fn settings_changed(&self) {
        self.settings_changed.store(true, Ordering::Relaxed);
    }

    /// The model is gone or its files changed: the next [`Generations::refresh`] starts it again, or says why not.
    pub(in crate::memory) async fn start_anew(&self, error: &Error) {
        let _alone = self.changing.lock().await;
        self.replace_configured(None, Some(error.full_text())).await;
    }

    /// What a query can be asked of: the serving generation, or the one being filled where the old model is gone.
    pub(in crate::memory) fn leg(&self) -> Option<Leg> {
        let state = self.read();
        [&state.serving, &state.building].into_iter().flatten().find_map(|generation| {
            let Generation { space, index, embedder } = generation.clone();
            embedder.map(|embedder| Leg { space, index, embedder })
        })
    }

    /// What has taken over from a leg, another generation or another model; none: nothing has.
    pub(in crate::memory) fn successor(&self, leg: &Leg) -> Option<Leg> {
        self.leg().filter(|now| now.space.id != leg.space.id || !now.embedder.is_same(&leg.embedder))
    }

    pub(in crate::memory) fn serving(&self) -> Option<Generation> {
        self.read().serving.clone()
    }

    pub(in crate::memory) fn building(&self) -> Option<Generation> {
        self.read().building.clone()
    }

    /// The configured model, if it runs.
    pub(in crate::memory) fn embedder(&self) -> Option<Embedder> {
        self.read().configured.as_ref().map(|(_, embedder)| embedder.clone())
    }

    /// Why nothing is embedded, and what to do.
    pub(in crate::memory) fn problem(&self) -> Option<String> {
        self.read().problem.clone()
    }

    /// Brings the generations in line with the store, the files and the settings. Cheap where nothing changed.
    pub(in crate::memory) async fn refresh(&self, store: &Store, config: &Config) -> Result<()> {
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
    pub(in crate::memory) async fn rebuild(&self, store: &Store) -> Result<Space> {
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
    pub(in crate::memory) async fn promote(&self, store: &Store) -> Result<()> {
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
            folders::remove(&self.folder(&space)).await;
        }
        Ok(())
    }

    /// Takes removed vectors out of every generation and leaves nothing of them in its files. For the worker, while
    /// no job is leased.
    pub(in crate::memory) async fn erase_removed(&self, store: &Store) -> Result<()> {
        let _alone = self.changing.lock().await;
        for space in store.spaces().await? {
            let open = [self.serving(), self.building()].into_iter().flatten();
            let open = open.into_iter().find(|open| open.space.id == space.id);
            // one that waits for its model is not open, and its files hold vectors all the same
            let (index, is_ours) = match open {
                Some(open) => (open.index, false),
                None => (self.open_generation(store, space.clone(), None).await?.index, true),
            };
            let erased = erase_in(store, space.id, &index).await;
            if is_ours {
                close_index(index).await;
            }
            erased?;
        }
        Ok(())
    }

    /// Another database is in place: everything is opened anew by the next [`Generations::refresh`].
    pub(in crate::memory) async fn database_replaced(&self) {
        let _alone = self.changing.lock().await;
        self.take_apart().await;
        self.settings_changed();
    }

    /// Closes the indexes and stops the models.
    pub(in crate::memory) async fn close(&self) {
        let _alone = self.changing.lock().await;
        self.take_apart().await;
    }

    /// Closes and stops what is open; the state is that of the beginning.
    async fn take_apart(&self) {
        let State { opened: _, serving, building, configured, problem: _ } =
            std::mem::take(&mut *self.write());
        for generation in [serving, building].into_iter().flatten() {
            close_index(generation.index).await;
            self.stop_unless_used(generation.embedder).await;
        }
        self.stop_unless_used(configured.map(|(_, embedder)| embedder)).await;
    }

    /// Opens the generations that the store knows, and removes the folders of those that it does not.
    async fn open_stored(&self, store: &Store) -> Result<()> {
        let spaces = store.spaces().await?;
        let known: Vec<PathBuf> = spaces.iter().map(|space| self.folder(space)).collect();
        folders::remove_unknown(&self.paths.index(), &known).await;
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
                // forgotten, so that the next refresh opens everything from the store
                self.take_apart().await;
                self.settings_changed();
            }
            let reopened = reopened?;
            let mut state = self.write();
            if is_serving { state.serving = Some(reopened) } else { state.building = Some(reopened) }
        }
        Ok(())
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

async fn erase_in(store: &Store, space: i64, index: &Index) -> Result<()> {
    loop {
        let chunks = store.removals(space).await?;
        if chunks.is_empty() {
            break;
        }
        let (target, gone) = (index.clone(), chunks.clone());
        blocking(move || target.remove(&gone)).await?;
        store.removed(space, chunks).await?;
    }
    // what was embedded with a forgotten text before it: its job makes it anew
    let mut after = Some(0);
    while let Some(from) = after {
        let (chunks, next) = store.outdated(space, from).await?;
        let target = index.clone();
        blocking(move || target.remove(&chunks)).await?;
        after = next;
    }
    let target = index.clone();
    blocking(move || target.erase_removed()).await?;
    Ok(())
}

/// Runs what reads or writes LMDB on a thread that may block.
pub(in crate::memory) async fn blocking<T: Send + 'static>(
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
