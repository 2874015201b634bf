//! Embedding texts of mixed lengths, against batches of 32 as they come, padded to the longest.

use nosso::embed::{Embedder, Passage, time_of_plain_batches};

use crate::support::figures::{Dice, timed};
use crate::support::table::{Table, Target};
use crate::support::{Outcome, model, texts};

const TEXTS: usize = 400;
const WORDS: std::ops::RangeInclusive<f64> = 3.0..=380.0;
/// Half of what people write is shorter than this ...
const MEDIAN_WORDS: f64 = 18.0;
/// ... and the logarithm of its length spreads so far.
const SPREAD: f64 = 1.1;
const NAIVE_ROWS: usize = 32;

pub fn run(table: &mut Table) -> Outcome {
    let brought = model::brought()?;
    let texts = mixed_texts()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let embedder = runtime.block_on(Embedder::start(brought.options()))?;
    // loads the session for stored texts
    runtime.block_on(embedder.embed_passages(passages(&texts[..8])))?;
    let mut ours = f64::INFINITY;
    for _ in 0..2 {
        let (embedded, time) = timed(|| runtime.block_on(embedder.embed_passages(passages(&texts))));
        for vector in embedded? {
            vector?;
        }
        ours = ours.min(time.as_secs_f64());
    }
    runtime.block_on(embedder.stop());
    let naive = time_of_plain_batches(&brought.options(), &texts, NAIVE_ROWS)?.as_secs_f64();
    let rate = |seconds: f64| TEXTS as f64 / seconds;
    let by = format!("{:.0} texts/s, padded {:.0} texts/s", rate(ours), rate(naive));
    table.row("texts/s / batches of 32, padded", naive / ours, "", Target::AtLeast(5.0), &by);
    Ok(())
}

fn passages(texts: &[String]) -> Vec<Passage> {
    texts.iter().cloned().map(Passage::from).collect()
}

/// Texts whose lengths are spread as those of messages are: many short ones, a few long ones.
fn mixed_texts() -> Outcome<Vec<String>> {
    let passages = texts::all()?.passages.join(" ");
    let words: Vec<&str> = passages.split_whitespace().collect();
    let mut dice = Dice::new(7);
    let text = |_| {
        let length = (MEDIAN_WORDS * (SPREAD * dice.normal()).exp()).clamp(*WORDS.start(), *WORDS.end());
        let start = dice.below(words.len() - length as usize);
        words[start..start + length as usize].join(" ")
    };
    Ok((0..TEXTS).map(text).collect())
}
