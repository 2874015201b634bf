//! SQuAD's shape (1.1, 2.0, FaQuAD): `{data: [{title, paragraphs: [{context, qas: [{question, …}]}]}]}`.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::dataset::{Conversation, Dataset, Format, Message, Question};
use super::dates::Calendar;
use crate::model::Role;

#[derive(Deserialize)]
struct Article {
    #[serde(default)]
    title: Option<String>,
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    #[serde(default)]
    qas: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    question: String,
    #[serde(default)]
    is_impossible: bool,
}

/// Reads articles; a paragraph is the one message of its conversation, and answers the questions about it.
pub fn read(articles: Vec<Value>) -> Result<Dataset, serde_json::Error> {
    let mut set = Dataset::new(Format::Squad);
    // a text that comes twice is stored once, or neither would be the right one
    let mut units: HashMap<String, usize> = HashMap::new();
    let begins = Calendar::default().next(None);
    for article in articles {
        let Article { title, paragraphs } = serde_json::from_value(article)?;
        let title = title.map(|title| title.replace('_', " ")).filter(|title| !title.trim().is_empty());
        for Paragraph { context, qas } in paragraphs {
            if context.trim().is_empty() {
                set.n_without_evidence += qas.len();
                continue;
            }
            let unit = match units.get(&context) {
                Some(unit) => *unit,
                None => {
                    let unit = set.unit(set.conversations.len());
                    units.insert(context.clone(), unit);
                    set.conversations.push(Conversation {
                        key: unit.to_string(),
                        project: None,
                        title: title.clone(),
                        messages: vec![Message {
                            unit,
                            role: Role::User,
                            author: None,
                            content: context,
                            created_at: begins.plus_millis(unit as i64 * 1000),
                        }],
                    });
                    unit
                }
            };
            for asked in qas {
                set.ask(Question {
                    text: asked.question,
                    category: if asked.is_impossible { "unanswerable" } else { "answerable" }.into(),
                    counted: !asked.is_impossible,
                    project: None,
                    evidence: vec![unit],
                });
            }
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_answers_its_questions() {
        let article = serde_json::json!({"title": "Rio_de_Janeiro", "paragraphs": [
            {"context": "O Rio fica no Brasil.", "qas": [
                {"id": "1", "question": "Onde fica o Rio?", "answers": [{"text": "no Brasil", "answer_start": 12}]},
                {"id": "2", "question": "Quem fica?", "answers": [], "is_impossible": true}]},
            {"context": "Outro.", "qas": []},
            {"context": "O Rio fica no Brasil.", "qas": [{"id": "3", "question": "O que fica no Brasil?"}]},
            {"context": " ", "qas": [{"id": "4", "question": "Nada?"}]},
        ]});
        let set = read(vec![article]).unwrap();
        let stored: Vec<_> = set
            .conversations
            .iter()
            .map(|it| (it.title.as_deref(), it.messages[0].content.as_str()))
            .collect();
        assert_eq!(
            stored,
            [(Some("Rio de Janeiro"), "O Rio fica no Brasil."), (Some("Rio de Janeiro"), "Outro.")]
        );
        let asked: Vec<_> = set.questions.iter().map(|q| (q.counted, q.evidence[0])).collect();
        assert_eq!(asked, [(true, 0), (false, 0), (true, 0)]);
        assert_eq!(set.n_without_evidence, 1);
        assert!(!set.has_sessions());
    }
}
