//! WebSocket frames of a server (RFC 6455): no extensions, text and binary messages alike are JSON.

use bytes::{Buf, BytesMut};
use soketto::Parsing;
use soketto::base::{Codec, Header, OpCode};

use super::frame::{Discard, Piece};

/// Why a server closes: it goes away.
pub const GOING_AWAY: u16 = 1001;
/// Why a server closes: the client broke the protocol.
pub const PROTOCOL_ERROR: u16 = 1002;
/// Why a server closes: nothing is wrong.
pub const NORMAL: u16 = 1000;

/// Puts the frames of a client together to messages of at most `max` bytes.
#[derive(Debug)]
pub struct Decoder {
    max: usize,
    codec: Codec,
    /// The frame whose payload is not all there.
    frame: Option<Header>,
    /// The fragments of the current message.
    message: Option<BytesMut>,
    /// What is left of the current frame where its message is over the limit.
    discard: Discard,
    /// Whether the frames up to the next final one belong to a message over the limit.
    discarding: bool,
    over: bool,
}

impl Decoder {
    /// A decoder before the first frame.
    pub fn new(max: usize) -> Self {
        let mut codec = Codec::new();
        // The length of messages is checked here, over all fragments, and not frame by frame.
        codec.set_max_data_size(usize::MAX);
        Self {
            max,
            codec,
            frame: None,
            message: None,
            discard: Discard::default(),
            discarding: false,
            over: false,
        }
    }

    /// The next piece; None: `input` must grow first.
    pub fn next(&mut self, input: &mut BytesMut) -> Option<Piece> {
        loop {
            if self.over {
                input.clear();
                return None;
            }
            if !self.discard.is_done(input) {
                return None;
            }
            let header = match self.frame.take() {
                Some(header) => header,
                None => match self.codec.decode_header(input) {
                    Ok(Parsing::NeedMore(_)) => return None,
                    Ok(Parsing::Done { value, offset }) => {
                        input.advance(offset);
                        match self.admit(&value) {
                            Admission::Payload => value,
                            Admission::Discard => continue,
                            Admission::TooLarge => return Some(Piece::TooLarge),
                            Admission::Broken(why) => return self.broken(why),
                        }
                    }
                    Err(_) => return self.broken("the frame's header is malformed"),
                },
            };
            if input.len() < header.payload_len() {
                input.reserve(header.payload_len() - input.len());
                self.frame = Some(header);
                return None;
            }
            let mut payload = input.split_to(header.payload_len());
            Codec::apply_mask(&header, &mut payload);
            if let Some(piece) = self.take(&header, payload) {
                return Some(piece);
            }
        }
    }

    /// What happens to the payload behind a header that has just been read.
    fn admit(&mut self, header: &Header) -> Admission {
        if !header.is_masked() {
            return Admission::Broken("the client's frame is not masked");
        }
        let opcode = header.opcode();
        if opcode.is_control() {
            return Admission::Payload;
        }
        if (opcode == OpCode::Continue) != (self.message.is_some() || self.discarding) {
            return Admission::Broken("the message's fragments are out of order");
        }
        if self.discarding {
            self.discard = Discard::of(header.payload_len());
            self.discarding = !header.is_fin();
            return Admission::Discard;
        }
        let so_far = self.message.as_ref().map_or(0, BytesMut::len);
        if header.payload_len() > self.max - so_far {
            self.message = None;
            self.discard = Discard::of(header.payload_len());
            self.discarding = !header.is_fin();
            return Admission::TooLarge;
        }
        Admission::Payload
    }

    fn take(&mut self, header: &Header, payload: BytesMut) -> Option<Piece> {
        match header.opcode() {
            OpCode::Ping => return Some(Piece::Ping(payload)),
            OpCode::Close => {
                self.over = true;
                return Some(Piece::Close);
            }
            OpCode::Text | OpCode::Binary | OpCode::Continue => {}
            _ => return None,
        }
        let message = match self.message.take() {
            None => payload,
            Some(mut message) => {
                message.extend_from_slice(&payload);
                message
            }
        };
        if header.is_fin() {
            return Some(Piece::Message(message));
        }
        self.message = Some(message);
        None
    }

    fn broken(&mut self, why: &'static str) -> Option<Piece> {
        self.over = true;
        Some(Piece::Broken(why))
    }
}

enum Admission {
    Payload,
    Discard,
    TooLarge,
    Broken(&'static str),
}

/// Writes a text message as one frame.
pub fn encode_text(text: &str, output: &mut BytesMut) {
    frame(OpCode::Text, text.as_bytes(), output);
}

/// Writes the answer to a ping.
pub fn encode_pong(payload: &[u8], output: &mut BytesMut) {
    frame(OpCode::Pong, payload, output);
}

/// Writes a goodbye.
pub fn encode_close(code: u16, output: &mut BytesMut) {
    frame(OpCode::Close, &code.to_be_bytes(), output);
}

fn frame(opcode: OpCode, payload: &[u8], output: &mut BytesMut) {
    let mut header = Header::new(opcode);
    header.set_payload_len(payload.len());
    let mut codec = Codec::new();
    let head = codec.encode_header(&header);
    output.reserve(head.len() + payload.len());
    output.extend_from_slice(head);
    output.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame, as a client sends it.
    fn client_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
        assert!(payload.len() < 126);
        let mask = [9u8, 8, 7, 6];
        let mut bytes = vec![first_byte, 0x80 | payload.len() as u8];
        bytes.extend(mask);
        bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
        bytes
    }

    fn decode(frames: &[Vec<u8>], max: usize) -> Vec<Piece> {
        let mut decoder = Decoder::new(max);
        let mut input = BytesMut::from(&frames.concat()[..]);
        std::iter::from_fn(|| decoder.next(&mut input)).collect()
    }

    #[test]
    fn fragments_make_one_message_and_a_ping_may_come_between() {
        let found = decode(
            &[client_frame(0x01, b"{\"a\""), client_frame(0x89, b"hi"), client_frame(0x80, b":1}")],
            100,
        );
        assert_eq!(found, [Piece::Ping(BytesMut::from("hi")), Piece::Message(BytesMut::from("{\"a\":1}"))]);
    }

    #[test]
    fn a_message_over_the_limit_is_told_once_over_all_its_fragments() {
        let found = decode(
            &[
                client_frame(0x01, b"123456"),
                client_frame(0x00, b"789012"),
                client_frame(0x80, b"3"),
                client_frame(0x81, b"{}"),
            ],
            10,
        );
        assert_eq!(found, [Piece::TooLarge, Piece::Message(BytesMut::from("{}"))]);
    }

    #[test]
    fn unmasked_frames_and_stray_continuations_end_the_connection() {
        assert_eq!(
            decode(&[vec![0x81, 2, b'{', b'}']], 10),
            [Piece::Broken("the client's frame is not masked")]
        );
        let found = decode(&[client_frame(0x80, b"{}"), client_frame(0x81, b"{}")], 10);
        assert_eq!(found, [Piece::Broken("the message's fragments are out of order")]);
    }

    #[test]
    fn long_texts_have_long_headers() {
        for (length, head) in [(5, 2), (300, 4), (70_000, 10)] {
            let mut output = BytesMut::new();
            encode_text(&"x".repeat(length), &mut output);
            assert_eq!((output.len(), output[0]), (length + head, 0x81));
        }
    }
}
