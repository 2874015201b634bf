//! A client that does nothing but lines: what is left of a round trip is the server's.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Outcome;

/// Longer than anything that is measured takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// After which what a daemon does in the background must have come about: the embedding of a thousand texts, say.
const COMES_ABOUT: Duration = Duration::from_secs(180);

pub struct Raw {
    writer: UnixStream,
    reader: BufReader<UnixStream>,
    line: Vec<u8>,
}

impl Raw {
    pub fn connect(socket: &Path) -> Outcome<Self> {
        let writer = UnixStream::connect(socket)?;
        writer.set_read_timeout(Some(PATIENCE))?;
        let reader = BufReader::new(writer.try_clone()?);
        Ok(Self { writer, reader, line: Vec::new() })
    }

    /// Sends a line and reads a line.
    pub fn exchange(&mut self, line: &[u8]) -> Outcome<&[u8]> {
        self.writer.write_all(line)?;
        self.line.clear();
        self.reader.read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Err("the server hung up".into());
        }
        Ok(&self.line)
    }

    /// Calls a method and answers its result.
    pub fn call(&mut self, method: &str, params: Value) -> Outcome<Value> {
        let answer: Value = serde_json::from_slice(self.exchange(&request(method, params))?)?;
        match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(format!("{method}: {}", answer["error"]).into()),
        }
    }

    /// Waits until the member of `system.status` that this pointer names is as wanted.
    pub fn wait_until(&mut self, at: &str, is_so: impl Fn(&Value) -> bool) -> Outcome {
        let deadline = Instant::now() + COMES_ABOUT;
        loop {
            let status = self.call("system.status", json!({}))?;
            if status.pointer(at).is_some_and(&is_so) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{at} did not come about: {status}").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The line of a call.
pub fn request(method: &str, params: Value) -> Vec<u8> {
    let mut line = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    line.push('\n');
    line.into_bytes()
}
