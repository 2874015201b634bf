//! `nosso stats`: how much was said.

use jiff::tz::TimeZone;

use super::clean;
use super::context::Context;
use super::exit::{Ended, Run};
use super::project::Only;
use super::style::{self, paint};
use super::when;
use crate::api::methods::StatsUsage;
use crate::api::stats::{UsageOf, UsageParams, UsageStats};
use crate::model::Timestamp;

/// Columns of the longest bar.
const BAR_COLUMNS: u64 = 40;

/// Columns of the longest name.
const NAME_COLUMNS: usize = 40;

/// What `nosso stats` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// From this day or time on [default: 30 days ago]
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
    /// Before this day or time [default: now]
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// Only what the tool of this name stored
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub only: Only,
}

/// Counts, and prints a bar for each day and the models, tools and projects.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let now = jiff::Timestamp::now();
    let params = UsageParams {
        since: args.since,
        until: args.until,
        project: args.only.name(&context.working_directory)?,
        client: args.client,
        offset_minutes: context.zone.to_offset(now).seconds() / 60,
    };
    let usage = context.client().await?.call::<StatsUsage>(&params).await?;
    if context.out.json {
        context.out.document(&usage)?;
    } else if usage.total.messages == 0 {
        context.out.note(context.words.no_usage);
    } else {
        context.out.page(&report(&usage, &context.zone))?;
    }
    Ok(Ended::Well)
}

fn report(usage: &UsageStats, zone: &TimeZone) -> String {
    let UsageStats { since, until, total, days, models, clients, projects } = usage;
    let mut text = format!(
        "{} messages · {} questions · {} answers · {} words · {} to {}\n",
        total.messages,
        total.questions,
        total.answers,
        total.words,
        when::day(*since, zone),
        when::day(*until, zone)
    );
    let most = days.iter().map(|day| day.counts.messages).max().unwrap_or(1).max(1);
    for (title, list) in [("days", days), ("models", models), ("tools", clients), ("projects", projects)] {
        if list.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{}\n", paint(style::TITLE, title)));
        let width = list.iter().map(|of| clean::line(&of.name).chars().count()).max().unwrap_or(0);
        for of in list {
            let bar = if title == "days" { (of.counts.messages * BAR_COLUMNS).div_ceil(most) } else { 0 };
            text.push_str(&line(of, width.clamp(10, NAME_COLUMNS), bar as usize));
        }
    }
    text
}

fn line(of: &UsageOf, width: usize, bar: usize) -> String {
    let name = if of.name.is_empty() { "–".to_owned() } else { style::cut(&clean::line(&of.name), width) };
    let bar = if bar > 0 { format!("  {}", paint(style::NAME, "▆".repeat(bar))) } else { String::new() };
    let words = paint(style::DIM, format!("{} words", of.counts.words));
    format!("{name:<width$} {:>8}  {words}{bar}\n", of.counts.messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::stats::UsageCounts;

    #[test]
    fn days_have_bars_and_nameless_things_a_dash() {
        let of = |name: &str, messages| UsageOf {
            name: name.into(),
            counts: UsageCounts { messages, questions: messages, answers: 0, words: 2 * messages },
        };
        let usage = UsageStats {
            since: Timestamp::from_millis(0),
            until: Timestamp::from_millis(1),
            total: UsageCounts { messages: 5, questions: 5, answers: 0, words: 10 },
            days: vec![of("2024-03-13", 1), of("2024-03-14", 4)],
            models: vec![],
            clients: vec![of("", 5)],
            projects: vec![],
        };
        let text = anstream::adapter::strip_str(&report(&usage, &TimeZone::UTC)).to_string();
        let total = "5 messages · 5 questions · 0 answers · 10 words · 1970-01-01 to 1970-01-01\n\ndays\n";
        assert!(text.starts_with(total), "{text}");
        assert_eq!(text.matches('▆').count(), 50, "{text}");
        assert!(text.contains("\ntools\n–  ") && !text.contains("models"), "{text}");
    }
}
