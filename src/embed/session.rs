//! A network that the runtime has loaded: rows of token ids go in, named tensors come out. And the tokenizers.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use ort::ep::CPU;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::TensorRef;
use tokenizers::Tokenizer;

use super::directory::ModelFolder;
use super::runtime;
use crate::error::{Doing, Error, Kind, Result};

/// The inputs that this program can fill.
const KNOWN_INPUTS: [&str; 4] = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];

/// A tokenizer that is in memory as long as one of its users is.
pub(super) type SharedTokenizer = Mutex<Weak<Tokenizer>>;

/// A loaded network; running it needs `&mut`.
pub(super) struct Graph {
    session: Session,
    /// Which of [`KNOWN_INPUTS`] it has.
    inputs: Vec<String>,
    padding: i64,
}

/// One row of what goes in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cells<'a> {
    /// The ids of its tokens.
    pub(super) ids: &'a [u32],
    /// Of which of two texts each token is; what is missing is of the first.
    pub(super) types: &'a [u32],
}

impl Graph {
    /// Loads a network; the session's threads inherit this thread's priority.
    pub(super) fn load(
        library: &[PathBuf],
        network: &Path,
        tokenizer: &Tokenizer,
        threads: usize,
    ) -> Result<Self> {
        let environment = runtime::environment(library)?;
        let doing = || format!("load the network {}", network.display());
        let session = Session::builder(environment)
            .and_then(|builder| options(builder, threads))
            .and_then(|mut builder| builder.commit_from_file(network));
        let session = session.map_err(|error| {
            Error::new(Kind::ModelUnavailable, format!("{}: {error}", doing()))
                .hint("run `nosso doctor`, or choose another model with `nosso model use DIR`")
        })?;
        let inputs: Vec<String> = session.inputs().iter().map(|input| input.name().to_owned()).collect();
        if let Some(unknown) = inputs.iter().find(|name| !KNOWN_INPUTS.contains(&name.as_str())) {
            return Err(unsupported(format!("{}: it wants an input \"{unknown}\"", doing())));
        }
        let padding = ["<pad>", "[PAD]"].iter().find_map(|token| tokenizer.token_to_id(token)).unwrap_or(0);
        Ok(Self { session, inputs, padding: i64::from(padding) })
    }

    /// The names of what comes out.
    pub(super) fn outputs(&self) -> Vec<&str> {
        self.session.outputs().iter().map(|output| output.name()).collect()
    }

    /// One run over rows, padded to the longest.
    pub(super) fn run(&mut self, rows: &[Cells<'_>], doing: &'static str) -> Result<SessionOutputs<'_>> {
        let length = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let shape = [rows.len(), length];
        let spread = |of: &dyn Fn(&Cells<'_>, usize) -> i64, rest: i64| -> Vec<i64> {
            let mut cells = vec![rest; rows.len() * length];
            for (row, cells) in rows.iter().zip(cells.chunks_exact_mut(length.max(1))) {
                for (at, cell) in cells.iter_mut().take(row.ids.len()).enumerate() {
                    *cell = of(row, at);
                }
            }
            cells
        };
        let filled: Vec<(&str, Vec<i64>)> = self
            .inputs
            .iter()
            .map(|name| {
                let cells = match name.as_str() {
                    "input_ids" => spread(&|row, at| i64::from(row.ids[at]), self.padding),
                    "attention_mask" => spread(&|_, _| 1, 0),
                    "position_ids" => spread(&|_, at| at as i64, 0),
                    // token_type_ids
                    _ => spread(&|row, at| i64::from(row.types.get(at).copied().unwrap_or(0)), 0),
                };
                (name.as_str(), cells)
            })
            .collect();
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(filled.len());
        for (name, cells) in &filled {
            let tensor =
                TensorRef::from_array_view((shape, cells.as_slice())).doing(Kind::Internal, doing)?;
            inputs.push((Cow::Borrowed(*name), tensor.into()));
        }
        self.session.run(inputs).doing(Kind::Internal, doing)
    }
}

fn options(builder: SessionBuilder, threads: usize) -> ort::Result<SessionBuilder> {
    let builder = builder
        .with_intra_threads(threads.max(1))?
        // A daemon's threads must not burn a core while they wait for the next text.
        .with_intra_op_spinning(false)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        // The arena and the memory plan keep the peak of the largest batch for ever.
        .with_memory_pattern(false)?
        .with_execution_providers([CPU::default().with_arena_allocator(false).build()])?;
    Ok(builder)
}

/// The tokenizer of a model's folder. It neither cuts nor pads: padding is the batch's business, and cutting knows what
/// is context.
pub(super) fn tokenizer(folder: &ModelFolder, shared: &SharedTokenizer) -> Result<Arc<Tokenizer>> {
    let mut shared = shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(tokenizer) = shared.upgrade() {
        return Ok(tokenizer);
    }
    let corrupt = |error: tokenizers::Error| {
        Error::new(Kind::Corrupt, format!("read the tokenizer {}: {error}", folder.tokenizer.display()))
            .caused_by(error)
            .hint("run `nosso setup` to bring the model again, or choose another with `nosso model use DIR`")
    };
    let mut tokenizer = Tokenizer::from_file(&folder.tokenizer).map_err(corrupt)?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(corrupt)?;
    let tokenizer = Arc::new(tokenizer);
    *shared = Arc::downgrade(&tokenizer);
    Ok(tokenizer)
}

/// An error that says which kind of model is needed.
pub(super) fn unsupported(message: String) -> Error {
    Error::new(Kind::Unsupported, message).hint("choose a text embedding model with `nosso model use DIR`")
}
