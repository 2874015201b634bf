//! Text that comes in pieces, broken into lines at its spaces as it is written.

use unicode_width::UnicodeWidthStr;

/// Breaks what comes at the terminal's width. A word is held back until it is known where it ends.
pub struct Flow {
    /// None: nothing is broken and nothing held back.
    width: Option<usize>,
    /// The columns that the open line has.
    column: usize,
    /// What stands between the open line and the word.
    spaces: String,
    word: String,
    /// Inside of ``` lines, where code keeps its own breaks.
    is_code: bool,
}

impl Flow {
    /// A flow at the start of a line.
    pub fn new(width: Option<usize>) -> Self {
        Self { width, column: 0, spaces: String::new(), word: String::new(), is_code: false }
    }

    /// What of `text`, and of what was held back, can be written.
    pub fn push(&mut self, text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            match c {
                '\n' => {
                    self.put_word(&mut out);
                    self.spaces.clear();
                    out.push('\n');
                    self.column = 0;
                }
                ' ' | '\t' => {
                    self.put_word(&mut out);
                    self.spaces.push(c);
                }
                c => self.word.push(c),
            }
        }
        // without a width, or where a script has no spaces, a word is not waited for
        if self.width.is_none_or(|width| self.word.width() >= width) {
            self.put_word(&mut out);
        }
        out
    }

    /// The rest, and the end of the open line.
    pub fn finish(&mut self) -> String {
        let mut out = String::new();
        self.put_word(&mut out);
        self.spaces.clear();
        if self.column > 0 {
            out.push('\n');
            self.column = 0;
        }
        out
    }

    fn put_word(&mut self, out: &mut String) {
        if self.word.is_empty() {
            return;
        }
        if self.column == 0 && self.word.starts_with("```") {
            self.is_code = !self.is_code;
        }
        let (spaces, word) = (self.spaces.width(), self.word.width());
        let is_over = self.width.is_some_and(|width| self.column + spaces + word > width);
        if is_over && self.column > 0 && spaces > 0 && !self.is_code {
            out.push('\n');
            self.column = 0;
        } else {
            out.push_str(&self.spaces);
            self.column += spaces;
        }
        out.push_str(&self.word);
        self.column += word;
        self.spaces.clear();
        self.word.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flowed(width: Option<usize>, pieces: &[&str]) -> String {
        let mut flow = Flow::new(width);
        let mut out: String = pieces.iter().map(|piece| flow.push(piece)).collect();
        out.push_str(&flow.finish());
        out
    }

    #[test]
    fn lines_break_at_spaces_wherever_the_pieces_end() {
        let check = |pieces: &[&str], expected: &str| assert_eq!(flowed(Some(10), pieces), expected);
        check(&["one two three four"], "one two\nthree four\n");
        check(&["one t", "wo thr", "ee fo", "ur"], "one two\nthree four\n");
        check(&["one\n", "two\n"], "one\ntwo\n");
        check(&["- item one two"], "- item one\ntwo\n");
        check(&["  indented"], "  indented\n");
        check(&["a https://example.org/long b"], "a\nhttps://example.org/long\nb\n");
        check(&["ação ação ação"], "ação ação\nação\n");
        check(&["汉字汉字汉字汉字汉字"], "汉字汉字汉字汉字汉字\n");
        check(
            &["```\nlet long_line = 1;\n```\nafter that it flows"],
            "```\nlet long_line = 1;\n```\nafter that\nit flows\n",
        );
        check(&[""], "");
    }

    #[test]
    fn without_a_width_everything_comes_at_once() {
        let mut flow = Flow::new(None);
        assert_eq!(flow.push("one t"), "one t");
        assert_eq!(flow.push("wo"), "wo");
        assert_eq!(flow.finish(), "\n");
    }

    proptest! {
        #[test]
        fn words_stay_whole_and_in_order(text in "[a-z \n]{0,120}", cuts in prop::collection::vec(0usize..120, 0..6)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort();
            let pieces: Vec<&str> = cuts.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect();
            let out = flowed(Some(16), &pieces);
            prop_assert_eq!(&out, &flowed(Some(16), &[&text]));
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&out), words(&text));
        }
    }
}
