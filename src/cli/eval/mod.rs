//! `nosso eval`: how well a benchmark's questions find what answers them, measured through the socket of a private
//! daemon: nothing of the person's is read or changed.

mod ask;
mod beam;
mod bootstrap;
mod dataset;
mod dates;
mod kept;
mod load;
mod locomo;
mod longmemeval;
mod metrics;
mod python;
mod random;
mod report;
mod shape;
mod squad;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use super::clean;
use super::context::{self, Context};
use super::embedded::{self, Embedded};
use super::exit::{Ended, Failure, Run};
use super::private::Private;
use super::style::{self, paint};
use crate::api::methods::SystemStatus;
use crate::api::search::SearchMode;
use crate::api::system::Empty;
use crate::client::Client;
use crate::config::Config;
use crate::error::{Doing, Error, Kind, Result};

use ask::Scope;
use dataset::{Dataset, Format};
use kept::Kept;
use report::{Report, RunReport, SetReport};
/// How long the index may stand still before the run is given up: a busy machine takes its time for long texts.
const PATIENCE: Duration = Duration::from_secs(600);

/// What `nosso eval` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Benchmark files: LoCoMo, SQuAD (1.1, 2.0, FaQuAD), LongMemEval or BEAM, told apart by their shape
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The folder of the embedding model [default: the configured one]
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// How to search
    #[arg(long, value_enum, default_value_t)]
    pub mode: Modes,
    /// Where answers may come from
    #[arg(long, value_enum, default_value_t)]
    pub scope: Scopes,
    /// Ask only so many questions, the same ones every time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Type the questions without accents
    #[arg(long)]
    pub unaccented: bool,
    /// Write all figures, and the ranks of every question, to this file as JSON
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Keep what is stored and embedded in this folder, and begin with what is there
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// How to search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Modes {
    /// By word and by meaning together
    #[default]
    Hybrid,
    /// By word only
    Lexical,
    /// By meaning only
    Semantic,
    /// In each of these ways
    All,
}

/// Where answers may come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Scopes {
    /// From everything that is stored
    Store,
    /// From the chat that the question is about, where the benchmark has chats
    Conversation,
    /// Both, one after the other
    #[default]
    Both,
}

impl Modes {
    fn each(self) -> &'static [SearchMode] {
        match self {
            Modes::Hybrid => &[SearchMode::Hybrid],
            Modes::Lexical => &[SearchMode::Lexical],
            Modes::Semantic => &[SearchMode::Semantic],
            Modes::All => &[SearchMode::Hybrid, SearchMode::Lexical, SearchMode::Semantic],
        }
    }
}

impl Scopes {
    /// The scopes that a set can be measured in.
    fn each(self, set: &Dataset) -> &'static [Scope] {
        let has_chats = set.questions.iter().any(|question| question.project.is_some());
        match (self, has_chats) {
            (Scopes::Store, _) | (Scopes::Both, false) => &[Scope::Store],
            (Scopes::Conversation, true) => &[Scope::Conversation],
            (Scopes::Conversation, false) => &[],
            (Scopes::Both, true) => &[Scope::Conversation, Scope::Store],
        }
    }
}

/// Measures each set in a daemon of its own, so that its figures do not depend on what else is measured.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let mut report = Report { version: env!("CARGO_PKG_VERSION"), sets: vec![] };
    for (name, set) in read(&args)? {
        let kept = args.keep.as_deref().map(|below| Kept::open(below, &name, &set)).transpose()?;
        let data = kept.as_ref().map(|kept| kept.folder.as_path());
        let change = |config: &mut Config| {
            config.embed.enabled = args.mode != Modes::Lexical;
            config.embed.niceness = 0;
            config.embed.unload_after_seconds = 0;
            if let Some(model) = &args.model {
                config.embed.model = Some(model.clone());
            }
        };
        let daemon =
            context::unless_interrupted(async { Ok(Private::start(context, data, change).await?) }).await?;
        let measured = context::unless_interrupted(measure(name, &set, &args, kept, &daemon, context)).await;
        report.sets.push(daemon.stop(measured).await?);
        // after each set: the next may take hours, or fail
        if let Some(file) = &args.output {
            let text =
                serde_json::to_vec_pretty(&report).doing(Kind::Internal, "write the figures as JSON")?;
            std::fs::write(file, text).doing(Kind::Storage, format!("write {}", file.display()))?;
        }
    }
    if context.out.json {
        report.sets.iter_mut().flat_map(|set| &mut set.runs).for_each(|run| run.questions.clear());
        context.out.document(&report)?;
    }
    Ok(Ended::Well)
}

