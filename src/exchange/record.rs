//! nosso's own format: one JSON object a line, the first of which says what the file is.

use std::io::BufRead;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Readout, lines};
use crate::api::limits::MAX_REQUEST_BYTES;
use crate::error::{Error, Kind, Result};
use crate::model::{Conversation, Memory, Message};

/// The version that is written. A change that old readers would misunderstand makes it grow.
pub const VERSION: u64 = 1;

/// What the `type` of a line may be.
pub(super) const TYPES: &[&str] = &[HEADER, "conversation", "message", "memory"];

const HEADER: &str = "nosso";

/// One stored thing, as both readers give it and as the lines hold it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
#[allow(clippy::large_enum_variant, reason = "most records are messages, which are the largest")]
pub enum Record {
    /// A conversation without its messages.
    Conversation(Conversation),
    /// A message.
    Message(Message),
    /// A standing fact.
    Memory(Memory),
}

/// The first line of a file, without its line end: what it is. It names no time, so that the same records always
/// make the same file.
pub fn header() -> String {
    json!({"type": HEADER, "version": VERSION, "program": concat!("nosso/", env!("CARGO_PKG_VERSION"))})
        .to_string()
}

/// The line of `record`, without its line end. Errors: `Internal`, which no record causes.
pub fn line(record: &Record) -> Result<String> {
    serde_json::to_string(record).map_err(|error| Error::internal("write a record as JSON").caused_by(error))
}

/// Reads lines, all of a file or some of it. Members and lines of kinds that are unknown are ignored; a line that
/// is broken is refused, and the others are read.
///
/// Errors: `Unsupported` where the first line says that a newer version wrote them.
pub fn read(text: &str) -> Result<Readout> {
    let mut all = Readout::default();
    read_from(&mut text.as_bytes(), &mut |line| {
        all.append(line);
        Ok(())
    })?;
    Ok(all)
}

/// The same from a reader, a line at a time.
pub(super) fn read_from(reader: &mut dyn BufRead, each: &mut dyn FnMut(Readout) -> Result<()>) -> Result<()> {
    lines::lines(reader, MAX_REQUEST_BYTES, |number, line| {
        let mut readout = Readout::default();
        let read = match line {
            lines::Line::TooLong => Line::Broken(format!("takes more than {MAX_REQUEST_BYTES} bytes")),
            lines::Line::Whole(line) => match std::str::from_utf8(line) {
                Ok(line) => read_line(line)?,
                Err(error) => Line::Broken(format!("is no UTF-8: {error}")),
            },
        };
        match read {
            Line::Record(record) => readout.records.push(*record),
            Line::Ignored(kind) => super::told::count(&mut readout.ignored, &kind),
            Line::Header => return Ok(()),
            Line::Broken(reason) => readout.refuse(format!("line {number}"), reason),
        }
        each(readout)
    })
}

enum Line {
    Record(Box<Record>),
    Header,
    /// Of a kind that a later version writes.
    Ignored(String),
    Broken(String),
}

