//! A text in its context on the way into the network, and its vectors on the way out.
//!
//! What stands before a text says what "it" and "there" in it mean. The network therefore reads the context too, but
//! the vector is made of the text's own tokens alone, so that a text is found by what it says and not by what was said
//! before it.

use std::ops::Range;

/// Tokens of the context at most: the sentence or two before a text settle what it refers to, and every further token
/// is time. What is too much is cut from the beginning.
pub const CONTEXT_TOKENS: usize = 96;

/// A stored text and what stands before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passage {
    /// What the network reads before the text, and what leaves its trace in the text's vectors only; may be empty. It
    /// never takes room from the text.
    pub context: String,
    /// The text.
    pub text: String,
}

impl From<String> for Passage {
    fn from(text: String) -> Self {
        Self { context: String::new(), text }
    }
}

/// What the network makes of one text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Embedding {
    /// Its vector, of length 1.
    pub vector: Vec<f32>,
    /// Its tokens in order, without those of prefix, context and marks, as the network's last layer sees them (of any
    /// length); none where the model does not show them.
    pub tokens: Vec<Token>,
}

/// One token of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// As many numbers as the text's vector.
    pub vector: Vec<f32>,
    /// The bytes of the text that it stands for, without white space at either end.
    pub range: Range<usize>,
}

/// What a tokenizer makes of `prefix + context + text`.
pub(super) struct Encoded<'a> {
    pub(super) ids: &'a [u32],
    /// Bytes of the whole that each token stands for.
    pub(super) offsets: &'a [(usize, usize)],
    /// 1 for the marks of begin and end, which stand for no byte.
    pub(super) marks: &'a [u32],
    /// Bytes of the prefix.
    pub(super) prefix: usize,
    /// Bytes of the context, with what parts it from the text.
    pub(super) context: usize,
    pub(super) text: &'a str,
}

/// What the network is to read of one text, cut to its length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) ids: Vec<u32>,
    /// Where in `ids` the context is.
    pub(super) context: Range<usize>,
    /// Where in `ids` the text's own tokens are, and which bytes of the text each stands for.
    pub(super) own: Vec<(usize, Range<usize>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Mark,
    Prefix,
    Context,
    Own,
}

impl Row {
    /// Cuts to `most` tokens: first the context from its beginning, and what is left of the text at its end.
    pub(super) fn new(encoded: &Encoded<'_>, most: usize) -> Self {
        let Encoded { ids, offsets, marks, prefix, context, text } = encoded;
        let begin = prefix + context;
        let part = |at: usize| match offsets[at].1 {
            _ if marks[at] == 1 => Part::Mark,
            end if end > begin => Part::Own,
            end if end > *prefix => Part::Context,
            _ => Part::Prefix,
        };
        let parts: Vec<Part> = (0..ids.len()).map(part).collect();
        let count = |wanted: Part| parts.iter().filter(|part| **part == wanted).count();
        let n_fixed = count(Part::Mark) + count(Part::Prefix);
        let own_left = count(Part::Own).min(most.saturating_sub(n_fixed));
        let context_left = CONTEXT_TOKENS.min(most.saturating_sub(n_fixed + own_left));
        let skipped = count(Part::Context).saturating_sub(context_left);
        let mut row = Self::default();
        let (mut n_context, mut n_own) = (0, 0);
        for (at, part) in parts.iter().enumerate() {
            match part {
                Part::Mark | Part::Prefix => {}
                Part::Context => {
                    n_context += 1;
                    if n_context <= skipped {
                        continue;
                    }
                    if row.context.is_empty() {
                        row.context = row.ids.len()..row.ids.len();
                    }
                    row.context.end += 1;
                }
                Part::Own => {
                    n_own += 1;
                    if n_own > own_left {
                        continue;
                    }
                    let (start, end) = offsets[at];
                    row.own.push((row.ids.len(), shown(text, start.saturating_sub(begin)..end - begin)));
                }
            }
            row.ids.push(ids[at]);
        }
        row
    }
}

/// A range of `text` without the white space at its ends; a tokenizer's pieces begin with the space before a word.
fn shown(text: &str, range: Range<usize>) -> Range<usize> {
    let Some(part) = text.get(range.clone()) else { return range };
    let start = range.end - part.trim_start().len();
    start..start + part.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token a letter, between two marks 0 and 2; the prefix is `>`, the context ends with `|`.
    fn row(context: &str, text: &str, most: usize) -> Row {
        let whole = format!(">{context}{text}");
        let mut ids = vec![0];
        let (mut offsets, mut marks) = (vec![(0, 0)], vec![1]);
        for (at, letter) in whole.char_indices() {
            ids.push(u32::from(letter));
            offsets.push((at, at + letter.len_utf8()));
            marks.push(0);
        }
        ids.push(2);
        offsets.push((0, 0));
        marks.push(1);
        Row::new(
            &Encoded { ids: &ids, offsets: &offsets, marks: &marks, prefix: 1, context: context.len(), text },
            most,
        )
    }

    fn told(row: &Row) -> String {
        row.ids.iter().filter_map(|id| char::from_u32(*id)).filter(|letter| *letter > '\u{2}').collect()
    }

    #[test]
    fn the_context_gives_way_to_the_text_from_its_beginning() {
        for (context, text, most, expected, n_context, n_own) in [
            ("", "abc", 512, ">abc", 0, 3),
            ("xyz|", "abc", 512, ">xyz|abc", 4, 3),
            ("xyz|", "abc", 8, ">z|abc", 2, 3),
            ("xyz|", "abc", 6, ">abc", 0, 3),
            ("xyz|", "abcdef", 6, ">abc", 0, 3),
            ("xyz|", "abc", 2, ">", 0, 0),
        ] {
            let row = row(context, text, most);
            assert_eq!(told(&row), expected, "{context}{text} in {most}");
            assert_eq!((row.context.len(), row.own.len()), (n_context, n_own), "{context}{text} in {most}");
            assert_eq!((row.ids[0], row.ids.last()), (0, Some(&2)), "the marks stay");
            assert!(row.context.is_empty() || row.context.start == 2);
        }
        let long = row(&"x".repeat(300), "abc", 512);
        assert_eq!((long.context.len(), long.own.len()), (CONTEXT_TOKENS, 3));
    }

    #[test]
    fn a_token_names_its_bytes_in_the_text() {
        let row = row("é|", "aé ", 512);
        let ranges: Vec<_> = row.own.iter().map(|(_, range)| range.clone()).collect();
        assert_eq!(ranges, [0..1, 1..3, 4..4]);
        assert_eq!(row.own[0].0, 4, "behind the mark, the prefix and two of the context");
        assert_eq!(shown("a bc", 1..4), 2..4);
        assert_eq!(shown("a", 5..9), 5..9, "outside of the text it stays as it is");
    }
}
