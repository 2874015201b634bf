//! The verbs on backups.

use std::path::{Path, PathBuf};

use super::{Actor, Memory};
use crate::api::backup::{Backup, BackupCreate, BackupList, BackupRestore, BackupRestored};
use crate::error::{Error, Kind, Result};
use crate::paths::Paths;
use crate::store::{self, Lock};

impl Memory {
    /// Copies the database while it is in use, and checks the copy.
    pub async fn back_up(&self, create: BackupCreate) -> Result<Backup> {
        let folder = create.folder.map(|folder| absolute("folder", folder)).transpose()?;
        self.back_up_into(folder).await
    }

    pub(super) async fn back_up_into(&self, folder: Option<PathBuf>) -> Result<Backup> {
        let keep = self.config().store.keep_backups;
        self.store().back_up(folder, keep as usize).await
    }

    /// The backups in the backup folder, the newest first.
    pub async fn backups(&self) -> Result<BackupList> {
        let (folder, backups) = self.store().backups().await?;
        Ok(BackupList { folder: folder.display().to_string(), backups })
    }

    /// Checks a backup and puts it in the place of everything that is stored, which becomes a backup itself. The
    /// index is opened anew and brought in line.
    pub async fn restore_backup(&self, restore: BackupRestore, actor: &Actor) -> Result<BackupRestored> {
        let file = absolute("file", restore.file)?;
        // what is being forgotten would otherwise go on in another database
        let _only = self.0.forgetting.lock().await;
        let kept = self.store().replace(file).await?;
        self.0.generations.database_replaced().await;
        self.0.events.everything_restored(actor);
        self.wake();
        let counts = self.store().counts().await?;
        Ok(BackupRestored { counts, kept_aside: Some(kept.display().to_string()) })
    }
}

/// The same without a daemon, also where the database is damaged or missing. Blocks. Errors: a daemon runs.
pub fn restore_closed(paths: &Paths, file: &Path) -> Result<BackupRestored> {
    let _lock = Lock::acquire(&paths.data.join("lock")).map_err(|error| match error.kind() {
        Kind::Conflict => error.hint("stop the daemon, or restore by way of it: leave --offline away"),
        _ => error,
    })?;
    let (counts, kept) = store::replace_closed(&paths.database(), &paths.backups(), file)?;
    Ok(BackupRestored { counts, kept_aside: kept.map(|kept| kept.display().to_string()) })
}

/// The daemon has no working directory that a client could mean.
fn absolute(member: &str, path: String) -> Result<PathBuf> {
    let path = PathBuf::from(path);
    match path.is_absolute() {
        true => Ok(path),
        false => Err(Error::invalid(format!("`{member}` is {}, which is no absolute path", path.display()))
            .hint("give the whole path, from / on")),
    }
}
