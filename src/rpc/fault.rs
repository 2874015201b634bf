//! Errors as JSON-RPC tells them: a code, a message, and `data` that says what kind it is and what to do.

use jsonrpsee::server::Methods;
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::types::error as codes;

use crate::api::{ErrorData, limits};
use crate::error::{Error, Kind};

/// An error of the application.
pub fn from_error(error: &Error) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(error.kind().code(), error.to_string(), Some(ErrorData::from(error)))
}

/// The message is not JSON.
pub(super) fn parse_error(hint: &str) -> ErrorObjectOwned {
    protocol(codes::PARSE_ERROR_CODE, "Parse error", "parse_error", hint)
}

/// The message is JSON but no request.
pub(super) fn invalid_request(hint: &str) -> ErrorObjectOwned {
    protocol(codes::INVALID_REQUEST_CODE, "Invalid Request", "invalid_request", hint)
}

/// No method has that name.
pub(super) fn unknown_method(name: &str, methods: &Methods) -> ErrorObjectOwned {
    let hint = match nearest(name, methods) {
        Some(near) => format!("did you mean `{near}`? `rpc.discover` lists every method"),
        None => "`rpc.discover` lists every method".to_owned(),
    };
    protocol(codes::METHOD_NOT_FOUND_CODE, "Method not found", "unknown_method", &hint)
}

/// A handler panicked; what it said is in the log.
pub(super) fn panicked() -> ErrorObjectOwned {
    let hint = "this is a fault of nosso; its log says more";
    protocol(codes::INTERNAL_ERROR_CODE, "Internal error", Kind::Internal.name(), hint)
}

/// The caller took its request back.
pub(super) fn cancelled() -> ErrorObjectOwned {
    from_error(&Error::new(Kind::Cancelled, "the request was cancelled by its caller"))
}

/// A request over the limit.
pub(super) fn request_too_large() -> ErrorObjectOwned {
    let hint = format!("a request may have {} bytes", limits::MAX_REQUEST_BYTES);
    too_large(codes::OVERSIZED_REQUEST_CODE, codes::OVERSIZED_REQUEST_MSG, &hint)
}

/// An answer over the limit.
pub(super) fn response_too_large() -> ErrorObjectOwned {
    let hint = format!("a response may have {} bytes; ask for less at once", limits::MAX_RESPONSE_BYTES);
    too_large(codes::OVERSIZED_RESPONSE_CODE, codes::OVERSIZED_RESPONSE_MSG, &hint)
}

/// More entries in a batch than allowed.
pub(super) fn batch_too_large() -> ErrorObjectOwned {
    let hint = format!("a batch may have {} entries", limits::MAX_BATCH);
    too_large(codes::TOO_BIG_BATCH_REQUEST_CODE, codes::TOO_BIG_BATCH_REQUEST_MSG, &hint)
}

/// The answers of a batch are over the limit together.
pub(super) fn batch_response_too_large() -> ErrorObjectOwned {
    let hint = format!("the answers of a batch may have {} bytes; send its entries one by one", {
        limits::MAX_RESPONSE_BYTES
    });
    too_large(codes::TOO_BIG_BATCH_RESPONSE_CODE, codes::TOO_BIG_BATCH_RESPONSE_MSG, &hint)
}

/// More subscriptions on a connection than allowed.
pub(super) fn too_many_subscriptions() -> ErrorObjectOwned {
    let hint = format!("a connection may have {} subscriptions; end one first", limits::MAX_SUBSCRIPTIONS);
    too_large(codes::TOO_MANY_SUBSCRIPTIONS_CODE, codes::TOO_MANY_SUBSCRIPTIONS_MSG, &hint)
}

/// More connections than allowed.
pub(super) fn too_many_connections() -> ErrorObjectOwned {
    let data = ErrorData {
        kind: Kind::Busy.name().into(),
        hint: Some(format!("{} clients are connected; close one", limits::MAX_CONNECTIONS)),
        retryable: true,
        causes: Vec::new(),
    };
    ErrorObjectOwned::owned(codes::SERVER_IS_BUSY_CODE, codes::SERVER_IS_BUSY_MSG, Some(data))
}

/// The daemon stops before the call has begun.
pub(super) fn stopping() -> ErrorObjectOwned {
    from_error(&Error::new(Kind::Busy, "the daemon is stopping").hint("connect again in a moment"))
}

/// A subscription as an entry of a batch.
pub(super) fn subscription_in_batch(name: &str) -> ErrorObjectOwned {
    from_error(
        &Error::new(Kind::Unsupported, format!("{name} is a subscription and cannot stand in a batch"))
            .hint("send it as a request of its own"),
    )
}

/// A subscription, or the end of one, by HTTP request.
pub(super) fn subscription_over_http(name: &str) -> ErrorObjectOwned {
    from_error(
        &Error::new(
            Kind::Unsupported,
            format!("{name} belongs to a subscription and needs a connection that stays open"),
        )
        .hint("use the socket with a line of JSON for each message, or a WebSocket"),
    )
}

fn too_large(code: i32, message: &str, hint: &str) -> ErrorObjectOwned {
    protocol(code, message, Kind::TooLarge.name(), hint)
}

fn protocol(code: i32, message: &str, kind: &str, hint: &str) -> ErrorObjectOwned {
    let data = ErrorData {
        kind: kind.to_owned(),
        hint: Some(hint.to_owned()),
        retryable: false,
        causes: Vec::new(),
    };
    ErrorObjectOwned::owned(code, message, Some(data))
}

/// Names longer than this are no misspelling, and comparing them costs the square of their length.
const MAX_COMPARED: usize = 64;

fn nearest(name: &str, methods: &Methods) -> Option<&'static str> {
    if name.len() > MAX_COMPARED {
        return None;
    }
    methods
        .method_names()
        .map(|known| (strsim::normalized_damerau_levenshtein(name, known), known))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use jsonrpsee::RpcModule;

    use super::*;

    fn hint(error: &ErrorObjectOwned) -> String {
        let data: ErrorData = serde_json::from_str(error.data().unwrap().get()).unwrap();
        data.hint.unwrap()
    }

    #[test]
    fn a_misspelt_method_is_guessed() {
        let mut module = RpcModule::new(());
        for name in ["chat.complete", "chat.stream", "memory.add"] {
            module.register_method(name, |_, _, _| 1).unwrap();
        }
        let methods = Methods::from(module);
        let check = |name: &str, expected: &str| {
            assert!(hint(&unknown_method(name, &methods)).contains(expected), "{name}");
        };
        check("chat.compleet", "`chat.complete`");
        check("memoryAdd", "`memory.add`");
        check("zzz", "`rpc.discover`");
        check(&"x".repeat(1 << 20), "`rpc.discover`");
    }

    #[test]
    fn an_error_keeps_its_hint_and_causes() {
        let cause = std::io::Error::other("no route");
        let error = Error::new(Kind::Upstream, "ask the model").hint("start ollama").caused_by(cause);
        let object = from_error(&error);
        assert_eq!(
            (object.code(), object.message(), object.data().unwrap().get()),
            (
                5002,
                "ask the model",
                r#"{"kind":"upstream","hint":"start ollama","retryable":true,"causes":["no route"]}"#
            )
        );
    }
}
