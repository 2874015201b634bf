//! What was measured, as a document for programs and as tables for people.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::super::style::{self, paint};
use super::ask::{Answer, Scope};
use super::bootstrap::{self, Estimate};
use super::dataset::{Dataset, Format, Question};
use super::metrics::{self, Figures, NAMES};
use crate::api::search::SearchMode;

/// Columns of the two tables: what the heading says, and which figure it is.
const TABLES: [&[(&str, &str)]; 2] = [
    &[
        ("R@1", "recall@1"),
        ("R@5", "recall@5"),
        ("R@10", "recall@10"),
        ("R@20", "recall@20"),
        ("nDCG@10", "ndcg@10"),
        ("MRR", "mrr"),
    ],
    &[
        ("hit@1", "hit@1"),
        ("hit@5", "hit@5"),
        ("hit@10", "hit@10"),
        ("hit@20", "hit@20"),
        ("sess@5", "sessionRecall@5"),
        ("sess@10", "sessionRecall@10"),
    ],
];
/// Room for the name of a category and its number of questions.
const NAME_COLUMNS: usize = 24;

/// Everything that one call of the program measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version that was measured.
    pub version: &'static str,
    /// The benchmarks.
    pub sets: Vec<SetReport>,
}

/// One benchmark.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetReport {
    /// The file's name without its ending.
    pub name: String,
    /// The file's shape.
    pub format: Format,
    /// The embedding model; none: by words only.
    pub model: Option<String>,
    /// Conversations that are stored.
    pub conversations: usize,
    /// Messages that are stored.
    pub messages: usize,
    /// Questions without evidence, which were not asked.
    pub without_evidence: usize,
    /// Whether the questions were typed without accents.
    pub unaccented: bool,
    /// Each way in which the questions were asked.
    pub runs: Vec<RunReport>,
}

/// The questions asked in one way.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// Where the answers may come from.
    pub scope: Scope,
    /// How it was searched.
    pub mode: SearchMode,
    /// The total, then each category.
    pub groups: Vec<Group>,
    /// Milliseconds from the call to its answer, for ten hits.
    pub latency_ms: Latency,
    /// The questions one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<QuestionReport>,
}

/// The figures of some of the questions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// "all", or the category.
    pub name: String,
    /// Whether it belongs to the total.
    pub counted: bool,
    /// How many questions.
    pub questions: usize,
    /// The means by the figures' names.
    pub figures: BTreeMap<&'static str, Estimate>,
}

/// Percentiles of the time that a search takes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// Half of the searches take no longer.
    pub p50: Estimate,
    /// 95 of 100 take no longer.
    pub p95: Estimate,
    /// 99 of 100 take no longer.
    pub p99: Estimate,
}

/// What became of one question.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuestionReport {
    /// As it was asked.
    pub text: String,
    /// Its category.
    pub category: String,
    /// The place of each piece of evidence, from 1; none: not among the first hundred.
    pub ranks: Vec<Option<usize>>,
    /// How long the search took, in milliseconds.
    pub ms: f64,
}

impl RunReport {
    /// Sums up the answers, which stand in the order of the questions.
    pub fn new(set: &Dataset, scope: Scope, mode: SearchMode, answers: &[Answer]) -> Self {
        let rows: Vec<(&Question, Figures)> = set
            .questions
            .iter()
            .zip(answers)
            .map(|(question, answer)| {
                let session_of = |unit: usize| set.session_of[unit];
                (question, metrics::figures(&answer.ranked, &question.evidence, session_of))
            })
            .collect();
        let of = |name: &str, counted: bool, keep: &dyn Fn(&Question) -> bool| {
            let kept: Vec<Figures> =
                rows.iter().filter(|(question, _)| keep(question)).map(|(_, row)| *row).collect();
            let figures = NAMES.into_iter().zip(bootstrap::means(&kept)).collect();
            Group { name: name.to_owned(), counted, questions: kept.len(), figures }
        };
        let categories: BTreeMap<(bool, &str), bool> = set
            .questions
            .iter()
            .map(|question| ((!question.counted, question.category.as_str()), question.counted))
            .collect();
        let mut groups = vec![of("all", true, &|question| question.counted)];
        if categories.len() > 1 {
            groups.extend(categories.into_iter().map(|((_, name), counted)| {
                of(name, counted, &|question| question.category == name && question.counted == counted)
            }));
        }
        let latencies: Vec<f64> = answers.iter().map(|answer| millis(answer.latency)).collect();
        let [p50, p95, p99] = bootstrap::percentiles(&latencies);
        let questions = set.questions.iter().zip(answers).map(|(question, answer)| {
            let rank = |unit: &usize| answer.ranked.iter().position(|it| it == unit).map(|place| place + 1);
            QuestionReport {
                text: question.text.clone(),
                category: question.category.clone(),
                ranks: question.evidence.iter().map(rank).collect(),
                ms: millis(answer.latency),
            }
        });
        let latency_ms = Latency { p50, p95, p99 };
        Self { scope, mode, groups, latency_ms, questions: questions.collect() }
    }
}

