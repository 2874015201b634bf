//! The reranker: a cross-encoder that reads question and passage together and says how well one answers the other.
//!
//! Slower than everything else in a search, and the user brings its model, so it looks at a few passages only.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokenizers::Tokenizer;

use super::batch;
use super::directory::ModelFolder;
use super::session::{Cells, Graph, tokenizer};
use crate::error::{Doing, Error, Kind, Result};

/// Tokens of a question at most; the rest of what the model reads is the passage's.
const QUESTION_TOKENS: usize = 128;

/// What a reranker needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RerankerOptions {
    /// Where the runtime library may be, best first; see [`super::candidates`].
    pub library: Vec<PathBuf>,
    /// The model's folder.
    pub model: PathBuf,
    /// Threads for one run.
    pub threads: usize,
}

/// A cross-encoder, loaded when it is first asked. A cheap clone.
#[derive(Clone)]
pub struct Reranker(Arc<Shared>);

struct Shared {
    options: RerankerOptions,
    folder: ModelFolder,
    loaded: Mutex<Option<Loaded>>,
}

struct Loaded {
    graph: Graph,
    tokenizer: Arc<Tokenizer>,
    output: String,
}

/// A question and a passage as one row.
#[derive(Default)]
struct Pair {
    ids: Vec<u32>,
    types: Vec<u32>,
}

impl Reranker {
    /// Looks the model's folder through. Errors: as [`ModelFolder::open`].
    pub fn open(options: RerankerOptions) -> Result<Self> {
        let folder = ModelFolder::open(&options.model)?;
        Ok(Self(Arc::new(Shared { options, folder, loaded: Mutex::new(None) })))
    }

    /// What it was opened with.
    pub fn options(&self) -> &RerankerOptions {
        &self.0.options
    }

    /// How well each passage answers the question: any numbers, larger is better, in the order of the passages. One
    /// call at a time. Errors: [`Kind::ModelUnavailable`] where the model cannot be loaded, [`Kind::Unsupported`]
    /// where it is no cross-encoder.
    pub async fn score(&self, question: String, passages: Vec<String>) -> Result<Vec<f32>> {
        let shared = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || shared.score(&question, &passages))
            .await
            .doing(Kind::Internal, "rerank passages")?
    }
}

impl Shared {
    fn score(&self, question: &str, passages: &[String]) -> Result<Vec<f32>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = match &mut *loaded {
            Some(loaded) => loaded,
            empty => empty.insert(self.load()?),
        };
        let pairs: Vec<Pair> =
            passages.iter().map(|passage| self.pair(loaded, question, passage)).collect::<Result<_>>()?;
        let lengths: Vec<usize> = pairs.iter().map(|pair| pair.ids.len()).collect();
        let mut scores = vec![0.0; passages.len()];
        for batch in batch::plan(&lengths) {
            let rows: Vec<Cells<'_>> = batch
                .iter()
                .map(|place| Cells { ids: &pairs[*place].ids, types: &pairs[*place].types })
                .collect();
            for (place, score) in batch.iter().zip(loaded.run(&rows)?) {
                scores[*place] = score;
            }
        }
        Ok(scores)
    }

    fn load(&self) -> Result<Loaded> {
        let RerankerOptions { library, model: _, threads } = &self.options;
        let tokenizer = tokenizer(&self.folder, &Mutex::new(Weak::new()))?;
        let graph = Graph::load(library, &self.folder.network, &tokenizer, *threads)?;
        let outputs = graph.outputs();
        let output = ["logits", "scores", "score"].into_iter().find(|name| outputs.contains(name));
        let output = match (output, outputs.as_slice()) {
            (Some(name), _) => name.to_owned(),
            (None, [only]) => (*only).to_owned(),
            (None, several) => {
                return Err(unsupported(format!(
                    "load the reranker {}: which of its outputs {several:?} is the score?",
                    self.folder.network.display()
                )));
            }
        };
        Ok(Loaded { graph, tokenizer, output })
    }

    /// Both texts with the marks that the tokenizer puts around them; of what is too long the passage's end is cut.
    fn pair(&self, loaded: &Loaded, question: &str, passage: &str) -> Result<Pair> {
        let doing = "split a question and a passage into tokens";
        let split = |text: &str| {
            let split = loaded.tokenizer.encode(text, false);
            split.map_err(|error| Error::new(Kind::Internal, format!("{doing}: {error}")).caused_by(error))
        };
        let (mut question, mut passage) = (split(question)?, split(passage)?);
        let direction = tokenizers::TruncationDirection::Right;
        question.truncate(QUESTION_TOKENS.min(self.folder.max_tokens / 2), 0, direction);
        // room for the marks: four at most in the families of models there are
        let room = self.folder.max_tokens.saturating_sub(question.len() + 4);
        passage.truncate(room, 0, direction);
        let both = loaded
            .tokenizer
            .post_process(question, Some(passage), true)
            .map_err(|error| Error::new(Kind::Internal, format!("{doing}: {error}")).caused_by(error))?;
        Ok(Pair { ids: both.get_ids().to_vec(), types: both.get_type_ids().to_vec() })
    }
}

fn unsupported(message: String) -> Error {
    Error::new(Kind::Unsupported, message)
        .hint("set `rerank.path` to the folder of a cross-encoder, or unset it")
}

impl Loaded {
    fn run(&mut self, rows: &[Cells<'_>]) -> Result<Vec<f32>> {
        const DOING: &str = "run the reranker";
        let outputs = self.graph.run(rows, DOING)?;
        let (shape, values) = outputs
            .get(&self.output)
            .ok_or_else(|| Error::internal(format!("{DOING}: it gave no {}", self.output)))?
            .try_extract_tensor::<f32>()
            .doing(Kind::Unsupported, DOING)?;
        let shape: Vec<usize> = shape.iter().map(|side| usize::try_from(*side).unwrap_or(0)).collect();
        match shape.as_slice() {
            [n] | [n, 1] if *n == rows.len() => Ok(values.to_vec()),
            // a classifier of two: the second is "fits"
            [n, 2] if *n == rows.len() => Ok(values.chunks_exact(2).map(|pair| pair[1] - pair[0]).collect()),
            other => Err(unsupported(format!(
                "{DOING}: it answers a tensor of {other:?} for {} passages instead of a score each",
                rows.len()
            ))),
        }
    }
}
