//! Search by words and meaning together, through the socket of a real daemon and with the question's embedding, over the
//! stores of the section `search`. Their vectors and tokens are made up, which costs a search as much as real ones.
//!
//! `NOSSO_BENCH_LARGE=1` measures 1,000,000 messages too, which takes some gigabytes and minutes to make.

use serde_json::json;

use crate::search::{KINDS, QUESTIONS, filled, languages};
use crate::support::daemon::{Daemon, Embedding};
use crate::support::figures::{Dice, millis, quantile, timed};
use crate::support::model::{self, Brought};
use crate::support::table::{Table, Target};
use crate::support::{Outcome, cached, filling};

/// Tokens of a passage: those of forty words.
const TOKENS: usize = 60;
/// Hits asked for, as people do.
const HITS: usize = 10;
/// Questions that are asked before the first is timed.
const WARM_UP: usize = 40;
/// Bytes of codes in memory for a million vectors.
const CODES_MB: f64 = 128.0;

pub fn run(table: &mut Table) -> Outcome {
    let brought = model::brought()?;
    at_size(table, &brought, 100_000, 40.0)?;
    if std::env::var_os("NOSSO_BENCH_LARGE").is_some() {
        at_size(table, &brought, 1_000_000, 90.0)?;
    }
    Ok(())
}

fn at_size(table: &mut Table, brought: &Brought, n_messages: usize, at_most: f64) -> Outcome {
    let languages = languages();
    let words = filled(&languages, n_messages)?;
    let version = words.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = cached(&format!("hybrid-{version}"), |making| {
        let data = making.join("data/nosso");
        std::fs::create_dir_all(&data)?;
        std::fs::copy(words.join("nosso.db"), data.join("nosso.db"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(filling::give_vectors(&data, brought, TOKENS))
    })?;
    let mut daemon = Daemon::start(&folder, &Embedding::With(brought))?;
    let mut client = daemon.client()?;
    let mut dice = Dice::new(11);
    let mut ask = |words: Option<std::ops::Range<usize>>, n: usize| -> Outcome<f64> {
        let (query, _) = languages[n % 2].question(&mut dice, words);
        let (found, time) = timed(|| client.call("search.query", json!({"query": query, "limit": HITS})));
        let served = &found?["served"];
        match served["lexical"] == json!(true) && served["semantic"] == json!(true) {
            true => Ok(millis(time)),
            false => Err(format!("not both legs took part: {served}").into()),
        }
    };
    // the model starts beside the first questions
    wait_for_meaning(&mut daemon)?;
    for n in 0..WARM_UP {
        ask(None, n)?;
    }
    let mut all = Vec::new();
    for (kind, words) in KINDS {
        let times = (0..QUESTIONS).map(|n| ask(words.clone(), n)).collect::<Outcome<Vec<f64>>>()?;
        let by = format!("p50 {:.1} ms", quantile(&times, 0.5));
        table.row(
            &format!("{n_messages} messages, {kind}, p95"),
            quantile(&times, 0.95),
            " ms",
            Target::None,
            &by,
        );
        all.extend(times);
    }
    let by = format!("{} questions, with their embedding", all.len());
    let p95 = quantile(&all, 0.95);
    table.row(&format!("{n_messages} messages, all of these, p95"), p95, " ms", Target::AtMost(at_most), &by);
    let codes = daemon.client()?.call("index.status", json!({}))?;
    let megabytes = codes["codesBytes"].as_f64().unwrap_or(f64::NAN) / 1e6;
    let most = CODES_MB * n_messages as f64 / 1e6;
    let by = format!("{} vectors", codes["vectors"]);
    table.row(
        &format!("{n_messages} messages, codes in memory"),
        megabytes,
        " MB",
        Target::AtMost(most),
        &by,
    );
    Ok(())
}

fn wait_for_meaning(daemon: &mut Daemon) -> Outcome {
    let mut client = daemon.client()?;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let served = client.call("search.query", json!({"query": "olá"}))?["served"].clone();
        if served["semantic"] == json!(true) {
            return Ok(());
        }
        if std::time::Instant::now() > deadline {
            return Err(format!("nothing is found by meaning: {served}").into());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
