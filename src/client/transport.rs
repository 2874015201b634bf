//! One line of JSON for each message, as jsonrpsee's client wants to send and receive it.

use std::io;

use bytes::BytesMut;
use jsonrpsee::core::client::{ReceivedMessage, TransportReceiverT, TransportSenderT};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::api::limits;

/// The longest line that is taken: the longest answer, and the envelope around it.
const MAX_LINE_BYTES: usize = limits::MAX_RESPONSE_BYTES + (64 << 10);
/// What is read at once.
const READ_BYTES: usize = 64 << 10;

/// The half that sends.
pub struct LineSender(pub OwnedWriteHalf);

impl TransportSenderT for LineSender {
    type Error = io::Error;

    async fn send(&mut self, mut message: String) -> io::Result<()> {
        message.push('\n');
        self.0.write_all(message.as_bytes()).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

/// The half that receives.
pub struct LineReceiver {
    reader: OwnedReadHalf,
    input: BytesMut,
    /// How much of the input is known to hold no line feed.
    scanned: usize,
}

impl LineReceiver {
    /// Nothing has been read yet.
    pub fn new(reader: OwnedReadHalf) -> Self {
        Self { reader, input: BytesMut::new(), scanned: 0 }
    }

    fn line(&mut self) -> Option<BytesMut> {
        loop {
            let Some(found) = memchr::memchr(b'\n', &self.input[self.scanned..]) else {
                self.scanned = self.input.len();
                return None;
            };
            let line = self.input.split_to(self.scanned + found + 1);
            self.scanned = 0;
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Some(line);
            }
        }
    }
}

impl TransportReceiverT for LineReceiver {
    type Error = io::Error;

    /// Can be dropped at any time: what has been read stays in the buffer.
    async fn receive(&mut self) -> io::Result<ReceivedMessage> {
        loop {
            if let Some(line) = self.line() {
                return Ok(ReceivedMessage::Bytes(line.into()));
            }
            if self.input.len() > MAX_LINE_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the daemon's answer is too long"));
            }
            self.input.reserve(READ_BYTES);
            if self.reader.read_buf(&mut self.input).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the daemon closed the connection"));
            }
        }
    }
}
