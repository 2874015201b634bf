//! A file that only one process holds: one daemon for a socket, one for a data folder.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::error::{Doing, Error, Kind, Result};

/// A lock that is held until it is dropped, or the process ends in any way. The file stays: taking it away would
/// let two processes hold locks of the same name.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock at `path`, and makes its folder (0700) where there is none. Does not wait.
    ///
    /// Errors: `Conflict`, naming the process, where another one holds it; `Storage` where the file cannot be made.
    pub fn acquire(path: &Path) -> Result<Self> {
        let doing = || format!("take the lock {}", path.display());
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).doing(Kind::Storage, doing())?;
        }
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(path)
            .doing(Kind::Storage, doing())?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(held(path, &mut file)),
            Err(error) => return Err(error).doing(Kind::Storage, doing()),
        }
        // For people, and for the message that the next one gets.
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .doing(Kind::Storage, doing())?;
        Ok(Self { _file: file, path: path.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn held(path: &Path, file: &mut File) -> Error {
    let mut text = String::new();
    let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok());
    let (holder, command) = match pid {
        Some(pid) => (format!("process {pid}"), format!("kill {pid}")),
        None => ("another process".to_owned(), format!("fuser -k {}", path.display())),
    };
    Error::new(
        Kind::Conflict,
        format!("take the lock {}: {holder} holds it, so nosso is already running", path.display()),
    )
    .hint(format!("use the running one, or stop it with `systemctl --user stop nosso` or `{command}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/lock");
        let first = Lock::acquire(&path).unwrap();
        let error = Lock::acquire(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        assert!(error.hint_text().unwrap().contains("systemctl --user stop nosso"));
        drop(first);
        assert_eq!(Lock::acquire(&path).unwrap().path(), path);
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
        assert_eq!(Lock::acquire(&path).unwrap_err().kind(), Kind::Storage);
        assert!(!folder.path().join("elsewhere").exists());
    }
}
