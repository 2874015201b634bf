//! Cuts a text into the passages that are embedded: whole paragraphs where they fit, then sentences, then words.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::{sentence, tokens};
use crate::model::ChunkRange;

/// Grows whenever the same text would be cut, or its passages be embedded, differently: stored passages are then
/// embedded anew into another generation. 2: in their context.
pub const CHUNKER_VERSION: u32 = 2;

/// A passage at most: about 300 tokens of English, 400 of Portuguese or Chinese. The embedding model reads 512,
/// and what a vector stands for blurs with its length.
pub const MAX_CHUNK_BYTES: usize = 1200;

/// Dense text (code, numbers) reaches the model's limit in fewer bytes, so tokens are limited too…
const MAX_CHUNK_TOKENS: u32 = 450;

/// …but not below this, lest a text of digits or emoji become thousands of passages.
const MIN_CAP_BYTES: usize = 600;

/// What two neighbours share at most, so that a thought that was cut is whole in one of them.
pub const MAX_OVERLAP_BYTES: usize = 120;

/// How far to look beyond the cap for the end of a cluster of characters that are shown as one.
const CLUSTER_BYTES: usize = 64;

/// The passages of `text`, in order, each at most [`MAX_CHUNK_BYTES`] long and beginning and ending with
/// something visible. Together they hold everything but white space: a text of 1 MiB becomes about 1,000
/// passages, and never more than 4,096. White space alone gives none. Runs in linear time.
pub fn chunk(text: &str) -> Vec<ChunkRange> {
    let fences = fences(text);
    let mut chunks = Vec::new();
    let mut start = 0;
    let mut covered = 0;
    loop {
        // what the last passage held already must not keep the next one from the text behind it
        start = skip_space(text, start);
        covered = covered.max(start);
        if start == text.len() {
            return chunks;
        }
        let cap = cap(text, start);
        if cap == text.len() {
            chunks.push(range(text, start, cap));
            return chunks;
        }
        let boundaries: Vec<_> = boundaries(text, start, cap, &fences).collect();
        let end = cut(text, start, covered, cap, &fences, &boundaries);
        chunks.push(range(text, start, end));
        if text[end..].trim_start().is_empty() {
            return chunks;
        }
        start = overlap(text, start, end, &fences, &boundaries);
        covered = end;
    }
}

/// The passage between `start` and `end`, without the white space at its end.
fn range(text: &str, start: usize, end: usize) -> ChunkRange {
    let shown = start + text[start..end].trim_end().len();
    // a message is at most 1 MiB, so that every offset fits
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    ChunkRange { view: 0, start: narrow(start), end: narrow(shown) }
}

/// How good a place to cut is; the better is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Boundary {
    Character,
    Cluster,
    Word,
    Line,
    Sentence,
    Paragraph,
}

/// Where a passage that begins at `start` must end at the latest.
fn cap(text: &str, start: usize) -> usize {
    let bytes = text.floor_char_boundary(start.saturating_add(MAX_CHUNK_BYTES).min(text.len()));
    let tokens = start + tokens::longest_beginning(&text[start..bytes], MAX_CHUNK_TOKENS);
    let least = text.floor_char_boundary((start + MIN_CAP_BYTES).min(text.len()));
    bytes.min(tokens.max(least))
}

/// The best place to cut between `start` and `cap`, behind `covered`: before a code block that would be torn,
/// else the last of the best boundaries in the last third.
fn cut(
    text: &str,
    start: usize,
    covered: usize,
    cap: usize,
    fences: &[Range<usize>],
    boundaries: &[(usize, Boundary)],
) -> usize {
    let torn = fences.get(fences.partition_point(|fence| fence.end <= cap));
    if let Some(fence) = torn
        && fence.start > covered.max(start)
        && fence.start < cap
        && fits(text, fence)
    {
        return fence.start;
    }
    let from = text.ceil_char_boundary(start + (cap - start) * 2 / 3).max(covered + 1);
    let mut best = (Boundary::Character, cap);
    for &(at, boundary) in boundaries {
        if at >= from && boundary >= best.0 {
            best = (boundary, at);
        }
    }
    best.1
}

