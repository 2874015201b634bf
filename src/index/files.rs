//! The index's folder on disk: private, on a local file system, and still the one that was opened.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Doing, Error, Kind, Result};

/// Magic numbers of file systems on which LMDB's shared memory map does not work: NFS, CIFS, SMB, SMB2, AFS, Ceph.
const REMOTE: &[u64] = &[0x6969, 0xff53_4d42, 0x517b, 0xfe53_4d42, 0x5346_414f, 0x00c3_6400];

/// Which file a path named at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(path: &Path) -> Result<Self> {
        let found = fs::metadata(path).doing(Kind::Storage, format_args!("look at {}", path.display()))?;
        Ok(Self { device: found.dev(), inode: found.ino() })
    }
}

/// Makes `folder` and what is above it, readable by the user alone.
pub(super) fn make_private_folder(folder: &Path) -> Result<()> {
    let make = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    make.map_err(full_or_storage(format!("make the folder {}", folder.display())))?;
    let mode = fs::metadata(folder).doing(Kind::Storage, "look at the index folder")?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
            .doing(Kind::Storage, format_args!("make {} private", folder.display()))?;
    }
    Ok(())
}

/// Refuses a network file system: locks and mapped pages are not shared there, and the index would be lost silently.
pub(super) fn refuse_remote(folder: &Path) -> Result<()> {
    let found = rustix::fs::statfs(folder).doing(Kind::Storage, "look at the file system of the index")?;
    // The type is signed or unsigned, wide or narrow, by platform; the magic number is its low 32 bits.
    let magic = (found.f_type as u64) & 0xffff_ffff;
    if REMOTE.contains(&magic) {
        return Err(Error::new(
            Kind::Unsupported,
            format!("{} is on a network file system (type {magic:#x})", folder.display()),
        )
        .hint("put the data folder on a local disk"));
    }
    Ok(())
}

/// Where an environment's files are written anew, beside its folder.
pub(super) fn rewritten(folder: &Path) -> PathBuf {
    folder.with_extension("new")
}

/// Deletes everything below `folder`; one that does not exist is fine.
pub(super) fn wipe(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).doing(Kind::Storage, format_args!("delete the old index in {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Bytes that the files directly in `folder` take; 0 when it is gone.
pub(super) fn disk_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|found| found.blocks() * 512).sum()
}

fn full_or_storage(doing: String) -> impl FnOnce(std::io::Error) -> Error {
    move |error| {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Kind::StorageFull,
            _ => Kind::Storage,
        };
        Error::new(kind, format!("{doing}: {error}")).caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_for_the_user_alone_even_if_it_was_open_before() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        make_private_folder(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        refuse_remote(&folder).unwrap();
    }

    #[test]
    fn a_replaced_file_has_another_identity() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data");
        fs::write(&path, "old").unwrap();
        let before = Identity::of(&path).unwrap();
        fs::write(root.path().join("new"), "new").unwrap();
        fs::rename(root.path().join("new"), &path).unwrap();
        assert_ne!(Identity::of(&path).unwrap(), before);
    }

    #[test]
    fn wiping_nothing_is_fine() {
        let root = tempfile::tempdir().unwrap();
        wipe(&root.path().join("never")).unwrap();
        assert_eq!(disk_bytes(&root.path().join("never")), 0);
    }
}
