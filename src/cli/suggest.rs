//! `nosso suggest` and `nosso summary`: what the language model makes of a conversation.

use super::clean;
use super::context::Context;
use super::exit::{Ended, Run};
use super::organise;
use super::show;
use super::style::{self, paint};
use super::text;
use super::when;
use crate::api::conversation::{ConversationId as Which, Summarize, TagsSuggest, TitleSuggest};
use crate::api::methods::{
    ConversationOrganise, ConversationSuggestTags, ConversationSuggestTitle, ConversationSummaries,
    ConversationSummarize,
};
use crate::api::organise::{Change, Organise};
use crate::model::{ConversationId, Summary};

/// What `nosso suggest` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub what: What,
}

/// What is suggested.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// A title for a conversation
    Title {
        /// Which one
        #[arg(value_name = "ID", value_parser = show::id_of)]
        id: uuid::Uuid,
        /// Give it to the conversation
        #[arg(long)]
        apply: bool,
        /// The language model, or "extractive" for none
        #[arg(short, long, value_name = "NAME")]
        model: Option<String>,
    },
    /// Tags for a conversation
    Tags {
        /// Which one
        #[arg(value_name = "ID", value_parser = show::id_of)]
        id: uuid::Uuid,
        /// Give them to the conversation
        #[arg(long)]
        apply: bool,
        /// How many at most
        #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20))]
        limit: Option<u32>,
        /// The language model, or "extractive" for none
        #[arg(short, long, value_name = "NAME")]
        model: Option<String>,
    },
}

/// What `nosso summary` takes.
#[derive(Debug, clap::Args)]
pub struct SummaryArgs {
    /// Which conversation
    #[arg(value_name = "ID", value_parser = show::id_of)]
    pub id: uuid::Uuid,
    /// Let the language model sum it up to its end now
    #[arg(long)]
    pub make: bool,
    /// The language model that does
    #[arg(short, long, value_name = "NAME", requires = "make")]
    pub model: Option<String>,
}

/// Suggests a title or tags.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    let (lines, notices) = match args.what {
        What::Title { id, apply, model } => {
            let id = conversation(id);
            let found = client.call::<ConversationSuggestTitle>(&TitleSuggest { id, model }).await?;
            if apply {
                organise::rename(&client, id, &found.title).await?;
            }
            if context.out.json {
                context.out.document(&found)?;
                return Ok(Ended::Well);
            }
            (vec![found.title], found.notices)
        }
        What::Tags { id, apply, limit, model } => {
            let id = conversation(id);
            let found = client.call::<ConversationSuggestTags>(&TagsSuggest { id, limit, model }).await?;
            if apply {
                let change = Change { add_tags: found.tags.clone(), ..Change::default() };
                let organise = Organise { ids: Some(vec![id]), filter: None, change };
                client.call::<ConversationOrganise>(&organise).await?;
            }
            if context.out.json {
                context.out.document(&found)?;
                return Ok(Ended::Well);
            }
            (found.tags, found.notices)
        }
    };
    for notice in notices {
        context.out.note(&paint(style::DIM, clean::line(&notice)));
    }
    context.out.text(&lines.iter().map(|line| format!("{}\n", clean::line(line))).collect::<String>())?;
    Ok(if lines.is_empty() { Ended::NothingFound } else { Ended::Well })
}

/// Shows the summaries of a conversation, or makes one.
pub async fn summary(args: SummaryArgs, context: &mut Context) -> Run {
    let client = context.client().await?;
    let id = conversation(args.id);
    if args.make {
        let summarize = Summarize { id, last_message_id: None, model: args.model };
        let summary = client.call::<ConversationSummarize>(&summarize).await?;
        match context.out.json {
            true => context.out.document(&summary)?,
            false => context.out.page(&summary_text(&summary, context))?,
        }
        return Ok(Ended::Well);
    }
    let found = client.call::<ConversationSummaries>(&Which { id }).await?;
    if context.out.json {
        context.out.document(&found)?;
    } else if found.summaries.is_empty() {
        context.out.note(context.words.no_summary);
    } else {
        let all = found.summaries.iter().map(|summary| summary_text(summary, context));
        let text = all.collect::<Vec<_>>().join("\n");
        context.out.page(&text)?;
    }
    Ok(if found.summaries.is_empty() { Ended::NothingFound } else { Ended::Well })
}

fn summary_text(summary: &Summary, context: &Context) -> String {
    let about = text::fill(context.words.summary_of, &[&summary.messages, &clean::line(&summary.model)]);
    let about = format!("{} · {about}", when::minute(summary.created_at, &context.zone));
    let content = clean::block(&summary.content);
    let content = match context.out.wrap_width() {
        Some(width) => style::wrap(&content, width),
        None => content,
    };
    format!("{}\n{content}\n", paint(style::DIM, about))
}

fn conversation(id: uuid::Uuid) -> ConversationId {
    ConversationId::from_bytes(*id.as_bytes())
}
