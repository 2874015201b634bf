//! All integration tests in one binary, a file per topic.

mod cli;
mod config;
mod daemon;
mod layers;
mod llm;
mod scripted;
mod support;
mod systemd;
