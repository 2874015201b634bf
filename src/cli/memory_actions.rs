//! `nosso memories …`: the past and the tree of memories, pins, and what the language model proposes.

use std::io::IsTerminal;

use super::clean;
use super::context::Context;
use super::exit::{Ended, Failure, Run};
use super::memories::{memory_text, warn_of_secrets};
use super::show;
use super::style::{self, paint};
use super::text;
use super::when;
use crate::api::Patch;
use crate::api::memory::{
    MemoryId as Which, MemoryMove as Move, MemoryPaths as Paths, MemoryUpdate as Update, ProposalAccept,
    ProposalList, ProposalReject,
};
use crate::api::methods::{
    MemoryAccept, MemoryHistory, MemoryMove, MemoryPaths, MemoryProposals, MemoryReject, MemoryUpdate,
};
use crate::client::Client;
use crate::error::{Error, Kind};
use crate::model::{MemoryId, Proposal, ProposalId, Timestamp};

/// What to do with memories.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Decide about the memories that the language model proposes
    Review {
        /// Accept this proposal without being asked
        #[arg(long, value_name = "ID")]
        accept: Vec<ProposalId>,
        /// Reject this proposal without being asked
        #[arg(long, value_name = "ID")]
        reject: Vec<ProposalId>,
        /// Let accepted ones take the place of the memory that they are similar to
        #[arg(long)]
        replace: bool,
    },
    /// What a memory said before
    History {
        /// Which one
        #[arg(value_name = "ID", value_parser = show::id_of)]
        id: uuid::Uuid,
    },
    /// The paths at which memories are
    Paths {
        /// Only this path and those below it
        path: Option<String>,
    },
    /// Move a path and everything below it
    Move {
        /// The path
        from: String,
        /// Where it goes [default: the top]
        to: Option<String>,
    },
    /// Put memories into every prompt
    Pin {
        /// Which ones
        #[arg(value_name = "ID", required = true, value_parser = show::id_of)]
        ids: Vec<uuid::Uuid>,
    },
    /// Put them only where they fit
    Unpin {
        /// Which ones
        #[arg(value_name = "ID", required = true, value_parser = show::id_of)]
        ids: Vec<uuid::Uuid>,
    },
    /// Change what is known about memories: kind, path, expiry, project
    Change(Changes),
    /// Give a memory new words; the old ones stay in its history
    Replace {
        /// Which one
        #[arg(value_name = "ID", value_parser = show::id_of)]
        id: uuid::Uuid,
        /// The new words
        #[arg(value_name = "TEXT", required = true)]
        text: Vec<String>,
    },
}

/// What `nosso memories change` takes.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").multiple(true).required(true)
    .args(["kind", "path", "no_path", "expires", "no_expiry", "project"]))]
pub struct Changes {
    /// Which ones
    #[arg(value_name = "ID", required = true, value_parser = show::id_of)]
    pub ids: Vec<uuid::Uuid>,
    /// What sort of fact: instruction, user, preference, context, fact or a word of your own
    #[arg(long, value_name = "WORD")]
    pub kind: Option<String>,
    /// Where they belong in the tree of memories (work/db/staging)
    #[arg(long, value_name = "PATH", conflicts_with = "no_path")]
    pub path: Option<String>,
    /// Take them out of the tree
    #[arg(long)]
    pub no_path: bool,
    /// From when on they no longer hold (2024-03-14)
    #[arg(long, value_name = "TIME", conflicts_with = "no_expiry", value_parser = to_come)]
    pub expires: Option<Timestamp>,
    /// Let them hold for ever
    #[arg(long)]
    pub no_expiry: bool,
    /// The project they hold for, or "none": everywhere
    #[arg(long, value_name = "NAME|none")]
    pub project: Option<String>,
}

impl Changes {
    fn put(&self, update: &mut Update) {
        let patch = |set: Option<String>, clear: bool| match (set, clear) {
            (_, true) => Patch::Clear,
            (Some(set), false) => Patch::Set(set),
            (None, false) => Patch::Keep,
        };
        let is_none = self.project.as_deref().is_some_and(|name| matches!(name, "none" | ""));
        update.kind = self.kind.clone();
        update.path = patch(self.path.clone(), self.no_path);
        update.project = patch(self.project.clone(), is_none);
        update.expires_at = match (self.expires, self.no_expiry) {
            (_, true) => Patch::Clear,
            (Some(time), false) => Patch::Set(time),
            (None, false) => Patch::Keep,
        };
    }
}

/// A time at which a memory may end.
pub fn to_come(text: &str) -> Result<Timestamp, String> {
    let time: Timestamp = text.parse()?;
    match time > Timestamp::now() {
        true => Ok(time),
        false => Err("it is past, so the memory would hold no longer at once".into()),
    }
}

/// Does it.
pub async fn run(action: Action, context: &mut Context) -> Run {
    let client = context.client().await?;
    match action {
        Action::Review { accept, reject, replace } => {
            if accept.is_empty() && reject.is_empty() {
                return review(&client, context).await;
            }
            for id in accept {
                accept_one(&client, id, replace, context).await?;
            }
            for id in reject {
                reject_one(&client, id, context).await?;
            }
            Ok(Ended::Well)
        }
        Action::History { id } => history(&client, memory(id), context).await,
        Action::Paths { path } => paths(&client, path, context).await,
        Action::Move { from, to } => {
            let moved = client.call::<MemoryMove>(&Move { from, to, project: None }).await?;
            match context.out.json {
                true => context.out.document(&moved)?,
                false => context.out.note(&text::fill(context.words.moved, &[&moved.moved])),
            }
            Ok(if moved.moved > 0 { Ended::Well } else { Ended::NothingFound })
        }
        Action::Pin { ids } => change(&client, ids, |update| update.pinned = Some(true), context).await,
        Action::Unpin { ids } => change(&client, ids, |update| update.pinned = Some(false), context).await,
        Action::Change(changes) => {
            change(&client, changes.ids.clone(), |update| changes.put(update), context).await
        }
        Action::Replace { id, text } => {
            let content = text.join(" ");
            change(&client, vec![id], |update| update.content = Some(content.clone()), context).await
        }
    }
}

