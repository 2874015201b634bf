//! What stands in `error.data` of every error that the daemon answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The `data` of an error. The code and the message are JSON-RPC's; this is what a program branches on and what a
/// person is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorData {
    /// The stable name of what went wrong: a kind of the application ("not_found"), or a fault of the protocol
    /// ("parse_error", "invalid_request", "unknown_method").
    pub kind: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether the same call may succeed later without a change.
    #[serde(default)]
    pub retryable: bool,
    /// What led to it, the nearest cause first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

impl From<&Error> for ErrorData {
    fn from(error: &Error) -> Self {
        let mut causes = Vec::new();
        let mut cause = std::error::Error::source(error);
        let mut told = error.to_string();
        while let Some(found) = cause {
            let text = found.to_string();
            // Messages made by `doing` repeat their cause; it is told once.
            if !told.contains(&text) {
                causes.push(text.clone());
                told = text;
            }
            cause = found.source();
        }
        Self {
            kind: error.kind().name().to_owned(),
            hint: error.hint_text().map(str::to_owned),
            retryable: error.kind().is_retryable(),
            causes,
        }
    }
}
