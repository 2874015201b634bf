//! `nosso import`: an export of nosso, or a plain JSON history, sent in pieces.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc;

use super::clean;
use super::context::{self, Context};
use super::exit::{Ended, Failure, Run};
use super::pieces::{self, PIECE_BYTES, Piece};
use super::text;
use crate::api::data::{ImportFormat, ImportParams, ImportResult, Refused};
use crate::api::methods::DataImport;
use crate::api::system::Counts;
use crate::client::Client;
use crate::error::{Error, Kind};

/// Refused records that are told one by one.
const TOLD: usize = 20;
/// Refused records that are kept; all are counted.
const KEPT: usize = 1000;

/// What `nosso import` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to read; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Pieces that are read ahead of the daemon.
const READ_AHEAD: usize = 1;

/// Brings the file in. The same file again adds nothing; refused records are exit code 1.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let (reader, bytes) = open(&args.file)?;
    let client = context.client().await?;
    let progress = progress(bytes, context);
    let result = context::unless_interrupted(send(&client, reader, &progress)).await;
    progress.finish_and_clear();
    let result = result?;
    match context.out.json {
        true => context.out.document(&result)?,
        false => tell(&result, context)?,
    }
    Ok(if result.refused_total > 0 { Ended::CheckFailed } else { Ended::Well })
}

/// The file and its size; `-` is standard input, of which nobody knows the size.
fn open(file: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>), Failure> {
    if file.as_os_str() == "-" {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let opened = std::fs::File::open(file).and_then(|opened| {
        let found = opened.metadata()?;
        match found.is_dir() {
            true => Err(std::io::ErrorKind::IsADirectory.into()),
            false => Ok((opened, found.is_file().then_some(found.len()))),
        }
    });
    match opened {
        Ok((opened, bytes)) => Ok((Box::new(opened), bytes)),
        Err(error) => {
            let message = format!("read {}: {error}", file.display());
            Err(Failure::NoInput(Error::new(Kind::Storage, message).caused_by(error)))
        }
    }
}

/// Sends the file piece by piece, while it is read, and sums up the answers.
async fn send(
    client: &Client,
    reader: impl Read + Send + 'static,
    progress: &ProgressBar,
) -> Result<ImportResult, Failure> {
    let (pieces, mut coming) = mpsc::channel(READ_AHEAD);
    let reader = BufReader::new(progress.wrap_read(reader));
    // a thread of its own that nobody waits for at Ctrl-C: it may stand in a read of the terminal
    std::thread::spawn(move || {
        let gone = || Error::new(Kind::Cancelled, "nobody imports any longer");
        let cut =
            pieces::cut(reader, PIECE_BYTES, |piece| pieces.blocking_send(Ok(piece)).map_err(|_| gone()));
        if let Err(error) = cut {
            // who does not listen any more has an error of its own
            let _ = pieces.blocking_send(Err(error));
        }
    });
    let mut total = ImportResult::default();
    while let Some(piece) = coming.recv().await {
        let Piece { data, before, refused } = piece?;
        total.refused_total += refused.len() as u64;
        total.refused.extend(refused);
        if !data.trim().is_empty() {
            let params = ImportParams { format: Some(ImportFormat::Nosso), data };
            let result = client.call::<DataImport>(&params).await?;
            total.added += result.added;
            total.existing += result.existing;
            total.refused_total += result.refused_total;
            let refused = result.refused.into_iter();
            total
                .refused
                .extend(refused.map(|it| Refused { place: pieces::place_in_file(&it.place, before), ..it }));
        }
        total.refused.truncate(KEPT);
    }
    Ok(total)
}

fn progress(bytes: Option<u64>, context: &Context) -> ProgressBar {
    if !context.out.live {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30.cyan} {bytes}/{total_bytes} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr()).with_style(style)
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
