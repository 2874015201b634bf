//! `nosso memories`: the standing facts.

use jiff::tz::TimeZone;

use super::clean;
use super::context::Context;
use super::exit::{Ended, Run};
use super::list;
use super::memory_actions::{self, Action};
use super::paging::HowMany;
use super::project::Only;
use super::style::{self, paint};
use super::text;
use super::when;
use crate::api::memory::MemoryList as Params;
use crate::api::methods::MemoryList;
use crate::model::{Memory, Timestamp};
use crate::secrets::SecretPlace;

/// What `nosso memories` takes.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub action: Option<Action>,
    /// Only this kind
    #[arg(long, value_name = "WORD")]
    pub kind: Option<String>,
    /// Only what lies at this path or below it
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Only what is pinned
    #[arg(long)]
    pub pinned: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub only: Only,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub how_many: HowMany,
}

/// Lists them, the last changed first.
pub async fn run(args: Args, context: &mut Context) -> Run {
    if let Some(action) = args.action {
        return memory_actions::run(action, context).await;
    }
    let project = args.only.name(&context.working_directory)?;
    let client = context.client().await?;
    let page = args
        .how_many
        .collect(async |limit, cursor| {
            let (project, kind, path) = (project.clone(), args.kind.clone(), args.path.clone());
            let pinned = args.pinned.then_some(true);
            let params = Params { project, kind, path, pinned, limit: Some(limit), cursor };
            client.call::<MemoryList>(&params).await
        })
        .await?;
    let filtered = args.kind.is_some() || args.path.is_some() || args.pinned || project.is_some();
    if page.items.is_empty() && filtered && !context.out.json {
        context.out.note(context.words.nothing_found);
        return Ok(Ended::NothingFound);
    }
    list::show(&page, context, |memory, context| {
        memory_text(memory, &context.zone, context.out.wrap_width())
    })?;
    Ok(Ended::Well)
}

/// A memory: its words, and below them what is known about it.
pub fn memory_text(memory: &Memory, zone: &TimeZone, width: Option<usize>) -> String {
    let content = clean::block(memory.content.trim_end());
    let content = match width {
        Some(width) => style::wrap(&content, width),
        None => content,
    };
    let mut known = vec![when::day(memory.updated_at, zone), clean::line(&memory.kind)];
    known.extend(memory.path.as_deref().map(clean::line));
    known.extend(memory.pinned.then(|| "pinned".to_owned()));
    known.extend(memory.project.as_deref().map(clean::line));
    known.extend(memory.client.as_ref().map(|client| clean::line(&client.name)));
    known.extend(memory.expires_at.map(|time| {
        let word = if time > Timestamp::now() { "until" } else { "expired" };
        format!("{word} {}", when::day(time, zone))
    }));
    known.extend(memory.source_message_id.map(|id| format!("from message {id}")));
    known.extend(memory.superseded_by.map(|id| format!("replaced by {id}")));
    known.push(format!("({})", memory.id));
    format!("{content}\n    {}\n", paint(style::DIM, known.join(" · ")))
}

/// Tells which secrets were found in what is stored now.
pub fn warn_of_secrets(secrets: &[SecretPlace], context: &mut Context) {
    for secret in secrets {
        let text = if secret.masked { context.words.secret_masked } else { context.words.secret_found };
        context.out.warn(&text::fill(text, &[&secret.kind, &secret.line]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_tells_what_is_known_about_it() {
        let memory: Memory = serde_json::from_value(serde_json::json!({
            "id": "0192d3a4-0000-7000-8000-000000000000",
            "kind": "preference",
            "content": "tea,\nnot coffee\n",
            "path": "home/kitchen",
            "pinned": true,
            "project": null,
            "createdAt": "2024-03-14T00:00:00Z",
            "updatedAt": "2024-03-15T00:00:00Z",
            "expiresAt": "2025-01-01T00:00:00Z",
        }))
        .unwrap();
        let text = anstream::adapter::strip_str(&memory_text(&memory, &TimeZone::UTC, None)).to_string();
        assert_eq!(
            text,
            "tea,\nnot coffee\n    2024-03-15 · preference · home/kitchen · pinned · expired 2025-01-01 · (0192d3a4-0000-7000-8000-000000000000)\n"
        );
    }
}
