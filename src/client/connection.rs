//! A connection to the daemon.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jsonrpsee::core::client::{Client as Inner, ClientBuilder, ClientT, SubscriptionClientT};
use jsonrpsee::core::traits::ToRpcParams;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::net::UnixStream;

use super::fault;
use super::stream::ItemStream;
use super::transport::{LineReceiver, LineSender};
use crate::api::methods::SystemInitialize;
use crate::api::system::{InitializeParams, InitializeResult};
use crate::api::{Method, PROTOCOL_VERSION, Stream};
use crate::error::{Error, Kind, Result};
use crate::model::ClientRef;

/// How long to try again while the daemon's queue of new clients is full.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How long between two tries.
const CONNECT_PAUSE: Duration = Duration::from_millis(20);
/// Items of one subscription that wait in this program; a program that is slower than this is cut off.
const MAX_WAITING_ITEMS: usize = 8192;
/// jsonrpsee wants a timeout for every call, but an answer of a language model takes as long as it takes: a limit
/// that nothing reaches. [`Client::call_within`] sets a real one.
const NO_TIMEOUT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A connection to the daemon. Calls may run at the same time.
#[derive(Debug)]
pub struct Client {
    inner: Inner,
    daemon: InitializeResult,
    path: PathBuf,
}

impl Client {
    /// Connects to the daemon's socket and says who calls; what this connection stores is credited to `client`.
    ///
    /// Errors: `Unreachable`, with the command that starts the daemon.
    pub async fn connect(path: impl AsRef<Path>, client: ClientRef) -> Result<Self> {
        let path = path.as_ref();
        let stream = open(path).await.map_err(|error| fault::unreachable(path, error))?;
        let (reader, writer) = stream.into_split();
        let inner = ClientBuilder::default()
            .request_timeout(NO_TIMEOUT)
            .max_buffer_capacity_per_subscription(MAX_WAITING_ITEMS)
            .build_with_tokio(LineSender(writer), LineReceiver::new(reader));
        let params = InitializeParams {
            client_info: Some(client),
            protocol_version: Some(PROTOCOL_VERSION.to_owned()),
        };
        let daemon = request::<SystemInitialize>(&inner, &params).await?;
        Ok(Self { inner, daemon, path: path.to_owned() })
    }

    /// What the daemon said about itself when the connection was made.
    pub fn daemon(&self) -> &InitializeResult {
        &self.daemon
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the connection still stands, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.inner.is_connected()
    }

    /// Calls a method and waits for its answer, however long it takes.
    ///
    /// Errors: the daemon's own, with its kind and hint; `Unreachable` where the connection ended.
    pub async fn call<M: Method>(&self, params: &M::Params) -> Result<M::Output> {
        request::<M>(&self.inner, params).await
    }

    /// Calls a method and waits for its answer for at most `deadline`; the daemon may still finish the call.
    ///
    /// Errors: like [`Client::call`]; `Busy` at the deadline.
    pub async fn call_within<M: Method>(&self, params: &M::Params, deadline: Duration) -> Result<M::Output> {
        match tokio::time::timeout(deadline, self.call::<M>(params)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let message = format!("{}: the daemon has not answered within {deadline:?}", M::NAME);
                Err(Error::new(Kind::Busy, message).hint("look at `nosso status`, or try again later"))
            }
        }
    }

    /// Subscribes to a stream; dropping it unsubscribes.
    ///
    /// Errors: like [`Client::call`].
    pub async fn stream<S: Stream>(&self, params: &S::Params) -> Result<ItemStream<S>> {
        let params = Named::new(S::NAME, params)?;
        let items = self.inner.subscribe::<S::Item, _>(S::NAME, params, S::UNSUBSCRIBE).await;
        items.map(ItemStream::new).map_err(|error| fault::from_client_error(S::NAME, error))
    }
}

async fn request<M: Method>(inner: &Inner, params: &M::Params) -> Result<M::Output> {
    let params = Named::new(M::NAME, params)?;
    inner.request(M::NAME, params).await.map_err(|error| fault::from_client_error(M::NAME, error))
}

async fn open(path: &Path) -> io::Result<UnixStream> {
    let began = Instant::now();
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && began.elapsed() < CONNECT_DEADLINE => {
                tokio::time::sleep(CONNECT_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Parameters by name, as every method takes them.
struct Named(Box<RawValue>);

impl Named {
    fn new(method: &str, params: &impl Serialize) -> Result<Self> {
        serde_json::value::to_raw_value(params)
            .map(Self)
            .map_err(|error| Error::invalid(format!("{method}: the parameters cannot be written: {error}")))
    }
}

impl ToRpcParams for Named {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        Ok(Some(self.0))
    }
}
