//! What the daemon tells the service manager; without one, every call does nothing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;

/// The line to the service manager that `NOTIFY_SOCKET` names.
pub(super) struct Systemd {
    /// What stands in front of every status until it is repaired, and the status that was told last.
    status: Mutex<Status>,
}

#[derive(Default)]
struct Status {
    trouble: Option<String>,
    told: String,
}

impl Systemd {
    pub(super) fn new() -> Self {
        Self { status: Mutex::default() }
    }

    /// Calls are answered from now on.
    pub(super) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// The store takes its time: the manager should wait `more` from now on.
    pub(super) fn extend_timeout(&self, more: Duration) {
        tell(&[NotifyState::ExtendTimeoutUsec(u32::try_from(more.as_micros()).unwrap_or(u32::MAX))]);
    }

    /// New settings are being taken over; [`Systemd::ready`] ends that.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    /// The daemon stops.
    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    /// How long the manager waits for a sign of life before it kills; None: for ever.
    pub(super) fn patience(&self) -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }

    /// The sign of life.
    pub(super) fn alive(&self) {
        tell(&[NotifyState::Watchdog]);
    }

    /// The line that `systemctl status` shows; told only where it changed.
    pub(super) fn status(&self, line: &str) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let line = match &status.trouble {
            Some(trouble) => format!("{trouble} | {line}"),
            None => line.to_owned(),
        };
        if line != status.told {
            tell(&[NotifyState::Status(&line)]);
            status.told = line;
        }
    }

    /// What is wrong until further notice; None: all is well again.
    pub(super) fn trouble(&self, trouble: Option<String>) {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).trouble = trouble;
    }
}

fn tell(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "cannot tell the service manager");
    }
}
