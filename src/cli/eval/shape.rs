//! Recognises a benchmark file by its shape.

use std::path::Path;

use serde_json::{Value, json};

use super::dataset::Dataset;
use super::{beam, locomo, longmemeval, squad};
use crate::error::{Error, Kind, Result};

/// What is understood, for whoever brings something else.
const KNOWN: &str = "it reads LoCoMo ([{conversation, qa}]), SQuAD ({data: [{paragraphs}]}), LongMemEval \
                     ([{question, haystack_sessions}]) and BEAM ([{chat, probing_questions}], or a chat.json with its \
                     probing_questions beside it)";
/// Where BEAM keeps the questions about a `chat.json`, seen from its folder.
const QUESTIONS: &[&str] = &["probing_questions/probing_questions.json", "probing_questions.json"];

/// Reads the file, and for BEAM the questions beside it.
///
/// Errors: `Storage` where a file cannot be read, `Invalid` where it is no benchmark.
pub fn read_file(path: &Path) -> Result<Dataset> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|error| {
            Error::new(Kind::Storage, format!("read {}: {error}", path.display())).caused_by(error)
        })
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    // BEAM's chats are all named chat.json: 100K/1 tells them apart
    let names: Vec<_> = folder.iter().rev().take(2).map(|name| name.to_string_lossy()).collect();
    let name = names.into_iter().rev().collect::<Vec<_>>().join("/");
    let questions = || {
        let beside = QUESTIONS.iter().map(|place| folder.join(place)).find(|place| place.is_file());
        beside.map(|place| read(&place)).transpose()
    };
    recognise(&read(path)?, &name, questions).map_err(|error| error.while_doing(path.display()))
}

/// Reads a text of JSON, or of one JSON object a line. `questions` gives the text of the questions about the chat
/// `name`, which BEAM keeps apart.
fn recognise(text: &str, name: &str, questions: impl Fn() -> Result<Option<String>>) -> Result<Dataset> {
    let unknown = |found: String| Error::invalid(found).hint(KNOWN);
    let document = parse(text).map_err(|error| unknown(format!("no JSON: {error}")))?;
    let wrong = |error: serde_json::Error| unknown(format!("a part has another shape: {error}"));
    let entries = match document {
        Value::Object(mut document) if has(document.get("data"), "paragraphs") => {
            return squad::read(list(document.remove("data"))).map_err(wrong);
        }
        Value::Array(entries) => entries,
        document => vec![document],
    };
    let first = entries.first().cloned().unwrap_or_default();
    let has_all = |names: &[&str]| names.iter().all(|name| first.get(name).is_some());
    if has_all(&["conversation", "qa"]) {
        locomo::read(entries).map_err(wrong)
    } else if has_all(&["question", "haystack_sessions"]) {
        longmemeval::read(entries).map_err(wrong)
    } else if has_all(&["paragraphs"]) {
        squad::read(entries).map_err(wrong)
    } else if has_all(&["chat"]) {
        beam::read(entries).map_err(unknown)
    } else if is_chat(&first) {
        let questions = questions()?.ok_or_else(|| {
            Error::invalid("a BEAM chat without its questions")
                .hint("probing_questions.json belongs beside it, or into the folder probing_questions")
        })?;
        let row = json!({
            "conversation_id": name, "chat": entries, "probing_questions": questions,
        });
        beam::read(vec![row]).map_err(unknown)
    } else {
        Err(unknown("no benchmark that is known".into()))
    }
}

fn parse(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|error| {
        let lines: serde_json::Result<Vec<Value>> =
            text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect();
        lines.ok().filter(|lines| lines.len() > 1).map(Value::Array).ok_or(error)
    })
}

fn has(entries: Option<&Value>, name: &str) -> bool {
    entries.and_then(|entries| entries.get(0)).is_some_and(|first| first.get(name).is_some())
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(entries)) => entries,
        _ => vec![],
    }
}

/// A batch, or plans of batches.
fn is_chat(first: &Value) -> bool {
    first.get("turns").is_some()
        || first.as_object().is_some_and(|plans| plans.values().any(|plan| has(Some(plan), "turns")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::eval::dataset::Format;

    const BATCHES: &str = r#"[{"turns": [[{"role": "user", "id": 0, "content": "hi"}]]}]"#;
    const QUESTIONS: &str = r#"{"event_ordering": [{"question": "What?", "source_chat_ids": [0]}]}"#;

    fn check(text: &str, expected: Format) {
        let set = recognise(text, "1", || Ok(Some(QUESTIONS.into()))).unwrap();
        assert_eq!((set.format, set.questions.len(), set.n_messages()), (expected, 1, 1), "{text}");
    }

    #[test]
    fn files_are_known_by_their_shape() {
        let locomo = r#"{"conversation": {"session_1": [{"speaker": "A", "dia_id": "D1:1", "text": "x"}]},
                         "qa": [{"question": "q", "evidence": ["D1:1"], "category": 4}]}"#;
        check(locomo, Format::Locomo);
        check(&format!("[{locomo}]"), Format::Locomo);
        check(
            r#"{"version": "1", "data": [{"paragraphs": [{"context": "x", "qas": [{"question": "q"}]}]}]}"#,
            Format::Squad,
        );
        let lines = concat!(
            r#"{"question_id": "1", "question": "q", "haystack_sessions": [[{"role": "user", "content": "x", "has_answer": true}]]}"#,
            "\n\n",
            r#"{"question_id": "2", "question": "q", "haystack_sessions": []}"#,
            "\n"
        );
        check(lines, Format::LongMemEval);
        check(BATCHES, Format::Beam);
        check(&format!(r#"[{{"plan-1": {BATCHES}}}]"#), Format::Beam);
        check(&format!(r#"[{{"chat": {BATCHES}, "probing_questions": {QUESTIONS}}}]"#), Format::Beam);
    }

    #[test]
    fn what_is_no_benchmark_is_refused_with_what_is() {
        for text in
            ["", "[]", "{}", "[1]", "{\"data\": []}", "not json", "[{\"conversation\": 1, \"qa\": []}]"]
        {
            let error = recognise(text, "1", || Ok(None)).unwrap_err();
            assert_eq!(error.hint_text(), Some(KNOWN), "{text}");
        }
        let alone = recognise(BATCHES, "1", || Ok(None)).unwrap_err();
        assert!(alone.hint_text().unwrap().contains("beside"), "{alone}");
    }

    #[test]
    fn questions_are_found_beside_a_chat() {
        let folder = tempfile::tempdir().unwrap();
        let chat = folder.path().join("chat.json");
        std::fs::write(&chat, BATCHES).unwrap();
        let error = read_file(&chat).unwrap_err().to_string();
        assert!(error.contains("chat.json"), "{error}");
        std::fs::create_dir(folder.path().join("probing_questions")).unwrap();
        std::fs::write(folder.path().join("probing_questions/probing_questions.json"), QUESTIONS).unwrap();
        let set = read_file(&chat).unwrap();
        let project = set.conversations[0].project.clone().unwrap();
        assert!(folder.path().ends_with(&project) && project.contains('/'), "{project}");
    }
}
