//! `nosso delete`: memories, messages and conversations into the trash, from which `nosso undo` brings them back.

use uuid::Uuid;

use super::context::Context;
use super::exit::{Ended, Run};
use super::forget::describe;
use super::show::{self, Named};
use super::text;
use crate::api::Deleted;
use crate::api::conversation::ConversationId;
use crate::api::memory::MemoryId;
use crate::api::message::MessageId;
use crate::api::methods::{ConversationDelete, MemoryDelete, MessageDelete};
use crate::client::Client;
use crate::error::Result;

/// What `nosso delete` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to delete: ids of memories, messages or conversations
    #[arg(value_name = "ID", required = true, value_parser = show::id_of)]
    pub ids: Vec<Uuid>,
}

/// Deletes what the ids name; nobody is asked, because it can be undone.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    let mut named = vec![];
    for id in args.ids {
        named.push(show::find(&client, id).await?);
    }
    for named in named {
        let deleted = delete(&client, &named).await?;
        if context.out.json {
            context.out.json_line(&deleted)?;
            continue;
        }
        let result = if deleted.deleted { context.words.deleted } else { context.words.gone_already };
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
