//! Brings a database to the schema of this build, from plain files in `migrations/`.
//!
//! A database is ours if its `application_id` says so; `user_version` is the last migration that was applied, and
//! `schema_migration` keeps each one's checksum. A released file never changes: what must change comes as a
//! new file.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::backup;
use crate::api::backup::BackupReason;
use crate::error::{Error, Kind, Result};
use crate::model::Timestamp;

/// "NOSS": what marks a file as a database of ours.
const APPLICATION_ID: i32 = 0x4E4F_5353;

/// One file of `migrations/`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    /// From 1, without gaps.
    pub(super) version: i64,
    /// The file's name.
    pub(super) name: &'static str,
    /// Its text.
    pub(super) sql: &'static str,
}

/// Every migration, oldest first.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "0001_init.sql", sql: include_str!("../../migrations/0001_init.sql") },
    Migration { version: 2, name: "0002_words.sql", sql: include_str!("../../migrations/0002_words.sql") },
    Migration {
        version: 3,
        name: "0003_context.sql",
        sql: include_str!("../../migrations/0003_context.sql"),
    },
    Migration { version: 4, name: "0004_chats.sql", sql: include_str!("../../migrations/0004_chats.sql") },
    Migration {
        version: 5,
        name: "0005_memories.sql",
        sql: include_str!("../../migrations/0005_memories.sql"),
    },
    Migration { version: 6, name: "0006_forget.sql", sql: include_str!("../../migrations/0006_forget.sql") },
    Migration { version: 7, name: "0007_watch.sql", sql: include_str!("../../migrations/0007_watch.sql") },
];

/// SHA-256 of a migration's text, in hexadecimal.
pub(super) fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Applies what is missing, all or nothing; answers how many migrations that were. A database that holds
/// something is copied into `backups` first. Errors: a file of another program, a database of a newer nosso, or
/// one that was made by other migrations than these.
pub(super) fn migrate(
    connection: &mut Connection,
    migrations: &[Migration],
    backups: &Path,
) -> Result<usize> {
    let latest = migrations.last().map_or(0, |migration| migration.version);
    let found = examine(connection, latest)?;
    compare(connection, migrations, found)?;
    if found == latest {
        return Ok(0);
    }
    if found > 0 {
        backup::copy(connection, backups, BackupReason::Upgrade, &format!("{found}-"))?;
    }
    bring_up(connection, migrations, latest)
}

/// Refuses a backup that is of another program, of a newer nosso, or of nothing.
pub(super) fn examine_backup(connection: &Connection, migrations: &[Migration]) -> Result<()> {
    let latest = migrations.last().map_or(0, |migration| migration.version);
    match examine(connection, latest)? {
        0 => Err(Error::new(Kind::Storage, "the file holds no database").hint("name a backup of nosso")),
        found => compare(connection, migrations, found),
    }
}

/// Brings a copy of a database up to date, without a copy of the copy.
pub(super) fn upgrade(connection: &mut Connection, migrations: &[Migration]) -> Result<usize> {
    let latest = migrations.last().map_or(0, |migration| migration.version);
    match examine(connection, latest)? == latest {
        true => Ok(0),
        false => bring_up(connection, migrations, latest),
    }
}

fn bring_up(connection: &mut Connection, migrations: &[Migration], latest: i64) -> Result<usize> {
    // a migration may rebuild tables that others refer to, and this cannot be switched inside a transaction
    connection.pragma_update(None, "foreign_keys", false)?;
    let applied = apply(connection, migrations, latest);
    connection.pragma_update(None, "foreign_keys", true)?;
    applied
}

/// The version of the database; 0: it is empty.
fn examine(connection: &Connection, latest: i64) -> Result<i64> {
    let application: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application == 0 && version == 0 && objects == 0 {
        return Ok(0);
    }
    if application != APPLICATION_ID {
        return Err(Error::new(Kind::Storage, "the file is a database of another program")
            .hint("move it away, or let nosso keep its data in another folder"));
    }
    if version > latest {
        return Err(Error::new(
            Kind::Storage,
            format!("the database has version {version}, and this nosso knows versions up to {latest}"),
        )
        .hint("a newer nosso wrote it: install that version again, or restore a backup of the older one"));
    }
    Ok(version)
}

/// Refuses a database that other texts of the same migrations made.
fn compare(connection: &Connection, migrations: &[Migration], version: i64) -> Result<()> {
    for migration in migrations.iter().filter(|migration| migration.version <= version) {
        let applied: Option<String> = connection
            .query_row(
                "SELECT checksum FROM schema_migration WHERE version = ?1",
                [migration.version],
                |row| row.get(0),
            )
            .optional()?;
        if applied.as_deref() != Some(checksum(migration.sql).as_str()) {
            return Err(Error::new(
                Kind::Storage,
                format!("the database was made by another text of the migration {}", migration.name),
            )
            .hint("a development build made it: export it with that build and import it with this one"));
        }
    }
    Ok(())
}

