//! A loaded model: texts to token ids, ids to vectors. It belongs to one thread; running it needs `&mut`.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

use ort::ep::CPU;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::TensorRef;
use tokenizers::{Tokenizer, TruncationParams};

use super::batch;
use super::directory::{ModelFolder, Pooling};
use super::golden::Role;
use super::runtime;
use crate::error::{Doing, Error, Kind, Result};

/// What a network with its own pooling calls its result.
const SENTENCE_OUTPUT: &str = "sentence_embedding";

/// What the others call the tokens' vectors.
const TOKEN_OUTPUTS: [&str; 2] = ["last_hidden_state", "token_embeddings"];

/// The inputs that this program can fill.
const KNOWN_INPUTS: [&str; 4] = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];

/// How to load a network.
#[derive(Debug, Clone)]
pub(super) struct Loading {
    /// Where the runtime library may be, best first.
    pub(super) library: Vec<PathBuf>,
    /// What to load.
    pub(super) folder: ModelFolder,
    /// Threads for one run.
    pub(super) threads: usize,
}

/// A tokenizer that is in memory as long as one of its users is.
pub(super) type SharedTokenizer = Mutex<Weak<Tokenizer>>;

pub(super) struct Network {
    session: Session,
    tokenizer: Arc<Tokenizer>,
    folder: ModelFolder,
    /// Which of [`KNOWN_INPUTS`] the graph has.
    inputs: Vec<String>,
    output: Output,
    padding: i64,
}

#[derive(Debug)]
enum Output {
    /// A vector for each text.
    Sentence(String),
    /// A vector for each token.
    Tokens(String, Pooling),
}

impl Network {
    /// Loads the network and the tokenizer; the session's threads inherit this thread's priority.
    pub(super) fn load(loading: &Loading, shared: &SharedTokenizer) -> Result<Self> {
        let Loading { library, folder, threads } = loading;
        let environment = runtime::environment(library)?;
        let tokenizer = tokenizer(folder, shared)?;
        let doing = || format!("load the network {}", folder.network.display());
        let session = Session::builder(environment)
            .and_then(|builder| options(builder, *threads))
            .and_then(|mut builder| builder.commit_from_file(&folder.network));
        let session = session.map_err(|error| {
            Error::new(Kind::ModelUnavailable, format!("{}: {error}", doing()))
                .hint("run `nosso doctor`, or choose another model with `nosso model use DIR`")
        })?;
        let inputs: Vec<String> = session.inputs().iter().map(|input| input.name().to_owned()).collect();
        if let Some(unknown) = inputs.iter().find(|name| !KNOWN_INPUTS.contains(&name.as_str())) {
            return Err(unsupported(format!("{}: it wants an input \"{unknown}\"", doing())));
        }
        let outputs: Vec<&str> = session.outputs().iter().map(|output| output.name()).collect();
        let output = output(&outputs, folder.pooling).ok_or_else(|| {
            unsupported(format!("{}: it has no output of vectors, but {outputs:?}", doing()))
        })?;
        let padding = ["<pad>", "[PAD]"].iter().find_map(|token| tokenizer.token_to_id(token)).unwrap_or(0);
        let folder = folder.clone();
        Ok(Self { session, tokenizer, folder, inputs, output, padding: i64::from(padding) })
    }

    /// Checks the golden vectors and answers the dimension. Errors: [`Kind::Corrupt`] where a vector is another.
    pub(super) fn prove(&mut self) -> Result<usize> {
        for golden in self.folder.golden.clone() {
            let ids = self.tokens(golden.role, &golden.text)?;
            golden.check(&self.run_one(&ids)?)?;
        }
        let ids = self.tokens(Role::Passage, "nosso")?;
        Ok(self.run_one(&ids)?.len())
    }

