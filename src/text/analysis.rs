//! The terms under which a text is found.

use super::language::{Count, Language, WORDS_COUNTED, is_stop_word};
use super::scan::{Role, Tokens};
use super::stem::stem;

/// Stands before a form that is no stem, so that the same letters never mean both. No token holds it.
pub const UNSTEMMED: char = '\u{80}';

/// The terms of a text, each list separated by spaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// The stems of its words in their order; words that tell nothing are left out, unless there is nothing else.
    pub stems: String,
    /// Under what else it is found, in no order that matters: the unstemmed forms that differ from their stems,
    /// marked; the stems of the other language where the text's own is not known; the words inside identifiers.
    pub others: String,
    /// How many stems there are.
    pub n_stems: usize,
}

impl Analysis {
    /// Analyses a text, in time linear in its length.
    pub fn of(text: &str) -> Self {
        let tokens = Tokens::of(text);
        let language = language(&tokens, text);
        let only_stop_words = tokens.only_stop_words();
        let mut analysis = Analysis::default();
        analysis.stems.reserve(tokens.list.len() * 6);
        for token in &tokens.list {
            let form = tokens.form(token);
            if is_stop_word(form) && !only_stop_words {
                continue;
            }
            let main = stem(form, language.unwrap_or(Language::English));
            let is_placed = token.role.is_placed();
            // where nothing tells the language, the question decides
            if language.is_none() {
                let other = stem(form, Language::Portuguese);
                if other != main {
                    push(&mut analysis.others, &[&other]);
                }
            }
            if is_placed && main != form {
                push(&mut analysis.others, &[UNSTEMMED.encode_utf8(&mut [0; 4]), form]);
            }
            push(if is_placed { &mut analysis.stems } else { &mut analysis.others }, &[&main]);
            analysis.n_stems += usize::from(is_placed);
        }
        analysis
    }
}

impl Role {
    /// Whether tokens of this kind follow each other in the text, rather than standing beside others.
    pub(super) fn is_placed(self) -> bool {
        matches!(self, Role::Word | Role::Pair | Role::Sign)
    }
}

impl Tokens {
    /// Whether every token is a word that tells nothing; then they are all there is to find the text by.
    pub(super) fn only_stop_words(&self) -> bool {
        self.list.iter().all(|token| is_stop_word(self.form(token)))
    }
}

fn language(tokens: &Tokens, text: &str) -> Option<Language> {
    let mut count = Count::default();
    for token in tokens.list.iter().filter(|token| token.role == Role::Word).take(WORDS_COUNTED) {
        count.add(tokens.form(token));
    }
    count.language(text)
}

fn push(list: &mut String, parts: &[&str]) {
    if !list.is_empty() {
        list.push(' ');
    }
    list.extend(parts.iter().copied());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, stems: &str, others: &str) {
        let analysis = Analysis::of(text);
        let others = others.replace('^', "\u{80}");
        assert_eq!((analysis.stems.as_str(), analysis.others.as_str()), (stems, others.as_str()), "{text:?}");
    }

    #[test]
    fn stems_are_those_of_the_language() {
        check("The servers were deployed", "server deploy", "^servers ^deployed");
        check("As reuniões são amanhã", "reunia amanh", "^reunioes ^amanha");
        // unknown: both, the other beside
        check("reunioes canceladas", "reunio cancelada", "reunia ^reunioes cancel ^canceladas");
        check("", "", "");
    }

    #[test]
    fn words_that_tell_nothing_are_left_out_unless_they_are_all() {
        check("o que é isso", "o que e isso", "");
        check("to be or not to be", "to be or not to be", "");
        check("it is green", "green", "");
    }

    #[test]
    fn identifiers_and_signs() {
        check("use foo_bar and isOpen in the file", "use foo bar isopen file", "foobar open");
        check("🎉 日本語", "🎉 日本 本語", "語");
    }

    proptest! {
        #[test]
        fn terms_are_words_to_the_index(text in "\\PC{0,60}|.{0,40}") {
            let Analysis { stems, others, n_stems } = Analysis::of(&text);
            for term in stems.split(' ').chain(others.split(' ')) {
                prop_assert!(term.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric()), "{:?}", term);
            }
            prop_assert_eq!(stems.split(' ').filter(|stem| !stem.is_empty()).count(), n_stems);
        }
    }
}
