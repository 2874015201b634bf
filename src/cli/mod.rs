//! The terminal: parses the command line, talks to the daemon through [`crate::client`], prints. A subcommand is
//! a file; nothing but `output.rs` writes to the terminal, and stored text reaches it through `clean.rs` only.

mod answer;
mod args;
mod ask;
mod backup;
mod branch;
mod chat;
mod clean;
mod completions;
mod config;
mod context;
mod copy;
mod delete;
mod demo;
mod doctor;
mod edit;
mod embedded;
mod eval;
mod exit;
mod export;
mod flow;
mod folders;
mod forget;
mod import;
mod index;
mod jobs;
mod list;
mod man;
mod memories;
mod memory_actions;
mod model;
mod organise;
mod output;
mod paging;
mod partial;
mod private;
mod project;
mod remember;
mod search;
mod serve;
mod service;
mod settings;
mod setup;
mod share;
mod show;
mod source;
mod stats;
mod status;
mod style;
mod suggest;
mod tags;
mod text;
mod trash;
mod tree;
mod watch;
mod when;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use context::Context;
use exit::{Failure, Run};
pub use serve::Serve;

use crate::error::{Error, Kind};

/// Does what the command line asks for. `serve` is the daemon's entry, which lies a layer above this one.
pub fn main(arguments: impl IntoIterator<Item = OsString>, serve: Serve) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(refusal) => {
            // clap prints help to standard output and refusals to standard error; a closed pipe is no fault
            let _ = refusal.print();
            return ExitCode::from(if refusal.use_stderr() { 2 } else { 0 });
        }
    };
    let mut context = match Context::new(cli.global.clone()) {
        Ok(context) => context,
        Err(error) => {
            output::Output::new(&cli.global, |name| std::env::var(name).ok()).error(&error);
            return ExitCode::from(exit::code(&Err(error.into())));
        }
    };
    let run = run(cli.command, &mut context, serve);
    if let Err(Failure::Failed(error) | Failure::NoInput(error) | Failure::AlreadyRuns(error)) = &run {
        context.out.error(error);
    }
    ExitCode::from(exit::code(&run))
}

fn run(command: Command, context: &mut Context, serve: Serve) -> Run {
    match command {
        // the daemon makes its own runtime; what needs no daemon needs none
        Command::Serve(args) => serve::run(args, context, serve),
        Command::Completions(args) => completions::run(args, context),
        Command::Man(args) => man::run(args, context),
        Command::Config(args) => config::run(args, context),
        Command::Service(args) => service::run(args, context),
        Command::Setup(args) => setup::run(args, context),
        command => runtime()?.block_on(call(command, context)),
    }
}

async fn call(command: Command, context: &mut Context) -> Run {
    match command {
        Command::Chat(args) => chat::run(args, context).await,
        Command::Ask(args) => ask::run(args, context).await,
        Command::Search(args) => search::run(args, context).await,
        Command::Remember(args) => remember::run(args, context).await,
        Command::Memories(args) => memories::run(args, context).await,
        Command::Delete(args) => delete::run(args, context).await,
        Command::Undo(args) => trash::undo(args, context).await,
        Command::Trash(args) => trash::run(args, context).await,
        Command::Forget(args) => forget::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::Organise(args) => organise::run(args, context).await,
        Command::Folders(args) => folders::run(args, context).await,
        Command::Tags(args) => tags::run(args, context).await,
        Command::Branch(args) => branch::run(args, context).await,
        Command::Edit(args) => edit::run(args, context).await,
        Command::Copy(args) => copy::run(args, context).await,
        Command::Share(args) => share::run(args, context).await,
        Command::Stats(args) => stats::run(args, context).await,
        Command::Suggest(args) => suggest::run(args, context).await,
        Command::Summary(args) => suggest::summary(args, context).await,
        Command::Export(args) => export::run(args, context).await,
        Command::Import(args) => import::run(args, context).await,
        Command::Backup(args) => backup::run(args, context).await,
        Command::Restore(args) => backup::restore(args, context).await,
        Command::Status(args) => status::run(args, context).await,
        Command::Doctor(args) => doctor::run(args, context).await,
        Command::Demo(args) => demo::run(args, context).await,
        Command::Eval(args) => eval::run(args, context).await,
        Command::Jobs(args) => jobs::run(args, context).await,
        Command::Index(args) => index::run(args, context).await,
        Command::Watch(args) => watch::run(args, context).await,
        Command::Model(args) => model::run(args, context).await,
        Command::Serve(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Config(_)
        | Command::Setup(_)
        | Command::Service(_) => Err(Error::internal("this subcommand needs no connection").into()),
    }
}

/// One thread is enough for a client, and starts faster.
fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Internal, format!("start the runtime: {error}")).caused_by(error))
}
