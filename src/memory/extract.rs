//! The answer where no language model is: the best sentences of the best passages, quoted with their numbers.

use std::collections::HashSet;
use std::ops::Range;

use super::language::Language;
use super::wording::Wording;
use super::{cite, sentence, tokens};
use crate::model::{Source, SourceKind};
use crate::text::collapse_whitespace;

/// Passages quoted at most: more is a list of hits, not an answer.
const MAX_PASSAGES: usize = 3;

/// Sentences of one passage at most.
const MAX_SENTENCES: usize = 2;

/// A quote at most; a "sentence" of a log or a table can be very long.
const MAX_QUOTE_TOKENS: u32 = 120;

/// A further passage must fit at least this well compared with the best one.
const LEAST_RELATIVE_WORTH: f64 = 0.5;

/// Words that share so many first letters count as forms of one: "decided", "decision".
const STEM_CHARS: usize = 5;

/// Answers `question` with quotes from `sources`, in the question's language, citing them as `[n]`.
pub fn answer(question: &str, sources: &[Source]) -> String {
    let wording = Wording::of(Language::of(question));
    let mut quotes = best(question, sources);
    if quotes.is_empty() {
        return format!("{}\n\n{}", wording.found_nothing, wording.quotes_only);
    }
    // in the order of time, which is the order of the numbers
    quotes.sort_by_key(|quote| quote.source.n);
    let lines: Vec<String> = quotes.iter().map(|quote| quote.line(wording)).collect();
    format!("{}\n\n{}\n\n{}", wording.found, lines.join("\n"), wording.quotes_only)
}

struct Quote<'a> {
    source: &'a Source,
    text: String,
    worth: f64,
}

impl Quote<'_> {
    /// `- “…” (2026-03-14, Title, user) [n]`
    fn line(&self, wording: &Wording) -> String {
        let date = self.source.created_at.day();
        let title = match (&self.source.title, self.source.kind) {
            (Some(title), _) => collapse_whitespace(title),
            (None, SourceKind::Memory) => wording.memory.to_owned(),
            (None, SourceKind::Message) => wording.untitled.to_owned(),
        };
        let speaker = self.source.role.map(|role| format!(", {}", wording.speaker(role))).unwrap_or_default();
        format!("- “{}” ({date}, {title}{speaker}) [{}]", self.text, self.source.n)
    }
}

/// The quotes that say most about the question, the best first.
fn best<'a>(question: &str, sources: &'a [Source]) -> Vec<Quote<'a>> {
    let asked = words(question);
    let top = sources.iter().map(|source| source.score).fold(f64::MIN, f64::max);
    let mut quotes: Vec<Quote> = sources
        .iter()
        .filter_map(|source| {
            let (text, overlap) = quote(&source.text, &asked)?;
            // scores are comparable within one answer; a word in common decides between near equals
            let fit = if top > 0.0 { (source.score / top).clamp(0.0, 1.0) } else { 0.0 };
            // repeating the question does not answer it
            let is_question = text.trim_end_matches(['”', '"', ' ']).ends_with('?');
            let worth = (fit + overlap) * if is_question { 0.5 } else { 1.0 };
            Some(Quote { source, text, worth })
        })
        .collect();
    quotes.sort_by(|a, b| b.worth.total_cmp(&a.worth).then(a.source.n.cmp(&b.source.n)));
    let least = quotes.first().map_or(0.0, |best| best.worth * LEAST_RELATIVE_WORTH);
    let mut said = HashSet::new();
    // what neither fits nor shares a word is in the prompt for another reason: it always holds
    quotes.retain(|quote| quote.worth > 0.0 && quote.worth >= least && said.insert(quote.text.clone()));
    quotes.truncate(MAX_PASSAGES);
    quotes
}

/// The sentence of `text` with most of the asked words, with the next one where it adds some, and the share of
/// the asked words in it; None where there is nothing to quote.
fn quote(text: &str, asked: &HashSet<String>) -> Option<(String, f64)> {
    let sentences = sentence::sentences(text);
    let overlap = |range: &Range<usize>| shared(asked, &words(&text[range.clone()]));
    let scores: Vec<f64> = sentences.iter().map(overlap).collect();
    let best = (0..sentences.len()).reduce(|best, at| if scores[at] > scores[best] { at } else { best })?;
    let mut range = sentences[best].clone();
    let mut score = scores[best];
    // the answer to "when?" often stands in the sentence behind the one that names the matter
    for next in sentences.iter().take(best + MAX_SENTENCES).skip(best + 1) {
        let longer = range.start..next.end;
        let is_short = tokens::estimate(&text[longer.clone()]) <= MAX_QUOTE_TOKENS / 2;
        let is_question = text[range.clone()].ends_with('?');
        let is_one_line = !text[longer.clone()].contains('\n');
        if is_question || (is_short && is_one_line) {
            score = score.max(overlap(&longer));
            range = longer;
        }
    }
    let found = collapse_whitespace(&text[range]);
    let end = tokens::longest_beginning(&found, MAX_QUOTE_TOKENS);
    let cut = match end == found.len() {
        true => found,
        false => format!("{}…", &found[..sentence::cut(&found, end)]),
    };
    // a "[7]" in the passage would be taken for a citation
    let cut = if cite::numbers(&cut).is_empty() { cut } else { cut.replace('[', "(").replace(']', ")") };
    (!cut.is_empty()).then_some((cut, score))
}

