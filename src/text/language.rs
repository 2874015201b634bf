//! Tells by its function words whether a text is English or Portuguese, and knows the words that tell nothing.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::fold::fold;

/// A language whose words are stemmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Portuguese.
    Portuguese,
}

impl Language {
    /// The language of a text; none where its function words do not tell.
    pub fn of(text: &str) -> Option<Self> {
        let mut count = Count::default();
        for word in
            text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(WORDS_COUNTED)
        {
            count.add(&fold(word));
        }
        count.language(text)
    }
}

/// Words of a text that are counted: a pasted file behind them should not outvote them.
pub(super) const WORDS_COUNTED: usize = 300;

/// Whose word it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    English,
    Portuguese,
    Both,
}

/// Folded words that tell nothing about a text.
static STOP_WORDS: LazyLock<HashMap<&str, Of>> = LazyLock::new(|| {
    let portuguese = include_str!("stopwords-pt.txt").split_whitespace().map(|word| (word, Of::Portuguese));
    let mut words: HashMap<&str, Of> = portuguese.collect();
    for word in include_str!("stopwords-en.txt").split_whitespace() {
        words.entry(word).and_modify(|of| *of = Of::Both).or_insert(Of::English);
    }
    words
});

/// Whether the folded word tells nothing about a text.
pub(super) fn is_stop_word(form: &str) -> bool {
    STOP_WORDS.contains_key(form)
}

/// Counts the words of a text that show its language.
#[derive(Default)]
pub(super) struct Count {
    english: usize,
    portuguese: usize,
}

impl Count {
    /// Looks at a folded word.
    pub(super) fn add(&mut self, form: &str) {
        match STOP_WORDS.get(form) {
            Some(Of::English) => self.english += 1,
            Some(Of::Portuguese) => self.portuguese += 1,
            Some(Of::Both) | None => (),
        }
    }

    /// The language of most of them; `text` breaks a tie by letters that English has not.
    pub(super) fn language(&self, text: &str) -> Option<Language> {
        match self.english.cmp(&self.portuguese) {
            std::cmp::Ordering::Greater => Some(Language::English),
            std::cmp::Ordering::Less => Some(Language::Portuguese),
            std::cmp::Ordering::Equal => {
                let tells = |c| matches!(c, 'ã' | 'õ' | 'Ã' | 'Õ' | 'ç' | 'Ç' | '\u{303}' | '\u{327}');
                text.chars().take(2000).any(tells).then_some(Language::Portuguese)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Language>) {
        let mut count = Count::default();
        for word in text.split_whitespace() {
            count.add(&crate::text::fold(word));
        }
        assert_eq!(count.language(text), expected, "{text}");
    }

    #[test]
    fn function_words_decide() {
        check("o prazo da entrega é sexta", Some(Language::Portuguese));
        check("the deadline is friday", Some(Language::English));
        check("reunião", Some(Language::Portuguese));
        check("deploy kubernetes", None);
        check("", None);
    }

    #[test]
    fn stop_words_stand_in_their_lists_as_they_are_looked_up() {
        for word in STOP_WORDS.keys() {
            assert_eq!(*word, crate::text::fold(word));
        }
    }
}
