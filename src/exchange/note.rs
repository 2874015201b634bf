//! A file of notes or of code as the messages of a conversation: cut where a reader would, so that what is found is a
//! section and not a whole file.

/// A section that is shorter takes the next one in, heading or not.
const LEAST_BYTES: usize = 200;
/// A section of this size ends at the next blank line.
const GOOD_BYTES: usize = 1500;
/// A section of this size ends at the next line.
const MOST_BYTES: usize = 6000;
/// A line that is longer is cut within.
const MOST_LINE_BYTES: usize = 64 << 10;

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its text, byte for byte.
    pub text: &'a str,
    /// The number of its first line, from 1.
    pub line: usize,
}

/// Whether a file is no text: texts have no NUL bytes.
pub fn is_binary(bytes: &[u8]) -> bool {
    memchr::memchr(0, bytes).is_some()
}

/// Cuts a text at its headings, else between its paragraphs. The sections together are the text, unless it is blank,
/// which has none.
pub fn sections(text: &str) -> Vec<Section<'_>> {
    let mut all = Vec::new();
    let (mut begin, mut first_line) = (0, 1);
    let (mut at, mut number) = (0, 1);
    let mut is_fenced = false;
    let mut is_after_blank = false;
    for line in text.split_inclusive('\n') {
        for piece in pieces(line) {
            let size = at - begin;
            let is_full = size + piece.len() > MOST_BYTES;
            let is_good = size >= GOOD_BYTES && is_after_blank && !is_fenced;
            let is_new = size >= LEAST_BYTES && !is_fenced && is_heading(piece);
            if (is_full || is_good || is_new) && !text[begin..at].trim().is_empty() {
                all.push(Section { text: &text[begin..at], line: first_line });
                (begin, first_line) = (at, number);
            }
            at += piece.len();
        }
        is_after_blank = line.trim().is_empty();
        is_fenced ^= ["```", "~~~"].iter().any(|fence| line.trim_start().starts_with(fence));
        number += 1;
    }
    match all.last_mut() {
        // white space at the end belongs to what is before it
        Some(last) if text[begin..].trim().is_empty() => last.text = &text[begin - last.text.len()..],
        _ if text[begin..].trim().is_empty() => {}
        _ => all.push(Section { text: &text[begin..], line: first_line }),
    }
    all
}

fn is_heading(line: &str) -> bool {
    let rest = line.trim_start_matches('#');
    (1..=6).contains(&(line.len() - rest.len())) && rest.starts_with(' ')
}

/// The line, or its pieces where it is too long to be one.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let (piece, behind) = rest.split_at(rest.floor_char_boundary(MOST_LINE_BYTES));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[(usize, &str)]) {
        let found: Vec<(usize, String)> = sections(text)
            .iter()
            .map(|section| (section.line, section.text.chars().take(7).collect()))
            .collect();
        let expected: Vec<(usize, String)> =
            expected.iter().map(|(line, begin)| (*line, (*begin).to_owned())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_text_is_cut_at_headings_and_between_paragraphs() {
        let words = "word ".repeat(60);
        check("", &[]);
        check(" \n\n", &[]);
        check("short", &[(1, "short")]);
        check("# A\nx\n# B\ny\n", &[(1, "# A\nx\n#")]);
        check(&format!("# A\n{words}\n## B\n{words}\n"), &[(1, "# A\nwor"), (3, "## B\nwo")]);
        // a comment of a shell script in a fence is no heading, and neither is #hashtag
        check(&format!("{words}\n```\n# A\n```\n#tag\n"), &[(1, "word wo")]);
        check(&format!("{words}\n\n").repeat(6), &[(1, "word wo"), (11, "word wo")]);
        check(&format!("{words}\n").repeat(30), &[(1, "word wo"), (20, "word wo")]);
        let long = "x".repeat(MOST_LINE_BYTES + 1);
        check(&long, &[(1, "xxxxxxx"), (1, "x")]);
    }

    proptest! {
        #[test]
        fn the_sections_together_are_the_text(text in "(#{1,3} h\n|[a-zé ]{0,900}\n|\n|```\n){0,12}") {
            let all = sections(&text);
            let joined: String = all.iter().map(|section| section.text).collect();
            let is_blank = text.trim().is_empty();
            prop_assert_eq!(joined.as_str(), if is_blank { "" } else { text.as_str() });
            for section in &all {
                prop_assert!(!section.text.trim().is_empty());
                prop_assert_eq!(section.line, 1 + text[..section.text.as_ptr() as usize - text.as_ptr() as usize].matches('\n').count());
            }
        }
    }
}
