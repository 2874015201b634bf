//! Checks what clients send against the limits, once, at the edge of the application.

use crate::api::limits::{
    MAX_CONTENT_BYTES, MAX_MEMORY_BYTES, MAX_METADATA_BYTES, MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_QUERY_BYTES,
};
use crate::error::{Error, Kind, Result};
use crate::model::Metadata;

/// The text of a message: it may be empty, but not too long.
pub fn content(text: &str) -> Result<()> {
    at_most("the message's content", text.len(), MAX_CONTENT_BYTES, "split it into several messages")
}

/// The text of a memory: a fact in words.
pub fn memory(text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid("the memory's content is empty").hint("say the fact in words"));
    }
    at_most(
        "the memory's content",
        text.len(),
        MAX_MEMORY_BYTES,
        "store a document as messages of a conversation",
    )
}

/// The text to search with, or to ask.
pub fn query(text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(
            Error::invalid("the query is empty").hint("give the words or the question to search with")
        );
    }
    query_size(text)
}

/// The text to search with, where there may be none.
pub fn query_size(text: &str) -> Result<()> {
    at_most("the query", text.len(), MAX_QUERY_BYTES, "search with the part that matters")
}

/// A title, a project, a model, an author.
pub fn name(what: &str, text: Option<&str>) -> Result<()> {
    match text {
        None => Ok(()),
        Some(text) if text.trim().is_empty() => {
            Err(Error::invalid(format!("{what} is blank")).hint("leave it out instead"))
        }
        Some(text) => at_most(what, text.len(), MAX_NAME_BYTES, "shorten it"),
    }
}

/// Where a memory belongs in the tree: names with slashes between. Answers it without slashes at its ends.
pub fn path(text: &str) -> Result<String> {
    let path = text.trim().trim_matches('/');
    let refuse = |found: String| {
        Err(Error::invalid(format!("'{text:.300}' is no path of memories: {found}"))
            .hint("write names with slashes between, such as 'work/db/staging'"))
    };
    if path.is_empty() {
        return refuse("it has no name".into());
    }
    if path.len() > MAX_PATH_BYTES {
        return refuse(format!("it has {} bytes, at most {MAX_PATH_BYTES} are allowed", path.len()));
    }
    for name in path.split('/') {
        if name.trim().is_empty() || name != name.trim() {
            return refuse(format!("'{name}' is blank, or has white space at an end"));
        }
        if name == "." || name == ".." || name.chars().any(char::is_control) {
            return refuse(format!("{name:?} is no name"));
        }
    }
    Ok(path.to_owned())
}

/// The kind of a memory: a short lower-case word.
pub fn kind(text: &str) -> Result<()> {
    let is_word = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
    if text.is_empty() || text.len() > 32 || !is_word {
        return Err(Error::invalid(format!("'{text}' is no kind of memory"))
            .hint("a kind is a word of at most 32 lower-case letters, digits, '-' and '_', such as 'fact'"));
    }
    Ok(())
}

/// The client's own data.
pub fn metadata(metadata: Option<&Metadata>) -> Result<()> {
    let Some(metadata) = metadata else { return Ok(()) };
    let size = serde_json::to_string(metadata).map_or(usize::MAX, |json| json.len());
    at_most("the metadata", size, MAX_METADATA_BYTES, "keep large data in the content")
}

fn at_most(what: &str, size: usize, limit: usize, hint: &str) -> Result<()> {
    if size <= limit {
        return Ok(());
    }
    Err(Error::new(Kind::TooLarge, format!("{what} has {size} bytes, at most {limit} are allowed"))
        .hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_name_both_numbers() {
        let error = content(&"x".repeat(MAX_CONTENT_BYTES + 1)).unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge);
        assert!(error.to_string().contains("1048577") && error.to_string().contains("1048576"));
        assert!(content(&"x".repeat(MAX_CONTENT_BYTES)).is_ok());
    }

    #[test]
    fn paths_are_names_with_slashes_between() {
        for (text, expected) in [("work", "work"), ("/home/db/", "home/db"), (" a b/ção ", "a b/ção")] {
            assert_eq!(path(text).unwrap(), expected);
        }
        for bad in ["", "/", "a//b", "a/ b", "a/..", ".", "a\nb", &"x/".repeat(200)] {
            assert_eq!(path(bad).unwrap_err().kind(), Kind::Invalid, "{bad:?}");
        }
    }

    #[test]
    fn kinds_are_words() {
        assert!(kind("fact").is_ok() && kind("how-to_2").is_ok());
        for bad in ["", "Fact", "a b", "é", &"x".repeat(33)] {
            assert!(kind(bad).is_err(), "{bad:?}");
        }
    }
}
