//! What the application does with its store, index and models: recall, prompts, answers.

pub mod chunk;
pub mod cite;
pub mod extract;
pub mod language;
pub mod prompt;
pub mod sentence;
pub mod tokens;
mod wording;
