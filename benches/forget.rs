//! Forgetting a conversation of 10,000 messages for good, while other clients append; and what its parts cost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use nosso::index::{Index, Options};
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Embedding};
use crate::support::figures::{Dice, millis, quantile, timed};
use crate::support::table::{Table, Target};
use crate::support::{Outcome, scratch, texts};

const MESSAGES: usize = 10_000;
/// Messages of others, among which the words of the forgotten ones stand.
const OTHERS: usize = 40_000;
const A_CALL: usize = 500;
const APPENDING: usize = 4;
const ROUNDS: usize = 3;
/// Vectors of the index that is written anew.
const VECTORS: u32 = 50_000;
const DIMENSION: usize = 384;

pub fn run(table: &mut Table) -> Outcome {
    database(table)?;
    index(table)
}

fn database(table: &mut Table) -> Outcome {
    let folder = scratch()?;
    let sentences = texts::sentences()?;
    let mut daemon = Daemon::start(&folder.path().join("home"), &Embedding::Off)?;
    let mut client = daemon.client()?;
    let mut texts = sentences.iter().cycle();
    for _ in 0..OTHERS / MESSAGES {
        fill(&mut client, &mut texts)?;
    }
    let (mut forgets, mut waits) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let conversation = fill(&mut client, &mut texts)?;
        let mut clients = Vec::new();
        for _ in 0..APPENDING {
            let mut client = daemon.client()?;
            let own = client.call("conversation.create", json!({}))?["id"].clone();
            clients.push((client, own));
        }
        let done = AtomicBool::new(false);
        let (forgot, appended) = std::thread::scope(|scope| {
            let appending: Vec<_> = clients
                .iter_mut()
                .map(|(client, own)| {
                    let (done, text) = (&done, sentences[7].as_str());
                    scope.spawn(move || -> Result<Vec<f64>, String> {
                        let mut waits = Vec::new();
                        while !done.load(Ordering::Relaxed) {
                            let message = json!({"role": "user", "content": text});
                            let append = json!({"conversationId": own, "messages": [message]});
                            let begun = Instant::now();
                            client.call("message.append", append).map_err(|error| error.to_string())?;
                            waits.push(millis(begun.elapsed()));
                        }
                        Ok(waits)
                    })
                })
                .collect();
            let asked = json!({"conversationIds": [conversation], "waitSeconds": 60});
            let forgot = timed(|| client.call("forget.run", asked));
            done.store(true, Ordering::Relaxed);
            let appended: Result<Vec<_>, String> = appending
                .into_iter()
                .map(|one| one.join().map_err(|_| "a client panicked".to_owned())?)
                .collect();
            (forgot, appended)
        });
        let (receipt, time) = forgot;
        let receipt = receipt?;
        if receipt["finishedAt"].is_null() || receipt["removed"]["messages"] != json!(MESSAGES) {
            return Err(format!("not all was forgotten: {receipt}").into());
        }
        forgets.push(millis(time) / 1e3);
        waits.extend(appended?.into_iter().flatten());
    }
    let by =
        format!("beside {OTHERS} other messages, the slowest of {ROUNDS}, {APPENDING} clients appending");
    table.row("10,000 messages, words and log", quantile(&forgets, 1.0), " s", Target::AtMost(2.0), &by);
    let by = format!("{} appends, p50 {:.1} ms", waits.len(), quantile(&waits, 0.5));
    table.row("append meanwhile, p99", quantile(&waits, 0.99), " ms", Target::AtMost(50.0), &by);
    Ok(())
}

/// A conversation of [`MESSAGES`] messages; answers its id.
fn fill<'a>(
    client: &mut crate::support::raw::Raw,
    texts: &mut impl Iterator<Item = &'a String>,
) -> Outcome<Value> {
    let id = client.call("conversation.create", json!({"title": "long"}))?["id"].clone();
    for _ in 0..MESSAGES / A_CALL {
        let messages: Vec<Value> =
            texts.take(A_CALL).map(|text| json!({"role": "user", "content": text})).collect();
        client.call("message.append", json!({"conversationId": id, "messages": messages}))?;
    }
    Ok(id)
}

fn index(table: &mut Table) -> Outcome {
    let folder = scratch()?;
    let options =
        Options { folder: folder.path().to_owned(), dimension: DIMENSION, stamp: "bench".to_owned() };
    let index = Index::open(options)?;
    let mut dice = Dice::new(7);
    for begin in (0..VECTORS).step_by(4096) {
        let rows: Vec<(u32, Vec<f32>)> = (begin..VECTORS.min(begin + 4096))
            .map(|id| (id, (0..DIMENSION).map(|_| dice.normal() as f32).collect()))
            .collect();
        index.put(&rows)?;
    }
    index.merge()?;
    let gone: Vec<u32> = (0..VECTORS).filter(|id| id % 5 == 0).collect();
    let (erased, time) = timed(|| index.remove(&gone).and_then(|()| index.erase_removed()));
    if !erased? {
        return Err("there was nothing to erase".into());
    }
    let megabytes = index.status().disk_bytes as f64 / 1e6;
    let by = format!("{} of {VECTORS} vectors, files written anew: {megabytes:.0} MB", gone.len());
    table.row("the vectors of 10,000 passages", millis(time) / 1e3, " s", Target::AtMost(2.0), &by);
    Ok(())
}
