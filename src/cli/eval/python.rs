//! Python's way to write data, as JSON: a published table of BEAM holds its questions as such a text.

use std::iter::Peekable;
use std::str::Chars;

/// The JSON of a literal of dicts, lists, tuples, strings, numbers, True, False and None; none where it is no such
/// thing. What JSON would refuse (a missing bracket) is left to the JSON reader to refuse.
pub fn to_json(literal: &str) -> Option<String> {
    let mut json = String::with_capacity(literal.len());
    let mut rest = literal.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' | '"' => json.push_str(&serde_json::to_string(&string(c, &mut rest)?).ok()?),
            '(' => json.push('['),
            ']' | '}' | ')' => {
                // a comma may stand behind the last entry
                json.truncate(json.trim_end_matches(|c: char| c == ',' || c.is_whitespace()).len());
                json.push(if c == ')' { ']' } else { c });
            }
            // 1e3
            'e' | 'E' if json.ends_with(|c: char| c.is_ascii_digit()) => json.push('e'),
            c if c.is_alphabetic() => {
                let mut word = String::from(c);
                while let Some(next) = rest.next_if(|next| next.is_alphanumeric()) {
                    word.push(next);
                }
                json.push_str(match word.as_str() {
                    "True" => "true",
                    "False" => "false",
                    "None" => "null",
                    _ => return None,
                });
            }
            c => json.push(c),
        }
    }
    Some(json)
}

/// The string up to its closing quote.
fn string(quote: char, rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    loop {
        match rest.next()? {
            c if c == quote => return Some(text),
            '\\' => match rest.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                'x' => text.push(code(2, rest)?),
                'u' => text.push(code(4, rest)?),
                'U' => text.push(code(8, rest)?),
                '\n' => (),
                c @ ('\\' | '\'' | '"') => text.push(c),
                // Python keeps a backslash that means nothing
                c => text.extend(['\\', c]),
            },
            c => text.push(c),
        }
    }
}

fn code(n_digits: usize, rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    let digits: String = rest.by_ref().take(n_digits).collect();
    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_become_json() {
        for (literal, expected) in [
            ("{'a': [1, 2,], 'b': (3,), 'c': None}", r#"{"a":[1,2],"b":[3],"c":null}"#),
            ("{'it': \"isn't\", 'or': 'say \"hi\"'}", r#"{"it":"isn't","or":"say \"hi\""}"#),
            (r"['\'', '\\', '\n', '\xe9', '\u00e7', '\d']", "[\"'\",\"\\\\\",\"\\n\",\"é\",\"ç\",\"\\\\d\"]"),
            ("[True, False, -1.5, 1e3]", "[true,false,-1.5,1000.0]"),
            ("{'a': 'b, ]'}", r#"{"a":"b, ]"}"#),
        ] {
            let json = to_json(literal).unwrap();
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(read.to_string(), expected, "{literal}");
        }
        for wrong in ["'open", "nan", "__import__('os')", r"'\xzz'"] {
            assert_eq!(to_json(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(text in "[\\\\'\"(){},a-z\\[\\] é]{0,40}") {
            let _ = to_json(&text);
        }
    }
}
