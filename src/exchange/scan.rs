//! Finds the conversations of a JSON document of any size while it is read, without looking into them: only one is
//! in memory at a time, and a broken one does not keep the others from being found.

use std::io::BufRead;

use super::walk::Walk;
use crate::error::{Error, Kind, Result};

/// What one conversation may take as JSON; a larger one is passed over without being held.
pub const MAX_ELEMENT_BYTES: usize = 96 << 20;

/// Which values of a document are conversations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Members of the outermost object that hold a list, or an object, of conversations.
    pub containers: &'static [&'static str],
    /// Whether the members of the outermost object may be conversations themselves, keyed by their ids.
    pub is_keyed: bool,
}

/// What was found, in the order of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A value that should be a conversation, and the key that it stands under.
    Value { key: Option<String>, json: &'a [u8] },
    /// Something that cannot be read, and why.
    Broken(String),
    /// The end of the outermost value; another may follow.
    End,
}

/// Reads documents, one behind the other, to the end of the file. Errors: `Storage` where reading fails, and what
/// `each` answers.
pub(super) fn scan(
    reader: &mut dyn BufRead,
    shape: Shape,
    each: &mut dyn FnMut(Found<'_>) -> Result<()>,
) -> Result<()> {
    let mut scanner = Scanner { reader, shape, each, held: Vec::new() };
    if scanner.peek()? == Some(0xef) {
        // the mark that some programs put in front
        scanner.skip_while(|byte| byte >= 0x80)?;
    }
    while let Some(first) = scanner.solid()? {
        match first {
            b'[' => scanner.list()?,
            b'{' => scanner.object()?,
            _ => {
                (scanner.each)(Found::Broken("is neither a list nor an object".into()))?;
                scanner.skip_while(|byte| !matches!(byte, b'[' | b'{'))?;
                continue;
            }
        }
        (scanner.each)(Found::End)?;
    }
    Ok(())
}

struct Scanner<'a> {
    reader: &'a mut dyn BufRead,
    shape: Shape,
    each: &'a mut dyn FnMut(Found<'_>) -> Result<()>,
    /// The value that is being read.
    held: Vec<u8>,
}

/// How a value ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Whole,
    TooLarge(usize),
    CutOff,
}

