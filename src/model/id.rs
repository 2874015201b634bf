//! Newtypes for every id, so that a message's can never be passed for a conversation's.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id (UUIDv7: it sorts by the time it was made).
            #[allow(clippy::new_without_default, reason = "a new id is not a default value")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id for a thing of another store: the same `source` and `key` always give the same id (UUIDv5).
            pub fn derived(source: &str, key: &str) -> Self {
                let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, source.as_bytes());
                Self(Uuid::new_v5(&namespace, key.as_bytes()))
            }

            /// The 16 bytes as the database keeps them.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id of these 16 bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.trim().parse().map(Self)
            }
        }
    };
}

uuid_id! {
    /// Names a summary.
    SummaryId
}
uuid_id! {
    /// Names a proposed memory.
    ProposalId
}
uuid_id! {
    /// Names a conversation.
    ConversationId
}
uuid_id! {
    /// Names a message; made by the client or by the daemon, it is the key by which a retry is recognised.
    MessageId
}
uuid_id! {
    /// Names a memory.
    MemoryId
}

uuid_id! {
    /// Names an entry of the trash.
    TrashId
}
uuid_id! {
    /// Names a request to forget, and its receipt.
    ErasureId
}

/// Names an embedding job; small and growing, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct JobId(pub i64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim().parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_text_and_bytes() {
        let id = MessageId::new();
        assert_eq!(id.to_string().parse::<MessageId>().unwrap(), id);
        assert_eq!(MessageId::from_bytes(*id.as_bytes()), id);
    }

    #[test]
    fn derived_ids_repeat_and_differ_by_source_and_key() {
        let id = ConversationId::derived("chatgpt", "1");
        assert_eq!(id, ConversationId::derived("chatgpt", "1"));
        assert_ne!(id, ConversationId::derived("chatgpt", "2"));
        assert_ne!(id, ConversationId::derived("claude", "1"));
    }
}
