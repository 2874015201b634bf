//! Estimates tokens where the model's own tokenizer is unknown. It errs on the high side: a prompt that is
//! estimated to fit must fit.

/// Tokens that a chat template puts around one message: role, begin and end marks.
pub const MESSAGE_TOKENS: u32 = 6;

/// About how many tokens `text` takes, on the high side; 0 for the empty text only.
///
/// As a rule of thumb a token is about 4 letters of English prose and 3 of Portuguese; code, digits and
/// punctuation are denser; Cyrillic, Greek, Arabic and their kin take about two letters a token; Chinese,
/// Japanese and Korean about one character, in older vocabularies less; what a vocabulary lacks (emoji, rare
/// scripts) is spelled out in bytes, two to four tokens a character.
///
/// Each character has a fixed weight in hundredths of a token, so the estimate of a text is never below that of
/// a part of it, and the parts of a text together are never below the whole.
pub fn estimate(text: &str) -> u32 {
    let hundredths: u64 = text.chars().map(|c| u64::from(weight(c))).sum();
    u32::try_from(hundredths.div_ceil(100)).unwrap_or(u32::MAX)
}

/// The end of the longest beginning of `text` that takes at most `tokens`, on a character boundary.
pub fn longest_beginning(text: &str, tokens: u32) -> usize {
    let mut left = u64::from(tokens) * 100;
    for (at, c) in text.char_indices() {
        let cost = u64::from(weight(c));
        if cost > left {
            return at;
        }
        left -= cost;
    }
    text.len()
}

fn weight(c: char) -> u32 {
    match c {
        // words bring the space before them along
        ' ' => 10,
        'a'..='z' => 31,
        'A'..='Z' => 45,
        '0'..='9' => 100,
        '\n' | '\t' => 60,
        '\r' | '\0'..='\u{1f}' | '\u{7f}' => 100,
        // punctuation and operators, of which code is full
        '!'..='~' => 80,
        // accented letters of the languages of Europe
        '\u{80}'..='\u{24f}' => 100,
        // combining accents, Greek, Cyrillic, Hebrew, Arabic and their kin
        '\u{250}'..='\u{7bf}' => 80,
        // typographic quotes, dashes, the ellipsis
        '\u{2000}'..='\u{206f}' => 130,
        // kana, Hangul, the unified ideographs, full-width forms
        '\u{3000}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{ff00}'..='\u{ffef}' => 150,
        // scripts that small vocabularies spell out in bytes
        '\u{7c0}'..='\u{ffff}' => 200,
        _ => 400,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `most` and `least`: characters that one estimated token may stand for.
    fn check(text: &str, least: f64, most: f64) {
        let each = text.chars().count() as f64 / f64::from(estimate(text));
        assert!((least..=most).contains(&each), "{text}: {each:.2} characters a token");
    }

    #[test]
    fn each_script_has_its_density() {
        check("The quick brown fox jumps over the lazy dog and runs into the forest.", 2.8, 3.8);
        check("A reunião ficou marcada para a próxima quinta-feira às dez horas da manhã.", 2.3, 3.2);
        check("fn main() { let x = vec![1, 2]; println!(\"{}\", x[0] + 2); }", 1.2, 2.6);
        check("2024-03-14T09:26:53Z", 0.9, 1.3);
        check("Съешь ещё этих мягких французских булок", 1.0, 1.6);
        check("私は猫が好きです。", 0.5, 1.0);
        check("🦀🦀🦀", 0.2, 0.35);
    }

    proptest! {
        #[test]
        fn it_grows_with_the_text(a in ".{0,40}", b in ".{0,40}") {
            let whole = estimate(&format!("{a}{b}"));
            prop_assert!(whole >= estimate(&a).max(estimate(&b)));
            prop_assert!(whole <= estimate(&a) + estimate(&b));
            prop_assert_eq!(estimate(&a) == 0, a.is_empty());
        }

        #[test]
        fn a_beginning_fits(text in ".{0,60}", tokens in 0u32..40) {
            let end = longest_beginning(&text, tokens);
            prop_assert!(estimate(&text[..end]) <= tokens);
            if let Some(next) = text[end..].chars().next() {
                prop_assert!(estimate(&text[..end + next.len_utf8()]) > tokens);
            }
        }
    }
}