/// The share of the asked words that occur, forms of a word counting less than the word itself.
pub(super) fn shared(asked: &HashSet<String>, said: &HashSet<String>) -> f64 {
    if asked.is_empty() {
        return 0.0;
    }
    let stem = |word: &str| word.char_indices().nth(STEM_CHARS).map_or(word.len(), |(at, _)| at);
    let worth = |word: &String| {
        let is_form = |other: &String| {
            word.chars().count() >= STEM_CHARS && word.get(..stem(word)) == other.get(..stem(other))
        };
        match said.contains(word) {
            true => 1.0,
            false if said.iter().any(is_form) => 0.6,
            false => 0.0,
        }
    };
    asked.iter().map(worth).sum::<f64>() / asked.len() as f64
}

/// The words that tell something, in lower case and without accents.
pub(super) fn words(text: &str) -> HashSet<String> {
    text.split(|c: char| !c.is_alphanumeric() && !('\u{300}'..='\u{36f}').contains(&c))
        .filter(|word| !word.is_empty() && !Language::is_common_word(&word.to_lowercase()))
        .map(|word| word.chars().flat_map(char::to_lowercase).filter_map(without_accent).collect())
        .collect()
}

/// The plain letter of an accented one of the Latin alphabet; None for a combining accent.
fn without_accent(c: char) -> Option<char> {
    Some(match c {
        '\u{300}'..='\u{36f}' => return None,
        'á' | 'à' | 'â' | 'ã' | 'ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Role, Timestamp};
    use proptest::prelude::*;

    fn sources(texts: &[(&str, f64)]) -> Vec<Source> {
        let source = |(n, (text, score)): (u32, &(&str, f64))| Source {
            n,
            kind: SourceKind::Message,
            id: uuid::Uuid::from_u128(n.into()),
            conversation_id: None,
            title: Some("Plano".into()),
            role: Some(Role::User),
            created_at: Timestamp::from_millis(1_772_000_000_000),
            client: None,
            text: (*text).to_owned(),
            score: *score,
            cited: false,
        };
        (1..).zip(texts).map(source).collect()
    }

    #[test]
    fn the_sentence_that_answers_is_quoted_with_its_number() {
        let sources = sources(&[
            ("We talked about lunch. The cat sleeps.", 0.1),
            ("Many things were said. The project deadline is 14 March. Then we left.", 0.9),
        ]);
        let answer = answer("When is the project deadline?", &sources);
        assert!(answer.contains("The project deadline is 14 March."), "{answer}");
        assert!(answer.contains("(2026-02-25, Plano, user) [2]"), "{answer}");
        assert!(!answer.contains("cat"), "{answer}");
        assert!(answer.contains("no language model is configured"));
    }

    #[test]
    fn portuguese_questions_are_answered_in_portuguese() {
        let sources = sources(&[("A decisão foi usar SQLite.", 0.5), ("Quando decidimos isso?", 0.5)]);
        let answer = answer("O que decidimos sobre o sqlite?", &sources);
        assert!(answer.starts_with("Isto foi dito antes:"), "{answer}");
        assert!(answer.contains("“A decisão foi usar SQLite.” (2026-02-25, Plano, usuário) [1]"), "{answer}");
    }

    #[test]
    fn nothing_found_is_said_plainly() {
        assert!(answer("When is it?", &[]).starts_with("I found nothing"));
        assert!(answer("Quando é?", &[]).starts_with("Não encontrei nada"));
        assert!(answer("Quando é?", &sources(&[("  \n ", 1.0)])).starts_with("Não encontrei nada"));
    }

    proptest! {
        #[test]
        fn every_quote_is_cited(question in ".{0,40}", texts in prop::collection::vec((".{0,200}", 0.0f64..1.0), 0..6)) {
            let texts: Vec<(&str, f64)> = texts.iter().map(|(text, score)| (text.as_str(), *score)).collect();
            let mut sources = sources(&texts);
            let answer = answer(&question, &sources);
            prop_assert!(answer.lines().filter(|line| line.starts_with("- “")).count() <= MAX_PASSAGES);
            let citations = cite::check(&answer, &mut sources);
            prop_assert!(citations.cited.len() <= MAX_PASSAGES && citations.unknown.is_empty());
            if texts.iter().all(|(text, _)| text.trim().is_empty()) {
                prop_assert!(citations.cited.is_empty());
            }
        }
    }
}
