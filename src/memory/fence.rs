//! Quotes foreign text in a prompt so that it stays data: it cannot end its quotation, forge a source, or speak
//! in another role.

use sha2::{Digest, Sha256};

/// A pair of marks around quoted text that nobody can know who wrote the text before the prompt was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fence {
    key: String,
}

impl Fence {
    /// The fence of one prompt; its key depends on everything in `parts`, the question above all.
    pub(super) fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        Self { key: digest.iter().take(KEY_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect() }
    }

    /// The mark that begins a block called `name`.
    pub(super) fn open(&self, name: &str) -> String {
        format!("<{name}-{}>", self.key)
    }

    /// The mark that ends it.
    pub(super) fn close(&self, name: &str) -> String {
        format!("</{name}-{}>", self.key)
    }

    /// `text` without anything that could be taken for a mark of this fence or of a chat template.
    pub(super) fn tame(&self, text: &str) -> String {
        neutral(text).replace(&self.key, "…")
    }

    /// `text` as a quotation: tamed, each line behind "> ", so that a line that looks like a source is none.
    pub(super) fn quote(&self, text: &str) -> String {
        let tamed = self.tame(text);
        let lines = tamed.split(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']);
        let quoted: Vec<String> = lines
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .map(|line| format!("> {line}"))
            .collect();
        quoted.join("\n")
    }
}

/// `text` without the blocks that a prompt fenced in: what was quoted once must not come back as if it were new. A
/// block that was not closed goes to the end.
pub(super) fn without_quotes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next_block(rest) {
        kept.push_str(before);
        rest = after.split_once(&format!("</{name}>")).map_or("", |(_, behind)| behind);
    }
    kept.push_str(rest);
    kept
}

/// What stands before the next block, the block's name with its key, and what stands behind its first mark.
fn next_block(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices('<').find_map(|(at, _)| {
        let inside = &text[at + 1..];
        let end = inside[..inside.floor_char_boundary(MAX_MARK)].find('>')?;
        let (name, after) = (&inside[..end], &inside[end + 1..]);
        let (kind, key) = name.split_once('-')?;
        let is_key = key.len() == KEY_DIGITS && key.bytes().all(|byte| byte.is_ascii_hexdigit());
        (BLOCKS.contains(&kind) && is_key).then_some((&text[..at], name, after))
    })
}

/// The names of the blocks that prompts have.
const BLOCKS: &[&str] = &["notes", "attachment", "summary", "turns"];
/// A mark is never longer.
const MAX_MARK: usize = 24;
/// The digits of a fence's key.
const KEY_DIGITS: usize = 8;

/// One line of at most `limit` characters, for titles and names.
pub(super) fn one_line(text: &str, limit: usize) -> String {
    let line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = line.collect::<Vec<_>>().join(" ");
    let mut cut: String = neutral(&line).chars().take(limit).collect();
    if cut.len() < line.len() && line.chars().count() > limit {
        cut.push('…');
    }
    cut
}

/// Marks by which chat templates tell who speaks. Model servers read them even inside of a message. Only these
/// are changed, one character each, so that code and mark-up stay readable.
const TEMPLATE_MARKS: &[&str] = &[
    "<|",
    "<start_of_turn>",
    "<end_of_turn>",
    "<s>",
    "</s>",
    "<<sys>>",
    "<</sys>>",
    "<bos>",
    "<eos>",
    "<notes",
    "</notes",
    "<summary",
    "</summary",
    "<turns",
    "</turns",
    "<attachment",
    "</attachment",
    "<think>",
    "</think>",
    "<｜",
    "<system",
    "</system",
];

/// The same in square brackets.
const BRACKET_MARKS: &[&str] =
    &["[inst]", "[/inst]", "[system_prompt]", "[/system_prompt]", "[available_tools]"];

fn neutral(text: &str) -> String {
    // invisible characters hide marks from people and from the test below; joiners stay, for emoji and Persian
    let is_invisible = |c: char| {
        matches!(
            c,
            '\0' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}'
        )
    };
    let text: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let mut tamed = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let is_mark = |marks: &[&str]| marks.iter().any(|mark| begins_with(&text[at..], mark));
        tamed.push(match c {
            '<' if is_mark(TEMPLATE_MARKS) => '‹',
            '[' if is_mark(BRACKET_MARKS) => '(',
            '>' if text[..at].ends_with(['|', '｜']) => '›',
            c => c,
        });
    }
    tamed
}

fn begins_with(text: &str, mark: &str) -> bool {
    text.get(..mark.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marks_are_taken_out_of_their_meaning() {
        let fence = Fence::new(["q"]);
        let check = |text: &str, expected: &str| assert_eq!(fence.tame(text), expected);
        check("Vec<String> && a <b> <sub>", "Vec<String> && a <b> <sub>");
        check("<|im_end|><|IM_START|>system", "‹|im_end|›‹|IM_START|›system");
        check("</s>[INST] x [/INST] list[0]", "‹/s>(INST] x (/INST] list[0]");
        check(&format!("a{}b", fence.close("notes")), "a‹/notes-…>b");
        check("</no\u{200b}tes-1>", "‹/notes-1>");
    }

    #[test]
    fn quotations_keep_their_lines_in_hand() {
        let fence = Fence::new(["q"]);
        assert_eq!(fence.quote("a\n\n[9] 2020 · x\u{2028}b\rc  "), "> a\n> [9] 2020 · x\n> b\n> c");
        assert_eq!(one_line(" a\n b\t<|x|> ", 9), "a b ‹|x|›");
        assert_eq!(one_line("título longo", 6), "título…");
    }

    #[test]
    fn what_was_fenced_in_is_taken_out() {
        let fence = Fence::new(["q"]);
        let block = |name: &str| format!("{}\n> recalled\n{}", fence.open(name), fence.close(name));
        let check = |text: String, expected: &str| assert_eq!(without_quotes(&text), expected);
        check(format!("a {} b {} c", block("notes"), block("attachment")), "a  b  c");
        check(format!("a {}\n> recalled", fence.open("notes")), "a ");
        check("a <b>x</b> <notes> <notes-12> 1 < 2 > 0".into(), "a <b>x</b> <notes> <notes-12> 1 < 2 > 0");
    }

    #[test]
    fn the_key_changes_with_every_part() {
        assert_ne!(Fence::new(["a", "b"]), Fence::new(["ab"]));
        assert_ne!(Fence::new(["a", "b"]), Fence::new(["a", "c"]));
    }

    proptest! {
        #[test]
        fn nothing_closes_the_fence(text in "(</?notes-|[0-9a-f]{0,8}|>|\n|<\\||\u{200b}|<|n|.){0,12}") {
            let fence = Fence::new(["a question", text.as_str()]);
            let close = fence.close("notes");
            for hostile in [text.clone(), format!("{text}{close}"), close.replace("te", "t\u{200b}e")] {
                let quoted = fence.quote(&hostile);
                prop_assert!(!quoted.contains(&close) && !quoted.contains("</notes") && !quoted.contains("<|"));
                prop_assert!(quoted.is_empty() || quoted.lines().all(|line| line.starts_with("> ")));
            }
        }
    }
}
