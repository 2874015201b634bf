//! Words that are being typed, as full text is asked for them: no operator, quote or column of its query language
//! survives, whatever the text holds.

use super::lexical::quoted;

/// Words that are looked at.
const MAX_WORDS: usize = 16;
/// A longer run of letters is no word (a key, a blob): nobody searches for it by typing it.
const MAX_WORD_BYTES: usize = 256;

/// All words of a text, the last of them as the beginning of a word; none: it holds no word.
pub(super) fn beginning_with(text: &str) -> Option<String> {
    let words = words(text);
    let (last, before) = words.split_last()?;
    let all = before.iter().map(|word| quoted(word)).chain([format!("{}*", quoted(last))]);
    Some(all.collect::<Vec<_>>().join(" AND "))
}

/// The words of a text, the first of them where there are many.
pub(super) fn words(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && !is_mark(c));
    words
        .filter(|word| word.chars().any(char::is_alphanumeric) && word.len() <= MAX_WORD_BYTES)
        .take(MAX_WORDS)
        .collect()
}

/// Accents that stand behind their letter, and the joiner within some words.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_typed_is_words_and_a_beginning() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(beginning_with(text).as_deref(), expected, "{text:?}");
        };
        check("the dead", Some("\"the\" AND \"dead\"*"));
        check("C++ ação-\"x", Some("\"C\" AND \"ação\" AND \"x\"*"));
        check(" -- ", None);
        check(&"x".repeat(1000), None);
    }
}
