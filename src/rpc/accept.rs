//! Who may come in, and which framing it speaks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use jsonrpsee::types::Id;
use rustix::net::RecvFlags;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::caller::{Caller, Home};
use super::connection;
use super::dispatch::error_response;
use super::fault;
use super::frame::{Framing, encode};
use super::http;
use super::metrics::Metrics;
use super::server::Shared;
use crate::api::limits;

/// How long to wait when the process has no file descriptor left for another client; those that wait are kept in
/// the kernel's queue.
const BACK_OFF: Duration = Duration::from_millis(100);
/// Clients over the limit that are told so at the same time; further ones are just closed.
const MAX_REFUSALS: usize = 32;
/// How long a client over the limit has to say its first byte, which decides how it is told.
const REFUSAL_DEADLINE: Duration = Duration::from_secs(1);

/// A client's place among those that may be connected at the same time; the server waits for it when it stops.
pub struct Seat {
    home: Arc<Home>,
    _place: OwnedSemaphorePermit,
    _waited_for: TaskTrackerToken,
}

impl Seat {
    /// What all clients share.
    pub fn home(&self) -> &Home {
        &self.home
    }
}

/// Lets clients in until the daemon stops.
pub async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    let refusals = Arc::new(Semaphore::new(MAX_REFUSALS));
    let mut connections = 0;
    let mut failures = 0_u64;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.home.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                failures = 0;
                connections += 1;
                admit(stream, connections, &shared, &refusals);
            }
            // The client has gone before it was let in.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if failures.is_multiple_of(100) {
                    tracing::warn!(%error, "no client can be let in; waiting");
                }
                failures += 1;
                tokio::select! {
                    () = tokio::time::sleep(BACK_OFF) => {}
                    () = shared.home.stop.cancelled() => return,
                }
            }
        }
    }
}

fn admit(stream: UnixStream, connection: u64, shared: &Arc<Shared>, refusals: &Arc<Semaphore>) {
    let metrics = &shared.home.metrics;
    let Ok(peer) = stream.peer_cred() else { return };
    // The socket's mode keeps others out already; this holds where someone has changed it. Root may do everything
    // anyway.
    if peer.uid() != shared.uid && peer.uid() != 0 {
        Metrics::count(&metrics.refused_user);
        tracing::warn!(uid = peer.uid(), pid = peer.pid(), "refused a client of another user");
        return;
    }
    let Ok(place) = shared.seats.clone().try_acquire_owned() else {
        Metrics::count(&metrics.refused_full);
        if let Ok(refusal) = refusals.clone().try_acquire_owned() {
            shared.home.tasks.spawn(async move {
                let told = tokio::time::timeout(REFUSAL_DEADLINE, refuse(stream)).await;
                tracing::debug!(told = told.is_ok(), "refused a client over the limit");
                drop(refusal);
            });
        }
        return;
    };
    Metrics::count(&metrics.accepted);
    let caller = Caller::new(peer.uid(), peer.pid(), connection, shared.home.clone());
    let seat = Seat { home: shared.home.clone(), _place: place, _waited_for: shared.home.tasks.token() };
    let shared = shared.clone();
    shared.home.tasks.clone().spawn(async move {
        let first = tokio::select! {
            first = tokio::time::timeout(limits::FIRST_BYTE_DEADLINE, first_byte(&stream)) => first,
            () = shared.home.stop.cancelled() => return,
        };
        match first {
            Ok(Ok(Speech::Messages(framing))) => {
                connection::run(shared, stream, framing, BytesMut::new(), caller).await;
                drop(seat);
            }
            Ok(Ok(Speech::Http)) => http::serve(shared, stream, caller, seat).await,
            Ok(Ok(Speech::Unknown(byte))) => {
                tracing::debug!(byte, connection, "a client speaks something unknown");
            }
            Ok(Ok(Speech::Nothing) | Err(_)) | Err(_) => {}
        }
    });
}

/// What the first byte gives away.
enum Speech {
    Messages(Framing),
    Http,
    Unknown(u8),
    Nothing,
}

/// Looks at the first byte and leaves it where it is.
async fn first_byte(stream: &UnixStream) -> io::Result<Speech> {
    let mut byte = [0; 1];
    let n = stream
        .async_io(Interest::READABLE, || {
            let (n, _) = rustix::net::recv(stream, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT)?;
            Ok(n)
        })
        .await?;
    if n == 0 {
        return Ok(Speech::Nothing);
    }
    Ok(match byte[0] {
        b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n' => Speech::Messages(Framing::Line),
        // `Content-Length`; the only HTTP method with this letter is CONNECT, which means nothing here.
        b'C' | b'c' => Speech::Messages(Framing::Header),
        b'A'..=b'Z' => Speech::Http,
        other => Speech::Unknown(other),
    })
}

/// Tells a client over the limit so, in its own framing.
async fn refuse(mut stream: UnixStream) -> io::Result<()> {
    let json = error_response(Id::Null, fault::too_many_connections());
    let mut output = BytesMut::new();
    match first_byte(&stream).await? {
        Speech::Messages(framing) => encode(framing, json.get(), &mut output),
        Speech::Http => {
            let head = format!(
                "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\nRetry-After: 1\r\n\r\n",
                json.get().len()
            );
            output.extend_from_slice(head.as_bytes());
            output.extend_from_slice(json.get().as_bytes());
        }
        Speech::Unknown(_) | Speech::Nothing => return Ok(()),
    }
    stream.write_all(&output).await?;
    stream.shutdown().await
}
