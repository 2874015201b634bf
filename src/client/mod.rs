//! The typed client of the daemon's socket, over the newline framing.

use std::marker::PhantomData;
use std::path::Path;

use jsonrpsee::core::client::{
    Client as Wire, ClientBuilder, ClientT, Error as WireError, ReceivedMessage, Subscription,
    SubscriptionClientT, TransportReceiverT, TransportSenderT,
};
use jsonrpsee::core::params::ObjectParams;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::api::{self, Method, Stream};
use crate::error::{Error, Kind, Result};
use crate::model::ClientRef;

/// A connection to the daemon.
pub struct Client {
    wire: Wire,
}

/// The items of a stream; dropping it unsubscribes.
pub struct ItemStream<S: Stream> {
    items: Subscription<S::Item>,
    stream: PhantomData<S>,
}

impl Client {
    /// Connects to the socket and introduces the caller. Errors: [`Kind::Unreachable`].
    pub async fn connect(path: &Path, me: ClientRef) -> Result<Self> {
        let socket = UnixStream::connect(path).await.map_err(|error| {
            let text = format!("connect to the daemon at {}: {error}", path.display());
            Error::new(Kind::Unreachable, text).caused_by(error)
        })?;
        let (read, write) = socket.into_split();
        let wire = ClientBuilder::default()
            .request_timeout(std::time::Duration::from_secs(600))
            .max_buffer_capacity_per_subscription(4096)
            .build_with_tokio(LineSender(write), LineReceiver(BufReader::new(read)));
        let client = Self { wire };
        let params = api::system::InitializeParams {
            client_info: Some(me),
            protocol_version: Some(api::PROTOCOL_VERSION.into()),
        };
        client.call::<api::methods::SystemInitialize>(&params).await?;
        Ok(client)
    }

    /// Calls a method.
    pub async fn call<M: Method>(&self, params: &M::Params) -> Result<M::Output> {
        self.wire.request(M::NAME, named(params)?).await.map_err(error_of)
    }

    /// Subscribes to a stream.
    pub async fn stream<S: Stream>(&self, params: &S::Params) -> Result<ItemStream<S>> {
        let items = self.wire.subscribe(S::NAME, named(params)?, S::UNSUBSCRIBE).await.map_err(error_of)?;
        Ok(ItemStream { items, stream: PhantomData })
    }
}

impl<S: Stream> ItemStream<S> {
    /// The next item; none when the connection is gone.
    pub async fn next(&mut self) -> Option<Result<S::Item>> {
        let item = self.items.next().await?;
        Some(item.map_err(|error| Error::internal(format!("read an item: {error}"))))
    }
}

fn named(params: &impl Serialize) -> Result<ObjectParams> {
    let value = serde_json::to_value(params).map_err(|error| Error::internal(error.to_string()))?;
    let mut named = ObjectParams::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        named.insert(name, value).map_err(|error| Error::internal(error.to_string()))?;
    }
    Ok(named)
}

fn error_of(error: WireError) -> Error {
    match error {
        WireError::Call(call) => {
            let data: serde_json::Value =
                call.data().and_then(|data| serde_json::from_str(data.get()).ok()).unwrap_or_default();
            let kind = data["kind"].as_str().and_then(Kind::from_name).unwrap_or(Kind::Internal);
            let error = Error::new(kind, call.message());
            match data["hint"].as_str() {
                Some(hint) => error.hint(hint),
                None => error,
            }
        }
        other => Error::new(Kind::Unreachable, format!("talk to the daemon: {other}")),
    }
}

struct LineSender(OwnedWriteHalf);
struct LineReceiver(BufReader<OwnedReadHalf>);

impl TransportSenderT for LineSender {
    type Error = std::io::Error;
    async fn send(&mut self, mut message: String) -> Result<(), Self::Error> {
        message.push('\n');
        self.0.write_all(message.as_bytes()).await
    }
    async fn close(&mut self) -> Result<(), Self::Error> {
        self.0.shutdown().await
    }
}

impl TransportReceiverT for LineReceiver {
    type Error = std::io::Error;
    async fn receive(&mut self) -> Result<ReceivedMessage, Self::Error> {
        let mut line = String::new();
        match self.0.read_line(&mut line).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(ReceivedMessage::Text(line)),
        }
    }
}