    /// Embeds texts in the batches of [`batch::plan`]; `between` is called before each and ends the work by an error.
    /// Answers one vector of length 1 for each text, in order, or what was wrong with that text.
    pub(super) fn embed(
        &mut self,
        role: Role,
        texts: &[String],
        mut between: impl FnMut() -> Result<()>,
    ) -> Result<Vec<Result<Vec<f32>>>> {
        let tokens: Vec<Result<Vec<u32>>> = texts.iter().map(|text| self.tokens(role, text)).collect();
        let good: Vec<usize> = (0..texts.len()).filter(|index| tokens[*index].is_ok()).collect();
        let ids = |index: usize| tokens[index].as_deref().unwrap_or_default();
        let lengths: Vec<usize> = good.iter().map(|index| ids(*index).len()).collect();
        let mut results: Vec<Option<Result<Vec<f32>>>> = texts.iter().map(|_| None).collect();
        for batch in batch::plan(&lengths) {
            between()?;
            let rows: Vec<&[u32]> = batch.iter().map(|place| ids(good[*place])).collect();
            let vectors = match self.run(&rows) {
                Ok(vectors) => vectors.into_iter().map(normalised).collect(),
                // One text may be to blame for the whole batch; let the others through.
                Err(_) if rows.len() > 1 => rows.iter().map(|row| self.run_one(row)).collect(),
                Err(error) => vec![Err(error)],
            };
            for (place, vector) in batch.iter().zip(vectors) {
                results[good[*place]] = Some(vector);
            }
        }
        let missing = || Err(Error::internal("embed a text: the network gave too few vectors"));
        let vectors = tokens.into_iter().zip(results);
        Ok(vectors.map(|(tokens, vector)| tokens.and_then(|_| vector.unwrap_or_else(missing))).collect())
    }

    /// Runs the texts as given, in one batch, padded to the longest: what the
    /// benchmark compares with.
    pub(super) fn embed_padded(&mut self, role: Role, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let tokens: Vec<Vec<u32>> =
            texts.iter().map(|text| self.tokens(role, text)).collect::<Result<_>>()?;
        let rows: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
        self.run(&rows)?.into_iter().map(normalised).collect()
    }

    fn tokens(&self, role: Role, text: &str) -> Result<Vec<u32>> {
        if text.trim().is_empty() {
            return Err(Error::invalid("embed a text: it is empty"));
        }
        let prefix = match role {
            Role::Query => &self.folder.query_prefix,
            Role::Passage => &self.folder.passage_prefix,
        };
        let encoding = self.tokenizer.encode(format!("{prefix}{text}"), true).map_err(|error| {
            Error::new(Kind::Internal, format!("split a text into tokens: {error}")).caused_by(error)
        })?;
        match encoding.get_ids() {
            [] => Err(Error::invalid("embed a text: no token is left of it")),
            ids => Ok(ids.to_vec()),
        }
    }

    fn run_one(&mut self, row: &[u32]) -> Result<Vec<f32>> {
        let vectors = self.run(&[row])?;
        vectors
            .into_iter()
            .next()
            .map_or_else(|| Err(Error::internal("the network gave no vector")), normalised)
    }

