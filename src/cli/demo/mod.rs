//! `nosso demo`: what nosso does, in a minute, on a history of its own: nothing of the person's is read or changed.

mod history;

use std::path::PathBuf;
use std::time::Duration;

use super::answer;
use super::clean;
use super::context::{self, Context};
use super::embedded::{self, Embedded};
use super::exit::{Ended, Failure, Run};
use super::private::Private;
use super::search;
use super::setup::Bars;
use super::source;
use super::style::{self, paint};
use super::text;
use crate::api::chat::ChatParams;
use crate::api::methods::SearchQuery;
use crate::api::search::SearchParams;
use crate::client::Client;
use crate::config::{ChatProvider, Config};
use crate::error::Result;
use crate::setup::{self, LlamaServer};

use history::History;

/// Searches whose words are in the other language than what they find.
const SEARCHES: &[&str] = &["gift for mom", "quando viajamos para Lisboa", "humidity sensors in greenhouses"];
/// Questions that the history answers.
const QUESTIONS: &[&str] = &[
    "Where do we sleep in Tomar?",
    "Por que o deploy dava 502 e como foi resolvido?",
    "O que devo lembrar ao escolher um restaurante com a Marina?",
];
/// How long the index may stand still before the demo goes on without the rest.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `nosso demo` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Answer with a tiny real language model, which is fetched first (about 160 MB)
    #[arg(long)]
    pub with_llm: bool,
    /// Take what is to be fetched from this folder, without a network
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
}

/// Shows what nosso does, and cleans up: at the end, on Ctrl-C, and when something fails.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let history = History::read()?;
    set_up(args.from.clone(), context);
    // dropping it at the end of this function ends the server
    let server = match args.with_llm {
        true => Some(language_model(args.from, context)?),
        false => None,
    };
    step(context, context.words.demo_start);
    let answers = |config: &mut Config| {
        if let Some(server) = &server {
            config.chat.provider = ChatProvider::Openai;
            config.chat.openai_url = Some(server.base_url());
            config.chat.model = None;
        }
    };
    let daemon =
        context::unless_interrupted(async { Ok(Private::start(context, None, answers).await?) }).await?;
    let shown = context::unless_interrupted(show(&daemon, history, context)).await;
    daemon.stop(shown).await?;
    let next = context.words.demo_next;
    context.out.text(&format!("\n{next}\n"))?;
    Ok(Ended::Well)
}

/// Brings what is missing; where that fails the demo shows what works without it.
///
/// Blocks while nothing else runs and before Ctrl-C is ours, so that Ctrl-C simply ends the program.
fn set_up(from: Option<PathBuf>, context: &mut Context) {
    step(context, context.words.demo_setup);
    if let Err(error) = super::setup::bring(from, context) {
        context.out.warn(&clean::line(&error.full_text()));
        if let Some(hint) = error.hint_text() {
            context.out.note(&format!("  {}", clean::line(hint)));
        }
    }
}

fn language_model(from: Option<PathBuf>, context: &mut Context) -> Result<LlamaServer> {
    step(context, context.words.demo_llm);
    let files = setup::tiny_llm(&super::setup::options(from, context), &Bars::new(context))?;
    setup::llama_server(&files)
}

async fn show(daemon: &Private, history: History, context: &mut Context) -> Result<(), Failure> {
    let counts = history.store(async |tool| daemon.connect(tool).await).await?;
    let client = daemon.connect(context::myself()).await?;
    let loaded =
        text::fill(context.words.demo_loaded, &[&counts.conversations, &counts.messages, &counts.memories]);
    step(context, &loaded);
    until_the_index_is_complete(&client, context).await?;

    for query in SEARCHES {
        typed(context, &format!("nosso search \"{query}\""))?;
        let params = SearchParams { query: (*query).to_owned(), limit: Some(1), ..SearchParams::default() };
        search::show(&client.call::<SearchQuery>(&params).await?, context)?;
    }
    for question in QUESTIONS {
        typed(context, &format!("nosso ask \"{question}\""))?;
        let params =
            ChatParams { content: (*question).to_owned(), store: Some(false), ..ChatParams::default() };
        let answer = answer::ask(&client, &params, context).await?;
        if answer.cancelled {
            return Err(Failure::Interrupted);
        }
        let width = context.out.wrap_width().unwrap_or(100);
        let list = source::list(&answer.sources, context.words, &context.zone, width);
        if !list.is_empty() && !context.out.json {
            context.out.text(&format!("\n{list}"))?;
        }
    }
    Ok(())
}

/// Waits until everything is embedded; without a model, says so and goes on.
async fn until_the_index_is_complete(client: &Client, context: &mut Context) -> Result<(), Failure> {
    match embedded::wait(client, PATIENCE, context).await? {
        Embedded::All(chunks) => step(context, &text::fill(context.words.demo_indexed, &[&chunks])),
        Embedded::NoModel(problem) => {
            context.out.warn(&text::fill(context.words.words_only, &[&clean::line(&problem)]));
        }
        Embedded::NotAll(pending) => {
            context.out.warn(&text::fill(context.words.not_embedded_yet, &[&pending]));
        }
    }
    Ok(())
}

fn step(context: &mut Context, text: &str) {
    context.out.note(&format!("{} {text}", paint(style::GOOD, "●")));
}

/// Shows the command that a person would type for what comes next.
fn typed(context: &mut Context, command: &str) -> Result<(), Failure> {
    match context.out.json {
        true => Ok(()),
        false => {
            context.out.text(&format!("\n{} {}\n", paint(style::NAME, "$"), paint(style::TITLE, command)))
        }
    }
}
