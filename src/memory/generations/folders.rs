//! The folders of the index's generations on the disk: which are known, and which model each one is of.

use std::path::{Path, PathBuf};

/// In a generation's folder: the path of the model's folder, so that an old generation can go on serving after a
/// restart with another model.
const MODEL_FOLDER_FILE: &str = "model-folder";

/// Notes the model's folder in a generation's. Where that fails the generation is only not served by its old model.
pub(super) async fn remember_model(generation: &Path, model: &Path) {
    let text = model.to_string_lossy().into_owned();
    if let Err(error) = tokio::fs::write(generation.join(MODEL_FOLDER_FILE), text).await {
        tracing::warn!(%error, "remember the model's folder");
    }
}

/// The model's folder, where it was noted.
pub(super) async fn remembered_model(generation: &Path) -> Option<PathBuf> {
    let text = tokio::fs::read_to_string(generation.join(MODEL_FOLDER_FILE)).await.ok()?;
    Some(PathBuf::from(text.trim()))
}

/// Removes a generation's folder.
pub(super) async fn remove(folder: &Path) {
    if let Err(error) = tokio::fs::remove_dir_all(folder).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, folder = %folder.display(), "remove an old generation of the index");
    }
}

/// Removes the folders below `root` that are not known.
pub(super) async fn remove_unknown(root: &Path, known: &[PathBuf]) {
    let Ok(mut entries) = tokio::fs::read_dir(root).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let path = entry.path();
        if path.is_dir() && !known.contains(&path) {
            remove(&path).await;
        }
    }
}
