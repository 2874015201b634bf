//! All integration tests in one binary, a file per topic.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "support/brought.rs"]
mod brought;
mod cli;
mod config;
mod conformance;
mod daemon;
mod embed;
mod layers;
mod llm;
mod scripted;
mod setup;
mod socket;
mod support;
mod systemd;
#[path = "support/tiny_model.rs"]
mod tiny_model;
