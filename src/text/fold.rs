//! Words without case and accents: the form in which they are compared.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The word in lower case, without accents, compatibility characters as what they stand for. Nothing but letters,
/// digits and the marks that some scripts write vowels with is left.
pub fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    fold_into(word, &mut folded);
    folded
}

/// The text without accents, everything else as it is.
pub fn bare(text: &str) -> String {
    match text.is_ascii() {
        true => text.to_owned(),
        false => text.nfd().filter(|c| !is_accent(*c)).nfc().collect(),
    }
}

/// Appends the folded word.
pub(super) fn fold_into(word: &str, folded: &mut String) {
    if word.is_ascii() {
        folded.extend(word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()));
        return;
    }
    let bare = word.chars().flat_map(char::to_lowercase).nfkd().filter(|c| !is_accent(*c));
    let start = folded.len();
    for c in bare.filter(|c| c.is_alphanumeric() || is_combining_mark(*c)) {
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'đ' | 'ð' => folded.push('d'),
            'ł' => folded.push('l'),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            // some compatibility characters fall apart into capitals
            c if c.is_ascii() => folded.push(c.to_ascii_lowercase()),
            c => folded.extend(c.to_lowercase()),
        }
    }
    // what has no accents to lose is put together again: the syllables of Korean, above all
    if !folded[start..].is_ascii() {
        let composed: String = folded[start..].nfc().collect();
        folded.truncate(start);
        folded.push_str(&composed);
    }
}

/// Marks that people leave out when they type: accents, and the voicing marks of Japanese, which are a character of
/// their own or none depending on who wrote the text. The vowel signs of other scripts are no accents.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{3099}' | '\u{309a}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bare_text_has_no_accents_and_all_the_rest() {
        assert_eq!(bare("Física/ação-2 ☂ ひら"), "Fisica/acao-2 ☂ ひら");
    }

    fn check(word: &str, expected: &str) {
        assert_eq!(fold(word), expected, "{word:?}");
    }

    #[test]
    fn case_and_accents_go() {
        check("AÇÃO", "acao");
        check("corac\u{327}a\u{303}o", "coracao");
        check("Straße", "strasse");
        check("ﬁm", "fim");
        check("x²", "x2");
        check("ΣΊΣΥΦΟΣ", "σισυφοσ");
        check("한국어", "한국어");
        check("が", "か");
        check("हिन्दी", "हिन्दी");
        check("foo'bar", "foobar");
        check("", "");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(word in "\\PC{0,12}") {
            let once = fold(&word);
            prop_assert_eq!(fold(&once), once.clone());
            prop_assert!(!once.contains(char::is_whitespace));
        }
    }
}
