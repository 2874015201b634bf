//! A connection to a daemon with the newline framing, which may end at any time.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use super::PATIENCE;

/// One connection to a daemon that may die at any time.
pub struct Client {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
    next: u64,
}

/// The daemon went away before it answered.
#[derive(Debug)]
pub struct Gone;

impl Client {
    pub fn connect(socket: &Path) -> Result<Self, Gone> {
        let stream = UnixStream::connect(socket).map_err(|_| Gone)?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap());
        Ok(Self { stream, lines, next: 1 })
    }

    /// The result, or the error object that the daemon answers.
    pub fn call(&mut self, method: &str, params: &Value) -> Result<Result<Value, Value>, Gone> {
        let id = self.send(method, params)?;
        loop {
            let mut message = self.receive()?;
            if message["id"] == json!(id) {
                let error = message["error"].take();
                return Ok(if error.is_null() { Ok(message["result"].take()) } else { Err(error) });
            }
        }
    }

    /// Sends a request and answers its id.
    pub fn send(&mut self, method: &str, params: &Value) -> Result<u64, Gone> {
        let id = self.next;
        self.next += 1;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.stream.write_all(format!("{request}\n").as_bytes()).map_err(|_| Gone)?;
        Ok(id)
    }

    /// The next message of any sort.
    pub fn receive(&mut self) -> Result<Value, Gone> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            // half a line is none
            Ok(_) if line.ends_with('\n') => Ok(serde_json::from_str(&line).unwrap()),
            Ok(_) => Err(Gone),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Err(Gone),
            Err(error) => panic!("no answer: {error}"),
        }
    }
}