fn apply(connection: &mut Connection, migrations: &[Migration], latest: i64) -> Result<usize> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // another process may have been quicker than the lock
    let version: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migration(
           version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,
           applied_at INTEGER NOT NULL, applied_by TEXT NOT NULL) STRICT",
    )?;
    let mut applied = 0;
    for migration in migrations.iter().filter(|migration| migration.version > version) {
        tx.execute_batch(migration.sql)
            .map_err(|error| Error::from(error).while_doing(format_args!("apply {}", migration.name)))?;
        tx.execute(
            "INSERT INTO schema_migration VALUES(?1, ?2, ?3, ?4, ?5)",
            params![
                migration.version,
                migration.name,
                checksum(migration.sql),
                Timestamp::now().as_millis(),
                env!("CARGO_PKG_VERSION")
            ],
        )?;
        applied += 1;
    }
    let broken: Option<String> = tx
        .query_row("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1", [], |row| row.get(0))
        .optional()?;
    if let Some(table) = broken {
        return Err(Error::new(
            Kind::Corrupt,
            format!("after the migrations, {table} refers to missing rows"),
        ));
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", latest)?;
    tx.commit()?;
    Ok(applied)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A released migration never changes; a new file gets a new line here.
    const RELEASED: &[(&str, &str)] = &[
        ("0001_init.sql", "82cea5121eae5b800da02be8c7adc15fbd1144bc7f13f38933b5d42b68179a38"),
        ("0002_words.sql", "78bd873cd5812ad0ac3a11a9351b230d6f10964b369177616938983c5333e890"),
        ("0003_context.sql", "31f14d48e71919efe6b2673b0480eef22fa039f45940391b81b3f53d69aeb8bf"),
        ("0004_chats.sql", "6515f1a3a9a44e08ba2de91c3a15432263e814ee4a4af64e1cfdd0e4d52dc0b7"),
        ("0005_memories.sql", "f8faae8fc31a0d39b219b2e31c78b2ff5cfae7abe2106168edaf46a486764fe3"),
        ("0006_forget.sql", "2b14e191b15c0d82a6fc0c80359053fc84f6257af49eb3e077f91022db83c203"),
        ("0007_watch.sql", "616b321d83dc8d4aa557bbe1c6292ba8bbf5b9e1a4f8a846e28ce95e5ff2872e"),
    ];

    const NEXT: Migration = Migration {
        version: MIGRATIONS.len() as i64 + 1,
        name: "next.sql",
        sql: "CREATE TABLE next(a INTEGER) STRICT;",
    };

    fn empty() -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("a.db")).unwrap();
        (folder, connection)
    }

    fn hint_of(error: &Error) -> &str {
        error.hint_text().expect("says what to do")
    }

    #[test]
    fn released_migrations_never_change() {
        let now: Vec<_> = MIGRATIONS.iter().map(|m| (m.name, checksum(m.sql))).collect();
        let released: Vec<_> = RELEASED.iter().map(|(name, sum)| (*name, (*sum).to_owned())).collect();
        assert_eq!(now, released);
        assert!(MIGRATIONS.iter().enumerate().all(|(i, m)| m.version == i as i64 + 1));
        assert!(MIGRATIONS.iter().all(|m| m.name.starts_with(&format!("{:04}_", m.version))));
    }

    #[test]
    fn a_second_run_does_nothing() {
        let (folder, mut db) = empty();
        assert_eq!(migrate(&mut db, MIGRATIONS, folder.path()).unwrap(), MIGRATIONS.len());
        assert_eq!(migrate(&mut db, MIGRATIONS, folder.path()).unwrap(), 0);
    }

    #[test]
    fn an_upgrade_is_preceded_by_a_private_backup() {
        let (folder, mut db) = empty();
        let backups = folder.path().join("backups");
        migrate(&mut db, MIGRATIONS, &backups).unwrap();
        assert!(!backups.exists(), "an empty database needs no backup");
        db.execute("INSERT INTO project(name) VALUES('kept')", []).unwrap();
        let more = [MIGRATIONS, &[NEXT]].concat();
        assert_eq!(migrate(&mut db, &more, &backups).unwrap(), 1);
        let copy = std::fs::read_dir(&backups).unwrap().next().unwrap().unwrap().path();
        assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(backups.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let copy = Connection::open(copy).unwrap();
        let name: String = copy.query_row("SELECT name FROM project", [], |row| row.get(0)).unwrap();
        let version: i64 = copy.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!((name.as_str(), version), ("kept", MIGRATIONS.len() as i64));
    }

    #[test]
    fn a_newer_database_is_refused() {
        let (folder, mut db) = empty();
        migrate(&mut db, MIGRATIONS, folder.path()).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut db, MIGRATIONS, folder.path()).unwrap_err();
        assert!(error.to_string().contains("version 99"), "{error}");
        assert!(hint_of(&error).contains("newer nosso"));
    }

    #[test]
    fn a_file_of_another_program_is_refused_and_left_alone() {
        let (folder, mut db) = empty();
        db.execute_batch("CREATE TABLE theirs(a)").unwrap();
        let error = migrate(&mut db, MIGRATIONS, folder.path()).unwrap_err();
        assert!(error.to_string().contains("another program"), "{error}");
        let n: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(n, 1);
    }

    #[test]
    fn an_edited_migration_is_noticed() {
        let (folder, mut db) = empty();
        migrate(&mut db, MIGRATIONS, folder.path()).unwrap();
        db.execute("UPDATE schema_migration SET checksum = 'x' WHERE version = 1", []).unwrap();
        let error = migrate(&mut db, MIGRATIONS, folder.path()).unwrap_err();
        assert!(error.to_string().contains("0001_init.sql"), "{error}");
    }

    #[test]
    fn a_failing_migration_leaves_everything_as_it_was() {
        let (folder, mut db) = empty();
        migrate(&mut db, MIGRATIONS, folder.path()).unwrap();
        let bad =
            Migration { version: NEXT.version + 1, name: "bad.sql", sql: "CREATE TABLE more(a); NONSENSE;" };
        let more = [MIGRATIONS, &[NEXT, bad]].concat();
        let error = migrate(&mut db, &more, folder.path()).unwrap_err();
        assert!(error.to_string().contains("bad.sql"), "{error}");
        let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        let n: i64 = db
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name IN ('next','more')", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!((version, n), (MIGRATIONS.len() as i64, 0));
        let on: bool = db.query_row("PRAGMA foreign_keys", [], |row| row.get(0)).unwrap();
        assert!(on);
    }
}
