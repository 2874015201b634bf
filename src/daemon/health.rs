//! `GET /health`: whether the daemon works, for programs that only look at the status code.

use serde::Serialize;

use crate::api::system::{Legs, QueueCounts, SystemStatus};

/// What the page says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Health {
    status: State,
    /// Why it fails; absent where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    version: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// All is well.
    Ok,
    /// It answers, but something is not as it should be.
    Degraded,
    /// It cannot store or does not work through its queue.
    Failing,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    uptime_seconds: u64,
    legs: Legs,
    queue: QueueCounts,
    warnings: Vec<String>,
}

impl Health {
    /// Of a daemon whose store and worker answered `alive`, and whose status is `status`, where it could be told.
    pub(super) fn new(alive: Result<(), String>, status: Option<&SystemStatus>) -> Self {
        let details = status.map(|status| Details {
            uptime_seconds: status.uptime_seconds,
            legs: status.legs,
            queue: status.queue,
            warnings: status.warnings.clone(),
        });
        let state = match (&alive, &details) {
            (Err(_), _) => State::Failing,
            (Ok(()), Some(details)) if details.warnings.is_empty() => State::Ok,
            (Ok(()), _) => State::Degraded,
        };
        Self { status: state, problem: alive.err(), version: env!("CARGO_PKG_VERSION"), details }
    }

    /// The HTTP status code: 503 only where a restart may help; searching without a model is a way to work.
    pub(super) fn code(&self) -> u16 {
        match self.status {
            State::Ok | State::Degraded => 200,
            State::Failing => 503,
        }
    }

    /// The page.
    pub(super) fn json(&self) -> String {
        // plain data: nothing in it can fail to be written
        serde_json::to_string(self)
            .unwrap_or_else(|error| format!("{{\"status\":\"failing\",\"problem\":\"{error}\"}}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::metrics::tests::status;
    use super::*;

    #[test]
    fn only_a_daemon_that_does_not_work_is_unavailable() {
        let check = |alive: Result<(), &str>, warnings: &[&str], code: u16, word: &str| {
            let mut status = status();
            status.warnings = warnings.iter().map(|text| text.to_string()).collect();
            let health = Health::new(alive.map_err(str::to_owned), Some(&status));
            let json: serde_json::Value = serde_json::from_str(&health.json()).unwrap();
            assert_eq!((health.code(), json["status"].as_str()), (code, Some(word)));
            assert_eq!(json["problem"].as_str(), alive.err());
            assert_eq!(json["queue"]["ready"], 7);
        };
        check(Ok(()), &[], 200, "ok");
        check(Ok(()), &["searches go by words only"], 200, "degraded");
        check(Err("the store did not answer"), &[], 503, "failing");
    }

    #[test]
    fn a_daemon_that_cannot_tell_its_status_still_has_a_page() {
        let health = Health::new(Err("gone".into()), None);
        let json: serde_json::Value = serde_json::from_str(&health.json()).unwrap();
        assert_eq!(json["problem"], "gone");
        assert!(json.get("queue").is_none());
    }
}
