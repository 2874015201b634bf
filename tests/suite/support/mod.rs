//! Servers and helpers that several topics use.

pub mod ollama;
pub mod openai;
pub mod scripted;
