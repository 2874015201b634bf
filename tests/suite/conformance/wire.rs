//! A client that knows nothing of the library: bytes on a Unix socket, in each of the four framings.

use std::path::Path;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// How long anything may take in these tests before it counts as hanging.
pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Line,
    Header,
    Http,
    WebSocket,
}

pub const ALL: [Kind; 4] = [Kind::Line, Kind::Header, Kind::Http, Kind::WebSocket];
/// Those whose connections stay open between messages that belong together.
pub const OPEN: [Kind; 3] = [Kind::Line, Kind::Header, Kind::WebSocket];

pub struct Wire {
    pub kind: Kind,
    pub stream: UnixStream,
    input: BytesMut,
}

/// An answer by HTTP.
pub struct Http {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Wire {
    pub async fn open(path: &Path, kind: Kind) -> Self {
        let stream = UnixStream::connect(path).await.unwrap();
        let mut wire = Self { kind, stream, input: BytesMut::new() };
        if kind == Kind::WebSocket {
            wire.write(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            )
            .await;
            let head = wire.until(|input| memchr::memmem::find(input, b"\r\n\r\n").map(|at| at + 4)).await;
            let head = String::from_utf8(head.expect("a handshake").to_vec()).unwrap();
            assert!(head.starts_with("HTTP/1.1 101"), "{head}");
            // The example of RFC 6455, section 1.3.
            assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        }
        wire
    }

    /// The bytes of one message.
    pub fn encode(kind: Kind, text: &str) -> Vec<u8> {
        match kind {
            Kind::Line => format!("{}\n", text.replace('\n', " ")).into_bytes(),
            Kind::Header => format!("Content-Length: {}\r\n\r\n{text}", text.len()).into_bytes(),
            Kind::Http => format!(
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n\
                 {text}",
                text.len()
            )
            .into_bytes(),
            Kind::WebSocket => client_frame(0x81, text.as_bytes()),
        }
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        tokio::time::timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("written in time").unwrap();
    }

    pub async fn send(&mut self, text: &str) {
        self.write(&Self::encode(self.kind, text)).await;
    }

    pub async fn send_json(&mut self, message: Value) {
        self.send(&message.to_string()).await;
    }

    /// The next message; None: the server has closed, or has answered an HTTP request without a body.
    pub async fn receive(&mut self) -> Option<Value> {
        let text = match self.kind {
            Kind::Line => {
                let line = self.until(|input| memchr::memchr(b'\n', input).map(|at| at + 1)).await?;
                String::from_utf8(line.to_vec()).unwrap()
            }
            Kind::Header => {
                let head =
                    self.until(|input| memchr::memmem::find(input, b"\r\n\r\n").map(|at| at + 4)).await?;
                let length = content_length(std::str::from_utf8(&head).unwrap()).unwrap();
                let body = self.until(|input| (input.len() >= length).then_some(length)).await?;
                String::from_utf8(body.to_vec()).unwrap()
            }
            Kind::Http => {
                let answer = self.receive_http().await?;
                if answer.status == 204 {
                    return None;
                }
                answer.body
            }
            Kind::WebSocket => loop {
                let (first, payload) = self.receive_frame().await?;
                match first {
                    0x81 => break String::from_utf8(payload).unwrap(),
                    0x88 => return None,
                    _ => {}
                }
            },
        };
        Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}")))
    }

    /// One frame of the server: its first byte and its payload.
    pub async fn receive_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let whole = |input: &[u8]| {
            let length = usize::from(*input.get(1)?);
            let (head, length) = match length {
                126 => (4, usize::from(u16::from_be_bytes(input.get(2..4)?.try_into().ok()?))),
                127 => (10, u64::from_be_bytes(input.get(2..10)?.try_into().ok()?) as usize),
                length => (2, length),
            };
            (input.len() >= head + length).then_some((head, length))
        };
        let mut frame = self.until(|input| whole(input).map(|(head, length)| head + length)).await?;
        let (head, _) = whole(&frame).unwrap();
        let first = frame[0];
        frame.advance(head);
        Some((first, frame.to_vec()))
    }

    pub async fn receive_http(&mut self) -> Option<Http> {
        let head = self.until(|input| memchr::memmem::find(input, b"\r\n\r\n").map(|at| at + 4)).await?;
        let head = String::from_utf8(head.to_vec()).unwrap();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = content_length(&head).unwrap_or(0);
        let body = self.until(|input| (input.len() >= length).then_some(length)).await?;
        Some(Http { status, head, body: String::from_utf8(body.to_vec()).unwrap() })
    }

    /// Sends a request and gives its answer.
    pub async fn ask(&mut self, request: Value) -> Value {
        self.ask_text(&request.to_string()).await
    }

    pub async fn ask_text(&mut self, request: &str) -> Value {
        self.send(request).await;
        let kind = self.kind;
        self.receive().await.unwrap_or_else(|| panic!("{kind:?} closed instead of answering {request:.200}"))
    }

    /// Calls a method and gives its result.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        let answer =
            self.ask(json!({"jsonrpc": "2.0", "id": "call", "method": method, "params": params})).await;
        assert_eq!(answer["id"], "call", "{answer}");
        answer.get("result").cloned().unwrap_or_else(|| panic!("{method} failed: {answer}"))
    }

    /// Sends something that is not answered, and proves it: the next answer is that of the next request.
    pub async fn tell(&mut self, text: &str) {
        self.send(text).await;
        if self.kind == Kind::Http {
            let answer = self.receive_http().await.expect("an answer");
            assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{text}");
        }
        let probe =
            self.ask(json!({"jsonrpc": "2.0", "id": "probe", "method": "subtract", "params": [3, 1]})).await;
        assert_eq!(probe, json!({"jsonrpc": "2.0", "id": "probe", "result": 2}), "behind {text}");
    }

    /// What `end` finds the end of; None: the server closed first.
    async fn until(&mut self, end: impl Fn(&[u8]) -> Option<usize>) -> Option<BytesMut> {
        loop {
            if let Some(end) = end(&self.input) {
                return Some(self.input.split_to(end));
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await;
            match read.unwrap_or_else(|_| panic!("nothing came over {:?}; {:?}", self.kind, self.input)) {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

/// A masked frame, as a client sends it.
pub fn client_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7u8, 1, 200, 33];
    let mut bytes = vec![first_byte];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    bytes
}

fn content_length(head: &str) -> Option<usize> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim().parse().unwrap())
}
