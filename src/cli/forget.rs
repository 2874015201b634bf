//! `nosso forget`: things, a project or what a tool stored, gone for good, with a receipt.

use uuid::Uuid;

use super::context::{self, Context};
use super::exit::{Ended, Failure, Run};
use super::show::{self, Named};
use super::{clean, project, source, text, trash};
use crate::api::forget::{Backups, ForgetParams, ForgetReceipt, ForgetStatus as Status};
use crate::api::methods::{ForgetRun, ForgetStatus};
use crate::api::trash::TrashKind;
use crate::client::Client;
use crate::error::{Kind, Result};
use crate::model::{ConversationId, MemoryId, MessageId, Timestamp};

/// Seconds that one call waits for the end.
const WAIT: u32 = 30;

/// What `nosso forget` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to forget: ids of memories, messages or conversations, also of deleted ones
    #[arg(value_name = "ID", value_parser = show::id_of, required_unless_present = "group")]
    pub ids: Vec<Uuid>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub all_of: AllOf,
    /// Replace the backups by a new one, because they hold copies
    #[arg(long)]
    pub backups: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// Everything of one sort.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(id = "group", multiple = true)]
pub struct AllOf {
    /// Everything of the project of the working directory's git checkout
    #[arg(long, conflicts_with = "project")]
    pub here: bool,
    /// Everything of this project
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Everything that this tool stored
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// Everything that lies in the trash
    #[arg(long)]
    pub trash: bool,
}

/// Forgets, after asking, and waits until it is done.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let Args { ids, all_of, backups, yes } = args;
    let AllOf { here, project, client: tool, trash } = all_of;
    let project = project::here_or(here, project.as_deref(), &context.working_directory)?;
    let client = context.client().await?;
    let mut params = ForgetParams {
        trash_before: trash.then(Timestamp::now),
        backups: if backups { Backups::Replace } else { Backups::Keep },
        wait_seconds: Some(WAIT),
        ..ForgetParams::default()
    };
    let mut descriptions = vec![];
    for id in ids {
        descriptions.push(add(&client, id, &mut params, context).await?);
    }
    if let Some(project) = &project {
        descriptions.push(text::fill(context.words.all_of_project, &[&clean::line(project)]));
    }
    if let Some(tool) = &tool {
        descriptions.push(text::fill(context.words.all_of_client, &[&clean::line(tool)]));
    }
    if trash {
        descriptions.push(context.words.all_of_trash.to_owned());
    }
    (params.project, params.client) = (project, tool);
    if !yes {
        let question = format!("{}\n{}", descriptions.join("\n"), context.words.forget_question);
        if !context.confirmed("forget", &question)? {
            context.out.note(context.words.kept);
            return Ok(Ended::CheckFailed);
        }
    }
    let receipt = context::unless_interrupted(until_done(&client, &params)).await?;
    match context.out.json {
        true => context.out.document(&receipt)?,
        false => tell(&receipt, context)?,
    }
    Ok(if receipt.finished_at.is_some() { Ended::Well } else { Ended::CheckFailed })
}

/// Adds what the id names, be it stored or in the trash; answers how people know it.
async fn add(client: &Client, id: Uuid, params: &mut ForgetParams, context: &Context) -> Result<String> {
    let bytes = *id.as_bytes();
    let named = match show::find(client, id).await {
        Ok(named) => named,
        Err(error) if error.kind() == Kind::NotFound => {
            let Some(trashed) = trash::find(client, id).await? else { return Err(error) };
            let bytes = *trashed.item_id.as_bytes();
            match trashed.kind {
                TrashKind::Conversation => params.conversation_ids.push(ConversationId::from_bytes(bytes)),
                TrashKind::Message => params.message_ids.push(MessageId::from_bytes(bytes)),
                TrashKind::Memory => params.memory_ids.push(MemoryId::from_bytes(bytes)),
            }
            return Ok(trash::line(&trashed, context.words, &context.zone));
        }
        Err(error) => return Err(error),
    };
    match &named {
        Named::Conversation(_) => params.conversation_ids.push(ConversationId::from_bytes(bytes)),
        Named::Message(_) => params.message_ids.push(MessageId::from_bytes(bytes)),
        Named::Memory(_) => params.memory_ids.push(MemoryId::from_bytes(bytes)),
    }
    Ok(describe(&named, context))
}

/// Something stored, as people know it.
pub fn describe(named: &Named, context: &Context) -> String {
    match named {
        Named::Conversation(it) => {
            format!("{} ({})", source::title_or(it.title.as_deref(), context.words), it.message_count)
        }
        Named::Message(it) => format!("{}: {}", it.role, source::first_line(&it.content, 70)),
        Named::Memory(it) => format!("{}: {}", context.words.memory, source::first_line(&it.content, 70)),
    }
}

async fn until_done(client: &Client, params: &ForgetParams) -> Result<ForgetReceipt, Failure> {
    let mut receipt = client.call::<ForgetRun>(params).await?;
    while receipt.finished_at.is_none() {
        // what keeps it from going on is tried again by the daemon; who reads the receipt should know now
        if receipt.problem.is_some() {
            break;
        }
        let status = Status { id: receipt.id, wait_seconds: Some(WAIT) };
        receipt = client.call::<ForgetStatus>(&status).await?;
    }
    Ok(receipt)
}

fn tell(receipt: &ForgetReceipt, context: &mut Context) -> Result<(), Failure> {
    let removed = &receipt.removed;
    let words = context.words;
    let mut lines = text::fill(
        words.forgotten,
        &[&removed.conversations, &removed.messages, &removed.memories, &removed.trash],
    );
    lines.push('\n');
    lines.push_str(&text::fill(
        words.forgotten_where,
        &[&removed.full_text, &removed.chunks, &removed.jobs, &removed.vectors, &removed.quotations],
    ));
    lines.push('\n');
    context.out.text(&lines)?;
    if receipt.finished_at.is_none() {
        let pending: Vec<String> =
            receipt.pending.iter().map(|pending| format!("{pending:?}").to_lowercase()).collect();
        let problem = receipt.problem.as_deref().map(clean::line).unwrap_or_default();
        context.out.warn(&text::fill(words.forget_pending, &[&pending.join(", "), &problem]));
    }
    if !receipt.backups.is_empty() {
        let names: Vec<String> = receipt.backups.iter().map(|name| clean::line(name)).collect();
        context.out.warn(&text::fill(words.backups_hold_it, &[&names.join(", ")]));
    }
    if receipt.backups_replaced {
        context.out.note(&text::fill(words.backups_replaced, &[&receipt.backups_removed.len()]));
    }
    for id in &receipt.copies_kept {
        context.out.warn(&text::fill(words.copy_holds_it, &[id]));
    }
    for id in &receipt.answers_kept {
        context.out.note(&text::fill(words.answer_may_repeat, &[id]));
    }
    for id in &receipt.memories_kept {
        context.out.note(&text::fill(words.memory_taken_from_it, &[id]));
    }
    Ok(())
}
