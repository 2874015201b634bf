//! From free text to words that full text can be asked for: no operator, quote or column of the query language
//! survives, whatever the text holds.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Distinct words of a text that are looked at; of these the rarest are searched.
const MAX_WORDS: usize = 128;
/// A longer run of letters is no word (a key, a blob): nobody searches for it by typing it.
const MAX_WORD_BYTES: usize = 256;
/// Pieces that are looked for as they stand.
const MAX_PIECES: usize = 48;

/// Portuguese and English words that tell nothing about a text, without accents.
static STOP_WORDS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("stopwords.txt").split_whitespace().collect());

/// What a text asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    /// Words that tell something, distinct but for case and accents, in the order of the text.
    pub(super) words: Vec<String>,
    /// Words that tell nothing.
    pub(super) stop_words: Vec<String>,
    /// Pieces to look for letter by letter, because full text does not know them as words: pairs of characters of
    /// scripts without spaces, and signs where the text holds no word at all.
    pub(super) pieces: Vec<String>,
}

impl Terms {
    pub(super) fn of(text: &str) -> Self {
        let mut terms = Terms::default();
        let mut seen = HashSet::new();
        for word in text.split(|c: char| !c.is_alphanumeric() && !is_mark(c)) {
            let has_letter = word.chars().any(char::is_alphanumeric);
            if !has_letter || word.len() > MAX_WORD_BYTES || !seen.insert(fold(word)) {
                continue;
            }
            if word.chars().any(is_spaceless) {
                terms.add_pairs(word);
            } else if STOP_WORDS.contains(fold(word).as_str()) {
                terms.stop_words.push(word.to_owned());
            } else {
                terms.words.push(word.to_owned());
            }
            if terms.words.len() + terms.stop_words.len() >= MAX_WORDS {
                break;
            }
        }
        if terms == Terms::default() {
            let signs = text.split(|c: char| c.is_whitespace() || c == '\0').filter(|sign| !sign.is_empty());
            terms.pieces = signs
                .filter(|sign| sign.len() <= MAX_WORD_BYTES)
                .take(MAX_PIECES)
                .map(str::to_owned)
                .collect();
        }
        terms
    }

    fn add_pairs(&mut self, word: &str) {
        let letters: Vec<char> = word.chars().collect();
        for pair in letters.windows(2.min(letters.len())) {
            let pair: String = pair.iter().collect();
            if self.pieces.len() < MAX_PIECES && !self.pieces.contains(&pair) {
                self.pieces.push(pair);
            }
        }
    }
}

/// The word as a string of the query language, which takes everything in it literally.
pub(super) fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\"\""))
}

/// Any of the words.
pub(super) fn any_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quoted).collect::<Vec<_>>().join(" OR ")
}

/// All of the words.
pub(super) fn all_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quoted).collect::<Vec<_>>().join(" AND ")
}

/// Accents that stand behind their letter, and the joiner within some words and signs.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{200d}')
}

/// Scripts that put no spaces between words, so that full text takes a whole clause for one word.
fn is_spaceless(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Lower case without the accents of western European languages, much as full text folds its words.
pub(super) fn fold(word: &str) -> String {
    let lower = word.chars().flat_map(char::to_lowercase);
    lower.filter(|c| !is_mark(*c)).map(unaccented).collect()
}

fn unaccented(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => 'e',
        'ì'..='ï' | 'ī' | 'į' => 'i',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ō' | 'ő' => 'o',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => 'u',
        'ý' | 'ÿ' => 'y',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, words: &[&str], stop_words: &[&str], pieces: &[&str]) {
        let own = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let expected = Terms { words: own(words), stop_words: own(stop_words), pieces: own(pieces) };
        assert_eq!(Terms::of(text), expected, "{text:?}");
    }

    #[test]
    fn words_are_told_from_stop_words_and_signs() {
        check("Qual é o prazo da entrega?", &["prazo", "entrega"], &["Qual", "é", "o", "da"], &[]);
        check("the Ação, a AÇÃO e acao", &["Ação"], &["the", "a", "e"], &[]);
        check("C++ e-mail@x.org '; DROP--", &["C", "mail", "x", "org", "DROP"], &["e"], &[]);
        check("content: ação NEAR(x)", &["content", "ação", "NEAR", "x"], &[], &[]);
        check("🎉 ~~", &[], &[], &["🎉", "~~"]);
        check(" \0\t", &[], &[], &[]);
        check("日本語 test 日", &["test"], &[], &["日本", "本語", "日"]);
        check("corac\u{327}a\u{303}o", &["corac\u{327}a\u{303}o"], &[], &[]);
    }

    #[test]
    fn long_texts_and_long_words_are_bounded() {
        let text: String = (0..10_000).map(|n| format!("palavra{n} ")).collect();
        assert_eq!(Terms::of(&text).words.len(), MAX_WORDS);
        assert_eq!(Terms::of(&"x".repeat(100_000)), Terms::default());
    }

    #[test]
    fn stop_words_stand_in_their_list_as_they_are_looked_up() {
        for word in STOP_WORDS.iter() {
            assert_eq!(*word, fold(word));
        }
    }
}
