//! Stores in temporary folders and short ways to fill them, for the tests of this module.

use std::ops::Deref;
use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::model::{ChunkRange, ClientRef, ConversationId, MemoryId, Message, MessageId, Role, Timestamp};

/// A store in a folder of its own, which goes away with it.
pub(super) struct Temporary {
    pub(super) store: Store,
    pub(super) folder: tempfile::TempDir,
}

impl Deref for Temporary {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

pub(super) fn options(folder: &Path) -> Options {
    Options {
        database: folder.join("nosso.db"),
        backups: folder.join("backups"),
        // the tests that need a sync of the disk say so; the others are quicker without
        durability: Durability::Normal,
    }
}

pub(super) async fn store() -> Temporary {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(options(folder.path())).await.unwrap();
    Temporary { store, folder }
}

impl Temporary {
    /// Closes the store and opens its database again.
    pub(super) async fn reopen(self) -> Self {
        self.store.close().await.unwrap();
        self.reopen_closed().await
    }

    pub(super) async fn reopen_closed(self) -> Self {
        let Temporary { store, folder } = self;
        drop(store);
        let store = Store::open(options(folder.path())).await.unwrap();
        Temporary { store, folder }
    }

    /// Another connection to the database, for looking at it or damaging it.
    pub(super) fn sql(&self) -> Connection {
        let db = Connection::open(self.folder.path().join("nosso.db")).unwrap();
        words::register_functions(&db).unwrap();
        connection::register_bare(&db).unwrap();
        db
    }

    /// How many texts are found under just this form of a word.
    pub(super) fn holding(&self, form: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM words WHERE words MATCH '\"{form}\" OR \"\u{80}{form}\"'"))
    }

    /// Fails unless the full text holds exactly the terms of the texts.
    pub(super) fn check_words(&self) {
        let db = self.sql();
        db.execute_batch(
            "INSERT INTO words(words) VALUES('integrity-check');
             CREATE VIRTUAL TABLE temp.expected USING fts5(stems, others, content='', columnsize=0, tokenize='ascii');
             CREATE VIRTUAL TABLE temp.expected_posting USING fts5vocab(temp, expected, instance);
             INSERT INTO expected(rowid, stems, others)
               SELECT nosso_address(conversation_id, seq, content), nosso_stems(content), nosso_others(content)
               FROM message WHERE searchable = 1;
             INSERT INTO expected(rowid, stems, others)
               SELECT nosso_address(0, id, content), nosso_stems(content), nosso_others(content) FROM memory;",
        )
        .expect("full text is whole");
        for (more, less) in [("posting", "expected_posting"), ("expected_posting", "posting")] {
            let columns = "SELECT term, doc, col, offset FROM";
            let sql = format!("SELECT count(*) FROM ({columns} {more} EXCEPT {columns} {less})");
            let n: i64 = db.query_row(&sql, [], |row| row.get(0)).unwrap();
            assert_eq!(n, 0, "places in {more} that are not in {less}");
        }
    }

    pub(super) fn number(&self, sql: &str) -> i64 {
        self.sql().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(super) async fn conversation_of(&self, title: &str, project: Option<&str>) -> ConversationId {
        let new = NewConversation {
            id: ConversationId::new(),
            title: Some(title.into()),
            project: project.map(Into::into),
            model: None,
            folder: None,
            tags: Vec::new(),
            private: false,
            created_at: Timestamp::now(),
            metadata: None,
        };
        self.create_conversation(new, Some(client("test"))).await.unwrap().record.id
    }

    pub(super) async fn say(&self, conversation: ConversationId, text: &str) -> Message {
        self.append(append(conversation, vec![said(text)])).await.unwrap().messages.remove(0)
    }

    pub(super) async fn remember(&self, text: &str) -> MemoryId {
        self.add_memory(fact(text), Some(client("test"))).await.unwrap().record.id
    }
}

pub(super) fn client(name: &str) -> ClientRef {
    ClientRef { name: name.into(), version: "1".into() }
}

pub(super) fn append(conversation: ConversationId, messages: Vec<NewMessage>) -> Append {
    Append { conversation, create: None, messages, client: Some(client("test")) }
}

/// The whole text as one chunk; none where it is empty.
pub(super) fn whole(text: &str) -> Vec<ChunkRange> {
    let all = ChunkRange { view: 0, start: 0, end: text.len() as u32 };
    if text.is_empty() { Vec::new() } else { vec![all] }
}

pub(super) fn said(text: &str) -> NewMessage {
    NewMessage::new(Role::User, text.into(), whole(text))
}

pub(super) fn fact(text: &str) -> NewMemory {
    NewMemory {
        id: MemoryId::new(),
        kind: "fact".into(),
        content: text.into(),
        path: None,
        pinned: false,
        replaces: None,
        project: None,
        source_message_id: None,
        expires_at: None,
        created_at: Timestamp::now(),
        metadata: None,
        chunks: whole(text),
    }
}

/// A message as an export holds it.
pub(super) fn recorded(
    conversation: ConversationId,
    parent: Option<MessageId>,
    seq: u64,
    content: String,
) -> RestoreMessage {
    let chunks = whole(&content);
    let message = Message {
        id: MessageId::new(),
        conversation_id: conversation,
        parent_id: parent,
        seq,
        role: Role::User,
        author: None,
        content,
        model: None,
        client: None,
        status: None,
        sources: Vec::new(),
        usage: None,
        searchable: true,
        created_at: Timestamp::from_millis(1),
        edited_at: None,
        metadata: None,
    };
    RestoreMessage { message, chunks }
}

/// Brings something back from the trash, as the application does.
pub(super) async fn undo(store: &Store, id: uuid::Uuid) -> Result<()> {
    let entry = store.trash_entry(id).await?;
    let mut batch = RestoreBatch::default();
    let records = store.trash_records(entry.clone(), -1, usize::MAX).await?;
    for (_, record) in records {
        match record {
            TrashRecord::Conversation(conversation) => batch.conversations.push(conversation),
            TrashRecord::Memory(memory) => {
                let chunks = whole(&memory.content);
                batch.memories.push(RestoreMemory { memory, chunks });
            }
            TrashRecord::Message(message) => {
                let chunks = whole(&message.content);
                batch.messages.push(RestoreMessage { message, chunks });
            }
        }
    }
    if entry.kind == crate::api::trash::TrashKind::Message {
        return store.restore_message(entry, batch.messages.remove(0)).await.map(drop);
    }
    let restored = store.restore(batch).await?;
    assert_eq!(restored.refused, []);
    store.leave_trash(entry).await
}

/// Forgets, as the application does, but for the vectors.
pub(super) async fn forget(
    store: &Store,
    target: crate::api::forget::ForgetParams,
) -> crate::api::forget::ForgetReceipt {
    let id = store.begin_erasure(target).await.unwrap();
    while store.erase_rows(id).await.unwrap() {}
    store.forget_deleted_words().await.unwrap();
    assert!(store.empty_log().await.unwrap());
    store.update_erasure(id, |receipt| receipt.pending.clear()).await.unwrap()
}