fn memory(id: uuid::Uuid) -> MemoryId {
    MemoryId::from_bytes(*id.as_bytes())
}

async fn change(
    client: &Client,
    ids: Vec<uuid::Uuid>,
    set: impl Fn(&mut Update),
    context: &mut Context,
) -> Run {
    for id in ids {
        let mut update = Update::of(memory(id));
        set(&mut update);
        let stored = client.call::<MemoryUpdate>(&update).await?;
        if context.out.json {
            context.out.json_line(&stored)?;
            continue;
        }
        warn_of_secrets(&stored.secrets, context);
        context.out.text(&memory_text(&stored.record, &context.zone, context.out.wrap_width()))?;
    }
    Ok(Ended::Well)
}

async fn history(client: &Client, id: MemoryId, context: &mut Context) -> Run {
    let history = client.call::<MemoryHistory>(&Which { id }).await?;
    if context.out.json {
        context.out.document(&history)?;
        return Ok(Ended::Well);
    }
    let width = context.out.wrap_width();
    let versions = history.versions.iter().map(|version| memory_text(version, &context.zone, width));
    let text: String = versions.collect();
    context.out.page(&text)?;
    Ok(Ended::Well)
}

async fn paths(client: &Client, path: Option<String>, context: &mut Context) -> Run {
    let found = client.call::<MemoryPaths>(&Paths { project: None, path }).await?;
    if context.out.json {
        context.out.document(&found)?;
    } else {
        let line = |path: &crate::api::memory::MemoryPath| {
            format!("{}  {}\n", clean::line(&path.path), paint(style::DIM, path.memories))
        };
        context.out.text(&found.paths.iter().map(line).collect::<String>())?;
    }
    Ok(if found.paths.is_empty() { Ended::NothingFound } else { Ended::Well })
}

/// Asks about each proposal in turn; where nobody can be asked, lists them.
async fn review(client: &Client, context: &mut Context) -> Run {
    let asks = std::io::stdin().is_terminal() && !context.out.json;
    let mut cursor = None;
    let mut n = 0;
    loop {
        let page =
            client.call::<MemoryProposals>(&ProposalList { limit: None, cursor: cursor.take() }).await?;
        if context.out.json {
            context.out.document(&page)?;
            return Ok(Ended::Well);
        }
        for proposal in &page.items {
            n += 1;
            context.out.text(&proposal_text(proposal, context))?;
            if asks && !ask(client, proposal, context).await? {
                return Ok(Ended::Well);
            }
        }
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None if n == 0 => {
                let words = context.words;
                context.out.note(if page.enabled { words.no_proposals } else { words.proposals_off });
                return Ok(Ended::NothingFound);
            }
            None if !asks => {
                context.out.note(&paint(style::DIM, context.words.review_hint));
                return Ok(Ended::Well);
            }
            None => return Ok(Ended::Well),
        }
    }
}

/// Whether to go on with the next one.
async fn ask(client: &Client, proposal: &Proposal, context: &mut Context) -> Result<bool, Failure> {
    let similar = proposal.similar_to.is_some();
    let question = if similar { context.words.review_similar } else { context.words.review_question };
    loop {
        context.out.prompt(question);
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        if read.map_err(|error| Error::new(Kind::Storage, format!("read the answer: {error}")))? == 0 {
            return Ok(false);
        }
        match answer.trim().to_lowercase().as_str() {
            answer if text::is_yes(answer) => accept_one(client, proposal.id, false, context).await?,
            "r" if similar => accept_one(client, proposal.id, true, context).await?,
            "n" => reject_one(client, proposal.id, context).await?,
            "" | "l" | "d" => {}
            "q" => return Ok(false),
            _ => continue,
        }
        return Ok(true);
    }
}

async fn accept_one(
    client: &Client,
    id: ProposalId,
    replace: bool,
    context: &mut Context,
) -> Result<(), Failure> {
    let accept =
        ProposalAccept { id, content: None, kind: None, path: Patch::Keep, project: Patch::Keep, replace };
    let stored = client.call::<MemoryAccept>(&accept).await?;
    if context.out.json {
        context.out.json_line(&stored)?;
    } else {
        warn_of_secrets(&stored.secrets, context);
        let content = clean::line(&stored.record.content);
        context.out.note(&text::fill(context.words.remembered, &[&content]));
    }
    Ok(())
}

async fn reject_one(client: &Client, id: ProposalId, context: &mut Context) -> Result<(), Failure> {
    let rejected = client.call::<MemoryReject>(&ProposalReject { id }).await?;
    match context.out.json {
        true => context.out.json_line(&rejected)?,
        false => context.out.note(&text::fill(context.words.rejected, &[&id])),
    }
    Ok(())
}

/// A proposal: its words, and below them what is known about it.
fn proposal_text(proposal: &Proposal, context: &Context) -> String {
    let mut known = vec![when::day(proposal.created_at, &context.zone), clean::line(&proposal.kind)];
    known.extend(proposal.path.as_deref().map(clean::line));
    known.extend(proposal.project.as_deref().map(clean::line));
    known.push(clean::line(&proposal.model));
    known.extend(proposal.similar_to.map(|id| format!("≈ {id}")));
    known.push(format!("({})", proposal.id));
    format!("{}\n    {}\n", clean::block(&proposal.content), paint(style::DIM, known.join(" · ")))
}
