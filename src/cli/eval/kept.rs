//! A store that stays for the next run: embedding takes minutes, asking seconds.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::dataset::Dataset;
use crate::embed::hexadecimal;
use crate::error::{Doing, Error, Kind, Result};

/// The file that says what the store holds, once it holds all of it.
const MARK: &str = "loaded.sha256";

/// The folder of one set below what `--keep` names.
pub struct Kept {
    /// The folder.
    pub folder: PathBuf,
    fingerprint: String,
    /// Whether everything is stored already.
    pub is_loaded: bool,
}

impl Kept {
    /// Makes the folder where it is missing.
    ///
    /// Errors: `Conflict` where it holds another set.
    pub fn open(below: &Path, name: &str, set: &Dataset) -> Result<Self> {
        let folder = below.join(name);
        fs::create_dir_all(&folder).doing(Kind::Storage, format!("make {}", folder.display()))?;
        // the daemon's socket is elsewhere, but its processes work in another folder than we
        let folder = fs::canonicalize(&folder).doing(Kind::Storage, format!("find {}", folder.display()))?;
        let fingerprint = fingerprint(set);
        let mark = folder.join(MARK);
        let is_loaded = match fs::read_to_string(&mark) {
            Ok(found) if found.trim() == fingerprint => true,
            Ok(_) => {
                return Err(Error::new(
                    Kind::Conflict,
                    format!("{} holds another set of messages than is to be asked", folder.display()),
                )
                .hint("name another folder with --keep, or delete this one"));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(error).doing(Kind::Storage, format!("read {}", mark.display())),
        };
        Ok(Self { folder, fingerprint, is_loaded })
    }

    /// Notes that everything is stored.
    pub fn loaded(&self) -> Result<()> {
        let mark = self.folder.join(MARK);
        fs::write(&mark, &self.fingerprint).doing(Kind::Storage, format!("write {}", mark.display()))
    }
}

/// Of everything that is stored; the questions may change.
fn fingerprint(set: &Dataset) -> String {
    let mut digest = Sha256::new();
    // lengths first, or "ab" + "c" would be "a" + "bc"
    let mut add = |text: &str| {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    };
    for conversation in &set.conversations {
        add(&conversation.key);
        add(conversation.project.as_deref().unwrap_or_default());
        add(conversation.title.as_deref().unwrap_or_default());
        for message in &conversation.messages {
            add(message.role.name());
            add(message.author.as_deref().unwrap_or_default());
            add(&message.created_at.to_string());
            add(&message.content);
        }
    }
    hexadecimal(&digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::eval::dataset::{Conversation, Format};

    fn set(key: &str, title: &str) -> Dataset {
        let conversation =
            Conversation { key: key.into(), project: None, title: Some(title.into()), messages: vec![] };
        Dataset { conversations: vec![conversation], ..Dataset::new(Format::Squad) }
    }

    #[test]
    fn a_store_is_used_again_for_the_same_messages_only() {
        let folder = tempfile::tempdir().unwrap();
        let open = |set: &Dataset| Kept::open(folder.path(), "a", set);
        let first = open(&set("ab", "c")).unwrap();
        assert!(!first.is_loaded);
        assert!(!open(&set("ab", "c")).unwrap().is_loaded, "it was interrupted");
        first.loaded().unwrap();
        assert!(open(&set("ab", "c")).unwrap().is_loaded);
        assert_eq!(open(&set("a", "bc")).err().unwrap().kind(), Kind::Conflict);
    }
}
