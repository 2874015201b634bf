//! What people type to narrow a list or a search down: `tag:work before:2024-03 deadline`.
//!
//! A prefix is one of eight names with a colon and, without a blank, its value, which may stand in quotes. Whatever
//! is no such thing, an unknown name or a date that is none, is plain text and stays as it was typed.

use crate::api::organise::Archived;
use crate::model::Timestamp;

/// What was typed, taken apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Typed {
    /// The text without its prefixes.
    pub(super) words: String,
    pub(super) tags: Vec<String>,
    pub(super) folder: Option<String>,
    pub(super) pinned: Option<bool>,
    pub(super) archived: Option<Archived>,
    pub(super) project: Option<String>,
    pub(super) client: Option<String>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

impl Typed {
    pub(super) fn of(text: &str) -> Self {
        let mut typed = Self::default();
        let mut rest = text;
        let mut kept = String::with_capacity(text.len());
        let mut at_start = true;
        while let Some(c) = rest.chars().next() {
            if at_start
                && let Some((name, value, length)) = prefix(rest)
                && typed.take(name, value)
            {
                // the blank behind it goes with it, so that the words do not gather blanks
                rest = rest[length..].strip_prefix(char::is_whitespace).unwrap_or(&rest[length..]);
                continue;
            }
            kept.push(c);
            rest = &rest[c.len_utf8()..];
            at_start = c.is_whitespace();
        }
        typed.words = if typed.is_narrowed() { kept.trim().to_owned() } else { kept };
        typed
    }

    /// Whether it holds a prefix.
    pub(super) fn is_narrowed(&self) -> bool {
        Self { words: String::new(), ..self.clone() } != Self::default()
    }

    /// Notes a prefix; false: it is none. Of two that exclude each other the last counts.
    fn take(&mut self, name: &str, value: &str) -> bool {
        match name {
            "tag" => self.tags.push(value.to_owned()),
            "folder" => self.folder = Some(value.to_owned()),
            "project" => self.project = Some(value.to_owned()),
            "client" => self.client = Some(value.to_owned()),
            "pinned" => match yes_or_no(value) {
                Some(pinned) => self.pinned = Some(pinned),
                None => return false,
            },
            "archived" => match (yes_or_no(value), value) {
                (Some(true), _) => self.archived = Some(Archived::Only),
                (Some(false), _) => self.archived = Some(Archived::Exclude),
                (None, "any" | "all") => self.archived = Some(Archived::Include),
                _ => return false,
            },
            "before" | "after" => match (date(value), name) {
                (Some(time), "before") => self.until = Some(time),
                (Some(time), _) => self.since = Some(time),
                (None, _) => return false,
            },
            _ => return false,
        }
        true
    }
}

const NAMES: [&str; 8] = ["tag", "folder", "pinned", "archived", "project", "client", "before", "after"];

/// The prefix that a text begins with: its name, its value, and how many bytes both take.
fn prefix(text: &str) -> Option<(&'static str, &str, usize)> {
    let (typed, rest) = text.split_once(':')?;
    let name = NAMES.iter().find(|name| name.eq_ignore_ascii_case(typed))?;
    let begin = typed.len() + 1;
    let (value, length) = match rest.strip_prefix('"') {
        Some(quoted) => {
            let end = quoted.find('"')?;
            (&quoted[..end], end + 2)
        }
        None => {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            (&rest[..end], end)
        }
    };
    // what stands right behind the quotes belongs to another thing
    let ends = rest[length..].chars().next().is_none_or(char::is_whitespace);
    (ends && !value.trim().is_empty()).then(|| (*name, value.trim(), begin + length))
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "1" | "sim" | "s" => Some(true),
        "false" | "no" | "n" | "0" | "nao" | "não" => Some(false),
        _ => None,
    }
}

/// A day, a month or a year from its beginning, or a point in time.
fn date(value: &str) -> Option<Timestamp> {
    let value = value.replace('/', "-");
    let whole = match value.len() {
        4 => format!("{value}-01-01"),
        7 => format!("{value}-01"),
        _ => value,
    };
    whole.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    fn check(text: &str, expected: Typed) {
        assert_eq!(Typed::of(text), expected, "{text:?}");
    }

    fn words(text: &str) -> Typed {
        Typed { words: text.into(), ..Typed::default() }
    }

    #[test]
    fn prefixes_are_taken_out_of_the_words() {
        check("tag:work deadline", Typed { tags: vec!["work".into()], ..words("deadline") });
        check(
            "the tag:a deadline TAG:\"b c\"",
            Typed { tags: vec!["a".into(), "b c".into()], ..words("the deadline") },
        );
        check("folder:\"My work/Client A\"", Typed { folder: Some("My work/Client A".into()), ..words("") });
        check(
            "pinned:yes archived:any x",
            Typed { pinned: Some(true), archived: Some(Archived::Include), ..words("x") },
        );
        check("archived:1", Typed { archived: Some(Archived::Only), ..words("") });
        check(
            "project:/home/ana/site client:vscode",
            Typed { project: Some("/home/ana/site".into()), client: Some("vscode".into()), ..words("") },
        );
        check(
            "after:2024-03-14 before:2024/04",
            Typed { since: at("2024-03-14"), until: at("2024-04-01"), ..words("") },
        );
        check("before:2024-03-14T09:26:53Z", Typed { until: at("2024-03-14T09:26:53Z"), ..words("") });
    }

    #[test]
    fn what_is_no_prefix_is_text() {
        for text in [
            "",
            " plain  text\n",
            "https://x.org",
            "colour:red",
            "tag: work",
            "tag:",
            "tag:\"open",
            "tag:\"\"",
            "tag:\"a\"b",
            "hashtag:x",
            "before:all after:lunch",
            "pinned:maybe",
            "archived:",
            "stage:tag:x",
        ] {
            check(text, words(text));
        }
    }

    proptest! {
        #[test]
        fn any_text_without_a_prefix_stays_as_it_is(text in "(?s).{0,60}") {
            let typed = Typed::of(&text);
            if !typed.is_narrowed() {
                prop_assert_eq!(typed.words, text);
            }
        }

        #[test]
        fn values_come_back_wherever_they_stand(
            before in "[a-zé ]{0,12}", tag in "[^\"\\s:]{1,9}", folder in "[^\"]{0,9}[^\"\\s]", after in "[a-zé ]{0,12}"
        ) {
            let typed = Typed::of(&format!("{before} tag:{tag} {after} folder:\"{folder}\" {after}"));
            prop_assert_eq!(typed.tags, vec![tag]);
            prop_assert_eq!(typed.folder.as_deref(), Some(folder.trim()));
            let said: Vec<&str> = typed.words.split_whitespace().collect();
            let expected = format!("{before} {after} {after}");
            prop_assert_eq!(said, expected.split_whitespace().collect::<Vec<_>>());
        }

        #[test]
        fn nothing_typed_breaks_it(text in "(tag|folder|before|after|pinned|:|\"| |2024|é|x){0,12}") {
            let once = Typed::of(&text);
            // what is left holds no prefix any more
            prop_assert!(!Typed::of(&once.words).is_narrowed() || text.contains('"') || once.is_narrowed());
        }
    }
}
