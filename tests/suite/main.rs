//! All integration tests in one binary, a file per topic.

#[path = "support/brought.rs"]
mod brought;
mod cli;
mod config;
mod embed;
mod scripted;
mod setup;
#[path = "support/tiny_model.rs"]
mod tiny_model;
