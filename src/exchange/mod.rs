//! Formats in which conversations leave and enter: nosso's own lines, and plain JSON histories. Nothing here does
//! I/O or knows the store: text in, records out, and the other way round.

pub mod history;
pub mod record;
pub mod split;

pub use record::Record;

use crate::api::data::{ImportFormat, Refused};

/// What was read from a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readout {
    /// What it holds, in its order; a conversation comes before its messages.
    pub records: Vec<Record>,
    /// What could not be read, and why.
    pub refused: Vec<Refused>,
}

/// The format of `text`, judged by its beginning; None for what is neither.
pub fn recognise(text: &str) -> Option<ImportFormat> {
    let text = without_mark(text).trim_start();
    match text.chars().next()? {
        '[' => matches!(text[1..].trim_start().chars().next(), None | Some('{' | ']'))
            .then_some(ImportFormat::History),
        '{' => {
            let line = text.lines().next().unwrap_or_default();
            let first = serde_json::from_str::<serde_json::Value>(line).ok();
            let kind = first.as_ref().and_then(|first| first.get("type")?.as_str());
            let is_ours = kind.is_some_and(|kind| record::TYPES.contains(&kind));
            Some(if is_ours { ImportFormat::Nosso } else { ImportFormat::History })
        }
        _ => None,
    }
}

/// `text` without the byte order mark that some programs put in front.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_apart() {
        let check = |text: &str, expected| assert_eq!(recognise(text), expected, "{text}");
        check("{\"type\":\"nosso\",\"version\":1}\n", Some(ImportFormat::Nosso));
        check("\u{feff}{\"type\":\"message\",\"id\":1}", Some(ImportFormat::Nosso));
        check(" [ {\"messages\": []}]", Some(ImportFormat::History));
        check("[]", Some(ImportFormat::History));
        check("{\n \"conversations\": []}", Some(ImportFormat::History));
        check("{\"abc\": {\"messages\": []}}", Some(ImportFormat::History));
        for other in ["", "  ", "hello", "[1, 2]", "\"x\"", "PK\u{3}\u{4}"] {
            check(other, None);
        }
    }
}
