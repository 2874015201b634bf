//! Secrets that are known by what stands around them: keys in PEM, passwords in addresses.

use super::{Secret, SecretKind};

/// A label of PEM at most; the longest in use are far shorter.
const MAX_LABEL: usize = 64;
/// Name and password of an address at most.
const MAX_USER_INFO: usize = 512;

/// The private key in PEM that begins at `at`, with its marks; to the end of its lines where its end is missing.
pub(super) fn private_key(text: &str, at: usize) -> Option<Secret> {
    const BEGIN: &str = "-----BEGIN ";
    let rest = text[at..].strip_prefix(BEGIN)?;
    let label_end = rest.get(..rest.floor_char_boundary(MAX_LABEL))?.find("-----")?;
    let label = &rest[..label_end];
    if !label.ends_with("PRIVATE KEY") && !label.ends_with("PRIVATE KEY BLOCK") {
        return None;
    }
    let body = at + BEGIN.len() + label_end + "-----".len();
    let mut end = body;
    // as long as it looks like a key: base64, headers, and line ends that JSON may have escaped
    for byte in &text.as_bytes()[body..] {
        let goes_on = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'+' | b'/' | b'=' | b'\n' | b'\r' | b' ' | b'\t' | b'\\' | b':' | b',' | b'.' | b'(' | b')'
            );
        if !goes_on {
            break;
        }
        end += 1;
    }
    let closing = format!("-----END {label}-----");
    if text[end..].starts_with(&closing) {
        end += closing.len();
    } else {
        // without an end, prose behind it is no part of it: the lines that are base64
        let lines = text[body..end].split_inclusive('\n');
        let is_key =
            |line: &&str| !line.trim().contains(' ') && (line.trim().is_empty() || line.trim().len() > 8);
        end = body + lines.take_while(is_key).map(str::len).sum::<usize>();
        end = body + text[body..end].trim_end().len();
    }
    (end > body).then_some(Secret { kind: SecretKind::PrivateKey, range: at..end })
}

/// The token of a Telegram bot, whose `:` is at `at`: a number before it, 35 characters behind.
pub(super) fn bot_token(text: &str, at: usize) -> Option<Secret> {
    const LENGTH: usize = 35;
    let bytes = text.as_bytes();
    let n_digits = bytes[..at].iter().rev().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    let is_key = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let length = bytes[at + 1..].iter().take(LENGTH + 1).take_while(is_key).count();
    let is_token = (8..=10).contains(&n_digits) && length == LENGTH && bytes[at + 1..].starts_with(b"AA");
    is_token.then(|| Secret { kind: SecretKind::ApiKey, range: at - n_digits..at + 1 + LENGTH })
}

/// The password that `-u name:password` or `--user name:password` gives, the `-` of which is at `at`.
pub(super) fn user_option(text: &str, at: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    if at > 0 && !bytes[at - 1].is_ascii_whitespace() {
        return None;
    }
    let option = ["-u ", "--user "].into_iter().find(|option| text[at..].starts_with(option))?;
    let start = at + option.len();
    let start = start + bytes[start..].iter().take(1).filter(|byte| matches!(byte, b'"' | b'\'')).count();
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b'/');
    let length = bytes[start..].iter().take(MAX_USER_INFO).take_while(|byte| !ends(byte)).count();
    let colon = bytes[start..start + length].iter().position(|byte| *byte == b':')?;
    let range = start + colon + 1..start + length;
    // `docker run -u 1000:1000` names a group
    let value = text.get(range.clone())?;
    let is_password = value.len() >= 4
        && !value.starts_with(['$', '{', '<', '*', '['])
        && value.chars().any(|c| !c.is_ascii_digit())
        && (super::is_mixed(value.as_bytes()) || !value.chars().all(|c| c.is_ascii_lowercase()));
    is_password.then_some(Secret { kind: SecretKind::Password, range })
}

/// The password of an address whose "://" is at `at`.
pub(super) fn address_password(text: &str, at: usize) -> Option<Secret> {
    let start = at + "://".len();
    let all = &text.as_bytes()[start..];
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\')
    };
    let authority = all.iter().take(MAX_USER_INFO).take_while(|byte| !ends(byte)).count();
    let authority = &all[..authority];
    let host = authority.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority[..host].iter().position(|byte| *byte == b':')?;
    let password = start + colon + 1..start + host;
    let value = text.get(password.clone())?;
    let stands_for = value.starts_with(['$', '{', '[', '%', '(', '*']) || value.is_empty();
    let is_example = ["password", "pass", "passwd", "pwd", "pw", "secret", "senha", "token", "xxx", "xxxx"]
        .contains(&value.to_ascii_lowercase().as_str());
    (!stands_for && !is_example).then_some(Secret { kind: SecretKind::UrlPassword, range: password })
}
