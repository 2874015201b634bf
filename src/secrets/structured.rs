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
