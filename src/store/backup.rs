//! Backups: copies of the database that are made while it is in use, checked, and put back.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::migrate::{self, MIGRATIONS};
use super::{Store, connection, fulltext, open, words};
use crate::api::backup::{Backup, BackupReason};
use crate::config::Durability;
use crate::error::{Doing, Error, Kind, Result};
use crate::model::Timestamp;

/// What the file's name begins with, by the reason for which it was made.
const NAMES: &[(BackupReason, &str)] = &[
    (BackupReason::Asked, "nosso-"),
    (BackupReason::Upgrade, "from-v"),
    (BackupReason::Restore, "replaced-"),
];
/// What is being written begins with this, and is deleted when it is found later.
const UNFINISHED: &str = ".unfinished-";
/// The copy that a restore works with.
const RESTORING: &str = ".restoring.db";

impl Store {
    /// Copies the database into `folder` (none: the backup folder) as it is at this moment, checks the copy, and
    /// deletes all but the newest `keep` of the same sort there. Writes go on meanwhile. Errors: the copy is broken,
    /// as the database is then: nothing is deleted.
    pub async fn back_up(&self, folder: Option<PathBuf>, keep: usize) -> Result<Backup> {
        let database = self.0.database.clone();
        let folder = folder.unwrap_or_else(|| self.0.backups.clone());
        blocking(move || {
            let made = create(&database, &folder, BackupReason::Asked)?;
            rotate(&folder, keep)?;
            Ok(made)
        })
        .await
    }

    /// Where backups lie, and which there are: the newest first.
    pub async fn backups(&self) -> Result<(PathBuf, Vec<Backup>)> {
        let folder = self.0.backups.clone();
        blocking(move || {
            let found = list(&folder)?;
            Ok((folder, found))
        })
        .await
    }

    /// Deletes the backups that were made before that time; answers their files.
    pub async fn delete_backups_before(&self, time: Timestamp) -> Result<Vec<String>> {
        let folder = self.0.backups.clone();
        blocking(move || {
            let mut deleted = Vec::new();
            for old in list(&folder)?.into_iter().filter(|backup| backup.created_at < time) {
                delete(Path::new(&old.file))?;
                deleted.push(old.file);
            }
            Ok(deleted)
        })
        .await
    }
}

/// Runs what works on files on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.doing(Kind::Internal, "work on the backups")?
}

/// Makes a backup of the database and checks it.
pub(super) fn create(database: &Path, folder: &Path, reason: BackupReason) -> Result<Backup> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    copy(&connection, folder, reason, "")
}

/// Copies what `connection` is open on; the file appears under its name when it is whole and good.
pub(super) fn copy(
    connection: &Connection,
    folder: &Path,
    reason: BackupReason,
    detail: &str,
) -> Result<Backup> {
    open::private_folder(folder)?;
    sweep(folder)?;
    let now = Timestamp::now();
    let name = format!("{}{detail}{}.db", prefix(reason), now.to_string().replace(':', ""));
    let (target, unfinished) = (folder.join(&name), folder.join(format!("{UNFINISHED}{name}")));
    open::private_file(&unfinished)?;
    let written = write(connection, &unfinished, &target);
    if written.is_err() {
        // an error of the removal would hide the first one, and the next backup sweeps
        let _ = fs::remove_file(&unfinished);
    }
    let bytes =
        written.map_err(|error| error.while_doing(format_args!("back up into {}", folder.display())))?;
    tracing::info!(backup = %target.display(), bytes, "copied the database");
    Ok(Backup { file: target.display().to_string(), reason, created_at: now, bytes })
}

fn write(connection: &Connection, unfinished: &Path, target: &Path) -> Result<u64> {
    // an empty file is as good as none to VACUUM INTO, and this one has the right mode already
    connection.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()])?;
    check_content(&Connection::open(unfinished)?)?;
    let file = fs::File::open(unfinished).doing(Kind::Storage, "open the copy")?;
    file.sync_all().doing(Kind::Storage, "write the copy to the disk")?;
    fs::rename(unfinished, target)
        .and_then(|()| fs::File::open(target.parent().unwrap_or(Path::new(".")))?.sync_all())
        .doing(Kind::Storage, format_args!("give the copy its name {}", target.display()))?;
    Ok(file.metadata().doing(Kind::Storage, "look at the copy")?.len())
}

/// Whether a database is whole: its pages, its references, and its full text against its texts. SQLite's own check
/// does not see a changed byte inside a text; the comparison with the full text does.
pub(super) fn check_content(db: &Connection) -> Result<()> {
    let broken = |what: String| Error::new(Kind::Corrupt, format!("check the copy: {what}"));
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(broken(found).hint("the database is damaged: restore an older backup"));
    }
    let reference: Option<String> = db
        .query_row("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1", [], |row| row.get(0))
        .optional()?;
    if let Some(table) = reference {
        return Err(broken(format!("{table} refers to missing rows")));
    }
    fulltext::check(db).map_err(|error| error.while_doing("check the copy"))
}

