//! `nosso list`: the conversations; and how any list is shown.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::clean;
use super::context::Context;
use super::exit::{Ended, Failure, Run};
use super::paging::HowMany;
use super::project::Only;
use super::source;
use super::style::{self, paint};
use super::text::{self, Words};
use super::when;
use crate::api::Page;
use crate::api::conversation::ConversationList as Params;
use crate::api::methods::ConversationList;
use crate::model::Conversation;

/// What `nosso list` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub only: Only,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub how_many: HowMany,
}

/// Lists the conversations, the last changed first.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let project = args.only.name(&context.working_directory)?;
    let client = context.client().await?;
    let page = args
        .how_many
        .collect(async |limit, cursor| {
            let params = Params { project: project.clone(), limit: Some(limit), cursor };
            client.call::<ConversationList>(&params).await
        })
        .await?;
    show(&page, context, |conversation, context| {
        conversation_line(conversation, context.words, &context.zone, context.out.width)
    })?;
    Ok(Ended::Well)
}

/// Prints a page: as JSON, or each row through `row`, and says where there is more.
pub fn show<T: Serialize>(
    page: &Page<T>,
    context: &mut Context,
    row: impl Fn(&T, &Context) -> String,
) -> Result<(), Failure> {
    if context.out.json {
        return context.out.document(page);
    }
    if page.items.is_empty() {
        context.out.note(context.words.nothing_stored);
        return Ok(());
    }
    let text: String = page.items.iter().map(|item| row(item, context)).collect();
    context.out.page(&text)?;
    if page.next_cursor.is_some() {
        let more = text::fill(context.words.more, &[&(page.items.len() * 2)]);
        context.out.note(&paint(style::DIM, more));
    }
    Ok(())
}

fn conversation_line(
    conversation: &Conversation,
    words: &Words,
    zone: &TimeZone,
    width: Option<usize>,
) -> String {
    let mut about = vec![format!("{}", conversation.message_count)];
    about.extend(conversation.client.as_ref().map(|client| clean::line(&client.name)));
    // the last part of a path is what people call the project
    about.extend(
        conversation
            .project
            .as_deref()
            .map(|project| clean::line(project.trim_end_matches('/').rsplit('/').next().unwrap_or(project))),
    );
    let about = about.join(" · ");
    let title = source::title_or(conversation.title.as_deref(), words);
    let title = match width {
        // the id, the time, the gaps and what follows have their room first
        Some(width) => style::cut(&title, width.saturating_sub(36 + 16 + 6 + about.chars().count()).max(16)),
        None => title,
    };
    format!(
        "{}  {}  {}  {}\n",
        paint(style::DIM, conversation.id),
        when::minute(conversation.updated_at, zone),
        paint(style::TITLE, title),
        paint(style::DIM, about)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::text::ENGLISH;

    fn check(title: Option<&str>, project: Option<&str>, width: Option<usize>, expected: &str) {
        let conversation: Conversation = serde_json::from_value(serde_json::json!({
            "id": "0192d3a4-0000-7000-8000-000000000000",
            "title": title,
            "project": project,
            "client": {"name": "vscode"},
            "messageCount": 4,
            "createdAt": "2024-03-14T00:00:00Z",
            "updatedAt": "2024-03-15T10:20:00Z",
        }))
        .unwrap();
        let line = conversation_line(&conversation, &ENGLISH, &TimeZone::UTC, width);
        let line = anstream::adapter::strip_str(&line).to_string();
        let rest = line.strip_prefix("0192d3a4-0000-7000-8000-000000000000  2024-03-15 10:20  ").unwrap();
        assert_eq!(rest, expected);
    }

    #[test]
    fn a_conversation_is_a_line() {
        check(Some("Deploy"), None, None, "Deploy  4 · vscode\n");
        check(Some("a\nb"), Some("/home/ana/site/"), None, "a b  4 · vscode · site\n");
        check(None, Some("site"), None, "untitled  4 · vscode · site\n");
        check(
            Some("A rather long title of a conversation"),
            None,
            Some(90),
            "A rather long title o…  4 · vscode\n",
        );
    }
}
