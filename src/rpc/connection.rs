//! A connection that stays open: one task that reads, runs, writes, and knows when to stop doing each.
//!
//! Calls that are done at once are answered within this task, without a wake-up between request and answer; the
//! others become tasks of this connection, and end with it. What bounds memory: calls in flight, requests that
//! wait behind them, subscription items that wait, and how much may be unwritten before nothing new is begun.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_util::FutureExt;
use jsonrpsee::types::Id;
use jsonrpsee::{BoundedSubscriptions, MethodSink};
use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::caller::Caller;
use super::dispatch::{self, CancelOutcome, Outlet, Session};
use super::fault;
use super::frame::{self, Decoder, Framing, Piece};
use super::metrics::Metrics;
use super::server::Shared;
use super::websocket;
use crate::api::limits;

/// Unwritten bytes from which on nothing new is begun; one answer may go over it by its own length.
const OUTPUT_HIGH_WATER: usize = 256 << 10;
/// Items of subscriptions that go into one write.
const COALESCED_ITEMS: usize = 64;
/// Requests that may wait behind calls in flight. They are read ahead only to find cancellations among them.
const MAX_WAITING: usize = 64;
/// Bytes of those requests.
const MAX_WAITING_BYTES: usize = 1 << 20;
/// What is read at once.
const READ_BYTES: usize = 16 << 10;
/// Buffers that grew beyond this are given back when they are empty.
const KEPT_BUFFER_BYTES: usize = 64 << 10;
/// How often things are looked at for which there is no event: a peer that vanished while nothing is read, a
/// client that does not read, the end of subscriptions on a half-closed connection.
const TICK: Duration = Duration::from_millis(100);
/// How long subscriptions may go on when the daemon stops, if nothing else does.
const STOP_STREAMS_DEADLINE: Duration = Duration::from_secs(2);
/// How long the goodbye to a client that has closed may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// Serves one client until it or the daemon goes away. `input`: what has been read already.
pub async fn run(
    shared: Arc<Shared>,
    mut stream: UnixStream,
    framing: Framing,
    input: BytesMut,
    caller: Caller,
) {
    let (sink, items) = mpsc::channel(limits::MAX_BUFFERED_MESSAGES);
    let outlet = Outlet {
        sink: MethodSink::new(sink),
        subscriptions: BoundedSubscriptions::new(limits::MAX_SUBSCRIPTIONS),
    };
    let mut connection = Connection {
        session: Arc::new(Session::new(shared, caller, Some(outlet))),
        framing,
        decoder: Decoder::new(framing, limits::MAX_REQUEST_BYTES),
        input,
        output: BytesMut::new(),
        written: Instant::now(),
        items,
        calls: JoinSet::new(),
        waiting: VecDeque::new(),
        waiting_bytes: 0,
        input_ended: false,
        stopping: None,
        closing: None,
    };
    connection.work(&mut stream).await;
    // What still runs is dropped, and waited for; subscriptions see that their items have nowhere to go.
    connection.items.close();
    connection.calls.shutdown().await;
}

struct Connection {
    session: Arc<Session>,
    framing: Framing,
    decoder: Decoder,
    /// Read and not yet taken apart.
    input: BytesMut,
    /// Encoded and not yet written.
    output: BytesMut,
    /// When `output` last began or shrank.
    written: Instant,
    items: mpsc::Receiver<Box<RawValue>>,
    calls: JoinSet<Option<Box<RawValue>>>,
    waiting: VecDeque<BytesMut>,
    waiting_bytes: usize,
    /// The client will send no more, and may still read.
    input_ended: bool,
    /// Since when the daemon stops.
    stopping: Option<Instant>,
    /// Since when the last thing to do is to write what is unwritten.
    closing: Option<Instant>,
}

