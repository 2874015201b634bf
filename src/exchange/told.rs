//! What another tool's history says, before it becomes records: every reader of a foreign format fills this.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::api::data::{ImportFormat, Refused};
use crate::model::{AnswerStatus, MessageId, Metadata, Role, Timestamp, Usage};

/// A conversation as another tool tells it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    /// The format it was read from: its name is part of the derived ids.
    pub format: ImportFormat,
    /// Its id over there.
    pub id: Option<String>,
    /// Ids that are UUIDs become its own and its messages' here: it comes from the store that nosso had before, or
    /// from nosso's own export, and what is stored already must not come again under other ids.
    pub keeps_ids: bool,
    pub title: Option<String>,
    pub project: Option<String>,
    pub model: Option<String>,
    /// The version of the tool.
    pub version: Option<String>,
    pub created: Option<Timestamp>,
    pub updated: Option<Timestamp>,
    /// The id of the message at the end of the branch that is shown.
    pub current: Option<String>,
    pub tags: Vec<String>,
    pub pinned: bool,
    pub archived: bool,
    /// The folder that it lies in, as a path.
    pub folder: Option<String>,
    pub metadata: Metadata,
    /// In the order of the file.
    pub messages: Vec<Said>,
    /// Messages that could not be read; their places are within the conversation or the file.
    pub refused: Vec<Refused>,
    /// Records that hold no message, by what they are.
    pub ignored: Ignored,
}

/// How many records hold nothing to keep, by what they are.
pub type Ignored = BTreeMap<String, u64>;

/// A message as another tool tells it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    /// Its id over there.
    pub id: Option<String>,
    pub parent: Parent,
    /// What it consists of; without parts it is only a link between its parent and its children.
    pub parts: Vec<Part>,
    pub author: Option<String>,
    pub model: Option<String>,
    pub time: Option<Timestamp>,
    pub status: Option<AnswerStatus>,
    pub usage: Option<Usage>,
    pub metadata: Metadata,
    /// Whether it belongs to the branch that is shown if nothing names another.
    pub is_aside: bool,
    /// What became of it, once its records are made. Its parts are gone then.
    pub made: Option<Made>,
}

/// The end of a message that became records, for what answers it later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Made {
    /// The last of its records.
    pub last: MessageId,
    /// What its parts were, in short.
    pub fingerprint: u64,
}

/// Which message a message answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parent {
    /// The one before it in the file.
    Previous,
    /// None: it begins a branch.
    Nobody,
    /// The one of this id.
    Of(String),
}

/// A part of a message. Each becomes a message of its own, in a chain; neighbours of one kind are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Part {
    pub role: Role,
    pub text: String,
    /// What tools were told and answered, and what a program wrote in the person's name: kept, never searched.
    pub is_noise: bool,
}

impl Part {
    pub fn said(role: Role, text: impl Into<String>) -> Self {
        // a tool's words are its results
        Self { role, text: text.into(), is_noise: role == Role::Tool }
    }

    pub fn noise(role: Role, text: impl Into<String>) -> Self {
        Self { role, text: text.into(), is_noise: true }
    }

    /// A call of a tool, in one line: its name and its arguments.
    pub fn call(name: &str, arguments: &Value) -> Self {
        let arguments = match arguments {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self::noise(Role::Tool, format!("{name} {arguments}").trim_end())
    }
}

impl Said {
    /// A message of these parts, those without text left out.
    pub fn of(parts: Vec<Part>) -> Self {
        let mut merged: Vec<Part> = Vec::with_capacity(parts.len());
        for part in parts.into_iter().filter(|part| !part.text.trim().is_empty()) {
            match merged.last_mut() {
                Some(last) if last.role == part.role && last.is_noise == part.is_noise => {
                    last.text.push_str("\n\n");
                    last.text.push_str(&part.text);
                }
                _ => merged.push(part),
            }
        }
        Self {
            id: None,
            parent: Parent::Previous,
            parts: merged,
            author: None,
            model: None,
            time: None,
            status: None,
            usage: None,
            metadata: Metadata::new(),
            is_aside: false,
            made: None,
        }
    }

    /// What is left of it once its records are made: which message it answers, and its time.
    pub fn link(&self, time: Timestamp) -> Self {
        let (id, parent) = (self.id.clone(), self.parent.clone());
        Self { is_aside: self.is_aside, ..Said::of(Vec::new()) }.named(id).after(parent).at(Some(time))
    }

    /// Whether it says something, or did before its records were made.
    pub fn speaks(&self) -> bool {
        !self.parts.is_empty() || self.made.is_some()
    }

    /// What its parts are, in short; good for this process only.
    pub fn fingerprint(&self) -> u64 {
        match self.made {
            Some(made) => made.fingerprint,
            None => {
                let mut hasher = DefaultHasher::new();
                self.parts.hash(&mut hasher);
                hasher.finish()
            }
        }
    }

    /// The same, which the tool calls `id`.
    pub fn named(mut self, id: Option<String>) -> Self {
        self.id = id;
        self
    }

    /// The same, said at `time`.
    pub fn at(mut self, time: Option<Timestamp>) -> Self {
        self.time = time;
        self
    }

    /// The same, in answer to `parent`.
    pub fn after(mut self, parent: Parent) -> Self {
        self.parent = parent;
        self
    }

    /// What the model thought before it spoke goes into the metadata.
    pub fn thinking(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.metadata.insert("thinking".into(), text.into());
        }
    }
}

impl Told {
    /// An empty conversation of this format.
    pub fn new(format: ImportFormat, id: Option<String>) -> Self {
        Self {
            format,
            id,
            keeps_ids: false,
            title: None,
            project: None,
            model: None,
            version: None,
            created: None,
            updated: None,
            current: None,
            tags: Vec::new(),
            pinned: false,
            archived: false,
            folder: None,
            metadata: Metadata::new(),
            messages: Vec::new(),
            refused: Vec::new(),
            ignored: Ignored::new(),
        }
    }

    /// Counts a record that holds no message.
    pub fn ignore(&mut self, what: &str) {
        count(&mut self.ignored, what);
    }

    /// Notes that the `number`th message cannot be read.
    pub fn refuse(&mut self, number: usize, reason: impl Into<String>) {
        self.refused.push(Refused { place: format!("message {number}"), reason: reason.into() });
    }
}

/// Kinds of ignored records that are told apart; a file of nothing else may have any number of them.
const MAX_KINDS: usize = 40;

pub(super) fn count(ignored: &mut Ignored, what: &str) {
    let what = super::json::shortened(what, 60);
    let is_known = ignored.contains_key(&what) || ignored.len() < MAX_KINDS;
    *ignored.entry(if is_known { what } else { "other".into() }).or_default() += 1;
}
