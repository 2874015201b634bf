//! BEAM's shape: chats as `[{batch_number, turns: [[{role, id, content, time_anchor}]]}]`, questions by ability with
//! `source_chat_ids`.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::dataset::{Conversation, Dataset, Format, Message, Question};
use super::dates::Calendar;
use super::longmemeval::role;
use super::python;

/// Abilities whose evidence answers the question. The others ask for style, for all of a chat or for what is not
/// there; they are told separately.
const FACTUAL: &[&str] = &[
    "contradiction_resolution",
    "event_ordering",
    "information_extraction",
    "knowledge_update",
    "multi_session_reasoning",
    "temporal_reasoning",
];

/// A message of a chat, as far as it is of use.
struct Said<'a> {
    id: Option<i64>,
    role: &'a str,
    content: &'a str,
    time_anchor: Option<&'a str>,
}

/// Reads rows of `{conversation_id, chat, probing_questions}`; a chat is a project, each of its batches a
/// conversation. Errors: what was found in place of questions.
pub fn read(rows: Vec<Value>) -> Result<Dataset, String> {
    let mut set = Dataset::new(Format::Beam);
    let mut n_sessions = 0;
    for (number, row) in rows.iter().enumerate() {
        let project = match row.get("conversation_id") {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => (number + 1).to_string(),
        };
        // none: several messages have that id, so that nobody knows which is meant
        let mut units: HashMap<i64, Option<usize>> = HashMap::new();
        let mut calendar = Calendar::default();
        let mut sessions = vec![];
        collect_sessions(row.get("chat").unwrap_or(&Value::Null), &mut sessions);
        for (session, said) in sessions.into_iter().enumerate() {
            let begins = calendar.next(said.iter().find_map(|said| said.time_anchor));
            let mut messages = vec![];
            for (place, said) in said.into_iter().enumerate() {
                let content = without_marker(said.content);
                if content.is_empty() {
                    continue;
                }
                let unit = set.unit(n_sessions);
                if let Some(id) = said.id {
                    units.entry(id).and_modify(|unit| *unit = None).or_insert(Some(unit));
                }
                messages.push(Message {
                    unit,
                    role: role(said.role),
                    author: None,
                    content: content.to_owned(),
                    created_at: begins.plus_millis(place as i64 * 1000),
                });
            }
            set.conversations.push(Conversation {
                key: format!("{project}/{session}"),
                project: Some(project.clone()),
                title: Some(format!("Session {}", session + 1)),
                messages,
            });
            n_sessions += 1;
        }
        for (ability, asked) in questions(row.get("probing_questions"))? {
            for asked in asked.as_array().into_iter().flatten() {
                let mut ids = vec![];
                collect_ids(asked.get("source_chat_ids").unwrap_or(&Value::Null), &mut ids);
                set.ask(Question {
                    text: asked.get("question").and_then(Value::as_str).unwrap_or_default().to_owned(),
                    counted: FACTUAL.contains(&ability.as_str()),
                    category: ability.clone(),
                    project: Some(project.clone()),
                    evidence: ids.iter().filter_map(|id| units.get(id).copied().flatten()).collect(),
                });
            }
        }
    }
    Ok(set)
}

/// The questions by ability: as they are, or as a text of JSON or of Python.
fn questions(value: Option<&Value>) -> Result<Map<String, Value>, String> {
    match value {
        Some(Value::Object(questions)) => Ok(questions.clone()),
        Some(Value::String(text)) => serde_json::from_str(text)
            .ok()
            .or_else(|| serde_json::from_str(&python::to_json(text)?).ok())
            .ok_or_else(|| "`probing_questions` is a text that is neither JSON nor a Python literal".into()),
        Some(_) => Err("`probing_questions` is neither an object nor a text".into()),
        None => Err("`probing_questions` is missing".into()),
    }
}

/// A batch is a session, and so is a plain list of messages; plans and lists of batches hold more of them.
fn collect_sessions<'a>(value: &'a Value, sessions: &mut Vec<Vec<Said<'a>>>) {
    let is_message = |value: &Value| value.get("role").is_some() && value.get("content").is_some();
    match value {
        Value::Object(batch) if batch.contains_key("turns") => {
            let mut said = vec![];
            collect_messages(&batch["turns"], &mut said);
            sessions.push(said);
        }
        Value::Object(plans) => plans.values().for_each(|plan| collect_sessions(plan, sessions)),
        Value::Array(entries) if entries.first().is_some_and(is_message) => {
            let mut said = vec![];
            collect_messages(value, &mut said);
            sessions.push(said);
        }
        Value::Array(entries) => entries.iter().for_each(|entry| collect_sessions(entry, sessions)),
        _ => (),
    }
}

fn collect_messages<'a>(value: &'a Value, said: &mut Vec<Said<'a>>) {
    match value {
        Value::Array(entries) => entries.iter().for_each(|entry| collect_messages(entry, said)),
        Value::Object(message) => {
            let text = |name: &str| message.get(name).and_then(Value::as_str);
            if let (Some(role), Some(content)) = (text("role"), text("content")) {
                let id = message.get("id").and_then(Value::as_i64);
                said.push(Said { id, role, content, time_anchor: text("time_anchor") });
            }
        }
        _ => (),
    }
}

