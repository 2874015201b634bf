//! A real daemon as a process of its own, in folders of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{PATIENCE, binary, wait_for};

/// The folders of one user: what every program that is started in them sees.
pub struct Home(tempfile::TempDir);

impl Home {
    /// Empty folders.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = folder.path().join("run");
        std::fs::create_dir(&runtime).unwrap();
        std::fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Self(folder)
    }

    /// The program in this home, with no variable of the machine that could matter.
    pub fn nosso(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        self.place(&mut command);
        command.args(args);
        command
    }

    /// Puts another program into this home.
    pub fn place(&self, command: &mut Command) {
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.0.path()).env("XDG_RUNTIME_DIR", self.0.path().join("run"));
    }

    /// A file below it.
    pub fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    /// Where its daemon listens.
    pub fn socket(&self) -> PathBuf {
        self.path("run/nosso/nosso.sock")
    }

    /// The files in it that hold `text`, byte for byte.
    pub fn files_that_hold(&self, text: &str) -> Vec<PathBuf> {
        let (mut open, mut found) = (vec![self.path("")], vec![]);
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => open.push(entry.path()),
                    kind if kind.is_file() => {
                        let bytes = std::fs::read(entry.path()).unwrap();
                        found.extend(memchr::memmem::find(&bytes, text.as_bytes()).map(|_| entry.path()));
                    }
                    _ => {}
                }
            }
        }
        found
    }

    /// Writes the config file.
    pub fn configure(&self, text: &str) {
        let file = self.path(".config/nosso/config.toml");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    process: Child,
    lines: Receiver<String>,
    log: Vec<String>,
    reader: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts `nosso serve` and waits until it answers.
    pub fn start(home: &Home) -> Self {
        let mut daemon = Self::spawn(home.nosso(&["serve"]));
        daemon.wait_for_log("ready");
        daemon
    }

    /// Starts `command`, of which the standard error is the log.
    pub fn spawn(mut command: Command) -> Self {
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let reader = std::thread::spawn(move || {
            // ends with the process
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { process, lines, log: vec![], reader: Some(reader) }
    }

    /// Waits for a line of the log that holds `text`, and answers it. Each call goes on behind the last one.
    pub fn wait_for_log(&mut self, text: &str) -> String {
        self.wait_for_log_of(&[text])
    }

    /// Waits for a line that holds one of `texts`.
    pub fn wait_for_log_of(&mut self, texts: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if texts.iter().any(|text| line.contains(text)) {
                        return line;
                    }
                }
                Err(error) => panic!("no {texts:?} in the log ({error}):\n{}", self.log.join("\n")),
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end, at most `limit`.
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        let status = wait_for("the end of the daemon", || {
            assert!(Instant::now() < deadline, "the daemon did not end within {limit:?}");
            self.process.try_wait().unwrap()
        });
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }

    /// All of its log, once it has ended.
    pub fn whole_log(&mut self) -> String {
        self.log.extend(self.lines.try_iter());
        self.log.join("\n")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Gets a page over the socket: the status code and the body.
pub fn get(socket: &Path, page: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {answer:?}"));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (code.unwrap_or_else(|| panic!("no status code: {head:?}")), body.to_owned())
}

/// Calls a method over the socket with newline framing: the whole answer.
pub fn call(socket: &Path, method: &str, params: serde_json::Value) -> serde_json::Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    writeln!(stream, "{request}").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}
