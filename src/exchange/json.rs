//! JSON as other programs write it: read as far as it makes sense, whatever the types.

use serde_json::{Map, Value};

use crate::api::limits::{MAX_METADATA_BYTES, MAX_NAME_BYTES};
use crate::model::{Metadata, Role, Timestamp, Usage};

/// Reads a document, and says whether it had to be mended: bytes that are no UTF-8, and halves of surrogate pairs,
/// become U+FFFD. Errors: why it is no JSON.
pub(super) fn parse(bytes: &[u8]) -> Result<(Value, bool), String> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok((value, false)),
        Err(error) => error,
    };
    let text = String::from_utf8_lossy(bytes);
    let mended = without_half_pairs(&text);
    match serde_json::from_str(&mended) {
        Ok(value) => Ok((value, true)),
        Err(_) => Err(format!("is no JSON: {error}")),
    }
}

/// `text` with U+FFFD for every `\uD800` to `\uDFFF` that has no other half.
fn without_half_pairs(text: &str) -> String {
    let escape = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut mended = String::with_capacity(text.len());
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &text.as_bytes()[at..]) {
        at += found;
        let is_pair = || matches!(escape(at + 6), Some(0xdc00..=0xdfff));
        at = match escape(at) {
            Some(0xd800..=0xdbff) if is_pair() => at + 12,
            Some(0xd800..=0xdfff) => {
                mended.push_str(&text[copied..at]);
                mended.push_str("\\ufffd");
                copied = at + 6;
                copied
            }
            // the backslash and the character that it escapes, which may be another backslash
            _ => at + 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
    mended.push_str(&text[copied..]);
    mended
}

/// The first of these members that is a text with something in it, trimmed.
pub(super) fn text<'a>(members: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    names.iter().filter_map(|name| members.get(*name)?.as_str()).map(str::trim).find(|text| !text.is_empty())
}

/// The same as a name that may be stored.
pub(super) fn name(members: &Map<String, Value>, names: &[&str]) -> Option<String> {
    text(members, names).map(|text| shortened(text, MAX_NAME_BYTES))
}

/// The first of these members that is a text or a number, as text.
pub(super) fn id(members: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| id_of(members.get(*name)?))
}

pub(super) fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::String(id) if !id.trim().is_empty() => Some(id.trim().to_owned()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// Whether the member says yes: `true`, or the 1 of a database.
pub(super) fn is_set(members: &Map<String, Value>, name: &str) -> bool {
    match members.get(name) {
        Some(Value::Bool(is_set)) => *is_set,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        _ => false,
    }
}

/// The object under this name, taken out.
pub(super) fn take_object(members: &mut Map<String, Value>, name: &str) -> Option<Map<String, Value>> {
    match members.remove(name)? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// The list under this name, taken out.
pub(super) fn take_list(members: &mut Map<String, Value>, name: &str) -> Option<Vec<Value>> {
    match members.remove(name)? {
        Value::Array(list) => Some(list),
        _ => None,
    }
}

/// The texts of a list, as names.
pub(super) fn names(value: Option<&Value>) -> Vec<String> {
    let texts = value.and_then(Value::as_array).into_iter().flatten();
    texts
        .filter_map(|text| text.as_str().or_else(|| text.get("name")?.as_str()))
        .map(|text| shortened(text.trim(), MAX_NAME_BYTES))
        .filter(|text| !text.is_empty())
        .collect()
}

/// The text of a string, of `{"text": …}` or `{"parts": …}`, or of an array of these, of which those without text
/// are left out.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(part) => part.get("text").or_else(|| part.get("parts")).and_then(text_of),
        Value::Array(parts) => {
            let texts: Vec<String> = parts.iter().filter_map(text_of).collect();
            (!texts.is_empty()).then(|| texts.join("\n"))
        }
        _ => None,
    }
}

/// Who speaks, by the names that tools give them.
pub(super) fn role_named(name: &str) -> Option<Role> {
    let name = name.trim().to_lowercase();
    match name.as_str() {
        "human" | "me" => Some(Role::User),
        "ai" | "bot" | "model" | "gpt" | "chatgpt" | "claude" | "llm" | "gemini" => Some(Role::Assistant),
        "developer" => Some(Role::System),
        "function" => Some(Role::Tool),
        other => other.parse().ok(),
    }
}

/// The first of these members that is a time.
pub(super) fn time(members: &Map<String, Value>, names: &[&str]) -> Option<Timestamp> {
    names.iter().find_map(|name| time_of(members.get(*name)?))
}

