//! What both kinds of model server share: the HTTP client, addresses, and errors in words.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url};

use crate::error::{Error, Kind, Result};

/// A server on this machine refuses at once; one across the world needs a second or two.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// How much of an error page is read; what a server has to say fits into far less.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// How much of the server's own words goes into a message.
const MAX_ERROR_CHARS: usize = 500;

/// The address that the setting `name` holds. It ends with a slash, so that paths can be joined to it.
pub(super) fn base_url(name: &str, text: &str) -> Result<Url> {
    let wrong = |found: String| {
        Error::new(Kind::Config, format!("{name} is '{text}', which {found}"))
            .hint(format!("write {name} like http://127.0.0.1:11434"))
    };
    let mut url = Url::parse(text.trim()).map_err(|error| wrong(format!("is no URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("does not begin with http:// or https:// and a host".into()));
    }
    if url.password().is_some() || !url.username().is_empty() {
        let found = format!("{name} holds a user or a password, which would show up in messages and logs");
        return Err(
            Error::new(Kind::Config, found).hint("put an API key into the file of chat.openai_key_file")
        );
    }
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// A client for `url`. It follows no redirect: prompts go to the configured address and nowhere else. A proxy of
/// the environment is for the outside world, so addresses of this machine do without.
pub(super) fn client(url: &Url) -> Result<Client> {
    let mut builder = Client::builder()
        .connect_timeout(CONNECT_DEADLINE)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("nosso/", env!("CARGO_PKG_VERSION")));
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| Error::internal("make an HTTP client").caused_by(error))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// The error of a request that got no answer; `hint` says how to start the server.
pub(super) fn unreachable(url: &str, hint: &str, error: reqwest::Error) -> Error {
    // reqwest's own message repeats the address; the innermost cause is what people need
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let found = match error.is_connect() {
        true => format!("cannot reach the model server at {url}: {cause}"),
        false => format!("the model server at {url} broke off: {cause}"),
    };
    Error::new(Kind::Upstream, found).hint(hint).caused_by(error)
}

/// The words of an answer that is an error.
pub(super) async fn error_text(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(bytes)) = response.chunk().await {
        body.extend_from_slice(&bytes);
        if body.len() >= MAX_ERROR_BYTES {
            body.truncate(MAX_ERROR_BYTES);
            break;
        }
    }
    words_of(&String::from_utf8_lossy(&body))
}

/// What an error body says: the text of a JSON error of any usual shape, else the body itself, cut.
pub(super) fn words_of(body: &str) -> String {
    let json = serde_json::from_str::<serde_json::Value>(body).ok();
    let text = json.as_ref().and_then(words_of_json).unwrap_or(body).trim();
    let mut words: String = text.chars().take(MAX_ERROR_CHARS).collect();
    if words.len() < text.len() {
        words.push('…');
    }
    words
}

/// The text of `{"error": "…"}`, `{"error": {"message": "…"}}`, `{"message": "…"}`, `{"detail": "…"}`.
pub(super) fn words_of_json(json: &serde_json::Value) -> Option<&str> {
    let error = json.get("error").filter(|error| !error.is_null());
    error
        .and_then(|error| error.as_str().or_else(|| error.get("message")?.as_str()))
        .or_else(|| json.get("message")?.as_str())
        .or_else(|| json.get("detail")?.as_str())
}

/// The error of a server that answered `status` and `words`.
pub(super) fn refusal(url: &str, status: StatusCode, words: &str) -> Error {
    let words = if words.is_empty() { "nothing more" } else { words };
    Error::new(Kind::Upstream, format!("the model server at {url} answered {status}: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_a_slash_and_lose_what_is_no_address() {
        let check = |text: &str, expected: &str| {
            assert_eq!(base_url("chat.ollama_url", text).unwrap().as_str(), expected);
        };
        check("http://127.0.0.1:11434", "http://127.0.0.1:11434/");
        check(" http://h:1/v1 ", "http://h:1/v1/");
        check("https://h/v1/?x=1#y", "https://h/v1/");
        for wrong in ["", "localhost:11434", "unix:///x", "http://", "http://u:secret@h"] {
            let error = base_url("chat.ollama_url", wrong).unwrap_err();
            assert_eq!(error.kind(), Kind::Config, "{wrong}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        for (text, expected) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:80", true),
            ("http://localhost:8080/v1", true),
            ("http://0.0.0.0:1", true),
            ("http://192.168.1.2", false),
            ("https://localhost.example.org", false),
        ] {
            assert_eq!(is_loopback(&base_url("x", text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn the_words_of_an_error_are_found() {
        assert_eq!(words_of(r#"{"error":"model 'x' not found"}"#), "model 'x' not found");
        assert_eq!(words_of(r#"{"error":{"message":"no","type":"t"}}"#), "no");
        assert_eq!(words_of(r#"{"error":null,"message":"why"}"#), "why");
        assert_eq!(words_of("<h1>502</h1>"), "<h1>502</h1>");
        assert_eq!(words_of(&"é".repeat(900)).chars().count(), MAX_ERROR_CHARS + 1);
    }
}
