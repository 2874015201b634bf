//! Titles and tags for a conversation: by the language model where there is one, else from its own words.

use std::collections::HashMap;

use super::Memory;
use super::language::Language;
use super::task::Work;
use super::templates::Task;
use crate::api::conversation::{TagsSuggest, TagsSuggested, TitleSuggest, TitleSuggested};
use crate::api::limits::MAX_NAME_BYTES;
use crate::error::{Error, Result};
use crate::llm::{Choice, ModelChoice};
use crate::model::{Conversation, ConversationId, EXTRACTIVE, Message, Role};

/// Characters of a title.
const TITLE_CHARS: usize = 60;
/// Tags unless the caller says how many, and at most.
const DEFAULT_TAGS: u32 = 5;
const MAX_TAGS: u32 = 20;
/// A tag is a word or two, not a sentence.
const MAX_TAG_CHARS: usize = 30;
/// What is read of a conversation: its subject shows in its beginning and its end.
const READ_BYTES: usize = 256 << 10;
const READ_TURNS: usize = 12;
/// Why no model was asked.
const OWN_WORDS: &str = "no language model is configured, so this is made of the conversation's own words";
/// Tokens of it that the model gets to see at most.
const SHOWN_TOKENS: u32 = 1500;

impl Memory {
    /// A title for a conversation.
    pub async fn suggest_title(&self, suggest: TitleSuggest) -> Result<TitleSuggested> {
        let TitleSuggest { id, model } = suggest;
        let (conversation, turns) = self.to_name(id).await?;
        let values = [("characters", TITLE_CHARS.to_string())];
        let (asked, notices) = self.ask_about(&turns, model.as_deref(), Task::Title, &values).await?;
        if let Some((model, text)) = asked
            && let Some(title) = cleaned_title(&text)
        {
            return Ok(TitleSuggested { title, model, notices });
        }
        let first = turns.iter().find(|turn| turn.role == Role::User).or(turns.first());
        let own = first.map(|turn| title(&turn.content)).filter(|title| !title.is_empty());
        let title = own.or(conversation.title).ok_or_else(|| empty(id))?;
        Ok(TitleSuggested { title, model: EXTRACTIVE.into(), notices })
    }

    /// Tags for a conversation.
    pub async fn suggest_tags(&self, suggest: TagsSuggest) -> Result<TagsSuggested> {
        let TagsSuggest { id, limit, model } = suggest;
        let limit = limit.unwrap_or(DEFAULT_TAGS).clamp(1, MAX_TAGS) as usize;
        let (conversation, turns) = self.to_name(id).await?;
        let values = [("tags", limit.to_string())];
        let (asked, notices) = self.ask_about(&turns, model.as_deref(), Task::Tags, &values).await?;
        if let Some((model, text)) = asked {
            let tags = cleaned_tags(&text, limit);
            if !tags.is_empty() {
                return Ok(TagsSuggested { tags, model, notices });
            }
        }
        let title = conversation.title.unwrap_or_default();
        let texts = turns.iter().map(|turn| turn.content.as_str());
        Ok(TagsSuggested { tags: frequent(&title, texts, limit), model: EXTRACTIVE.into(), notices })
    }

    async fn to_name(&self, id: ConversationId) -> Result<(Conversation, Vec<Message>)> {
        let conversation = self.store().conversation(id).await?;
        let branch = self.store().branch(id, None, READ_BYTES).await?;
        if branch.iter().all(|turn| turn.content.trim().is_empty()) && conversation.title.is_none() {
            return Err(empty(id));
        }
        let n_cut = branch.len().saturating_sub(READ_TURNS);
        // the beginning and the end
        let turns = branch.into_iter().enumerate();
        let kept = turns.filter(|(at, _)| *at < READ_TURNS / 2 || *at >= READ_TURNS / 2 + n_cut);
        Ok((conversation, kept.map(|(_, turn)| turn).collect()))
    }

    /// What the model says, with its name, and why none was asked. A model that fails is no reason to have no title.
    async fn ask_about(
        &self,
        turns: &[Message],
        wanted: Option<&str>,
        task: Task,
        values: &[(&str, String)],
    ) -> Result<(Option<(String, String)>, Vec<String>)> {
        let choice = match self.choice(wanted).await {
            // a model that was named must be there
            Err(error) if wanted.is_some() => return Err(error),
            Err(error) => return Ok((None, vec![error.full_text()])),
            Ok(choice) => choice,
        };
        let model: ModelChoice = match choice {
            Choice::Extractive { .. } => return Ok((None, vec![OWN_WORDS.to_owned()])),
            Choice::Model(model) => model,
        };
        let work = Work { task, values, turns, before: None, most_tokens: SHOWN_TOKENS };
        match self.carry_out(&model, work).await {
            Ok(done) => Ok((Some((model.name, done.text)), Vec::new())),
            Err(error) => Ok((None, vec![format!("the model did not answer: {}", error.full_text())])),
        }
    }
}

