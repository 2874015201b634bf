//! `nosso ask`: one question, one answer; what is piped in belongs to the question.

use std::io::{IsTerminal, Read};

use super::answer;
use super::clean;
use super::context::Context;
use super::exit::{Ended, Failure, Run};
use super::flow::Flow;
use super::project::{self, NewIn};
use super::source;
use super::style::{self, paint};
use crate::api::chat::{ChatMemory, ChatParams, ChatPreview, Scope};
use crate::api::conversation::ConversationList;
use crate::api::limits::MAX_REQUEST_BYTES;
use crate::api::methods::{self, ChatComplete, ChatPreviewOf};
use crate::api::organise::ConversationFilter;
use crate::client::Client;
use crate::error::{Error, Kind};
use crate::model::{ConversationId, MessageId};

/// What `nosso ask` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The question; without it, what is piped in is the question
    #[arg(value_name = "QUESTION")]
    pub question: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub talk: Talk,
    /// Print the exact prompt and its sources, ask nobody
    #[arg(long)]
    pub preview: bool,
    /// Ask the model again: the question of this id, or of the answer of this id; its answer is kept beside the others
    #[arg(long, value_name = "ID", conflicts_with_all = ["question", "go_on", "conversation", "no_store"])]
    pub again: Option<MessageId>,
    /// Store neither question nor answer
    #[arg(long)]
    pub no_store: bool,
    /// Print the answer once it is complete; with --json, as one object
    #[arg(long)]
    pub no_stream: bool,
    /// Do not read what is piped in
    #[arg(long)]
    pub no_stdin: bool,
}

/// What `nosso ask` and `nosso chat` share.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Talk {
    /// Go on with this conversation
    #[arg(short = 'C', long, value_name = "ID")]
    pub conversation: Option<ConversationId>,
    /// Go on with the last conversation (of this project, where it has one)
    #[arg(short = 'c', long = "continue", conflicts_with = "conversation")]
    pub go_on: bool,
    /// The language model [default: the configured one]
    #[arg(short, long)]
    pub model: Option<String>,
    /// Instructions to the model, before everything else
    #[arg(short, long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Answer without anything that was said before
    #[arg(long)]
    pub no_memory: bool,
    /// How many passages to recall at most
    #[arg(long, value_name = "N", conflicts_with = "no_memory")]
    pub recall: Option<u32>,
    /// Recall from this project's conversations only
    #[arg(long, conflicts_with = "no_memory")]
    pub here: bool,
    /// From where to recall [default: from everywhere, with --here from the project]
    #[arg(long, value_enum, conflicts_with_all = ["no_memory", "here"])]
    pub scope: Option<RecalledFrom>,
    /// Make a new conversation private: it is found and recalled from within itself only
    #[arg(long)]
    pub private: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would print it as help")]
    pub new_in: NewIn,
}

/// From where a question recalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RecalledFrom {
    /// From everywhere
    Global,
    /// From the conversation's project
    Project,
    /// From what was said in this terminal
    Client,
    /// From the conversation alone
    Conversation,
}

impl Talk {
    /// The parameters of a question in this talk.
    pub async fn params(&self, client: &Client, context: &Context) -> Result<ChatParams, Failure> {
        let project = self.new_in.name(&context.working_directory);
        let conversation_id = match self.go_on {
            true => Some(last_conversation(client, project.as_deref()).await?),
            false => self.conversation,
        };
        let recalled_from = project::here_or(self.here, None, &context.working_directory)?.map(|root| {
            match &self.new_in.project {
                Some(named) => named.clone(),
                None => root,
            }
        });
        Ok(ChatParams {
            conversation_id,
            model: self.model.clone(),
            system: self.system.clone(),
            project,
            memory: ChatMemory {
                enabled: self.no_memory.then_some(false),
                limit: self.recall,
                project: recalled_from,
                scope: self.scope.map(|scope| match scope {
                    RecalledFrom::Global => Scope::Global,
                    RecalledFrom::Project => Scope::Project,
                    RecalledFrom::Client => Scope::Client,
                    RecalledFrom::Conversation => Scope::Conversation,
                }),
            },
            private: self.private,
            ..ChatParams::default()
        })
    }
}

/// The conversation that changed last: in the project if there is one, else anywhere.
async fn last_conversation(client: &Client, project: Option<&str>) -> Result<ConversationId, Failure> {
    let scopes = [project.map(str::to_owned), None];
    for project in scopes.iter().skip(usize::from(project.is_none())) {
        let filter = ConversationFilter { project: project.clone(), ..ConversationFilter::default() };
        let params = ConversationList { filter, limit: Some(1), cursor: None };
        let page = client.call::<methods::ConversationList>(&params).await?;
        if let Some(last) = page.items.first() {
            return Ok(last.id);
        }
    }
    Err(Error::not_found("a conversation to go on with").hint("begin one: leave out --continue").into())
}

