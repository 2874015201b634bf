//! Named parameters from JSON, and errors that say which one is wrong.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// The parameters of a call. `text`: the member `params` as it came; None and an empty array mean no parameters.
///
/// Errors: `Invalid`, with the path of the parameter that is wrong.
pub fn parse<P: DeserializeOwned + JsonSchema>(method: &str, text: Option<&str>) -> Result<P> {
    let text = text.map(str::trim).filter(|text| !is_empty_array(text)).unwrap_or("{}");
    if text.starts_with('[') {
        return Err(Error::invalid(format!("{method} takes named parameters, not an array"))
            .hint(format!("send `\"params\": {{…}}` with {}", names::<P>())));
    }
    serde_json::from_str(text).map_err(|error| {
        let text_of_error = error.to_string();
        let found = without_position(&text_of_error);
        let message = match path_at(text, offset_of(text, &error)) {
            path if path.is_empty() || error.line() == 0 => {
                format!("the parameters of {method} are wrong: {found}")
            }
            // A member that is missing is missed where its object ends.
            path if found.starts_with("missing field") => match path.rsplit_once(['.', '[']) {
                Some((parent, _)) if !parent.is_empty() => {
                    format!("the parameter `{parent}` of {method} is wrong: {found}")
                }
                _ => format!("the parameters of {method} are wrong: {found}"),
            },
            path => format!("the parameter `{path}` of {method} is wrong: {found}"),
        };
        Error::invalid(message).hint(format!("{method} takes {}", names::<P>()))
    })
}

fn is_empty_array(text: &str) -> bool {
    text.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|inner| inner.trim().is_empty())
}

/// The names of the parameters as a sentence has them.
fn names<P: JsonSchema>() -> String {
    let schema = schemars::schema_for!(P);
    let names: Vec<_> = schema
        .as_value()
        .get("properties")
        .and_then(|properties| properties.as_object())
        .into_iter()
        .flat_map(|properties| properties.keys())
        .map(|name| format!("`{name}`"))
        .collect();
    if names.is_empty() { "no parameters".to_owned() } else { names.join(", ") }
}

fn without_position(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |at| &message[..at])
}

/// Where the error stands, in bytes.
fn offset_of(text: &str, error: &serde_json::Error) -> usize {
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    (before + error.column()).min(text.len())
}

/// The path of the value that ends at, or holds, the byte before `offset`: `messages[0].role`.
///
/// Works on any text, also where it is no JSON.
fn path_at(text: &str, offset: usize) -> String {
    let mut path: Vec<Step> = Vec::new();
    let mut bytes = text.bytes().enumerate().take(offset).peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'{' => path.push(Step::Member(None)),
            b'[' => path.push(Step::Item(0)),
            b'}' | b']' if at + 1 < offset => {
                path.pop();
            }
            b',' => {
                if let Some(step) = path.last_mut() {
                    step.advance();
                }
            }
            b'"' => {
                let mut escaped = false;
                let mut end = None;
                for (at, byte) in bytes.by_ref() {
                    if byte == b'"' && !escaped {
                        end = Some(at);
                        break;
                    }
                    escaped = byte == b'\\' && !escaped;
                }
                if let (Some(end), Some(Step::Member(name @ None))) = (end, path.last_mut()) {
                    *name = text.get(at + 1..end).map(str::to_owned);
                }
            }
            _ => {}
        }
    }
    let mut told = String::new();
    for step in &path {
        match step {
            Step::Member(Some(name)) if told.is_empty() => told.push_str(name),
            Step::Member(Some(name)) => {
                told.push('.');
                told.push_str(name);
            }
            Step::Member(None) => {}
            Step::Item(index) => told.push_str(&format!("[{index}]")),
        }
    }
    told
}

enum Step {
    /// In an object, behind this name.
    Member(Option<String>),
    /// In an array, at this place.
    Item(usize),
}

impl Step {
    fn advance(&mut self) {
        match self {
            Self::Member(name) => *name = None,
            Self::Item(index) => *index += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
    #[serde(rename_all = "camelCase")]
    struct Sample {
        #[serde(default)]
        page_size: Option<u32>,
        #[serde(default)]
        items: Vec<Item>,
    }

    #[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
    struct Item {
        role: Role,
        text: String,
    }

    #[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Role {
        User,
    }

    fn check(text: Option<&str>, expected: &str) {
        let found = match parse::<Sample>("a.b", text) {
            Ok(sample) => format!("{:?} {}", sample.page_size, sample.items.len()),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn absent_parameters_are_no_parameters() {
        check(None, "None 0");
        check(Some("{}"), "None 0");
        check(Some(" [ ] "), "None 0");
        check(Some(r#"{"pageSize":3,"unknown":1}"#), "Some(3) 0");
    }

    #[test]
    fn the_wrong_parameter_is_named() {
        check(
            Some(r#"{"pageSize":"x"}"#),
            r#"the parameter `pageSize` of a.b is wrong: invalid type: string "x", expected u32"#,
        );
        check(
            Some(
                "{\"items\":[{\"role\":\"user\",\"text\":\"a, b\"},\n {\"text\":\"c\",\"role\":\"usr\"}],\n\"pageSize\":1}",
            ),
            "the parameter `items[1].role` of a.b is wrong: unknown variant `usr`, expected `user`",
        );
        check(
            Some(r#"{"pageSize":1,"items":[{"role":"user"}]}"#),
            "the parameter `items[0]` of a.b is wrong: missing field `text`",
        );
    }

    #[test]
    fn an_array_is_refused_with_the_names() {
        let error = parse::<Sample>("a.b", Some("[1]")).unwrap_err();
        assert_eq!(error.to_string(), "a.b takes named parameters, not an array");
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("`items`") && hint.contains("`pageSize`"), "{hint}");
    }

    proptest! {
        #[test]
        fn any_text_has_a_path(text in "[\\[\\]{}\",:a\\\\é ]{0,40}", offset in 0usize..60) {
            path_at(&text, offset);
        }
    }
}
