//! What many calls answer: a record as it was stored, or a page of records with an opaque cursor to the next one that
//! stays right while rows come and go.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::TrashId;
use crate::secrets::SecretPlace;

/// A record as it is stored now, and what was noticed on its way in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}Stored")]
pub struct Stored<T> {
    /// The record.
    #[serde(flatten)]
    pub record: T,
    /// Keys, tokens and passwords that were found in what was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretPlace>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}Page")]
pub struct Page<T> {
    /// The rows, at most as many as asked for; fewer where they would be too large for one answer.
    pub items: Vec<T>,
    /// Where the next page begins; none: this was the last.
    pub next_cursor: Option<Cursor>,
}

/// Where a page begins. Opaque to clients: give back what `nextCursor` said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// The cursor behind a row whose sort key is (`major`, `minor`).
    pub fn after(major: i64, minor: i64) -> Self {
        Self(format!("{major:x}.{minor:x}"))
    }

    /// The sort key that [`Cursor::after`] was given; none where the cursor is not one of ours.
    pub fn key(&self) -> Option<(i64, i64)> {
        let (major, minor) = self.0.split_once('.')?;
        let number = |text: &str| u64::from_str_radix(text, 16).ok().map(|bits| bits as i64);
        Some((number(major)?, number(minor)?))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Cursor {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// What a delete did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// Whether the thing existed; false: it was gone already, which a retry may see.
    pub deleted: bool,
    /// How many messages went with it.
    pub messages: u64,
    /// Where it lies in the trash, for `trash.restore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trash_id: Option<TrashId>,
}

impl Deleted {
    /// It was gone already.
    pub const NOTHING: Self = Self { deleted: false, messages: 0, trash_id: None };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_keep_their_keys() {
        for key in [(0, 0), (1_700_000_000_000, 42), (-5, i64::MAX), (i64::MIN, -1)] {
            assert_eq!(Cursor::after(key.0, key.1).key(), Some(key));
        }
    }

    #[test]
    fn foreign_cursors_are_recognised() {
        for text in ["", "x", "12", "1.2.3", "é.1"] {
            assert_eq!(Cursor::from(text.to_owned()).key(), None, "{text:?}");
        }
    }
}
