//! Putting a backup in the place of the database, under the running daemon or without one.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::backup::Backup as Copying;
use rusqlite::{Connection, params};

use super::backup::{self, beside, blocking, prepare, remove_prepared};
use super::{Store, open, organise, queue};
use crate::api::backup::BackupReason;
use crate::api::system::Counts;
use crate::error::{Doing, Error, Kind, Result};
use crate::model::Timestamp;

impl Store {
    /// Checks a backup and puts it in the place of everything that is stored, in one transaction: a reader sees all
    /// of the old or all of the new. Answers the backup that was made of what was there. The caller opens the vector
    /// index anew.
    ///
    /// Errors, all before anything is changed: the file is not ours, damaged, or of a newer nosso.
    pub async fn replace(&self, file: PathBuf) -> Result<PathBuf> {
        let folder = self.0.backups.clone();
        let (prepared, has_private) = blocking(move || {
            let prepared = prepare(&file, &folder)?;
            let has_private = organise::has_private(&Connection::open(&prepared)?)?;
            Ok((prepared, has_private))
        })
        .await?;
        if has_private {
            self.expect_private();
        }
        let (folder, copy) = (self.0.backups.clone(), prepared.clone());
        let replaced = self
            .0
            .writer
            .alone(move |live| {
                let kept = backup::copy(live, &folder, BackupReason::Restore, "")?;
                let mut source = Connection::open(&copy)?;
                never_use_ids_again(&mut source, live)?;
                Copying::new(&source, live)?.step(-1)?;
                queue::end_leases(live)?;
                Ok((PathBuf::from(kept.file), open::identity(live)?))
            })
            .await;
        remove_prepared(&prepared);
        let (kept, identity) = replaced?;
        self.set_identity(identity);
        self.empty_log().await?;
        Ok(kept)
    }
}

/// The same without a daemon, whose lock the caller holds: also where the database is damaged or missing. What was
/// there is moved aside as it is; none: nothing was there. The index is filled anew unless the old database tells
/// which ids it has used.
pub fn replace_closed(database: &Path, backups: &Path, file: &Path) -> Result<(Counts, Option<PathBuf>)> {
    let prepared = prepare(file, backups)?;
    let replaced = (|| {
        let mut source = Connection::open(&prepared)?;
        let known = match database.exists() {
            true => Connection::open(database)
                .map_err(Error::from)
                .and_then(|old| never_use_ids_again(&mut source, &old)),
            false => Err(Error::not_found("the old database")),
        };
        if known.is_err() {
            source.execute("UPDATE store SET identity = randomblob(16)", [])?;
        }
        let counts = super::counts(&source)?;
        source.close().map_err(|(_, error)| error)?;
        let kept = database.exists().then(|| {
            let time = Timestamp::now().to_string().replace(':', "");
            backups.join(format!("{}{time}.db", backup::prefix(BackupReason::Restore)))
        });
        for suffix in ["-wal", "-shm", ""] {
            let old = beside(database, suffix);
            match &kept {
                Some(kept) if old.exists() => fs::rename(&old, beside(kept, suffix))
                    .doing(Kind::Storage, format_args!("move {} aside", old.display()))?,
                _ => {}
            }
        }
        fs::rename(&prepared, database)
            .and_then(|()| fs::File::open(database.parent().unwrap_or(Path::new(".")))?.sync_all())
            .doing(Kind::Storage, format_args!("put the backup in the place of {}", database.display()))?;
        Ok((counts, kept))
    })();
    if replaced.is_err() {
        remove_prepared(&prepared);
    }
    replaced
}

/// Lets `source` begin its ids behind those that `live` has given out. The index may hold vectors under these, and
/// would take them for those of new texts.
fn never_use_ids_again(source: &mut Connection, live: &Connection) -> Result<()> {
    let used: Vec<(String, i64)> = live
        .prepare("SELECT name, seq FROM sqlite_sequence")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let tx = source.transaction()?;
    for (table, last) in used {
        let raised = tx
            .execute("UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1", params![table, last])?;
        if raised == 0 {
            tx.execute("INSERT INTO sqlite_sequence(name, seq) VALUES(?1, ?2)", params![table, last])?;
        }
    }
    tx.commit()?;
    Ok(())
}
