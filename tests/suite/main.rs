//! All integration tests in one binary, a file per topic.

mod cli;
mod config;
mod conformance;
mod llm;
mod scripted;
mod socket;
mod support;
