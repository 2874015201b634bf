//! Secrets that are known by what they are called: `password = …`, `"apiKey": "…"`, `--token …`.
//!
//! A name alone proves little, for programs and prose speak of passwords all the time: the value must look like
//! one, the more so the less the form tells.

use std::ops::Range;

use super::{Secret, SecretKind, is_mixed};

/// A name at most; what is longer is none.
const MAX_NAME: usize = 64;
/// White space between a name and its value at most.
const MAX_GAP: usize = 16;
/// A value that is looked at; one that goes on is a secret to its end.
const MAX_VALUE: usize = 512;

/// How names of passwords end, in lower case and without what joins words.
pub(super) const PASSWORDS: &[&str] = &["password", "passwd", "passphrase", "pwd", "senha"];
/// The same for random keys.
const KEYS: &[&str] = &[
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "authkey",
    "accountkey",
];
/// Tokens that are no secrets: they say where a list goes on.
const PAGE_TOKENS: &[&str] = &["nexttoken", "pagetoken", "nextpagetoken", "continuationtoken", "canceltoken"];
/// Words that stand for a value, or say of what sort it is.
const STAND_INS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "senha",
    "secret",
    "token",
    "example",
    "none",
    "null",
    "nil",
    "true",
    "false",
    "undefined",
    "string",
    "text",
    "bytes",
    "bool",
    "required",
    "optional",
    "redacted",
    "hidden",
    "empty",
    "default",
    "placeholder",
    "todo",
    "varchar",
    "unknown",
    "invalid",
    "wrong",
    "missing",
    "forgotten",
    "reset",
    "changed",
    "expired",
    "prompt",
    "obrigatória",
    "obrigatório",
    "opcional",
    "incorreta",
    "inválida",
    "esquecida",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Password,
    /// The short word, which has other meanings.
    Pass,
    Key,
    Authorization,
}

/// What the `:` or `=` at `at` gives a telling name.
pub(super) fn assigned(text: &str, at: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    let name = name_before(bytes, at)?;
    let what = meaning(&text[name.clone()])?;
    // "=>", ":=" and "==" are one sign
    let sign = at + bytes[at..].iter().take(3).take_while(|byte| matches!(byte, b':' | b'=' | b'>')).count();
    let start = sign + gap(&bytes[sign..]);
    let is_equals = bytes[at..sign].contains(&b'=');
    let before = text[..name.start].bytes().rev().take(MAX_NAME).take_while(|byte| *byte != b'\n');
    let begins_line = { before }.all(|byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'-' | b'*' | b'>'));
    if what == Name::Authorization {
        return basic(text, start);
    }
    secret(text, start, what, is_equals || begins_line)
}

/// What a value is that is called `name`.
pub(super) fn named(name: &str, value: &str) -> Option<SecretKind> {
    let what = meaning(name)?;
    let is_basic = || value.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("basic "));
    match what {
        _ if stands_in(value) => None,
        Name::Password => is_password(value, true, false).then_some(SecretKind::Password),
        Name::Pass => is_mixed(value.as_bytes()).then_some(SecretKind::Password),
        Name::Key => is_key(value, true).then_some(SecretKind::AssignedSecret),
        Name::Authorization => is_basic().then_some(SecretKind::BearerToken),
    }
}

/// What the option that begins at `at` ("--token ") is followed by.
pub(super) fn option(text: &str, at: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    if !bytes[at..].starts_with(b"--") || (at > 0 && !bytes[at - 1].is_ascii_whitespace()) {
        return None;
    }
    let start = at + 2;
    let length = bytes[start..]
        .iter()
        .take(MAX_NAME)
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
        .count();
    let end = start + length;
    if bytes.get(end) != Some(&b' ') {
        return None;
    }
    secret(text, end + 1, meaning(&text[start..end])?, false)
}