fn empty(id: ConversationId) -> Error {
    Error::invalid(format!("the conversation {id} has no words that it could be named by"))
        .hint("name it yourself with conversation.update")
}

/// The first line of a question, cut at a word, as the name of its conversation.
pub(super) fn title(question: &str) -> String {
    let line = question.trim().lines().next().unwrap_or_default().trim();
    let mut title = String::new();
    for word in line.split_whitespace() {
        if title.chars().count() + word.chars().count() >= TITLE_CHARS {
            let cut: String =
                if title.is_empty() { word.chars().take(TITLE_CHARS - 1).collect() } else { title };
            return format!("{cut}…");
        }
        if !title.is_empty() {
            title.push(' ');
        }
        title.push_str(word);
    }
    title.truncate(title.floor_char_boundary(MAX_NAME_BYTES));
    title
}

/// The title that a model wrote, without what models write around it; none where it wrote none.
fn cleaned_title(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let line = line.trim_start_matches(['#', '*', ' ']);
    let label = ["title:", "título:", "titulo:"].iter().find_map(|label| {
        line.get(..label.len()).filter(|start| start.to_lowercase() == **label).map(|_| label.len())
    });
    let line = line[label.unwrap_or(0)..].trim();
    let line = line.trim_matches(|c: char| "\"'“”«»`*".contains(c) || c.is_whitespace());
    let line = title(line.strip_suffix('.').unwrap_or(line));
    (!line.is_empty()).then_some(line)
}

/// The tags that a model wrote, on one line or several, without marks of lists.
fn cleaned_tags(text: &str, limit: usize) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for part in text.split([',', '\n', ';']) {
        let part = part.trim().trim_start_matches(|c: char| c.is_ascii_digit() || ".)-*# ".contains(c));
        let part = part.rsplit(':').next().unwrap_or(part);
        let tag = part.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        let is_tag =
            !tag.is_empty() && tag.chars().count() <= MAX_TAG_CHARS && tag.split_whitespace().count() <= 3;
        if is_tag && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags.truncate(limit);
    tags
}

/// The words that the conversation says most often, those of its title counting more.
fn frequent<'a>(title: &str, texts: impl Iterator<Item = &'a str>, limit: usize) -> Vec<String> {
    let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
    let mut count = |text: &str, weight: usize| {
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '-') {
            let word = word.trim_matches('-').to_lowercase();
            let is_telling = (3..=MAX_TAG_CHARS).contains(&word.chars().count())
                && word.chars().any(char::is_alphabetic)
                && !Language::is_common_word(&word);
            if is_telling {
                let n = counts.len();
                counts.entry(word).or_insert((0, n)).0 += weight;
            }
        }
    };
    count(title, 2);
    for text in texts {
        count(text, 1);
    }
    let mut words: Vec<(String, (usize, usize))> = counts.into_iter().collect();
    // of equals the first said comes first
    words.sort_by_key(|(_, (n, first))| (std::cmp::Reverse(*n), *first));
    words.into_iter().take(limit).map(|(word, _)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_cut_at_a_word() {
        assert_eq!(title("  When is the deadline?\nI forgot."), "When is the deadline?");
        let long = title(&"palavra ".repeat(20));
        assert!(long.ends_with("palavra…") && long.chars().count() <= TITLE_CHARS, "{long}");
        assert_eq!(title(&"x".repeat(100)).chars().count(), TITLE_CHARS);
    }

    #[test]
    fn what_models_write_around_a_title_goes_away() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(cleaned_title(text).as_deref(), expected, "{text:?}");
        };
        check("\n**Title: “The staging database”**\n\nI chose this because", Some("The staging database"));
        check("Título: Banco de testes.", Some("Banco de testes"));
        check("# Backups", Some("Backups"));
        check(" \n", None);
        check("\"\"", None);
    }

    #[test]
    fn tags_come_from_lines_lists_and_commas() {
        let check = |text: &str, expected: &[&str]| assert_eq!(cleaned_tags(text, 3), expected, "{text:?}");
        check("Rust, sqlite , Banco de Dados, more", &["rust", "sqlite", "banco de dados"]);
        check("1. Rust\n2. `WAL`\n- rust", &["rust", "wal"]);
        check("Tags: backups, #restore", &["backups", "restore"]);
        check("This is a whole sentence about tags that no one wants", &[]);
    }

    #[test]
    fn without_a_model_the_frequent_words_are_the_tags() {
        let texts = [
            "The backup of the database runs at six.",
            "Which database? The backup failed, the disk was full.",
        ];
        assert_eq!(frequent("Backup trouble", texts.into_iter(), 3), ["backup", "trouble", "database"]);
        assert!(frequent("", ["a o de the"].into_iter(), 3).is_empty());
    }
}
