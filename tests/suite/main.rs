//! All integration tests, in one binary, a file per topic.
//!
//! Helpers outside of the test functions may unwrap too: a panic is how a test says that it failed.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod application;
#[path = "support/brought.rs"]
mod brought;
mod chat;
mod chats;
mod cli;
mod cli_keeping;
mod config;
mod conformance;
mod crash;
mod daemon;
mod demo;
mod embed;
mod eval;
mod exchange;
mod first_release;
mod imports;
mod keeping;
mod layers;
mod llm;
mod memories;
mod prompt;
mod protocol;
mod readme;
mod rerank;
mod retrieval;
mod round_trips;
mod scripted;
mod setup;
mod socket;
mod support;
mod systemd;
#[path = "support/tiny_model.rs"]
mod tiny_model;
mod watch;
