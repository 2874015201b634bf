//! Cuts a text into tokens: words, the words inside identifiers, pairs of characters where a script puts no spaces,
//! and signs.

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

use super::fold::fold_into;

/// A longer run of letters is no word (a key, a blob): nobody searches for it by typing it.
const MAX_WORD_BYTES: usize = 256;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A word between spaces or punctuation.
    Word,
    /// A word inside of one (`Bar` in `fooBar`), or several that are written as one (`foo_bar`); it stands beside
    /// the words that it is made of or is a part of.
    Part,
    /// Two neighbouring characters of a script without spaces.
    Pair,
    /// The last character of a run of such, so that each is the beginning of a token.
    Tail,
    /// An emoji, an operator, another sign.
    Sign,
}

/// A token of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Where its folded form stands in [`Tokens`].
    form: Range<usize>,
    /// The bytes of the text that it stands for.
    pub(super) range: Range<usize>,
    /// What it is.
    pub(super) role: Role,
}

/// The tokens of a text in its order.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    forms: String,
    pub(super) list: Vec<Token>,
}

impl Tokens {
    /// Cuts the text, in time linear in its length.
    pub(super) fn of(text: &str) -> Self {
        let mut tokens = Tokens { forms: String::with_capacity(text.len() / 2), list: Vec::new() };
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            at = if c.is_alphanumeric() {
                tokens.identifier(text, at)
            } else if is_sign(c) {
                tokens.signs(text, at)
            } else {
                at + c.len_utf8()
            };
        }
        tokens
    }

    /// The folded form of a token.
    pub(super) fn form(&self, token: &Token) -> &str {
        &self.forms[token.form.clone()]
    }

    fn push(&mut self, text: &str, range: Range<usize>, role: Role) -> bool {
        let start = self.forms.len();
        fold_into(&text[range.clone()], &mut self.forms);
        let is_token = self.forms.len() > start && self.forms.len() - start <= MAX_WORD_BYTES;
        if is_token {
            self.list.push(Token { form: start..self.forms.len(), range, role });
        } else {
            self.forms.truncate(start);
        }
        is_token
    }

    /// Words joined by `_`, from `start`; answers where they end.
    fn identifier(&mut self, text: &str, start: usize) -> usize {
        let (mut n_words, mut end) = (0, start);
        loop {
            let (word_start, word_end) = (end, run_end(text, end, is_in_word));
            end = self.word(text, word_start..word_end);
            n_words += 1;
            let next = run_end(text, end, |c| c == '_');
            let goes_on = next > end && text[next..].chars().next().is_some_and(char::is_alphanumeric);
            if !goes_on {
                break;
            }
            end = next;
        }
        if n_words > 1 && end - start <= MAX_WORD_BYTES {
            self.push(text, start..end, Role::Part);
        }
        end
    }

    /// One run of letters and digits, with what an apostrophe may hang to it; answers where it ends.
    fn word(&mut self, text: &str, run: Range<usize>) -> usize {
        let mut at = run.start;
        while at < run.end {
            let spaceless = text[at..].chars().next().is_some_and(is_spaceless);
            let end = run_end(&text[..run.end], at, |c| is_spaceless(c) == spaceless || is_combining_mark(c));
            if spaceless {
                self.pairs(text, at..end);
            } else if end - at <= MAX_WORD_BYTES {
                if end == run.end
                    && let Some((suffix_end, negates)) = suffix(text, end)
                {
                    // "don't", "can't": the whole is a word that tells nothing
                    if !(negates && text[at..end].ends_with(['n', 'N'])) {
                        self.camel(text, at..end);
                    }
                    return suffix_end;
                }
                self.camel(text, at..end);
            }
            at = end;
        }
        run.end
    }

    /// A word, and the words that capitals show inside of it.
    fn camel(&mut self, text: &str, range: Range<usize>) {
        if !self.push(text, range.clone(), Role::Word) {
            return;
        }
        let bytes = text[range.clone()].as_bytes();
        let is_boundary = |i: usize| {
            let (before, here, after) = (bytes[i - 1], bytes[i], bytes.get(i + 1));
            here.is_ascii_uppercase()
                && (before.is_ascii_lowercase()
                    || ((before.is_ascii_uppercase() || before.is_ascii_digit())
                        && after.is_some_and(u8::is_ascii_lowercase)))
        };
        let mut from = 0;
        for i in (1..bytes.len()).filter(|i| is_boundary(*i)).chain([bytes.len()]) {
            // a letter alone ("iPhone") tells nothing
            if (from > 0 || i < bytes.len()) && i - from > 1 {
                self.push(text, range.start + from..range.start + i, Role::Part);
            }
            from = i;
        }
    }

    fn pairs(&mut self, text: &str, range: Range<usize>) {
        let mut letters = text[range.clone()].char_indices().map(|(i, c)| (range.start + i, c)).peekable();
        while let Some((start, _)) = letters.next() {
            match letters.peek() {
                Some((next, c)) => self.push(text, start..next + c.len_utf8(), Role::Pair),
                None => self.push(text, start..range.end, Role::Tail),
            };
        }
    }

    /// An emoji or another sign alone, a flag as a whole, operators of several characters as a whole.
    fn signs(&mut self, text: &str, start: usize) -> usize {
        let first = text[start..].chars().next().unwrap_or_default();
        let end = if first.is_ascii() {
            run_end(text, start, |c| c.is_ascii_punctuation())
        } else if is_regional(first) {
            text[start..]
                .char_indices()
                .take(2)
                .take_while(|(_, c)| is_regional(*c))
                .fold(start, |_, (i, c)| start + i + c.len_utf8())
        } else {
            start + first.len_utf8()
        };
        let sign = &text[start..end];
        let is_operator = sign.chars().nth(1).is_some() && !sign.chars().all(is_prose);
        if !first.is_ascii() || (is_operator && sign.len() <= MAX_SIGN_BYTES) {
            let from = self.forms.len();
            // full-width, because the index takes ASCII signs for spaces
            self.forms.extend(sign.chars().map(|c| match c {
                '!'..='~' => char::from_u32(c as u32 + 0xfee0).unwrap_or(c),
                other => other,
            }));
            self.list.push(Token { form: from..self.forms.len(), range: start..end, role: Role::Sign });
        }
        end
    }
}

