//! Bytes to messages and back, for connections that stay open: incremental, bounded, without any I/O.

use bytes::{Buf, BytesMut};

use super::websocket;

/// How messages are told apart on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One message a line.
    Line,
    /// A `Content-Length:` header block before each message, as language servers do it.
    Header,
    /// WebSocket frames, after HTTP has shaken hands.
    WebSocket,
}

/// What a decoder found in the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A whole message.
    Message(BytesMut),
    /// A message over the limit; its bytes are thrown away and what follows it is read.
    TooLarge,
    /// A WebSocket ping that wants this payload back.
    Ping(BytesMut),
    /// The client said goodbye.
    Close,
    /// The bytes cannot be told apart any more; nothing more will be found.
    Broken(&'static str),
}

/// Finds messages in bytes that come in any portions.
#[derive(Debug)]
pub enum Decoder {
    /// Of [`Framing::Line`].
    Line(LineDecoder),
    /// Of [`Framing::Header`].
    Header(HeaderDecoder),
    /// Of [`Framing::WebSocket`].
    WebSocket(websocket::Decoder),
}

impl Decoder {
    /// A decoder that gives messages of at most `max` bytes.
    pub fn new(framing: Framing, max: usize) -> Self {
        match framing {
            Framing::Line => Self::Line(LineDecoder { max, scanned: 0, discarding: false }),
            Framing::Header => {
                Self::Header(HeaderDecoder { max, body: None, discard: Discard::default(), broken: false })
            }
            Framing::WebSocket => Self::WebSocket(websocket::Decoder::new(max)),
        }
    }

    /// The next piece; None: `input` must grow first. Takes what it gives out of `input`.
    pub fn next(&mut self, input: &mut BytesMut) -> Option<Piece> {
        match self {
            Self::Line(decoder) => decoder.next(input),
            Self::Header(decoder) => decoder.next(input),
            Self::WebSocket(decoder) => decoder.next(input),
        }
    }

    /// What is left when the client will send no more: the last line counts without its line feed.
    pub fn finish(&mut self, input: &mut BytesMut) -> Option<Piece> {
        match self {
            Self::Line(decoder) if !input.is_empty() => {
                input.extend_from_slice(b"\n");
                decoder.next(input)
            }
            _ => None,
        }
    }
}

/// Writes one message behind `output`.
pub fn encode(framing: Framing, json: &str, output: &mut BytesMut) {
    match framing {
        Framing::Line => {
            output.reserve(json.len() + 1);
            output.extend_from_slice(json.as_bytes());
            output.extend_from_slice(b"\n");
        }
        Framing::Header => {
            let head = format!("Content-Length: {}\r\n\r\n", json.len());
            output.reserve(head.len() + json.len());
            output.extend_from_slice(head.as_bytes());
            output.extend_from_slice(json.as_bytes());
        }
        Framing::WebSocket => websocket::encode_text(json, output),
    }
}

/// Newline-delimited JSON. Blank lines and carriage returns mean nothing.
#[derive(Debug)]
pub struct LineDecoder {
    max: usize,
    /// How much of the input is known to hold no line feed; a long line is not searched twice.
    scanned: usize,
    discarding: bool,
}

impl LineDecoder {
    fn next(&mut self, input: &mut BytesMut) -> Option<Piece> {
        loop {
            let Some(found) = memchr::memchr(b'\n', &input[self.scanned..]) else {
                if !self.discarding && input.len() > self.max {
                    self.discarding = true;
                    self.discard(input);
                    return Some(Piece::TooLarge);
                }
                if self.discarding {
                    self.discard(input);
                }
                self.scanned = input.len();
                return None;
            };
            let mut line = input.split_to(self.scanned + found + 1);
            self.scanned = 0;
            if std::mem::take(&mut self.discarding) {
                continue;
            }
            line.truncate(line.len() - 1);
            if line.len() > self.max {
                return Some(Piece::TooLarge);
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Some(Piece::Message(line));
        }
    }

    fn discard(&mut self, input: &mut BytesMut) {
        input.clear();
        self.scanned = 0;
    }
}

/// Bytes of a message over the limit that are still to come: they are thrown away as they come.
#[derive(Debug, Default)]
pub(super) struct Discard(usize);

impl Discard {
    pub(super) fn of(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Throws away what is there; whether that was all.
    pub(super) fn is_done(&mut self, input: &mut BytesMut) -> bool {
        let there = self.0.min(input.len());
        input.advance(there);
        self.0 -= there;
        self.0 == 0
    }
}

/// `Content-Length:` header blocks. Other headers mean nothing.
#[derive(Debug)]
pub struct HeaderDecoder {
    max: usize,
    /// The announced length of the message whose header block is read.
    body: Option<usize>,
    discard: Discard,
    broken: bool,
}

/// A header block is one or two short lines; what is longer is something else.
const MAX_HEADER_BLOCK: usize = 4096;

impl HeaderDecoder {
    fn next(&mut self, input: &mut BytesMut) -> Option<Piece> {
        if self.broken {
            input.clear();
            return None;
        }
        if !self.discard.is_done(input) {
            return None;
        }
        let length = match self.body {
            Some(length) => length,
            None => match self.block(input)? {
                Ok(length) if length > self.max => {
                    self.discard = Discard::of(length);
                    return Some(Piece::TooLarge);
                }
                Ok(length) => length,
                Err(why) => {
                    self.broken = true;
                    return Some(Piece::Broken(why));
                }
            },
        };
        if input.len() < length {
            self.body = Some(length);
            input.reserve(length - input.len());
            return None;
        }
        self.body = None;
        Some(Piece::Message(input.split_to(length)))
    }

