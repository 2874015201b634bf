//! What is deleted, forgotten, exported and backed up, over the whole application and its real files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nosso::api::backup::BackupRestored;
use nosso::api::forget::{ForgetParams, ForgetReceipt, ForgetStatus, Pending};
use nosso::error::Kind;
use nosso::index::{Index, Options};
use nosso::model::ConversationId;
use nosso::paths::Paths;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::application::{App, actor, params, quoting};
use crate::round_trips::furnish;
use crate::support::daemon::{Daemon, Home, call};

impl App {
    /// Forgets while the background work goes on, as it does in the daemon; it begins when the rows are gone, so that
    /// what waits to be embedded is the same in each run.
    async fn forget(&self, asked: Value) -> ForgetReceipt {
        let asked = ForgetParams { wait_seconds: Some(0), ..params(asked) };
        let mut receipt = self.memory.forget(asked, &actor()).await.unwrap();
        let begun = Instant::now();
        while receipt.finished_at.is_none() && begun.elapsed() < Duration::from_secs(60) {
            if !receipt.pending.contains(&Pending::Rows) {
                self.memory.tick(&CancellationToken::new()).await.unwrap();
            }
            tokio::task::yield_now().await;
            let status = ForgetStatus { id: receipt.id, wait_seconds: None };
            receipt = self.memory.forget_status(status).await.unwrap();
        }
        receipt
    }

    fn data(&self) -> PathBuf {
        Paths::below(&self.root.path().join("home")).data
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

/// Which of the pieces stand in some file below the folder.
fn left<'a>(folder: &Path, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    let contents: Vec<Vec<u8>> = files(folder).iter().map(|file| std::fs::read(file).unwrap()).collect();
    let is_left = |piece: &&[u8]| contents.iter().any(|bytes| memchr::memmem::find(bytes, piece).is_some());
    pieces.into_iter().filter(is_left).collect()
}

fn words(texts: &[String]) -> HashSet<&[u8]> {
    texts.iter().flat_map(|text| text.split(' ')).filter(|word| word.len() > 6).map(str::as_bytes).collect()
}

/// Texts of words that stand nowhere else.
fn texts(seed: u64, n: usize) -> Vec<String> {
    let mut state = seed;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + (state >> 33) as u8 % 26)
    };
    (0..n)
        .map(|_| (0..30).map(|_| (0..9).map(|_| letter()).collect::<String>()).collect::<Vec<_>>().join(" "))
        .collect()
}

