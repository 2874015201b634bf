//! The one integration binary: a file per topic.

mod exchange;
mod llm;
mod prompt;
mod support;
