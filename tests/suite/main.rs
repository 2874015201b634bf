//! All integration tests in one binary, a file per topic.

mod config;
mod daemon;
mod support;
mod systemd;
