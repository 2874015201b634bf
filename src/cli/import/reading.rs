//! Reads the files, whatever they are (text, archive, database), and packs what they hold.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use indicatif::ProgressBar;
use tempfile::NamedTempFile;

use super::inputs::{self, Input};
use super::pieces::{PIECE_BYTES, Packer, Piece};
use crate::api::data::ImportFormat;
use crate::error::{Doing, Error, Kind, Result};
use crate::exchange::{self, Readout, Source, tables};
use crate::model::Timestamp;
use crate::store::{ForeignDatabase, SQLITE_MARK};

/// What is told while the files are read.
pub enum Event {
    /// The next file is read, in this format; an archive has several.
    Opened {
        /// Its name, as people know it.
        name: String,
        /// Its format.
        format: ImportFormat,
    },
    /// Records of it.
    Piece(Piece),
    /// A file that was found in a folder is no history.
    PassedOver,
    /// A file cannot be read any further; the others are read.
    Failed {
        /// Its name.
        name: String,
        /// Why.
        error: Error,
    },
}

/// Who listens, and whether it still does: errors say that nobody does.
pub type Tell<'a> = dyn FnMut(Event) -> Result<()> + 'a;

/// By how much of a file its format is recognised.
const HEAD_BYTES: u64 = 1 << 20;
const BUFFER_BYTES: usize = 256 << 10;

/// Reads all files, one after the other. Errors: `tell` says that nobody listens any more.
pub fn read_all(
    inputs: &[Input],
    forced: Option<ImportFormat>,
    progress: &ProgressBar,
    tell: &mut Tell<'_>,
) -> Result<()> {
    for input in inputs {
        let name = if input.is_standard_input() {
            "standard input".into()
        } else {
            input.path.display().to_string()
        };
        let mut reading = Reading { forced, now: Timestamp::now(), progress, tell, gone: None };
        let read = reading.file(input, &name);
        match (reading.gone.take(), read) {
            (Some(gone), _) => return Err(gone),
            (None, Err(error)) => tell(Event::Failed { name, error })?,
            (None, Ok(())) => {}
        }
    }
    Ok(())
}

struct Reading<'a, 'b> {
    forced: Option<ImportFormat>,
    now: Timestamp,
    progress: &'a ProgressBar,
    tell: &'a mut Tell<'b>,
    /// What `tell` answered, which is no fault of the file.
    gone: Option<Error>,
}

impl Reading<'_, '_> {
    fn tell(&mut self, event: Event) -> Result<()> {
        (self.tell)(event).map_err(|error| {
            let again = Error::new(error.kind(), error.to_string());
            self.gone = Some(error);
            again
        })
    }

    fn file(&mut self, input: &Input, name: &str) -> Result<()> {
        let doing = || format!("read {name}");
        if input.is_standard_input() {
            let mut reader = BufReader::with_capacity(BUFFER_BYTES, io::stdin());
            let head = head(&mut reader).doing(Kind::Storage, doing())?;
            if !is_binary(&head) {
                return self.text(head, &mut reader, name, None, false);
            }
            // archives and databases are read from their end
            let mut spooled = NamedTempFile::new().doing(Kind::Storage, "make a file for standard input")?;
            let copied = io::copy(&mut head.as_slice().chain(reader), &mut spooled);
            copied.doing(Kind::Storage, doing())?;
            return self.open(spooled.path(), name, false);
        }
        self.open(&input.path, name, input.is_found)
    }

    fn open(&mut self, path: &Path, name: &str, is_found: bool) -> Result<()> {
        let doing = || format!("read {name}");
        let file = File::open(path).doing(Kind::Storage, doing())?;
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, self.progress.wrap_read(file));
        let head = head(&mut reader).doing(Kind::Storage, doing())?;
        if head.starts_with(SQLITE_MARK) {
            return self.database(path, name, is_found);
        }
        if head.starts_with(b"PK\x03\x04") {
            return self.archive(path, name);
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
        self.text(head, &mut reader, name, stem.as_deref(), is_found)
    }

    fn text(
        &mut self,
        head: Vec<u8>,
        rest: &mut dyn BufRead,
        name: &str,
        stem: Option<&str>,
        is_found: bool,
    ) -> Result<()> {
        let format = match self.forced.or_else(|| exchange::recognise(&String::from_utf8_lossy(&head))) {
            Some(format) => format,
            None if is_found => return self.tell(Event::PassedOver),
            None => return Err(unknown(&head, name)),
        };
        self.tell(Event::Opened { name: name.to_owned(), format })?;
        let source = Source { format, name: stem, now: self.now };
        self.pack(|each| exchange::read_from(&mut head.as_slice().chain(rest), source, each))
    }

