//! The signals of the process, and the promise that a second one ends it at once.

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;

use crate::api::limits::STOP_DEADLINE;
use crate::error::{Doing, Kind, Result};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// The signals that the daemon answers to.
pub(super) struct Signals {
    terminate: Stream,
    interrupt: Stream,
    hang_up: Stream,
}

impl Signals {
    /// Takes the signals over from now on.
    pub(super) fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).doing(Kind::Internal, "listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one. Can be dropped without losing one.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hang_up.recv() => Signal::Reload,
        }
    }

    /// From now on a signal to stop, or the end of the time that a stop may take, ends the process at once; until the
    /// handle is dropped.
    pub(super) fn end_at_once_on_the_next(mut self) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(async move {
            let too_long = tokio::time::sleep(STOP_DEADLINE);
            tokio::pin!(too_long);
            loop {
                tokio::select! {
                    () = &mut too_long => {
                        tracing::error!("stopping took over {STOP_DEADLINE:?}: ending at once");
                        break;
                    }
                    signal = self.next() => match signal {
                        Signal::Stop => {
                            tracing::warn!("told to stop a second time: ending at once");
                            break;
                        }
                        Signal::Reload => (),
                    }
                }
            }
            // as safe as kill -9, which everything on disk is made for
            std::process::exit(1);
        }))
    }
}
