//! `nosso export`: everything or a selection, as NDJSON, Open WebUI's JSON or Markdown, to a file, a folder or
//! standard output.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::context::{self, Context};
use super::exit::{Ended, Failure, Run};
use super::partial::{Partial, refuse_existing};
use super::project::Only;
use super::{show, text};
use crate::api::data::{ExportFormat, ExportItem, ExportParams};
use crate::api::methods::DataExport;
use crate::api::system::Counts;
use crate::error::{Error, Kind, Result};
use crate::model::{ConversationId, Timestamp};

/// What `nosso export` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write, or for Markdown an existing folder, which gets a file to each conversation
    /// [default: standard output]
    #[arg(value_name = "FILE|DIR")]
    pub file: Option<PathBuf>,
    /// How to write it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,
    /// Only these conversations, without memories
    #[arg(short = 'C', long = "conversation", value_name = "ID", value_parser = show::id_of,
          conflicts_with_all = ["here", "project", "client", "since", "until"])]
    pub conversations: Vec<Uuid>,
    /// Only what this tool began
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// Only what changed at this time or later
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
    /// Only what began before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// What lies in the trash, instead of what is stored
    #[arg(long, conflicts_with_all = ["conversations", "here", "project", "client", "since", "until"])]
    pub trash: bool,
    /// Write over files that exist
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub only: Only,
}

/// How an export is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// NDJSON: complete, `nosso import` reads it
    #[default]
    Ndjson,
    /// The JSON that Open WebUI loads, without memories
    OpenWebui,
    /// Markdown, for people
    Markdown,
}

/// Writes the export; a file appears only when all of it is there.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let conversations: Vec<ConversationId> =
        args.conversations.iter().map(|id| ConversationId::from_bytes(*id.as_bytes())).collect();
    let params = ExportParams {
        format: match args.format {
            Format::Ndjson => ExportFormat::Nosso,
            Format::OpenWebui => ExportFormat::OpenWebui,
            Format::Markdown => ExportFormat::Markdown,
        },
        project: args.only.name(&context.working_directory)?,
        client: args.client,
        conversation_ids: (!conversations.is_empty()).then_some(conversations),
        since: args.since,
        until: args.until,
        trash: args.trash,
    };
    let file = args.file.filter(|file| file.as_os_str() != "-");
    let Some(target) = file else {
        let mut out = Out::Standard;
        context::unless_interrupted(receive(&params, &mut out, context)).await?;
        return Ok(Ended::Well);
    };
    let mut out = match target.is_dir() {
        true if args.format != Format::Markdown => {
            let message = format!("export to {}: this is a folder", target.display());
            return Err(Error::invalid(message)
                .hint("name a file; only --format markdown takes a folder")
                .into());
        }
        true => Out::Folder { folder: target.clone(), force: args.force, open: None },
        false => {
            refuse_existing("export", &target, args.force)?;
            Out::File(Partial::beside(&target)?)
        }
    };
    let counts = context::unless_interrupted(receive(&params, &mut out, context)).await?;
    match out {
        Out::Standard => {}
        Out::File(partial) => partial.finish(&target)?,
        Out::Folder { open, .. } => finish(open)?,
    }
    match context.out.json {
        true => context.out.document(&counts)?,
        false => context.out.note(&text::fill(
            context.words.exported,
            &[&counts.conversations, &counts.messages, &counts.memories, &target.display()],
        )),
    }
    Ok(Ended::Well)
}

/// Where the lines go.
enum Out {
    Standard,
    File(Partial),
    /// A file to each document.
    Folder {
        folder: PathBuf,
        force: bool,
        open: Option<(Partial, PathBuf)>,
    },
}

impl Out {
    /// A document begins.
    fn begin(&mut self, name: &str, is_first: bool, context: &mut Context) -> Result<(), Failure> {
        match self {
            Out::Folder { folder, force, open } => {
                finish(open.take())?;
                // the daemon makes names of letters, digits and '-'; whatever else it says stays in this folder
                let name = Path::new(name).file_name().unwrap_or_default();
                let target = folder.join(name);
                refuse_existing("export", &target, *force)?;
                *open = Some((Partial::beside(&target)?, target));
                Ok(())
            }
            Out::Standard | Out::File(_) if is_first => Ok(()),
            Out::Standard | Out::File(_) => self.write("\n", context),
        }
    }

    fn write(&mut self, text: &str, context: &mut Context) -> Result<(), Failure> {
        match self {
            Out::Standard => context.out.raw(text),
            Out::File(partial) | Out::Folder { open: Some((partial, _)), .. } => Ok(partial.write(text)?),
            Out::Folder { open: None, .. } => {
                Err(Error::internal("export: a line came before its document").into())
            }
        }
    }
}

fn finish(open: Option<(Partial, PathBuf)>) -> Result<()> {
    open.map_or(Ok(()), |(partial, target)| partial.finish(&target))
}

async fn receive(params: &ExportParams, out: &mut Out, context: &mut Context) -> Result<Counts, Failure> {
    let client = context.client().await?;
    let mut items = client.stream::<DataExport>(params).await?;
    let mut is_first = true;
    while let Some(item) = items.next().await {
        match item? {
            ExportItem::Document { name } => {
                out.begin(&name, is_first, context)?;
                is_first = false;
            }
            ExportItem::Records { lines } => {
                let mut text = lines.join("\n");
                text.push('\n');
                out.write(&text, context)?;
            }
            ExportItem::Done { counts } => return Ok(counts),
            ExportItem::Error { kind, message } => {
                return Err(Error::new(Kind::from_name(&kind).unwrap_or(Kind::Internal), message).into());
            }
        }
    }
    Err(Error::new(Kind::UpstreamCut, "export: the daemon closed the connection before the end").into())
}