    /// One run of the network over rows of ids, padded to the longest.
    fn run(&mut self, rows: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        const DOING: &str = "run the embedding network";
        let length = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let shape = [rows.len(), length];
        let spread = |of: &dyn Fn(usize, u32) -> i64, rest: i64| -> Vec<i64> {
            let mut cells = vec![rest; rows.len() * length];
            for (row, cells) in rows.iter().zip(cells.chunks_exact_mut(length.max(1))) {
                for (at, (id, cell)) in row.iter().zip(cells).enumerate() {
                    *cell = of(at, *id);
                }
            }
            cells
        };
        let mask = spread(&|_, _| 1, 0);
        let filled: Vec<(&str, Vec<i64>)> = self
            .inputs
            .iter()
            .map(|name| match name.as_str() {
                "input_ids" => (name.as_str(), spread(&|_, id| i64::from(id), self.padding)),
                "attention_mask" => (name.as_str(), mask.clone()),
                "position_ids" => (name.as_str(), spread(&|at, _| at as i64, 0)),
                // token_type_ids: all of one text, the first.
                _ => (name.as_str(), vec![0; rows.len() * length]),
            })
            .collect();
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(filled.len());
        for (name, cells) in &filled {
            let tensor =
                TensorRef::from_array_view((shape, cells.as_slice())).doing(Kind::Internal, DOING)?;
            inputs.push((Cow::Borrowed(*name), tensor.into()));
        }
        let outputs = self.session.run(inputs).doing(Kind::Internal, DOING)?;
        let name = match &self.output {
            Output::Sentence(name) | Output::Tokens(name, _) => name,
        };
        let (found, values) = outputs
            .get(name)
            .ok_or_else(|| Error::internal(format!("{DOING}: it gave no {name}")))?
            .try_extract_tensor::<f32>()
            .doing(Kind::Unsupported, DOING)?;
        let found: Vec<usize> = found.iter().map(|side| usize::try_from(*side).unwrap_or(0)).collect();
        match (&self.output, found.as_slice()) {
            (Output::Sentence(_), [n_rows, width]) if *n_rows == rows.len() && *width > 0 => {
                Ok(values.chunks_exact(*width).map(<[f32]>::to_vec).collect())
            }
            (Output::Tokens(_, pooling), [n_rows, n_tokens, width])
                if *n_rows == rows.len() && *n_tokens == length && *width > 0 =>
            {
                let of_rows = values.chunks_exact(n_tokens * width);
                Ok(of_rows.zip(rows).map(|(tokens, row)| pool(tokens, row.len(), *width, *pooling)).collect())
            }
            _ => Err(unsupported(format!("{DOING}: {name} has the shape {found:?} for {shape:?} tokens"))),
        }
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

fn tokenizer(folder: &ModelFolder, shared: &SharedTokenizer) -> Result<Arc<Tokenizer>> {
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
    // Padding is the batch's business; cutting is to the model's length.
    tokenizer.with_padding(None);
    let truncation = TruncationParams { max_length: folder.max_tokens, ..TruncationParams::default() };
    tokenizer.with_truncation(Some(truncation)).map_err(corrupt)?;
    let tokenizer = Arc::new(tokenizer);
    *shared = Arc::downgrade(&tokenizer);
    Ok(tokenizer)
}

fn output(names: &[&str], pooling: Option<Pooling>) -> Option<Output> {
    let has = |name: &&str| names.contains(name);
    let tokens = TOKEN_OUTPUTS.into_iter().find(has);
    if has(&SENTENCE_OUTPUT) {
        return Some(Output::Sentence(SENTENCE_OUTPUT.to_owned()));
    }
    tokens.map(|tokens| Output::Tokens(tokens.to_owned(), pooling.unwrap_or(Pooling::Mean)))
}

fn pool(tokens: &[f32], n_tokens: usize, width: usize, pooling: Pooling) -> Vec<f32> {
    let n_pooled = match pooling {
        Pooling::Mean => n_tokens,
        Pooling::Cls => 1,
    };
    let mut sum = vec![0.0; width];
    for token in tokens.chunks_exact(width).take(n_pooled) {
        sum.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
    }
    // The length is brought to 1 afterwards, so the sum is as good as the mean.
    sum
}

/// The vector at length 1. Errors: [`Kind::Internal`] where it has no direction.
fn normalised(mut vector: Vec<f32>) -> Result<Vec<f32>> {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if !length.is_finite() || length < 1e-12 {
        return Err(Error::internal(format!("embed a text: the network gave a vector of length {length}")));
    }
    vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    Ok(vector)
}

fn unsupported(message: String) -> Error {
    Error::new(Kind::Unsupported, message).hint("choose a text embedding model with `nosso model use DIR`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_networks_own_pooling_comes_first_then_the_folders() {
        for (names, pooling, expected) in [
            (
                &["last_hidden_state", "sentence_embedding"][..],
                None,
                "Some(Sentence(\"sentence_embedding\"))",
            ),
            (&["token_embeddings"], Some(Pooling::Cls), "Some(Tokens(\"token_embeddings\", Cls))"),
            (&["last_hidden_state", "pooler_output"], None, "Some(Tokens(\"last_hidden_state\", Mean))"),
            (&["logits"], None, "None"),
        ] {
            assert_eq!(format!("{:?}", output(names, pooling)), expected);
        }
    }

    #[test]
    fn vectors_without_a_direction_are_refused() {
        assert_eq!(normalised(vec![3.0, 4.0]).unwrap(), [0.6, 0.8]);
        for bad in [vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY, 1.0]] {
            assert!(normalised(bad).is_err());
        }
    }

    #[test]
    fn padding_does_not_take_part_in_the_mean() {
        let tokens = [1.0, 2.0, 3.0, 4.0, 100.0, 100.0];
        assert_eq!(pool(&tokens, 2, 2, Pooling::Mean), [4.0, 6.0]);
        assert_eq!(pool(&tokens, 2, 2, Pooling::Cls), [1.0, 2.0]);
    }
}
