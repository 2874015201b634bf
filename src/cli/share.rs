//! `nosso share`: a conversation as one file to read or to give away.

use std::path::{Path, PathBuf};

use super::context::{self, Context};
use super::exit::{Ended, Failure, Run};
use super::partial::{Partial, refuse_existing};
use super::text;
use crate::api::methods::ConversationShare;
use crate::api::share::{Share, ShareFormat, ShareItem};
use crate::client::Client;
use crate::error::{Error, Kind};
use crate::model::ConversationId;

/// What `nosso share` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which conversation
    #[arg(value_name = "ID")]
    pub id: ConversationId,
    /// As a page that needs nothing else: no script, nothing from elsewhere (what it does unless told otherwise)
    #[arg(long)]
    pub html: bool,
    /// As Markdown
    #[arg(long, conflicts_with = "html")]
    pub markdown: bool,
    /// The messages of all branches, not only of the one that is shown
    #[arg(long)]
    pub branches: bool,
    /// The file to write, "-" is standard output [default: the title, here]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over a file that exists
    #[arg(long)]
    pub force: bool,
}

/// Writes the file; it appears only when it is whole.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let format = if args.markdown { ShareFormat::Markdown } else { ShareFormat::Html };
    let share = Share { id: args.id, format, branches: args.branches };
    let client = context.client().await?;
    if args.output.as_deref().is_some_and(|file| file.as_os_str() == "-") {
        let printed = pieces(&client, &share, |text| context.out.raw(text));
        context::unless_interrupted(printed).await?;
        return Ok(Ended::Well);
    }
    if let Some(file) = &args.output {
        refuse_existing("share", file, args.force)?;
    }
    let mut partial = Partial::beside(args.output.as_deref().unwrap_or(Path::new("x")))?;
    let written = pieces(&client, &share, |text| Ok(partial.write(text)?));
    let (file_name, messages) = context::unless_interrupted(written).await?;
    let file = args.output.unwrap_or_else(|| PathBuf::from(&file_name));
    refuse_existing("share", &file, args.force)?;
    partial.finish(&file)?;
    match context.out.json {
        true => {
            let done = serde_json::json!({"file": file.display().to_string(), "messages": messages});
            context.out.document(&done)?;
        }
        false => context.out.note(&text::fill(context.words.shared, &[&messages, &file.display()])),
    }
    Ok(Ended::Well)
}

/// Hands each piece on as it comes; answers the name that fits and the number of messages.
async fn pieces(
    client: &Client,
    share: &Share,
    mut write: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(String, u64), Failure> {
    let mut items = client.stream::<ConversationShare>(share).await?;
    while let Some(item) = items.next().await {
        match item? {
            ShareItem::Text { text } => write(&text)?,
            ShareItem::Done { file_name, messages } => return Ok((file_name, messages)),
            ShareItem::Error { kind, message } => {
                return Err(Error::new(Kind::from_name(&kind).unwrap_or(Kind::Internal), message).into());
            }
        }
    }
    Err(Error::new(Kind::UpstreamCut, "share: the daemon closed the connection before the end").into())
}
