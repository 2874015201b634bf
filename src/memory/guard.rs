//! What happens to secrets in what is stored: masked, reported or left alone, as the settings say for the project.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::Memory;
use crate::api::chat::ChatParams;
use crate::config::{SecretMode, Secrets};
use crate::error::{Kind, Result};
use crate::exchange::Record;
use crate::model::{ConversationId, MessageId, Metadata};
use crate::secrets::{self, SecretField, SecretKind, SecretPlace};

/// Lets text in, in one of the three modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guard(SecretMode);

impl Guard {
    /// The text to store, and what was found in it.
    pub(super) fn admit(self, text: String) -> (String, Vec<SecretPlace>) {
        match self.0 {
            SecretMode::Off => (text, Vec::new()),
            SecretMode::Report => {
                let found = secrets::find(&text);
                (text, found)
            }
            SecretMode::Mask => {
                let (masked, found) = secrets::mask(&text);
                match found.is_empty() {
                    true => (text, found),
                    false => (masked.into_owned(), found),
                }
            }
        }
    }

    /// A title or an author to store; what is found in it is put to `found`.
    pub(super) fn admit_name(self, name: String, field: SecretField, found: &mut Vec<SecretPlace>) -> String {
        let (name, places) = self.admit(name);
        found.extend(places.into_iter().map(|place| SecretPlace { field, ..place }));
        name
    }

    /// The client's own data to store; what is found in them is put to `found`, without a place.
    pub(super) fn admit_metadata(self, metadata: Metadata, found: &mut Vec<SecretPlace>) -> Metadata {
        if self.0 == SecretMode::Off {
            return metadata;
        }
        let mut admit = |name: String, value| {
            let value = self.admit_value(Some(&name), value, found);
            (self.admit_name(name, SecretField::Metadata, found), value)
        };
        metadata.into_iter().map(|(name, value)| admit(name, value)).collect()
    }

    /// `name`: what the value is called, for names tell secrets.
    fn admit_value(self, name: Option<&str>, value: Value, found: &mut Vec<SecretPlace>) -> Value {
        match value {
            Value::String(text) => match name.and_then(|name| secrets::named(name, &text)) {
                Some(kind) => {
                    let masked = self.0 == SecretMode::Mask;
                    found.push(SecretPlace {
                        kind,
                        field: SecretField::Metadata,
                        offset: 0,
                        line: 1,
                        masked,
                    });
                    Value::String(if masked { kind.mask() } else { text })
                }
                None => Value::String(self.admit_name(text, SecretField::Metadata, found)),
            },
            Value::Array(values) => {
                values.into_iter().map(|value| self.admit_value(name, value, found)).collect()
            }
            Value::Object(members) => Value::Object(self.admit_metadata(members, found)),
            other => other,
        }
    }

    /// The text and the client's own data of a record, in their places.
    pub(super) fn admit_into(
        self,
        content: &mut String,
        metadata: &mut Option<Metadata>,
        found: &mut Vec<SecretPlace>,
    ) {
        let (admitted, places) = self.admit(std::mem::take(content));
        *content = admitted;
        found.extend(places);
        *metadata = metadata.take().map(|metadata| self.admit_metadata(metadata, found));
    }
}

/// The guards of the records of an import, looked up before a thread that must not wait goes through them.
pub(super) struct Guards {
    settings: Secrets,
    /// Of the conversations; none where projects do not differ.
    of: HashMap<ConversationId, Guard>,
}

impl Guards {
    /// Treats the secrets of a record and counts them.
    pub(super) fn admit(&self, record: &mut Record, counts: &mut BTreeMap<SecretKind, u64>) {
        let mut found = Vec::new();
        match record {
            Record::Conversation(it) => {
                let guard = self.guard(it.id, it.project.as_deref());
                it.title =
                    it.title.take().map(|title| guard.admit_name(title, SecretField::Title, &mut found));
                it.metadata = it.metadata.take().map(|metadata| guard.admit_metadata(metadata, &mut found));
            }
            Record::Message(it) => {
                let guard = self.guard(it.conversation_id, None);
                guard.admit_into(&mut it.content, &mut it.metadata, &mut found);
                it.author =
                    it.author.take().map(|name| guard.admit_name(name, SecretField::Author, &mut found));
            }
            Record::Memory(it) => {
                let guard = Guard(self.settings.of(it.project.as_deref()));
                guard.admit_into(&mut it.content, &mut it.metadata, &mut found);
            }
        }
        for place in found {
            *counts.entry(place.kind).or_default() += 1;
        }
    }

    fn guard(&self, conversation: ConversationId, project: Option<&str>) -> Guard {
        self.of.get(&conversation).copied().unwrap_or_else(|| Guard(self.settings.of(project)))
    }
}