impl Scanner<'_> {
    fn peek(&mut self) -> Result<Option<u8>> {
        Ok(self.reader.fill_buf().map_err(unreadable)?.first().copied())
    }

    fn skip_while(&mut self, skips: impl Fn(u8) -> bool) -> Result<()> {
        loop {
            let found = self.reader.fill_buf().map_err(unreadable)?;
            let n = found.iter().position(|byte| !skips(*byte)).unwrap_or(found.len());
            let is_over = n < found.len() || found.is_empty();
            self.reader.consume(n);
            if is_over {
                return Ok(());
            }
        }
    }

    /// The next byte that is no white space, not yet taken.
    fn solid(&mut self) -> Result<Option<u8>> {
        self.skip_while(|byte| byte.is_ascii_whitespace())?;
        self.peek()
    }

    /// The next byte that is no white space and no comma, not yet taken.
    fn next_entry(&mut self) -> Result<Option<u8>> {
        self.skip_while(|byte| byte.is_ascii_whitespace() || byte == b',')?;
        self.peek()
    }

    fn list(&mut self) -> Result<()> {
        self.reader.consume(1);
        loop {
            match self.next_entry()? {
                None => return self.cut_off(),
                Some(b']') => {
                    self.reader.consume(1);
                    return Ok(());
                }
                Some(_) => {
                    self.held.clear();
                    let ended = self.value(0)?;
                    self.give(None, ended)?;
                }
            }
        }
    }

    /// Gives the held value.
    fn give(&mut self, key: Option<String>, ended: Ended) -> Result<()> {
        match ended {
            Ended::Whole => (self.each)(Found::Value { key, json: &self.held }),
            Ended::TooLarge(bytes) => (self.each)(Found::Broken(too_large(bytes, MAX_ELEMENT_BYTES))),
            Ended::CutOff => (self.each)(Found::Broken("is cut off: the file ends within it".into())),
        }
    }

    fn cut_off(&mut self) -> Result<()> {
        (self.each)(Found::Broken("is missing: the file ends before its list does".into()))
    }

    fn object(&mut self) -> Result<()> {
        self.reader.consume(1);
        // the members that are no conversations: together they are one
        let mut rest = vec![b'{'];
        let mut rest_size = 0;
        let mut found_some = false;
        let ended = loop {
            match self.next_entry()? {
                None => break Ended::CutOff,
                Some(b'}') => {
                    self.reader.consume(1);
                    break Ended::Whole;
                }
                Some(b'"') => {}
                Some(_) => {
                    // no key: let the parser say what is wrong with it
                    self.held.clear();
                    if self.value(0)? == Ended::CutOff {
                        break Ended::CutOff;
                    }
                    rest.append(&mut self.held);
                    continue;
                }
            }
            self.held.clear();
            self.value(0)?;
            let raw_key = std::mem::take(&mut self.held);
            let key = serde_json::from_slice::<String>(&raw_key)
                .unwrap_or_else(|_| String::from_utf8_lossy(&raw_key).into_owned());
            self.skip_while(|byte| byte.is_ascii_whitespace() || byte == b':')?;
            let first = self.peek()?;
            if self.shape.containers.contains(&key.as_str()) && matches!(first, Some(b'[' | b'{')) {
                found_some = true;
                if first == Some(b'[') {
                    self.list()?
                } else {
                    self.keyed()?
                }
                continue;
            }
            let room = MAX_ELEMENT_BYTES.saturating_sub(rest.len());
            let ended = self.value(MAX_ELEMENT_BYTES - room)?;
            if self.shape.is_keyed && holds_messages(&self.held) {
                found_some = true;
                self.give(Some(key), ended)?;
                continue;
            }
            match ended {
                Ended::Whole => {
                    if rest.len() > 1 {
                        rest.push(b',');
                    }
                    rest.extend_from_slice(&raw_key);
                    rest.push(b':');
                    rest.append(&mut self.held);
                }
                Ended::TooLarge(bytes) => rest_size = rest.len() + bytes,
                Ended::CutOff => break Ended::CutOff,
            }
        };
        if found_some {
            return if ended == Ended::CutOff { self.cut_off() } else { Ok(()) };
        }
        rest.push(b'}');
        self.held = rest;
        self.give(None, if rest_size > 0 { Ended::TooLarge(rest_size) } else { ended })
    }

    /// The members of an object of conversations.
    fn keyed(&mut self) -> Result<()> {
        self.reader.consume(1);
        loop {
            match self.next_entry()? {
                None => return self.cut_off(),
                Some(b'}') => {
                    self.reader.consume(1);
                    return Ok(());
                }
                Some(_) => {}
            }
            self.held.clear();
            self.value(0)?;
            let key = serde_json::from_slice(&self.held).ok();
            self.skip_while(|byte| byte.is_ascii_whitespace() || byte == b':')?;
            self.held.clear();
            let ended = self.value(0)?;
            self.give(key, ended)?;
        }
    }

    /// Reads one value into `held`, which `taken` bytes elsewhere belong to already.
    fn value(&mut self, taken: usize) -> Result<Ended> {
        let most = MAX_ELEMENT_BYTES - taken.min(MAX_ELEMENT_BYTES);
        let mut state = Walk::default();
        let mut size = 0;
        loop {
            let found = self.reader.fill_buf().map_err(unreadable)?;
            if found.is_empty() {
                // a bare word ends where the file does
                let is_whole = state.is_outside() && size > 0;
                return Ok(if is_whole { Ended::Whole } else { Ended::CutOff });
            }
            let (n, is_over) = state.walk(found);
            size += n;
            if size <= most {
                self.held.extend_from_slice(&found[..n]);
            } else {
                self.held.clear();
            }
            self.reader.consume(n);
            if is_over {
                return Ok(if size <= most { Ended::Whole } else { Ended::TooLarge(size) });
            }
        }
    }
}

