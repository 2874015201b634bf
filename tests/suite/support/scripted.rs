//! A model server on loopback that does what a test tells it: HTTP/1.1 over plain TCP, one request a connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the next chat request is answered.
#[derive(Debug, Clone)]
pub enum Script {
    /// These tokens, then a proper end.
    Stream(Vec<String>),
    /// The same, but the network delivers so many bytes at a time.
    Split(Vec<String>, usize),
    /// Nothing at all: not even the head of the answer.
    HangBeforeHead,
    /// The head of the answer, then nothing.
    HangBeforeFirst,
    /// These tokens, then nothing.
    HangAfter(Vec<String>),
    /// These tokens, then the connection ends.
    CutAfter(Vec<String>),
    /// These tokens, then half of the next line, then the connection ends.
    CutInside(Vec<String>),
    /// These tokens, then an error inside the stream.
    ErrorAfter(Vec<String>, String),
    /// This status and this body.
    Http(u16, String),
    /// These tokens with so much time before each.
    Drip(Vec<String>, Duration),
    /// Exactly these bytes as the body.
    Raw(String),
}

/// What one protocol's answers look like.
pub trait Wire: Send + Sync + 'static {
    /// The answer to a request that is no chat: the status and the JSON body.
    fn page(&self, path: &str, body: &Value) -> (u16, Value);
    /// The path of chat requests.
    fn chat_path(&self) -> &'static str;
    /// The content type of a stream.
    fn content_type(&self) -> &'static str;
    /// One token.
    fn token(&self, text: &str) -> String;
    /// The end of the stream after so many tokens.
    fn end(&self, n_tokens: usize) -> String;
    /// An error inside the stream.
    fn error(&self, text: &str) -> String;
}

/// The running server. It stops when dropped.
pub struct Scripted {
    /// Where it listens: "http://127.0.0.1:PORT".
    pub url: String,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    wire: Box<dyn Wire>,
    scripts: Mutex<VecDeque<Script>>,
    requests: Mutex<Vec<Request>>,
    /// How many clients closed the connection before the answer had ended.
    closed: watch::Sender<usize>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    /// The head, lower case.
    pub head: String,
    pub body: Value,
}

impl Scripted {
    /// Starts a server that speaks `wire`.
    pub async fn start(wire: impl Wire) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            wire: Box::new(wire),
            scripts: Mutex::default(),
            requests: Mutex::default(),
            closed: watch::channel(0).0,
        });
        let serving = state.clone();
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, serving.clone()));
            }
        });
        Self { url, state, accepting }
    }

    /// The next chat request is answered like this; without a script it is answered with "ok".
    pub fn script(&self, script: Script) {
        self.state.scripts.lock().unwrap().push_back(script);
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The last chat request.
    pub fn last_chat(&self) -> Request {
        let path = self.state.wire.chat_path();
        self.requests().into_iter().rfind(|request| request.path == path).expect("no chat request came")
    }

    /// Waits until `n` clients have closed their connection before the end of the answer.
    pub async fn clients_closed(&self, n: usize) {
        let mut closed = self.state.closed.subscribe();
        tokio::time::timeout(Duration::from_secs(10), closed.wait_for(|closed| *closed >= n))
            .await
            .expect("no client closed its connection")
            .unwrap();
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let Some(request) = read_request(&mut stream).await else { return };
    let is_chat = request.path == state.wire.chat_path();
    let (path, body) = (request.path.clone(), request.body.clone());
    state.requests.lock().unwrap().push(request);
    if !is_chat {
        let (status, page) = state.wire.page(&path, &body);
        let _ = stream.write_all(whole(status, &page.to_string()).as_bytes()).await;
        return;
    }
    let script = state.scripts.lock().unwrap().pop_front();
    let script = script.unwrap_or_else(|| Script::Stream(vec!["ok".into()]));
    if play(&mut stream, &*state.wire, script).await.is_err() {
        state.closed.send_modify(|closed| *closed += 1);
    }
}

/// Plays one script; an error means that the client went away.
async fn play(stream: &mut TcpStream, wire: &dyn Wire, script: Script) -> std::io::Result<()> {
    let body = |tokens: &[String]| tokens.iter().map(|token| wire.token(token)).collect::<String>();
    match script {
        Script::Http(status, text) => stream.write_all(whole(status, &text).as_bytes()).await,
        Script::HangBeforeHead => wait_for_close(stream).await,
        Script::HangBeforeFirst => {
            head(stream, wire).await?;
            wait_for_close(stream).await
        }
        Script::HangAfter(tokens) => {
            head(stream, wire).await?;
            chunk(stream, body(&tokens).as_bytes()).await?;
            wait_for_close(stream).await
        }
        Script::CutAfter(tokens) => {
            head(stream, wire).await?;
            chunk(stream, body(&tokens).as_bytes()).await
        }
        Script::CutInside(tokens) => {
            head(stream, wire).await?;
            let next = wire.token("never seen");
            let text = body(&tokens) + &next[..next.len() / 2];
            chunk(stream, text.as_bytes()).await?;
            // a proper end of the body, so that only the protocol above it can tell
            stream.write_all(b"0\r\n\r\n").await
        }
        Script::ErrorAfter(tokens, text) => {
            head(stream, wire).await?;
            chunk(stream, (body(&tokens) + &wire.error(&text)).as_bytes()).await?;
            stream.write_all(b"0\r\n\r\n").await
        }
        Script::Stream(tokens) => {
            head(stream, wire).await?;
            for token in &tokens {
                chunk(stream, wire.token(token).as_bytes()).await?;
            }
            chunk(stream, wire.end(tokens.len()).as_bytes()).await?;
            stream.write_all(b"0\r\n\r\n").await
        }
        Script::Split(tokens, size) => {
            head(stream, wire).await?;
            let text = body(&tokens) + &wire.end(tokens.len());
            for piece in text.as_bytes().chunks(size) {
                chunk(stream, piece).await?;
                // lets the reader run, so that it sees the pieces one by one
                tokio::task::yield_now().await;
            }
            stream.write_all(b"0\r\n\r\n").await
        }
        Script::Drip(tokens, pause) => {
            head(stream, wire).await?;
            for token in &tokens {
                // the slowness is what is being played; a client that leaves meanwhile is noticed
                if tokio::time::timeout(pause, wait_for_close(stream)).await.is_ok() {
                    return Err(std::io::ErrorKind::BrokenPipe.into());
                }
                chunk(stream, wire.token(token).as_bytes()).await?;
            }
            chunk(stream, wire.end(tokens.len()).as_bytes()).await?;
            stream.write_all(b"0\r\n\r\n").await
        }
        Script::Raw(text) => {
            head(stream, wire).await?;
            chunk(stream, text.as_bytes()).await?;
            stream.write_all(b"0\r\n\r\n").await
        }
    }
}

async fn head(stream: &mut TcpStream, wire: &dyn Wire) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        wire.content_type()
    );
    stream.write_all(head.as_bytes()).await
}

async fn chunk(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    stream.write_all(&framed).await
}

/// Returns when the client has closed, always with an error.
async fn wait_for_close(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut nothing = [0; 64];
    while stream.read(&mut nothing).await? > 0 {}
    Err(std::io::ErrorKind::BrokenPipe.into())
}

fn whole(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let path = head.split_whitespace().nth(1)?.to_owned();
    let head = head.to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = serde_json::from_slice(&bytes[end + 4..]).unwrap_or(Value::Null);
    Some(Request { path, head, body })
}
