//! Backups are whole and private, and put back only when they are good.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::api::backup::BackupReason;
use crate::error::Kind;
use crate::store::testing::{Temporary, options, store};
use crate::store::{Store, replace_closed};

async fn filled() -> Temporary {
    let store = store().await;
    let c = store.conversation_of("c", None).await;
    for n in 0..20 {
        store.say(c, &format!("message number {n}")).await;
    }
    store
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_is_private_and_only_the_newest_are_kept() {
    let store = filled().await;
    let folder = store.folder.path().join("backups");
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(PathBuf::from(store.back_up(None, 2).await.unwrap().file));
    }
    let (place, backups) = store.backups().await.unwrap();
    assert_eq!(place, folder);
    let files: Vec<PathBuf> = backups.iter().map(|backup| backup.file.clone().into()).collect();
    assert_eq!(files, [made[3].clone(), made[2].clone()]);
    assert_eq!(names(&folder).len(), 2, "and nothing else");
    assert_eq!(made[3].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let copy = Connection::open(&made[3]).unwrap();
    let n: i64 = copy.query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap();
    assert_eq!(n, 20);
    let elsewhere = store.folder.path().join("disk/nosso");
    assert!(
        store
            .back_up(Some(elsewhere.clone()), 2)
            .await
            .unwrap()
            .file
            .starts_with(elsewhere.to_str().unwrap())
    );
    assert_eq!(
        store.delete_backups_before(backups[0].created_at).await.unwrap(),
        [files[1].to_str().unwrap()]
    );
}

#[tokio::test]
async fn a_damaged_database_is_no_backup() {
    let store = filled().await;
    store.back_up(None, 3).await.unwrap();
    // behind SQLite's back: its own check would see nothing
    store
        .sql()
        .execute_batch(
            "DROP TRIGGER message_changed; UPDATE message SET content = 'other words' WHERE id = 3",
        )
        .unwrap();
    let error = store.back_up(None, 3).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    assert_eq!(names(&store.folder.path().join("backups")).len(), 1, "the good one stays, alone");
}

#[tokio::test]
async fn a_backup_takes_the_place_of_everything_and_ids_are_never_used_again() {
    let store = filled().await;
    let backup = store.back_up(None, 3).await.unwrap().file;
    let identity = store.identity();
    let later = store.conversation_of("later", None).await;
    let said = store.say(later, "said later").await;
    let space = store.ensure_space("m", "f", 3, 1).await.unwrap().id;
    let last = store.number("SELECT max(id) FROM chunk");

    let kept = store.replace(backup.into()).await.unwrap();
    assert_eq!(store.counts().await.unwrap().messages, 20);
    assert_eq!(store.message(said.id).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(store.identity(), identity);
    let c = store.conversation_of("new", None).await;
    store.say(c, "new").await;
    assert_eq!(store.number("SELECT max(id) FROM chunk"), last + 1, "the index may hold the old ones");
    assert!(store.ensure_space("m", "f", 3, 1).await.unwrap().id >= space);
    let reasons: Vec<BackupReason> =
        store.backups().await.unwrap().1.into_iter().map(|backup| backup.reason).collect();
    assert_eq!(reasons, [BackupReason::Restore, BackupReason::Asked]);

    // and back again
    let store = store.reopen().await;
    store.replace(kept).await.unwrap();
    assert_eq!(store.message(said.id).await.unwrap().content, "said later");
    store.say(later, "on").await;
}

#[tokio::test]
async fn what_is_no_good_backup_changes_nothing() {
    let store = filled().await;
    let backup = store.back_up(None, 3).await.unwrap().file;
    let folder = store.folder.path().to_owned();
    let bad = |name: &str, spoil: &dyn Fn(&Path)| {
        let file = folder.join(name);
        std::fs::copy(&backup, &file).unwrap();
        spoil(&file);
        file
    };
    let sql =
        |sql: &'static str| move |file: &Path| Connection::open(file).unwrap().execute_batch(sql).unwrap();
    for (file, kind) in [
        (folder.join("missing"), Kind::NotFound),
        (bad("newer", &sql("PRAGMA user_version = 99")), Kind::Storage),
        (bad("foreign", &sql("PRAGMA application_id = 1")), Kind::Storage),
        (bad("empty", &|file| std::fs::write(file, "").unwrap()), Kind::Storage),
        (bad("text", &|file| std::fs::write(file, "no database").unwrap()), Kind::Corrupt),
        (
            bad("cut", &|file| std::fs::write(file, &std::fs::read(file).unwrap()[..30_000]).unwrap()),
            Kind::Corrupt,
        ),
        (
            bad(
                "changed",
                &sql("DROP TRIGGER message_changed; UPDATE message SET content = 'x' WHERE id = 3"),
            ),
            Kind::Corrupt,
        ),
    ] {
        let error = store.replace(file.clone()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}: {error}", file.display());
        assert!(error.to_string().contains("restore"), "{error}");
    }
    assert_eq!(store.counts().await.unwrap().messages, 20);
    assert_eq!(names(&folder.join("backups")).len(), 1, "nothing is left of the tries");
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_replaced_without_a_daemon() {
    let store = filled().await;
    let backup = PathBuf::from(store.back_up(None, 3).await.unwrap().file);
    let identity = store.identity();
    store.close().await.unwrap();
    let Temporary { store, folder } = store;
    drop(store);
    let options = options(folder.path());
    let replace = |file: &Path| replace_closed(&options.database, &options.backups, file);

    // one that can be read tells which ids it used
    let (counts, kept) = replace(&backup).unwrap();
    assert_eq!((counts.messages, kept.is_some_and(|kept| kept.exists())), (20, true));
    let opened = Store::open(options.clone()).await.unwrap();
    assert_eq!(opened.identity(), identity);
    opened.close().await.unwrap();
    drop(opened);

    std::fs::write(&options.database, "garbage").unwrap();
    assert!(Store::open(options.clone()).await.is_err());
    let (_, kept) = replace(&backup).unwrap();
    assert_eq!(std::fs::read_to_string(kept.unwrap()).unwrap(), "garbage");
    let opened = Store::open(options.clone()).await.unwrap();
    assert_eq!(opened.counts().await.unwrap().messages, 20);
    assert_ne!(opened.identity(), identity, "the index is filled anew");
    assert_eq!(options.database.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    opened.close().await.unwrap();
    drop(opened);

    std::fs::remove_file(&options.database).unwrap();
    assert_eq!(replace(&backup).unwrap().1, None, "nothing was there");
}
