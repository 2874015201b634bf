//! JSON-RPC by HTTP/1.1 POST, the pages for people and Prometheus, and the door to WebSocket.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderMap};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use jsonrpsee::types::{ErrorObjectOwned, Id};
use soketto::handshake::http::{Server as Handshake, is_upgrade_request};
use tokio::net::UnixStream;

use super::accept::Seat;
use super::caller::Caller;
use super::connection;
use super::dispatch::{Session, error_response};
use super::fault;
use super::frame::Framing;
use super::http_io::HttpIo;
use super::server::Shared;
use crate::api::limits;
use crate::error::{Error, Kind};
use crate::model::ClientRef;

/// A page that the daemon shows by GET.
#[derive(Debug, Clone)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// Makes the page at a path ("/health", "/metrics"); None: there is no such page. What the server itself counts
/// is written behind the page at "/metrics".
pub type Pages = Arc<dyn Fn(&str) -> BoxFuture<'static, Option<Page>> + Send + Sync>;

/// The header by which a request names its tool: `x-nosso-client: name/version`.
pub const CLIENT_HEADER: &str = "x-nosso-client";

const METRICS: &str = "/metrics";
const JSON: &str = "application/json; charset=utf-8";

/// Serves one HTTP client until it or the daemon goes away.
pub async fn serve(shared: Arc<Shared>, stream: UnixStream, caller: Caller, seat: Seat) {
    let in_flight = Arc::new(AtomicUsize::new(0));
    let io = HttpIo::new(stream, seat, in_flight.clone());
    let stop = shared.home.stop.clone();
    let service = service_fn(move |request| {
        let (shared, caller) = (shared.clone(), caller.clone());
        let busy = Busy::new(in_flight.clone());
        async move {
            let response = respond(shared, caller, request).await;
            drop(busy);
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new().serve_connection(io, service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(limits::STOP_CALLS_DEADLINE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "an HTTP connection ended");
    }
}

/// A request that is being answered.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(in_flight: Arc<AtomicUsize>) -> Self {
        in_flight.fetch_add(1, Ordering::AcqRel);
        Self(in_flight)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

type Answer = Response<Full<Bytes>>;

async fn respond(shared: Arc<Shared>, caller: Caller, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    match *request.method() {
        Method::GET if is_upgrade_request(&request) => upgrade(shared, caller, request),
        Method::GET => get(&shared, &path).await,
        Method::POST if path == "/" || path == "/rpc" => post(shared, caller, request).await,
        Method::POST => refusal(
            StatusCode::NOT_FOUND,
            &Error::not_found(format!("the path {path}")).hint("JSON-RPC is at `/`"),
        ),
        _ => {
            let error = Error::new(Kind::Unsupported, format!("{} is not served here", request.method()))
                .hint("POST JSON-RPC to `/`, or GET `/health` or `/metrics`");
            let mut answer = refusal(StatusCode::METHOD_NOT_ALLOWED, &error);
            answer.headers_mut().insert(ALLOW, http::HeaderValue::from_static("GET, POST"));
            answer
        }
    }
}

async fn get(shared: &Shared, path: &str) -> Answer {
    let page = (shared.pages)(path).await;
    let page = match page {
        page if path == METRICS => {
            let mut body = page.map(|page| page.body).unwrap_or_default();
            body.push_str(&shared.metrics());
            Page { status: 200, content_type: "text/plain; version=0.0.4; charset=utf-8", body }
        }
        Some(page) => page,
        None if path == "/" => {
            let error = Error::new(Kind::Unsupported, "JSON-RPC is asked by POST").hint(
                "curl --unix-socket SOCKET http://localhost/ --json \
                 '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"system.status\"}'",
            );
            return refusal(StatusCode::METHOD_NOT_ALLOWED, &error);
        }
        None => {
            let error = Error::not_found(format!("the page {path}"))
                .hint("GET `/health` or `/metrics`, or POST JSON-RPC to `/`");
            return refusal(StatusCode::NOT_FOUND, &error);
        }
    };
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer(status, page.content_type, page.body)
}

async fn post(shared: Arc<Shared>, caller: Caller, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    if let Err(error) = check_content_type(&head.headers) {
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error);
    }
    let announced = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    // A client that waits to be told to go on is told not to.
    if announced > Some(limits::MAX_REQUEST_BYTES as u64) && head.headers.contains_key(EXPECT) {
        return json_fault(StatusCode::PAYLOAD_TOO_LARGE, fault::request_too_large());
    }
    let message = match read(body, announced).await {
        Ok(message) => message,
        Err(answer) => return *answer,
    };
    let caller = match head.headers.get(CLIENT_HEADER).and_then(|value| value.to_str().ok()) {
        Some(named) => caller.introduced(client(named)),
        None => caller,
    };
    match Session::new(shared, caller, None).answer(&message).await {
        Some(json) => answer(StatusCode::OK, JSON, String::from(Box::<str>::from(json))),
        None => empty(StatusCode::NO_CONTENT),
    }
}

/// The body, if it is within the limit. One that is not is read to its end, a piece at a time, so that the client
/// has sent everything before it reads the refusal.
async fn read(mut body: Incoming, announced: Option<u64>) -> Result<BytesMut, Box<Answer>> {
    let expected = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut message = BytesMut::with_capacity(expected.min(limits::MAX_REQUEST_BYTES));
    let mut over = false;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            let fault = fault::parse_error("the request ended before its body did");
            return Err(Box::new(json_fault(StatusCode::BAD_REQUEST, fault)));
        };
        let Ok(data) = frame.into_data() else { continue };
        over = over || message.len() + data.len() > limits::MAX_REQUEST_BYTES;
        if over {
            message = BytesMut::new();
        } else {
            message.extend_from_slice(&data);
        }
    }
    if over {
        return Err(Box::new(json_fault(StatusCode::PAYLOAD_TOO_LARGE, fault::request_too_large())));
    }
    Ok(message)
}

