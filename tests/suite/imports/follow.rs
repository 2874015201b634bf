//! Sessions that are read while they grow become what they become when they are read as a whole.

use std::collections::BTreeMap;

use nosso::api::data::ImportFormat;
use nosso::exchange::{Follower, Readout, Record};
use nosso::model::{Message, MessageId};
use proptest::prelude::*;

use super::{check_promises, messages, now, read, sample};

const GROWING: &[(&str, ImportFormat)] = &[
    ("claude-code.jsonl", ImportFormat::ClaudeCode),
    ("claude-code-2.jsonl", ImportFormat::ClaudeCode),
    ("claude-code-agent.jsonl", ImportFormat::ClaudeCode),
    ("codex.jsonl", ImportFormat::Codex),
    ("codex-old.jsonl", ImportFormat::Codex),
];

/// The messages without their places, which depend on when they were read.
fn said(readout: &Readout) -> BTreeMap<MessageId, Message> {
    messages(readout).into_iter().map(|message| (message.id, Message { seq: 0, ..message.clone() })).collect()
}

/// Reads the lines in parts that end behind these lines.
fn followed(text: &str, format: ImportFormat, ends: &[usize]) -> (Readout, Follower) {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut follower = Follower::new(format, Some("work")).unwrap();
    let mut all = Readout::default();
    let mut begin = 0;
    for end in ends.iter().copied().chain([lines.len()]) {
        let end = end.clamp(begin, lines.len());
        all.append(follower.read(lines[begin..end].concat().as_bytes(), now()).unwrap());
        begin = end;
    }
    (all, follower)
}

fn check(name: &str, format: ImportFormat, ends: &[usize]) {
    let text = sample(name);
    let whole = read(format, text.as_bytes());
    let (grown, _) = followed(&text, format, ends);
    // each is told once, and in an order in which it can be stored
    assert_eq!(messages(&grown).len(), said(&grown).len(), "{name} {ends:?}");
    assert_eq!(said(&grown), said(&whole), "{name} {ends:?}");
    assert_eq!((&grown.refused, grown.mended), (&whole.refused, whole.mended), "{name} {ends:?}");
    let last = |readout: &Readout| -> BTreeMap<_, _> {
        let one = |record: &Record| match record {
            Record::Conversation(it) => {
                Some((it.id, (it.head_message_id, it.message_count, it.updated_at, it.created_at)))
            }
            Record::Message(_) | Record::Memory(_) => None,
        };
        readout.records.iter().filter_map(one).collect()
    };
    assert_eq!(last(&grown), last(&whole), "{name} {ends:?}");
}

#[test]
fn a_session_that_is_read_line_by_line_is_the_same_session() {
    for (name, format) in GROWING {
        let n_lines = sample(name).lines().count();
        check(name, *format, &[]);
        check(name, *format, &(1..n_lines).collect::<Vec<_>>());
        check_promises(&followed(&sample(name), *format, &[n_lines / 2]).0.records.iter().fold(
            Readout::default(),
            |mut all, record| {
                // a conversation that is told again is no second one
                let is_known = matches!(record, Record::Conversation(one) if all.records.iter().any(
                    |other| matches!(other, Record::Conversation(other) if other.id == one.id)));
                if !is_known {
                    all.records.push(record.clone());
                }
                all
            },
        ));
    }
}

#[test]
fn a_better_title_that_comes_later_is_told() {
    let line = |text: &str| format!("{text}\n");
    let question =
        line(r#"{"type":"user","sessionId":"s","uuid":"a","message":{"content":"why is it slow?"}}"#);
    let title = line(r#"{"type":"ai-title","sessionId":"s","aiTitle":"The slow query"}"#);
    let mut follower = Follower::new(ImportFormat::ClaudeCode, None).unwrap();
    follower.read(question.as_bytes(), now()).unwrap();
    assert_eq!(follower.retitled(), []);
    follower.read(title.as_bytes(), now()).unwrap();
    let [retitled] = follower.retitled().try_into().unwrap();
    assert_eq!(
        (retitled.title.as_str(), retitled.former),
        ("The slow query", vec!["why is it slow?".to_owned()])
    );
}

#[test]
fn what_changes_elsewhere_is_not_followed() {
    assert!(Follower::new(ImportFormat::Gemini, None).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn so_it_is_wherever_it_is_cut(which in 0..GROWING.len(), mut ends in prop::collection::vec(0usize..14, 0..5)) {
        ends.sort_unstable();
        let (name, format) = GROWING[which];
        check(name, format, &ends);
    }
}
