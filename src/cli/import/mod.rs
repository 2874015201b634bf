//! `nosso import`: the histories of other tools, and exports of nosso, sent in pieces while they are read.

mod inputs;
mod pieces;
mod reading;
mod report;

use std::path::PathBuf;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc;

use super::context::{self, Context};
use super::exit::{Ended, Failure, Run};
use crate::api::data::{ImportFormat, ImportParams, ImportResult};
use crate::api::methods::DataImport;
use crate::client::Client;
use crate::error::{Error, Kind, Result};
use inputs::Input;
use pieces::Piece;
use reading::Event;
use report::Report;

/// What `nosso import` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The files to read, or folders of them; `-` reads standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Which tool wrote them [default: recognised]
    #[arg(long, value_name = "NAME", value_parser = parse_format)]
    pub format: Option<ImportFormat>,
    /// Only say what would be brought in
    #[arg(long)]
    pub dry_run: bool,
}

fn parse_format(name: &str) -> Result<ImportFormat, String> {
    name.parse()
}

/// Pieces that are read ahead of the daemon.
const READ_AHEAD: usize = 2;
/// Pieces that the daemon works on at the same time: one is read while another is written.
const UNDER_WAY: usize = 3;

/// Brings the files in. The same files again add nothing; refused records are exit code 1.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let Args { files, format, dry_run } = args;
    let inputs = inputs::expand(&files).map_err(Failure::NoInput)?;
    if let [input] = inputs.as_slice()
        && !input.is_standard_input()
        && let Err(error) = std::fs::File::open(&input.path)
    {
        let message = format!("read {}: {error}", input.path.display());
        return Err(Failure::NoInput(Error::new(Kind::Storage, message).caused_by(error)));
    }
    let client = context.client().await?;
    let progress = progress(&inputs, context);
    let sent = context::unless_interrupted(send(&client, inputs, format, dry_run, &progress)).await;
    progress.finish_and_clear();
    let report = sent?;
    match context.out.json {
        true => context.out.document(&report)?,
        false => report.tell(context)?,
    }
    Ok(if report.is_whole() { Ended::Well } else { Ended::CheckFailed })
}

/// Sends the files piece by piece, while they are read, and sums up the answers.
async fn send(
    client: &Client,
    inputs: Vec<Input>,
    format: Option<ImportFormat>,
    dry_run: bool,
    progress: &ProgressBar,
) -> Result<Report, Failure> {
    let n_inputs = inputs.len();
    let (events, mut coming) = mpsc::channel(READ_AHEAD);
    let bar = progress.clone();
    // a thread of its own that nobody waits for at Ctrl-C: it may stand in a read of the terminal
    std::thread::spawn(move || {
        let gone = |_| Error::new(Kind::Cancelled, "nobody imports any longer");
        // an error says that nobody listens, and then there is nobody to tell it
        let _ =
            reading::read_all(&inputs, format, &bar, &mut |event| events.blocking_send(event).map_err(gone));
    });
    let mut report = Report::new(dry_run);
    let mut under_way = FuturesUnordered::new();
    let mut n_messages = 0;
    while let Some(event) = coming.recv().await {
        let piece = match event {
            Event::Opened { name, format } => {
                report.open(name, format);
                continue;
            }
            Event::PassedOver => {
                report.passed_over += 1;
                continue;
            }
            // the only file that was named, and nothing came of it
            Event::Failed { error, .. } if n_inputs == 1 && report.is_blank() => return Err(error.into()),
            Event::Failed { name, error } => {
                report.fail(name, &error);
                continue;
            }
            Event::Piece(piece) => piece,
        };
        let Piece { data, goes_on, told, n_messages: n } = piece;
        let file = report.note(told);
        if data.is_empty() {
            continue;
        }
        let most = if goes_on { 0 } else { UNDER_WAY - 1 };
        while under_way.len() > most {
            if let Some(answer) = under_way.next().await {
                settle(answer, &mut report, progress, &mut n_messages)?;
            }
        }
        under_way.push(async move {
            let params = ImportParams { format: Some(ImportFormat::Nosso), data, dry_run };
            (file, n, client.call::<DataImport>(&params).await)
        });
    }
    while let Some(answer) = under_way.next().await {
        settle(answer, &mut report, progress, &mut n_messages)?;
    }
    Ok(report)
}

fn settle(
    answer: (usize, u64, Result<ImportResult>),
    report: &mut Report,
    progress: &ProgressBar,
    n_messages: &mut u64,
) -> Result<(), Failure> {
    let (file, n, result) = answer;
    report.add(file, result?);
    *n_messages += n;
    progress.set_message(n_messages.to_string());
    Ok(())
}

fn progress(inputs: &[Input], context: &Context) -> ProgressBar {
    if !context.out.live {
        return ProgressBar::hidden();
    }
    let bytes: Option<u64> = inputs.iter().map(|input| input.bytes).sum();
    let template =
        format!("{{bar:30.cyan}} {{bytes}}/{{total_bytes}} {{msg}} {} {{eta}}", context.words.messages);
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr()).with_style(style)
}
