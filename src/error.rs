//! The one error of the product: a kind for programs, a sentence for people, a chain of causes for the log.

use std::error::Error as StdError;
use std::fmt;

/// What every fallible function here answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Something that did not work.
///
/// `Display` gives what was being done and what was found, lower case, without a final dot; [`Error::hint`]
/// says what to do about it; [`StdError::source`] leads to the causes.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What clients branch on. The names are part of the protocol: never rename one, only add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A parameter is missing, malformed or contradicts another.
    Invalid,
    /// The thing that was named does not exist.
    NotFound,
    /// It exists already with other content, or changed meanwhile.
    Conflict,
    /// More than a limit of `system.initialize` allows.
    TooLarge,
    /// The call cannot work over this framing, or in this state of the daemon.
    Unsupported,
    /// The caller took its request back.
    Cancelled,
    /// The daemon has too much to do, or is stopping; the same call may work later.
    Busy,
    /// The daemon cannot be reached.
    Unreachable,
    /// No embedding model, no runtime library, or no language model of that name.
    ModelUnavailable,
    /// The model server cannot be reached, or answered with an error.
    Upstream,
    /// The model server took longer than the configured time.
    UpstreamTimeout,
    /// The model server cut its answer off.
    UpstreamCut,
    /// The disk is full, or a quota is.
    StorageFull,
    /// Reading or writing the database or a file failed.
    Storage,
    /// A file does not hold what its name or its checksum promises.
    Corrupt,
    /// The settings are wrong.
    Config,
    /// A fault of this program.
    Internal,
}

impl Kind {
    /// Every kind, for the protocol's document.
    pub const ALL: &[Kind] = &[
        Kind::Invalid,
        Kind::NotFound,
        Kind::Conflict,
        Kind::TooLarge,
        Kind::Unsupported,
        Kind::Cancelled,
        Kind::Busy,
        Kind::Unreachable,
        Kind::ModelUnavailable,
        Kind::Upstream,
        Kind::UpstreamTimeout,
        Kind::UpstreamCut,
        Kind::StorageFull,
        Kind::Storage,
        Kind::Corrupt,
        Kind::Config,
        Kind::Internal,
    ];

    /// The stable name that stands in `error.data.kind`.
    pub fn name(self) -> &'static str {
        self.wire().1
    }

    /// The JSON-RPC code: the protocol's own for its faults, positive ones for the application's.
    pub fn code(self) -> i32 {
        self.wire().0
    }

    /// Whether the same call may succeed later without a change.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Kind::Busy
                | Kind::Unreachable
                | Kind::Upstream
                | Kind::UpstreamTimeout
                | Kind::UpstreamCut
                | Kind::StorageFull
        )
    }

    /// The kind of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    fn wire(self) -> (i32, &'static str) {
        match self {
            Kind::Invalid => (-32602, "invalid"),
            Kind::NotFound => (4004, "not_found"),
            Kind::Conflict => (4009, "conflict"),
            Kind::TooLarge => (4013, "too_large"),
            Kind::Unsupported => (4015, "unsupported"),
            Kind::Cancelled => (-32800, "cancelled"),
            Kind::Busy => (5008, "busy"),
            Kind::Unreachable => (5009, "unreachable"),
            Kind::ModelUnavailable => (5003, "model_unavailable"),
            Kind::Upstream => (5002, "upstream"),
            Kind::UpstreamTimeout => (5004, "upstream_timeout"),
            Kind::UpstreamCut => (5005, "upstream_cut"),
            Kind::StorageFull => (5007, "storage_full"),
            Kind::Storage => (5000, "storage"),
            Kind::Corrupt => (5001, "corrupt"),
            Kind::Config => (5006, "config"),
            Kind::Internal => (-32603, "internal"),
        }
    }
}

impl Error {
    /// An error that says `message`: what was being done and what was found.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    /// A parameter of the caller is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// `what` ("conversation 0192…") does not exist.
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("{what} does not exist"))
    }

    /// A fault of this program.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names the cause, which the log prints behind the message.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Puts what was being done in front: `doing("open the store")` gives "open the store: …".
    #[must_use]
    pub fn while_doing(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// What programs branch on.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do about it, where there is something to do.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The message and all causes on one line, for the log and for people.
    pub fn full_text(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            let more = error.to_string();
            // a message made by `doing` ends with its cause
            if !text.ends_with(&more) {
                text.push_str(": ");
                text.push_str(&more);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Turns a foreign error into ours, saying what was being done.
pub trait Doing<T> {
    /// `doing` in the infinitive: "read the file /x".
    fn doing(self, kind: Kind, doing: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Doing<T> for Result<T, E> {
    fn doing(self, kind: Kind, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|source| {
            let source = source.into();
            Error::new(kind, format!("{doing}: {source}")).caused_by(source)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_distinct_names_and_codes() {
        let names: std::collections::HashSet<_> = Kind::ALL.iter().map(|k| k.name()).collect();
        let codes: std::collections::HashSet<_> = Kind::ALL.iter().map(|k| k.code()).collect();
        assert_eq!((names.len(), codes.len()), (Kind::ALL.len(), Kind::ALL.len()));
    }

    #[test]
    fn application_codes_stay_out_of_the_ranges_of_others() {
        for kind in Kind::ALL {
            assert!(!(-32099..=-32000).contains(&kind.code()), "{kind:?} uses a code of jsonrpsee");
        }
    }

    #[test]
    fn causes_are_told_once() {
        let io = std::io::Error::other("no such device");
        let error = Err::<(), _>(io).doing(Kind::Storage, "read the file /x").unwrap_err();
        assert_eq!(error.full_text(), "read the file /x: no such device");
    }
}
