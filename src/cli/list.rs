//! `nosso list`: the conversations, all or those that fit what is typed; and how any list is shown.

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
use crate::api::find::{ConversationFound, ConversationSearch as Search, ConversationsFound};
use crate::api::limits::MAX_HITS;
use crate::api::methods::{ConversationList, ConversationSearch};
use crate::api::organise::{Archived, ConversationFilter};
use crate::model::Conversation;

/// What `nosso list` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Words of titles and messages, the last may be a beginning; and `tag:`, `folder:`, `pinned:`, `archived:`,
    /// `project:`, `client:`, `before:`, `after:` with a value
    #[arg(value_name = "QUERY")]
    pub query: Vec<String>,
    /// Archived conversations instead of the others
    #[arg(long)]
    pub archived: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub only: Only,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub how_many: HowMany,
}

/// Lists the conversations, the last changed first.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let filter = ConversationFilter {
        query: (!args.query.is_empty()).then(|| typed(&args.query)),
        project: args.only.name(&context.working_directory)?,
        archived: args.archived.then_some(Archived::Only),
        ..ConversationFilter::default()
    };
    let client = context.client().await?;
    if filter.query.is_some() && !args.how_many.all && args.how_many.cursor.is_none() {
        let params = Search { filter, limit: Some(args.how_many.limit.min(MAX_HITS)) };
        let found = client.call::<ConversationSearch>(&params).await?;
        return show_found(&found, context);
    }
    let page = args
        .how_many
        .collect(async |limit, cursor| {
            let params = Params { filter: filter.clone(), limit: Some(limit), cursor };
            client.call::<ConversationList>(&params).await
        })
        .await?;
    let nothing = match filter == ConversationFilter::default() {
        true => context.words.nothing_stored,
        false => context.words.nothing_found,
    };
    show_or(&page, nothing, context, |conversation, context| {
        conversation_line(conversation, context.words, &context.zone, context.out.width)
    })?;
    Ok(Ended::Well)
}

/// What was typed as one text. The shell takes quotes away, so that they are put back around a value with blanks.
pub fn typed(arguments: &[String]) -> String {
    let quoted = |argument: &String| match argument.split_once(':') {
        Some((name, value))
            if arguments.len() > 1
                && value.contains(char::is_whitespace)
                && !value.contains('"')
                && !value.starts_with(char::is_whitespace)
                && !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphabetic()) =>
        {
            format!("{name}:\"{value}\"")
        }
        _ => argument.clone(),
    };
    arguments.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn show_found(found: &ConversationsFound, context: &mut Context) -> Run {
    if context.out.json {
        context.out.document(found)?;
    } else {
        let text: String = found.items.iter().map(|found| found_text(found, context)).collect();
        if !text.is_empty() {
            context.out.page(&text)?;
        }
    }
    if found.items.is_empty() {
        context.out.note(context.words.nothing_found);
        return Ok(Ended::NothingFound);
    }
    Ok(Ended::Well)
}

fn found_text(found: &ConversationFound, context: &Context) -> String {
    let line = conversation_line(&found.conversation, context.words, &context.zone, context.out.width);
    let snippet = found.snippet.as_ref().map(|snippet| {
        let shown = style::highlight(&clean::block(&snippet.text), &snippet.spans);
        format!("    {} {shown}\n", paint(style::DIM, format!("{}:", snippet.role)))
    });
    line + &snippet.unwrap_or_default()
}

/// Prints a page: as JSON, or each row through `row`, and says where there is more.
pub fn show<T: Serialize>(
    page: &Page<T>,
    context: &mut Context,
    row: impl Fn(&T, &Context) -> String,
) -> Result<(), Failure> {
    show_or(page, context.words.nothing_stored, context, row)
}

/// The same, with what is said of an empty page.
pub fn show_or<T: Serialize>(
    page: &Page<T>,
    nothing: &str,
    context: &mut Context,
    row: impl Fn(&T, &Context) -> String,
) -> Result<(), Failure> {
    if context.out.json {
        return context.out.document(page);
    }
    if page.items.is_empty() {
        context.out.note(nothing);
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
    about.extend(order(conversation, words));
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

/// Its folder, its tags, and whether it is pinned, archived or private.
pub fn order(conversation: &Conversation, words: &Words) -> Vec<String> {
    let folder = conversation.folder.as_deref().map(clean::line);
    let tags = conversation.tags.iter().map(|tag| format!("#{}", clean::line(tag)));
    let marks = [
        (conversation.pinned, words.pinned),
        (conversation.archived, words.archived),
        (conversation.private, words.private),
    ];
    let marks = marks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, word)| word.to_owned());
    folder.into_iter().chain(tags).chain(marks).collect()
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
    fn quotes_that_the_shell_took_are_put_back() {
        let check = |arguments: &[&str], expected: &str| {
            let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            assert_eq!(typed(&arguments), expected);
        };
        check(&["folder:My work", "plan"], "folder:\"My work\" plan");
        check(&["tag:a plan"], "tag:a plan");
        check(&["the", "plan: not yet", "x"], "the plan: not yet x");
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
