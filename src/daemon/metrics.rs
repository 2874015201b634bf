//! `GET /metrics`: the daemon's numbers as Prometheus reads them.

use std::fmt::{Display, Write};

use crate::api::system::{Counts, Legs, QueueCounts, Sizes, SystemStatus};

/// The content type of the page.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How a number behaves.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only grows.
    Counter,
}

/// A page of metrics that is being written.
#[derive(Debug, Default)]
pub(super) struct Metrics(String);

impl Metrics {
    /// A metric with one value.
    pub(super) fn one(&mut self, kind: Kind, name: &str, help: &str, value: impl Display) {
        self.labelled(kind, name, help, [("", value)]);
    }

    /// A metric with a value to each label; a label is written out, as in `state="ready"`.
    pub(super) fn labelled<V: Display>(
        &mut self,
        kind: Kind,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (impl AsRef<str>, V)>,
    ) {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        // writing to a String cannot fail
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (label, value) in values {
            let _ = match label.as_ref() {
                "" => writeln!(self.0, "{name} {value}"),
                label => writeln!(self.0, "{name}{{{label}}} {value}"),
            };
        }
    }

    /// All that the status tells.
    pub(super) fn status(&mut self, status: &SystemStatus) {
        use Kind::{Counter, Gauge};
        let SystemStatus {
            version,
            pid: _,
            uptime_seconds,
            started_at: _,
            counts: Counts { conversations, messages, memories, chunks },
            queue: QueueCounts { ready, leased, dead },
            index,
            embedding,
            chat: _,
            legs: Legs { lexical, semantic },
            sizes: Sizes { database_bytes, wal_bytes, index_bytes, codes_bytes, resident_bytes },
            connections: _,
            places: _,
            warnings,
        } = status;

        let build = [(format!("version=\"{}\"", escaped(version)), 1)];
        self.labelled(Gauge, "nosso_build_info", "The version of the daemon.", build);
        self.one(Counter, "nosso_uptime_seconds", "Seconds since the start.", uptime_seconds);
        let stored = [
            ("kind=\"conversation\"", conversations),
            ("kind=\"message\"", messages),
            ("kind=\"memory\"", memories),
            ("kind=\"chunk\"", chunks),
        ];
        self.labelled(Gauge, "nosso_stored", "Things that are stored.", stored);
        let jobs = [("state=\"ready\"", ready), ("state=\"leased\"", leased), ("state=\"dead\"", dead)];
        self.labelled(Gauge, "nosso_jobs", "Embedding jobs.", jobs);
        self.one(Gauge, "nosso_index_vectors", "Vectors in the serving index.", index.vectors);
        self.one(Gauge, "nosso_index_fresh_vectors", "Of these, in its fresh part.", index.fresh);
        self.one(Gauge, "nosso_index_pending", "Passages without a vector yet.", index.pending);
        if let Some(recall) = index.recall {
            self.one(Gauge, "nosso_index_recall", "Recall@10 of the last self-check.", recall);
        }
        self.one(Gauge, "nosso_model_loaded", "Whether the model is in memory.", u8::from(embedding.loaded));
        let legs = [("leg=\"lexical\"", u8::from(*lexical)), ("leg=\"semantic\"", u8::from(*semantic))];
        self.labelled(Gauge, "nosso_search_available", "Which ways of searching work.", legs);
        let sizes = [
            ("part=\"database\"", database_bytes),
            ("part=\"wal\"", wal_bytes),
            ("part=\"index\"", index_bytes),
            ("part=\"codes\"", codes_bytes),
        ];
        self.labelled(Gauge, "nosso_size_bytes", "Bytes on disk; codes: in memory.", sizes);
        self.one(Gauge, "nosso_warnings", "Things that are not as they should be.", warnings.len());
        self.one(Gauge, "process_resident_memory_bytes", "Resident memory.", resident_bytes);
    }

    /// The page.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::api::index::IndexStatus;
    use crate::api::system::{ChatStatus, EmbeddingStatus, Places};

    /// A status in which no two numbers are alike.
    pub(in super::super) fn status() -> SystemStatus {
        SystemStatus {
            version: "1.0\"x".into(),
            pid: 1,
            uptime_seconds: 61,
            started_at: crate::model::Timestamp::now(),
            counts: Counts { conversations: 2, messages: 3, memories: 4, chunks: 5 },
            queue: QueueCounts { ready: 7, leased: 8, dead: 9 },
            index: IndexStatus {
                vectors: 10,
                fresh: 11,
                pending: 12,
                recall: Some(0.995),
                ..Default::default()
            },
            embedding: EmbeddingStatus {
                available: true,
                model: None,
                dimension: None,
                loaded: true,
                problem: None,
            },
            chat: ChatStatus { provider: "extractive".into(), model: None, url: None },
            legs: Legs { lexical: true, semantic: false },
            sizes: Sizes {
                database_bytes: 13,
                wal_bytes: 14,
                index_bytes: 15,
                codes_bytes: 16,
                resident_bytes: 17,
            },
            connections: 0,
            places: Places {
                database: String::new(),
                index: String::new(),
                config: String::new(),
                socket: String::new(),
            },
            warnings: vec![],
        }
    }

    #[test]
    fn every_line_is_a_comment_or_a_sample_and_samples_follow_their_type() {
        let mut metrics = Metrics::default();
        metrics.status(&status());
        let text = metrics.into_text();
        let mut name = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                name = rest.split(' ').next().unwrap();
            } else if !line.starts_with("# HELP ") {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                assert_eq!(sample.split('{').next(), Some(name), "{line}");
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
        for line in [
            "nosso_build_info{version=\"1.0\\\"x\"} 1",
            "nosso_stored{kind=\"memory\"} 4",
            "nosso_jobs{state=\"dead\"} 9",
            "nosso_index_recall 0.995",
            "nosso_search_available{leg=\"semantic\"} 0",
            "process_resident_memory_bytes 17",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
