//! `nosso serve`: the daemon in this terminal.

use super::context::Context;
use super::exit::{Ended, Failure, Run};
use super::settings::{self, Flags};
use crate::error::{Kind, Result};
use crate::paths::Paths;

/// `nosso serve` takes the global flags only; the rest is in the config.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is logged: a level, or target=level pairs [default: $NOSSO_LOG, the config, info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
}

/// The daemon's entry: returns when it has stopped in order.
pub type Serve = fn(Paths, Flags) -> Result<()>;

/// Runs the daemon until it is told to stop.
pub fn run(args: Args, context: &mut Context, serve: Serve) -> Run {
    let mut flags = settings::flags(&context.global);
    if let Some(filter) = args.log {
        flags = flags.with("--log", "log.filter", filter);
    }
    serve(context.paths.clone(), flags).map_err(|error| match error.kind() {
        Kind::Conflict => Failure::AlreadyRuns(error),
        _ => error.into(),
    })?;
    Ok(Ended::Well)
}
