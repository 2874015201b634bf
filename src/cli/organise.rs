//! `nosso organise`: pins, the archive, tags, folders, titles and what is private, for one conversation or many.

use super::context::Context;
use super::exit::{Ended, Failure, Run};
use super::memories::warn_of_secrets;
use super::text;
use crate::api::conversation::ConversationUpdate as Update;
use crate::api::find::ConversationSearch as Search;
use crate::api::limits::MAX_HITS;
use crate::api::methods::{
    ConversationDeleteMatching, ConversationOrganise, ConversationSearch, ConversationUpdate,
};
use crate::api::organise::{Change, ConversationFilter, DeleteMatching, Organise, Organised};
use crate::api::{Patch, Stored};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::model::{Conversation, ConversationId};

/// What `nosso organise` takes.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").args(["ids", "matching"]).required(true))]
pub struct Args {
    /// Which conversations
    #[arg(value_name = "ID")]
    pub ids: Vec<ConversationId>,
    /// All that fit, as `nosso list` shows them: `tag:`, `folder:`, `pinned:`, `archived:`, `project:`, `client:`,
    /// `before:`, `after:` with a value, and words of the title
    #[arg(long, value_name = "QUERY")]
    pub matching: Option<String>,
    /// Pin
    #[arg(long)]
    pub pin: bool,
    /// Unpin
    #[arg(long, conflicts_with = "pin")]
    pub unpin: bool,
    /// Put into the archive: lists leave it out, searches do not
    #[arg(long)]
    pub archive: bool,
    /// Take out of the archive
    #[arg(long, conflicts_with = "archive")]
    pub unarchive: bool,
    /// Find and recall it from within itself only
    #[arg(long)]
    pub private: bool,
    /// Find and recall it from everywhere
    #[arg(long, conflicts_with = "private")]
    pub public: bool,
    /// Move into this folder, made if it is missing
    #[arg(long, value_name = "PATH")]
    pub folder: Option<String>,
    /// Take out of its folder
    #[arg(long, conflicts_with = "folder")]
    pub no_folder: bool,
    /// Give this tag
    #[arg(long, value_name = "NAME")]
    pub tag: Vec<String>,
    /// Take this tag away
    #[arg(long, value_name = "NAME")]
    pub untag: Vec<String>,
    /// Rename; one conversation only
    #[arg(long, conflicts_with = "matching")]
    pub title: Option<String>,
    /// Move all that fit into the trash, with their messages
    #[arg(long, requires = "matching", conflicts_with_all = ["pin", "unpin", "archive", "unarchive", "private",
          "public", "folder", "no_folder", "tag", "untag"])]
    pub delete: bool,
    /// Do not ask before deleting
    #[arg(short, long)]
    pub yes: bool,
}

/// Does to each what the flags say.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let change = change(&args);
    if args.title.is_some() && args.ids.len() != 1 {
        return Err(Error::invalid("organise: a title is of one conversation").hint("name one id").into());
    }
    if change == Change::default() && args.title.is_none() && !args.delete {
        return Err(Error::invalid("organise: nothing is to be done")
            .hint("say what: --pin, --archive, --tag NAME, --folder PATH, --title TEXT, …")
            .into());
    }
    let client = context.client().await?;
    if args.delete {
        return delete(args, &client, context).await;
    }
    if let (Some(title), [id]) = (&args.title, args.ids.as_slice()) {
        let renamed = rename(&client, *id, title).await?;
        if !context.out.json {
            warn_of_secrets(&renamed.secrets, context);
        }
        if change == Change::default() {
            return told(&renamed, &text::fill(context.words.organised, &[&1]), context);
        }
    }
    let organise = Organise {
        ids: args.matching.is_none().then_some(args.ids),
        filter: args
            .matching
            .map(|query| ConversationFilter { query: Some(query), ..ConversationFilter::default() }),
        change,
    };
    let done = client.call::<ConversationOrganise>(&organise).await?;
    told(&done, &text::fill(context.words.organised, &[&done.conversations]), context)
}

fn change(args: &Args) -> Change {
    let either = |yes: bool, no: bool| (yes || no).then_some(yes);
    Change {
        pinned: either(args.pin, args.unpin),
        archived: either(args.archive, args.unarchive),
        private: either(args.private, args.public),
        folder: match (&args.folder, args.no_folder) {
            (Some(path), _) => Patch::Set(path.clone()),
            (None, true) => Patch::Clear,
            (None, false) => Patch::Keep,
        },
        add_tags: args.tag.clone(),
        remove_tags: args.untag.clone(),
    }
}

/// Gives a conversation another title.
pub async fn rename(client: &Client, id: ConversationId, title: &str) -> Result<Stored<Conversation>> {
    let update = Update {
        id,
        title: Patch::Set(title.to_owned()),
        project: Patch::Keep,
        model: Patch::Keep,
        head_message_id: Patch::Keep,
        metadata: Patch::Keep,
    };
    client.call::<ConversationUpdate>(&update).await
}

async fn delete(args: Args, client: &Client, context: &mut Context) -> Run {
    let filter = ConversationFilter { query: args.matching, ..ConversationFilter::default() };
    if !args.yes && !confirmed("organise", &filter, client, context).await? {
        context.out.note(context.words.kept);
        return Ok(Ended::CheckFailed);
    }
    let done: Organised =
        client.call::<ConversationDeleteMatching>(&DeleteMatching { filter, all: false }).await?;
    let said = text::fill(context.words.deleted_all, &[&done.conversations, &done.messages]);
    told(&done, &said, context)
}

/// Asks before all that fit are deleted.
pub async fn confirmed(
    doing: &str,
    filter: &ConversationFilter,
    client: &Client,
    context: &mut Context,
) -> Result<bool, Failure> {
    let search = Search { filter: filter.clone(), limit: Some(MAX_HITS) };
    let n = client.call::<ConversationSearch>(&search).await?.items.len();
    // it counts up to its limit
    let n = if n == MAX_HITS as usize { format!("≥ {n}") } else { n.to_string() };
    Ok(context.confirmed(doing, &text::fill(context.words.delete_question, &[&n]))?)
}

/// Prints what was done: as JSON, or as a sentence.
pub fn told(done: &impl serde::Serialize, said: &str, context: &mut Context) -> Run {
    match context.out.json {
        true => context.out.document(done)?,
        false => context.out.note(said),
    }
    Ok(Ended::Well)
}
