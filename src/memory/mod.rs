//! What the application does with its store, index and models: recall, prompts, answers.

pub mod chunk;
pub mod cite;
pub mod extract;
mod fence;
pub mod language;
mod notes;
pub mod prompt;
pub mod sentence;
pub mod tokens;
mod window;
mod wording;
