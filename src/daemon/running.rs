//! The running daemon: what it consists of, what can happen to it, and its stop in order.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::logging::Logging;
use super::opening::{Opened, socket_path};
use super::reload::Settings;
use super::signals::{Signal, Signals};
use super::systemd::Systemd;
use super::{liveness, pages};
use crate::api::limits::STOP_CALLS_DEADLINE;
use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::store::Lock;
use crate::{rpc, watch, worker};

/// How long the server may take: its calls have their own limit, and a moment for the answers to be written.
const STOP_SERVER_DEADLINE: Duration = STOP_CALLS_DEADLINE.saturating_add(Duration::from_millis(500));
/// How long a whole answer may go on being written: what there is then is stored and sent before its call is cut off.
const STOP_ANSWERS_DEADLINE: Duration = STOP_CALLS_DEADLINE.saturating_sub(Duration::from_millis(500));
/// How long the worker may take to give its lease back; what it does not give back runs out by itself.
const STOP_WORKER_DEADLINE: Duration = Duration::from_secs(1);

/// Everything that lives until the stop.
pub(super) struct Running {
    settings: Settings,
    logging: Logging,
    systemd: Arc<Systemd>,
    memory: Memory,
    server: Arc<rpc::Server>,
    worker: JoinHandle<()>,
    capture: JoinHandle<()>,
    telling: JoinHandle<()>,
    config_file: watch::File,
    stop_calls: CancellationToken,
    stop_worker: CancellationToken,
    stop_telling: CancellationToken,
    /// The socket's place and the lock of the data: given back last, in this order.
    _place: Option<rpc::socket::Place>,
    _lock: Lock,
}

/// All that can happen to a running daemon.
enum Event {
    Signal(Signal),
    ConfigFileChanged,
    WorkerEnded,
    CaptureEnded,
}

impl Running {
    /// Starts the worker and the answering of calls, then says so.
    pub(super) fn start(
        opened: Opened,
        settings: Settings,
        config_file: watch::File,
        logging: Logging,
        systemd: Systemd,
    ) -> Result<Self> {
        let Opened { lock, socket, memory } = opened;
        let [stop_calls, stop_worker, stop_telling] = [(); 3].map(|()| CancellationToken::new());
        let systemd = Arc::new(systemd);
        let rpc::BoundSocket { listener, activated, path, place } = socket;
        let differs = path != socket_path(&settings);
        let path = path.display().to_string();
        if activated && differs {
            tracing::info!(socket = path, "the service manager's socket counts, not the one in the settings");
        }

        let worker = tokio::spawn(worker::run(memory.clone(), stop_worker.clone()));
        let capture = tokio::spawn(watch::capture::run(memory.clone(), stop_worker.clone()));
        let counted = Arc::new(OnceLock::<Weak<rpc::Server>>::new());
        let methods = rpc::methods::module(rpc::methods::Context {
            memory: memory.clone(),
            socket: path.clone(),
            // the methods are there before the server that counts
            connections: Box::new({
                let counted = counted.clone();
                move || counted.get().and_then(Weak::upgrade).map_or(0, |server| server.connections())
            }),
        })?;
        let pages = pages::pages(memory.clone());
        let server = Arc::new(rpc::Server::start(listener, methods, pages, stop_calls.clone()));
        // set once, here
        let _ = counted.set(Arc::downgrade(&server));
        systemd.ready();
        systemd.status(&memory.status_line());
        let telling =
            tokio::spawn(liveness::keep_telling(systemd.clone(), memory.clone(), stop_telling.clone()));
        tracing::info!(version = env!("CARGO_PKG_VERSION"), socket = path, activated, "ready");

        let running = Self {
            settings,
            logging,
            systemd,
            memory,
            server,
            worker,
            capture,
            telling,
            config_file,
            stop_calls,
            stop_worker,
            stop_telling,
            _place: place,
            _lock: lock,
        };
        Ok(running)
    }

    /// Answers to everything that happens, until it is time to stop. Err: something failed that only a new start
    /// repairs.
    pub(super) async fn until_told_to_stop(&mut self, signals: &mut Signals) -> Result<()> {
        loop {
            match self.next_event(signals).await {
                Event::Signal(Signal::Stop) => {
                    tracing::info!("told to stop");
                    return Ok(());
                }
                Event::Signal(Signal::Reload) => self.reload("SIGHUP").await,
                Event::ConfigFileChanged => self.reload("the config file changed").await,
                Event::WorkerEnded => return Err(Error::internal("the background worker ended")),
                Event::CaptureEnded => return Err(Error::internal("the capture of folders ended")),
            }
        }
    }

    async fn next_event(&mut self, signals: &mut Signals) -> Event {
        tokio::select! {
            signal = signals.next() => Event::Signal(signal),
            () = self.config_file.changed() => Event::ConfigFileChanged,
            _ = &mut self.worker => Event::WorkerEnded,
            _ = &mut self.capture => Event::CaptureEnded,
        }
    }

    async fn reload(&mut self, why: &str) {
        tracing::info!(why, "loading the settings again");
        self.systemd.reloading();
        let trouble = match self.settings.reload(&self.memory, &self.logging).await {
            Ok(reloaded) => {
                reloaded.log();
                None
            }
            Err(error) => {
                let hint = error.hint_text().unwrap_or_default();
                tracing::error!(error = error.full_text(), hint, "the old settings stay");
                Some(format!("old settings kept: {}", error.full_text()))
            }
        };
        self.systemd.trouble(trouble);
        self.systemd.status(&self.memory.status_line());
        self.systemd.ready();
    }

    /// Stops in order: no more calls, the running ones to their end, the worker, the store.
    pub(super) async fn stop(self, signals: Signals) {
        let Self {
            systemd,
            memory,
            server,
            worker,
            capture,
            telling,
            stop_calls,
            stop_worker,
            stop_telling,
            ..
        } = self;
        let _second_signal = signals.end_at_once_on_the_next();
        systemd.stopping();
        stop_telling.cancel();
        stop_calls.cancel();
        // answers that are read while they are written end now, with what they have
        memory.stop();
        let ended = rpc::Server::clone(&server).stopped(STOP_SERVER_DEADLINE);
        let answers_ended = async {
            tokio::time::sleep(STOP_ANSWERS_DEADLINE).await;
            memory.stop_answers();
            std::future::pending().await
        };
        let unfinished = tokio::select! {
            unfinished = ended => unfinished,
            unfinished = answers_ended => unfinished,
        };
        if unfinished > 0 {
            tracing::warn!(
                unfinished,
                "connections did not end within {STOP_SERVER_DEADLINE:?} and were dropped"
            );
        }
        stop_worker.cancel();
        // one that ended by itself is why we stop, and must not be asked again
        let all_ended = async {
            for task in [worker, capture].into_iter().filter(|task| !task.is_finished()) {
                // a panic of it was told by itself
                let _ = task.await;
            }
        };
        if tokio::time::timeout(STOP_WORKER_DEADLINE, all_ended).await.is_err() {
            tracing::warn!("the background work did not end within {STOP_WORKER_DEADLINE:?}");
        }
        // it does nothing but wait for its stop
        let _ = telling.await;
        match memory.close().await {
            Ok(()) => tracing::info!("stopped"),
            Err(error) => tracing::error!(error = error.full_text(), "closing the store failed"),
        }
    }
}
