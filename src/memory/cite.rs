//! Finds the citations of an answer and checks them against the sources that its prompt held.

use std::collections::BTreeSet;

use crate::model::Source;

/// Numbers in brackets beyond this are years or code, not citations.
const MAX_NUMBER: u32 = 999;

/// A range like `[1-9]` may name so many sources; a longer one is something else.
const MAX_RANGE: u32 = 50;

/// The citations of an answer, in rising order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Citations {
    /// Numbers that are sources.
    pub cited: Vec<u32>,
    /// Numbers that are no source.
    pub unknown: Vec<u32>,
}

/// Reads the citations of `answer` and sets `cited` on each of the `sources`.
pub fn check(answer: &str, sources: &mut [Source]) -> Citations {
    let numbers = numbers(answer);
    let known: BTreeSet<u32> = sources.iter().map(|source| source.n).collect();
    for source in sources {
        source.cited = numbers.contains(&source.n);
    }
    let (cited, unknown) = numbers.into_iter().partition(|n| known.contains(n));
    Citations { cited, unknown }
}

/// Every number that `answer` cites: `[1]`, `[1, 3]`, `[1][2]`, `[1-3]`, `[^1]`. What stands in code or is a
/// link's text (`[1](…)`) is none; nor is 0, for sources count from 1.
pub fn numbers(answer: &str) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut fence: Option<&str> = None;
    for line in answer.lines() {
        let trimmed = line.trim_start();
        match fence {
            Some(open) if is_closing(trimmed, open) => fence = None,
            Some(_) => {}
            None => match opening(trimmed) {
                Some(marks) => fence = Some(marks),
                None => read_line(line, &mut found),
            },
        }
    }
    found
}

/// The marks of a code fence that this line opens: three or more ` or ~.
fn opening(line: &str) -> Option<&str> {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let marks = &line[..line.len() - line.trim_start_matches(mark).len()];
    // "```x```" on one line is a code span
    (marks.len() >= 3 && !(mark == '`' && line[marks.len()..].contains('`'))).then_some(marks)
}

fn is_closing(line: &str, open: &str) -> bool {
    let line = line.trim_end();
    let mark = open.as_bytes()[0];
    line.len() >= open.len() && line.bytes().all(|byte| byte == mark)
}

fn read_line(line: &str, found: &mut BTreeSet<u32>) {
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'`' => {
                let n_marks = bytes[at..].iter().take_while(|byte| **byte == b'`').count();
                at = code_span_end(bytes, at + n_marks, n_marks).unwrap_or(at + n_marks);
            }
            b'[' => match bytes[at..].iter().position(|byte| *byte == b']') {
                Some(length) => {
                    let inside = &line[at + 1..at + length];
                    let is_link = bytes.get(at + length + 1) == Some(&b'(');
                    match group(inside) {
                        Some(numbers) if !is_link => {
                            found.extend(numbers);
                            at += length + 1;
                        }
                        // "[see [1]]": the inner bracket still counts
                        _ => at += 1,
                    }
                }
                None => return,
            },
            _ => at += 1,
        }
    }
}

/// Behind the closing marks of a code span, if it closes on this line.
fn code_span_end(bytes: &[u8], from: usize, n_marks: usize) -> Option<usize> {
    let mut at = from;
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|byte| **byte == b'`').count();
        if run == n_marks {
            return Some(at + run);
        }
        at += run.max(1);
    }
    None
}

/// The numbers between one pair of brackets; None where anything else stands there.
fn group(inside: &str) -> Option<BTreeSet<u32>> {
    let mut numbers = BTreeSet::new();
    for part in inside.split([',', ';', '&']) {
        let part = part.trim().trim_start_matches('^');
        match part.split_once(['-', '–', '—']) {
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last || last - first >= MAX_RANGE {
                    return None;
                }
                numbers.extend(first..=last);
            }
            None => {
                numbers.insert(number(part)?);
            }
        }
    }
    Some(numbers)
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    // "+1" would parse
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?.filter(|n| (1..=MAX_NUMBER).contains(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check_numbers(answer: &str, expected: &[u32]) {
        let found: Vec<u32> = numbers(answer).into_iter().collect();
        assert_eq!(found, expected, "{answer:?}");
    }

    #[test]
    fn citations_of_all_shapes_are_found() {
        check_numbers("On 14 March [1].", &[1]);
        check_numbers("Em março[2], sim [1, 3] e [4][5]; também [7-9].", &[1, 2, 3, 4, 5, 7, 8, 9]);
        check_numbers("[1–2] [^6] [ 10 ] [see [11]]", &[1, 2, 6, 10, 11]);
        check_numbers("日本[3]語", &[3]);
    }

    #[test]
    fn what_looks_like_one_but_is_none_is_left_alone() {
        check_numbers("`a[1]` and ``b`[2]`` but [3]", &[3]);
        check_numbers("```rust\nx[1]\n```\n[2]\n~~~~\n[4]\n~~~\n[5]\n~~~~\n[6]", &[2, 6]);
        check_numbers("[1](http://x) [x] [ ] [] [0] [2024] [-1] [1-] [9-2] [1-900] [+1] [1.5] [", &[]);
        check_numbers("\\[1] an escaped one, a lone ` tick [2]", &[2]);
        check_numbers("an open fence\n```\n[1]", &[]);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_all_is_in_range(answer in "[\\[\\]0-9,` ~\\\\a\\-ç(\n]{0,60}") {
            prop_assert!(numbers(&answer).iter().all(|n| (1..=MAX_NUMBER).contains(n)));
        }

        #[test]
        fn what_is_written_is_found(
            cited in prop::collection::btree_set(1u32..40, 0..6),
            word in "[a-zãé ]{1,8}",
        ) {
            let text: String = cited.iter().map(|n| format!("{word} [{n}]. ")).collect();
            prop_assert_eq!(&numbers(&text), &cited);
            let coded = format!("```\n{text}\n```");
            prop_assert!(numbers(&coded).is_empty());
        }
    }
}
