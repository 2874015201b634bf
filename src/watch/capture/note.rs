//! Reads a file of notes, if it is one.

use std::io::Read;
use std::path::Path;

use super::listing::stamp_to_read;
use super::session::open;
use crate::exchange::note::is_binary;
use crate::store::Stamp;

/// A file that was read.
pub(super) struct Note {
    /// The file when it was opened.
    pub stamp: Stamp,
    /// Its text.
    pub text: Result<String, LeftOut>,
}

/// Why a file is left out.
pub(super) enum LeftOut {
    /// As long as it does not change.
    Lasting(String),
    /// As long as the settings, or its permissions, do not change.
    Now(String),
}

/// Reads the file; none where it went away. One of more than `most` bytes is left out, as is one that is no text.
pub(super) fn read(place: &Path, most: u64) -> Option<Note> {
    let mut file = match open(place) {
        Ok(file) => file,
        Err(error) => {
            let stamp = stamp_to_read(&std::fs::metadata(place).ok()?);
            return Some(Note { stamp, text: Err(unreadable(&error)) });
        }
    };
    let stamp = stamp_to_read(&file.metadata().ok()?);
    Some(Note { stamp, text: text(&mut file, stamp.size, most) })
}

fn unreadable(error: &std::io::Error) -> LeftOut {
    LeftOut::Now(format!("cannot be read: {error}"))
}

fn text(file: &mut dyn Read, size: u64, most: u64) -> Result<String, LeftOut> {
    let too_large = |bytes: u64| {
        let size = bytes.div_ceil(1024);
        LeftOut::Now(format!("has {size} KiB; capture.max_file_kib allows {}", most / 1024))
    };
    if size > most {
        return Err(too_large(size));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > most {
        return Err(too_large(bytes.len() as u64));
    }
    if is_binary(&bytes) {
        return Err(LeftOut::Lasting("is no text".into()));
    }
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