impl Connection {
    async fn work(&mut self, stream: &mut UnixStream) {
        let stop = self.session.shared().home.stop.clone();
        let mut stopped = std::pin::pin!(stop.cancelled());
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut items = Vec::with_capacity(COALESCED_ITEMS);
        let (mut reader, writer) = stream.split();
        loop {
            self.take_messages().await;
            if !self.write(&writer) || self.is_done() {
                return;
            }
            tokio::select! {
                ready = writer.writable(), if !self.output.is_empty() => {
                    if ready.is_err() {
                        return;
                    }
                }
                n = self.items.recv_many(&mut items, COALESCED_ITEMS), if self.has_room() => {
                    if n == 0 {
                        return;
                    }
                    for item in items.drain(..) {
                        self.send(&item);
                    }
                }
                Some(ended) = self.calls.join_next(), if self.has_room() && !self.calls.is_empty() => {
                    if let Ok(Some(answer)) = ended {
                        self.send(&answer);
                    }
                }
                read = reader.read_buf(&mut self.input), if self.wants_input() => match read {
                    Ok(0) if is_gone(&reader) => return,
                    Ok(0) => self.input_ended = true,
                    Ok(_) => {}
                    Err(_) => return,
                },
                () = &mut stopped, if self.stopping.is_none() => self.stop(),
                _ = tick.tick(), if self.needs_tick() => {
                    if is_gone(&reader) || self.is_overdue() {
                        return;
                    }
                }
            }
            self.make_room_for_input();
        }
    }

    /// Begins what has been read, as far as there is room.
    async fn take_messages(&mut self) {
        while self.has_room() && self.closing.is_none() {
            if self.calls.len() < limits::MAX_IN_FLIGHT
                && self.stopping.is_none()
                && let Some(message) = self.waiting.pop_front()
            {
                self.waiting_bytes -= message.len();
                self.begin(message).await;
                continue;
            }
            if self.stopping.is_some() || self.is_full() {
                return;
            }
            let piece = match self.decoder.next(&mut self.input) {
                Some(piece) => piece,
                None if self.input_ended => match self.decoder.finish(&mut self.input) {
                    Some(piece) => piece,
                    None => return,
                },
                None => return,
            };
            match piece {
                Piece::Message(message) if self.calls.len() < limits::MAX_IN_FLIGHT => {
                    self.begin(message).await;
                }
                Piece::Message(message) => self.queue(message),
                Piece::TooLarge => self.fault(Id::Null, fault::request_too_large()),
                Piece::Ping(payload) => {
                    self.begin_output();
                    websocket::encode_pong(&payload, &mut self.output);
                }
                Piece::Close => {
                    websocket::encode_close(websocket::NORMAL, &mut self.output);
                    self.close();
                }
                Piece::Broken(why) => {
                    if self.framing == Framing::WebSocket {
                        websocket::encode_close(websocket::PROTOCOL_ERROR, &mut self.output);
                    } else {
                        self.fault(Id::Null, fault::parse_error(why));
                    }
                    self.close();
                }
            }
            // A client that sends thousands of small requests at once does not keep the others waiting.
            tokio::task::consume_budget().await;
        }
    }

    /// Tries a call at once, and makes a task of it if it has to wait for something.
    async fn begin(&mut self, message: BytesMut) {
        let session = self.session.clone();
        let mut call = Box::pin(async move { session.answer(&message).await });
        let tried = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        match tried {
            Poll::Ready(Some(answer)) => self.send(&answer),
            Poll::Ready(None) => {}
            Poll::Pending => {
                self.calls.spawn(call);
            }
        }
    }

    /// Keeps a request until a call in flight ends, unless it takes another one back.
    fn queue(&mut self, message: BytesMut) {
        match self.session.cancel(&message) {
            None => {
                self.waiting_bytes += message.len();
                self.waiting.push_back(message);
            }
            Some(CancelOutcome::Done) => {}
            Some(CancelOutcome::NotRunning(id)) => {
                let place =
                    self.waiting.iter().position(|other| dispatch::id_of(other).as_ref() == Some(&id));
                if let Some(message) = place.and_then(|place| self.waiting.remove(place)) {
                    self.waiting_bytes -= message.len();
                    self.fault(id, fault::cancelled());
                }
            }
        }
    }

    fn send(&mut self, json: &RawValue) {
        self.begin_output();
        frame::encode(self.framing, json.get(), &mut self.output);
    }