fn as_str(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// The vectors of a conversation's passages as the index's files hold them, read from a copy.
fn vectors(app: &App, conversation: ConversationId) -> Vec<Vec<u8>> {
    let db = rusqlite::Connection::open(app.data().join("nosso.db")).unwrap();
    let (space, fingerprint, dimension, identity): (i64, String, usize, [u8; 16]) = db
        .query_row("SELECT e.id, fingerprint, dimension, identity FROM embed_space e, store", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, u32>(2)? as usize, row.get(3)?))
        })
        .unwrap();
    let mut chunks = db
        .prepare(
            "SELECT k.id FROM chunk k JOIN message m ON m.id = k.message_id
             JOIN conversation c ON c.id = m.conversation_id WHERE c.uid = ?1",
        )
        .unwrap();
    let chunks: Vec<u32> = chunks
        .query_map([&conversation.as_bytes()[..]], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let copy = tempfile::tempdir().unwrap();
    for part in ["exact", "fresh", "tokens"] {
        std::fs::create_dir_all(copy.path().join(part)).unwrap();
        let file = Path::new(part).join("data.mdb");
        let from = app.data().join(format!("index/{space:04}")).join(&file);
        std::fs::copy(from, copy.path().join(&file)).unwrap();
    }
    let identity = uuid::Builder::from_random_bytes(identity).into_uuid();
    let stamp = format!("{identity}/{fingerprint}/{space}");
    let index = Index::open(Options { folder: copy.path().to_owned(), dimension, stamp }).unwrap();
    assert!(!index.opened().fresh);
    let found = index.vectors(&chunks).unwrap().into_iter().flatten();
    found.map(|vector| vector.iter().flat_map(|x| x.to_le_bytes()).collect()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_what_is_forgotten_is_left_in_any_file() {
    let Some(app) = App::with_model("forgetting with vectors").await else { return };
    let (kept_texts, gone_texts) = (texts(1, 40), texts(2, 60));
    let (kept, _) = app.conversation(&as_str(&kept_texts)).await;
    let (gone, _) = app.conversation(&as_str(&gone_texts)).await;
    app.work().await;
    let before = app.memory.index_status().await.unwrap().vectors;
    assert!(before >= 100, "{before}");
    assert_eq!(left(&app.data(), words(&gone_texts)).len(), words(&gone_texts).len());
    let (gone_vectors, kept_vectors) = (vectors(&app, gone), vectors(&app, kept));
    assert_eq!(left(&app.data(), gone_vectors.iter().map(Vec::as_slice)).len(), gone_vectors.len());
    // some of it waits to be embedded, some was edited, some lies in the trash
    let waiting = texts(3, 3);
    let append = json!({"conversationId": gone, "messages": [{"role": "user", "content": waiting[0]}]});
    app.memory.append(params(append), &actor()).await.unwrap();
    let messages = app.messages(gone).await;
    let edit = json!({"id": messages[3].id, "content": waiting[1]});
    app.memory.update_message(params(edit), &actor()).await.unwrap();
    app.memory.delete_message(messages[5].id, &actor()).await.unwrap();

    let receipt = app.forget(json!({"conversationIds": [gone]})).await;
    assert!(receipt.finished_at.is_some() && receipt.pending.is_empty(), "{receipt:?}");
    assert_eq!((receipt.removed.conversations, receipt.removed.messages), (1, 60));
    assert_eq!((receipt.removed.trash, receipt.removed.jobs), (1, 2));
    let all: Vec<String> = [gone_texts, waiting].concat();
    assert_eq!(left(&app.data(), words(&all)), Vec::<&[u8]>::new());
    assert_eq!(left(&app.data(), words(&kept_texts)).len(), words(&kept_texts).len());
    assert!(gone_vectors.len() >= 60 && kept_vectors.len() >= 40);
    assert!(left(&app.data(), gone_vectors.iter().map(|vector| &vector[8..40])).is_empty());
    assert_eq!(left(&app.data(), kept_vectors.iter().map(Vec::as_slice)).len(), kept_vectors.len());
    let after = app.memory.index_status().await.unwrap();
    // those of the edited and of the deleted message left the index before, and with them those of the messages behind
    assert_eq!(after.vectors + receipt.removed.vectors + 4, before);
    assert_eq!((after.fresh, after.pending, app.queue().await), (0, 0, (0, 0, 0)));
    let status = json!({"id": receipt.id, "waitSeconds": 1});
    assert_eq!(app.memory.forget_status(params(status)).await.unwrap(), receipt);
    assert_eq!(app.messages(kept).await.len(), 40);
    app.memory.close().await.unwrap();
}

/// A passage is embedded with the one before it, so that a part of the one lives on in the vector of the other.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_embedded_behind_a_forgotten_text_is_embedded_anew() {
    let Some(app) = App::with_model("forgetting what neighbours hold").await else { return };
    // so short that the model has room for both
    let texts: Vec<String> = texts(7, 3).iter().map(|text| text[..50].to_owned()).collect();
    let (c, messages) = app.conversation(&as_str(&texts)).await;
    app.work().await;
    let before = vectors(&app, c);
    let receipt = app.forget(json!({"messageIds": [messages[1].id]})).await;
    assert!(receipt.finished_at.is_some(), "{receipt:?}");
    assert_eq!(left(&app.data(), words(&texts[1..2])), Vec::<&[u8]>::new());
    assert_eq!(left(&app.data(), before[1..].iter().map(|vector| &vector[8..40])), Vec::<&[u8]>::new());
    app.work().await;
    let after = vectors(&app, c);
    assert_eq!((after.len(), &after[0]), (2, &before[0]));
    assert_ne!(after[1], before[2], "it has another text before it now");
    app.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_with_what_was_to_be_forgotten() {
    let Some(app) = App::with_model("forgetting over a restart").await else { return };
    let texts = texts(4, 30);
    let (gone, _) = app.conversation(&as_str(&texts)).await;
    app.work().await;
    // without a worker the vectors stay, and the receipt says so
    let asked = json!({"conversationIds": [gone], "waitSeconds": 0});
    let receipt = app.memory.forget(params(asked), &actor()).await.unwrap();
    assert!(receipt.finished_at.is_none() && receipt.pending.contains(&Pending::Vectors), "{receipt:?}");
    app.memory.close().await.unwrap();
    let again = App::open_in(app.root, app.config).await;
    again.work().await;
    let status = json!({"id": receipt.id, "waitSeconds": 20});
    let receipt = again.memory.forget_status(params(status)).await.unwrap();
    assert!(receipt.finished_at.is_some(), "{receipt:?}");
    assert_eq!(left(&again.data(), words(&texts)), Vec::<&[u8]>::new());
    again.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_named_is_nothing_forgotten() {
    let app = App::open(quoting()).await;
    let refused = |asked: Value| {
        let memory = app.memory.clone();
        async move { memory.forget(params(asked), &actor()).await.unwrap_err().kind() }
    };
    assert_eq!(refused(json!({})).await, Kind::Invalid);
    assert_eq!(refused(json!({"project": " "})).await, Kind::Invalid);
    let many = vec![ConversationId::new(); 1001];
    assert_eq!(refused(json!({"conversationIds": many})).await, Kind::TooLarge);
    let unknown = app.forget(json!({"conversationIds": [ConversationId::new()]})).await;
    assert_eq!((unknown.removed.conversations, unknown.finished_at.is_some()), (0, true));
    app.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_hold_copies_until_they_are_replaced() {
    let app = App::open(quoting()).await;
    let texts = texts(5, 6);
    let (gone, _) = app.conversation(&as_str(&texts[..3])).await;
    let (also, _) = app.conversation(&as_str(&texts[3..])).await;
    let backup = app.memory.back_up(Default::default()).await.unwrap();
    let name = Path::new(&backup.file).file_name().unwrap().to_string_lossy().into_owned();
    let receipt = app.forget(json!({"conversationIds": [gone]})).await;
    assert_eq!((&receipt.backups, receipt.backups_replaced), (&vec![name.clone()], false));
    assert_eq!(left(&app.data(), words(&texts[..3])).len(), words(&texts[..3]).len());
    let receipt = app.forget(json!({"conversationIds": [also], "backups": "replace"})).await;
    assert_eq!((receipt.backups.len(), receipt.backups_removed), (0, vec![name]));
    assert_eq!(left(&app.data(), words(&texts)), Vec::<&[u8]>::new());
    assert_eq!(app.memory.backups().await.unwrap().backups.len(), 1);
    app.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_lain_in_the_trash_for_long_is_forgotten_by_itself() {
    let app = App::open(quoting()).await;
    let texts = texts(6, 2);
    let (old, _) = app.conversation(&as_str(&texts[..1])).await;
    let (new, _) = app.conversation(&as_str(&texts[1..])).await;
    for id in [old, new] {
        app.memory.delete_conversation(id, &actor()).await.unwrap();
    }
    app.tamper("UPDATE trash SET deleted_at = deleted_at - 31 * 86400000 WHERE id = 1");
    app.memory.maintain().await.unwrap();
    app.work().await;
    let trash = app.memory.trash(Default::default()).await.unwrap().items;
    assert_eq!(
        trash.iter().map(|trashed| trashed.item_id.to_string()).collect::<Vec<_>>(),
        [new.to_string()]
    );
    assert!(trash[0].kept_until.unwrap().as_millis() - trash[0].deleted_at.as_millis() == 30 * 86_400_000);
    assert_eq!(left(&app.data(), words(&texts[..1])), Vec::<&[u8]>::new());
    let restored = app.memory.restore_from_trash(params(json!({"id": new})), &actor()).await.unwrap();
    assert_eq!((restored.messages, app.messages(new).await.len()), (1, 1));
    app.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_holds_what_was_asked_for_and_no_trash() {
    let app = App::open(quoting()).await;
    furnish(&app).await;
    let (gone, _) = app.conversation(&["deleted"]).await;
    app.memory.delete_conversation(gone, &actor()).await.unwrap();
    let kinds = |lines: Vec<String>| {
        let kind =
            |line: &String| serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().to_owned();
        let kinds: Vec<String> = lines.iter().skip(1).map(kind).collect();
        let count = |wanted: &str| kinds.iter().filter(|kind| *kind == wanted).count();
        (count("conversation"), count("message"), count("memory"))
    };
    let all = app.export().await;
    assert!(!all.iter().any(|line| line.contains(&gone.to_string())));
    assert_eq!(kinds(app.export_as(json!({"project": "/p"})).await), (1, 3, 1));
    assert_eq!(kinds(app.export_as(json!({"client": "nobody"})).await), (0, 0, 0));
    assert_eq!(kinds(app.export_as(json!({"until": "2000-01-01"})).await), (0, 0, 0));
    assert_eq!(kinds(app.export_as(json!({"since": "2000-01-01"})).await), kinds(all.clone()));
    let first: Value = serde_json::from_str(&all[1]).unwrap();
    assert_eq!(kinds(app.export_as(json!({"conversationIds": [first["id"]]})).await), (1, 3, 0));
    // the deleted message of the first conversation, and the deleted conversation
    assert_eq!(kinds(app.export_as(json!({"trash": true})).await), (1, 2, 0));
    app.memory.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forms_of_others_are_whole_documents() {
    let app = App::open(quoting()).await;
    furnish(&app).await;
    let open_webui = app.export_as(json!({"format": "open-webui"})).await.join("\n");
    let chats: Value = serde_json::from_str(&open_webui).unwrap();
    let chats = chats.as_array().unwrap();
    assert_eq!(chats.len(), 9);
    for chat in chats {
        let nodes = chat["chat"]["history"]["messages"].as_object().unwrap();
        for (id, node) in nodes {
            for child in node["childrenIds"].as_array().unwrap() {
                assert_eq!(nodes[child.as_str().unwrap()]["parentId"], json!(id));
            }
            assert!(node["parentId"].is_null() || nodes.contains_key(node["parentId"].as_str().unwrap()));
        }
    }
    let empty = App::open(quoting()).await;
    assert_eq!(empty.export_as(json!({"format": "open-webui"})).await, ["[", "]"]);
    let markdown = app.export_as(json!({"format": "markdown"})).await.join("\n");
    assert!(markdown.contains("# Memories") && markdown.contains("red fish"), "{markdown}");
    for app in [app, empty] {
        app.memory.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_found_by_meaning_again() {
    let Some(app) = App::with_model("a restored backup").await else { return };
    let (c, _) = app.conversation(&["one fish", "two fish"]).await;
    app.work().await;
    let backup = app.memory.back_up(Default::default()).await.unwrap();
    app.conversation(&["red fish", "blue fish"]).await;
    app.work().await;
    assert_eq!(app.memory.index_status().await.unwrap().vectors, 4);
    let restore = json!({"file": backup.file});
    let BackupRestored { counts, kept_aside } =
        app.memory.restore_backup(params(restore), &actor()).await.unwrap();
    assert_eq!((counts.messages, kept_aside.is_some()), (2, true));
    app.work().await;
    let index = app.memory.index_status().await.unwrap();
    assert_eq!((index.vectors, index.pending, app.queue().await), (2, 0, (0, 0, 0)));
    // what is new gets ids that no vector of the other history has
    let append = json!({"conversationId": c, "messages": [{"role": "user", "content": "green fish"}]});
    app.memory.append(params(append), &actor()).await.unwrap();
    app.work().await;
    assert_eq!(app.memory.index_status().await.unwrap().vectors, 3);
    let relative =
        app.memory.restore_backup(params(json!({"file": "nosso.db"})), &actor()).await.unwrap_err();
    assert_eq!(relative.kind(), Kind::Invalid);
    app.memory.close().await.unwrap();
}

#[test]
fn the_terminal_backs_up_restores_and_goes_on_without_a_daemon() {
    let home = Home::new();
    home.configure("[embed]\nenabled = false\n[chat]\nprovider = \"extractive\"\n");
    let said = |args: &[&str]| {
        let output = home.nosso(args).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), said)
    };
    let mut daemon = Daemon::start(&home);
    assert_eq!(said(&["remember", "--project", "none", "tea"]).0, Some(0));
    assert!(said(&["doctor"]).1.contains("there is no backup"));
    let disk = home.path("disk");
    let (code, text) = said(&["backup", disk.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{text}");
    let file = files(&disk).remove(0);
    assert_eq!(said(&["backup"]).0, Some(0));
    assert!(said(&["doctor"]).1.contains("the last backup was made"));
    assert!(said(&["backup", "--list"]).1.contains("nosso-20"));
    assert_eq!(said(&["remember", "--project", "none", "coffee"]).0, Some(0));
    let restore = ["restore", "-y", file.to_str().unwrap()];
    let (code, text) = said(&restore);
    assert!(code == Some(0) && text.contains("1 memories"), "{text}");
    assert!(!said(&["memories"]).1.contains("coffee"));
    let (code, text) = said(&["restore", "--offline", "-y", file.to_str().unwrap()]);
    assert!(code == Some(1) && text.contains("already running"), "{text}");
    assert_eq!(said(&["restore", "-y", "nowhere.db"]).0, Some(66));

    let memory = call(&home.socket(), "memory.list", json!({}))["result"]["items"][0]["id"].clone();
    daemon.signal(rustix::process::Signal::TERM);
    assert!(daemon.ended(std::time::Duration::from_secs(10)).success());
    let database =
        files(&home.path(".local/share/nosso")).into_iter().find(|file| file.ends_with("nosso.db"));
    std::fs::write(database.unwrap(), "damaged beyond repair").unwrap();
    let (code, text) = said(&restore);
    assert!(code == Some(0) && text.contains("1 memories"), "{text}");
    let _daemon = Daemon::start(&home);
    assert!(said(&["memories"]).1.contains(memory.as_str().unwrap()));
}
