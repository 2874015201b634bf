//! How passages, sources and stored things look in one line.

use jiff::tz::TimeZone;

use super::clean;
use super::style::{self, paint};
use super::text::Words;
use super::when;
use crate::model::{ClientRef, Role, Source, SourceKind, Timestamp};

/// Where something comes from: the words of a heading, each left out where it is not known.
pub struct Origin<'a> {
    /// Whether it is a message or a memory.
    pub kind: SourceKind,
    /// The title of its conversation.
    pub title: Option<&'a str>,
    /// Who said it.
    pub role: Option<Role>,
    /// The display name of who said it.
    pub author: Option<&'a str>,
    /// The tool it came from.
    pub client: Option<&'a ClientRef>,
    /// When it was said.
    pub created_at: Timestamp,
}

impl Origin<'_> {
    /// "2024-03-14 · Deploy of the site · user · vscode", with the title standing out.
    pub fn heading(&self, words: &Words, zone: &TimeZone) -> String {
        let title = match self.kind {
            SourceKind::Memory => words.memory.to_owned(),
            SourceKind::Message => title_or(self.title, words),
        };
        self.line(Some(title), zone)
    }

    /// The same under the heading of another message of the conversation: without its title.
    pub fn within(&self, zone: &TimeZone) -> String {
        self.line(None, zone)
    }

    fn line(&self, title: Option<String>, zone: &TimeZone) -> String {
        let speaker = match (self.author, self.role) {
            (Some(author), _) => Some(clean::line(author)),
            (None, role) => role.map(|role| role.name().to_owned()),
        };
        let client = self.client.map(|client| clean::line(&client.name));
        let mut parts = vec![paint(style::DIM, when::day(self.created_at, zone))];
        parts.extend(title.map(|title| paint(style::TITLE, title)));
        parts.extend(speaker.into_iter().chain(client).map(|part| paint(style::DIM, part)));
        parts.join(&paint(style::DIM, " · "))
    }
}

/// The title as it may be shown, or the word for none.
pub fn title_or(title: Option<&str>, words: &Words) -> String {
    match title.map(str::trim) {
        Some(title) if !title.is_empty() => clean::line(title),
        _ => words.untitled.to_owned(),
    }
}

/// The first words of a text, on one line.
pub fn first_line(text: &str, width: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().take(width).collect();
    style::cut(&clean::line(&words.join(" ")), width)
}

/// The list under an answer: the sources it cites, or all of them where it cites none. Empty without sources.
pub fn list(sources: &[Source], words: &Words, zone: &TimeZone, width: usize) -> String {
    let any_cited = sources.iter().any(|source| source.cited);
    let shown: Vec<&Source> = sources.iter().filter(|source| source.cited || !any_cited).collect();
    if shown.is_empty() {
        return String::new();
    }
    let mut text = format!("{}\n", paint(style::TITLE, words.sources));
    for source in shown {
        let origin = Origin {
            kind: source.kind,
            title: source.title.as_deref(),
            role: source.role,
            author: None,
            client: source.client.as_ref(),
            created_at: source.created_at,
        };
        let number = format!("[{}]", source.n);
        let margin = " ".repeat(number.len() + 1);
        text.push_str(&format!("{} {}\n", paint(style::NAME, &number), origin.heading(words, zone)));
        text.push_str(&format!("{margin}{}\n", first_line(&source.text, width.saturating_sub(margin.len()))));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::text::{ENGLISH, PORTUGUESE};

    fn source(n: u32, cited: bool) -> Source {
        Source {
            n,
            kind: SourceKind::Message,
            id: uuid::Uuid::nil(),
            conversation_id: None,
            title: Some("Deploy\x1b[2J".into()),
            role: Some(Role::User),
            created_at: "2024-03-14T09:00:00Z".parse().unwrap(),
            client: Some(ClientRef { name: "vscode".into(), version: "1".into() }),
            text: "the deploy\nfails with   502 when the cache is cold".into(),
            score: 1.0,
            cited,
        }
    }

    fn check(sources: &[Source], words: &Words, expected: &str) {
        let styled = list(sources, words, &TimeZone::UTC, 32);
        assert_eq!(anstream::adapter::strip_str(&styled).to_string(), expected);
    }

    #[test]
    fn sources_are_listed_as_the_answer_cites_them() {
        let shown = "[2] 2024-03-14 · Deploy␛[2J · user · vscode\n    the deploy fails with 502 w…\n";
        check(&[source(1, false), source(2, true)], &ENGLISH, &format!("Sources\n{shown}"));
        check(&[source(2, false)], &PORTUGUESE, &format!("Fontes\n{shown}"));
        check(&[], &ENGLISH, "");
    }

    #[test]
    fn a_memory_has_no_title() {
        let memory =
            Source { kind: SourceKind::Memory, title: None, role: None, client: None, ..source(1, true) };
        check(&[memory], &PORTUGUESE, "Fontes\n[1] 2024-03-14 · memória\n    the deploy fails with 502 w…\n");
    }
}
