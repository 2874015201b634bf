//! A file that appears only when it is whole.

use std::io::Write;
use std::path::Path;

use crate::error::{Doing, Error, Kind, Result};

/// A file that is being written, readable by its owner only; dropped before it is finished, it is removed.
pub struct Partial {
    file: tempfile::NamedTempFile,
    written: std::io::BufWriter<std::fs::File>,
}

impl Partial {
    /// Begins a file in the folder of `target`.
    pub fn beside(target: &Path) -> Result<Self> {
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let doing = || format!("write into {}", folder.display());
        let file = tempfile::Builder::new().prefix(".nosso-export").tempfile_in(folder);
        let file = file.doing(Kind::Storage, doing())?;
        let written = std::io::BufWriter::new(file.reopen().doing(Kind::Storage, doing())?);
        Ok(Self { file, written })
    }

    /// Writes behind what is there.
    pub fn write(&mut self, text: &str) -> Result<()> {
        self.written.write_all(text.as_bytes()).doing(Kind::Storage, "write the export")
    }

    /// Gives it its name, in place of a file that has it.
    pub fn finish(mut self, target: &Path) -> Result<()> {
        self.written.flush().doing(Kind::Storage, "write the export")?;
        self.file.as_file().sync_all().doing(Kind::Storage, "write the export")?;
        self.file.persist(target).doing(Kind::Storage, format!("write {}", target.display()))?;
        Ok(())
    }
}

/// A file that exists is written over only where that was asked for.
pub fn refuse_existing(doing: &str, file: &Path, force: bool) -> Result<()> {
    if !file.exists() || force {
        return Ok(());
    }
    Err(Error::new(Kind::Conflict, format!("{doing} to {}: the file exists", file.display()))
        .hint("choose another name, or write over it with --force"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_only_when_it_is_whole() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.ndjson");
        let mut partial = Partial::beside(&target).unwrap();
        partial.write("{}\n").unwrap();
        drop(partial);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

        let mut partial = Partial::beside(&target).unwrap();
        partial.write("{}\n").unwrap();
        assert!(!target.exists());
        partial.finish(&target).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "{}\n");
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
