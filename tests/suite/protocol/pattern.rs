//! What an example expects: JSON whose texts may hold placeholders for what differs from run to run.
//!
//! `<id:NAME>` is any id, the same wherever the name stands again; `<time>` any time; `<day>` today's date;
//! `<number:SHOWN>` any number; `<text:SHOWN>` any text. What is shown in their place is always the same. A member
//! called `…`, or a last item `…`, stands for more of them.

use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;

/// Stands for members or items that the example leaves out.
const MORE: &str = "…";
/// What is shown for a time and for a day.
const SHOWN_TIME: &str = "2026-03-02T12:30:00.000Z";
const SHOWN_DAY: &str = "2026-03-02";

/// The ids that the placeholders stood for in one run.
#[derive(Default)]
pub struct Ids(HashMap<String, String>);

enum Part<'a> {
    Text(&'a str),
    Id(&'a str),
    Time,
    Day,
    Number(&'a str),
    Any(&'a str),
}

impl Ids {
    /// Compares what came with what was expected; the error says where they differ.
    pub fn check(&mut self, expected: &Value, actual: &Value, place: &str) -> Result<(), String> {
        let differs = || Err(format!("{place}: expected {expected}, found {actual}"));
        match (expected, actual) {
            (Value::Object(wanted), Value::Object(found)) => {
                for (name, value) in wanted.iter().filter(|(name, _)| *name != MORE) {
                    let Some(there) = found.get(name) else {
                        return Err(format!("{place}.{name} is missing in {actual}"));
                    };
                    self.check(value, there, &format!("{place}.{name}"))?;
                }
                match found.keys().find(|name| !wanted.contains_key(*name)) {
                    Some(name) if !wanted.contains_key(MORE) => {
                        Err(format!("{place}.{name} is not in the example"))
                    }
                    _ => Ok(()),
                }
            }
            (Value::Array(wanted), Value::Array(found)) => {
                let is_open = wanted.last().is_some_and(|last| last == MORE);
                let wanted = if is_open { &wanted[..wanted.len() - 1] } else { &wanted[..] };
                if found.len() < wanted.len() || (!is_open && found.len() > wanted.len()) {
                    return differs();
                }
                wanted
                    .iter()
                    .zip(found)
                    .enumerate()
                    .try_for_each(|(i, (wanted, found))| self.check(wanted, found, &format!("{place}[{i}]")))
            }
            (Value::String(wanted), found) => {
                let text = match found {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => return differs(),
                };
                let is_number = matches!(parts(wanted)[..], [Part::Number(_)]);
                if found.is_number() == is_number && self.fits(&parts(wanted), &text) {
                    Ok(())
                } else {
                    differs()
                }
            }
            _ if expected == actual => Ok(()),
            _ => differs(),
        }
    }

    /// The text to send: names of ids replaced by the ids that they stood for.
    pub fn fill(&self, value: &Value) -> Value {
        map_texts(value, &|part| match part {
            Part::Id(name) => self.0.get(*name).cloned().unwrap_or_else(|| panic!("no id '{name}' yet")),
            part => shown(part),
        })
    }

    fn fits(&mut self, parts: &[Part<'_>], text: &str) -> bool {
        let Some((part, rest)) = parts.split_first() else { return text.is_empty() };
        if let Part::Text(literal) = part {
            return text.strip_prefix(literal).is_some_and(|text| self.fits(rest, text));
        }
        let ends = text.char_indices().map(|(at, _)| at).skip(1).chain([text.len()]);
        for end in ends {
            let (taken, behind) = text.split_at(end);
            if is_one(part, taken) && self.agrees(part, taken) && self.fits(rest, behind) {
                if let Part::Id(name) = part {
                    self.0.insert((*name).to_owned(), taken.to_owned());
                }
                return true;
            }
        }
        false
    }

    fn agrees(&self, part: &Part<'_>, taken: &str) -> bool {
        match part {
            Part::Id(name) => self.0.get(*name).is_none_or(|known| known == taken),
            _ => true,
        }
    }
}

/// What the document shows: the same on every machine and in every run.
pub fn show(value: &Value) -> Value {
    map_texts(value, &shown)
}

fn shown(part: &Part<'_>) -> String {
    match part {
        // looks like any other id, and is the same wherever the name stands
        Part::Id(name) => {
            let digest = *Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).as_bytes();
            let mut bytes = 0x019a_2f4e_b850_7000_8000_0000_0000_0000_u128.to_be_bytes();
            bytes[9..].copy_from_slice(&digest[9..]);
            Uuid::from_bytes(bytes).to_string()
        }
        Part::Time => SHOWN_TIME.to_owned(),
        Part::Day => SHOWN_DAY.to_owned(),
        Part::Text(text) | Part::Number(text) | Part::Any(text) => (*text).to_owned(),
    }
}

fn is_one(part: &Part<'_>, text: &str) -> bool {
    match part {
        Part::Text(literal) => *literal == text,
        Part::Id(_) => text.len() == 36 && text.parse::<Uuid>().is_ok(),
        Part::Time => text.len() == SHOWN_TIME.len() && text.ends_with('Z') && text.contains('T'),
        Part::Day => text.len() == SHOWN_DAY.len() && text.parse::<nosso::model::Timestamp>().is_ok(),
        Part::Number(_) => text.parse::<f64>().is_ok(),
        Part::Any(_) => true,
    }
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut found = vec![];
    let (mut begin, mut at) = (0, 0);
    while let Some(open) = text[at..].find('<').map(|open| at + open) {
        at = open + 1;
        let Some(close) = text[open..].find('>').map(|close| open + close) else { break };
        let inside = &text[open + 1..close];
        let part = match inside.split_once(':') {
            Some(("id", name)) => Part::Id(name),
            Some(("number", number)) => Part::Number(number),
            Some(("text", any)) => Part::Any(any),
            None if inside == "time" => Part::Time,
            None if inside == "day" => Part::Day,
            _ => continue,
        };
        if begin < open {
            found.push(Part::Text(&text[begin..open]));
        }
        found.push(part);
        (begin, at) = (close + 1, close + 1);
    }
    if begin < text.len() {
        found.push(Part::Text(&text[begin..]));
    }
    found
}

fn map_texts(value: &Value, write: &impl Fn(&Part<'_>) -> String) -> Value {
    match value {
        Value::String(text) => {
            let parts = parts(text);
            let written: String = parts.iter().map(write).collect();
            match &parts[..] {
                [Part::Number(_)] => written.parse().map(Value::Number).unwrap_or(Value::String(written)),
                _ => Value::String(written),
            }
        }
        Value::Array(items) => items.iter().map(|item| map_texts(item, write)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), map_texts(value, write))).collect()
        }
        other => other.clone(),
    }
}

#[test]
fn placeholders_stand_for_what_differs() {
    use serde_json::json;
    let check = |expected: Value, actual: Value, fits: bool| {
        assert_eq!(Ids::default().check(&expected, &actual, "it").is_ok(), fits, "{expected} {actual}");
    };
    let (one, other) = ("019a2f4e-7c10-7d31-9b52-0c8f1e6a4d01", "019a2f4e-7c10-7d31-9b52-0c8f1e6a4d02");
    check(json!(["<id:a>", "<id:a>"]), json!([one, one]), true);
    check(json!(["<id:a>", "<id:a>"]), json!([one, other]), false);
    check(json!("a <id:a> at <time>."), json!(format!("a {one} at {SHOWN_TIME}.")), true);
    check(json!("<notes-<text:12>> <b>"), json!("<notes-ff> <b>"), true);
    check(json!("<number:1>"), json!(0.25), true);
    check(json!("<number:1>"), json!("0.25"), false);
    check(json!({"a": 1, "…": "…"}), json!({"a": 1, "b": 2}), true);
    check(json!({"a": 1}), json!({"a": 1, "b": 2}), false);
    check(json!([1, "…"]), json!([1, 2, 3]), true);
    check(json!([1, 2]), json!([1]), false);
}
