//! Opening the index: its parts belong together, or all of it is begun anew.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex};

use super::exact::{ExactPart, Purpose};
use super::fresh::FreshPart;
use super::tokens::TokensPart;
use super::{CANDIDATES, Index, Inner, files};
use crate::error::{Error, Kind, Result};

/// The longest vectors that are taken.
const MAX_DIMENSION: usize = 8192;

/// What [`Index::open`] is to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The folder of this index alone; made when it is not there.
    pub folder: PathBuf,
    /// Numbers in a vector, 1 to 8192.
    pub dimension: usize,
    /// What the vectors belong to: store, model, generation. What is found under another stamp is deleted.
    pub stamp: String,
}

/// What [`Index::open`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The index is empty because it was begun anew: it has to be filled.
    pub fresh: bool,
    /// Why, where there was one before: it is of another model, or broken.
    pub why: Option<String>,
}

/// What lies in the folder, opened.
struct Parts {
    exact: ExactPart,
    fresh: FreshPart,
    tokens: TokensPart,
}

impl Index {
    /// Opens the index, or begins it anew where it is missing, broken, or of another stamp or dimension;
    /// [`Self::opened`] says so. Errors: [`Kind::Conflict`] when this process has it open, [`Kind::Unsupported`] on
    /// a network file system, [`Kind::StorageFull`].
    pub fn open(options: Options) -> Result<Self> {
        let Options { folder, dimension, stamp } = options;
        if !(1..=MAX_DIMENSION).contains(&dimension) {
            return Err(Error::invalid(format!("an index of {dimension} numbers a vector")));
        }
        files::make_private_folder(&folder)?;
        files::refuse_remote(&folder)?;
        let purpose = Purpose { stamp, dimension };
        let [exact_folder, fresh_folder, tokens_folder] =
            ["exact", "fresh", "tokens"].map(|part| folder.join(part));
        for part in [&exact_folder, &fresh_folder, &tokens_folder] {
            // what a crash left of a rewriting
            files::wipe(&files::rewritten(part))?;
        }
        let is_new = !exact_folder.exists();
        let try_open = || -> Result<Result<Parts, String>> {
            let exact = match ExactPart::open(&exact_folder, &purpose)? {
                Ok(exact) => exact,
                Err(other) => return Ok(Err(other)),
            };
            let fresh = FreshPart::open(&fresh_folder, dimension)?;
            let tokens = TokensPart::open(&tokens_folder, dimension)?;
            let pair = exact.pair()?;
            match fresh.pair()? {
                Some(found) if found == pair => {}
                // A new pair, or one whose making was cut short.
                None if exact.codes().ids().is_empty() && fresh.state().is_empty() => {
                    fresh.set_pair(&pair)?
                }
                _ => return Ok(Err("its two parts do not belong together".to_owned())),
            }
            match tokens.pair()? {
                Some(found) if found == pair => {}
                // An index of an earlier version serves on without them until another generation takes its place.
                None if !exact.has_tokens()? => tokens.set_pair(&pair)?,
                _ => return Ok(Err("its tokens do not belong to it".to_owned())),
            }
            if !exact.has_tokens()? {
                exact.note_tokens()?;
            }
            Ok(Ok(Parts { exact, fresh, tokens }))
        };
        let why = match try_open() {
            Ok(Ok(parts)) => return Self::over(parts, Opened { fresh: is_new, why: None }),
            Ok(Err(other)) => other,
            Err(error) if error.kind() == Kind::Corrupt => error.to_string(),
            Err(error) => return Err(error),
        };
        tracing::warn!(folder = %folder.display(), why, "the index is begun anew");
        for part in [&exact_folder, &fresh_folder, &tokens_folder] {
            files::wipe(part)?;
        }
        let parts = try_open()?.map_err(|other| Error::internal(format!("a new index: {other}")))?;
        Self::over(parts, Opened { fresh: true, why: Some(why) })
    }

    fn over(Parts { exact, fresh, tokens }: Parts, opened: Opened) -> Result<Self> {
        let dimension = exact.codes().frame().dimension();
        let candidates = exact.candidates()?.unwrap_or(CANDIDATES).max(CANDIDATES);
        let index = Self {
            inner: Arc::new(Inner {
                exact,
                fresh,
                tokens,
                dimension,
                opened,
                maintenance: Mutex::default(),
                candidates: AtomicU32::new(candidates),
                recall: AtomicU64::new(f64::NAN.to_bits()),
                recent: Mutex::default(),
            }),
        };
        index.remove_left_tokens()?;
        Ok(index)
    }

    /// A crash may have left tokens whose vectors never came; they come with their job, unless the database was
    /// replaced by an older one.
    fn remove_left_tokens(&self) -> Result<()> {
        let vectors = self.inner.fresh.state().over(self.inner.exact.codes().ids());
        if self.inner.tokens.len()? > vectors.len() {
            let mut left = self.inner.tokens.ids()?;
            left.retain(|id| !vectors.contains(*id));
            self.inner.tokens.remove(&left)?;
        }
        Ok(())
    }
}
