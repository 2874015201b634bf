//! What can go wrong between client and daemon, as the one error of the product.

use std::io;
use std::path::Path;

use jsonrpsee::core::ClientError;
use jsonrpsee::types::ErrorObjectOwned;

use crate::api::ErrorData;
use crate::error::{Error, Kind};

/// What to do when no daemon answers.
const START: &str = "start it with `nosso serve` or `systemctl --user start nosso.socket`";

/// The daemon cannot be reached.
pub fn unreachable(path: &Path, error: io::Error) -> Error {
    let found = match error.kind() {
        io::ErrorKind::NotFound => "there is no socket, so the daemon is not running".to_owned(),
        io::ErrorKind::ConnectionRefused => {
            "the socket is there but nobody listens, so nosso was killed".to_owned()
        }
        io::ErrorKind::PermissionDenied => "it belongs to another user".to_owned(),
        io::ErrorKind::WouldBlock => "nosso is too busy to let anyone in".to_owned(),
        _ => error.to_string(),
    };
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => "name your own socket with `--socket` or NOSSO_SOCKET".to_owned(),
        io::ErrorKind::InvalidInput => "the path of a socket has at most 107 bytes".to_owned(),
        io::ErrorKind::WouldBlock => "try again in a moment".to_owned(),
        _ => START.to_owned(),
    };
    Error::new(Kind::Unreachable, format!("connect to {}: {found}", path.display()))
        .hint(hint)
        .caused_by(error)
}

/// A call failed. `doing`: the method's name.
pub fn from_client_error(doing: &str, error: ClientError) -> Error {
    match error {
        ClientError::Call(object) => from_object(&object),
        ClientError::ParseError(error) => {
            Error::internal(format!("{doing}: the daemon's answer is not what this version expects: {error}"))
                .hint("use the same version of nosso for the daemon and its clients")
        }
        ClientError::Transport(_) | ClientError::RestartNeeded(_) | ClientError::ServiceDisconnect => {
            let message = format!("{doing}: the daemon closed the connection");
            Error::new(Kind::Unreachable, message).hint(START).caused_by(error)
        }
        other => Error::internal(format!("{doing}: {other}")),
    }
}

/// The daemon's own error. An error that is not known to this version keeps its code's meaning.
pub fn from_object(object: &ErrorObjectOwned) -> Error {
    let data = object.data().and_then(|data| serde_json::from_str::<ErrorData>(data.get()).ok());
    let kind = data.as_ref().and_then(|data| Kind::from_name(&data.kind)).unwrap_or(match object.code() {
        -32700 | -32600 | -32602 => Kind::Invalid,
        -32601 => Kind::Unsupported,
        -32800 => Kind::Cancelled,
        -32009 => Kind::Busy,
        -32099..=-32000 => Kind::TooLarge,
        code => Kind::ALL.iter().copied().find(|kind| kind.code() == code).unwrap_or(Kind::Internal),
    });
    let mut error = Error::new(kind, object.message());
    let Some(data) = data else { return error };
    if let Some(hint) = data.hint {
        error = error.hint(hint);
    }
    if let Some(cause) = data.causes.into_iter().rev().fold(None, |behind: Option<Error>, text| {
        let cause = Error::new(kind, text);
        Some(match behind {
            Some(behind) => cause.caused_by(behind),
            None => cause,
        })
    }) {
        error = error.caused_by(cause);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_back_as_it_was_sent() {
        let data = serde_json::json!({
            "kind": "not_found", "hint": "list them", "retryable": false, "causes": ["a", "b"]
        });
        let error = from_object(&ErrorObjectOwned::owned(4004, "conversation 1 does not exist", Some(data)));
        assert_eq!(
            (error.kind(), error.hint_text(), error.full_text().as_str()),
            (Kind::NotFound, Some("list them"), "conversation 1 does not exist: a: b")
        );
    }

    #[test]
    fn unknown_errors_keep_the_meaning_of_their_code() {
        let check = |code: i32, expected: Kind| {
            assert_eq!(
                from_object(&ErrorObjectOwned::owned(code, "x", None::<()>)).kind(),
                expected,
                "{code}"
            );
        };
        check(-32601, Kind::Unsupported);
        check(-32006, Kind::TooLarge);
        check(5003, Kind::ModelUnavailable);
        check(-1, Kind::Internal);
    }

    #[test]
    fn a_missing_daemon_and_a_killed_one_are_told_apart() {
        let told = |kind: io::ErrorKind| unreachable(Path::new("/run/x"), kind.into()).to_string();
        assert!(told(io::ErrorKind::NotFound).contains("not running"));
        assert!(told(io::ErrorKind::ConnectionRefused).contains("killed"));
    }
}
