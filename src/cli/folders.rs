//! `nosso folders`: the folders of conversations.

use super::clean;
use super::context::Context;
use super::exit::{Ended, Run};
use super::list;
use super::organise::{self, told};
use super::paging::HowMany;
use super::style::{self, paint};
use super::text;
use crate::api::methods::{FolderCreate, FolderDelete, FolderList, FolderMove};
use crate::api::organise::{
    Archived, Contents, ConversationFilter, FolderDelete as Delete, FolderMove as Move, FolderPath, NameList,
};

/// What `nosso folders` takes.
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

/// What to do with folders.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Make a folder and those on the way to it
    Create {
        /// Its path: "Work/Clients"
        #[arg(value_name = "PATH")]
        path: String,
    },
    /// Rename a folder or move it elsewhere, with everything in it
    Move {
        /// Its path
        #[arg(value_name = "PATH")]
        path: String,
        /// Its new path
        #[arg(value_name = "TO")]
        to: String,
    },
    /// Delete a folder; what lies in it moves to the folder above
    Delete {
        /// Its path
        #[arg(value_name = "PATH")]
        path: String,
        /// Move the conversations in it and below it into the trash too
        #[arg(long)]
        contents: bool,
        /// Do not ask before deleting conversations
        #[arg(short, long)]
        yes: bool,
    },
}

/// Lists the folders, or changes one.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    let made = match args.action {
        None => {
            let page = args
                .how_many
                .collect(async |limit, cursor| {
                    client.call::<FolderList>(&NameList { limit: Some(limit), cursor }).await
                })
                .await?;
            list::show_or(&page, context.words.no_folders, context, |folder, _| {
                let count = paint(style::DIM, folder.conversations);
                format!("{}  {count}\n", paint(style::TITLE, clean::line(&folder.path)))
            })?;
            return Ok(Ended::Well);
        }
        Some(Action::Create { path }) => client.call::<FolderCreate>(&FolderPath { path }).await?,
        Some(Action::Move { path, to }) => client.call::<FolderMove>(&Move { path, to }).await?,
        Some(Action::Delete { path, contents, yes }) => {
            let all = ConversationFilter {
                folder: Some(path.clone()),
                archived: Some(Archived::Include),
                ..ConversationFilter::default()
            };
            if contents && !yes && !organise::confirmed("folders", &all, &client, context).await? {
                context.out.note(context.words.kept);
                return Ok(Ended::CheckFailed);
            }
            let contents = if contents { Contents::Delete } else { Contents::Keep };
            let done = client.call::<FolderDelete>(&Delete { path, contents }).await?;
            return told(&done, &text::fill(context.words.folder_deleted, &[&done.conversations]), context);
        }
    };
    let said = text::fill(context.words.folder_done, &[&clean::line(&made.path)]);
    told(&made, &said, context)
}
