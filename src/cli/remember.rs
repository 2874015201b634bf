//! `nosso remember`: a standing fact for all tools.

use std::io::IsTerminal;
use std::path::Path;

use super::context::{self, Context};
use super::exit::{Ended, Run};
use super::memories::{memory_text, warn_of_secrets};
use super::memory_actions::to_come;
use super::project::NewIn;
use super::source;
use super::text;
use crate::api::memory::{MemoryAdd as Params, OnDuplicate};
use crate::api::methods::MemoryAdd;
use crate::error::Error;
use crate::model::{MessageId, Timestamp};

/// What `nosso remember` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The fact in words; without it, what is piped in
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    /// What sort of fact [default: fact]. An "instruction" tells every model what to do; a "preference" and what is
    /// said of the "user" are in every prompt; a "fact", "context" or a word of your own is recalled where it fits
    #[arg(long, value_name = "WORD")]
    pub kind: Option<String>,
    /// Where it belongs in the tree of memories (work/db/staging)
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Put it into every prompt, whatever its kind
    #[arg(long)]
    pub pin: bool,
    /// Store it although a memory says nearly the same
    #[arg(long, conflicts_with = "replace")]
    pub anyway: bool,
    /// Let it take the place of the memory that says nearly the same, and keep that one's kind, path, pin and project
    #[arg(long)]
    pub replace: bool,
    /// From when on it no longer holds (2024-03-14)
    #[arg(long, value_name = "TIME", value_parser = to_come)]
    pub expires: Option<Timestamp>,
    /// The message that it was taken from
    #[arg(long, value_name = "MESSAGE")]
    pub from: Option<MessageId>,
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
        path: args.path,
        pinned: args.pin,
        on_duplicate: match (args.anyway, args.replace) {
            (true, _) => OnDuplicate::Add,
            (false, true) => OnDuplicate::Replace,
            (false, false) => OnDuplicate::Suggest,
        },
        project: args.new_in.name(&context.working_directory),
        expires_at: args.expires,
        source_message_id: args.from,
        ..Params::default()
    };
    let added = context.client().await?.call::<MemoryAdd>(&params).await?;
    let ended = if added.stored { Ended::Well } else { Ended::CheckFailed };
    if context.out.json {
        context.out.document(&added)?;
        return Ok(ended);
    }
    warn_of_secrets(&added.secrets, context);
    if !added.stored {
        context.out.warn(context.words.similar);
        for similar in &added.similar {
            let memory = memory_text(&similar.memory, &context.zone, context.out.wrap_width());
            context.out.note(memory.trim_end());
        }
        context.out.note(context.words.similar_hint);
        return Ok(ended);
    }
    let memory = added.memory;
    let shown = source::first_line(&memory.content, 60);
    context.out.note(&match &memory.project {
        Some(project) => text::fill(context.words.remembered_in, &[&source::first_line(project, 60), &shown]),
        None => text::fill(context.words.remembered, &[&shown]),
    });
    context.out.text(&format!("{}\n", memory.id))?;
    Ok(Ended::Well)
}