fn millis(time: Duration) -> f64 {
    // microseconds are as exact as it is
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// What the set is, as the heading of its tables.
pub fn heading(set: &SetReport) -> String {
    let SetReport { name, format: _, model, conversations, messages, without_evidence, unaccented, runs: _ } =
        set;
    let mut parts = vec![
        format!("{conversations} conversations"),
        format!("{messages} messages"),
        model.clone().unwrap_or_else(|| "no model".into()),
    ];
    if *unaccented {
        parts.push("questions without accents".into());
    }
    if *without_evidence > 0 {
        parts.push(format!("{without_evidence} questions without evidence left out"));
    }
    format!("{}  {}\n", paint(style::TITLE, super::super::clean::line(name)), parts.join(" · "))
}

/// The tables of one run; below each figure stands its interval.
pub fn tables(run: &RunReport, has_sessions: bool) -> String {
    let scope = match run.scope {
        Scope::Store => "everything in one store",
        Scope::Conversation => "one conversation at a time",
    };
    let mode = match run.mode {
        SearchMode::Hybrid => "hybrid",
        SearchMode::Lexical => "lexical",
        SearchMode::Semantic => "semantic",
    };
    let mut text = format!("\n{}\n", paint(style::NAME, format!("{mode}, {scope}")));
    for columns in TABLES {
        let columns: Vec<_> =
            columns.iter().filter(|(_, name)| has_sessions || !name.starts_with("session")).collect();
        text.push_str(&" ".repeat(NAME_COLUMNS));
        text.extend(columns.iter().map(|(heading, _)| format!("{heading:>11}")));
        text.push('\n');
        for group in &run.groups {
            let name = if group.counted { group.name.clone() } else { format!("({})", group.name) };
            let name = style::cut(&super::super::clean::line(&name), NAME_COLUMNS - 6);
            text.push_str(&format!("{name:<18}{:>6}", group.questions));
            let estimates: Vec<&Estimate> =
                columns.iter().filter_map(|(_, figure)| group.figures.get(figure)).collect();
            text.extend(estimates.iter().map(|estimate| format!("{:>11}", share(estimate.value))));
            let intervals: String = estimates
                .iter()
                .map(|estimate| {
                    format!("{:>11}", format!("{}–{}", share(estimate.low), share(estimate.high)))
                })
                .collect();
            text.push_str(&format!("\n{}{}\n", " ".repeat(NAME_COLUMNS), paint(style::DIM, intervals)));
        }
    }
    let Latency { p50, p95, p99 } = &run.latency_ms;
    let time = |name: &str, time: &Estimate| {
        format!("{name} {:.1} ms ({:.1}–{:.1})", time.value, time.low, time.high)
    };
    text.push_str(&format!(
        "latency  {}\n",
        [time("p50", p50), time("p95", p95), time("p99", p99)].join("  ")
    ));
    text
}

/// ".713", as such tables are read; "1.00" for all.
fn share(value: f64) -> String {
    match format!("{value:.3}").strip_prefix('0') {
        Some(short) => short.to_owned(),
        None => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::eval::metrics::N_FIGURES;

    fn set() -> Dataset {
        let mut set = Dataset::new(Format::Locomo);
        let units: Vec<usize> = (0..3).map(|session| set.unit(session)).collect();
        for (category, counted, evidence) in [("1 multi-hop", true, 0), ("5 adversarial", false, 1)] {
            set.ask(Question {
                text: "q".into(),
                category: category.into(),
                counted,
                project: None,
                evidence: vec![units[evidence]],
            });
        }
        set
    }

    fn run() -> RunReport {
        let answer =
            |ranked: &[usize]| Answer { ranked: ranked.into(), latency: Duration::from_micros(2500) };
        RunReport::new(&set(), Scope::Store, SearchMode::Hybrid, &[answer(&[2, 0]), answer(&[1])])
    }

    #[test]
    fn what_does_not_count_is_told_but_not_in_the_total() {
        let groups = run().groups;
        let told: Vec<_> =
            groups.iter().map(|it| (it.name.as_str(), it.questions, it.figures["mrr"].value)).collect();
        assert_eq!(told, [("all", 1, 0.5), ("1 multi-hop", 1, 0.5), ("5 adversarial", 1, 1.0)]);
    }

    #[test]
    fn every_figure_and_place_is_in_the_document() {
        let document = serde_json::to_value(run()).unwrap();
        assert_eq!(document["groups"][0]["figures"].as_object().unwrap().len(), N_FIGURES);
        assert_eq!(document["questions"][0]["ranks"], serde_json::json!([2]));
        assert_eq!(document["latencyMs"]["p95"]["value"], 2.5);
        assert_eq!((&document["scope"], &document["mode"]), (&"store".into(), &"hybrid".into()));
    }

    #[test]
    fn tables_fit_a_screen_and_leave_sessions_out_where_there_are_none() {
        let text = |sessions| anstream::adapter::strip_str(&tables(&run(), sessions)).to_string();
        for line in text(true).lines() {
            assert!(line.chars().count() <= 90, "{line}");
        }
        assert!(text(true).contains("sess@10") && !text(false).contains("sess"));
        let rows = text(true);
        assert!(rows.contains("\nall                    1       .000       1.00"), "{rows}");
        assert!(rows.contains("\n(5 adversarial)        1       1.00       1.00"), "{rows}");
    }

    #[test]
    fn shares_are_short() {
        for (value, expected) in [(0.7134, ".713"), (0.0, ".000"), (1.0, "1.00"), (0.9999, "1.00")] {
            assert_eq!(share(value), expected);
        }
    }
}