/// Asks one question.
pub async fn run(args: Args, context: &mut Context) -> Run {
    let piped = match args.no_stdin || args.again.is_some() || std::io::stdin().is_terminal() {
        true => None,
        false => read_piped(std::io::stdin())?,
    };
    let (content, attachment) = match args.again {
        Some(_) => (String::new(), None),
        None => question(&args.question.join(" "), piped)?,
    };
    let client = context.client().await?;
    let mut params = args.talk.params(&client, context).await?;
    (params.content, params.attachment) = (content, attachment);
    params.regenerate = args.again;
    params.store = args.no_store.then_some(false);

    if args.preview {
        let preview = client.call::<ChatPreviewOf>(&params).await?;
        match context.out.json {
            true => context.out.document(&preview)?,
            false => context.out.page(&prompt_text(&preview))?,
        }
        return Ok(Ended::Well);
    }
    if args.no_stream {
        return complete(&client, &params, context).await;
    }
    let answer = answer::ask(&client, &params, context).await?;
    if answer.cancelled {
        return Err(Failure::Interrupted);
    }
    answer::show_sources(&answer.sources, context);
    Ok(Ended::Well)
}

async fn complete(client: &Client, params: &ChatParams, context: &mut Context) -> Run {
    let call = async { client.call::<ChatComplete>(params).await.map_err(Failure::from) };
    let result = super::context::unless_interrupted(call).await?;
    if context.out.json {
        context.out.document(&result)?;
        return Ok(Ended::Well);
    }
    result.notices.iter().for_each(|notice| context.out.warn(&clean::line(notice)));
    let mut flow = Flow::new(context.out.wrap_width());
    let content = flow.push(&clean::block(result.content.trim_end()));
    context.out.text(&format!("{content}{}", flow.finish()))?;
    answer::show_sources(&result.sources, context);
    Ok(Ended::Well)
}

/// What is piped in, if it is anything.
fn read_piped(from: impl Read) -> Result<Option<String>, Failure> {
    let mut bytes = Vec::new();
    let most = MAX_REQUEST_BYTES as u64;
    from.take(most + 1).read_to_end(&mut bytes).map_err(|error| {
        Failure::NoInput(Error::new(Kind::Storage, format!("read standard input: {error}")).caused_by(error))
    })?;
    if bytes.len() as u64 > most {
        let text = format!("read standard input: it is longer than {most} bytes");
        return Err(Error::new(Kind::TooLarge, text).hint("pipe in less, or import it").into());
    }
    // a diff may hold lines in other encodings; losing those characters is better than refusing the question
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok((!text.trim().is_empty()).then_some(text))
}

/// The question and what belongs to it.
fn question(typed: &str, piped: Option<String>) -> Result<(String, Option<String>), Error> {
    match (typed.trim(), piped) {
        ("", Some(piped)) => Ok((piped.trim().to_owned(), None)),
        ("", None) => {
            Err(Error::invalid("ask: there is no question").hint("nosso ask \"what did we decide about …?\""))
        }
        (typed, piped) => Ok((typed.to_owned(), piped)),
    }
}

fn prompt_text(preview: &ChatPreview) -> String {
    let mut text = String::new();
    for message in &preview.messages {
        let body = clean::block(&message.content);
        text.push_str(&format!("{}\n{}\n\n", paint(style::NAME, message.role), body.trim_end()));
    }
    for notice in &preview.notices {
        text.push_str(&format!("{} {}\n", paint(style::WARN, "!"), clean::line(notice)));
    }
    let figures = format!(
        "{} · {} of {} tokens · {} sources",
        source::first_line(&preview.model, 80),
        preview.prompt_tokens,
        preview.budget_tokens,
        preview.sources.len()
    );
    text.push_str(&format!("{}\n", paint(style::DIM, figures)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::chat::PromptMessage;
    use crate::model::Role;

    #[test]
    fn the_question_is_typed_or_piped() {
        let check = |typed: &str, piped: Option<&str>, expected: Option<(&str, Option<&str>)>| {
            let found = question(typed, piped.map(str::to_owned)).ok();
            let found = found.as_ref().map(|(content, attachment)| (content.as_str(), attachment.as_deref()));
            assert_eq!(found, expected, "{typed:?} {piped:?}");
        };
        check("review", Some("diff\n"), Some(("review", Some("diff\n"))));
        check("review", None, Some(("review", None)));
        check(" ", Some("what is it?\n"), Some(("what is it?", None)));
        check("", None, None);
    }

    #[test]
    fn empty_pipes_are_no_attachment_and_endless_ones_are_refused() {
        assert_eq!(read_piped(&b" \n"[..]).unwrap(), None);
        assert_eq!(read_piped(&b"caf\xe9"[..]).unwrap().as_deref(), Some("caf\u{fffd}"));
        assert!(read_piped(std::io::repeat(b'x')).is_err());
    }

    #[test]
    fn the_prompt_is_shown_as_it_would_be_sent() {
        let preview = ChatPreview {
            model: "m".into(),
            messages: vec![
                PromptMessage { role: Role::System, content: "be brief\n".into() },
                PromptMessage { role: Role::User, content: "why?\x1b[0m".into() },
            ],
            sources: vec![],
            prompt_tokens: 12,
            budget_tokens: 4096,
            notices: vec![],
        };
        let text = anstream::adapter::strip_str(&prompt_text(&preview)).to_string();
        assert_eq!(text, "system\nbe brief\n\nuser\nwhy?␛[0m\n\nm · 12 of 4096 tokens · 0 sources\n");
    }
}
