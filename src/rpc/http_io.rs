//! A Unix socket as hyper wants it, with a deadline for clients that do not read and a place in the house.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::Sleep;

use super::accept::Seat;
use crate::api::limits;

/// What is read at once.
const READ_BYTES: usize = 8 << 10;

/// The socket of one HTTP client.
pub struct HttpIo {
    stream: UnixStream,
    seat: Seat,
    /// Requests that are being answered: while there are any, a client that has only stopped sending is not told
    /// apart from one that is silent, so that its answer still reaches it.
    in_flight: Arc<AtomicUsize>,
    /// Runs while a write waits for the client.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Asks hyper to read again, after it was not told that the client has stopped sending.
    withheld: Option<Waker>,
}

impl HttpIo {
    /// `in_flight`: kept up to date by whoever answers the requests.
    pub fn new(stream: UnixStream, seat: Seat, in_flight: Arc<AtomicUsize>) -> Self {
        Self { stream, seat, in_flight, stalled: None, withheld: None }
    }

    /// The socket again, after an upgrade.
    pub fn into_parts(self) -> (UnixStream, Seat) {
        (self.stream, self.seat)
    }

    fn is_gone(&self) -> bool {
        let ready = self.stream.ready(Interest::WRITABLE).now_or_never();
        ready.is_some_and(|ready| ready.map_or(true, |ready| ready.is_write_closed()))
    }

    /// Counts the time that a write waits; an error when it has been too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            if let Some(waker) = self.withheld.take() {
                waker.wake();
            }
            return outcome;
        }
        let sleep = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limits::WRITE_DEADLINE)));
        match sleep.as_mut().poll(context) {
            Poll::Ready(()) => {
                super::metrics::Metrics::count(&self.seat.home().metrics.stalled);
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl hyper::rt::Read for HttpIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // One copy more than hyper's own adapter, and no unsafe code.
        let mut bytes = [0; READ_BYTES];
        let room = into.remaining().min(READ_BYTES);
        let mut buffer = ReadBuf::new(&mut bytes[..room]);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Ready(Ok(())) if buffer.filled().is_empty() && room > 0 => {
                if self.is_gone() {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                if self.in_flight.load(Ordering::Acquire) > 0 || self.stalled.is_some() {
                    // The answer's last write wakes it.
                    self.withheld = Some(context.waker().clone());
                    return Poll::Pending;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(())) => {
                into.put_slice(buffer.filled());
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl hyper::rt::Write for HttpIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, outcome)
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.watch(context, outcome)
    }
}
