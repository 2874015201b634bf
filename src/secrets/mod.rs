//! Recognises secrets in text (keys, tokens, private keys, passwords) and masks them. Pure: it reads nothing but
//! the text, in one pass whose time grows with the text's length and no faster.
//!
//! A mask says what stood there and nothing else: it is the same whatever the secret was and however long. It
//! depends on the text alone, so that the same text masked again gives the same, and masked text stays as it is.

mod assigned;
mod kind;
mod prefixed;
mod said;
mod structured;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use kind::SecretKind;

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// What sort of secret.
    pub kind: SecretKind,
    /// The bytes that must not be kept.
    pub range: Range<usize>,
}

/// Where a secret was found. It never holds the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretPlace {
    /// What sort of secret.
    pub kind: SecretKind,
    /// The part of the record; absent: its content.
    #[serde(default, skip_serializing_if = "SecretField::is_content")]
    pub field: SecretField,
    /// The byte of the stored text at which it, or its mask, begins, where it has one: in metadata each string is a text.
    pub offset: u64,
    /// The line of that, from 1.
    pub line: u64,
    /// Whether a mask stands there now; false: it is stored as it came.
    pub masked: bool,
}

/// The part of a record in which a secret was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SecretField {
    /// Its text.
    #[default]
    Content,
    /// The title of a conversation.
    Title,
    /// The display name of who speaks.
    Author,
    /// The client's own data.
    Metadata,
}

impl SecretField {
    fn is_content(&self) -> bool {
        *self == Self::Content
    }
}

/// The secrets of `text`, in order and apart from each other.
pub fn scan(text: &str) -> Vec<Secret> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut runs = prefixed::Runs::default();
    let mut at = 0;
    while at < bytes.len() {
        let secret = match bytes[at] {
            b'-' => structured::private_key(text, at)
                .or_else(|| assigned::option(text, at))
                .or_else(|| structured::user_option(text, at)),
            b':' if bytes[at..].starts_with(b"://") => structured::address_password(text, at),
            b':' | b'=' => assigned::assigned(text, at).or_else(|| structured::bot_token(text, at)),
            byte if byte.is_ascii_alphanumeric() && begins_word(bytes, at) => {
                prefixed::prefixed(text, at, &mut runs).or_else(|| said::said(text, at))
            }
            _ => None,
        };
        // one that is told by its middle may begin in the one before
        let before = found.last().map_or(0, |secret: &Secret| secret.range.end);
        match secret.filter(|secret| secret.range.start >= before) {
            Some(secret) => {
                // a secret is never empty, so this always goes on
                at = secret.range.end.max(at + 1);
                found.push(secret);
            }
            None => at += 1,
        }
    }
    found
}

/// What a value is that a record calls `name`, if it is a secret as a whole.
pub fn named(name: &str, value: &str) -> Option<SecretKind> {
    assigned::named(name, value)
}

/// `text` with a mask in the place of every secret, and where the masks are.
pub fn mask(text: &str) -> (Cow<'_, str>, Vec<SecretPlace>) {
    let secrets = scan(text);
    if secrets.is_empty() {
        return (Cow::Borrowed(text), Vec::new());
    }
    let mut masked = String::with_capacity(text.len());
    let mut places = Places::default();
    let mut end = 0;
    for Secret { kind, range } in secrets {
        masked.push_str(&text[end..range.start]);
        places.add(&masked, masked.len(), kind, true);
        masked.push_str(&kind.mask());
        end = range.end;
    }
    masked.push_str(&text[end..]);
    (Cow::Owned(masked), places.found)
}

/// Where the secrets of `text` are, which stays as it is.
pub fn find(text: &str) -> Vec<SecretPlace> {
    let mut places = Places::default();
    for Secret { kind, range } in scan(text) {
        places.add(text, range.start, kind, false);
    }
    places.found
}

/// Whether two texts are the same but for secrets that are masked in one of them.
pub fn is_same(one: &str, other: &str) -> bool {
    one == other || mask(one).0 == mask(other).0
}

/// Counts lines as it goes, so that many places in a long text take one pass.
#[derive(Default)]
struct Places {
    found: Vec<SecretPlace>,
    counted: usize,
    n_line_ends: u64,
}

impl Places {
    fn add(&mut self, text: &str, offset: usize, kind: SecretKind, masked: bool) {
        let new = &text.as_bytes()[self.counted..offset];
        self.n_line_ends += memchr::memchr_iter(b'\n', new).count() as u64;
        self.counted = offset;
        self.found.push(SecretPlace {
            kind,
            field: SecretField::Content,
            offset: offset as u64,
            line: self.n_line_ends + 1,
            masked,
        });
    }
}

fn begins_word(bytes: &[u8], at: usize) -> bool {
    at == 0 || !is_word(bytes[at - 1])
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Has a digit and a letter, as what is made by chance nearly always has, and words seldom.
fn is_mixed(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_digit) && bytes.iter().any(u8::is_ascii_alphabetic)
}