/// The name before the sign at `at`, which quotes may stand around.
fn name_before(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let mut end = at;
    while end > 0
        && at - end < 4
        && matches!(bytes[end - 1], b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b'*')
    {
        end -= 1;
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let length = bytes[..end].iter().rev().take(MAX_NAME).take_while(|byte| is_name(byte)).count();
    (length >= 3).then(|| end - length..end)
}

fn meaning(name: &str) -> Option<Name> {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let ends = |all: &[&str]| all.iter().any(|end| plain.ends_with(end));
    match () {
        () if ends(PAGE_TOKENS) => None,
        () if ends(PASSWORDS) => Some(Name::Password),
        () if is_pass(name) => Some(Name::Pass),
        () if ends(KEYS) => Some(Name::Key),
        () if plain == "authorization" => Some(Name::Authorization),
        () => None,
    }
}

/// Whether the last of the words that a name is made of is "pass": `DB_PASS`, `smtpPass`, no `bypass`.
fn is_pass(name: &str) -> bool {
    let Some((before, last)) = name.len().checked_sub(4).and_then(|at| name.split_at_checked(at)) else {
        return false;
    };
    match last {
        "pass" | "PASS" => !before.ends_with(|c: char| c.is_ascii_alphanumeric()),
        "Pass" => !before.ends_with(|c: char| c.is_ascii_uppercase()),
        _ => false,
    }
}

fn gap(bytes: &[u8]) -> usize {
    bytes.iter().take(MAX_GAP).take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// The credentials behind `Authorization: Basic`.
fn basic(text: &str, start: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    let start = start + bytes[start..].iter().take_while(|byte| matches!(byte, b'"' | b'\'')).take(1).count();
    if !bytes[start..].get(..6)?.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let start = start + 6;
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let end = start + bytes[start..].iter().take_while(|byte| is_base64(byte)).count();
    (end - start >= 8).then_some(Secret { kind: SecretKind::BearerToken, range: start..end })
}

/// The value at `start`, if it is one. `is_plain`: the form tells that a value stands here, so a plain word will do.
fn secret(text: &str, start: usize, name: Name, is_plain: bool) -> Option<Secret> {
    let (range, quoted) = value(text, start)?;
    let value = text.get(range.clone())?;
    let tail = &text.as_bytes()[range.end..];
    let is_last =
        matches!(tail.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r')), None | Some(b'\n'));
    let good = !stands_in(value)
        && match name {
            Name::Password => is_password(value, quoted, is_plain && is_last),
            // how many tests pass is no password
            Name::Pass => is_mixed(value.as_bytes()) && is_password(value, quoted, false),
            Name::Key | Name::Authorization => is_key(value, quoted),
        };
    let is_password = matches!(name, Name::Password | Name::Pass);
    let kind = if is_password { SecretKind::Password } else { SecretKind::AssignedSecret };
    good.then_some(Secret { kind, range })
}

/// The range of the value at `start`, and whether quotes stand around it.
pub(super) fn value(text: &str, start: usize) -> Option<(Range<usize>, bool)> {
    let bytes = text.as_bytes();
    let escapes = usize::from(bytes.get(start) == Some(&b'\\'));
    match bytes.get(start + escapes)? {
        quote @ (b'"' | b'\'' | b'`') => {
            let begin = start + escapes + 1;
            let inner = bytes[begin..].iter().take(MAX_VALUE);
            let length = inner.take_while(|byte| *byte != quote && **byte != b'\n').count();
            let end = begin + length;
            // one that is not closed is no value
            (bytes.get(end) == Some(quote)).then_some((begin..end - escapes.min(length), true))
        }
        _ => {
            let ends = |byte: &u8| {
                byte.is_ascii_whitespace()
                    || matches!(byte, b',' | b';' | b'"' | b'\'' | b'`' | b'&' | b'|' | b'\\')
            };
            let length = bytes[start..].iter().take_while(|byte| !ends(byte)).take(MAX_VALUE).count();
            let mut end = start + length;
            if length == MAX_VALUE {
                end += bytes[end..].iter().take_while(|byte| !ends(byte)).count();
            }
            while end > start && matches!(bytes[end - 1], b'.' | b'!' | b'?' | b':') {
                end -= 1;
            }
            Some((start..end, false))
        }
    }
}

/// Whether a value is one in name only.
pub(super) fn stands_in(value: &str) -> bool {
    let lower = value.to_lowercase();
    let first = value.chars().next();
    value.len() < 4
        || first.is_some_and(|first| "$<{%[(&@~*/\\".contains(first) || value.chars().all(|c| c == first))
        || value.contains("...")
        || value.contains('…')
        || lower.starts_with("your")
        || lower.starts_with("env:")
        || STAND_INS.contains(&lower.as_str())
        || (value.len() == 36 && uuid::Uuid::try_parse(value).is_ok())
}

/// Whether an unquoted value is an expression of a program.
pub(super) fn is_code(value: &str) -> bool {
    let is_path =
        || value.contains('.') && value.chars().all(|c| c.is_ascii_alphabetic() || "._".contains(c));
    value.contains(['(', ')', '{', '}', '[', ']', '<', '>', '$'])
        || value.contains("::")
        || value.contains("->")
        || is_path()
}

fn is_password(value: &str, quoted: bool, is_alone: bool) -> bool {
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    if quoted {
        return has_digit || !value.contains(char::is_whitespace);
    }
    let is_odd = has_digit
        || value.chars().any(|c| c.is_ascii_punctuation() && !"-_./".contains(c))
        || value.chars().skip(1).any(char::is_uppercase);
    !is_code(value) && (is_odd || is_alone)
}

pub(super) fn is_key(value: &str, quoted: bool) -> bool {
    let is_random = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/_=.~-".contains(&byte));
    let least = if quoted { 12 } else { 16 };
    let is_name = !quoted && value.contains('.');
    value.len() >= least && is_random && !is_name && is_mixed(value.as_bytes())
}
