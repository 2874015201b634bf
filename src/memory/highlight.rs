//! Finds the words of a query in a text, with or without accents, and the part of a long text that holds most.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::api::search::Span;
use crate::model::ChunkRange;

/// A word without accents, in lower case: how words are compared.
pub fn fold(word: &str) -> String {
    word.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// Where `terms` (any case, with or without accents) stand in `text`: ranges in Unicode characters, in order.
pub fn spans(text: &str, terms: &[String]) -> Vec<Span> {
    let wanted: HashSet<String> = terms.iter().map(|term| fold(term)).collect();
    let mut found: Vec<Span> = Vec::new();
    for word in words(text) {
        if wanted.contains(&fold(word.text)) {
            match found.last_mut() {
                // neighbouring words of the query become one span: "prazo final", not "prazo" and "final"
                Some(last) if word.start == last.end + 1 && word.follows_blank => last.end = word.end,
                _ => found.push(Span { start: word.start, end: word.end }),
            }
        }
    }
    found
}

/// The one of `chunks` that holds most different words of `terms`; the first of those that hold equally many.
pub fn best_chunk(text: &str, chunks: &[ChunkRange], terms: &[String]) -> Option<ChunkRange> {
    let wanted: HashSet<String> = terms.iter().map(|term| fold(term)).collect();
    let held = |chunk: &ChunkRange| {
        let part = text.get(chunk.start as usize..chunk.end as usize).unwrap_or_default();
        words(part)
            .map(|word| fold(word.text))
            .filter(|word| wanted.contains(word))
            .collect::<HashSet<_>>()
            .len()
    };
    let mut best: Option<(usize, &ChunkRange)> = None;
    for chunk in chunks {
        let n = held(chunk);
        if best.is_none_or(|(most, _)| n > most) {
            best = Some((n, chunk));
        }
    }
    best.map(|(_, chunk)| chunk.clone())
}

struct Word<'a> {
    text: &'a str,
    start: u32,
    end: u32,
    follows_blank: bool,
}

/// The words of a text: runs of letters, digits and combining marks, as the full-text index cuts them.
fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut chars = text.char_indices().enumerate().peekable();
    let mut before = None;
    std::iter::from_fn(move || {
        loop {
            let (position, (byte, c)) = chars.next()?;
            if !c.is_alphanumeric() {
                before = Some(c);
                continue;
            }
            let (mut end, mut last) = (byte + c.len_utf8(), position + 1);
            while let Some((_, (at, next))) =
                chars.next_if(|(_, (_, c))| c.is_alphanumeric() || is_combining_mark(*c))
            {
                end = at + next.len_utf8();
                last += 1;
            }
            let follows_blank = before.take().is_some_and(|c| c == ' ');
            return Some(Word {
                text: &text[byte..end],
                start: position as u32,
                end: last as u32,
                follows_blank,
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, terms: &[&str], expected: &[&str]) {
        let terms: Vec<String> = terms.iter().map(|term| term.to_string()).collect();
        let chars: Vec<char> = text.chars().collect();
        let marked: Vec<String> = spans(text, &terms)
            .iter()
            .map(|span| chars[span.start as usize..span.end as usize].iter().collect())
            .collect();
        assert_eq!(marked, expected);
    }

    #[test]
    fn words_are_found_without_their_accents() {
        check("A reunião é amanhã às dez.", &["reuniao", "AMANHÃ"], &["reunião", "amanhã"]);
        check("o coração\u{301}", &["coracao"], &["coração\u{301}"]);
    }

    #[test]
    fn neighbours_become_one_span() {
        check("o prazo final passou", &["prazo", "final"], &["prazo final"]);
        check("prazo, final", &["prazo", "final"], &["prazo", "final"]);
    }

    #[test]
    fn parts_of_words_are_not_marked() {
        check("deployment deploy", &["deploy"], &["deploy"]);
    }

    #[test]
    fn the_part_with_most_words_is_chosen() {
        let text = "one two three. four five";
        let chunks = [ChunkRange { view: 0, start: 0, end: 14 }, ChunkRange { view: 0, start: 15, end: 24 }];
        let best = |terms: &[&str]| {
            let terms: Vec<String> = terms.iter().map(|term| term.to_string()).collect();
            best_chunk(text, &chunks, &terms).unwrap().start
        };
        assert_eq!(best(&["four", "five", "one"]), 15);
        assert_eq!(best(&["nothing"]), 0);
    }

    proptest! {
        #[test]
        fn spans_lie_in_the_text_in_order(text in "\\PC{0,80}", terms in prop::collection::vec("\\PC{1,8}", 0..5)) {
            let n = text.chars().count() as u32;
            let spans = spans(&text, &terms);
            prop_assert!(spans.iter().all(|span| span.start < span.end && span.end <= n));
            prop_assert!(spans.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }
}
