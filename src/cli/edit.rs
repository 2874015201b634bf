//! `nosso edit`: a message said anew, on a branch beside the old one.

use super::context::Context;
use super::exit::Run;
use super::memories::warn_of_secrets;
use super::organise::told;
use super::text;
use crate::api::methods::MessageEdit;
use crate::api::tree::MessageEdit as Edit;
use crate::model::MessageId;

/// What `nosso edit` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The message; it stays as it is
    #[arg(value_name = "MESSAGE")]
    pub message: MessageId,
    /// What is said instead
    #[arg(value_name = "TEXT", required = true)]
    pub text: Vec<String>,
}

/// Stores the new message; the conversation goes on from it.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let edit = Edit { id: args.message, content: args.text.join(" "), new_id: None, metadata: None };
    let stored = context.client().await?.call::<MessageEdit>(&edit).await?;
    if !context.out.json {
        warn_of_secrets(&stored.secrets, context);
    }
    let message = stored.record;
    let said = text::fill(context.words.edited, &[&message.id]);
    told(&message, &said, context)
}
