//! Finds the words of a query in a text, in any of their forms, and the part of a long text that holds most.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation;

use crate::api::search::Span;
use crate::model::ChunkRange;
use crate::text::{Marker, fold};

/// Where `terms` (any case, any ending, with or without accents) stand in `text`: ranges in Unicode characters, in
/// order.
pub fn spans(text: &str, terms: &[String]) -> Vec<Span> {
    let mut found: Vec<Span> = Vec::new();
    let (mut bytes, mut characters) = (0, 0);
    let mut end_byte = 0;
    for mark in Marker::new(terms).marks(text) {
        if mark.range.end <= end_byte {
            continue;
        }
        // pairs of characters overlap
        let range = mark.range.start.max(end_byte)..mark.range.end;
        let gap = &text[end_byte..range.start];
        characters += text[bytes..range.start].chars().count() as u32;
        let start = characters;
        characters += text[range.clone()].chars().count() as u32;
        bytes = range.end;
        match found.last_mut() {
            // neighbouring words of the query become one span: "prazo final", not "prazo" and "final"
            Some(last) if gap.is_empty() || gap == " " => last.end = characters,
            _ => found.push(Span { start, end: characters }),
        }
        end_byte = range.end;
    }
    found
}

/// Where words that are being typed stand in `text`: the last of `terms` may be the beginning of a word.
pub fn spans_while_typing(text: &str, terms: &[String]) -> Vec<Span> {
    let Some((last, before)) = terms.split_last() else { return Vec::new() };
    let wanted: HashSet<String> = before.iter().map(|term| fold(term)).collect();
    let beginning = fold(last);
    let mut found: Vec<Span> = Vec::new();
    let (mut bytes, mut characters) = (0, 0);
    for (at, word) in text.unicode_word_indices() {
        characters += text[bytes..at].chars().count() as u32;
        let start = characters;
        characters += word.chars().count() as u32;
        bytes = at + word.len();
        let form = fold(word);
        if wanted.contains(&form) || form.starts_with(&beginning) {
            found.push(Span { start, end: characters });
        }
    }
    found
}

/// The words of a text that is being typed.
pub fn typed(text: &str) -> impl Iterator<Item = &str> {
    text.unicode_words().filter(|word| !fold(word).is_empty())
}

/// The one of `chunks` that holds most different words of `terms`; the first of those that hold equally many.
pub fn best_chunk(text: &str, chunks: &[ChunkRange], terms: &[String]) -> Option<ChunkRange> {
    let marks = Marker::new(terms).marks(text);
    let held = |chunk: &ChunkRange| {
        let within = chunk.start as usize..chunk.end as usize;
        let inside =
            marks.iter().filter(|mark| within.contains(&mark.range.start) && mark.range.end <= within.end);
        inside.map(|mark| mark.stem.as_str()).collect::<HashSet<_>>().len()
    };
    let mut best: Option<(usize, &ChunkRange)> = None;
    for chunk in chunks {
        let n = held(chunk);
        if best.is_none_or(|(most, _)| n > most) {
            best = Some((n, chunk));
        }
    }
    best.map(|(_, chunk)| *chunk)
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
    fn forms_of_words_are_marked_and_parts_are_not() {
        check("redeploy deploy", &["deploy"], &["deploy"]);
        check("as reuniões e a reuniao", &["reunião"], &["reuniões", "reuniao"]);
        check("日本語のテキスト", &["日本", "本語"], &["日本語"]);
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
