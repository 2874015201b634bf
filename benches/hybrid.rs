//! Search by words and meaning together, through the socket of a real daemon and with the question's embedding: real
//! questions over large stores of real sentences, whose vectors and tokens are made up, which costs a search as much.
//!
//! `NOSSO_BENCH_LARGE=1` measures 1,000,000 messages too, which takes some gigabytes and minutes to make.

use serde_json::json;

use crate::support::daemon::{Daemon, Embedding};
use crate::support::figures::{millis, quantile, timed};
use crate::support::model::{self, Brought};
use crate::support::table::{Table, Target};
use crate::support::{Outcome, filling, texts};

/// Questions that are timed.
const QUESTIONS: usize = 400;
/// Questions that are asked before.
const WARM_UP: usize = 40;
/// Megabytes of codes in memory for a million vectors.
const CODES: f64 = 128.0;

pub fn run(table: &mut Table) -> Outcome {
    let brought = model::brought()?;
    at_size(table, &brought, 100_000, 40.0)?;
    if std::env::var_os("NOSSO_BENCH_LARGE").is_some() {
        at_size(table, &brought, 1_000_000, 90.0)?;
    }
    Ok(())
}

fn at_size(table: &mut Table, brought: &Brought, n_messages: usize, at_most: f64) -> Outcome {
    let folder = filling::messages(n_messages, Some(brought))?;
    let mut daemon = Daemon::start(&folder, &Embedding::With(brought))?;
    let mut client = daemon.client()?;
    // the model starts beside the daemon's first answers
    client.wait_until("/legs/semantic", |takes_part| takes_part == &json!(true))?;
    let questions = texts::all()?.questions;
    let step = (questions.len() / (QUESTIONS + WARM_UP)).max(1);
    let questions = questions.iter().step_by(step);
    for (mode, target) in
        [("lexical", Target::None), ("semantic", Target::None), ("hybrid", Target::AtMost(at_most))]
    {
        let mut times = Vec::new();
        for (n, question) in questions.clone().take(WARM_UP + QUESTIONS).enumerate() {
            let asked = json!({"query": question, "mode": mode});
            let (found, time) = timed(|| client.call("search.query", asked));
            let served = &found?["served"];
            let took_part = |leg: &str, other: &str| served[leg] == json!(true) || mode == other;
            if !took_part("lexical", "semantic") || !took_part("semantic", "lexical") {
                return Err(format!("a leg of a {mode} search took no part: {served}").into());
            }
            if n >= WARM_UP {
                times.push(millis(time));
            }
        }
        let by = format!("p50 {:.1} ms, {} real questions", quantile(&times, 0.5), times.len());
        table.row(&format!("{n_messages} messages, {mode}, p95"), quantile(&times, 0.95), " ms", target, &by);
    }
    let status = client.call("index.status", json!({}))?;
    let megabytes = status["codesBytes"].as_f64().unwrap_or(f64::NAN) / 1e6;
    let by = format!(
        "{} vectors, {:.1} GB on disk",
        status["vectors"],
        status["diskBytes"].as_f64().unwrap_or(0.0) / 1e9
    );
    let most = CODES * n_messages as f64 / 1e6;
    table.row(
        &format!("{n_messages} messages, codes in memory"),
        megabytes,
        " MB",
        Target::AtMost(most),
        &by,
    );
    Ok(())
}
