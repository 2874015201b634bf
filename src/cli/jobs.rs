//! `nosso jobs`: texts that wait to be embedded, run, or were given up.

use super::clean;
use super::context::Context;
use super::exit::{Ended, Run};
use super::list;
use super::paging::HowMany;
use super::style::{self, paint};
use super::text;
use super::when;
use crate::api::job::{Job, JobKind, JobList as Params, JobRetry as Retry, JobState};
use crate::api::methods::{JobList, JobRetry};
use crate::model::JobId;

/// What `nosso jobs` takes.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub action: Option<Action>,
    /// Only jobs in this state
    #[arg(long, value_enum)]
    pub state: Option<State>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub how_many: HowMany,
}

/// What to do with jobs.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Put jobs that were given up back into the queue
    Retry {
        /// Which ones [default: all that were given up]
        #[arg(value_name = "JOB")]
        ids: Vec<JobId>,
    },
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    /// Waits for its turn
    Ready,
    /// Is being done
    Leased,
    /// Was given up
    Dead,
}

/// Lists jobs, or puts them back.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    if let Some(Action::Retry { ids }) = args.action {
        let result = client.call::<JobRetry>(&Retry { ids: (!ids.is_empty()).then_some(ids) }).await?;
        match context.out.json {
            true => context.out.document(&result)?,
            false => {
                context.out.text(&format!("{}\n", text::fill(context.words.retried, &[&result.retried])))?
            }
        }
        return Ok(Ended::Well);
    }
    let state = args.state.map(|state| match state {
        State::Ready => JobState::Ready,
        State::Leased => JobState::Leased,
        State::Dead => JobState::Dead,
    });
    let page = args
        .how_many
        .collect(async |limit, cursor| {
            client.call::<JobList>(&Params { state, limit: Some(limit), cursor }).await
        })
        .await?;
    if page.items.is_empty() && !context.out.json {
        context.out.note(context.words.no_jobs);
        return Ok(Ended::Well);
    }
    list::show(&page, context, |job, context| job_line(job, &context.zone))?;
    Ok(Ended::Well)
}

fn job_line(job: &Job, zone: &jiff::tz::TimeZone) -> String {
    let (state, style) = match job.state {
        JobState::Ready => ("ready", style::DIM),
        JobState::Leased => ("running", style::GOOD),
        JobState::Dead => ("given up", style::BAD),
    };
    let kind = match job.kind {
        JobKind::Embed => "embed",
        JobKind::Remove => "remove",
    };
    let of = match (job.message_id, job.memory_id) {
        (Some(id), _) => format!("message {id}"),
        (None, Some(id)) => format!("memory {id}"),
        (None, None) => "–".into(),
    };
    let due = when::minute(job.run_at, zone);
    let mut line =
        format!("{:>6}  {}  {kind}  {of}  {due}  tries {}", job.id, paint(style, state), job.attempts);
    if let Some(error) = &job.last_error {
        line.push_str(&format!("\n        {}", paint(style::DIM, clean::line(error))));
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_tells_why_it_was_given_up() {
        let job = Job {
            id: JobId(12),
            kind: JobKind::Embed,
            state: JobState::Dead,
            attempts: 5,
            run_at: "2024-03-14T00:00:00Z".parse().unwrap(),
            last_error: Some("no\nmodel".into()),
            message_id: None,
            memory_id: None,
        };
        let line = job_line(&job, &jiff::tz::TimeZone::UTC);
        assert_eq!(
            anstream::adapter::strip_str(&line).to_string(),
            "    12  given up  embed  –  2024-03-14 00:00  tries 5\n        no model\n"
        );
    }
}
