//! Makes stored text harmless to a terminal: whoever wrote a message must not be able to move the cursor, set
//! the title or reverse the reading order of the person who reads it.

/// The text for one line: every control character, line breaks included, becomes a visible or blank one.
///
/// One character stays one character, so that ranges in the text keep their meaning.
pub fn line(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            c => harmless(c),
        })
        .collect()
}

/// The text for a block of lines: line breaks and tabs stay, everything else as in [`line`].
pub fn block(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            '\u{2028}' | '\u{2029}' => '\n',
            '\r' => ' ',
            c => harmless(c),
        })
        .collect()
}

fn harmless(c: char) -> char {
    match c {
        // C0 has pictures of its own in Unicode: U+241B shows "ESC"
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        // C1 (0x9b is a one-character ESC [), and what reverses or hides the reading order
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, in_a_line: &str, in_a_block: &str) {
        assert_eq!((line(text).as_str(), block(text).as_str()), (in_a_line, in_a_block), "{text:?}");
    }

    #[test]
    fn known_attacks_become_visible() {
        check("a\nb\tc", "a b c", "a\nb\tc");
        check("\x1b[2J\x1b]0;title\x07", "␛[2J␛]0;title␇", "␛[2J␛]0;title␇");
        check("\u{9b}31m", "\u{fffd}31m", "\u{fffd}31m");
        check("ok\rno\x08\x7f", "ok no␈␡", "ok no␈␡");
        check("user\u{202e}txt.exe", "user\u{fffd}txt.exe", "user\u{fffd}txt.exe");
        check("coração 👩‍🚀", "coração 👩‍🚀", "coração 👩‍🚀");
    }

    proptest! {
        #[test]
        fn nothing_that_controls_a_terminal_is_left(text in any::<String>()) {
            prop_assert!(!line(&text).chars().any(char::is_control));
            prop_assert!(!block(&text).chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        }

        #[test]
        fn characters_keep_their_places(text in any::<String>()) {
            prop_assert_eq!(line(&text).chars().count(), text.chars().count());
            prop_assert_eq!(block(&text).chars().count(), text.chars().count());
        }

        #[test]
        fn pieces_may_be_cleaned_one_by_one(head in any::<String>(), tail in any::<String>()) {
            prop_assert_eq!(block(&format!("{head}{tail}")), block(&head) + &block(&tail));
        }
    }
}