/// A longer row of signs is an ornament.
const MAX_SIGN_BYTES: usize = 8;

fn run_end(text: &str, start: usize, holds: impl Fn(char) -> bool) -> usize {
    text[start..].find(|c| !holds(c)).map_or(text.len(), |length| start + length)
}

/// Letters, digits, accents that stand behind their letter, vowel signs, and the joiners within some words.
fn is_in_word(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '\u{200c}' | '\u{200d}')
}

/// `'s`, `'ll` and their like behind a word: where it ends, and whether it is the `'t` of "not".
fn suffix(text: &str, word_end: usize) -> Option<(usize, bool)> {
    let tail = text[word_end..].strip_prefix(['\'', '’'])?;
    let end = run_end(tail, 0, is_in_word);
    let is_suffix =
        ["s", "t", "d", "m", "ll", "re", "ve"].iter().any(|s| tail[..end].eq_ignore_ascii_case(s));
    is_suffix.then(|| (text.len() - tail.len() + end, tail[..end].eq_ignore_ascii_case("t")))
}

/// Scripts that put no spaces between words.
pub(super) fn is_spaceless(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}'
        | '\u{20000}'..='\u{3ffff}')
}

fn is_regional(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

/// Punctuation of prose and of Markdown, which says nothing even in rows.
fn is_prose(c: char) -> bool {
    matches!(
        c,
        '.' | ','
            | ';'
            | ':'
            | '!'
            | '?'
            | '\''
            | '"'
            | '('
            | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '-'
            | '_'
            | '*'
            | '#'
            | '`'
            | '/'
            | '|'
    )
}

/// Signs that may be a token: none that punctuates, joins, or only changes how its neighbour looks.
fn is_sign(c: char) -> bool {
    match c {
        c if c.is_ascii() => c.is_ascii_punctuation(),
        '§' | '©' | '®' | '°' | '±' | '×' | '÷' | '¢'..='¥' => true,
        '\u{1f3fb}'..='\u{1f3ff}' | '\u{fe00}'..='\u{fe0f}' => false,
        '\u{20a0}'..='\u{20bf}' | '\u{2100}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let tokens = Tokens::of(text);
        let found: Vec<String> = tokens
            .list
            .iter()
            .map(|token| match token.role {
                Role::Part => format!("({})", tokens.form(token)),
                Role::Tail => format!("{}.", tokens.form(token)),
                _ => tokens.form(token).to_owned(),
            })
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn words_end_at_spaces_and_punctuation() {
        check("Qual é o prazo?", &["qual", "e", "o", "prazo"]);
        check("corac\u{327}a\u{303}o", &["coracao"]);
        check("e-mail@x.org '; DROP--", &["e", "mail", "x", "org", "drop"]);
        check("a\0b", &["a", "b"]);
        check(" \t.,;", &[]);
        check("copo d'água", &["copo", "d", "agua"]);
    }

    #[test]
    fn what_hangs_at_an_apostrophe_goes() {
        check("Caroline's dog isn't Bob’s", &["caroline", "dog", "bob"]);
        check("I'm sure they'll, Model S", &["i", "sure", "they", "model", "s"]);
    }

    #[test]
    fn words_inside_identifiers_are_found() {
        check("foo_bar", &["foo", "bar", "(foobar)"]);
        check("fooBar", &["foobar", "(foo)", "(bar)"]);
        check("HTTPServer2 iPhone", &["httpserver2", "(http)", "(server2)", "iphone", "(phone)"]);
        check("src/a_b.rs:12 v1.2.3 E0382", &["src", "a", "b", "(ab)", "rs", "12", "v1", "2", "3", "e0382"]);
        check("__init__ CAPS", &["init", "caps"]);
        check("std::vec", &["std", "vec"]);
    }

    #[test]
    fn scripts_without_spaces_are_cut_into_pairs() {
        check("日本語 test 日", &["日本", "本語", "語.", "test", "日."]);
        check("Python3で書く", &["python3", "て書", "書く", "く."]);
        check("한국어", &["한국", "국어", "어."]);
    }

    #[test]
    fn signs_are_tokens_where_they_say_something() {
        check("party 🎉🎉 👍🏽", &["party", "🎉", "🎉", "👍"]);
        check("🇧🇷🇵🇹", &["🇧🇷", "🇵🇹"]);
        check("a ~~> b, C++ -- ** ... ()", &["a", "～～＞", "b", "c", "＋＋"]);
        check("5 € → ∞ ❤\u{fe0f}", &["5", "€", "→", "∞", "❤"]);
        check("=====================", &[]);
    }

    #[test]
    fn what_is_too_long_for_a_word_is_none() {
        check(&"x".repeat(100_000), &[]);
        check(&format!("a {} b", "Xy".repeat(200)), &["a", "b"]);
        assert_eq!(Tokens::of(&"語".repeat(50_000)).list.len(), 50_000);
    }

    proptest! {
        #[test]
        fn tokens_stand_where_they_say(text in "\\PC{0,60}|.{0,40}|[a-zA-Z_' ]{0,30}") {
            let tokens = Tokens::of(&text);
            for token in &tokens.list {
                prop_assert!(text.get(token.range.clone()).is_some_and(|part| !part.is_empty()));
                let form = tokens.form(token);
                // or the index would cut it again
                prop_assert!(form.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric()), "{:?}", form);
                prop_assert!(!form.is_empty());
            }
        }
    }
}
