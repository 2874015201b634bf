//! What goes wrong inside LMDB and arroy, told in the words and kinds of this program.

use std::fmt;
use std::io;
use std::path::Path;

use heed::MdbError;
use rustix::io::Errno;

use crate::error::{Error, Kind};

/// Below this much free space an unexplained write error is taken for a full disk: LMDB answers a short write with
/// a plain EIO.
const NEARLY_FULL: u64 = 1 << 20;

/// A foreign error on its way to becoming an [`Error`].
#[derive(Debug)]
pub(super) enum Fault {
    /// LMDB's, or the file system's below it.
    Lmdb(heed::Error),
    /// arroy's own.
    Arroy(arroy::Error),
    /// The disk has no room left.
    Full(io::Error),
    /// What was read is not what was written.
    Broken(String),
    /// Ours already.
    Ours(Error),
}

impl Fault {
    pub(super) fn is(&self, mdb: MdbError) -> bool {
        matches!(self, Fault::Lmdb(heed::Error::Mdb(found)) if *found == mdb)
    }

    /// The memory map is too small for what is being written.
    pub(super) fn is_map_full(&self) -> bool {
        self.is(MdbError::MapFull)
    }

    /// Finds out whether a vague write error in `folder` means that the disk is full.
    pub(super) fn at(self, folder: &Path) -> Self {
        let Fault::Lmdb(heed::Error::Io(error)) = self else { return self };
        let code = error.raw_os_error().map(Errno::from_raw_os_error);
        let full = match code {
            Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => true,
            Some(Errno::IO) => rustix::fs::statvfs(folder)
                .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < NEARLY_FULL),
            _ => false,
        };
        if full { Fault::Full(error) } else { Fault::Lmdb(heed::Error::Io(error)) }
    }

    /// `doing` in the infinitive: "store 3 vectors".
    pub(super) fn into_error(self, doing: impl fmt::Display) -> Error {
        let kind = self.kind();
        let error = match self {
            Fault::Ours(error) => return error.while_doing(doing),
            Fault::Broken(found) => Error::new(kind, format!("{doing}: {found}")),
            Fault::Full(error) => Error::new(kind, format!("{doing}: {error}")).caused_by(error),
            Fault::Lmdb(error) => Error::new(kind, format!("{doing}: {error}")).caused_by(error),
            Fault::Arroy(error) => Error::new(kind, format!("{doing}: {error}")).caused_by(error),
        };
        match kind {
            Kind::StorageFull => error.hint("free some space; nothing that was stored before is lost"),
            Kind::Conflict => error.hint("the index is open in this process already; close it first"),
            Kind::Corrupt => error.hint("delete the index folder; it is filled anew from the database"),
            _ => error,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Fault::Ours(error) => error.kind(),
            Fault::Full(_) => Kind::StorageFull,
            Fault::Broken(_) => Kind::Corrupt,
            Fault::Lmdb(error) => match error {
                heed::Error::EnvAlreadyOpened => Kind::Conflict,
                heed::Error::Decoding(_) => Kind::Corrupt,
                heed::Error::Mdb(
                    MdbError::Corrupted
                    | MdbError::PageNotFound
                    | MdbError::Invalid
                    | MdbError::VersionMismatch
                    | MdbError::Incompatible
                    | MdbError::BadDbi
                    | MdbError::CursorFull
                    | MdbError::PageFull
                    | MdbError::NotFound,
                ) => Kind::Corrupt,
                heed::Error::Mdb(MdbError::MapFull) => Kind::StorageFull,
                heed::Error::Io(io) if io.raw_os_error() == Some(Errno::NOSPC.raw_os_error()) => {
                    Kind::StorageFull
                }
                _ => Kind::Storage,
            },
            Fault::Arroy(error) => match error {
                arroy::Error::MissingKey { .. }
                | arroy::Error::MissingMetadata(_)
                | arroy::Error::NeedBuild(_)
                | arroy::Error::UnmatchingDistance { .. }
                | arroy::Error::CannotDecodeKeyMode { .. } => Kind::Corrupt,
                arroy::Error::Io(io) if io.raw_os_error() == Some(Errno::NOSPC.raw_os_error()) => {
                    Kind::StorageFull
                }
                _ => Kind::Storage,
            },
        }
    }
}

impl From<heed::Error> for Fault {
    fn from(error: heed::Error) -> Self {
        Fault::Lmdb(error)
    }
}

impl From<arroy::Error> for Fault {
    fn from(error: arroy::Error) -> Self {
        match error {
            arroy::Error::Heed(error) => Fault::Lmdb(error),
            other => Fault::Arroy(other),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Ours(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_cause() {
        let check = |fault: Fault, expected: Kind| {
            let error = fault.into_error("store 1 vector");
            assert_eq!(error.kind(), expected, "{error}");
            assert!(error.to_string().starts_with("store 1 vector: "), "{error}");
        };
        let os = |errno: Errno| heed::Error::Io(io::Error::from_raw_os_error(errno.raw_os_error()));
        check(heed::Error::EnvAlreadyOpened.into(), Kind::Conflict);
        check(heed::Error::Mdb(MdbError::MapFull).into(), Kind::StorageFull);
        check(heed::Error::Mdb(MdbError::Corrupted).into(), Kind::Corrupt);
        check(heed::Error::Mdb(MdbError::ReadersFull).into(), Kind::Storage);
        check(arroy::Error::NeedBuild(0).into(), Kind::Corrupt);
        check(arroy::Error::Heed(os(Errno::NOSPC)).into(), Kind::StorageFull);
        check(Fault::from(os(Errno::DQUOT)).at(Path::new("/")), Kind::StorageFull);
        check(Fault::from(os(Errno::ACCESS)).at(Path::new("/")), Kind::Storage);
        check(Fault::Broken("a short row".into()), Kind::Corrupt);
    }
}
