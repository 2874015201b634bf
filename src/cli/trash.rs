//! `nosso trash` lists what was deleted; `nosso undo` brings it back.

use jiff::tz::TimeZone;
use uuid::Uuid;

use super::context::Context;
use super::exit::{Ended, Run};
use super::list;
use super::paging::HowMany;
use super::style::{self, paint};
use super::text::{self, Words};
use super::{show, source, when};
use crate::api::methods::{TrashList, TrashRestore};
use crate::api::trash::{TrashKind, TrashList as Params, TrashRestore as Restore, Trashed};
use crate::client::Client;
use crate::error::{Error, Result};

/// What `nosso trash` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub how_many: HowMany,
}

/// What `nosso undo` takes.
#[derive(Debug, clap::Args)]
pub struct UndoArgs {
    /// What to bring back, as `nosso trash` shows it; without it, what was deleted last
    #[arg(value_name = "ID", value_parser = show::id_of)]
    pub id: Option<Uuid>,
}

/// Lists the trash, the last deleted first.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    let page = args
        .how_many
        .collect(async |limit, cursor| client.call::<TrashList>(&Params { limit: Some(limit), cursor }).await)
        .await?;
    list::show_or(&page, context.words.no_trash, context, |trashed, context| {
        let until = trashed.kept_until.map(|time| when::day(time, &context.zone));
        let until = until.map(|day| text::fill(context.words.kept_until, &[&day])).unwrap_or_default();
        format!(
            "{}  {}  {}\n",
            paint(style::DIM, trashed.item_id),
            line(trashed, context.words, &context.zone),
            paint(style::DIM, until)
        )
    })?;
    Ok(Ended::Well)
}

/// Brings something back.
pub async fn undo(args: UndoArgs, context: &mut Context) -> Run {
    let client = context.client().await?;
    let trashed = match args.id {
        Some(id) => find(&client, id).await?,
        None => client.call::<TrashList>(&Params { limit: Some(1), cursor: None }).await?.items.pop(),
    };
    let Some(trashed) = trashed else {
        let what = args.id.map_or("a deleted thing".to_owned(), |id| format!("{id} in the trash"));
        return Err(Error::not_found(what).hint("`nosso trash` lists what can be brought back").into());
    };
    let restored =
        client.call::<TrashRestore>(&Restore { id: Uuid::from_bytes(*trashed.id.as_bytes()) }).await?;
    match context.out.json {
        true => context.out.document(&restored)?,
        false => {
            let line = line(&trashed, context.words, &context.zone);
            context.out.note(&text::fill(context.words.restored, &[&line]));
        }
    }
    Ok(Ended::Well)
}

/// The entry of that id, or the newest that holds what has that id.
pub async fn find(client: &Client, id: Uuid) -> Result<Option<Trashed>> {
    let mut params = Params { limit: Some(crate::api::limits::MAX_PAGE), cursor: None };
    loop {
        let page = client.call::<TrashList>(&params).await?;
        let is_it = |trashed: &Trashed| trashed.item_id == id || trashed.id.as_bytes() == id.as_bytes();
        if let Some(found) = page.items.into_iter().find(is_it) {
            return Ok(Some(found));
        }
        if page.next_cursor.is_none() {
            return Ok(None);
        }
        params.cursor = page.next_cursor;
    }
}

/// An entry as people know it: when it was deleted, and what it was.
pub fn line(trashed: &Trashed, words: &Words, zone: &TimeZone) -> String {
    let deleted = when::minute(trashed.deleted_at, zone);
    let what = match trashed.kind {
        TrashKind::Conversation => {
            format!("{} ({})", source::title_or(trashed.title.as_deref(), words), trashed.messages)
        }
        TrashKind::Message => source::first_line(trashed.title.as_deref().unwrap_or_default(), 70),
        TrashKind::Memory => {
            let text = source::first_line(trashed.title.as_deref().unwrap_or_default(), 70);
            format!("{}: {text}", words.memory)
        }
    };
    format!("{deleted}  {what}")
}
