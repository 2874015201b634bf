//! Secrets that a sentence tells: "my password for the router is …", "a senha do wifi: …", "the API key is …".
//!
//! People speak of passwords all the time, so what is told must look like no word of a language.

use super::assigned::{PASSWORDS, is_code, is_key, stands_in, value};
use super::{Secret, SecretKind, is_mixed};

/// What random keys are called in sentences.
const KEYS: &[&str] = &[
    "api key",
    "api-key",
    "apikey",
    "api token",
    "access key",
    "access token",
    "secret key",
    "token",
    "chave",
];
/// What stands between a secret's name and its value.
const VERBS: &[&str] = &["is", "was", "are", "é", "eh", "era"];
/// What it is for may stand between; how that begins, and how many words it has at most.
const FOR: &[&str] = &["for", "of", "to", "do", "da", "de", "para"];
const MAX_WORDS_BETWEEN: usize = 4;
/// So much of a sentence is looked at.
const MAX_SENTENCE: usize = 80;
/// Words that have digits and say of what sort a password is.
const SORTS: &[&str] =
    &["base64", "base-64", "md5", "sha1", "sha256", "sha512", "utf8", "utf-8", "argon2", "argon2id"];
/// A password in a sentence is not shorter.
const LEAST_PASSWORD: usize = 6;

/// What a sentence tells to be a secret, whose name begins the word at `at`.
pub(super) fn said(text: &str, at: usize) -> Option<Secret> {
    let is_here = |name: &&&str| {
        text.as_bytes().get(at..at + name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes()))
    };
    // nearly no word begins so, and none of the rest is done for the others
    let (name, kind) = match PASSWORDS.iter().find(is_here) {
        Some(name) => (name, SecretKind::Password),
        None => (KEYS.iter().find(is_here)?, SecretKind::AssignedSecret),
    };
    let start = at + name.len();
    let sentence = text.get(start..text.floor_char_boundary(start + MAX_SENTENCE))?.strip_prefix(' ')?;
    let mut place = start + 1;
    for (n, word) in sentence.split(' ').enumerate().take(MAX_WORDS_BETWEEN + 1) {
        place += word.len() + 1;
        let goes_on = n > 0 || FOR.contains(&word);
        let is_end =
            word.strip_suffix(':').is_some_and(|word| n > 0 && word.chars().all(char::is_alphanumeric));
        if VERBS.contains(&word.to_lowercase().as_str()) || is_end {
            return told(text, place, kind);
        }
        if !goes_on || !word.chars().all(char::is_alphanumeric) {
            return None;
        }
    }
    None
}

/// The word at `start`, if it looks like a secret.
fn told(text: &str, start: usize, kind: SecretKind) -> Option<Secret> {
    let (range, quoted) = value(text, start)?;
    let value = text.get(range.clone())?;
    if stands_in(value) || (!quoted && is_code(value)) {
        return None;
    }
    let good = match kind {
        SecretKind::Password => {
            let is_odd = is_mixed(value.as_bytes()) || (quoted && !value.contains(char::is_whitespace));
            let is_sort = SORTS.iter().any(|sort| value.to_lowercase().starts_with(sort));
            value.len() >= LEAST_PASSWORD && is_odd && !is_sort
        }
        _ => is_key(value, quoted),
    };
    good.then_some(Secret { kind, range })
}
