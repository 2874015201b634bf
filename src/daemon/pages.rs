//! The pages that the socket serves to plain HTTP: health for programs, metrics for Prometheus.

use std::sync::Arc;

use super::health::Health;
use super::liveness;
use super::metrics::{CONTENT_TYPE, Metrics};
use crate::api::system::SystemStatus;
use crate::memory::Memory;
use crate::rpc::{Page, Pages};

/// `/health` and `/metrics` of `memory`. The server writes its own figures behind the metrics.
pub(super) fn pages(memory: Memory) -> Pages {
    Arc::new(move |path: &str| {
        let (memory, path) = (memory.clone(), path.to_owned());
        Box::pin(async move {
            match path.as_str() {
                "/health" => Some(health(&memory).await),
                "/metrics" => Some(metrics(&memory).await),
                _ => None,
            }
        })
    })
}

async fn health(memory: &Memory) -> Page {
    let alive = liveness::check(memory).await;
    let health = Health::new(alive, status(memory).await.as_ref());
    Page { status: health.code(), content_type: "application/json", body: health.json() }
}

async fn metrics(memory: &Memory) -> Page {
    let mut metrics = Metrics::default();
    if let Some(status) = status(memory).await {
        metrics.status(&status);
    }
    Page { status: 200, content_type: CONTENT_TYPE, body: metrics.into_text() }
}

/// None where the store cannot tell; a page without numbers is better than none.
async fn status(memory: &Memory) -> Option<SystemStatus> {
    // neither page shows where the daemon is reached, and the server counts its connections itself
    match memory.status("", 0).await {
        Ok(status) => Some(status),
        Err(error) => {
            tracing::warn!(error = error.full_text(), "the status cannot be told");
            None
        }
    }
}
