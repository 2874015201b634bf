//! From the start of the program to its first answers, over a store of 100,000 messages and their vectors.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use crate::support::daemon::{Daemon, Embedding};
use crate::support::figures::{Dice, median, millis};
use crate::support::model::{self, Brought};
use crate::support::table::{Table, Target};
use crate::support::{Outcome, cached, filling, texts};

const MESSAGES: usize = 100_000;
const A_CONVERSATION: usize = 100;
/// Messages of one import.
const BATCH: usize = 5_000;
const STARTS: usize = 7;
/// Part of the cache's name: another way to fill it is another store.
const RECIPE: u32 = 1;

pub fn run(table: &mut Table) -> Outcome {
    let brought = model::brought();
    let embedding = match &brought {
        Ok(brought) => Embedding::With(brought),
        Err(_) => Embedding::Off,
    };
    let folder = filled(brought.as_ref().ok())?;
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

/// The folder of a daemon with that many messages, made at the first run.
fn filled(brought: Option<&Brought>) -> Outcome<PathBuf> {
    let name = format!("messages-{RECIPE}-{}", if brought.is_some() { "vectors" } else { "plain" });
    cached(&name, |making| {
        import(making)?;
        if let Some(brought) = brought {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(filling::give_vectors(&making.join("data/nosso"), brought, 0))?;
        }
        Ok(())
    })
}

fn import(folder: &Path) -> Outcome {
    let mut daemon = Daemon::start(folder, &Embedding::Off)?;
    let mut client = daemon.client()?;
    let sentences = texts::sentences()?;
    let mut dice = Dice::new(3);
    for first in (0..MESSAGES).step_by(BATCH) {
        let conversations: Vec<_> = (0..BATCH / A_CONVERSATION)
            .map(|at| {
                let message = |place: usize| {
                    let role = if place.is_multiple_of(2) { "user" } else { "assistant" };
                    // two sentences at random: about as many different messages as there are
                    let [one, other] = [(); 2].map(|()| &sentences[dice.below(sentences.len())]);
                    json!({"role": role, "content": format!("{one} {other}")})
                };
                let messages: Vec<_> = (0..A_CONVERSATION).map(message).collect();
                json!({"title": format!("conversation {}", first / A_CONVERSATION + at), "messages": messages})
            })
            .collect();
        let data = serde_json::to_string(&conversations)?;
        let result = client.call("data.import", json!({"data": data}))?;
        if result["added"]["messages"] != json!(BATCH) {
            return Err(format!("the import went wrong: {result}").into());
        }
    }
    Ok(())
}
