//! All integration tests in one binary, a file per topic.

#[path = "support/brought.rs"]
mod brought;
mod cli;
mod config;
mod conformance;
mod embed;
mod llm;
mod scripted;
mod setup;
mod socket;
mod support;
#[path = "support/tiny_model.rs"]
mod tiny_model;
