//! How a run of the program ends: the one table from what happened to the exit code.

use crate::error::{Error, Kind};

/// What every subcommand answers.
pub type Run = std::result::Result<Ended, Failure>;

/// A run that did what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All is well.
    Well,
    /// Like grep: it worked, and there was nothing.
    NothingFound,
    /// A check of `nosso doctor` or `nosso config check` failed, or records were refused.
    CheckFailed,
}

/// A run that did not.
#[derive(Debug)]
pub enum Failure {
    /// An error, whose kind decides.
    Failed(Error),
    /// A file that was named as input cannot be read.
    NoInput(Error),
    /// Another daemon runs already.
    AlreadyRuns(Error),
    /// Ctrl-C.
    Interrupted,
    /// Who read our output went away (`nosso list | head`): the end of the work, not a fault.
    OutputClosed,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            Kind::Cancelled => Failure::Interrupted,
            _ => Failure::Failed(error),
        }
    }
}

/// The exit code: 0 well, 1 nothing found or a failed check, 2 usage, 66 to 78 as in sysexits.h, 130 Ctrl-C.
pub fn code(run: &Run) -> u8 {
    match run {
        Ok(Ended::Well) | Err(Failure::OutputClosed) => 0,
        Ok(Ended::NothingFound | Ended::CheckFailed) => 1,
        Err(Failure::NoInput(_)) => 66,
        // the unit names this one, so that systemd does not try again
        Err(Failure::AlreadyRuns(_)) => 73,
        Err(Failure::Interrupted) => 130,
        Err(Failure::Failed(error)) => match error.kind() {
            Kind::NotFound | Kind::Conflict => 1,
            Kind::Invalid | Kind::TooLarge => 2,
            Kind::Unreachable | Kind::Unsupported | Kind::ModelUnavailable | Kind::Upstream => 69,
            Kind::Internal => 70,
            Kind::Storage | Kind::StorageFull | Kind::Corrupt => 74,
            Kind::Busy | Kind::UpstreamTimeout | Kind::UpstreamCut => 75,
            Kind::Config => 78,
            Kind::Cancelled => 130,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_code() {
        let failed = |kind| Err(Failure::Failed(Error::new(kind, "x")));
        for (run, expected) in [
            (Ok(Ended::Well), 0),
            (Ok(Ended::NothingFound), 1),
            (Ok(Ended::CheckFailed), 1),
            (Err(Failure::NoInput(Error::invalid("x"))), 66),
            (Err(Failure::AlreadyRuns(Error::invalid("x"))), 73),
            (Err(Failure::Interrupted), 130),
            (Err(Failure::OutputClosed), 0),
            (failed(Kind::Invalid), 2),
            (failed(Kind::NotFound), 1),
            (failed(Kind::Unreachable), 69),
            (failed(Kind::Upstream), 69),
            (failed(Kind::ModelUnavailable), 69),
            (failed(Kind::Internal), 70),
            (failed(Kind::Storage), 74),
            (failed(Kind::StorageFull), 74),
            (failed(Kind::Busy), 75),
            (failed(Kind::UpstreamTimeout), 75),
            (failed(Kind::Config), 78),
            (failed(Kind::Cancelled), 130),
        ] {
            assert_eq!(code(&run), expected, "{run:?}");
        }
    }

    #[test]
    fn a_failure_never_looks_like_success() {
        for kind in Kind::ALL {
            assert_ne!(code(&Err(Failure::Failed(Error::new(*kind, "x")))), 0, "{kind:?}");
        }
    }

    #[test]
    fn what_may_work_later_is_told_apart_from_what_never_will() {
        for kind in Kind::ALL.iter().filter(|kind| kind.is_retryable()) {
            let code = code(&Err(Failure::Failed(Error::new(*kind, "x"))));
            assert!([69, 74, 75].contains(&code), "{kind:?} gives {code}");
        }
    }
}