fn read_line(line: &str) -> Result<Line> {
    /// The members that tell what a line is.
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        kind: Option<String>,
        version: Option<Value>,
    }
    let head: Head = match serde_json::from_str(line) {
        Ok(head) => head,
        Err(error) => return Ok(Line::Broken(format!("is no JSON object: {error}"))),
    };
    match head.kind.as_deref() {
        Some(HEADER) => match head.version.as_ref().and_then(Value::as_u64) {
            Some(1..=VERSION) => Ok(Line::Header),
            Some(version) => {
                let found = format!("the export has version {version}, and this nosso reads up to {VERSION}");
                Err(Error::new(Kind::Unsupported, found).hint("install the current nosso and import again"))
            }
            None => Ok(Line::Broken("is a header without a version".into())),
        },
        Some(kind) if TYPES.contains(&kind) => Ok(match serde_json::from_str(line) {
            Ok(record) => Line::Record(Box::new(record)),
            Err(error) => Line::Broken(format!("is no {kind}: {error}")),
        }),
        Some(kind) => Ok(Line::Ignored(kind.to_owned())),
        None => Ok(Line::Broken("has no member 'type'".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AnswerStatus, ClientRef, ConversationId, MemoryId, MessageId, Metadata, Role, Source, SourceKind,
        Timestamp, Usage,
    };
    use proptest::prelude::*;

    fn time() -> impl Strategy<Value = Timestamp> {
        (0i64..4_000_000_000_000).prop_map(Timestamp::from_millis)
    }

    fn metadata() -> impl Strategy<Value = Option<Metadata>> {
        prop::option::of(("[a-z]{1,5}", "\\PC{0,9}", any::<i64>()).prop_map(|(key, text, n)| {
            [(key, json!({"type": text, "n": [n, null, true]}))].into_iter().collect()
        }))
    }

    fn client() -> impl Strategy<Value = Option<ClientRef>> {
        prop::option::of(("\\PC{0,5}", "\\PC{0,5}").prop_map(|(name, version)| ClientRef { name, version }))
    }

    fn source() -> impl Strategy<Value = Source> {
        (1u32..9, any::<u128>(), time(), ".{0,20}", -64i32..64, any::<bool>()).prop_map(
            |(n, id, created_at, text, score, cited)| Source {
                n,
                kind: SourceKind::Memory,
                id: uuid::Uuid::from_u128(id),
                conversation_id: None,
                title: Some(text.clone()),
                role: Some(Role::Note),
                created_at,
                client: None,
                text,
                score: f64::from(score) / 8.0,
                cited,
            },
        )
    }

    fn message() -> impl Strategy<Value = Record> {
        let ids = (any::<[u8; 16]>(), any::<[u8; 16]>(), prop::option::of(any::<[u8; 16]>()));
        let role = prop::sample::select(Role::ALL);
        let rest =
            (metadata(), client(), prop::collection::vec(source(), 0..3), prop::option::of(any::<u64>()));
        (ids, role, "(?s).{0,60}", 1u64..99, time(), rest).prop_map(
            |(ids, role, content, seq, created_at, (metadata, client, sources, tokens))| {
                Record::Message(Message {
                    id: MessageId::from_bytes(ids.0),
                    conversation_id: ConversationId::from_bytes(ids.1),
                    parent_id: ids.2.map(MessageId::from_bytes),
                    seq,
                    role,
                    author: Some("João".into()),
                    content,
                    model: tokens.map(|_| "m".into()),
                    client,
                    status: Some(AnswerStatus::Cancelled),
                    sources,
                    usage: tokens.map(|n| Usage { prompt_tokens: Some(n), completion_tokens: None }),
                    searchable: seq % 2 == 0,
                    created_at,
                    edited_at: tokens.map(|_| created_at),
                    metadata,
                })
            },
        )
    }

    fn conversation_or_memory() -> impl Strategy<Value = Record> {
        let rest = (metadata(), client(), prop::option::of(time()), any::<bool>());
        (any::<[u8; 16]>(), "(?s).{0,40}", time(), rest).prop_map(
            |(id, text, created_at, (metadata, client, expires_at, is_memory))| match is_memory {
                true => Record::Memory(Memory {
                    id: MemoryId::from_bytes(id),
                    kind: "fact".into(),
                    path: expires_at.map(|_| "a/b".into()),
                    pinned: expires_at.is_some(),
                    content: text,
                    project: None,
                    client,
                    source_message_id: None,
                    created_at,
                    updated_at: created_at,
                    expires_at,
                    superseded_by: None,
                    metadata,
                }),
                false => Record::Conversation(Conversation {
                    id: ConversationId::from_bytes(id),
                    title: Some(text),
                    project: Some("/p".into()),
                    model: None,
                    client,
                    folder: None,
                    tags: Vec::new(),
                    pinned: false,
                    archived: false,
                    private: false,
                    copied_from: None,
                    head_message_id: None,
                    message_count: 3,
                    created_at,
                    updated_at: created_at,
                    metadata,
                }),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(records in prop::collection::vec(prop_oneof![message(), conversation_or_memory()], 0..6)) {
            let mut lines = vec![header()];
            lines.extend(records.iter().map(|record| line(record).unwrap()));
            prop_assert!(lines.iter().all(|line| !line.contains(['\n', '\r'])));
            let readout = read(&lines.join("\n")).unwrap();
            prop_assert_eq!(readout, Readout { records, ..Readout::default() });
        }

        #[test]
        fn broken_lines_never_stop_it(garbage in "(?s)[{}\":,a-z0-9\n\\[\\]]{0,80}") {
            let _ = read(&garbage);
        }
    }

    #[test]
    fn broken_lines_are_named_and_unknown_things_are_ignored() {
        let id = "0192d3c4-0000-7000-8000-000000000001";
        let good = format!(
            r#"{{"type":"memory","id":"{id}","kind":"fact","content":"x","project":null,"createdAt":"2024-01-01","updatedAt":"2024-01-01","new":{{"a":1}}}}"#
        );
        let text = format!(
            "\u{feff}{}\n{good}\n\n{{\"type\":\"message\",\"id\":\"{id}\"}}\nnonsense\n{{\"type\":\"future\"}}\n{{}}\n[1]\r\n{good}",
            header()
        );
        let readout = read(&text).unwrap();
        assert_eq!(readout.records.len(), 2);
        let places: Vec<&str> = readout.refused.iter().map(|refused| refused.place.as_str()).collect();
        assert_eq!(places, ["line 4", "line 5", "line 7", "line 8"]);
        assert!(readout.refused[0].reason.contains("conversationId"), "{}", readout.refused[0].reason);
    }

    #[test]
    fn a_newer_version_is_refused_as_a_whole() {
        let error = read(r#"{"type":"nosso","version":2}"#).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
    }
}
