//! How much was said: by day, by model, by tool, by project.

use std::collections::HashMap;

use super::Memory;
use crate::api::stats::{UsageCounts, UsageOf, UsageParams, UsageStats};
use crate::error::{Error, Result};
use crate::model::{Role, Timestamp};
use crate::store::UsedMessage;

/// What is counted unless the client says since when.
const DEFAULT_SPAN_MILLIS: i64 = 30 * DAY_MILLIS;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// Messages that are read at a time: a fraction of a second, after which the log may be written back.
const STEP: usize = 20_000;
/// The largest difference of a time zone, in minutes.
const MAX_OFFSET: i32 = 24 * 60;

impl Memory {
    /// Counts what was said in a span of time.
    pub async fn usage(&self, params: UsageParams) -> Result<UsageStats> {
        let UsageParams { since, until, project, client, offset_minutes } = params;
        if offset_minutes.abs() > MAX_OFFSET {
            return Err(Error::invalid(format!(
                "`offsetMinutes` is {offset_minutes}: no day begins so far from UTC's"
            ))
            .hint("give the minutes that local time is ahead of UTC, such as -180"));
        }
        let until = until.unwrap_or_else(Timestamp::now);
        let since = since.unwrap_or_else(|| until.plus_millis(-DEFAULT_SPAN_MILLIS));
        let mut counting = Counting { offset_minutes, ..Counting::default() };
        let mut next = Some((since.as_millis(), i64::MIN));
        while let Some(after) = next {
            let only = (project.clone(), client.clone());
            let (used, more) = self.store().used(after, until, only, words, STEP).await?;
            used.iter().for_each(|message| counting.add(message));
            next = more;
        }
        let Counting { offset_minutes: _, total, days, models, clients, projects } = counting;
        let mut days = listed(days);
        days.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(UsageStats {
            since,
            until,
            total,
            days,
            models: listed(models),
            clients: listed(clients),
            projects: listed(projects),
        })
    }
}

#[derive(Default)]
struct Counting {
    offset_minutes: i32,
    total: UsageCounts,
    days: HashMap<String, UsageCounts>,
    models: HashMap<String, UsageCounts>,
    clients: HashMap<String, UsageCounts>,
    projects: HashMap<String, UsageCounts>,
}

impl Counting {
    fn add(&mut self, message: &UsedMessage) {
        let UsedMessage { created_at, role, model, client, project, words } = message;
        let local = created_at.plus_millis(i64::from(self.offset_minutes) * 60_000).to_string();
        // "2024-03-14T09:26:53.000Z"
        let day = local.split('T').next().unwrap_or_default().to_owned();
        let mut places = vec![
            &mut self.total,
            self.days.entry(day).or_default(),
            self.clients.entry(client.clone().unwrap_or_default()).or_default(),
            self.projects.entry(project.clone().unwrap_or_default()).or_default(),
        ];
        if let (Role::Assistant, Some(model)) = (role, model) {
            places.push(self.models.entry(model.clone()).or_default());
        }
        for counts in places {
            counts.messages += 1;
            counts.questions += u64::from(*role == Role::User);
            counts.answers += u64::from(*role == Role::Assistant);
            counts.words += words;
        }
    }
}

/// The most used first; of equals by name.
fn listed(counts: HashMap<String, UsageCounts>) -> Vec<UsageOf> {
    let mut list: Vec<UsageOf> = counts.into_iter().map(|(name, counts)| UsageOf { name, counts }).collect();
    list.sort_by(|a, b| b.counts.messages.cmp(&a.counts.messages).then_with(|| a.name.cmp(&b.name)));
    list
}

/// Runs of letters and digits, much as full text counts them.
fn words(text: &str) -> u64 {
    let mut in_word = false;
    let mut n = 0;
    for c in text.chars() {
        let is_part = c.is_alphanumeric();
        n += u64::from(is_part && !in_word);
        in_word = is_part;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters() {
        for (text, expected) in [("", 0), ("one", 1), ("um, dois -- três!", 3), ("a\n\n  b", 2), ("x_1", 2)]
        {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_message_counts_where_it_was_said() {
        let mut counting = Counting { offset_minutes: -180, ..Counting::default() };
        let message = |time: &str, role, model: Option<&str>| UsedMessage {
            created_at: time.parse().unwrap(),
            role,
            model: model.map(Into::into),
            client: Some("vscode".into()),
            project: None,
            words: 2,
        };
        counting.add(&message("2024-03-14T01:00:00Z", Role::User, None));
        counting.add(&message("2024-03-14T04:00:00Z", Role::Assistant, Some("m")));
        assert_eq!(counting.total, UsageCounts { messages: 2, questions: 1, answers: 1, words: 4 });
        assert_eq!(counting.days["2024-03-13"].messages, 1);
        assert_eq!(counting.days["2024-03-14"].answers, 1);
        assert_eq!((counting.models["m"].messages, counting.projects[""].messages), (1, 2));
    }
}
