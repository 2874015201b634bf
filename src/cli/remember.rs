//! `nosso remember`: a standing fact for all tools.

use std::io::IsTerminal;
use std::path::Path;

use super::context::{self, Context};
use super::exit::{Ended, Run};
use super::project::NewIn;
use super::source;
use super::text;
use crate::api::memory::MemoryAdd as Params;
use crate::api::methods::MemoryAdd;
use crate::error::Error;
use crate::model::Timestamp;

/// What `nosso remember` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The fact in words; without it, what is piped in
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    /// What sort of fact, a short word [default: fact]
    #[arg(long, value_name = "WORD")]
    pub kind: Option<String>,
    /// From when on it no longer holds (2024-03-14)
    #[arg(long, value_name = "TIME")]
    pub expires: Option<Timestamp>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub new_in: NewIn,
}

/// Stores the fact and prints its id.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let mut content = args.text.join(" ");
    if content.trim().is_empty() && !std::io::stdin().is_terminal() {
        content = context::read_input(Path::new("-"))?;
    }
    if content.trim().is_empty() {
        return Err(Error::invalid("remember: there is no text")
            .hint("nosso remember \"the staging host is …\"")
            .into());
    }
    let params = Params {
        content: content.trim().to_owned(),
        kind: args.kind,
        project: args.new_in.name(&context.working_directory),
        expires_at: args.expires,
        ..Params::default()
    };
    let memory = context.client().await?.call::<MemoryAdd>(&params).await?;
    if context.out.json {
        context.out.document(&memory)?;
        return Ok(Ended::Well);
    }
    let shown = source::first_line(&memory.content, 60);
    context.out.note(&match &memory.project {
        Some(project) => text::fill(context.words.remembered_in, &[&source::first_line(project, 60), &shown]),
        None => text::fill(context.words.remembered, &[&shown]),
    });
    context.out.text(&format!("{}\n", memory.id))?;
    Ok(Ended::Well)
}
