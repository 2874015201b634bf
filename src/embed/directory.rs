//! A model's folder as the model hubs lay it out, and what the files in it say about how to use the model.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::golden::Golden;
use crate::error::{Doing, Error, Kind, Result};

/// The network.
pub const MODEL_FILE: &str = "model.onnx";
/// The tokenizer.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// Our own settings, which win over what the other files say.
pub const SETTINGS_FILE: &str = "nosso-model.json";

/// What a text is cut to where the folder does not say: the length that most encoders were trained with.
const USUAL_TOKENS: usize = 512;

/// Attention costs the square of the length; longer contexts are not worth it for passages.
const MOST_TOKENS: usize = 8192;

/// No settings file is larger; what is, is not one.
const LARGEST_JSON: u64 = 8 << 20;

/// `nosso-model.json`. Every entry may be missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The model's name.
    pub name: Option<String>,
    /// Put before a text that asks.
    pub query_prefix: Option<String>,
    /// Put before a text that is found.
    pub passage_prefix: Option<String>,
    /// Tokens at most, the marks of begin and end included; more are cut off.
    pub max_tokens: Option<usize>,
    /// How the tokens' vectors become one, where the network does not do that itself.
    pub pooling: Option<Pooling>,
    /// Whether vectors are brought to length 1. The index needs it; false is refused.
    pub normalize: Option<bool>,
    /// Vectors that the model must give.
    pub golden: Vec<Golden>,
}

/// How the tokens' vectors become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The first one.
    Cls,
}

/// A folder that has been looked through.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFolder {
    /// The network's file.
    pub network: PathBuf,
    /// The tokenizer's file.
    pub tokenizer: PathBuf,
    /// The model's name.
    pub name: String,
    /// Put before a text that asks.
    pub query_prefix: String,
    /// Put before a text that is found.
    pub passage_prefix: String,
    /// Tokens at most.
    pub max_tokens: usize,
    /// How the tokens' vectors become one; None: the network's own, else the mean.
    pub pooling: Option<Pooling>,
    /// Vectors that the model must give.
    pub golden: Vec<Golden>,
}

impl ModelFolder {
    /// Looks `folder` through. Errors: [`Kind::ModelUnavailable`] where a file is missing, [`Kind::Corrupt`] where one
    /// cannot be understood.
    pub fn open(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            let message = format!("open the embedding model: there is no folder {}", folder.display());
            return Err(Error::new(Kind::ModelUnavailable, message).hint(HINT));
        }
        let network = [folder.join(MODEL_FILE), folder.join("onnx").join(MODEL_FILE)]
            .into_iter()
            .find(|path| path.is_file())
            .ok_or_else(|| missing(folder, "neither model.onnx nor onnx/model.onnx"))?;
        let tokenizer = folder.join(TOKENIZER_FILE);
        if !tokenizer.is_file() {
            return Err(missing(folder, "no tokenizer.json"));
        }
        let settings = match read_json(&folder.join(SETTINGS_FILE))? {
            Some(value) => serde_json::from_value(value)
                .doing(Kind::Corrupt, format_args!("read {}", folder.join(SETTINGS_FILE).display()))?,
            None => Settings::default(),
        };
        let Settings { name, query_prefix, passage_prefix, max_tokens, pooling, normalize, golden } =
            settings;
        if normalize == Some(false) {
            return Err(Error::new(
                Kind::Unsupported,
                format!(
                    "open the model in {}: it asks for vectors that are not normalised",
                    folder.display()
                ),
            ));
        }
        let config = read_json(&folder.join("config.json"))?.unwrap_or_default();
        let name = name.unwrap_or_else(|| name_of(folder, &config));
        let prefix = |given: Option<String>, of_e5: &str| {
            given.unwrap_or_else(|| if is_e5(&name) { of_e5.to_owned() } else { String::new() })
        };
        Ok(Self {
            network,
            tokenizer,
            query_prefix: prefix(query_prefix, "query: "),
            passage_prefix: prefix(passage_prefix, "passage: "),
            max_tokens: match max_tokens {
                Some(given) => given.clamp(8, MOST_TOKENS),
                None => tokens_of(folder, &config)?,
            },
            pooling: match pooling {
                Some(given) => Some(given),
                None => pooling_of(folder)?,
            },
            golden,
            name,
        })
    }

    /// A hexadecimal SHA-256 over everything that decides which vectors come out: equal fingerprints, equal vectors
    /// (up to what runtime and processor change).
    pub fn fingerprint(&self) -> Result<String> {
        let mut digest = Sha256::new();
        for path in [&self.network, &external_data(&self.network), &self.tokenizer] {
            digest_file(path, &mut digest)
                .doing(Kind::Storage, format_args!("read the model file {}", path.display()))?;
        }
        let uses = serde_json::json!([
            self.query_prefix,
            self.passage_prefix,
            self.max_tokens,
            self.pooling.map(|pooling| format!("{pooling:?}")),
        ]);
        digest.update(uses.to_string());
        Ok(hexadecimal(&digest.finalize()))
    }
}

/// Lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Large networks keep their weights in a second file beside the first.
fn external_data(network: &Path) -> PathBuf {
    network.with_file_name("model.onnx_data")
}

fn digest_file(path: &Path, digest: &mut Sha256) -> io::Result<()> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    // The length keeps the files apart.
    digest.update(file.metadata()?.len().to_le_bytes());
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            n => digest.update(&buffer[..n]),
        }
    }
}

fn read_json(path: &Path) -> Result<Option<Value>> {
    let doing = || format!("read {}", path.display());
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).doing(Kind::Storage, doing()),
        Ok(found) if found.len() > LARGEST_JSON => {
            return Err(Error::new(Kind::Corrupt, format!("{}: it is {} bytes long", doing(), found.len())));
        }
        Ok(_) => {}
    }
    let bytes = fs::read(path).doing(Kind::Storage, doing())?;
    serde_json::from_slice(&bytes).map(Some).doing(Kind::Corrupt, doing())
}

