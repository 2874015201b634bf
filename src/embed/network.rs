//! A loaded model: passages to token ids, ids to vectors. It belongs to one thread; running it needs `&mut`.

use std::path::PathBuf;
use std::sync::Arc;

use tokenizers::Tokenizer;

use super::batch;
use super::directory::{ModelFolder, Pooling};
use super::golden::{Role, cosine};
use super::passage::{Embedding, Encoded, Passage, Row, Token};
use super::session::{Cells, Graph, SharedTokenizer, tokenizer, unsupported};
use crate::error::{Doing, Error, Kind, Result};

/// What a network with its own pooling calls its result.
const SENTENCE_OUTPUT: &str = "sentence_embedding";

/// What the others call the tokens' vectors.
const TOKEN_OUTPUTS: [&str; 2] = ["last_hidden_state", "token_embeddings"];

/// What parts the context from the text: white space to most tokenizers, as a new line is.
const BETWEEN: char = '\n';

/// What a network with its own pooling is asked to find out how it pools.
const PROBE: &str = "nosso remembers what was said, and when";

/// The cosine that two computations of one vector have at least.
const SAME: f32 = 0.9999;

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

pub(super) struct Network {
    graph: Graph,
    tokenizer: Arc<Tokenizer>,
    folder: ModelFolder,
    output: Output,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Output {
    /// A vector for each text: tokens and contexts are out of reach.
    Sentence,
    /// A vector for each token.
    Tokens(&'static str, Pooling),
}

impl Network {
    /// Loads the network and the tokenizer; the session's threads inherit this thread's priority.
    pub(super) fn load(loading: &Loading, shared: &SharedTokenizer) -> Result<Self> {
        let Loading { library, folder, threads } = loading;
        let tokenizer = tokenizer(folder, shared)?;
        let graph = Graph::load(library, &folder.network, &tokenizer, *threads)?;
        let outputs = graph.outputs();
        let candidates = candidates(&outputs, folder.pooling);
        let output = candidates.first().cloned().ok_or_else(|| {
            unsupported(format!(
                "load the network {}: it has no output of vectors, but {outputs:?}",
                folder.network.display()
            ))
        })?;
        let folder = folder.clone();
        let mut network = Self { graph, tokenizer, folder, output };
        if candidates.len() > 1 {
            network.output = network.like_the_sentences(candidates)?;
        }
        Ok(network)
    }

    /// Of several outputs the one over the tokens that gives what the network's own pooling gives, so that a context
    /// can be left out of it; else that pooling.
    fn like_the_sentences(&mut self, candidates: Vec<Output>) -> Result<Output> {
        let row = self.tokens(Role::Passage, &Passage::from(PROBE.to_owned()))?;
        self.output = Output::Sentence;
        let expected = self.run_one(&row)?.vector;
        for candidate in candidates.into_iter().filter(|output| *output != Output::Sentence) {
            self.output = candidate;
            let found = self.run_one(&row)?.vector;
            if found.len() == expected.len() && cosine(&found, &expected) >= SAME {
                return Ok(self.output.clone());
            }
        }
        Ok(Output::Sentence)
    }

    /// Checks the golden vectors and answers the dimension. Errors: [`Kind::Corrupt`] where a vector is another.
    pub(super) fn prove(&mut self) -> Result<usize> {
        for golden in self.folder.golden.clone() {
            let row = self.tokens(golden.role, &Passage::from(golden.text.clone()))?;
            golden.check(&self.run_one(&row)?.vector)?;
        }
        let row = self.tokens(Role::Passage, &Passage::from("nosso".to_owned()))?;
        Ok(self.run_one(&row)?.vector.len())
    }

    /// Embeds passages in the batches of [`batch::plan`]; `between` is called before each and ends the work by an
    /// error. Answers for each passage, in order, what the network made of it, or what was wrong with it.
    pub(super) fn embed(
        &mut self,
        role: Role,
        passages: &[Passage],
        mut between: impl FnMut() -> Result<()>,
    ) -> Result<Vec<Result<Embedding>>> {
        let rows: Vec<Result<Row>> = passages.iter().map(|passage| self.tokens(role, passage)).collect();
        let good: Vec<(usize, &Row)> =
            rows.iter().enumerate().filter_map(|(place, row)| Some((place, row.as_ref().ok()?))).collect();
        let lengths: Vec<usize> = good.iter().map(|(_, row)| row.ids.len()).collect();
        let mut results: Vec<Option<Result<Embedding>>> = passages.iter().map(|_| None).collect();
        for batch in batch::plan(&lengths) {
            between()?;
            let some: Vec<&Row> = batch.iter().map(|place| good[*place].1).collect();
            let embeddings = match self.run(&some) {
                Ok(embeddings) => embeddings,
                // One text may be to blame for the whole batch; let the others through.
                Err(_) if some.len() > 1 => some.iter().map(|row| self.run_one(row)).collect(),
                Err(error) => vec![Err(error)],
            };
            for (place, embedding) in batch.iter().zip(embeddings) {
                results[good[*place].0] = Some(embedding);
            }
        }
        let missing = || Err(Error::internal("embed a text: the network gave too few vectors"));
        let embeddings = rows.into_iter().zip(results);
        Ok(embeddings.map(|(row, found)| row.and_then(|_| found.unwrap_or_else(missing))).collect())
    }

    /// Runs the texts as given, in one batch, padded to the longest: what the
    /// benchmark compares with.
    pub(super) fn embed_padded(&mut self, role: Role, texts: &[String]) -> Result<Vec<Embedding>> {
        let row = |text: &String| self.tokens(role, &Passage::from(text.clone()));
        let rows: Vec<Row> = texts.iter().map(row).collect::<Result<_>>()?;
        self.run(&rows.iter().collect::<Vec<_>>())?.into_iter().collect()
    }

    fn tokens(&self, role: Role, passage: &Passage) -> Result<Row> {
        let Passage { context, text } = passage;
        if text.trim().is_empty() {
            return Err(Error::invalid("embed a text: it is empty"));
        }
        let prefix = match role {
            Role::Query => &self.folder.query_prefix,
            Role::Passage => &self.folder.passage_prefix,
        };
        // Only the mean can leave tokens out.
        let takes_context = matches!(self.output, Output::Tokens(_, Pooling::Mean));
        let context = match context.trim() {
            "" => String::new(),
            _ if !takes_context => String::new(),
            context => format!("{context}{BETWEEN}"),
        };
        let encoding = self.tokenizer.encode(format!("{prefix}{context}{text}"), true).map_err(|error| {
            Error::new(Kind::Internal, format!("split a text into tokens: {error}")).caused_by(error)
        })?;
        let encoded = Encoded {
            ids: encoding.get_ids(),
            offsets: encoding.get_offsets(),
            marks: encoding.get_special_tokens_mask(),
            prefix: prefix.len(),
            context: context.len(),
            text,
        };
        let row = Row::new(&encoded, self.folder.max_tokens);
        match row.ids.is_empty() || (!row.context.is_empty() && row.own.is_empty()) {
            true => Err(Error::invalid("embed a text: no token is left of it")),
            false => Ok(row),
        }
    }

    fn run_one(&mut self, row: &Row) -> Result<Embedding> {
        let embeddings = self.run(&[row])?;
        embeddings.into_iter().next().unwrap_or_else(|| Err(Error::internal("the network gave no vector")))
    }

    /// One run of the network over rows of ids, padded to the longest.
    fn run(&mut self, rows: &[&Row]) -> Result<Vec<Result<Embedding>>> {
        const DOING: &str = "run the embedding network";
        let length = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let shape = [rows.len(), length];
        let cells: Vec<Cells<'_>> = rows.iter().map(|row| Cells { ids: &row.ids, types: &[] }).collect();
        let outputs = self.graph.run(&cells, DOING)?;
        let name = match self.output {
            Output::Sentence => SENTENCE_OUTPUT,
            Output::Tokens(name, _) => name,
        };
        let (found, values) = outputs
            .get(name)
            .ok_or_else(|| Error::internal(format!("{DOING}: it gave no {name}")))?
            .try_extract_tensor::<f32>()
            .doing(Kind::Unsupported, DOING)?;
        let found: Vec<usize> = found.iter().map(|side| usize::try_from(*side).unwrap_or(0)).collect();
        match (&self.output, found.as_slice()) {
            (Output::Sentence, [n_rows, width]) if *n_rows == rows.len() && *width > 0 => {
                let vectors = values.chunks_exact(*width).map(|vector| normalised(vector.to_vec()));
                Ok(vectors.map(|vector| Ok(Embedding { vector: vector?, tokens: Vec::new() })).collect())
            }
            (Output::Tokens(_, pooling), [n_rows, n_tokens, width])
                if *n_rows == rows.len() && *n_tokens == length && *width > 0 =>
            {
                let of_rows = values.chunks_exact(n_tokens * width);
                Ok(of_rows.zip(rows).map(|(tokens, row)| pooled(tokens, row, *width, *pooling)).collect())
            }
            _ => Err(unsupported(format!("{DOING}: {name} has the shape {found:?} for {shape:?} tokens"))),
        }
    }
}

/// The outputs that could serve. Where there are several the first is not better than the others.
fn candidates(names: &[&str], pooling: Option<Pooling>) -> Vec<Output> {
    let has = |name: &&str| names.contains(name);
    let tokens = TOKEN_OUTPUTS.into_iter().find(has);
    let has_sentences = has(&SENTENCE_OUTPUT);
    let poolings = match (pooling, has_sentences) {
        (Some(given), _) => vec![given],
        (None, true) => vec![Pooling::Mean, Pooling::Cls],
        (None, false) => vec![Pooling::Mean],
    };
    let of_tokens =
        tokens.into_iter().flat_map(|name| poolings.iter().map(move |one| Output::Tokens(name, *one)));
    has_sentences.then_some(Output::Sentence).into_iter().chain(of_tokens).collect()
}

/// One text's vector, and those of its own tokens.
fn pooled(tokens: &[f32], row: &Row, width: usize, pooling: Pooling) -> Result<Embedding> {
    let vector = normalised(pool(tokens, row, width, pooling))?;
    let token = |(at, range): &(usize, _)| {
        let vector = tokens[at * width..(at + 1) * width].to_vec();
        Token { vector, range: std::ops::Range::clone(range) }
    };
    Ok(Embedding { vector, tokens: row.own.iter().map(token).collect() })
}

fn pool(tokens: &[f32], row: &Row, width: usize, pooling: Pooling) -> Vec<f32> {
    let n_pooled = match pooling {
        Pooling::Mean => row.ids.len(),
        Pooling::Cls => 1,
    };
    let mut sum = vec![0.0; width];
    for (at, token) in tokens.chunks_exact(width).take(n_pooled).enumerate() {
        if !row.context.contains(&at) {
            sum.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tokens_are_used_where_they_are_shown() {
        let mean = |name| Output::Tokens(name, Pooling::Mean);
        for (names, pooling, expected) in [
            (
                &["last_hidden_state", "sentence_embedding"][..],
                None,
                vec![
                    Output::Sentence,
                    mean("last_hidden_state"),
                    Output::Tokens("last_hidden_state", Pooling::Cls),
                ],
            ),
            (&["sentence_embedding"], Some(Pooling::Mean), vec![Output::Sentence]),
            (
                &["token_embeddings"],
                Some(Pooling::Cls),
                vec![Output::Tokens("token_embeddings", Pooling::Cls)],
            ),
            (&["last_hidden_state", "pooler_output"], None, vec![mean("last_hidden_state")]),
            (&["logits"], None, vec![]),
        ] {
            assert_eq!(candidates(names, pooling), expected);
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
    fn padding_and_context_do_not_take_part_in_the_mean() {
        let tokens = [1.0, 2.0, 50.0, 50.0, 3.0, 4.0, 100.0, 100.0];
        let row = |context| Row { ids: vec![0; 3], context, own: vec![(2, 0..1)] };
        assert_eq!(pool(&tokens, &row(1..2), 2, Pooling::Mean), [4.0, 6.0]);
        assert_eq!(pool(&tokens, &row(0..0), 2, Pooling::Mean), [54.0, 56.0]);
        assert_eq!(pool(&tokens, &row(0..0), 2, Pooling::Cls), [1.0, 2.0]);
        let embedding = pooled(&tokens, &row(1..2), 2, Pooling::Mean).unwrap();
        assert_eq!(embedding.tokens, [Token { vector: vec![3.0, 4.0], range: 0..1 }]);
    }
}
