//! Formats in which conversations leave and enter: nosso's own lines, plain JSON histories, and what other tools
//! keep. Nothing here knows the store or opens a file: bytes or rows in, records out, and the other way round.
//!
//! A reader of a foreign format fills `told`; `convert` makes records of that. Nothing that stands in a file
//! stops a reader: what cannot be read is refused with its place, and the rest is read.

mod fenced;
pub mod history;
pub mod lines;
pub mod note;
pub mod reading;
pub mod record;
pub mod share;
pub mod tables;
pub mod writers;

mod aichat;
mod blocks;
mod chatgpt;
mod claude;
mod claude_code;
mod codex;
mod convert;
mod follow;
mod gemini;
mod json;
mod librechat;
mod llm;
mod ollama;
mod open_webui;
mod recognise;
mod scan;
mod told;
mod tree;
mod walk;

pub use convert::{IMPORTED_FROM, SOURCE_ID};
pub use follow::{Follower, Retitled};
pub use reading::{Source, read, read_from};
pub use recognise::{recognise, recognise_tables};
pub use record::Record;
pub use told::Ignored;

use crate::api::data::Refused;

/// What was read from a text, or from a part of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readout {
    /// What it holds, in its order; a conversation comes before its messages.
    pub records: Vec<Record>,
    /// What could not be read, and why.
    pub refused: Vec<Refused>,
    /// What holds nothing to keep.
    pub ignored: Ignored,
    /// How often something was read although something was wrong with it.
    pub mended: u64,
}

impl Readout {
    /// Notes that what stands at this place is left out.
    pub fn refuse(&mut self, place: impl Into<String>, reason: impl Into<String>) {
        self.refused.push(Refused { place: place.into(), reason: reason.into() });
    }

    /// Puts what was read later behind this.
    pub fn append(&mut self, later: Readout) {
        let Readout { records, refused, ignored, mended } = later;
        self.records.extend(records);
        self.refused.extend(refused);
        for (what, n) in ignored {
            *self.ignored.entry(what).or_default() += n;
        }
        self.mended += mended;
    }
}

/// `text` without the byte order mark that some programs put in front.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
