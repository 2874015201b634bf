//! From the start of the program to its first answers, over a store of 100,000 messages and their vectors.

use std::time::Instant;

use serde_json::json;

use crate::support::daemon::{Daemon, Embedding};
use crate::support::figures::{median, millis};
use crate::support::model;
use crate::support::table::{Table, Target};
use crate::support::{Outcome, filling};

const MESSAGES: usize = 100_000;
const STARTS: usize = 7;

pub fn run(table: &mut Table) -> Outcome {
    let brought = model::brought();
    let embedding = match &brought {
        Ok(brought) => Embedding::With(brought),
        Err(_) => Embedding::Off,
    };
    let folder = filling::messages(MESSAGES, brought.as_ref().ok())?;
    let (mut answers, mut finds) = (Vec::new(), Vec::new());
    for start in 0..=STARTS {
        let begun = Instant::now();
        let mut daemon = Daemon::spawn(&folder, &embedding)?;
        let mut client = daemon.client()?;
        let status = client.call("system.status", json!({}))?;
        let answered = begun.elapsed();
        let query = json!({"query": "qual universidade tem mais alunos", "mode": "lexical"});
        let found = client.call("search.query", query)?;
        let searched = begun.elapsed();
        if status["counts"]["messages"] != json!(MESSAGES) || found["hits"][0].is_null() {
            return Err(format!("the store is not whole: {}", status["counts"]).into());
        }
        // the first start reads the files from the disk, which says more about the disk
        if start > 0 {
            answers.push(millis(answered));
            finds.push(millis(searched));
        }
    }
    let with = if brought.is_ok() { "with their vectors" } else { "without vectors: no model is here" };
    let by = format!("{MESSAGES} messages {with}");
    table.row("start to first answer", median(&answers), " ms", Target::AtMost(300.0), &by);
    table.row("start to first search by words", median(&finds), " ms", Target::AtMost(300.0), &by);
    Ok(())
}