fn name_of(folder: &Path, config: &Value) -> String {
    let told = config["_name_or_path"].as_str().map(str::trim).filter(|name| !name.is_empty());
    let of_folder = || {
        let absolute = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        absolute.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    match told {
        // A path on somebody else's disk is no name.
        Some(name) if !name.starts_with(['/', '.']) => name.to_owned(),
        _ => of_folder(),
    }
}

/// Whether the model belongs to the e5 family, which was trained with prefixes: "e5" as a word of its name.
fn is_e5(name: &str) -> bool {
    name.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| word == "e5")
}

fn tokens_of(folder: &Path, config: &Value) -> Result<usize> {
    let sentence = read_json(&folder.join("sentence_bert_config.json"))?.unwrap_or_default();
    let tokenizer = read_json(&folder.join("tokenizer_config.json"))?.unwrap_or_default();
    let positions = config["max_position_embeddings"].as_u64().map(|positions| {
        // RoBERTa and its kin count positions from 2.
        let offset =
            if config["model_type"].as_str().is_some_and(|kind| kind.contains("roberta")) { 2 } else { 0 };
        positions.saturating_sub(offset)
    });
    // A tokenizer without a limit writes 10^30, which is no u64.
    let told = [sentence["max_seq_length"].as_u64(), tokenizer["model_max_length"].as_u64(), positions];
    let least = told.into_iter().flatten().filter(|tokens| *tokens >= 8).min();
    Ok(least.map_or(USUAL_TOKENS, |tokens| tokens.min(MOST_TOKENS as u64) as usize))
}

fn pooling_of(folder: &Path) -> Result<Option<Pooling>> {
    let config = read_json(&folder.join("1_Pooling").join("config.json"))?.unwrap_or_default();
    let is_set = |key: &str| config[key].as_bool() == Some(true);
    Ok(match (is_set("pooling_mode_cls_token"), is_set("pooling_mode_mean_tokens")) {
        (true, false) => Some(Pooling::Cls),
        (false, true) => Some(Pooling::Mean),
        _ => None,
    })
}

const HINT: &str =
    "run `nosso setup`, or choose a folder with model.onnx and tokenizer.json: `nosso model use DIR`";

fn missing(folder: &Path, what: &str) -> Error {
    Error::new(Kind::ModelUnavailable, format!("open the embedding model: {what} in {}", folder.display()))
        .hint(HINT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    #[test]
    fn the_files_of_a_hub_say_how_to_use_the_model() {
        let root = folder(&[
            ("onnx/model.onnx", "x"),
            ("tokenizer.json", "{}"),
            (
                "config.json",
                r#"{"_name_or_path": "intfloat/multilingual-e5-small", "model_type": "xlm-roberta", "max_position_embeddings": 514}"#,
            ),
            ("tokenizer_config.json", r#"{"model_max_length": 1000000000000000019884624838656}"#),
            (
                "1_Pooling/config.json",
                r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#,
            ),
        ]);
        let found = ModelFolder::open(root.path()).unwrap();
        assert_eq!(found.query_prefix, "query: ");
        assert_eq!((found.max_tokens, found.pooling), (512, Some(Pooling::Cls)));
    }

    #[test]
    fn our_own_settings_win() {
        let root = folder(&[
            ("model.onnx", "x"),
            ("tokenizer.json", "{}"),
            ("config.json", r#"{"_name_or_path": "e5-base"}"#),
            ("nosso-model.json", r#"{"name": "mine", "query_prefix": "", "max_tokens": 128}"#),
        ]);
        let found = ModelFolder::open(root.path()).unwrap();
        assert_eq!((found.name.as_str(), found.query_prefix.as_str()), ("mine", ""));
        assert_eq!((found.passage_prefix.as_str(), found.max_tokens), ("", 128));
    }

    #[test]
    fn what_is_missing_or_broken_is_said() {
        for (files, kind, words) in [
            (vec![], Kind::ModelUnavailable, "neither model.onnx nor"),
            (vec![("model.onnx", "x")], Kind::ModelUnavailable, "no tokenizer.json"),
            (
                vec![("model.onnx", "x"), ("tokenizer.json", "{}"), ("nosso-model.json", r#"{"nmae": 1}"#)],
                Kind::Corrupt,
                "unknown field `nmae`",
            ),
        ] {
            let error = ModelFolder::open(folder(&files).path()).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn only_the_word_e5_means_e5() {
        for (name, expected) in
            [("intfloat/e5-base", true), ("Multilingual-E5-small", true), ("bge5-m3", false)]
        {
            assert_eq!(is_e5(name), expected, "{name}");
        }
    }

    #[test]
    fn the_fingerprint_follows_what_decides_the_vectors() {
        let print =
            |files: &[(&str, &str)]| ModelFolder::open(folder(files).path()).unwrap().fingerprint().unwrap();
        let named = ("nosso-model.json", r#"{"name": "a"}"#);
        let first = print(&[("model.onnx", "x"), ("tokenizer.json", "{}"), named]);
        assert_eq!(first.len(), 64);
        let renamed = ("nosso-model.json", r#"{"name": "b"}"#);
        assert_eq!(first, print(&[("model.onnx", "x"), ("tokenizer.json", "{}"), renamed]));
        assert_ne!(first, print(&[("model.onnx", "x{"), ("tokenizer.json", "}"), named]));
        let cut = ("nosso-model.json", r#"{"name": "a", "max_tokens": 64}"#);
        assert_ne!(first, print(&[("model.onnx", "x"), ("tokenizer.json", "{}"), cut]));
    }
}
