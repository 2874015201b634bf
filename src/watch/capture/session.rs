//! Reads the files of sessions: those that only grow from where they were read to, others as a whole.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::listing::stamp_to_read;
use crate::api::data::ImportFormat;
use crate::error::{Doing, Kind, Result};
use crate::exchange::{self, Follower, Readout, Retitled, Source};
use crate::model::Timestamp;
use crate::store::Stamp;

/// What is read at a time, about.
const SLICE_BYTES: usize = 4 << 20;
/// A line that is longer is passed over.
const MAX_LINE_BYTES: usize = 64 << 20;
/// Bytes before the place that was read to; where they differ, the file was written anew.
const TAIL_BYTES: usize = 64;
/// Sessions that are remembered. One that is not is read from its beginning, which only takes longer.
const MAX_OPEN: usize = 64;

/// The sessions that grew lately.
#[derive(Default)]
pub(super) struct Sessions(VecDeque<Open>);

/// How far a session was read.
struct Open {
    folder: i64,
    path: String,
    follower: Follower,
    stamp: Stamp,
    offset: u64,
    /// The last bytes before that.
    tail: Vec<u8>,
    /// Whether the place is within a line that is too long.
    is_within: bool,
}

/// What was read.
pub(super) struct Part {
    /// The records.
    pub readout: Readout,
    /// Titles that became better.
    pub retitled: Vec<Retitled>,
    /// Whether there is more to read.
    pub is_more: bool,
    /// The file when it was opened.
    pub stamp: Stamp,
}

impl Sessions {
    /// Reads what came since the last time. Errors: the file cannot be read.
    pub fn read(&mut self, folder: i64, path: &str, place: &Path, format: ImportFormat) -> Result<Part> {
        let doing = || format!("read {}", place.display());
        let file = open(place).doing(Kind::Storage, doing())?;
        let now = stamp_to_read(&file.metadata().doing(Kind::Storage, doing())?);
        let name = place.file_stem().and_then(|stem| stem.to_str());
        let Some(follower) = Follower::new(format, name) else {
            return whole(file, now, Source { format, name, now: Timestamp::now() });
        };
        let known = self.0.iter().position(|open| (open.folder, open.path.as_str()) == (folder, path));
        let known = known.and_then(|at| self.0.remove(at)).filter(|open| open.goes_on(&file, &now));
        let mut open = known.unwrap_or_else(|| Open {
            folder,
            path: path.to_owned(),
            follower,
            stamp: now,
            offset: 0,
            tail: Vec::new(),
            is_within: false,
        });
        let read = open.read(file, now).doing(Kind::Storage, doing())?;
        let readout = open.follower.read(&read.lines, Timestamp::now())?;
        let retitled = open.follower.retitled();
        self.0.push_back(open);
        if self.0.len() > MAX_OPEN {
            self.0.pop_front();
        }
        let mut part = Part { readout, retitled, is_more: read.is_more, stamp: now };
        if read.is_too_long {
            part.readout.refuse("a line", format!("takes more than {MAX_LINE_BYTES} bytes"));
        }
        Ok(part)
    }

    /// Remembers nothing of a file.
    pub fn forget(&mut self, folder: i64, path: &str) {
        self.0.retain(|open| (open.folder, open.path.as_str()) != (folder, path));
    }
}

struct Lines {
    lines: Vec<u8>,
    is_more: bool,
    is_too_long: bool,
}

impl Open {
    /// Whether the file is the one that was read, and only grew.
    fn goes_on(&self, file: &File, now: &Stamp) -> bool {
        let mut tail = vec![0; self.tail.len()];
        self.stamp.is_same_file(now)
            && self.offset <= now.size
            && file.read_exact_at(&mut tail, self.offset - self.tail.len() as u64).is_ok()
            && tail == self.tail
    }

