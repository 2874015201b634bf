//! Where a text holds blocks of code, fenced as Markdown has it.

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block<'a> {
    /// What is no code.
    Text(&'a str),
    /// Code: what stands behind the opening fence, and the lines up to the closing one or to the end.
    Code {
        /// The language, usually.
        info: &'a str,
        /// The lines, with their line ends.
        code: &'a str,
    },
}

/// The parts of a text, in its order.
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut begin = 0;
    let mut at = 0;
    let mut open: Option<Fence<'_>> = None;
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        match (&open, fence(line)) {
            (None, Some(fence)) if !(fence.sign == '`' && fence.info.contains('`')) => {
                if begin < at {
                    blocks.push(Block::Text(&text[begin..at]));
                }
                open = Some(fence);
                begin = next;
            }
            (Some(opening), Some(fence)) if opening.is_closed_by(&fence) => {
                blocks.push(Block::Code { info: opening.info, code: &text[begin..at] });
                open = None;
                begin = next;
            }
            _ => {}
        }
        at = next;
    }
    match open {
        Some(opening) => blocks.push(Block::Code { info: opening.info, code: &text[begin..] }),
        None if begin < text.len() => blocks.push(Block::Text(&text[begin..])),
        None => {}
    }
    blocks
}

/// A line of three or more of the same sign.
struct Fence<'a> {
    sign: char,
    length: usize,
    info: &'a str,
}

impl Fence<'_> {
    fn is_closed_by(&self, other: &Fence<'_>) -> bool {
        other.sign == self.sign && other.length >= self.length && other.info.is_empty()
    }
}

/// Four blanks before it would make it a line of indented code.
fn fence(line: &str) -> Option<Fence<'_>> {
    let bare = line.trim_start_matches(' ');
    let sign = bare.chars().next().filter(|sign| ['`', '~'].contains(sign))?;
    let rest = bare.trim_start_matches(sign);
    let length = bare.len() - rest.len();
    (line.len() - bare.len() <= 3 && length >= 3).then(|| Fence { sign, length, info: rest.trim() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[Block<'_>]) {
        assert_eq!(blocks(text), expected, "{text:?}");
    }

    #[test]
    fn code_is_told_from_text() {
        use Block::{Code, Text};
        check("", &[]);
        check("plain\ntext", &[Text("plain\ntext")]);
        check("a\n```rust\nb\n```\nc", &[Text("a\n"), Code { info: "rust", code: "b\n" }, Text("c")]);
        check("```\nopen", &[Code { info: "", code: "open" }]);
        check("~~~\n```\n~~~~\n", &[Code { info: "", code: "```\n" }]);
        check("````\n```\n````", &[Code { info: "", code: "```\n" }]);
        check("    ```\nx", &[Text("    ```\nx")]);
        check("```a`b\nx", &[Text("```a`b\nx")]);
        check("`` x\n", &[Text("`` x\n")]);
    }

    proptest! {
        #[test]
        fn nothing_but_fences_is_lost(text in "([a<é `~\n]|```|~~~\n){0,40}") {
            let kept: usize = blocks(&text).iter().map(|block| match block {
                Block::Text(said) => said.len(),
                Block::Code { code, .. } => code.len(),
            }).sum();
            let fences: usize = text.split_inclusive('\n').filter(|line| fence(line).is_some()).map(str::len).sum();
            prop_assert!(kept <= text.len() && kept + fences >= text.len());
        }
    }
}
