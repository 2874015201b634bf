//! Cuts a file to import into pieces that fit one request each.

use serde_json::value::RawValue;

use crate::api::data::{ImportFormat, Refused};
use crate::api::limits::MAX_REQUEST_BYTES;
use crate::error::{Error, Result};

/// What a piece may take in a request. The envelope around it is small; half the limit keeps one answer quick, so
/// that the progress moves and Ctrl-C loses little.
pub const PIECE_BYTES: usize = MAX_REQUEST_BYTES / 2;

/// A part of the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it holds.
    pub format: ImportFormat,
    /// The text to send.
    pub data: String,
    /// How many lines or conversations of the file lie before it.
    pub before: usize,
    /// Bytes of the file up to its end, for the progress.
    pub end: usize,
}

/// The pieces of a file, and the records that are too large for any piece.
#[derive(Debug, PartialEq, Eq)]
pub struct Pieces {
    /// In order.
    pub pieces: Vec<Piece>,
    /// What cannot be sent.
    pub refused: Vec<Refused>,
}

/// Cuts `text` into pieces whose JSON is at most `most` bytes: a JSON array between its elements, NDJSON between its
/// lines. Errors: the text is neither.
pub fn cut(text: &str, most: usize) -> Result<Pieces> {
    // some programs put a byte-order mark before everything
    let text = text.trim_start_matches('\u{feff}');
    match text.trim_start().chars().next() {
        Some('[') => history(text, most),
        Some('{') => Ok(lines(text, most)),
        Some(_) => Err(Error::invalid("read the file: it is neither NDJSON nor a JSON array of conversations")
            .hint("nosso reads what nosso export writes, and [{\"title\": …, \"messages\": [{\"role\", \"content\"}]}]")),
        None => Ok(Pieces { pieces: vec![], refused: vec![] }),
    }
}

/// How long `text` is as a JSON string.
fn length_as_json(text: &str) -> usize {
    let escapes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..=0x1f => 6,
        _ => 1,
    });
    2 + escapes.sum::<usize>()
}

fn lines(text: &str, most: usize) -> Pieces {
    let mut cutter = Cutter::new(ImportFormat::Nosso, most);
    let mut end = 0;
    for (i, line) in text.split_inclusive('\n').enumerate() {
        end += line.len();
        cutter.add(line, i, end, || format!("line {}", i + 1));
    }
    cutter.finish()
}

fn history(text: &str, most: usize) -> Result<Pieces> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
        Error::invalid(format!("read the file: it is not valid JSON: {error}")).caused_by(error)
    })?;
    let mut cutter = Cutter::new(ImportFormat::History, most);
    let start = text.as_ptr() as usize;
    for (i, element) in elements.iter().enumerate() {
        let element = element.get();
        let end = element.as_ptr() as usize - start + element.len();
        cutter.add(element, i, end, || format!("conversation {}", i + 1));
    }
    Ok(cutter.finish())
}

/// Fills one piece after the other.
struct Cutter {
    format: ImportFormat,
    most: usize,
    done: Pieces,
    records: Vec<String>,
    length: usize,
    before: usize,
    end: usize,
}

impl Cutter {
    fn new(format: ImportFormat, most: usize) -> Self {
        let done = Pieces { pieces: vec![], refused: vec![] };
        Self { format, most, done, records: vec![], length: 0, before: 0, end: 0 }
    }

    fn add(&mut self, record: &str, index: usize, end: usize, place: impl Fn() -> String) {
        // two for the brackets of the array, one for the comma
        let length = length_as_json(record) + 1;
        if length + 2 > self.most {
            // positions in a piece are counted from its start, so nothing may be missing in the middle of one
            self.close();
            let reason = format!("it takes {length} bytes, and one request at most {}", self.most);
            self.done.refused.push(Refused { place: place(), reason });
            return;
        }
        if self.length + length + 2 > self.most {
            self.close();
        }
        if self.records.is_empty() {
            self.before = index;
        }
        self.records.push(record.to_owned());
        self.length += length;
        self.end = end;
    }

