//! Who calls: the process at the other end of a connection, and the tool it says it is.

use std::sync::{Arc, PoisonError, RwLock};

use jsonrpsee::Extensions;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::metrics::Metrics;
use crate::model::ClientRef;

/// Who calls. A cheap clone; all clones of one connection share the client's name.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user, as the kernel says.
    pub uid: u32,
    /// The process that connected, where the kernel says; information only, because ids are used again.
    pub pid: Option<i32>,
    /// The connection's number, from 1, never used again while the daemon runs.
    pub connection: u64,
    client: Arc<RwLock<Option<ClientRef>>>,
    home: Arc<Home>,
}

/// What all calls of one server share: how they are counted, waited for and told to stop.
#[derive(Debug, Default)]
pub(super) struct Home {
    pub metrics: Metrics,
    /// Everything that runs for the server: connections, subscriptions, writes.
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

impl Caller {
    pub(super) fn new(uid: u32, pid: Option<i32>, connection: u64, home: Arc<Home>) -> Self {
        Self { uid, pid, connection, client: Arc::default(), home }
    }

    /// The caller of the request that came with these extensions. A request that came by no connection (a test
    /// that calls a module directly) is this process's own.
    pub(super) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Caller>().cloned().unwrap_or_else(|| {
            Self::new(rustix::process::geteuid().as_raw(), None, 0, Arc::new(Home::default()))
        })
    }

    /// The tool that calls, if it has said so.
    pub fn client(&self) -> Option<ClientRef> {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers, for this connection's later calls, which tool calls.
    pub fn introduce(&self, client: ClientRef) {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = Some(client);
    }

    /// The same caller for one request that names its tool itself.
    pub(super) fn introduced(&self, client: ClientRef) -> Self {
        Self { client: Arc::new(RwLock::new(Some(client))), ..self.clone() }
    }

    /// Resolves when the daemon stops.
    pub async fn stopping(&self) {
        self.home.stop.cancelled().await;
    }

    pub(super) fn home(&self) -> &Arc<Home> {
        &self.home
    }
}
