//! Records for the tests of the formats.

use crate::model::{Conversation, ConversationId, Message, MessageId, Role, Timestamp};

const BEGIN: i64 = 1_700_000_000_000;

pub(super) fn conversation(title: Option<&str>, message_count: u64) -> Conversation {
    Conversation {
        id: "018bcfe5-6800-7000-8000-000000000000".parse().unwrap(),
        title: title.map(Into::into),
        project: Some("/p".into()),
        model: None,
        client: None,
        folder: None,
        tags: Vec::new(),
        pinned: false,
        archived: false,
        private: false,
        copied_from: None,
        head_message_id: None,
        message_count,
        created_at: Timestamp::from_millis(BEGIN),
        updated_at: Timestamp::from_millis(BEGIN + 100_000),
        metadata: None,
    }
}

pub(super) fn message(n: u64, parent: Option<u64>, role: Role, content: &str) -> Message {
    let id = |n: u64| MessageId::from_bytes(u128::from(n).to_be_bytes());
    Message {
        id: id(n),
        conversation_id: ConversationId::from_bytes([0; 16]),
        parent_id: parent.map(id),
        seq: n,
        role,
        author: None,
        content: content.into(),
        model: (role == Role::Assistant).then(|| "m".into()),
        client: None,
        status: None,
        sources: Vec::new(),
        usage: None,
        searchable: true,
        created_at: Timestamp::from_millis(BEGIN + n as i64 * 1000),
        edited_at: None,
        metadata: None,
    }
}
