//! Formats that conversations leave in, for other programs and for people: records in, text out.

pub mod markdown;
pub mod open_webui;

#[cfg(test)]
mod sample;
