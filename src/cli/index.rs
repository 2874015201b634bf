//! `nosso index`: how the vector index is, and making it anew.

use super::context::Context;
use super::exit::{Ended, Run};
use super::when;
use crate::api::index::{IndexStatus as Status, RebuildParams};
use crate::api::methods::{IndexRebuild, IndexStatus};
use crate::api::system::Empty;

/// What `nosso index` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub action: Option<Action>,
}

/// What to do with the index.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// How the index is
    Status,
    /// Make the index anew from the stored texts, in the background
    Rebuild,
}

/// Tells how the index is, or begins a new one.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    if let Some(Action::Rebuild) = args.action {
        let result = client.call::<IndexRebuild>(&RebuildParams {}).await?;
        match context.out.json {
            true => context.out.document(&result)?,
            false => context.out.text(&format!(
                "generation {} is being filled: {} passages to embed; the old one serves until then\n",
                result.generation, result.pending
            ))?,
        }
        return Ok(Ended::Well);
    }
    let status = client.call::<IndexStatus>(&Empty {}).await?;
    match context.out.json {
        true => context.out.document(&status)?,
        false => context.out.text(&lines(&status))?,
    }
    Ok(Ended::Well)
}

fn lines(status: &Status) -> String {
    let mut lines = vec![match (status.generation, &status.model) {
        (Some(generation), Some(model)) => {
            format!("generation {generation} of {}", super::clean::line(model))
        }
        (Some(generation), None) => format!("generation {generation}"),
        (None, _) => "no index yet".into(),
    }];
    lines.push(format!(
        "{} vectors, {} of them fresh, {} pending",
        status.vectors, status.fresh, status.pending
    ));
    lines.push(format!(
        "{} on disk, {} of them tokens; {} of codes in memory",
        when::bytes(status.disk_bytes),
        when::bytes(status.tokens_bytes),
        when::bytes(status.codes_bytes)
    ));
    if let Some(recall) = status.recall {
        lines.push(format!("recall@10 {recall:.3} with {} candidates", status.candidates));
    }
    if let Some(building) = &status.building {
        lines.push(format!("filling generation {}: {} to go", building.generation, building.pending));
    }
    lines.join("\n") + "\n"
}