/// A copy of a backup, checked and brought to the schema of this build: what a restore works with, so that the
/// backup itself stays as it is.
pub(super) fn prepare(file: &Path, folder: &Path) -> Result<PathBuf> {
    let doing = format!("restore {}", file.display());
    if !file.is_file() {
        return Err(Error::not_found(&doing).hint("`nosso backup --list` shows what there is"));
    }
    open::private_folder(folder)?;
    let copy = folder.join(RESTORING);
    remove_prepared(&copy);
    let prepared = (|| {
        open::private_file(&copy)?;
        // a database that somebody copied while it was in use has its last writes in a log beside it
        for suffix in ["", "-wal"] {
            let (from, to) = (beside(file, suffix), beside(&copy, suffix));
            if from.exists() {
                fs::copy(&from, &to).doing(Kind::Storage, format_args!("copy {}", from.display()))?;
                open::private_file(&to)?;
            }
        }
        let mut db = connection::open_writer(&copy, Durability::Normal)?;
        migrate::examine_backup(&db, MIGRATIONS)?;
        check_content(&db)?;
        migrate::upgrade(&mut db, MIGRATIONS)?;
        words::bring_up_to_date(&mut db)?;
        db.pragma_update(None, "journal_mode", "DELETE")?;
        db.close().map_err(|(_, error)| error)?;
        fs::File::open(&copy).and_then(|file| file.sync_all()).doing(Kind::Storage, "write the copy")
    })();
    match prepared {
        Ok(()) => Ok(copy),
        Err(error) => {
            remove_prepared(&copy);
            Err(error.while_doing(doing))
        }
    }
}

pub(super) fn remove_prepared(copy: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // most of them are not there
        let _ = fs::remove_file(beside(copy, suffix));
    }
}

/// The file of that name with `suffix` behind it.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The backups in a folder, the newest first; none where there is no folder.
fn list(folder: &Path) -> Result<Vec<Backup>> {
    let doing = || format!("look for backups in {}", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.doing(Kind::Storage, doing())?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.doing(Kind::Storage, doing())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let reason = NAMES.iter().find(|(_, prefix)| name.starts_with(prefix)).map(|(reason, _)| *reason);
        let Some(reason) = reason.filter(|_| name.ends_with(".db")) else { continue };
        // it may be rotated away meanwhile
        let Ok(about) = entry.metadata() else { continue };
        found.push(Backup {
            file: entry.path().display().to_string(),
            reason,
            created_at: time_in(&name).or_else(|| modified(&about)).unwrap_or(Timestamp::from_millis(0)),
            bytes: about.len(),
        });
    }
    found.sort_by(|a, b| (b.created_at, &b.file).cmp(&(a.created_at, &a.file)));
    Ok(found)
}

/// Deletes all but the newest `keep` of each sort.
fn rotate(folder: &Path, keep: usize) -> Result<()> {
    for (reason, _) in NAMES {
        let old = list(folder)?.into_iter().filter(|backup| backup.reason == *reason).skip(keep.max(1));
        for backup in old {
            delete(Path::new(&backup.file))?;
            tracing::info!(backup = backup.file, "deleted an old backup");
        }
    }
    Ok(())
}

fn delete(file: &Path) -> Result<()> {
    for suffix in ["-wal", "-shm", ""] {
        match fs::remove_file(beside(file, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).doing(Kind::Storage, format_args!("delete the backup {}", file.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Deletes what a crash left of backups and restores.
pub(super) fn tidy_up(folder: &Path) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    remove_prepared(&folder.join(RESTORING));
    sweep(folder)
}

/// Deletes copies that were never finished.
fn sweep(folder: &Path) -> Result<()> {
    let entries =
        fs::read_dir(folder).doing(Kind::Storage, format_args!("look into {}", folder.display()))?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            delete(&entry.path())?;
        }
    }
    Ok(())
}

pub(super) fn prefix(reason: BackupReason) -> &'static str {
    NAMES.iter().find(|(known, _)| *known == reason).map_or("nosso-", |(_, prefix)| prefix)
}

/// The time that a backup's name ends with: `…2026-11-25T101500.123Z.db`.
fn time_in(name: &str) -> Option<Timestamp> {
    let stem = name.strip_suffix(".db")?;
    let text = stem.get(stem.len().checked_sub(22)?..)?;
    format!("{}:{}:{}", text.get(..13)?, text.get(13..15)?, text.get(15..)?).parse().ok()
}

fn modified(about: &fs::Metadata) -> Option<Timestamp> {
    let since = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(since.as_millis()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_time() {
        let time: Timestamp = "2026-11-25T10:15:00.123Z".parse().unwrap();
        for name in ["nosso-2026-11-25T101500.123Z.db", "from-v1-2026-11-25T101500.123Z.db"] {
            assert_eq!(time_in(name), Some(time), "{name}");
        }
        for name in ["nosso-.db", "nosso-2026.db", "é-11-25T101500.123Z.db", ".db", "x"] {
            assert_eq!(time_in(name), None, "{name}");
        }
    }
}
