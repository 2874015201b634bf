//! The integration tests: one binary, one module a topic.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "all of this is tests")]

mod conformance;
mod socket;