/// RFC 3339, a date, the same without a zone (which is taken for UTC), or seconds or finer since 1970.
pub(super) fn time_of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => since_1970(number.as_f64()?),
        Value::String(text) => {
            let text = text.trim();
            // Go writes "2024-03-14 09:26:53.1 +0000 UTC", and sometimes more behind it
            let in_zone = || {
                let mut words = text.split_whitespace();
                let (date, time) = (words.next()?, words.next()?);
                let zone = words.next().filter(|zone| zone.starts_with(['+', '-'])).unwrap_or("Z");
                format!("{date}T{time}{zone}").parse().ok()
            };
            let without_zone = || format!("{}Z", text.replacen(' ', "T", 1)).parse().ok();
            let with_space = || text.replacen(' ', "T", 1).parse().ok();
            text.parse()
                .ok()
                .or_else(without_zone)
                .or_else(with_space)
                .or_else(in_zone)
                .or_else(|| since_1970(text.parse().ok()?))
        }
        _ => None,
    }
}

fn since_1970(number: f64) -> Option<Timestamp> {
    // as seconds these would be the year 5138 and later, so they are finer units
    let millis = match number.abs() {
        size if size < 1e11 => number * 1e3,
        size if size < 1e14 => number,
        size if size < 1e17 => number / 1e3,
        _ => number / 1e6,
    };
    // 0 stands for "unknown" in many files
    (millis.is_finite() && millis != 0.0).then(|| Timestamp::from_millis(millis.round() as i64))
}

/// The tokens that these two members count.
pub(super) fn usage(members: &Map<String, Value>, prompt: &str, completion: &str) -> Option<Usage> {
    let count = |name: &str| members.get(name).and_then(Value::as_u64);
    let usage = Usage { prompt_tokens: count(prompt), completion_tokens: count(completion) };
    (usage != Usage { prompt_tokens: None, completion_tokens: None }).then_some(usage)
}

/// The metadata that may be stored: its largest members go until the rest fits, and says which.
pub(super) fn fitting(mut metadata: Metadata) -> Option<Metadata> {
    let size = |value: &Value| serde_json::to_string(value).map_or(usize::MAX, |json| json.len());
    let whole = serde_json::to_string(&metadata).map_or(usize::MAX, |json| json.len());
    if whole > MAX_METADATA_BYTES {
        let mut sizes: Vec<(usize, String)> =
            metadata.iter().map(|(key, value)| (size(value) + key.len() + 4, key.clone())).collect();
        sizes.sort_unstable();
        let mut left = whole;
        while left > MAX_METADATA_BYTES
            && let Some((size, key)) = sizes.pop()
        {
            metadata.remove(&key);
            left = left.saturating_sub(size);
        }
    }
    (!metadata.is_empty()).then_some(metadata)
}

/// The beginning of a text, not longer than that many bytes and not cut within a character.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    text[..text.floor_char_boundary(limit.min(text.len()))].to_owned()
}

/// Whether a text begins with one of these marks, white space aside.
pub(super) fn begins_with_any(text: &str, marks: &[&str]) -> bool {
    let text = text.trim_start();
    marks.iter().any(|mark| text.starts_with(mark))
}

/// A title for what has none: the first line of its first question.
pub(super) fn title_from(text: &str) -> Option<String> {
    const MAX_TITLE_BYTES: usize = 100;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let short = shortened(line, MAX_TITLE_BYTES);
    Some(if short.len() < line.len() { format!("{}…", short.trim_end()) } else { short })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn broken_characters_are_mended_and_nothing_else() {
        let check = |bytes: &[u8], expected: Value| assert_eq!(parse(bytes).unwrap(), (expected, true));
        check(b"[\"a\xffb\"]", json!(["a\u{fffd}b"]));
        check(
            br#"["\ud800x", "\udc00", "\ud83d\ude00 \\ud800"]"#,
            json!(["\u{fffd}x", "\u{fffd}", "😀 \\ud800"]),
        );
        assert_eq!(parse(br#"["\ud83d\ude00"]"#).unwrap(), (json!(["😀"]), false));
        for broken in ["{\"a\":", "[1,]", "", "\"\\ud8", "\"\\"] {
            assert!(parse(broken.as_bytes()).unwrap_err().starts_with("is no JSON"), "{broken}");
        }
    }

    #[test]
    fn metadata_that_is_too_large_loses_its_largest_members() {
        let big = "x".repeat(MAX_METADATA_BYTES);
        let metadata = json!({"a": 1, "b": big, "c": [2]});
        let Value::Object(metadata) = metadata else { unreachable!() };
        assert_eq!(Value::Object(fitting(metadata).unwrap()), json!({"a": 1, "c": [2]}));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in ".{0,40}", escapes in "(\\\\u[dD][89a-fA-F]?[0-9]{0,2}|\\\\|é){0,8}") {
            let _ = parse(format!("[\"{text}{escapes}\"]").as_bytes());
            let _ = time_of(&Value::from(text));
        }
    }
}