    fn database(&mut self, path: &Path, name: &str, is_found: bool) -> Result<()> {
        let database = ForeignDatabase::open(path)?;
        let format = match self.forced.or_else(|| exchange::recognise_tables(database.tables())) {
            Some(format) => format,
            None if is_found => return self.tell(Event::PassedOver),
            None => {
                return Err(Error::invalid(format!(
                    "read {name}: it is a database of no tool that is known"
                ))
                .hint("known are webui.db of Open WebUI, logs.db of llm, and the database of Ollama's app"));
            }
        };
        self.tell(Event::Opened { name: name.to_owned(), format })?;
        let rows = |select: &tables::Select<'_>, each: &mut dyn FnMut(tables::Row) -> Result<()>| {
            database.rows(select, each)
        };
        let now = self.now;
        self.pack(|each| tables::read_tables(format, &rows, now, each))
            .map_err(|error| error.while_doing(format!("read {name}")))
    }

    /// What of an archive is a history; the rest of an export is pictures, settings, and the like.
    fn archive(&mut self, path: &Path, name: &str) -> Result<()> {
        let doing = || format!("read the archive {name}");
        let mut file = File::open(path).doing(Kind::Storage, doing())?;
        file.rewind().doing(Kind::Storage, doing())?;
        let mut archive = zip::ZipArchive::new(BufReader::new(file)).doing(Kind::Corrupt, doing())?;
        let mut n_read = 0;
        for index in 0..archive.len() {
            let entry = match archive.by_index(index).doing(Kind::Corrupt, doing()) {
                Ok(entry) => entry,
                Err(error) => {
                    self.tell(Event::Failed { name: name.to_owned(), error })?;
                    continue;
                }
            };
            let Ok(within) = entry.name().map(|within| Path::new(within.as_ref()).to_owned()) else {
                continue;
            };
            let is_text = !within.extension().is_some_and(|ending| ending == "zip" || ending == "db");
            if !entry.is_file() || !inputs::has_ending(&within) || !is_text || within.starts_with("__MACOSX")
            {
                continue;
            }
            let full_name = format!("{name}: {}", within.display());
            let stem = within.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
            let mut reader = BufReader::with_capacity(BUFFER_BYTES, entry);
            let read = head(&mut reader).doing(Kind::Corrupt, doing()).and_then(|head| {
                let is_history =
                    self.forced.is_some() || exchange::recognise(&String::from_utf8_lossy(&head)).is_some();
                n_read += usize::from(is_history);
                self.text(head, &mut reader, &full_name, stem.as_deref(), true)
            });
            if let Err(error) = read {
                if self.gone.is_some() {
                    return Err(error);
                }
                self.tell(Event::Failed { name: full_name, error })?;
            }
        }
        if n_read == 0 {
            return Err(Error::invalid(format!("read {name}: no file in the archive is a history"))
                .hint("ChatGPT and Claude put a conversations.json into their exports"));
        }
        Ok(())
    }

    /// Packs what a reader gives, and tells it.
    fn pack(&mut self, read: impl FnOnce(&mut dyn FnMut(Readout) -> Result<()>) -> Result<()>) -> Result<()> {
        let mut packer = Packer::new(PIECE_BYTES);
        let done = read(&mut |readout| packer.add(readout, &mut |piece| self.tell(Event::Piece(piece))));
        // what was read before a fault counts
        let rest = packer.take();
        if self.gone.is_none() && rest != Piece::default() {
            self.tell(Event::Piece(rest))?;
        }
        done
    }
}

fn head(reader: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

fn is_binary(head: &[u8]) -> bool {
    head.starts_with(SQLITE_MARK) || head.starts_with(b"PK\x03\x04")
}

fn unknown(head: &[u8], name: &str) -> Error {
    let packed = match head {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd -d"),
        [0x1f, 0x8b, ..] => Some("gunzip"),
        [b'B', b'Z', b'h', ..] => Some("bunzip2"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Some("unxz"),
        _ => None,
    };
    let known: Vec<&str> = ImportFormat::ALL.iter().map(|format| format.name()).collect();
    match packed {
        _ if head.trim_ascii().is_empty() => Error::invalid(format!("read {name}: it is empty"))
            .hint("export it again; there is nothing in it to import"),
        Some(tool) => Error::invalid(format!("read {name}: it is compressed"))
            .hint(format!("uncompress it first, with `{tool} {name}`")),
        None => Error::invalid(format!("read {name}: it is in no format that is known")).hint(format!(
            "known are {}; `--format NAME` says which it is, and [{{\"title\": …, \"messages\": [{{\"role\": …, \"content\": …}}]}}] is read as it is",
            known.join(", ")
        )),
    }
}
