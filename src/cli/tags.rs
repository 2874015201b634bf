//! `nosso tags`: the tags of conversations.

use super::clean;
use super::context::Context;
use super::exit::{Ended, Run};
use super::list;
use super::organise::told;
use super::paging::HowMany;
use super::style::{self, paint};
use super::text;
use crate::api::methods::{TagDelete, TagList};
use crate::api::organise::{NameList, TagName};

/// What `nosso tags` takes.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub action: Option<Action>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub how_many: HowMany,
}

/// What to do with tags.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Take a tag from every conversation; `nosso organise ID --tag NAME` gives one
    Delete {
        /// The tag
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// Lists the tags with the number of their conversations, or takes one away.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    if let Some(Action::Delete { name }) = args.action {
        let done = client.call::<TagDelete>(&TagName { name }).await?;
        return told(&done, &text::fill(context.words.tag_deleted, &[&done.conversations]), context);
    }
    let page = args
        .how_many
        .collect(async |limit, cursor| client.call::<TagList>(&NameList { limit: Some(limit), cursor }).await)
        .await?;
    list::show_or(&page, context.words.no_tags, context, |tag, _| {
        let count = paint(style::DIM, tag.conversations);
        format!("{}  {count}\n", paint(style::TITLE, clean::line(&tag.name)))
    })?;
    Ok(Ended::Well)
}
