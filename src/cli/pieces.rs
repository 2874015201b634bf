//! Cuts what is to be imported into pieces that fit one request each, while it is read: a file may have any size.

use std::io::{BufRead, Read};

use crate::api::data::{ImportFormat, Refused};
use crate::api::limits::MAX_REQUEST_BYTES;
use crate::error::{Error, Kind, Result};
use crate::exchange::{self, history, record, split};
use crate::model::Timestamp;

/// What the records of a piece take in a request, about. The envelope around them is small; half the limit keeps one
/// answer quick, so that the progress moves and Ctrl-C loses little.
pub const PIECE_BYTES: usize = MAX_REQUEST_BYTES / 2;
/// What a record that fills a piece alone may take: the limit less the envelope. The largest message fits, even if
/// every byte of it is escaped twice.
const MOST_BYTES: usize = MAX_REQUEST_BYTES - 4096;

/// A part of the file: records as NDJSON, as the export writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The text to send.
    pub data: String,
    /// How many lines of the file lie before it; 0 where the file has other lines.
    pub before: usize,
    /// What of the file does not go into a request, with its place in the file.
    pub refused: Vec<Refused>,
}

/// Reads a file of either format and gives `each` its pieces, in order; one piece is in memory at a time, and of a
/// JSON history one conversation. A conversation gets its ids here, so that it may be
/// larger than a request.
///
/// Errors: `Invalid` where the file is empty, in neither format or breaks off (the pieces before that were given), `Storage`
/// where reading fails, and what `each` answers.
pub fn cut(mut reader: impl BufRead, most: usize, mut each: impl FnMut(Piece) -> Result<()>) -> Result<()> {
    let first = first_line(&mut reader)?;
    let start = String::from_utf8_lossy(&first);
    // some programs put a byte-order mark before everything
    let start = start.trim_start_matches('\u{feff}');
    if start.trim().is_empty() {
        return Err(Error::invalid("read the file: it is empty")
            .hint("even an export of an empty store has one line; was the file written to the end?"));
    }
    let whole = start.as_bytes().chain(reader);
    match exchange::recognise(start) {
        Some(ImportFormat::Nosso) => lines(whole, most, &mut each),
        Some(ImportFormat::History) => conversations(whole, most, &mut each),
        // an array over several lines says on its second line what it holds
        None if start.trim() == "[" => conversations(whole, most, &mut each),
        None => Err(neither()),
    }
    .and_then(each)
}

fn neither() -> Error {
    Error::invalid("read the file: it is neither NDJSON of nosso nor a JSON history of conversations").hint(
        "nosso reads what `nosso export` writes, and [{\"title\": …, \"messages\": [{\"role\": …, \"content\": …}]}]",
    )
}

/// The first line that is not blank, or the beginning of a very long one.
fn first_line(reader: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.trim_ascii().is_empty() {
        line.clear();
        let read = reader.take(MAX_REQUEST_BYTES as u64).read_until(b'\n', &mut line).map_err(unreadable)?;
        if read == 0 {
            break;
        }
    }
    // a character that the limit cut in two is read on
    while std::str::from_utf8(&line).is_err_and(|error| error.error_len().is_none()) {
        if reader.take(1).read_to_end(&mut line).map_err(unreadable)? == 0 {
            break;
        }
    }
    Ok(line)
}

fn unreadable(error: std::io::Error) -> Error {
    Error::new(Kind::Storage, format!("read the file: {error}")).caused_by(error)
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

fn lines(reader: impl BufRead, most: usize, each: impl FnMut(Piece) -> Result<()>) -> Result<Piece> {
    let mut reader = reader;
    let mut filling = Filling::new(most, each);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read =
            (&mut reader).take(MOST_BYTES as u64 + 1).read_until(b'\n', &mut line).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        if read > MOST_BYTES {
            filling.leave_out(number, too_large())?;
            skip_line(&mut reader)?;
            continue;
        }
        match std::str::from_utf8(&line) {
            Ok(text) => filling.add(text, number, || format!("line {number}"))?,
            Err(error) => filling.leave_out(number, format!("is not UTF-8: {error}"))?,
        }
    }
    Ok(filling.piece)
}

fn skip_line(reader: &mut impl BufRead) -> Result<()> {
    loop {
        let found = reader.fill_buf().map_err(unreadable)?;
        match found.iter().position(|byte| *byte == b'\n') {
            Some(place) => {
                reader.consume(place + 1);
                return Ok(());
            }
            None if found.is_empty() => return Ok(()),
            None => {
                let n = found.len();
                reader.consume(n);
            }
        }
    }
}