    /// Starts the clock of the write deadline where nothing is unwritten.
    fn begin_output(&mut self) {
        if self.output.is_empty() {
            self.written = Instant::now();
        }
    }

    fn fault(&mut self, id: Id<'_>, fault: jsonrpsee::types::ErrorObjectOwned) {
        Metrics::count(&self.session.shared().home.metrics.faults);
        let answer = dispatch::error_response(id, fault);
        self.send(&answer);
    }

    /// Writes what the socket takes without waiting; false: the client is gone.
    fn write(&mut self, writer: &WriteHalf<'_>) -> bool {
        while !self.output.is_empty() {
            match writer.try_write(&self.output) {
                Ok(0) => return false,
                Ok(n) => {
                    bytes::Buf::advance(&mut self.output, n);
                    self.written = Instant::now();
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        if self.output.capacity() > KEPT_BUFFER_BYTES {
            self.output = BytesMut::new();
        }
        true
    }

    fn make_room_for_input(&mut self) {
        if self.input.is_empty() && self.input.capacity() > KEPT_BUFFER_BYTES {
            self.input = BytesMut::new();
        }
        // Within a long message the decoder has reserved what is missing; else a read's worth is enough.
        if self.input.capacity() - self.input.len() < READ_BYTES / 4 {
            self.input.reserve(READ_BYTES);
        }
    }

    /// Nothing is read or begun any more; what runs may end, and subscriptions may say their last item.
    fn stop(&mut self) {
        self.stopping = Some(Instant::now());
        for message in std::mem::take(&mut self.waiting) {
            if let Some(id) = dispatch::id_of(&message) {
                self.fault(id, fault::stopping());
            }
        }
        self.waiting_bytes = 0;
    }

    fn close(&mut self) {
        self.written = Instant::now();
        self.closing = Some(Instant::now());
    }

    fn has_room(&self) -> bool {
        self.output.len() < OUTPUT_HIGH_WATER
    }

    fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING || self.waiting_bytes >= MAX_WAITING_BYTES
    }

    fn wants_input(&self) -> bool {
        !self.input_ended
            && self.stopping.is_none()
            && self.closing.is_none()
            && self.has_room()
            && !self.is_full()
    }

    /// Whether subscriptions hold the other ends of `items`; the session holds one itself.
    fn has_subscriptions(&self) -> bool {
        self.items.sender_strong_count() > 1 || !self.items.is_empty()
    }

    fn is_done(&mut self) -> bool {
        if !self.output.is_empty() {
            return false;
        }
        if self.closing.is_some() {
            return true;
        }
        let over = (self.input_ended || self.stopping.is_some())
            && self.waiting.is_empty()
            && self.calls.is_empty()
            && !self.has_subscriptions();
        if over && self.framing == Framing::WebSocket && self.stopping.is_some() {
            websocket::encode_close(websocket::GOING_AWAY, &mut self.output);
            self.close();
            return false;
        }
        over
    }

    fn needs_tick(&self) -> bool {
        !self.wants_input() || !self.output.is_empty()
    }

    /// Whether something has taken too long for the connection to go on.
    fn is_overdue(&self) -> bool {
        if !self.output.is_empty() && self.written.elapsed() > limits::WRITE_DEADLINE {
            Metrics::count(&self.session.shared().home.metrics.stalled);
            tracing::warn!("a client does not read; its connection is closed");
            return true;
        }
        let late = |since: Option<Instant>, deadline| since.is_some_and(|since| since.elapsed() > deadline);
        late(self.stopping, limits::STOP_CALLS_DEADLINE)
            || (late(self.stopping, STOP_STREAMS_DEADLINE) && self.calls.is_empty())
            || late(self.closing, CLOSE_DEADLINE)
    }
}

/// Whether the peer has closed both directions, and not only the one it writes to.
pub fn is_gone(reader: &ReadHalf<'_>) -> bool {
    let stream: &UnixStream = reader.as_ref();
    stream.ready(Interest::WRITABLE).now_or_never().is_some_and(|ready| match ready {
        Ok(ready) => ready.is_write_closed(),
        Err(_) => true,
    })
}