    /// The length that the next header block announces; None: it is not all there.
    fn block(&self, input: &mut BytesMut) -> Option<Result<usize, &'static str>> {
        let blank = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        input.advance(blank);
        let Some(end) = memchr::memmem::find(input, b"\r\n\r\n") else {
            return (input.len() > MAX_HEADER_BLOCK + 3).then_some(Err("the header block does not end"));
        };
        if end > MAX_HEADER_BLOCK {
            return Some(Err("the header block does not end"));
        }
        let block = input.split_to(end + 4);
        let Ok(text) = std::str::from_utf8(&block) else {
            return Some(Err("the header block is not text"));
        };
        let length = text
            .split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-length"))
            .map(|(_, value)| value.trim().parse::<usize>())
            .last();
        Some(match length {
            Some(Ok(length)) => Ok(length),
            Some(Err(_)) => Err("the Content-Length is not a number"),
            None => Err("the header block names no Content-Length"),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 64;

    /// Everything that a decoder finds in `bytes` when they come in portions of these sizes.
    fn decode(framing: Framing, bytes: &[u8], portions: &[usize]) -> Vec<Piece> {
        let mut decoder = Decoder::new(framing, MAX);
        let mut input = BytesMut::new();
        let mut found = Vec::new();
        let mut rest = bytes;
        let mut portions = portions.iter().copied().cycle();
        while !rest.is_empty() {
            let n = portions.next().unwrap_or(rest.len()).clamp(1, rest.len());
            input.extend_from_slice(&rest[..n]);
            rest = &rest[n..];
            while let Some(piece) = decoder.next(&mut input) {
                found.push(piece);
            }
            assert!(input.len() <= MAX_HEADER_BLOCK + MAX + n, "the decoder keeps more than it may");
        }
        found.extend(decoder.finish(&mut input));
        found
    }

    fn message(text: &str) -> Piece {
        Piece::Message(BytesMut::from(text))
    }

    #[test]
    fn lines_are_messages_and_blank_ones_are_not() {
        let found = decode(Framing::Line, b"{1}\n\r\n \n{2}\r\n{3}", &[1000]);
        assert_eq!(found, [message("{1}"), message("{2}\r"), message("{3}")]);
    }

    #[test]
    fn a_long_line_is_told_once_and_the_next_is_read() {
        let mut bytes = vec![b'x'; MAX + 1];
        bytes.extend_from_slice(b"\n{1}\n");
        for portion in [1, 7, 1000] {
            assert_eq!(decode(Framing::Line, &bytes, &[portion]), [Piece::TooLarge, message("{1}")]);
        }
    }

    #[test]
    fn header_blocks_may_hold_other_headers() {
        let bytes =
            b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length:3\r\n\r\n{1}\r\n\
              Content-Length: 2\r\n\r\n{}";
        assert_eq!(decode(Framing::Header, bytes, &[5]), [message("{1}"), message("{}")]);
    }

    #[test]
    fn a_header_block_without_a_length_is_the_end() {
        let found =
            decode(Framing::Header, b"Content-Size: 3\r\n\r\n{1}Content-Length: 2\r\n\r\n{}", &[1000]);
        assert_eq!(found, [Piece::Broken("the header block names no Content-Length")]);
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for framing in [Framing::Line, Framing::Header] {
            let mut bytes = BytesMut::new();
            encode(framing, "{\"a\":1}", &mut bytes);
            encode(framing, "[]", &mut bytes);
            assert_eq!(decode(framing, &bytes, &[3]), [message("{\"a\":1}"), message("[]")]);
        }
    }

    fn framing() -> impl Strategy<Value = Framing> {
        prop_oneof![Just(Framing::Line), Just(Framing::Header), Just(Framing::WebSocket)]
    }

    /// Bytes that are mostly well-formed and sometimes not.
    fn traffic() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            "[ -~]{0,80}\n".prop_map(String::into_bytes),
            "[ -~]{0,90}"
                .prop_map(|body| format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()),
            prop::collection::vec(any::<u8>(), 0..100).prop_map(|body| {
                let mut frame = Vec::from([0x81u8, 0x80 | body.len() as u8, 1, 2, 3, 4]);
                frame.extend(body);
                frame
            }),
            prop::collection::vec(any::<u8>(), 0..40),
        ];
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_does_not_matter(
            framing in framing(),
            bytes in traffic(),
            portions in prop::collection::vec(1usize..60, 1..8),
        ) {
            prop_assert_eq!(decode(framing, &bytes, &portions), decode(framing, &bytes, &[1]));
        }

        #[test]
        fn garbage_never_panics(framing in framing(), bytes in prop::collection::vec(any::<u8>(), 0..6000)) {
            decode(framing, &bytes, &[17]);
        }
    }
}
