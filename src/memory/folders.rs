//! The folders of the index's generations: which model filled each, and removing those that are no longer wanted.

use std::path::{Path, PathBuf};

/// In a generation's folder: the path of the model's folder, so that an old generation can go on serving after a
/// restart with another model.
const MODEL_FOLDER_FILE: &str = "model-folder";

/// The folder of the model that filled a generation.
pub(super) async fn model_of(generation: &Path) -> Option<PathBuf> {
    let text = tokio::fs::read_to_string(generation.join(MODEL_FOLDER_FILE)).await.ok()?;
    Some(PathBuf::from(text.trim()))
}

/// Notes which model fills a generation.
pub(super) async fn remember_model(generation: &Path, model: &Path) {
    let text = model.to_string_lossy().into_owned();
    if let Err(error) = tokio::fs::write(generation.join(MODEL_FOLDER_FILE), text).await {
        tracing::warn!(%error, "remember the model's folder");
    }
}

/// Removes a generation's folder, if it is there.
pub(super) async fn remove(folder: &Path) {
    if let Err(error) = tokio::fs::remove_dir_all(folder).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, folder = %folder.display(), "remove an old generation of the index");
    }
}

/// Removes what lies in the index's folder and belongs to no generation.
pub(super) async fn remove_unknown(root: &Path, known: &[PathBuf]) {
    let Ok(mut entries) = tokio::fs::read_dir(root).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let path = entry.path();
        if path.is_dir() && !known.contains(&path) {
            remove(&path).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_model_is_remembered_and_unknown_folders_go() {
        let root = tempfile::tempdir().unwrap();
        let (known, other) = (root.path().join("0001"), root.path().join("0002"));
        std::fs::create_dir_all(&known).unwrap();
        std::fs::create_dir_all(other.join("deep")).unwrap();
        remember_model(&known, Path::new("/models/e5 small")).await;
        remove_unknown(root.path(), std::slice::from_ref(&known)).await;
        assert_eq!(model_of(&known).await, Some("/models/e5 small".into()));
        assert!(!other.exists());
        assert_eq!(model_of(&other).await, None);
    }
}
