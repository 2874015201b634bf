//! The one integration binary: a file per topic.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod exchange;
mod llm;
mod prompt;
mod support;
