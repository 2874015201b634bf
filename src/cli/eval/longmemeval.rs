//! LongMemEval's shape: `[{question_id, question_type, question, haystack_sessions: [[{role, content, has_answer}]], …}]`.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::dataset::{Conversation, Dataset, Format, Message, Question};
use super::dates::Calendar;
use crate::model::Role;

#[derive(Deserialize)]
struct Instance {
    question_id: String,
    #[serde(default)]
    question_type: Option<String>,
    question: String,
    #[serde(default)]
    haystack_session_ids: Vec<String>,
    #[serde(default)]
    haystack_dates: Vec<String>,
    haystack_sessions: Vec<Vec<Turn>>,
}

#[derive(Deserialize)]
struct Turn {
    role: String,
    content: String,
    #[serde(default)]
    has_answer: bool,
}

/// Reads instances; each question's history is a project. Sessions come again in other histories: their turns are
/// copies of the same units, so that in one store any copy is right.
pub fn read(instances: Vec<Value>) -> Result<Dataset, serde_json::Error> {
    let mut set = Dataset::new(Format::LongMemEval);
    let mut sessions: HashMap<String, usize> = HashMap::new();
    let mut units: HashMap<(usize, usize), usize> = HashMap::new();
    for instance in instances {
        let instance: Instance = serde_json::from_value(instance)?;
        let project = instance.question_id;
        let mut calendar = Calendar::default();
        let mut evidence = vec![];
        for (number, turns) in instance.haystack_sessions.into_iter().enumerate() {
            let id = instance.haystack_session_ids.get(number).cloned();
            let id = id.unwrap_or_else(|| format!("{project}/{number}"));
            let n_sessions = sessions.len();
            let session = *sessions.entry(id).or_insert(n_sessions);
            let begins = calendar.next(instance.haystack_dates.get(number).map(String::as_str));
            let mut messages = vec![];
            for (place, turn) in turns.into_iter().enumerate() {
                if turn.content.trim().is_empty() {
                    continue;
                }
                let unit = *units.entry((session, place)).or_insert_with(|| set.unit(session));
                if turn.has_answer {
                    evidence.push(unit);
                }
                messages.push(Message {
                    unit,
                    role: role(&turn.role),
                    author: None,
                    content: turn.content,
                    created_at: begins.plus_millis(place as i64 * 1000),
                });
            }
            set.conversations.push(Conversation {
                key: format!("{project}/{number}"),
                project: Some(project.clone()),
                title: Some(format!("Session {}", number + 1)),
                messages,
            });
        }
        let abstention = project.ends_with("_abs");
        let category = match abstention {
            true => "abstention".into(),
            false => instance.question_type.unwrap_or_else(|| "questions".into()),
        };
        set.ask(Question {
            text: instance.question,
            category,
            counted: !abstention,
            project: Some(project),
            evidence,
        });
    }
    Ok(set)
}

/// The role of that name; what nobody knows is a note.
pub fn role(name: &str) -> Role {
    name.parse().unwrap_or(Role::Note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_becomes_a_project_and_sessions_that_come_again_are_the_same() {
        let instance = |id: &str, sessions: &[&str], answer: &str| {
            let turns = |session: &&str| {
                serde_json::json!([
                    {"role": "user", "content": format!("about {session}"), "has_answer": *session == answer},
                    {"role": "assistant", "content": ""},
                    {"role": "assistant", "content": "I see"},
                ])
            };
            serde_json::json!({
                "question_id": id, "question_type": "multi-session", "question": "What?", "answer": "x",
                "question_date": "2023/05/30 (Tue) 23:40", "answer_session_ids": [answer],
                "haystack_session_ids": sessions, "haystack_dates": ["2023/05/20 (Sat) 02:21"],
                "haystack_sessions": sessions.iter().map(turns).collect::<Vec<_>>(),
            })
        };
        let set = read(vec![
            instance("q1", &["a", "b"], "b"),
            instance("q2", &["b", "c"], "b"),
            instance("q3_abs", &["c"], "c"),
            instance("q4", &["c"], "none"),
        ])
        .unwrap();
        let stored: Vec<_> = set.conversations.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(stored, ["q1/0", "q1/1", "q2/0", "q2/1", "q3_abs/0", "q4/0"]);
        // two turns a session: the empty one is left out, the others keep their place
        let units =
            |place: usize| set.conversations[place].messages.iter().map(|m| m.unit).collect::<Vec<_>>();
        assert_eq!(
            (units(0), units(1), units(2), units(3)),
            (vec![0, 1], vec![2, 3], vec![2, 3], vec![4, 5])
        );
        assert_eq!(set.session_of, [0, 0, 1, 1, 2, 2]);
        let times: Vec<_> =
            set.conversations[..2].iter().map(|it| it.messages[1].created_at.to_string()).collect();
        assert_eq!(times, ["2023-05-20T02:21:02.000Z", "2023-05-21T02:21:02.000Z"]);
        let asked: Vec<_> =
            set.questions.iter().map(|q| (q.category.as_str(), q.counted, q.evidence[0])).collect();
        assert_eq!(asked, [("multi-session", true, 2), ("multi-session", true, 2), ("abstention", false, 4)]);
        assert_eq!(set.n_without_evidence, 1);
    }
}
