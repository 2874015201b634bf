//! Where the words of a question stand in a text.

use std::collections::HashSet;
use std::ops::Range;

use super::language::{Language, is_stop_word};
use super::scan::{Role, Tokens};
use super::stem::stem;

/// Finds words by their stems.
#[derive(Debug, Clone, Default)]
pub struct Marker {
    stems: HashSet<String>,
    /// Characters of scripts without spaces that were asked for alone.
    letters: HashSet<String>,
}

/// A word of a text that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its bytes.
    pub range: Range<usize>,
    /// The stem by which it was found: words of the same stem count once.
    pub stem: String,
}

impl Marker {
    /// Finds any of these words, in any of their forms, with or without accents.
    pub fn new<S: AsRef<str>>(words: &[S]) -> Self {
        let mut marker = Marker::default();
        for word in words {
            let tokens = Tokens::of(word.as_ref());
            for token in &tokens.list {
                let form = tokens.form(token);
                match token.role {
                    Role::Tail if tokens.list.len() == 1 => drop(marker.letters.insert(form.to_owned())),
                    Role::Tail => (),
                    _ => {
                        marker.stems.insert(stem(form, Language::English));
                        marker.stems.insert(stem(form, Language::Portuguese));
                    }
                }
            }
        }
        marker
    }

    /// The words of the text that are among those sought, in its order; they may overlap where the script has no
    /// spaces.
    pub fn marks(&self, text: &str) -> Vec<Mark> {
        let mut marks: Vec<Mark> = Vec::new();
        if self.stems.is_empty() && self.letters.is_empty() {
            return marks;
        }
        let tokens = Tokens::of(text);
        for token in &tokens.list {
            let form = tokens.form(token);
            let found = match token.role {
                Role::Tail => self.letters.get(form).cloned(),
                Role::Pair if self.letters.iter().any(|letter| form.starts_with(letter.as_str())) => {
                    let letter = text[token.range.clone()].chars().next().unwrap_or_default();
                    let range = token.range.start..token.range.start + letter.len_utf8();
                    marks.push(Mark { range, stem: form.to_owned() });
                    continue;
                }
                _ => [Language::English, Language::Portuguese]
                    .into_iter()
                    .map(|language| stem(form, language))
                    .find(|stem| self.stems.contains(stem)),
            };
            if let Some(stem) = found {
                marks.push(Mark { range: token.range.clone(), stem });
            }
        }
        marks.sort_by_key(|mark| (mark.range.start, mark.range.end));
        marks
    }
}

/// The bytes of a text between the first and the last of a range of its stems, as [`super::Analysis::stems`] counts them;
/// none where the text has none of them.
pub fn block_range(text: &str, block: Range<u32>) -> Option<Range<usize>> {
    let tokens = Tokens::of(text);
    let only_stop_words = tokens.only_stop_words();
    let mut placed = tokens
        .list
        .iter()
        .filter(|token| token.role.is_placed() && (only_stop_words || !is_stop_word(tokens.form(token))))
        .skip(block.start as usize)
        .take(block.len());
    let first = placed.next()?;
    let last = placed.last().unwrap_or(first);
    Some(first.range.start..last.range.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Analysis;

    fn check(text: &str, words: &[&str], expected: &[&str]) {
        let marks = Marker::new(words).marks(text);
        assert_eq!(
            marks.iter().map(|mark| &text[mark.range.clone()]).collect::<Vec<_>>(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn every_form_of_a_word_is_marked() {
        check("As reuniões: uma reunião", &["REUNIAO"], &["reuniões", "reunião"]);
        check("we deployed the deployment", &["deploy"], &["deployed", "deployment"]);
        check("日本語のテキスト", &["日本語"], &["日本", "本語"]);
        check("青い空", &["青"], &["青"]);
        check("party 🎉", &["🎉"], &["🎉"]);
        check("nothing", &[], &[]);
    }

    #[test]
    fn blocks_are_counted_as_the_analysis_counts() {
        let text = "the first, and the second; the third";
        assert_eq!(Analysis::of(text).n_stems, 3);
        let part = |range: Range<u32>| block_range(text, range).map(|range| &text[range]);
        assert_eq!(part(0..1), Some("first"));
        assert_eq!(part(1..3), Some("second; the third"));
        assert_eq!(part(0..100), Some("first, and the second; the third"));
        assert_eq!(part(3..5), None);
    }
}