impl Memory {
    /// The guards of these records. What is stored already is in the project that it was moved to since.
    pub(super) async fn guards(&self, records: &[Record]) -> Result<Guards> {
        let settings = self.config().secrets.clone();
        let mut of = HashMap::new();
        if settings.projects.is_empty() {
            return Ok(Guards { settings, of });
        }
        for record in records {
            let (id, project) = match record {
                Record::Conversation(it) => (it.id, it.project.as_deref()),
                Record::Message(it) if !of.contains_key(&it.conversation_id) => (it.conversation_id, None),
                Record::Message(_) | Record::Memory(_) => continue,
            };
            let guard = match self.guard_of(id).await {
                // one that comes to be with these records, or is missing and then refused
                Err(error) if error.kind() == Kind::NotFound => Guard(settings.of(project)),
                known => known?,
            };
            of.insert(id, guard);
        }
        Ok(Guards { settings, of })
    }

    /// The guard of what belongs to a project.
    pub(super) fn guard(&self, project: Option<&str>) -> Guard {
        Guard(self.config().secrets.of(project))
    }

    /// The guard of what is said in a conversation, which is only looked up where projects differ.
    pub(super) async fn guard_of(&self, conversation: ConversationId) -> Result<Guard> {
        if self.config().secrets.projects.is_empty() {
            return Ok(self.guard(None));
        }
        let conversation = self.store().conversation(conversation).await?;
        Ok(self.guard(conversation.project.as_deref()))
    }

    /// The guard of a message that is stored.
    pub(super) async fn guard_of_message(&self, message: MessageId) -> Result<Guard> {
        if self.config().secrets.projects.is_empty() {
            return Ok(self.guard(None));
        }
        let message = self.store().message(message).await?;
        self.guard_of(message.conversation_id).await
    }

    /// The question as it may be stored and sent, and what was found in it.
    pub(super) async fn guarded_question(
        &self,
        params: ChatParams,
    ) -> Result<(ChatParams, Vec<SecretPlace>)> {
        let guard = match (params.conversation_id, &params.project) {
            (Some(conversation), _) => self.guard_of(conversation).await?,
            (None, project) => self.guard(project.as_deref()),
        };
        let mut params = params;
        let (content, mut found) = guard.admit(params.content);
        params.content = content;
        if let Some(attachment) = params.attachment {
            let (attachment, more) = guard.admit(attachment);
            params.attachment = Some(attachment);
            found.extend(more);
        }
        Ok((params, found))
    }
}

/// What was found, in a sentence for people; none where nothing was. It names kinds, never values.
pub(super) fn notice(what: &str, found: &[SecretPlace]) -> Option<String> {
    let first = found.first()?;
    let mut kinds: Vec<&str> = found.iter().map(|place| place.kind.name()).collect();
    kinds.dedup();
    let done = if first.masked { "was masked" } else { "was found" };
    Some(format!("in {what} a secret {done}: {}", kinds.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key() -> String {
        format!("ghp_{}", "a1B2c3".repeat(6))
    }

    #[test]
    fn metadata_stay_json_whatever_is_masked() {
        let check = |given: Value, expected: Value, n: usize| {
            let (Value::Object(given), mut found) = (given, Vec::new()) else { panic!() };
            let admitted = Guard(SecretMode::Mask).admit_metadata(given, &mut found);
            assert_eq!((Value::Object(admitted), found.len()), (expected, n));
            assert!(found.iter().all(|place| place.field == SecretField::Metadata));
        };
        check(
            json!({"a": [1, null, "x"], "b": {"c": "\"\\"}}),
            json!({"a": [1, null, "x"], "b": {"c": "\"\\"}}),
            0,
        );
        check(json!({"a": [{"b": key()}]}), json!({"a": [{"b": "[masked:github-token]"}]}), 1);
        check(json!({"password": "a\\\"b1"}), json!({"password": "[masked:password]"}), 1);
        let unclosed = format!("-----BEGIN {}-----\nMIIEvQIBADANBgkqhkiG", "PRIVATE KEY");
        check(json!({"a": unclosed, "b": "stays"}), json!({"a": "[masked:private-key]", "b": "stays"}), 1);
    }

    #[test]
    fn each_mode_does_what_it_says() {
        let key = key();
        let text = format!("key {key} here");
        let check = |mode, stored: &str, n: usize| {
            let (admitted, found) = Guard(mode).admit(text.clone());
            assert_eq!((admitted.as_str(), found.len()), (stored, n), "{mode:?}");
        };
        check(SecretMode::Mask, "key [masked:github-token] here", 1);
        check(SecretMode::Report, &text, 1);
        check(SecretMode::Off, &text, 0);
        let (_, found) = Guard(SecretMode::Mask).admit(text.clone());
        assert_eq!(
            notice("the question", &found).unwrap(),
            "in the question a secret was masked: github-token"
        );
    }
}
