//! The server: started with a listener and a table of methods, asked for figures, waited for at the end.

use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::Methods;
use jsonrpsee::server::RandomStringIdProvider;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::accept;
use super::caller::Home;
use super::http::Pages;
use crate::api::limits;

/// Subscription ids are strings of this many characters: numbers of more than 53 bits do not survive every JSON
/// library, and short ones could be guessed.
const SUBSCRIPTION_ID_CHARS: usize = 16;

/// What every connection shares.
pub struct Shared {
    /// The table of methods.
    pub methods: Methods,
    /// What GET shows.
    pub pages: Pages,
    /// Makes the ids of subscriptions.
    pub ids: RandomStringIdProvider,
    /// Places for clients.
    pub seats: Arc<Semaphore>,
    /// The user that may connect, besides root.
    pub uid: u32,
    /// What calls see of the server.
    pub(super) home: Arc<Home>,
}

impl Shared {
    fn connections(&self) -> u64 {
        (limits::MAX_CONNECTIONS - self.seats.available_permits()) as u64
    }

    /// The figures as Prometheus reads them.
    pub fn metrics(&self) -> String {
        self.home.metrics.text(self.connections())
    }
}

/// A running server. Dropping it does not stop it: its token does. A cheap clone: all clones are one.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

impl Server {
    /// Serves `methods` to this process's user on `listener`, until `stop` is cancelled. Must be called within a
    /// tokio runtime.
    pub fn start(
        listener: UnixListener,
        methods: impl Into<Methods>,
        pages: Pages,
        stop: CancellationToken,
    ) -> Self {
        let methods = methods.into();
        let home = Arc::new(Home { stop, ..Home::default() });
        home.metrics.watch(methods.method_names());
        let shared = Arc::new(Shared {
            methods,
            pages,
            ids: RandomStringIdProvider::new(SUBSCRIPTION_ID_CHARS),
            seats: Arc::new(Semaphore::new(limits::MAX_CONNECTIONS)),
            uid: rustix::process::geteuid().as_raw(),
            home: home.clone(),
        });
        home.tasks.spawn(accept::accept(listener, shared.clone()));
        Self { shared }
    }

    /// Clients that are connected.
    pub fn connections(&self) -> u64 {
        self.shared.connections()
    }

    /// Subscriptions that run.
    pub fn subscriptions(&self) -> u64 {
        self.shared.home.metrics.subscriptions()
    }

    /// What was called, how often and how long it took, in Prometheus' text format.
    pub fn metrics(&self) -> String {
        self.shared.metrics()
    }

    /// Stops, if `stop` has not been cancelled already, and waits: no client is let in and nothing new is begun;
    /// calls in flight have [`limits::STOP_CALLS_DEADLINE`], subscriptions a moment for their last item, writes
    /// that have begun as long as `deadline`. Answers how many of these did not end in time.
    pub async fn stopped(self, deadline: Duration) -> usize {
        let Home { stop, tasks, .. } = &*self.shared.home;
        stop.cancel();
        tasks.close();
        match tokio::time::timeout(deadline, tasks.wait()).await {
            Ok(()) => 0,
            Err(_) => tasks.len(),
        }
    }
}
