//! `nosso import`: an export of nosso, or a plain JSON history, sent in pieces.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::clean;
use super::context::{self, Context};
use super::exit::{Ended, Failure, Run};
use super::pieces::{self, PIECE_BYTES, Pieces};
use super::text;
use crate::api::data::{ImportParams, ImportResult, Refused};
use crate::api::methods::DataImport;
use crate::api::system::Counts;
use crate::client::Client;

/// Refused records that are told one by one.
const TOLD: usize = 20;

/// What `nosso import` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to read; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Brings the file in. The same file again adds nothing; refused records are exit code 1.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let text = context::read_input(&args.file)?;
    let pieces = pieces::cut(&text, PIECE_BYTES)?;
    let client = context.client().await?;
    let progress = progress(text.len() as u64, context);
    let result = context::unless_interrupted(send(&client, pieces, &progress)).await;
    progress.finish_and_clear();
    let result = result?;
    match context.out.json {
        true => context.out.document(&result)?,
        false => tell(&result, context)?,
    }
    Ok(if result.refused_total > 0 { Ended::CheckFailed } else { Ended::Well })
}

/// Sends the pieces one after the other and sums up the answers.
pub async fn send(client: &Client, pieces: Pieces, progress: &ProgressBar) -> Result<ImportResult, Failure> {
    let mut total = ImportResult { refused_total: pieces.refused.len() as u64, ..ImportResult::default() };
    total.refused = pieces.refused;
    for piece in pieces.pieces {
        let params = ImportParams { format: Some(piece.format), data: piece.data };
        let result = client.call::<DataImport>(&params).await?;
        add(&mut total.added, &result.added);
        add(&mut total.existing, &result.existing);
        total.refused_total += result.refused_total;
        total.refused.extend(result.refused.into_iter().map(|refused| Refused {
            place: pieces::place_in_file(&refused.place, piece.before),
            ..refused
        }));
        progress.set_position(piece.end as u64);
    }
    Ok(total)
}

fn add(total: &mut Counts, more: &Counts) {
    let Counts { conversations, messages, memories, chunks } = more;
    total.conversations += conversations;
    total.messages += messages;
    total.memories += memories;
    total.chunks += chunks;
}

fn progress(bytes: u64, context: &Context) -> ProgressBar {
    if !context.out.live {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30.cyan} {bytes}/{total_bytes} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr()).with_style(style)
}

fn tell(result: &ImportResult, context: &mut Context) -> Result<(), Failure> {
    let counted = |text: &str, counts: &Counts| {
        text::fill(text, &[&counts.conversations, &counts.messages, &counts.memories])
    };
    let mut lines = format!("{}\n", counted(context.words.imported, &result.added));
    if result.existing != Counts::default() {
        lines.push_str(&format!("{}\n", counted(context.words.existing, &result.existing)));
    }
    context.out.text(&lines)?;
    if result.refused_total > 0 {
        context.out.warn(&text::fill(context.words.refused, &[&result.refused_total]));
        for refused in result.refused.iter().take(TOLD) {
            context.out.note(&format!("  {}: {}", clean::line(&refused.place), clean::line(&refused.reason)));
        }
        if result.refused_total > TOLD as u64 {
            context.out.note("  …");
        }
    }
    Ok(())
}
