//! Reads the facts that a language model wrote as JSON, however it wrapped, cut or misspelt it.

use serde_json::Value;

/// A fact that a model named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    /// The fact in words.
    pub(super) content: String,
    /// Its kind, as the model has it.
    pub(super) kind: Option<String>,
    /// Its path, as the model has it.
    pub(super) path: Option<String>,
}

/// Objects inside of each other that are looked into.
const MOST_DEPTH: usize = 8;

/// Every object of `text` that has a `content`, in order. Prose and code fences around, commas too many and an end
/// that was cut off do not matter; an object that is broken is left out, and those inside and behind it are read.
pub(super) fn facts(text: &str) -> Vec<Fact> {
    let mut found = Vec::new();
    look(text, 0, &mut found);
    found
}

fn look(text: &str, depth: usize, found: &mut Vec<Fact>) {
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let Some(end) = object_end(&rest[start..]) else {
            // cut off, or braces of prose: what is inside may still be whole
            rest = &rest[start + 1..];
            continue;
        };
        let object = &rest[start..start + end];
        let fact = serde_json::from_str::<Value>(object).ok().and_then(|value| fact(&value));
        match fact {
            Some(fact) => found.push(fact),
            None if depth < MOST_DEPTH => look(&object[1..object.len() - 1], depth + 1, found),
            None => {}
        }
        rest = &rest[start + end..];
    }
}

/// Where the object that `text` begins with ends; None where it does not.
fn object_end(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' if !in_string => depth += 1,
            b'}' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        // a model's answer is short; looking on from each brace of a long one would take for ever
        if at > MOST_OBJECT_BYTES {
            return None;
        }
    }
    None
}

/// An object is never longer; nor is what is looked through for the end of one.
const MOST_OBJECT_BYTES: usize = 16 << 10;

fn fact(value: &Value) -> Option<Fact> {
    let text = |name: &str| {
        value.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    Some(Fact {
        content: text("content")?,
        kind: text("kind").or_else(|| text("type")).map(|kind| kind.to_lowercase()),
        path: text("path"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = facts(text).into_iter().map(|fact| fact.content).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn facts_are_found_however_they_are_wrapped() {
        check(r#"{"memories":[{"kind":"user","content":"a"},{"content":"b"}]}"#, &["a", "b"]);
        check("Sure!\n```json\n[{\"content\": \"a {brace}\"},]\n```\nDone {ok}.", &["a {brace}"]);
        check(r#"{"operations":[{"op":"add","content":"a"}],}"#, &["a"]);
        check(r#"{"content":"a"}{"content":"b"}"#, &["a", "b"]);
        check(r#"{"memories":[{"content":"a"},{"content":"b"#, &["a"]);
        check(r#"{"memories":[{"content":7},{"content":""},{"content":"say \"hi\""}]}"#, &["say \"hi\""]);
        check(r#"{"memories": []}"#, &[]);
        check("nothing to remember", &[]);
        check("", &[]);
    }

    #[test]
    fn kinds_and_paths_come_along() {
        let found = facts(r#"{"type": "User", "content": " x ", "path": "a/b"}"#);
        let fact = Fact { content: "x".into(), kind: Some("user".into()), path: Some("a/b".into()) };
        assert_eq!(found, [fact]);
    }

    #[test]
    fn braces_without_end_take_no_time() {
        assert!(facts(&"{".repeat(64 << 10)).is_empty());
        assert!(facts(&"{\"a\":".repeat(10 << 10)).is_empty());
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(text in "([{}\\[\\]\",:\\\\]|content|[a-zé ]){0,60}") {
            let _ = facts(&text);
        }
    }
}
