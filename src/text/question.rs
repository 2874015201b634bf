//! What a question asks for: its words, and the terms under which texts that hold them are found.

use std::collections::HashSet;

use super::analysis::UNSTEMMED;
use super::language::{Language, is_stop_word};
use super::scan::{Role, Tokens};
use super::stem::stem;

/// Distinct words of a question that are looked at; of these the rarest are searched.
pub const MAX_WORDS: usize = 64;
/// Bytes of a question that are looked at.
const MAX_BYTES: usize = 64 << 10;

/// A question as words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The words that tell something, each once, in the order of the question; where there are none, those that
    /// tell nothing.
    pub words: Vec<QuestionWord>,
    /// The words that tell nothing and are left out, as they are written.
    pub left_out: Vec<String>,
    /// The words in their order, by their place in `words`; a word may come more than once.
    pub sequence: Vec<usize>,
}

/// A word of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionWord {
    /// As it is written.
    pub text: String,
    /// Its folded form.
    pub form: String,
    /// The terms that stand for it; a text that holds any of them holds the word.
    pub stems: Vec<Term>,
    /// The terms that stand for just this form of it.
    pub surfaces: Vec<Term>,
}

/// A term of the index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Term {
    /// This one.
    Whole(String),
    /// Every one that begins so.
    Beginning(String),
}

impl Question {
    /// Reads a question. Nothing in it is an operator.
    pub fn of(text: &str) -> Self {
        let text = &text[..text.floor_char_boundary(MAX_BYTES)];
        let tokens = Tokens::of(text);
        let only_stop_words = tokens.only_stop_words();
        let mut question = Question::default();
        let mut left_out = HashSet::new();
        for (number, token) in tokens.list.iter().enumerate() {
            let form = tokens.form(token);
            let written = &text[token.range.clone()];
            if is_stop_word(form) && !only_stop_words {
                if token.role == Role::Word && left_out.insert(form.to_owned()) && left_out.len() <= MAX_WORDS
                {
                    question.left_out.push(written.to_owned());
                }
                continue;
            }
            let follows_pair = number > 0
                && tokens.list[number - 1].role == Role::Pair
                && tokens.list[number - 1].range.end == token.range.end;
            // the last character of a run is in the pair before it; the words inside `fooBar` are in texts that
            // hold the whole, and asking for them too would count it thrice
            if (token.role == Role::Tail && follows_pair) || is_inside(&tokens, number) {
                continue;
            }
            let place = match question.words.iter().position(|word| word.form == form) {
                Some(place) => place,
                None if question.words.len() >= MAX_WORDS => continue,
                None => {
                    question.words.push(QuestionWord::new(written, form, token.role));
                    question.words.len() - 1
                }
            };
            if token.role.is_placed() {
                question.sequence.push(place);
            }
        }
        question
    }
}

/// Whether the token is a part of the word before it, as `Bar` is in `fooBar`.
fn is_inside(tokens: &Tokens, number: usize) -> bool {
    let part = &tokens.list[number];
    let word = tokens.list[..number].iter().rev().find(|before| before.role == Role::Word);
    part.role == Role::Part
        && word.is_some_and(|word| word.range.start <= part.range.start && part.range.end <= word.range.end)
}

impl QuestionWord {
    fn new(written: &str, form: &str, role: Role) -> Self {
        if role == Role::Tail {
            let stems = vec![Term::Beginning(form.to_owned())];
            return Self { text: written.to_owned(), form: form.to_owned(), stems, surfaces: Vec::new() };
        }
        let mut stems = vec![stem(form, Language::English)];
        let other = stem(form, Language::Portuguese);
        if other != stems[0] {
            stems.push(other);
        }
        let mut surfaces = Vec::new();
        if stems.iter().any(|stem| stem == form) {
            surfaces.push(Term::Whole(form.to_owned()));
        }
        if stems.iter().any(|stem| stem != form) {
            surfaces.push(Term::Whole(format!("{UNSTEMMED}{form}")));
        }
        Self {
            text: written.to_owned(),
            form: form.to_owned(),
            stems: stems.into_iter().map(Term::Whole).collect(),
            surfaces,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, words: &[&str], left_out: &[&str]) {
        let question = Question::of(text);
        let found: Vec<&str> = question.words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(
            (found, question.left_out.as_slice()),
            (words.to_vec(), &left_out.iter().map(|w| w.to_string()).collect::<Vec<_>>()[..]),
            "{text:?}"
        );
        assert!(question.sequence.iter().all(|place| *place < question.words.len()));
    }

    #[test]
    fn words_are_told_from_words_that_tell_nothing() {
        check("Qual é o prazo da entrega?", &["prazo", "entrega"], &["Qual", "é", "o", "da"]);
        check("the Ação, a AÇÃO e acao", &["Ação"], &["the", "a", "e"]);
        check("o que", &["o", "que"], &[]);
        check("content: ação NEAR(x)", &["content", "ação", "NEAR", "x"], &[]);
        check("日本語 日", &["日本", "本語", "日"], &[]);
        check("fooBar", &["fooBar"], &[]);
        check("foo_bar", &["foo", "bar", "foo_bar"], &[]);
        check("fooBar_baz", &["fooBar", "baz", "fooBar_baz"], &[]);
        check("🎉 ~~>", &["🎉", "~~>"], &[]);
        check(" \0\t", &[], &[]);
    }

    #[test]
    fn a_word_stands_for_its_stems_and_for_itself() {
        let word = &Question::of("deployed").words[0];
        let whole = |term: &str| Term::Whole(term.to_owned());
        assert_eq!(word.stems[0], whole("deploy"));
        assert_eq!(word.surfaces, [whole("deployed"), whole("\u{80}deployed")][2 - word.surfaces.len()..]);
        assert_eq!(Question::of("日").words[0].stems, [Term::Beginning("日".into())]);
    }

    #[test]
    fn a_long_text_is_bounded() {
        let text: String = (0..100_000).map(|n| format!("palavra{n} ")).collect();
        assert_eq!(Question::of(&text).words.len(), MAX_WORDS);
        assert_eq!(Question::of(&"x".repeat(100_000)), Question::default());
    }

    #[test]
    fn a_repeated_word_keeps_its_places() {
        assert_eq!(Question::of("red car red house").sequence, [0, 1, 0, 2]);
    }
}
