//! The pages that the socket serves to plain HTTP: health for programs, metrics for Prometheus.

use super::health::Health;
use super::liveness;
use super::metrics::{CONTENT_TYPE, Metrics};
use crate::api::system::SystemStatus;
use crate::memory::Memory;
use crate::rpc::{Page, Pages};

/// `/health` and `/metrics` of `memory`, which is reached at `socket`.
pub(super) fn pages(memory: Memory, socket: String) -> Pages {
    Pages::new(move |path: &str, connections: u64| {
        let (memory, socket, path) = (memory.clone(), socket.clone(), path.to_owned());
        async move {
            match path.as_str() {
                "/health" => {
                    let alive = liveness::check(&memory).await;
                    let health = Health::new(alive, status(&memory, &socket, connections).await.as_ref());
                    Some(Page::new(health.code(), "application/json", health.json()))
                }
                "/metrics" => {
                    let mut metrics = Metrics::default();
                    if let Some(status) = status(&memory, &socket, connections).await {
                        metrics.status(&status);
                    }
                    Some(Page::new(200, CONTENT_TYPE, metrics.into_text()))
                }
                _ => None,
            }
        }
    })
}

/// None where the store cannot tell; a page without numbers is better than none.
async fn status(memory: &Memory, socket: &str, connections: u64) -> Option<SystemStatus> {
    match memory.status(socket, connections).await {
        Ok(status) => Some(status),
        Err(error) => {
            tracing::warn!(error = error.full_text(), "the status cannot be told");
            None
        }
    }
}