/// Where the passage after the one that ends at `end` begins: at the last sentence before `end` if it is short,
/// else at a word, and never inside of a code block that is whole in one passage.
fn overlap(
    text: &str,
    start: usize,
    end: usize,
    fences: &[Range<usize>],
    boundaries: &[(usize, Boundary)],
) -> usize {
    let earliest = text.ceil_char_boundary(end.saturating_sub(MAX_OVERLAP_BYTES)).max(start + 1);
    let fence = fences.get(fences.partition_point(|fence| fence.end <= earliest));
    if fence.is_some_and(|fence| fence.start < end && fits(text, fence)) {
        return end;
    }
    let mut sentence = None;
    let mut word = None;
    for &(at, boundary) in boundaries {
        if at < earliest || at >= end {
            continue;
        }
        match boundary {
            Boundary::Sentence | Boundary::Paragraph => sentence = Some(at),
            Boundary::Word | Boundary::Line if word.is_none() => word = Some(at),
            _ => {}
        }
    }
    sentence.or(word).unwrap_or(end)
}

/// Every place between `start` and `end` at which no cluster of characters is torn, and how good it is.
fn boundaries(
    text: &str,
    start: usize,
    end: usize,
    fences: &[Range<usize>],
) -> impl Iterator<Item = (usize, Boundary)> {
    let seen = text.ceil_char_boundary((end + CLUSTER_BYTES).min(text.len()));
    // (where the last visible text ended, line ends since then)
    let mut gap = (start, 0);
    text[start..seen].grapheme_indices(true).skip(1).map_while(move |(offset, cluster)| {
        let at = start + offset;
        if at > end {
            return None;
        }
        let previous = text[..at].chars().next_back().unwrap_or(' ');
        if previous.is_whitespace() {
            gap.1 += usize::from(previous == '\n');
        } else {
            gap = (at, 0);
        }
        let next = cluster.chars().next().unwrap_or(' ');
        let boundary = match (previous.is_whitespace(), next.is_whitespace()) {
            (_, true) if at == end => Boundary::Word,
            (true, false) if gap.1 >= 2 => Boundary::Paragraph,
            (true, false) => {
                let is_line = gap.1 == 1;
                let is_item = is_line && (sentence::begins_item(&text[at..seen]) || is_inside(fences, at));
                match is_item || sentence::ends(&text[start..gap.0], next) {
                    true => Boundary::Sentence,
                    false if is_line => Boundary::Line,
                    false => Boundary::Word,
                }
            }
            (false, false) if sentence::is_full_width_end(previous) => Boundary::Sentence,
            _ => Boundary::Cluster,
        };
        Some((at, boundary))
    })
}

fn skip_space(text: &str, from: usize) -> usize {
    text.len() - text[from..].trim_start().len()
}

fn fits(text: &str, fence: &Range<usize>) -> bool {
    cap(text, fence.start) >= fence.end
}

fn is_inside(fences: &[Range<usize>], at: usize) -> bool {
    fences.get(fences.partition_point(|fence| fence.end <= at)).is_some_and(|fence| fence.start < at)
}

