//! The one integration binary: a file per topic.

mod llm;
mod prompt;
mod support;
