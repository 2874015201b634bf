//! LoCoMo's shape: `[{sample_id, conversation: {session_1_date_time, session_1: [turn…], …}, qa: […]}]`.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::dataset::{Conversation, Dataset, Format, Message, Question};
use super::dates::Calendar;
use crate::model::Role;

#[derive(Deserialize)]
struct Sample {
    #[serde(default)]
    sample_id: Option<String>,
    conversation: Map<String, Value>,
    qa: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    question: String,
    #[serde(default)]
    evidence: Vec<String>,
    #[serde(default)]
    category: Option<u32>,
}

#[derive(Deserialize)]
struct Turn {
    speaker: String,
    dia_id: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    blip_caption: Option<String>,
}

/// Reads samples; a sample is a project, each of its sessions a conversation.
pub fn read(samples: Vec<Value>) -> Result<Dataset, serde_json::Error> {
    let mut set = Dataset::new(Format::Locomo);
    let mut n_sessions = 0;
    for (number, sample) in samples.into_iter().enumerate() {
        let Sample { sample_id, conversation, qa } = serde_json::from_value(sample)?;
        let project = sample_id.unwrap_or_else(|| format!("sample-{}", number + 1));
        let mut units = HashMap::new();
        let mut calendar = Calendar::default();
        for (session, turns) in sessions(&conversation) {
            let turns: Vec<Turn> = serde_json::from_value(turns.clone())?;
            let date = conversation.get(&format!("session_{session}_date_time")).and_then(Value::as_str);
            let begins = calendar.next(date);
            let mut messages = vec![];
            for turn in turns {
                let Some(content) = content(&turn) else { continue };
                let unit = set.unit(n_sessions);
                units.extend(places(&turn.dia_id).into_iter().map(|place| (place, unit)));
                messages.push(Message {
                    unit,
                    // both are people
                    role: Role::User,
                    author: Some(turn.speaker),
                    content,
                    created_at: begins.plus_millis(messages.len() as i64 * 1000),
                });
            }
            set.conversations.push(Conversation {
                key: format!("{project}/{session}"),
                project: Some(project.clone()),
                title: Some(format!("Session {session}")),
                messages,
            });
            n_sessions += 1;
        }
        for asked in qa {
            let evidence = asked.evidence.iter().flat_map(|text| places(text));
            let evidence = evidence.filter_map(|place| units.get(&place).copied()).collect();
            set.ask(Question {
                text: asked.question,
                category: category(asked.category),
                counted: asked.category != Some(5),
                project: Some(project.clone()),
                evidence,
            });
        }
    }
    Ok(set)
}

/// The sessions that have turns, in their order.
fn sessions(conversation: &Map<String, Value>) -> Vec<(u32, &Value)> {
    let number = |key: &str| key.strip_prefix("session_")?.parse::<u32>().ok();
    let mut sessions: Vec<_> =
        conversation.iter().filter_map(|(key, turns)| Some((number(key)?, turns))).collect();
    sessions.retain(|(_, turns)| turns.is_array());
    sessions.sort_by_key(|(number, _)| *number);
    sessions
}

/// The text and what the picture shows, which some questions are about; nothing where both are empty.
fn content(turn: &Turn) -> Option<String> {
    let caption = turn.blip_caption.as_deref().map(str::trim).filter(|caption| !caption.is_empty());
    let parts = [
        Some(turn.text.trim().to_owned()).filter(|text| !text.is_empty()),
        caption.map(|caption| format!("[shares an image: {caption}]")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The turns that an evidence string names. Real ones are dirty: "D8:6; D9:17", "D:11:26", "D30:05".
fn places(text: &str) -> Vec<(u32, u32)> {
    let text = text.replace("D:", "D");
    let mut places = vec![];
    for part in text.split('D').skip(1) {
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        let Some((session, turn)) = part.split_once(':') else { continue };
        if let (Ok(session), Ok(turn)) = (session.parse(), digits(turn).parse()) {
            places.push((session, turn));
        }
    }
    places
}

fn category(number: Option<u32>) -> String {
    match number {
        Some(1) => "1 multi-hop".into(),
        Some(2) => "2 temporal".into(),
        Some(3) => "3 open-domain".into(),
        Some(4) => "4 single-hop".into(),
        Some(5) => "5 adversarial".into(),
        Some(other) => other.to_string(),
        None => "questions".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_read_however_it_is_written() {
        for (text, expected) in [
            ("D1:3", vec![(1, 3)]),
            ("D8:6; D9:17", vec![(8, 6), (9, 17)]),
            ("D:11:26", vec![(11, 26)]),
            ("D30:05", vec![(30, 5)]),
            ("D1:18 D4:2,D5:1", vec![(1, 18), (4, 2), (5, 1)]),
            ("D", vec![]),
            ("", vec![]),
            ("D99999999999:1", vec![]),
        ] {
            assert_eq!(places(text), expected, "{text}");
        }
    }

    #[test]
    fn a_chat_becomes_sessions_and_questions() {
        let sample = serde_json::json!({
            "sample_id": "conv-1",
            "conversation": {
                "speaker_a": "Ana", "speaker_b": "Bo",
                "session_2_date_time": "9:00 am on 2 June, 2023",
                "session_2": [{"speaker": "Bo", "dia_id": "D2:1", "text": "", "blip_caption": "a red kite"}],
                "session_1_date_time": "1:56 pm on 8 May, 2023",
                "session_1": [
                    {"speaker": "Ana", "dia_id": "D1:1", "text": "Hi Bo!"},
                    {"speaker": "Bo", "dia_id": "D1:02", "text": "Look", "blip_caption": "a dog", "query": "dog"},
                    {"speaker": "Ana", "dia_id": "D1:3", "text": " "},
                ],
                "session_10_date_time": "1:00 pm on 1 July, 2023",
            },
            "qa": [
                {"question": "What did Bo show?", "answer": 1, "evidence": ["D1:2; D2:1", "D7:7"], "category": 1},
                {"question": "Who?", "evidence": ["D1:1"], "category": 5, "adversarial_answer": "x"},
                {"question": "Nothing?", "evidence": ["D"], "category": 3},
            ],
        });
        let set = read(vec![sample]).unwrap();
        let told: Vec<String> = set
            .conversations
            .iter()
            .flat_map(|it| it.messages.iter().map(|m| (it.title.clone().unwrap_or_default(), m)))
            .map(|(title, m)| {
                format!("{title}|{}|{}|{}", m.created_at, m.author.as_deref().unwrap_or(""), m.content)
            })
            .collect();
        assert_eq!(
            told,
            [
                "Session 1|2023-05-08T13:56:00.000Z|Ana|Hi Bo!",
                "Session 1|2023-05-08T13:56:01.000Z|Bo|Look [shares an image: a dog]",
                "Session 2|2023-06-02T09:00:00.000Z|Bo|[shares an image: a red kite]",
            ]
        );
        assert_eq!(set.session_of, [0, 0, 1]);
        let asked: Vec<_> =
            set.questions.iter().map(|q| (q.category.as_str(), q.counted, q.evidence.as_slice())).collect();
        assert_eq!(asked, [("1 multi-hop", true, &[1, 2][..]), ("5 adversarial", false, &[0][..])]);
        assert_eq!(set.n_without_evidence, 1);
    }
}
