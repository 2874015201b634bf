//! `nosso copy`: a conversation copied as a whole, or up to a message.

use uuid::Uuid;

use super::context::Context;
use super::exit::Run;
use super::organise::told;
use super::show::{self, Named};
use super::text;
use crate::api::methods::{ConversationClone, ConversationFork};
use crate::api::tree::{CloneWhole, Fork};
use crate::error::Error;

/// What `nosso copy` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A conversation: all of it is copied; or a message: the branch that leads to it is
    #[arg(value_name = "ID", value_parser = show::id_of)]
    pub id: Uuid,
    /// The copy's title [default: that of the original]
    #[arg(long)]
    pub title: Option<String>,
}

/// Copies, and says what the copy is called.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    let title = args.title;
    let copy = match show::find(&client, args.id).await? {
        Named::Conversation(of) => {
            client.call::<ConversationClone>(&CloneWhole { id: of.id, new_id: None, title }).await?
        }
        Named::Message(at) => {
            client.call::<ConversationFork>(&Fork { message_id: at.id, new_id: None, title }).await?
        }
        Named::Memory(_) => {
            return Err(Error::invalid("copy: this is a memory")
                .hint("give the id of a conversation or of a message")
                .into());
        }
    };
    let said = text::fill(context.words.copied, &[&copy.message_count, &copy.id]);
    told(&copy, &said, context)
}
