//! Checksums of files, and what is said when one is wrong.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::progress::Progress;
use crate::embed::hexadecimal;
use crate::error::{Doing, Error, Kind, Result};

/// The SHA-256 of a file, hexadecimal.
pub(super) fn of_file(path: &Path) -> Result<String> {
    let reading = || format!("read {}", path.display());
    let file = File::open(path).doing(Kind::Storage, reading())?;
    copy(file, io::sink(), None).doing(Kind::Storage, reading())
}

/// Copies everything and answers its SHA-256.
pub(super) fn copy(
    mut from: impl Read,
    mut to: impl Write,
    progress: Option<&dyn Progress>,
) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut n_bytes = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if n == 0 {
            return Ok(hexadecimal(&digest.finalize()));
        }
        digest.update(&buffer[..n]);
        to.write_all(&buffer[..n])?;
        n_bytes += n as u64;
        if let Some(progress) = progress {
            progress.advance(n_bytes);
        }
    }
}

/// Refuses a sum that is not the pinned one. Errors: [`Kind::Corrupt`] with both sums.
pub(super) fn expect(what: &str, found: &str, pinned: &str) -> Result<()> {
    if found == pinned {
        return Ok(());
    }
    Err(Error::new(
        Kind::Corrupt,
        format!("check {what}: its SHA-256 is {found}, expected was {pinned}; it is not used"),
    )
    .hint("try again; where it stays so, what answers for the package index is not to be trusted"))
}
