//! The settings as TOML, for `nosso config show`.

use std::fmt::Write;

use figment::value::{Num, Value};

use super::change::value;
use super::keys::{KEYS, whole};
use super::load::Loaded;

impl Loaded {
    /// All settings as TOML that can be loaded again; a setting without a value is a comment.
    pub fn to_toml(&self) -> String {
        self.lines(|_| String::new())
    }

    /// The same, each line with a comment that says where its value came from.
    pub fn to_toml_with_origins(&self) -> String {
        self.lines(|key| format!("  # {}", self.origin(key)))
    }

    fn lines(&self, comment: impl Fn(&str) -> String) -> String {
        let sections = Value::serialize(&self.config).ok().and_then(Value::into_dict).unwrap_or_default();
        let (mut text, mut last) = (String::new(), "");
        for key in KEYS {
            let (section, name) = key.parts();
            if section != last {
                let gap = if last.is_empty() { "" } else { "\n" };
                // writing to a String cannot fail
                let _ = writeln!(text, "{gap}[{section}]");
                last = section;
            }
            let line = match value(&sections, key).and_then(written) {
                Some(value) => format!("{name} = {value}"),
                None => format!("# {name} is not set"),
            };
            let _ = writeln!(text, "{line}{}", comment(key.name));
        }
        text
    }
}

fn written(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(toml_edit::Value::from(text).to_string());
    }
    if let Some(switch) = value.to_bool() {
        return Some(switch.to_string());
    }
    if let Some(whole) = whole(value) {
        return Some(whole.to_string());
    }
    if let Some(entries) = value.as_dict() {
        let entry = |(name, value): (&String, &Value)| {
            Some(format!("{} = {}", toml_edit::Value::from(name.as_str()), written(value)?))
        };
        let entries: Option<Vec<String>> = entries.iter().map(entry).collect();
        return Some(format!("{{ {} }}", entries?.join(", ")).replace("{  }", "{}"));
    }
    match value {
        // an f32 read as f64 would show digits that nobody wrote
        Value::Num(_, Num::F32(number)) => number.to_string().parse().ok().map(decimal),
        Value::Num(_, Num::F64(number)) => Some(decimal(*number)),
        _ => None,
    }
}

fn decimal(number: f64) -> String {
    toml_edit::Value::from(number).to_string()
}