/// JSON under any of its names, what curl sends unless told otherwise, and nothing at all.
fn check_content_type(headers: &HeaderMap) -> Result<(), Error> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = matches!(
        essence.as_str(),
        "" | "application/json"
            | "application/json-rpc"
            | "application/jsonrequest"
            | "application/x-www-form-urlencoded"
            | "text/plain"
    );
    if known {
        return Ok(());
    }
    Err(Error::new(Kind::Unsupported, format!("the content type {text} is not JSON"))
        .hint("send `content-type: application/json`"))
}

fn client(named: &str) -> ClientRef {
    let (name, version) = named.split_once('/').unwrap_or((named, ""));
    ClientRef { name: name.trim().to_owned(), version: version.trim().to_owned() }
}

fn upgrade(shared: Arc<Shared>, caller: Caller, mut request: Request<Incoming>) -> Answer {
    let response = match Handshake::new().receive_request(&request) {
        Ok(response) => response,
        Err(error) => {
            let error = Error::invalid(format!("the WebSocket handshake is wrong: {error}"))
                .hint("send `Sec-WebSocket-Version: 13` and a `Sec-WebSocket-Key`");
            return refusal(StatusCode::BAD_REQUEST, &error);
        }
    };
    if let Some(named) = request.headers().get(CLIENT_HEADER).and_then(|value| value.to_str().ok()) {
        caller.introduce(client(named));
    }
    let upgraded = hyper::upgrade::on(&mut request);
    let tasks = shared.home.tasks.clone();
    tasks.spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let Ok(parts) = upgraded.downcast::<HttpIo>() else { return };
        let (stream, seat) = parts.io.into_parts();
        connection::run(shared, stream, Framing::WebSocket, BytesMut::from(parts.read_buf), caller).await;
        drop(seat);
    });
    response.map(|()| Full::default())
}

fn json_fault(status: StatusCode, fault: ErrorObjectOwned) -> Answer {
    let json = error_response(Id::Null, fault);
    answer(status, JSON, String::from(Box::<str>::from(json)))
}

/// What is not JSON-RPC is refused in the same words: an error object with `kind` and `hint`.
fn refusal(status: StatusCode, error: &Error) -> Answer {
    json_fault(status, fault::from_error(error))
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    answer
}

fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}