fn holds_messages(json: &[u8]) -> bool {
    json.starts_with(b"{") && memchr::memmem::find(json, b"\"messages\"").is_some()
}

pub(super) fn too_large(bytes: usize, most: usize) -> String {
    format!("takes {bytes} bytes; at most {most} are read")
}

pub(super) fn unreadable(error: std::io::Error) -> Error {
    Error::new(Kind::Storage, format!("read the file: {error}")).caused_by(error)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    const SHAPE: Shape = Shape { containers: &["conversations"], is_keyed: true };

    fn found(text: &[u8], buffer: usize) -> Vec<String> {
        let mut all = vec![];
        let mut reader = BufReader::with_capacity(buffer, text);
        scan(&mut reader, SHAPE, &mut |found| {
            all.push(match found {
                Found::Value { key, json } => {
                    format!(
                        "{}{}",
                        key.map(|key| key + "=").unwrap_or_default(),
                        String::from_utf8_lossy(json)
                    )
                }
                Found::Broken(reason) => format!("!{}", reason.split([':', ' ']).nth(1).unwrap_or_default()),
                Found::End => "end".into(),
            });
            Ok(())
        })
        .unwrap();
        all
    }

    #[test]
    fn values_are_found_in_every_outer_form() {
        let check = |text: &str, expected: &[&str]| {
            for buffer in [1, 3, 4096] {
                assert_eq!(found(text.as_bytes(), buffer), expected, "{text} {buffer}");
            }
        };
        check("[]", &["end"]);
        check(
            "\u{feff} [ {\"a\": \"]\\\"\"} , [1], 2,\"x\",null]",
            &["{\"a\": \"]\\\"\"}", "[1]", "2", "\"x\"", "null", "end"],
        );
        check("{\"a\":1}\n{\"b\":[2]}", &["{\"a\":1}", "end", "{\"b\":[2]}", "end"]);
        check("{\"v\":1,\"conversations\":[{},{}],\"w\":2}", &["{}", "{}", "end"]);
        check("{\"conversations\":{\"k\\n\":{}, \"l\":{}}}", &["k\n={}", "l={}", "end"]);
        check("{\"v\": 1, \"x\": {\"messages\": []}}", &["x={\"messages\": []}", "end"]);
        check("{\"id\":7,\"messages\":[]}", &["{\"id\":7,\"messages\":[]}", "end"]);
        check("", &[]);
    }

    #[test]
    fn what_is_broken_is_told_and_the_rest_is_found() {
        let check = |text: &str, expected: &[&str]| assert_eq!(found(text.as_bytes(), 5), expected, "{text}");
        check("[{\"a\":1},{\"b\":", &["{\"a\":1}", "!cut", "!missing", "end"]);
        check("[{\"a\":1},", &["{\"a\":1}", "!missing", "end"]);
        check("[{bad json},{\"a\":1}]", &["{bad json}", "{\"a\":1}", "end"]);
        check("[}, {\"a\":1}]", &["}", "{\"a\":1}", "end"]);
        check("hello [1]", &["!neither", "1", "end"]);
        check("[1] junk", &["1", "end", "!neither"]);
        check("{\"a\":1", &["!cut", "end"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived_whatever_the_buffer(text in "[\\[\\]{}\",:\\\\a1 \n]{0,60}", buffer in 1usize..9) {
            prop_assert_eq!(found(text.as_bytes(), buffer), found(text.as_bytes(), 4096));
        }

        #[test]
        fn whole_values_are_given_byte_for_byte(values in prop::collection::vec("[a-z\"\\\\\\[{]{0,9}", 0..5)) {
            let expected: Vec<String> =
                values.iter().map(|text| serde_json::json!({"k": [text]}).to_string()).collect();
            let mut all = found(format!("[{}]", expected.join(" ,\n")).as_bytes(), 4);
            prop_assert_eq!(all.pop(), Some("end".to_owned()));
            prop_assert_eq!(all, expected);
        }
    }
}
