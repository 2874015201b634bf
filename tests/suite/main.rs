//! All integration tests, in one binary.
//!
//! Helpers outside of the test functions may unwrap too: a panic is how a test says that it failed.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "support/brought.rs"]
mod brought;
mod embed;
mod setup;
#[path = "support/tiny_model.rs"]
mod tiny_model;
