//! Secrets that are known by how they begin: the keys of services, tokens in three parts, what follows `Bearer`.

use super::{Secret, SecretKind, is_mixed};

/// A service's key: how it begins, and what follows.
struct Shape {
    prefix: &'static str,
    kind: SecretKind,
    body: Body,
    /// The characters that follow: at least so many, at most so many.
    least: usize,
    most: usize,
}

/// Which characters a key goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Letters and digits.
    Plain,
    /// Those, `_` and `-`.
    Url,
    /// Capital letters and digits.
    Capital,
    /// Hexadecimal digits.
    Hex,
    /// As `Url`, with dots between the parts.
    Dotted,
}

const ANY: usize = usize::MAX;

const fn shape(prefix: &'static str, kind: SecretKind, body: Body, least: usize, most: usize) -> Shape {
    Shape { prefix, kind, body, least, most }
}

use Body::{Capital, Dotted, Hex, Plain, Url};
use SecretKind::{
    AnthropicKey, ApiKey, AwsKey, GithubToken, GitlabToken, GoogleKey, OpenaiKey, PrivateKey, SlackToken,
    StripeKey,
};

/// Longer beginnings stand before shorter ones that begin them.
const SHAPES: &[Shape] = &[
    shape("sk-ant-", AnthropicKey, Url, 20, ANY),
    shape("sk-proj-", OpenaiKey, Url, 20, ANY),
    shape("sk-svcacct-", OpenaiKey, Url, 20, ANY),
    shape("sk-admin-", OpenaiKey, Url, 20, ANY),
    shape("sk-or-v1-", ApiKey, Hex, 32, ANY),
    shape("sk-", OpenaiKey, Plain, 20, ANY),
    shape("github_pat_", GithubToken, Url, 22, ANY),
    shape("ghp_", GithubToken, Plain, 30, ANY),
    shape("gho_", GithubToken, Plain, 30, ANY),
    shape("ghu_", GithubToken, Plain, 30, ANY),
    shape("ghs_", GithubToken, Plain, 30, ANY),
    shape("ghr_", GithubToken, Plain, 30, ANY),
    shape("glpat-", GitlabToken, Dotted, 20, ANY),
    shape("gldt-", GitlabToken, Url, 20, ANY),
    shape("glrt-", GitlabToken, Dotted, 20, ANY),
    shape("AKIA", AwsKey, Capital, 16, 16),
    shape("ASIA", AwsKey, Capital, 16, 16),
    shape("ABIA", AwsKey, Capital, 16, 16),
    shape("AIza", GoogleKey, Url, 35, 35),
    shape("GOCSPX-", GoogleKey, Url, 20, ANY),
    shape("ya29.", GoogleKey, Url, 20, ANY),
    shape("xoxb-", SlackToken, Url, 16, ANY),
    shape("xoxp-", SlackToken, Url, 16, ANY),
    shape("xoxa-", SlackToken, Url, 16, ANY),
    shape("xoxr-", SlackToken, Url, 16, ANY),
    shape("xoxs-", SlackToken, Url, 16, ANY),
    shape("xoxe-", SlackToken, Url, 16, ANY),
    shape("xapp-", SlackToken, Url, 16, ANY),
    shape("sk_live_", StripeKey, Plain, 16, ANY),
    shape("sk_test_", StripeKey, Plain, 16, ANY),
    shape("rk_live_", StripeKey, Plain, 16, ANY),
    shape("rk_test_", StripeKey, Plain, 16, ANY),
    shape("whsec_", StripeKey, Plain, 24, ANY),
    shape("hf_", ApiKey, Plain, 30, ANY),
    shape("gsk_", ApiKey, Plain, 40, ANY),
    shape("xai-", ApiKey, Plain, 40, ANY),
    shape("pplx-", ApiKey, Plain, 32, ANY),
    shape("r8_", ApiKey, Plain, 30, ANY),
    shape("npm_", ApiKey, Plain, 36, 36),
    shape("pypi-AgEIcHlwaS5vcmc", ApiKey, Url, 20, ANY),
    shape("dckr_pat_", ApiKey, Url, 20, ANY),
    shape("dop_v1_", ApiKey, Hex, 64, 64),
    shape("shpat_", ApiKey, Hex, 32, 32),
    shape("dapi", ApiKey, Hex, 32, 34),
    shape("SG.", ApiKey, Dotted, 40, ANY),
    shape("AGE-SECRET-KEY-1", PrivateKey, Capital, 40, ANY),
];

