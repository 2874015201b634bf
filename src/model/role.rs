//! Who speaks in a message.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Instructions to the model.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// What a tool answered.
    Tool,
    /// A note that nobody said to anybody.
    Note,
}

impl Role {
    /// Every role.
    pub const ALL: &[Role] = &[Role::System, Role::User, Role::Assistant, Role::Tool, Role::Note];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
            Role::Note => "note",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Role::ALL.iter().copied().find(|role| role.name() == text).ok_or_else(|| {
            let known: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
            format!("'{text}' is no role; known roles: {}", known.join(", "))
        })
    }
}