    /// The whole lines that follow.
    fn read(&mut self, mut file: File, now: Stamp) -> std::io::Result<Lines> {
        self.stamp = now;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        let mut is_over = false;
        while !is_over
            && (bytes.len() < SLICE_BYTES || !bytes.contains(&b'\n'))
            && bytes.len() <= MAX_LINE_BYTES
        {
            is_over = (&mut file).take(SLICE_BYTES as u64).read_to_end(&mut bytes)? < SLICE_BYTES;
        }
        let end = memchr::memrchr(b'\n', &bytes).map(|place| place + 1);
        let is_too_long = end.is_none() && bytes.len() > MAX_LINE_BYTES;
        // the rest is a line that is still being written
        let n_taken = end.unwrap_or(if is_too_long { bytes.len() } else { 0 });
        bytes.truncate(n_taken);
        self.offset += n_taken as u64;
        let kept = bytes.len().saturating_sub(TAIL_BYTES);
        if n_taken > 0 {
            self.tail = bytes[kept..].to_vec();
        }
        let was_within = self.is_within;
        self.is_within = is_too_long || (was_within && end.is_none());
        if was_within {
            // the end of the line that was passed over
            let end = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |place| place + 1);
            bytes.drain(..end);
        } else if is_too_long {
            bytes.clear();
        }
        Ok(Lines { lines: bytes, is_more: !is_over, is_too_long })
    }
}

/// Reads a session whose file changes everywhere.
fn whole(file: File, stamp: Stamp, source: Source<'_>) -> Result<Part> {
    let mut readout = Readout::default();
    exchange::read_from(&mut BufReader::new(file), source, &mut |part| {
        readout.append(part);
        Ok(())
    })?;
    Ok(Part { readout, retitled: Vec::new(), is_more: false, stamp })
}

/// Opens a file to read it; one that is no file is not waited for.
pub(super) fn open(place: &Path) -> std::io::Result<File> {
    let without_waiting = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = std::fs::OpenOptions::new().read(true).custom_flags(without_waiting).open(place)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no file")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::exchange::Record;

    fn line(id: &str, parent: Option<&str>, text: &str) -> String {
        let said = serde_json::json!({"type": "user", "sessionId": "s", "uuid": id, "parentUuid": parent,
            "timestamp": "2026-01-02T03:04:05Z", "message": {"content": text}});
        format!("{said}\n")
    }

    /// What is read of a file that holds this now.
    fn read(sessions: &mut Sessions, place: &Path, bytes: &[u8]) -> Vec<String> {
        // into the file that is there, as tools do
        let mut file = File::options().write(true).create(true).truncate(true).open(place).unwrap();
        file.write_all(bytes).unwrap();
        let mut all = vec![];
        loop {
            let part = sessions.read(1, "x", place, ImportFormat::ClaudeCode).unwrap();
            for record in part.readout.records {
                if let Record::Message(message) = record {
                    all.push(message.content);
                }
            }
            all.extend(part.readout.refused.into_iter().map(|refused| format!("!{}", refused.place)));
            if !part.is_more {
                return all;
            }
        }
    }

    #[test]
    fn only_what_is_new_is_read_unless_the_file_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("s.jsonl");
        let mut sessions = Sessions::default();
        let [a, b, c] = [line("a", None, "A"), line("b", Some("a"), "B"), line("c", Some("b"), "C")];
        let mut check = |text: &str, expected: &[&str]| {
            assert_eq!(read(&mut sessions, &place, text.as_bytes()), expected, "{text}");
        };
        check("", &[]);
        check(&a, &["A"]);
        check(&a, &[]);
        // half a line is not read yet
        check(&format!("{a}{}", &b[..40]), &[]);
        check(&format!("{a}{b}nonsense\n"), &["B", "!line 3"]);
        // shorter, and something else: it is read anew, and what is known is known by its id
        check(&a, &["A"]);
        check(&format!("{c}{a}{b}"), &["A", "B", "C"]);
        let other = line("x", None, "another session in the same file, and longer than before");
        check(
            &format!("{other}{a}{b}{c}"),
            &["another session in the same file, and longer than before", "A", "B", "C"],
        );
    }

    #[test]
    fn a_file_of_any_size_is_read_in_parts_and_its_gigantic_lines_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("s.jsonl");
        let long = "x".repeat(SLICE_BYTES / 3);
        let many: String = (0..7).map(|n| line(&n.to_string(), None, &format!("{n}{long}"))).collect();
        let found = read(&mut Sessions::default(), &place, many.as_bytes());
        let firsts: String =
            found.iter().filter(|text| !text.starts_with('x')).map(|text| &text[..1]).collect();
        assert_eq!(firsts, "0123456");

        let gigantic = "x".repeat(MAX_LINE_BYTES + SLICE_BYTES);
        let text = format!("{}{gigantic}\n{}", line("a", None, "A"), line("b", Some("a"), "B"));
        assert_eq!(read(&mut Sessions::default(), &place, text.as_bytes()), ["A", "!a line", "B"]);
    }
}