/// Ends of runs of characters that were looked for already, so that a text of beginnings alone ("sk-sk-sk-…") takes
/// one pass, not one for each.
#[derive(Default)]
pub(super) struct Runs {
    ends: [usize; 5],
}

impl Runs {
    /// Where the run of `body` that `start` stands in ends.
    fn end(&mut self, bytes: &[u8], start: usize, body: Body) -> usize {
        let known = &mut self.ends[body as usize];
        // a run that was followed to its end has no other end from a later place inside
        if start >= *known {
            let length = bytes[start..].iter().take_while(|byte| body.takes(**byte)).count();
            *known = start + length;
        }
        *known
    }
}

impl Body {
    fn takes(self, byte: u8) -> bool {
        match self {
            Plain => byte.is_ascii_alphanumeric(),
            Url => byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-',
            Capital => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Hex => byte.is_ascii_hexdigit(),
            Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
        }
    }
}

/// A secret that begins at `at`, where a word begins.
pub(super) fn prefixed(text: &str, at: usize, runs: &mut Runs) -> Option<Secret> {
    let bytes = text.as_bytes();
    let rest = &bytes[at..];
    if rest[0] == b'e' && rest.starts_with(b"eyJ") {
        return web_token(bytes, at, runs);
    }
    if rest[0].eq_ignore_ascii_case(&b'b') {
        return bearer(bytes, at, runs);
    }
    if rest.starts_with(b"hooks.slack.com/services/") {
        return slack_hook(bytes, at);
    }
    let mut shapes = SHAPES.iter().filter(|shape| shape.prefix.as_bytes()[0] == rest[0]);
    let shape = shapes.find(|shape| rest.starts_with(shape.prefix.as_bytes()))?;
    let start = at + shape.prefix.len();
    let mut end = runs.end(bytes, start, shape.body);
    while end > start && matches!(bytes[end - 1], b'.' | b'-') {
        end -= 1;
    }
    let body = &bytes[start.min(end)..end];
    let fits = (shape.least..=shape.most).contains(&body.len());
    // capital letters alone are what some of these are made of
    let is_random = shape.body == Capital || is_mixed(body);
    // what goes on as a word is a longer thing of another sort
    let is_whole = !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
    (fits && is_random && is_whole).then_some(Secret { kind: shape.kind, range: at..end })
}

/// Three parts of base64 with dots between, of which the first two hold JSON.
fn web_token(bytes: &[u8], at: usize, runs: &mut Runs) -> Option<Secret> {
    let first = runs.end(bytes, at, Url);
    let second_start = first + 1;
    if bytes.get(first) != Some(&b'.') || !bytes[second_start..].starts_with(b"eyJ") {
        return None;
    }
    let second = runs.end(bytes, second_start, Url);
    if bytes.get(second) != Some(&b'.') {
        return None;
    }
    let third = runs.end(bytes, second + 1, Url);
    let is_long = first - at >= 10 && second - second_start >= 10 && third > second + 8;
    is_long.then_some(Secret { kind: SecretKind::Jwt, range: at..third })
}

/// What stands behind the word `Bearer`.
fn bearer(bytes: &[u8], at: usize, runs: &mut Runs) -> Option<Secret> {
    const WORD: usize = "bearer ".len();
    let is_word = bytes.len() > at + WORD && bytes[at..at + WORD].eq_ignore_ascii_case(b"bearer ");
    if !is_word {
        return None;
    }
    let start = at + WORD;
    let mut end = runs.end(bytes, start, Dotted);
    while end < bytes.len() && matches!(bytes[end], b'=' | b'~' | b'+' | b'/') {
        end = runs.end(bytes, end + 1, Dotted);
    }
    while end > start && bytes[end - 1] == b'.' {
        end -= 1;
    }
    let token = &bytes[start..end];
    (token.len() >= 16 && is_mixed(token))
        .then_some(Secret { kind: SecretKind::BearerToken, range: start..end })
}

/// An address to which anybody who has it can post.
fn slack_hook(bytes: &[u8], at: usize) -> Option<Secret> {
    let start = at + "hooks.slack.com/services/".len();
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'/';
    let end = start + bytes[start..].iter().take_while(|byte| part(byte)).count();
    (end - start >= 20).then_some(Secret { kind: SecretKind::SlackToken, range: start..end })
}
