//! How long the second, closer look at the hundred best texts takes: every token of a question against every token of
//! theirs, read from the disk's pages and scored on one thread.

use nosso::index::{Index, Options, Passage, QueryToken};

use crate::support::figures::{Dice, median, millis, quantile, timed};
use crate::support::table::{Table, Target};
use crate::support::{Outcome, scratch};

const DIMENSION: usize = 384;
const TEXTS: u32 = 1000;
/// Texts that are looked at again for one question.
const LOOKED_AT: usize = 100;
const QUERY_TOKENS: usize = 16;
const ROUNDS: usize = 200;

pub fn run(table: &mut Table) -> Outcome {
    for (n_tokens, target) in [(60, 3.0), (300, 12.0)] {
        let folder = scratch()?;
        let (index, mut dice) = filled(folder.path(), n_tokens)?;
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let query: Vec<QueryToken> = (0..QUERY_TOKENS)
                .map(|_| QueryToken { vector: vector(&mut dice), weight: 1.0 + dice.share() as f32 })
                .collect();
            let ids: Vec<u32> = (0..LOOKED_AT).map(|_| dice.below(TEXTS as usize) as u32).collect();
            let (scores, time) = timed(|| index.late(&query, &ids));
            if scores?.iter().any(Option::is_none) {
                return Err("a text has lost its tokens".into());
            }
            times.push(millis(time));
        }
        let kib = index.status().tokens_bytes as f64 / 1024.0 / f64::from(TEXTS);
        let what = format!("{LOOKED_AT} texts of {n_tokens} tokens, p50");
        let by =
            format!("p99 {:.2} ms, {QUERY_TOKENS} tokens asked, {kib:.1} KiB a text", quantile(&times, 0.99));
        table.row(&what, median(&times), " ms", Target::AtMost(target), &by);
        index.close()?;
    }
    Ok(())
}

fn filled(folder: &std::path::Path, n_tokens: usize) -> Outcome<(Index, Dice)> {
    let index =
        Index::open(Options { folder: folder.join("index"), dimension: DIMENSION, stamp: "bench".into() })?;
    let mut dice = Dice::new(3);
    for first in (0..TEXTS).step_by(50) {
        let passage = |id| Passage {
            id,
            vector: vector(&mut dice),
            tokens: (0..n_tokens).map(|_| vector(&mut dice)).collect(),
        };
        index.put_passages((first..first + 50).map(passage).collect())?;
    }
    Ok((index, dice))
}

/// What the numbers are does not change the time.
fn vector(dice: &mut Dice) -> Vec<f32> {
    (0..DIMENSION).map(|_| dice.share() as f32 - 0.4).collect()
}
