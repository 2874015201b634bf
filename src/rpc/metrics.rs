//! What was called, how often, with what outcome and how long it took, as Prometheus reads it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper ends of the histogram's buckets, in microseconds: from a call that only looks something up to an answer
/// of a language model.
const BUCKETS: [(u64, &str); 10] = [
    (100, "0.0001"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (5_000, "0.005"),
    (25_000, "0.025"),
    (100_000, "0.1"),
    (500_000, "0.5"),
    (2_500_000, "2.5"),
    (10_000_000, "10"),
    (60_000_000, "60"),
];

/// Counters of one server. Counting takes no lock.
#[derive(Debug, Default)]
pub struct Metrics {
    /// A row for each method, fixed when the server starts.
    methods: OnceLock<BTreeMap<&'static str, Calls>>,
    /// Connections that were let in.
    pub accepted: AtomicU64,
    /// Connections of other users.
    pub refused_user: AtomicU64,
    /// Connections over the limit.
    pub refused_full: AtomicU64,
    /// Connections that were given up because their client did not read.
    pub stalled: AtomicU64,
    /// Messages that were no request, or called a method that does not exist.
    pub faults: AtomicU64,
    /// Calls that their caller took back.
    pub cancelled: AtomicU64,
    /// Subscriptions that run now.
    subscriptions: AtomicU64,
}

#[derive(Debug, Default)]
struct Calls {
    failed: AtomicU64,
    micros: AtomicU64,
    /// One count for each bucket and one for what is longer.
    buckets: [AtomicU64; BUCKETS.len() + 1],
}

impl Metrics {
    /// Makes a row for each method.
    pub fn watch(&self, names: impl Iterator<Item = &'static str>) {
        self.methods.get_or_init(|| names.map(|name| (name, Calls::default())).collect());
    }

    /// Counts a call that has been answered.
    pub fn called(&self, method: &'static str, took: Duration, failed: Option<i32>) {
        let Some(calls) = self.methods.get().and_then(|methods| methods.get(method)) else { return };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|(end, _)| micros <= *end).unwrap_or(BUCKETS.len());
        calls.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        calls.micros.fetch_add(micros, Ordering::Relaxed);
        if failed.is_some() {
            calls.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts something that happened once.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a subscription until it ends.
    pub fn subscription_began(&self) {
        self.subscriptions.fetch_add(1, Ordering::Relaxed);
    }

    /// The other half of [`Metrics::subscription_began`].
    pub fn subscription_ended(&self) {
        self.subscriptions.fetch_sub(1, Ordering::Relaxed);
    }

    /// Subscriptions that run now.
    pub fn subscriptions(&self) -> u64 {
        load(&self.subscriptions)
    }

    /// Everything in Prometheus' text format. `connections`: how many are open now.
    pub fn text(&self, connections: u64) -> String {
        let mut text = String::with_capacity(4096);
        let single = [
            ("nosso_rpc_connections", "gauge", "Open connections.", connections),
            ("nosso_rpc_subscriptions", "gauge", "Running subscriptions.", self.subscriptions()),
            ("nosso_rpc_connections_accepted_total", "counter", "Connections let in.", load(&self.accepted)),
            (
                "nosso_rpc_connections_refused_user_total",
                "counter",
                "Connections of other users.",
                load(&self.refused_user),
            ),
            (
                "nosso_rpc_connections_refused_full_total",
                "counter",
                "Connections over the limit.",
                load(&self.refused_full),
            ),
            (
                "nosso_rpc_connections_stalled_total",
                "counter",
                "Connections given up because the client did not read.",
                load(&self.stalled),
            ),
            ("nosso_rpc_faults_total", "counter", "Messages that were no request.", load(&self.faults)),
            ("nosso_rpc_cancelled_total", "counter", "Calls taken back.", load(&self.cancelled)),
        ];
        for (name, kind, help, value) in single {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        let Some(methods) = self.methods.get() else { return text };
        text.push_str(
            "# HELP nosso_rpc_call_seconds How long calls took.\n# TYPE nosso_rpc_call_seconds histogram\n",
        );
        for (name, calls) in methods {
            calls.write_histogram(name, &mut text);
        }
        text.push_str("# HELP nosso_rpc_call_errors_total Calls that failed.\n# TYPE nosso_rpc_call_errors_total counter\n");
        for (name, calls) in methods.iter().filter(|(_, calls)| calls.total() > 0) {
            let _ =
                writeln!(text, "nosso_rpc_call_errors_total{{method=\"{name}\"}} {}", load(&calls.failed));
        }
        text
    }
}

impl Calls {
    fn total(&self) -> u64 {
        self.buckets.iter().map(load).sum()
    }

    /// Methods that were never called take no lines.
    fn write_histogram(&self, name: &str, text: &mut String) {
        if self.total() == 0 {
            return;
        }
        let mut sum = 0;
        for (bucket, (_, end)) in self.buckets.iter().zip(BUCKETS) {
            sum += load(bucket);
            let _ = writeln!(text, "nosso_rpc_call_seconds_bucket{{method=\"{name}\",le=\"{end}\"}} {sum}");
        }
        sum += load(&self.buckets[BUCKETS.len()]);
        let seconds = load(&self.micros) as f64 / 1e6;
        let _ = writeln!(
            text,
            "nosso_rpc_call_seconds_bucket{{method=\"{name}\",le=\"+Inf\"}} {sum}\n\
             nosso_rpc_call_seconds_sum{{method=\"{name}\"}} {seconds}\n\
             nosso_rpc_call_seconds_count{{method=\"{name}\"}} {sum}"
        );
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_failures_are_counted() {
        let metrics = Metrics::default();
        metrics.watch(["a.b", "never"].into_iter());
        metrics.called("a.b", Duration::from_micros(50), None);
        metrics.called("a.b", Duration::from_millis(3), Some(-1));
        metrics.called("a.b", Duration::from_secs(90), None);
        let text = metrics.text(2);
        for line in [
            "nosso_rpc_connections 2",
            r#"nosso_rpc_call_seconds_bucket{method="a.b",le="0.0001"} 1"#,
            r#"nosso_rpc_call_seconds_bucket{method="a.b",le="0.005"} 2"#,
            r#"nosso_rpc_call_seconds_bucket{method="a.b",le="60"} 2"#,
            r#"nosso_rpc_call_seconds_bucket{method="a.b",le="+Inf"} 3"#,
            r#"nosso_rpc_call_seconds_sum{method="a.b"} 90.00305"#,
            r#"nosso_rpc_call_errors_total{method="a.b"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
        }
        assert!(!text.contains("never"));
    }
}
