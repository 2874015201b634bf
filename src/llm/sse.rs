//! Reads server-sent events, of which a model server's stream is made, wherever the network split them.

use super::lines::Lines;
use crate::error::Result;

/// Bytes in, the data of events out. Comments, names, ids and retry times are skipped: no model server needs
/// them. Several `data:` lines of one event are joined by line feeds, as the standard says.
#[derive(Debug, Default)]
pub(super) struct Events {
    lines: Lines,
    data: Option<String>,
}

impl Events {
    /// Adds what was read, and gives `each` the data of every event that is now whole.
    /// Errors: `Upstream` for a line that is too long.
    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&str)) -> Result<()> {
        let data = &mut self.data;
        self.lines.push(bytes, |line| take_line(data, line, &mut each))
    }

    /// The last event, where the stream ended without the empty line that should follow it.
    pub(super) fn rest(&mut self) -> Option<String> {
        if let Some(line) = self.lines.rest() {
            take_line(&mut self.data, &line, &mut |_| ());
        }
        self.data.take()
    }
}

fn take_line(data: &mut Option<String>, line: &str, each: &mut impl FnMut(&str)) {
    if line.is_empty() {
        if let Some(whole) = data.take() {
            each(&whole);
        }
        return;
    }
    // a byte order mark is allowed at the very beginning, where no field can begin with one otherwise
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    let Some(value) = line.strip_prefix("data") else { return };
    let value = match value.strip_prefix(':') {
        Some(value) => value.strip_prefix(' ').unwrap_or(value),
        None if value.is_empty() => "",
        None => return,
    };
    match data {
        Some(data) => {
            data.push('\n');
            data.push_str(value);
        }
        None => *data = Some(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let mut events = Events::default();
        let mut found = Vec::new();
        for piece in pieces {
            events.push(piece, |data| found.push(data.to_owned())).unwrap();
        }
        found.extend(events.rest());
        found
    }

    fn check(stream: &str, expected: &[&str]) {
        assert_eq!(events(&[stream.as_bytes()]), expected, "{stream:?}");
    }

    #[test]
    fn events_of_all_shapes_are_read() {
        check("data: {\"a\":1}\n\ndata: [DONE]\n\n", &["{\"a\":1}", "[DONE]"]);
        check("data:tight\r\n\r\ndata:  two spaces\r\n\r\n", &["tight", " two spaces"]);
        check(": a comment\n\nevent: x\nid: 7\ndata: one\ndata: two\nretry: 3\n\n", &["one\ntwo"]);
        check("data: no end", &["no end"]);
        check("data\n\ndatabase: x\n\n\n\n", &[""]);
        check("\u{feff}data: mark\n\n", &["mark"]);
    }

    proptest! {
        #[test]
        fn splits_do_not_matter(
            data in prop::collection::vec("[ a-zçã🦀:]{0,12}", 0..6),
            end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
            step in 1usize..9,
        ) {
            let stream: String =
                data.iter().map(|data| format!(": ping{end}data: {data}{end}{end}")).collect();
            let pieces: Vec<&[u8]> = stream.as_bytes().chunks(step).collect();
            prop_assert_eq!(events(&pieces), data);
        }
    }
}
