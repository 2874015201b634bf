//! Finds where sentences end, in prose of any language that marks it.

use std::ops::Range;

/// Whether a sentence ends between `before`, which ends without white space, and `next`, the first character
/// after the white space.
pub fn ends(before: &str, next: char) -> bool {
    let told = before.trim_end_matches(['"', '\'', ')', ']', '»', '”', '’', '*', '_', '」', '』', '）']);
    let Some(mark) = told.chars().next_back() else { return false };
    match mark {
        '!' | '?' | '…' => !next.is_lowercase(),
        '.' => !next.is_lowercase() && !is_abbreviated(told),
        _ => is_full_width_end(mark),
    }
}

/// Whether `c` ends a sentence without any white space after it, as in Chinese and Japanese.
pub fn is_full_width_end(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '｡')
}

/// The sentences of `text` as byte ranges in order, without the white space between them. A line of its own
/// (a list's item, a heading) is a sentence too when the next line begins a new thought.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c.is_whitespace() {
            continue;
        }
        let begin = *start.get_or_insert(at);
        let end = at + c.len_utf8();
        let is_end = match chars.peek() {
            None => true,
            Some((_, next)) if next.is_whitespace() => {
                let gap_end = end + (text[end..].len() - text[end..].trim_start().len());
                match text[gap_end..].chars().next() {
                    None => true,
                    Some(next) => ends_at_gap(&text[begin..end], &text[end..gap_end], &text[gap_end..], next),
                }
            }
            Some(_) => is_full_width_end(c),
        };
        if is_end {
            found.push(begin..end);
            start = None;
        }
    }
    found
}

/// Where to cut `text` so that at most `limit` bytes remain: behind a sentence, else behind a word if that keeps
/// half, else behind a character.
pub fn cut(text: &str, limit: usize) -> usize {
    if limit >= text.len() {
        return text.len();
    }
    let limit = text.floor_char_boundary(limit);
    // the character behind the limit decides whether the last sentence ends there
    let seen = text.ceil_char_boundary((limit + 8).min(text.len()));
    let whole =
        sentences(&text[..seen]).into_iter().rev().find(|range| range.end <= limit).map(|range| range.end);
    let word = text[..limit].rfind(char::is_whitespace).map(|at| text[..at].trim_end().len());
    whole.filter(|end| *end * 2 >= limit).or(word.filter(|end| *end * 2 >= limit)).or(whole).unwrap_or(limit)
}

fn ends_at_gap(before: &str, gap: &str, after: &str, next: char) -> bool {
    let n_lines = gap.matches('\n').count();
    n_lines >= 2 || ends(before, next) || (n_lines == 1 && begins_item(after))
}

/// Whether a line that begins like this is an item of a list, a heading, a quote or a table's row.
pub fn begins_item(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_number = rest.len() < line.len() && rest.starts_with([')', '.']);
    is_number
        || line.starts_with(['#', '>', '|'])
        || ["- ", "* ", "+ ", "• "].iter().any(|mark| line.starts_with(mark))
}

/// Whether the dot at the end belongs to an abbreviation or an initial: "Sr.", "J.", "p.".
fn is_abbreviated(before: &str) -> bool {
    let before = before.trim_end_matches('.');
    // a word is short, and looking back further would make long texts slow
    let tail_start = before.char_indices().rev().nth(8).map_or(0, |(at, _)| at);
    let tail = &before[tail_start..];
    let word = tail.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let mut chars = word.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => c.is_alphabetic(),
        _ => ABBREVIATIONS.contains(&word.to_lowercase().as_str()),
    }
}

const ABBREVIATIONS: &[&str] = &[
    "sr", "sra", "srta", "dr", "dra", "prof", "profa", "eng", "av", "vs", "mr", "mrs", "ms", "st", "jr",
    "fig", "approx", "pág", "ex",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = sentences(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn prose_is_cut_where_sentences_end() {
        check("One. Two! Three? “Four.” Five", &["One.", "Two!", "Three?", "“Four.”", "Five"]);
        check("O Sr. Silva chegou às 3.5 h. Depois saiu.", &["O Sr. Silva chegou às 3.5 h. Depois saiu."]);
        check("O Dr. João veio. Ficou.", &["O Dr. João veio.", "Ficou."]);
        check("wrapped\nline. and so\non", &["wrapped\nline. and so\non"]);
        check("# Title\n\nText\n- one\n- two\n1. three", &["# Title", "Text", "- one", "- two", "1. three"]);
        check("猫です。犬です。", &["猫です。", "犬です。"]);
        check("  \n ", &[]);
    }

    #[test]
    fn texts_are_cut_behind_a_sentence() {
        let check =
            |text: &str, limit: usize, expected: &str| assert_eq!(&text[..cut(text, limit)], expected);
        check("One is here. Two is there.", 99, "One is here. Two is there.");
        check("One is here. Two is there.", 20, "One is here.");
        check("no sentence at all", 14, "no sentence");
        check("éééé", 3, "é");
        check("日本", 2, "");
    }

    proptest! {
        #[test]
        fn no_character_is_lost(text in "[a-zA-Zé.!? \n。-]{0,80}") {
            let mut rest = 0;
            for range in sentences(&text) {
                prop_assert!(text[rest..range.start].trim().is_empty());
                prop_assert!(!range.is_empty());
                rest = range.end;
            }
            prop_assert!(text[rest..].trim().is_empty());
        }
    }
}
