//! `nosso chat`: a conversation at the terminal, line by line.

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::answer::{self, Answer};
use super::ask::Talk;
use super::clean;
use super::context::Context;
use super::exit::{Ended, Failure, Run};
use super::source;
use super::style::{self, paint};
use super::text;
use crate::api::Patch;
use crate::api::chat::ChatParams;
use crate::api::conversation::ConversationId as Get;
use crate::api::message::MessageId as GetMessage;
use crate::api::methods::{ConversationGet, MessageGet};
use crate::client::Client;
use crate::error::{Error, Kind, Result};

/// What `nosso chat` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub talk: Talk,
}

/// What a typed line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Nothing,
    Help,
    Sources,
    New,
    Again,
    Edit(&'a str),
    Quit,
    Unknown(&'a str),
    Say(&'a str),
}

impl<'a> Line<'a> {
    fn of(typed: &'a str) -> Self {
        let typed = typed.trim();
        match typed {
            "" => Line::Nothing,
            "/help" | "/?" => Line::Help,
            "/sources" => Line::Sources,
            "/new" => Line::New,
            "/again" => Line::Again,
            _ if typed.starts_with("/edit ") => Line::Edit(typed["/edit ".len()..].trim()),
            "/quit" | "/exit" | "/q" => Line::Quit,
            // a path or a regular expression may begin with a slash as well; a single word is a mistyped command
            _ if typed.starts_with('/')
                && typed[1..].chars().all(|c| c.is_ascii_alphabetic())
                && typed.len() > 1 =>
            {
                Line::Unknown(typed)
            }
            _ => Line::Say(typed),
        }
    }
}

/// Talks until `/quit` or Ctrl-D.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let client = context.client().await?;
    let mut params = args.talk.params(&client, context).await?;
    welcome(&client, &params, context).await?;
    let history = context.paths.line_history();
    let mut editor = editor(&history)?;
    let mut last: Option<Answer> = None;
    loop {
        let typed = match editor.readline("› ") {
            Ok(typed) => typed,
            // Ctrl-C empties the line, as in a shell
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(Error::new(Kind::Storage, format!("read a line: {error}")).into()),
        };
        match Line::of(&typed) {
            Line::Nothing => continue,
            Line::Help => context.out.note(context.words.chat_help),
            Line::Sources => show_sources(last.as_ref(), context),
            Line::Again | Line::Edit(_)
                if last.as_ref().is_none_or(|answer| answer.question_id.is_none()) =>
            {
                context.out.note(context.words.nothing_asked);
            }
            Line::New => {
                params.conversation_id = None;
                last = None;
                context.out.note(context.words.new_conversation);
            }
            Line::Quit => break,
            Line::Unknown(command) => {
                context.out.warn(&format!("{}\n{}", clean::line(command), context.words.chat_help));
            }
            line @ (Line::Say(_) | Line::Again | Line::Edit(_)) => {
                remember_line(&mut editor, &history, &typed);
                let asked = question(&line, last.as_ref(), &params, &client).await?;
                match answer::ask(&client, &asked, context).await {
                    Ok(answer) => {
                        params.conversation_id = answer.conversation_id;
                        if !answer.cancelled {
                            answer::show_sources(&answer.sources, context);
                        }
                        last = Some(answer);
                    }
                    Err(Failure::Interrupted) => {
                        context.out.note(&paint(style::DIM, context.words.cancelled))
                    }
                    // the talk survives a model server that fails, but not a daemon that is gone
                    Err(Failure::Failed(error)) if error.kind() != Kind::Unreachable => {
                        context.out.error(&error);
                    }
                    Err(failure) => return Err(failure),
                }
                context.out.note("");
            }
        }
    }
    Ok(Ended::Well)
}

/// The question of a line: a new one, the last one again, or the last one in other words.
async fn question(
    line: &Line<'_>,
    last: Option<&Answer>,
    talk: &ChatParams,
    client: &Client,
) -> Result<ChatParams, Failure> {
    let mut asked = talk.clone();
    let before = last.and_then(|answer| answer.question_id);
    match (line, before) {
        (Line::Again, Some(id)) => asked.regenerate = Some(id),
        (Line::Edit(content), Some(id)) => {
            let old = client.call::<MessageGet>(&GetMessage { id }).await?;
            asked.parent_id = old.parent_id.map_or(Patch::Clear, Patch::Set);
            asked.content = (*content).to_owned();
        }
        (Line::Say(content), _) => asked.content = (*content).to_owned(),
        _ => return Err(Error::internal("a line that asks nothing").into()),
    }
    Ok(asked)
}

async fn welcome(client: &Client, params: &ChatParams, context: &mut Context) -> Result<()> {
    context.out.note(&paint(style::DIM, context.words.chat_welcome));
    if let Some(id) = params.conversation_id {
        let conversation = client.call::<ConversationGet>(&Get { id }).await?;
        let title = source::title_or(conversation.title.as_deref(), context.words);
        context.out.note(&text::fill(context.words.goes_on, &[&paint(style::TITLE, title)]));
    }
    Ok(())
}

fn show_sources(last: Option<&Answer>, context: &mut Context) {
    match last {
        Some(answer) if !answer.sources.is_empty() => answer::show_sources(&answer.sources, context),
        _ => context.out.note(context.words.no_sources),
    }
}

fn editor(history: &std::path::Path) -> Result<DefaultEditor> {
    let config = rustyline::Config::builder().auto_add_history(false).max_history_size(1000);
    let config = config.and_then(|config| config.history_ignore_dups(true)).map(|config| config.build());
    let made = config.and_then(DefaultEditor::with_config);
    let mut editor = made.map_err(|error| Error::internal(format!("start the line editor: {error}")))?;
    // a history that is missing or damaged is no reason not to talk
    let _ = editor.load_history(history);
    Ok(editor)
}

/// Keeps the line for the arrow keys of the next talk; the file is the person's alone, as the database is.
fn remember_line(editor: &mut DefaultEditor, history: &std::path::Path, line: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    if !matches!(editor.add_history_entry(line), Ok(true)) {
        return;
    }
    let made = history
        .parent()
        .map(std::fs::create_dir_all)
        .transpose()
        .and_then(|_| std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(history));
    if made.is_ok() {
        let _ = editor.append_history(history);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_or_said() {
        for (typed, expected) in [
            ("", Line::Nothing),
            ("  ", Line::Nothing),
            ("/help", Line::Help),
            (" /new ", Line::New),
            ("/sources", Line::Sources),
            ("/again", Line::Again),
            ("/edit and in winter?", Line::Edit("and in winter?")),
            ("/edit", Line::Unknown("/edit")),
            ("/q", Line::Quit),
            ("/souces", Line::Unknown("/souces")),
            ("/etc/hosts is empty, why?", Line::Say("/etc/hosts is empty, why?")),
            ("/", Line::Say("/")),
            ("quit smoking", Line::Say("quit smoking")),
        ] {
            assert_eq!(Line::of(typed), expected, "{typed:?}");
        }
    }

    #[test]
    fn typed_lines_are_kept_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let history = folder.path().join("state/history.txt");
        let mut first = editor(&history).unwrap();
        remember_line(&mut first, &history, "when is the deadline?");
        assert_eq!(std::fs::metadata(&history).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(std::fs::read_to_string(&history).unwrap().contains("when is the deadline?"));
    }
}
