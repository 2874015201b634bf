//! What an error of SQLite means to the caller.

use rusqlite::ErrorCode;

use crate::error::{Error, Kind};

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let (kind, hint) = meaning(&error);
        let found = Error::new(kind, format!("the database says: {error}")).caused_by(error);
        match hint {
            Some(hint) => found.hint(hint),
            None => found,
        }
    }
}

fn meaning(error: &rusqlite::Error) -> (Kind, Option<&'static str>) {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (
            Kind::StorageFull,
            Some("free some space on the disk that holds the database; nothing was changed"),
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Kind::Busy, Some("another program holds the database; try again when it is done"))
        }
        Some(ErrorCode::OperationInterrupted) => {
            (Kind::Busy, Some("it took too long and was given up; ask for less, or try again later"))
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            (Kind::Corrupt, Some("restore the newest backup, or export what is still readable"))
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            (Kind::Storage, Some("see that the database's folder exists and belongs to you"))
        }
        _ => (Kind::Storage, None),
    }
}

/// A stored value that cannot be what the code wrote.
pub(super) fn damaged(what: &str) -> Error {
    Error::new(Kind::Corrupt, format!("the database holds {what}, which nosso never writes"))
        .hint("restore the newest backup, or export what is still readable")
}

/// The beginning of a text, not longer than that many bytes and not cut within a character.
pub(super) fn shorten(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn codes_become_kinds() {
        let check = |code, kind| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(Error::from(error).kind(), kind);
        };
        check(ffi::SQLITE_FULL, Kind::StorageFull);
        check(ffi::SQLITE_IOERR, Kind::Storage);
        check(ffi::SQLITE_BUSY, Kind::Busy);
        check(ffi::SQLITE_INTERRUPT, Kind::Busy);
        check(ffi::SQLITE_NOTADB, Kind::Corrupt);
        check(ffi::SQLITE_CORRUPT, Kind::Corrupt);
        check(ffi::SQLITE_READONLY, Kind::Storage);
    }
}
