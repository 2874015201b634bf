//! `nosso branch`: another branch of a conversation.

use super::context::Context;
use super::exit::Run;
use super::organise::told;
use super::{source, text};
use crate::api::methods::ConversationSetHead;
use crate::api::tree::SetHead;
use crate::model::MessageId;

/// What `nosso branch` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A message of the branch; `nosso show --branches` shows their ids
    #[arg(value_name = "MESSAGE")]
    pub message: MessageId,
    /// End in this message, instead of in the newest one below it
    #[arg(long)]
    pub exact: bool,
}

/// Makes the branch the one that is shown and goes on.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let head = SetHead { message_id: args.message, to_leaf: args.exact.then_some(false) };
    let conversation = context.client().await?.call::<ConversationSetHead>(&head).await?;
    let title = source::title_or(conversation.title.as_deref(), context.words);
    let head = conversation.head_message_id.unwrap_or(args.message);
    let said = text::fill(context.words.branch_shown, &[&title, &head]);
    told(&conversation, &said, context)
}
