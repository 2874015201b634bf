//! `nosso forget`: memories, messages and conversations, gone for good.

use uuid::Uuid;

use super::context::Context;
use super::exit::{Ended, Run};
use super::show::{self, Named};
use super::source;
use super::text;
use crate::api::Deleted;
use crate::api::conversation::ConversationId;
use crate::api::memory::MemoryId;
use crate::api::message::MessageId;
use crate::api::methods::{ConversationDelete, MemoryDelete, MessageDelete};
use crate::client::Client;
use crate::error::Result;

/// What `nosso forget` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to delete: ids of memories, messages or conversations
    #[arg(value_name = "ID", required = true, value_parser = show::id_of)]
    pub ids: Vec<Uuid>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// Deletes what the ids name, after asking.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    let mut named = vec![];
    for id in args.ids {
        named.push(show::find(&client, id).await?);
    }
    if !args.yes {
        let descriptions: Vec<String> = named.iter().map(|named| describe(named, context)).collect();
        let question = format!("{}\n{}", descriptions.join("\n"), context.words.forget_question);
        if !context.confirmed("forget", &question)? {
            context.out.note(context.words.kept);
            return Ok(Ended::CheckFailed);
        }
    }
    for named in named {
        let deleted = delete(&client, &named).await?;
        if context.out.json {
            context.out.json_line(&deleted)?;
            continue;
        }
        let result = if deleted.deleted { context.words.forgotten } else { context.words.gone_already };
        context.out.note(&text::fill(result, &[&describe(&named, context)]));
    }
    Ok(Ended::Well)
}

async fn delete(client: &Client, named: &Named) -> Result<Deleted> {
    match named {
        Named::Conversation(it) => client.call::<ConversationDelete>(&ConversationId { id: it.id }).await,
        Named::Message(it) => client.call::<MessageDelete>(&MessageId { id: it.id }).await,
        Named::Memory(it) => client.call::<MemoryDelete>(&MemoryId { id: it.id }).await,
    }
}

fn describe(named: &Named, context: &Context) -> String {
    match named {
        Named::Conversation(it) => {
            format!(
                "{} ({} messages)",
                source::title_or(it.title.as_deref(), context.words),
                it.message_count
            )
        }
        Named::Message(it) => format!("{}: {}", it.role, source::first_line(&it.content, 70)),
        Named::Memory(it) => format!("{}: {}", context.words.memory, source::first_line(&it.content, 70)),
    }
}
