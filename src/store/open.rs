//! Opens the database: its folder and file for its owner only, its schema brought up to date.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rusqlite::Connection;

use super::{Options, backup, connection, migrate, queue, words};
use crate::error::{Doing, Error, Kind, Result};

/// Opens the connection that writes, and answers it with the identity of the database.
pub(super) fn open(options: &Options) -> Result<(Connection, String)> {
    let Options { database, backups, durability } = options;
    let doing = format!("open the database {}", database.display());
    let folder = database
        .parent()
        .ok_or_else(|| Error::new(Kind::Config, format!("{doing}: it lies in no folder")))?;
    private_folder(folder)?;
    private_file(database)?;
    backup::tidy_up(backups)?;
    let mut connection =
        connection::open_writer(database, *durability).map_err(|error| error.while_doing(&doing))?;
    check_writable(&connection).map_err(|error| error.while_doing(&doing))?;
    let applied = migrate::migrate(&mut connection, migrate::MIGRATIONS, backups)
        .map_err(|error| error.while_doing(&doing))?;
    if applied > 0 {
        tracing::info!(applied, database = %database.display(), "brought the database up to date");
    }
    words::bring_up_to_date(&mut connection).map_err(|error| error.while_doing(&doing))?;
    match queue::end_leases(&connection) {
        // what is stored can be read and searched all the same; leases run out by themselves
        Err(error) if error.kind() == Kind::StorageFull => {
            tracing::warn!(database = %database.display(), "the disk is full: nothing can be stored until there is space");
        }
        ended => ended.map_err(|error| error.while_doing(&doing))?,
    }
    let identity = identity(&connection)?;
    Ok((connection, identity))
}

/// The database's own name.
pub(super) fn identity(connection: &Connection) -> Result<String> {
    let identity: [u8; 16] =
        connection.query_row("SELECT identity FROM store WHERE id = 1", [], |row| row.get(0))?;
    Ok(uuid::Builder::from_random_bytes(identity).into_uuid().to_string())
}

/// A read-only disk or a file of another user is found here, not at the first message.
fn check_writable(connection: &Connection) -> Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK;")?;
    Ok(())
}

/// Makes the folder, or takes the others' rights to it away: what is in it is private.
pub(super) fn private_folder(folder: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .and_then(|()| folder.metadata())
        .and_then(|found| match found.permissions().mode() & 0o077 {
            0 => Ok(()),
            _ => std::fs::set_permissions(folder, Permissions::from_mode(0o700)),
        })
        .doing(Kind::Storage, format_args!("prepare the folder {}", folder.display()))
        .map_err(|error| error.hint("see that the folder above it exists and belongs to you"))
}

/// Makes the file, or takes the others' rights to it away. SQLite gives its log the same mode.
pub(super) fn private_file(file: &Path) -> Result<()> {
    let doing = format!("prepare the file {}", file.display());
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let found = file.metadata().doing(Kind::Storage, &doing)?;
            if !found.is_file() {
                return Err(Error::new(Kind::Storage, format!("{doing}: something else lies there"))
                    .hint("move it away"));
            }
            if found.permissions().mode() & 0o077 != 0 {
                std::fs::set_permissions(file, Permissions::from_mode(0o600)).doing(Kind::Storage, &doing)?;
            }
            Ok(())
        }
        Err(error) => Err(error).doing(Kind::Storage, &doing),
    }
    .map_err(|error: Error| match error.hint_text() {
        Some(_) => error,
        None => error.hint("see that its folder belongs to you and that the disk is not read-only"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Durability;

    fn options(folder: &Path) -> Options {
        Options {
            database: folder.join("data/nosso.db"),
            backups: folder.join("data/backups"),
            durability: Durability::Full,
        }
    }

    #[test]
    fn folder_and_files_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::fs::set_permissions(folder.path().join("data"), Permissions::from_mode(0o755)).unwrap();
        let (db, _) = open(&options).unwrap();
        db.execute("INSERT INTO project(name) VALUES('x')", []).unwrap();
        assert_eq!(mode(options.database.parent().unwrap()), 0o700);
        for suffix in ["", "-wal", "-shm"] {
            let file = format!("{}{suffix}", options.database.display());
            assert_eq!(mode(Path::new(&file)), 0o600, "{file}");
        }
    }

    #[test]
    fn the_identity_stays_and_differs_between_databases() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let identity = |folder: &Path| open(&options(folder)).unwrap().1;
        assert_eq!(identity(one.path()), identity(one.path()));
        assert_ne!(identity(one.path()), identity(two.path()));
    }

    #[test]
    fn what_cannot_be_a_database_is_refused_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        std::fs::create_dir_all(&options.database).unwrap();
        let error = open(&options).unwrap_err();
        assert!(error.hint_text().unwrap().contains("move it away"), "{error}");

        std::fs::remove_dir(&options.database).unwrap();
        std::fs::write(&options.database, vec![b'x'; 8192]).unwrap();
        let error = open(&options).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{error}");
        assert!(error.to_string().contains("nosso.db"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_at_once() {
        if rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: root may write everywhere");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o500)).unwrap();
        let error = open(&options(folder.path())).unwrap_err();
        assert_eq!(error.kind(), Kind::Storage);
        assert!(error.hint_text().is_some());
    }
}