fn conversations(reader: impl Read, most: usize, each: impl FnMut(Piece) -> Result<()>) -> Result<Piece> {
    let now = Timestamp::now();
    let mut filling = Filling::new(most, each);
    split::split(reader, most, |part| {
        let readout = history::read(&part.document, now)?;
        for record in &readout.records {
            let line = format!("{}\n", record::line(record)?);
            filling.add(&line, 0, || match record {
                exchange::Record::Conversation(it) => format!("conversation {}", it.id),
                exchange::Record::Message(it) => format!("message {}", it.id),
                exchange::Record::Memory(it) => format!("memory {}", it.id),
            })?;
        }
        let before = usize::try_from(part.conversations_before).unwrap_or(usize::MAX);
        let refused = readout
            .refused
            .into_iter()
            .map(|refused| Refused { place: counted_on(&refused.place, "conversation ", before), ..refused });
        filling.piece.refused.extend(refused);
        Ok(())
    })?;
    Ok(filling.piece)
}

fn too_large() -> String {
    format!("takes more than {MOST_BYTES} bytes, and one request takes no more")
}

/// Fills one piece after the other.
struct Filling<F> {
    each: F,
    most: usize,
    piece: Piece,
    length: usize,
}

impl<F: FnMut(Piece) -> Result<()>> Filling<F> {
    fn new(most: usize, each: F) -> Self {
        Self { each, most, piece: Piece { data: String::new(), before: 0, refused: vec![] }, length: 0 }
    }

    /// Adds a line, its line end included; `number` counts from 1, and is 0 where the file has other lines.
    fn add(&mut self, line: &str, number: usize, place: impl Fn() -> String) -> Result<()> {
        let length = length_as_json(line);
        if length > MOST_BYTES {
            return self.leave_out_at(place(), number, too_large());
        }
        if self.length + length > self.most && !self.piece.data.is_empty() {
            self.next(number.saturating_sub(1))?;
        }
        self.piece.data.push_str(line);
        self.length += length;
        Ok(())
    }

    fn leave_out(&mut self, number: usize, reason: String) -> Result<()> {
        self.leave_out_at(format!("line {number}"), number, reason)
    }

    /// Places in a piece are counted from its start, so nothing may be missing in the middle of one.
    fn leave_out_at(&mut self, place: String, number: usize, reason: String) -> Result<()> {
        self.piece.refused.push(Refused { place, reason });
        self.next(number)
    }

    fn next(&mut self, before: usize) -> Result<()> {
        self.length = 0;
        let next = Piece { data: String::new(), before, refused: vec![] };
        (self.each)(std::mem::replace(&mut self.piece, next))
    }
}

/// The place in the whole file, given the place in a piece: "line 3" of a piece after 10 lines is "line 13".
pub fn place_in_file(place: &str, before: usize) -> String {
    counted_on(place, "line ", before)
}

