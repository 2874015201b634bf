//! An answer as it arrives: pieces of text, then its cost, under the configured patience.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Kind, Result};
use crate::model::Usage;

/// The next part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The next characters.
    Text(String),
    /// The last item: the model said all it had to say, at this cost.
    End(Usage),
}

/// An answer that is being written. Dropping it closes the connection, upon which the server stops generating.
pub struct Answer {
    body: Body,
    decoder: Box<dyn Decode>,
    ready: VecDeque<Event>,
    usage: Usage,
    patience: Patience,
    deadline: Instant,
    state: State,
}

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Until the first token, the loading of the model included.
    pub(super) first_token: Duration,
    /// From one token to the next.
    pub(super) token: Duration,
}

/// What a server is about to send, and how to read it.
pub(super) struct Reply {
    pub(super) body: Body,
    pub(super) decoder: Box<dyn Decode>,
}

pub(super) type Body = Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>;

/// Reads one protocol's stream.
pub(super) trait Decode: Send {
    /// Takes what was read, split anywhere, and appends what it says.
    fn push(&mut self, bytes: &[u8], events: &mut VecDeque<Event>) -> Result<()>;
    /// The stream ended: appends what the last bytes say.
    fn finish(&mut self, events: &mut VecDeque<Event>);
}

/// What a server's stream says.
#[derive(Debug)]
pub(super) enum Event {
    /// Characters of the answer.
    Text(String),
    /// The model works, but on nothing that is shown: its thoughts.
    Alive,
    /// The cost, which may come in parts.
    Usage(Usage),
    /// The model has finished.
    Done,
    /// The server reports an error.
    Failed(Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Flowing,
    Ended,
}

impl Answer {
    pub(super) fn new(reply: Reply, patience: Patience, begun: Instant) -> Self {
        Self {
            body: reply.body,
            decoder: reply.decoder,
            ready: VecDeque::new(),
            usage: Usage { prompt_tokens: None, completion_tokens: None },
            patience,
            deadline: begun + patience.first_token,
            state: State::Waiting,
        }
    }

    /// The next piece; None after [`Piece::End`] or an error. Cancel safe: a call that is dropped loses nothing.
    pub async fn next(&mut self) -> Option<Result<Piece>> {
        if self.state == State::Ended {
            return None;
        }
        let next = self.advance().await;
        if !matches!(next, Ok(Piece::Text(_))) {
            self.state = State::Ended;
            // closes the connection now, even if the caller keeps the answer
            self.body = Box::pin(futures_util::stream::empty());
        }
        Some(next)
    }

    async fn advance(&mut self) -> Result<Piece> {
        loop {
            match self.ready.pop_front() {
                Some(Event::Text(text)) => {
                    self.progress();
                    return Ok(Piece::Text(text));
                }
                Some(Event::Alive) => self.progress(),
                Some(Event::Usage(usage)) => self.add_usage(usage),
                Some(Event::Done) => return Ok(Piece::End(self.usage)),
                Some(Event::Failed(error)) => return Err(error),
                None => self.read().await?,
            }
        }
    }

    /// Reads once more and decodes it, or ends the stream with the error that its missing end is.
    async fn read(&mut self) -> Result<()> {
        match timeout_at(self.deadline, self.body.next()).await {
            Err(_) if self.state == State::Waiting => Err(self.patience.first_token_error()),
            Err(_) => Err(self.patience.token_error()),
            Ok(Some(Ok(bytes))) => self.decoder.push(&bytes, &mut self.ready),
            Ok(Some(Err(error))) => Err(cut().caused_by(error)),
            Ok(None) => {
                self.decoder.finish(&mut self.ready);
                let is_told = |event: &Event| matches!(event, Event::Done | Event::Failed(_));
                if !self.ready.iter().any(is_told) {
                    self.ready.push_back(Event::Failed(cut()));
                }
                Ok(())
            }
        }
    }

    fn progress(&mut self) {
        self.state = State::Flowing;
        self.deadline = Instant::now() + self.patience.token;
    }

    fn add_usage(&mut self, usage: Usage) {
        self.usage.prompt_tokens = usage.prompt_tokens.or(self.usage.prompt_tokens);
        self.usage.completion_tokens = usage.completion_tokens.or(self.usage.completion_tokens);
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("state", &self.state)
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}

impl Patience {
    pub(super) fn first_token_error(&self) -> Error {
        let seconds = self.first_token.as_secs();
        Error::new(Kind::UpstreamTimeout, format!("the model said nothing within {seconds} s")).hint(
            "ask again (the model may be loaded by now), take a smaller model, \
             or raise chat.first_token_timeout_seconds",
        )
    }

    fn token_error(&self) -> Error {
        let seconds = self.token.as_secs();
        Error::new(
            Kind::UpstreamTimeout,
            format!("the model stopped in the middle for more than {seconds} s"),
        )
        .hint("ask again, or raise chat.token_timeout_seconds")
    }
}

fn cut() -> Error {
    Error::new(Kind::UpstreamCut, "the model server cut its answer off before the end")
        .hint("ask again; if it happens again, look at the model server's log")
}