/// A list, or an object of lists, of whatever depth.
fn collect_ids(value: &Value, ids: &mut Vec<i64>) {
    match value {
        Value::Array(entries) => entries.iter().for_each(|entry| collect_ids(entry, ids)),
        Value::Object(entries) => entries.values().for_each(|entry| collect_ids(entry, ids)),
        Value::Number(id) => ids.extend(id.as_i64()),
        _ => (),
    }
}

/// The text without the mark " ->-> 1,2" that the generator of the chats left at the end of questions.
fn without_marker(content: &str) -> &str {
    let is_marker = |mark: &str| mark.chars().all(|c| c.is_ascii_digit() || c == ',' || c.is_whitespace());
    match content.rsplit_once("->->") {
        Some((text, mark)) if is_marker(mark) => text.trim(),
        _ => content.trim(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(id: i64, content: &str) -> Value {
        json!({"role": if id % 2 == 0 { "user" } else { "assistant" }, "id": id, "content": content})
    }

    fn questions() -> Value {
        json!({
            "abstention": [{"question": "Nothing?", "rubric": []}],
            "knowledge_update": [{"question": "How many?", "source_chat_ids": {"original_info": [0], "updated_info": [[2]]}}],
            "summarization": [{"question": "All?", "source_chat_ids": [1, 1, 99]}],
        })
    }

    fn check(chat: Value, questions: Value, n_sessions: usize) {
        let set =
            read(vec![json!({"conversation_id": 7, "chat": chat, "probing_questions": questions})]).unwrap();
        let texts: Vec<_> =
            set.conversations.iter().flat_map(|it| &it.messages).map(|it| it.content.as_str()).collect();
        assert_eq!(texts, ["a plan", "fine", "more", "ok"]);
        assert_eq!(set.conversations.len(), n_sessions);
        assert_eq!(set.conversations[0].project.as_deref(), Some("7"));
        let asked: Vec<_> =
            set.questions.iter().map(|q| (q.category.as_str(), q.counted, q.evidence.as_slice())).collect();
        assert_eq!(asked, [("knowledge_update", true, &[0, 2][..]), ("summarization", false, &[1][..])]);
        assert_eq!(set.n_without_evidence, 1);
    }

    #[test]
    fn chats_are_read_as_files_and_as_rows() {
        let first = json!([said(0, "a plan ->-> 1,1"), said(1, "fine")]);
        let second = json!([said(2, "more ->-> 2,1"), said(3, "ok")]);
        let batches = json!([{"batch_number": 1, "turns": [first]}, {"batch_number": 2, "turns": [second]}]);
        check(batches.clone(), questions(), 2);
        check(json!([first, second]), questions(), 2);
        check(json!([{"plan-1": batches}]), questions(), 2);
        check(batches.clone(), questions().to_string().into(), 2);
        let python = "{'abstention': [{'question': 'Nothing?'}], 'knowledge_update': [{'question': 'How many?', \
                      'source_chat_ids': {'a': [0], 'b': [2]}}], 'summarization': [{'question': 'All?', \
                      'source_chat_ids': [1]}]}";
        check(batches, python.into(), 2);
    }

    #[test]
    fn dates_come_from_the_first_anchor_of_a_batch() {
        let mut dated = said(0, "now");
        dated["time_anchor"] = "March-15-2024".into();
        let chat = json!([[dated, said(1, "later")], [said(2, "next")]]);
        let set = read(vec![json!({"chat": chat, "probing_questions": {}})]).unwrap();
        let times: Vec<_> = set
            .conversations
            .iter()
            .flat_map(|it| &it.messages)
            .map(|it| it.created_at.to_string())
            .collect();
        assert_eq!(
            times,
            ["2024-03-15T00:00:00.000Z", "2024-03-15T00:00:01.000Z", "2024-03-16T00:00:00.000Z"]
        );
    }

    #[test]
    fn an_id_that_two_messages_have_is_no_evidence() {
        let chat = json!([[said(0, "one"), said(0, "two")]]);
        let questions = json!({"temporal_reasoning": [{"question": "When?", "source_chat_ids": [0]}]});
        let set = read(vec![json!({"chat": chat, "probing_questions": questions})]).unwrap();
        assert_eq!((set.questions.len(), set.n_without_evidence), (0, 1));
    }

    #[test]
    fn only_the_mark_is_cut_off() {
        for (content, expected) in [
            ("x ->-> 1,2", "x"),
            ("a ->-> b", "a ->-> b"),
            ("p->->q ->-> 3 , 4 ", "p->->q"),
            (" plain ", "plain"),
        ] {
            assert_eq!(without_marker(content), expected);
        }
    }

    #[test]
    fn what_is_no_questions_is_told() {
        for wrong in [json!("{'open"), json!(3), Value::Null] {
            assert!(read(vec![json!({"chat": [], "probing_questions": wrong})]).is_err());
        }
        assert!(read(vec![json!({"chat": []})]).is_err());
    }
}