    fn close(&mut self) {
        let records = std::mem::take(&mut self.records);
        self.length = 0;
        if records.iter().all(|record| record.trim().is_empty()) {
            return;
        }
        let data = match self.format {
            ImportFormat::Nosso => records.concat(),
            ImportFormat::History => format!("[{}]", records.join(",")),
        };
        self.done.pieces.push(Piece { format: self.format, data, before: self.before, end: self.end });
    }

    fn finish(mut self) -> Pieces {
        self.close();
        self.done
    }
}

/// The place in the whole file, given the place in a piece: "line 3" of a piece after 10 lines is "line 13".
pub fn place_in_file(place: &str, before: usize) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    let Some(start) = place.find(is_digit) else { return place.to_owned() };
    let (head, rest) = place.split_at(start);
    let (number, tail) = rest.split_at(rest.find(|c| !is_digit(c)).unwrap_or(rest.len()));
    match number.parse::<usize>() {
        Ok(number) => format!("{head}{}{tail}", number + before),
        Err(_) => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(text: &str, most: usize) -> Vec<(String, usize)> {
        cut(text, most).unwrap().pieces.into_iter().map(|piece| (piece.data, piece.before)).collect()
    }

    #[test]
    fn lines_stay_whole() {
        let text = "{\"a\":1}\n{\"b\":2}\n{\"c\":3}";
        // each line takes 7 characters, 2 quotes that double, a line break that doubles
        assert_eq!(data(text, 100), [(text.to_owned(), 0)]);
        assert_eq!(data(text, 30), [("{\"a\":1}\n{\"b\":2}\n".to_owned(), 0), ("{\"c\":3}".to_owned(), 2)]);
    }

    #[test]
    fn arrays_are_cut_between_conversations() {
        let text = " [ {\"messages\":[]} , {\"messages\":[1]},{\"messages\":[2]} ]";
        assert_eq!(
            data(text, 55),
            [
                ("[{\"messages\":[]},{\"messages\":[1]}]".to_owned(), 0),
                ("[{\"messages\":[2]}]".to_owned(), 2)
            ]
        );
        assert_eq!(data("[]", 100), []);
    }

    #[test]
    fn what_fits_no_request_is_told_by_its_place() {
        let text = format!("{{}}\n{{\"x\":\"{}\"}}\n{{}}\n", "y".repeat(100));
        let pieces = cut(&text, 60).unwrap();
        assert_eq!(pieces.refused[0].place, "line 2");
        let places: Vec<_> = pieces.pieces.iter().map(|piece| piece.before).collect();
        assert_eq!(places, [0, 2]);
    }

    #[test]
    fn other_files_are_refused_with_a_hint() {
        for text in ["hello", "[{", "<html>"] {
            assert!(cut(text, 100).is_err(), "{text}");
        }
        assert_eq!(cut(" \n", 100).unwrap().pieces, []);
        assert_eq!(cut("\u{feff}{}\n", 100).unwrap().pieces.len(), 1);
    }

    #[test]
    fn places_count_from_the_start_of_the_file() {
        for (place, before, expected) in [
            ("line 3", 10, "line 13"),
            ("conversation 1, message 5", 2, "conversation 3, message 5"),
            ("somewhere", 2, "somewhere"),
        ] {
            assert_eq!(place_in_file(place, before), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_too_large(
            records in prop::collection::vec("[^\r\n]{0,40}", 0..20),
            most in 40usize..200,
        ) {
            let text: String =
                records.iter().map(|record| serde_json::json!({"content": record}).to_string() + "\n").collect();
            let pieces = cut(&text, most).unwrap();
            for piece in &pieces.pieces {
                prop_assert!(serde_json::to_string(&piece.data).unwrap().len() <= most);
            }
            let sent: usize = pieces.pieces.iter().map(|piece| piece.data.lines().count()).sum();
            prop_assert_eq!(sent + pieces.refused.len(), records.len());
        }

        #[test]
        fn any_text_is_survived(text in any::<String>()) {
            let _ = cut(&text, 50);
        }

        #[test]
        fn the_length_is_that_of_the_json(text in any::<String>()) {
            prop_assert_eq!(length_as_json(&text), serde_json::to_string(&text).unwrap().len());
        }
    }
}
