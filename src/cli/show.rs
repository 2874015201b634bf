//! `nosso show`: a conversation with its messages, a message, or a memory.

use std::fmt::Write;

use uuid::Uuid;

use super::clean;
use super::context::Context;
use super::exit::{Ended, Run};
use super::list;
use super::memories::memory_text;
use super::paging::HowMany;
use super::source;
use super::style::{self, paint};
use super::text;
use super::tree;
use super::when;
use crate::api::Patch;
use crate::api::conversation::{ConversationId as GetConversation, ConversationList as List};
use crate::api::memory::MemoryId as GetMemory;
use crate::api::message::{MessageId as GetMessage, MessageList as Messages, MessagePath};
use crate::api::methods::{ConversationGet, ConversationList, MemoryGet, MessageGet, MessageList};
use crate::client::Client;
use crate::error::{Error, Kind, Result};
use crate::model::{Conversation, Memory, Message};

/// What `nosso show` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which one; without it, the conversation that changed last
    #[arg(value_name = "ID", value_parser = id_of)]
    pub id: Option<Uuid>,
    /// Show the messages of all branches, not only of the one that goes on
    #[arg(long)]
    pub branches: bool,
}

/// The id that was typed; `uuid`'s own complaint would be about characters.
pub fn id_of(text: &str) -> std::result::Result<Uuid, String> {
    text.trim().parse().map_err(|_| {
        "this is no id; `nosso list`, `nosso memories` and `nosso search` show them in brackets".to_owned()
    })
}

/// Something that an id names.
pub enum Named {
    /// A conversation.
    Conversation(Box<Conversation>),
    /// A message.
    Message(Box<Message>),
    /// A memory.
    Memory(Box<Memory>),
}

/// Shows what the id names.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    let which = if args.branches { Branches::All } else { Branches::Head };
    let named = match args.id {
        Some(id) => find(&client, id).await?,
        None => last(&client).await?,
    };
    match named {
        Named::Conversation(conversation) => show_conversation(&client, &conversation, which, context).await,
        Named::Message(message) => show_one(&message, message_text(&message, None, &[], context), context),
        Named::Memory(memory) => {
            let text = memory_text(&memory, &context.zone, context.out.wrap_width());
            show_one(&memory, text, context)
        }
    }
}

/// What the id names: ids are unique over everything that is stored.
pub async fn find(client: &Client, id: Uuid) -> Result<Named> {
    let bytes = *id.as_bytes();
    let conversation = GetConversation { id: crate::model::ConversationId::from_bytes(bytes) };
    if let Some(found) = there(client.call::<ConversationGet>(&conversation).await)? {
        return Ok(Named::Conversation(Box::new(found)));
    }
    let message = GetMessage { id: crate::model::MessageId::from_bytes(bytes) };
    if let Some(found) = there(client.call::<MessageGet>(&message).await)? {
        return Ok(Named::Message(Box::new(found)));
    }
    let memory = GetMemory { id: crate::model::MemoryId::from_bytes(bytes) };
    if let Some(found) = there(client.call::<MemoryGet>(&memory).await)? {
        return Ok(Named::Memory(Box::new(found)));
    }
    Err(Error::not_found(format!("a conversation, message or memory {id}"))
        .hint("ids are shown by: nosso list, nosso search, nosso memories"))
}

fn there<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

async fn last(client: &Client) -> Result<Named> {
    let page = client.call::<ConversationList>(&List { limit: Some(1), ..List::default() }).await?;
    let last = page.items.into_iter().next().ok_or_else(|| Error::not_found("a conversation"))?;
    Ok(Named::Conversation(Box::new(last)))
}

fn show_one(value: &impl serde::Serialize, text: String, context: &mut Context) -> Run {
    match context.out.json {
        true => context.out.document(value)?,
        false => context.out.page(&text)?,
    }
    Ok(Ended::Well)
}

/// Which messages of a conversation are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Branches {
    /// Those on the way to its head.
    Head,
    All,
}

async fn show_conversation(
    client: &Client,
    conversation: &Conversation,
    which: Branches,
    context: &mut Context,
) -> Run {
    let all = HowMany { limit: 1, all: true, cursor: None };
    let path = match which {
        Branches::Head => MessagePath::Head,
        Branches::All => MessagePath::All,
    };
    let mut messages = all
        .collect(async |limit, cursor| {
            let params = Messages {
                conversation_id: conversation.id,
                path,
                parent_id: Patch::Keep,
                newest_first: false,
                limit: Some(limit),
                cursor,
            };
            client.call::<MessageList>(&params).await
        })
        .await?
        .items;
    if which == Branches::Head {
        messages.reverse();
    }
    let elsewhere = conversation.message_count.saturating_sub(messages.len() as u64);
    if context.out.json {
        let whole = serde_json::json!({"conversation": conversation, "messages": messages});
        context.out.document(&whole)?;
        return Ok(Ended::Well);
    }
    let title = source::title_or(conversation.title.as_deref(), context.words);
    let notes = match which {
        Branches::Head => Vec::new(),
        Branches::All => tree::notes(&messages, conversation.head_message_id, context.words),
    };
    let is_branched = notes.iter().any(|notes| !notes.is_empty());
    let mut shown = format!("{}\n", paint(style::TITLE, title));
    let mut known = vec![when::minute(conversation.created_at, &context.zone)];
    known.extend(conversation.client.as_ref().map(|client| clean::line(&client.name)));
    known.extend(conversation.project.as_deref().map(clean::line));
    known.extend(list::order(conversation, context.words));
    let copied = conversation.copied_from.map(|from| from.conversation_id);
    known.extend(copied.map(|id| text::fill(context.words.copy_of, &[&id])));
    known.push(format!("({})", conversation.id));
    shown.push_str(&format!("{}\n", paint(style::DIM, known.join(" · "))));
    for (place, message) in messages.iter().enumerate() {
        shown.push('\n');
        let number = is_branched.then_some(place + 1);
        let notes = notes.get(place).map(Vec::as_slice).unwrap_or_default();
        shown.push_str(&message_text(message, number, notes, context));
    }
    if elsewhere > 0 {
        let hint = text::fill(context.words.other_branches, &[&elsewhere]);
        shown.push_str(&format!("\n{}\n", paint(style::DIM, hint)));
    }
    context.out.page(&shown)?;
    Ok(Ended::Well)
}

/// A message, with its number among others and what is said about its place.
fn message_text(message: &Message, number: Option<usize>, notes: &[String], context: &Context) -> String {
    let speaker = message.author.as_deref().map_or(message.role.name().to_owned(), clean::line);
    let speaker = number.map_or(speaker.clone(), |number| format!("{number}. {speaker}"));
    let mut about = vec![when::minute(message.created_at, &context.zone)];
    about.extend(message.model.as_deref().map(clean::line));
    about.extend_from_slice(notes);
    about.push(format!("({})", message.id));
    let mut text = format!("{}  {}\n", paint(style::NAME, speaker), paint(style::DIM, about.join(" · ")));
    let content = clean::block(message.content.trim_end());
    let content = match context.out.wrap_width() {
        Some(width) => style::wrap(&content, width),
        None => content,
    };
    // writing into a String does not fail
    let _ = writeln!(text, "{content}");
    let width = context.out.wrap_width().unwrap_or(100);
    text.push_str(&source::list(&message.sources, context.words, &context.zone, width));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_id_says_where_ids_are_shown() {
        assert!(id_of("xyz").unwrap_err().contains("nosso list"));
        assert!(id_of(" 01a206e4-29c3-74a3-81f7-eb13d3419f1a\n").is_ok());
    }
}
