//! All integration tests in one binary, a file per topic.

mod brought;
mod cli;
mod config;
mod embed;
mod scripted;
mod setup;
mod tiny_model;
//! All integration tests, in one binary.
#[path = "support/brought.rs"]
#[path = "support/tiny_model.rs"]