/// The code blocks between lines of three or more ` or ~, both lines included. One that never ends reaches to
/// the end of the text.
fn fences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Option<(usize, char, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        let mark = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'));
        let n_marks = mark.map_or(0, |mark| trimmed.chars().take_while(|c| *c == mark).count());
        match (open, mark) {
            (Some((start, opened, n_opened)), Some(mark))
                if mark == opened && n_marks >= n_opened && n_marks == trimmed.len() =>
            {
                found.push(start..at + line.trim_end().len());
                open = None;
            }
            (None, Some(mark)) if n_marks >= 3 => open = Some((at, mark, n_marks)),
            _ => {}
        }
        at += line.len();
    }
    found.extend(open.map(|(start, ..)| start..text.len()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn passages(text: &str) -> Vec<&str> {
        chunk(text).into_iter().map(|range| range.of(text).unwrap()).collect()
    }

    /// What must hold for every text.
    fn check(text: &str) -> Vec<ChunkRange> {
        let chunks = chunk(text);
        let mut covered = 0;
        let mut last_start = None;
        for range in &chunks {
            let passage = range.of(text).expect("a boundary inside a character");
            let (start, end) = (range.start as usize, range.end as usize);
            assert!(!passage.is_empty() && passage.len() <= MAX_CHUNK_BYTES);
            assert_eq!(passage.trim(), passage);
            assert!(last_start < Some(start), "passages are out of order");
            assert!(end > covered, "a passage adds nothing");
            assert!(start + MAX_OVERLAP_BYTES >= covered, "an overlap of {} bytes", covered - start);
            if start > covered {
                assert!(text[covered..start].trim().is_empty(), "text was left out");
            }
            covered = end;
            last_start = Some(start);
        }
        assert!(text[covered..].trim().is_empty(), "the end was left out");
        assert!(chunks.len() <= text.len() / 256 + 1, "{} passages of {} bytes", chunks.len(), text.len());
        chunks
    }

    #[test]
    fn short_texts_stay_whole() {
        assert_eq!(passages(" Olá, mundo.\n"), ["Olá, mundo."]);
        assert_eq!(passages(" \n\t\u{a0}"), Vec::<&str>::new());
        assert_eq!(passages(""), Vec::<&str>::new());
    }

    #[test]
    fn paragraphs_are_cut_apart_first() {
        let paragraph = "This is a sentence of some length, and it says little. ".repeat(9);
        let text = format!("{paragraph}\n\n{paragraph}\n\n{paragraph}");
        check(&text);
        assert!(passages(&text)[0].len() > 800);
        for passage in passages(&text) {
            assert!(passage.ends_with("little.") && passage.starts_with("This is"), "{passage}");
        }
    }

    #[test]
    fn neighbours_share_a_sentence() {
        let text: String = (0..60).map(|n| format!("Sentence number {n} is here. ")).collect();
        let passages = passages(&text);
        for pair in passages.windows(2) {
            let last = &pair[0][pair[0].rfind("Sentence").unwrap()..];
            assert!(pair[1].starts_with(last), "{:?} does not begin with {last:?}", pair[1]);
        }
    }

    #[test]
    fn code_blocks_stay_whole_where_they_fit() {
        let code = format!("```rust\n{}```", "let x = y;\n".repeat(40));
        let prose = "Words about the code that follows. ".repeat(25);
        let text = format!("{prose}\n\n{code}\n\n{prose}");
        check(&text);
        assert!(passages(&text).iter().any(|passage| passage.contains(&code)), "{:#?}", passages(&text));
        let long = format!("```\n{}```", "let x = y;\n".repeat(400));
        check(&long);
        assert!(passages(&long).iter().all(|passage| passage.ends_with(";") || passage.ends_with("```")));
    }

    #[test]
    fn clusters_are_not_torn() {
        for cluster in ["e\u{301}", "👩‍👩‍👧‍👦", "🇧🇷", "한"] {
            let text = cluster.repeat(2000);
            for range in check(&text) {
                let length = cluster.len() as u32;
                assert_eq!((range.start % length, range.end % length), (0, 0), "{cluster}");
            }
        }
    }

    #[test]
    fn odd_texts_of_a_megabyte_take_linear_time() {
        let begun = std::time::Instant::now();
        for pattern in ["x", " ", "\"", "🦀", "ação. "] {
            check(&pattern.repeat((1 << 20) / pattern.len()));
        }
        for pattern in ["\n", "a ", "\u{301}", "```\n", "~~~ ", "1", "。", ". A", "- x\n", "\0"] {
            check(&pattern.repeat((1 << 17) / pattern.len()));
        }
        // some seconds in a debug build; quadratic behaviour would take hours
        assert!(begun.elapsed().as_secs() < 120, "{:?}", begun.elapsed());
    }

    proptest! {
        // the texts are long; fewer of them say as much
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn every_text_is_covered(parts in prop::collection::vec(
            prop_oneof![
                "[a-zé]{1,9} ", "[A-Z][a-z]{2,30}\\. ", Just("\n".to_owned()), Just("\n\n".to_owned()),
                Just("```\n".to_owned()), "[0-9]{1,300}", "[🦀é\u{301}👩\u{200d}日]{1,80}", " {1,200}", "x{1,900}",
            ], 0..120)) {
            check(&parts.concat());
        }
    }
}