fn counted_on(place: &str, name: &str, before: usize) -> String {
    let Some(rest) = place.strip_prefix(name) else { return place.to_owned() };
    let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    match number.parse::<usize>() {
        // an id begins with digits too, but does not end with them or with a comma
        Ok(number) if tail.is_empty() || tail.starts_with(',') || tail.starts_with(':') => {
            format!("{name}{}{tail}", number.saturating_add(before))
        }
        _ => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &[u8], most: usize) -> Result<Vec<Piece>> {
        let mut pieces = vec![];
        cut(text, most, |piece| {
            pieces.push(piece);
            Ok(())
        })?;
        Ok(pieces)
    }

    const HEADER: &str = "{\"type\":\"nosso\",\"version\":1}\n";

    #[test]
    fn lines_stay_whole_and_keep_their_numbers() {
        let line = format!("{{\"type\":\"memory\",\"x\":\"{}\"}}\n", "y".repeat(50));
        let text = format!("\u{feff}{HEADER}{}", line.repeat(9));
        let pieces = pieces(text.as_bytes(), 300).unwrap();
        assert!(pieces.len() > 2);
        let mut before = 0;
        for piece in &pieces {
            assert_eq!(piece.before, before);
            assert!(piece.data.ends_with('\n') && length_as_json(&piece.data) <= 300);
            before += piece.data.lines().count();
        }
        let together: String = pieces.iter().map(|piece| piece.data.as_str()).collect();
        assert_eq!(together, text.trim_start_matches('\u{feff}'));
    }

    #[test]
    fn a_line_that_fits_no_request_is_told_by_its_place_and_the_others_come() {
        let huge = format!("{{\"x\":\"{}\"}}\n", "y".repeat(MOST_BYTES));
        let text = format!("{HEADER}{huge}{{\"type\":\"memory\"}}\n");
        let pieces = pieces(text.as_bytes(), PIECE_BYTES).unwrap();
        let refused: Vec<&str> =
            pieces.iter().flat_map(|it| &it.refused).map(|it| it.place.as_str()).collect();
        assert_eq!(refused, ["line 2"]);
        assert_eq!((pieces.len(), pieces[1].before), (2, 2));
        assert_eq!(pieces[1].data, "{\"type\":\"memory\"}\n");
        let mut broken = HEADER.as_bytes().to_vec();
        broken.extend(b"\xff\xfe\n");
        let pieces = super::tests::pieces(&broken, PIECE_BYTES).unwrap();
        assert!(pieces[0].refused[0].reason.contains("UTF-8"), "{pieces:?}");
    }

    #[test]
    fn the_largest_message_fits_however_it_is_escaped() {
        use crate::api::limits::MAX_CONTENT_BYTES;
        for byte in ["\u{1}", "\"", "\n", "x"] {
            // blank text would be refused for that
            let content = format!("x{}", byte.repeat(MAX_CONTENT_BYTES - 1));
            let history =
                serde_json::json!([{"messages": [{"role": "user", "content": content}]}]).to_string();
            let pieces = pieces(history.as_bytes(), PIECE_BYTES).unwrap();
            assert!(pieces.iter().all(|piece| piece.refused.is_empty()), "{byte:?}");
            let longest = pieces.iter().map(|piece| length_as_json(&piece.data)).max().unwrap();
            assert!(longest <= MOST_BYTES);
        }
    }

    #[test]
    fn a_conversation_larger_than_a_piece_keeps_its_ids() {
        let messages: Vec<_> =
            (0..40).map(|n| serde_json::json!({"role": "user", "content": format!("message {n}")})).collect();
        let history = serde_json::json!([{"title": "long", "messages": messages}]).to_string();
        let whole: String =
            pieces(history.as_bytes(), PIECE_BYTES).unwrap().into_iter().map(|it| it.data).collect();
        let parts = pieces(history.as_bytes(), 2000).unwrap();
        assert!(parts.len() > 3);
        let ids = |text: &str| -> Vec<String> {
            let line =
                |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].to_string();
            text.lines().map(line).collect()
        };
        let together: String = parts.into_iter().map(|it| it.data).collect();
        assert_eq!(ids(&together), ids(&whole));
        assert_eq!(together.lines().count(), 41);
    }

    #[test]
    fn every_form_of_a_history_is_taken() {
        for text in [
            "[\n  {\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}\n]",
            "{\n \"conversations\": [{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}]}",
            "\n{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}",
            "[{\"role\": \"user\", \"content\": \"a\"}]",
        ] {
            let pieces = pieces(text.as_bytes(), PIECE_BYTES).unwrap();
            assert_eq!(pieces.iter().map(|piece| piece.data.lines().count()).sum::<usize>(), 2, "{text}");
        }
    }

    #[test]
    fn other_files_are_refused_with_a_hint() {
        for text in ["", " \n\n", "hello", "1, 2", "[1, 2]", "\u{0}\u{1}"] {
            let error = pieces(text.as_bytes(), 100).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{text}");
            assert!(error.hint_text().is_some(), "{text}");
        }
        assert!(pieces(b"[{\"messages\": [", 100).unwrap_err().hint_text().is_some());
    }

    #[test]
    fn places_count_from_the_start_of_the_file() {
        assert_eq!(place_in_file("line 3", 10), "line 13");
        assert_eq!(place_in_file("message 01a2", 10), "message 01a2");
        assert_eq!(counted_on("conversation 2, message 1", "conversation ", 4), "conversation 6, message 1");
        let id = "conversation 10203040-0000-4000-8000-000000000000";
        assert_eq!(counted_on(id, "conversation ", 4), id);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = pieces(&bytes, 50);
        }

        #[test]
        fn the_length_is_that_of_the_json(text in any::<String>()) {
            prop_assert_eq!(length_as_json(&text), serde_json::to_string(&text).unwrap().len());
        }
    }
}
