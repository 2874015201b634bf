//! All integration tests, in one binary.

#[path = "support/brought.rs"]
mod brought;
mod embed;
mod setup;
#[path = "support/tiny_model.rs"]
mod tiny_model;