/// The sets by their names: a file's name without its ending. BEAM has a file for every chat, all of one name.
fn read(args: &Args) -> Result<Vec<(String, Dataset)>, Failure> {
    let mut sets: Vec<(String, Dataset)> = vec![];
    for file in &args.files {
        let set = shape::read_file(file).map_err(|error| match error.kind() {
            Kind::Storage => Failure::NoInput(error),
            _ => error.into(),
        })?;
        let name = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        match sets.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if known.format == Format::Beam && set.format == Format::Beam => {
                known.append(set);
            }
            Some(_) => return Err(Error::invalid(format!("two files are named {name}")).into()),
            None => sets.push((name, set)),
        }
    }
    for (name, set) in &mut sets {
        check(name, set, args.scope)?;
        if let Some(limit) = args.limit {
            set.sample(limit as usize);
        }
        if args.unaccented {
            set.unaccent();
        }
    }
    Ok(sets)
}

/// Refuses what would measure nothing, or something else than it seems.
fn check(name: &str, set: &Dataset, scopes: Scopes) -> Result<()> {
    let mut keys = HashSet::new();
    if let Some(twice) = set.conversations.iter().find(|it| !keys.insert(&it.key)) {
        return Err(Error::invalid(format!("{name}: the conversation {} is there twice", twice.key)));
    }
    if set.questions.is_empty() {
        let n = set.n_without_evidence;
        return Err(Error::invalid(format!("{name}: no question has evidence ({n} have none)")));
    }
    if scopes.each(set).is_empty() {
        let error = Error::invalid(format!("{name}: its questions are not about one conversation each"));
        return Err(error.hint("leave out --scope conversation"));
    }
    Ok(())
}

async fn measure(
    name: String,
    set: &Dataset,
    args: &Args,
    kept: Option<Kept>,
    daemon: &Private,
    context: &mut Context,
) -> Result<SetReport, Failure> {
    let client = daemon.connect(context::myself()).await?;
    store(&name, set, kept, &client, context).await?;
    let model = match args.mode {
        Modes::Lexical => None,
        _ => embedded_with(&client, context).await?,
    };
    let mut report = SetReport {
        name,
        format: set.format,
        model,
        conversations: set.conversations.len(),
        messages: set.n_messages(),
        without_evidence: set.n_without_evidence,
        unaccented: args.unaccented,
        runs: vec![],
    };
    if !context.out.json {
        context.out.text(&report::heading(&report))?;
    }
    for scope in args.scope.each(set) {
        for mode in args.mode.each() {
            let bar = embedded::bar("questions", context);
            let answers = ask::ask(set, *scope, *mode, &client, &bar).await;
            bar.finish_and_clear();
            let run = RunReport::new(set, *scope, *mode, &answers?);
            if !context.out.json {
                context.out.text(&report::tables(&run, set.has_sessions()))?;
            }
            report.runs.push(run);
        }
    }
    Ok(report)
}

/// Stores the set where it is not stored already.
async fn store(
    name: &str,
    set: &Dataset,
    kept: Option<Kept>,
    client: &Client,
    context: &mut Context,
) -> Result<()> {
    let is_loaded = kept.as_ref().is_some_and(|kept| kept.is_loaded);
    let doing = if is_loaded { "taking up" } else { "storing" };
    let n_messages = set.n_messages();
    let text = format!("{doing} {}: {n_messages} messages", clean::line(name));
    context.out.note(&format!("{} {text}", paint(style::GOOD, "●")));
    if !is_loaded {
        let bar = embedded::bar("messages", context);
        let loaded = load::load(set, client, &bar).await;
        bar.finish_and_clear();
        loaded?;
    }
    kept.map_or(Ok(()), |kept| kept.loaded())
}

/// Waits until all is embedded, and answers with which model.
async fn embedded_with(client: &Client, context: &Context) -> Result<Option<String>> {
    match embedded::wait(client, PATIENCE, context).await? {
        Embedded::All(_) => Ok(client.call::<SystemStatus>(&Empty {}).await?.embedding.model),
        Embedded::NoModel(problem) => Err(Error::new(Kind::ModelUnavailable, problem)
            .hint("`nosso setup` brings a model; --mode lexical measures the search by words alone")),
        Embedded::NotAll(pending) => {
            let minutes = PATIENCE.as_secs() / 60;
            let found =
                format!("{pending} passages are not embedded, and nothing has moved for {minutes} minutes");
            Err(Error::new(Kind::ModelUnavailable, found).hint("--keep goes on with what is embedded"))
        }
    }
}
