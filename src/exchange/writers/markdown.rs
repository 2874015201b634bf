//! Conversations and memories as Markdown, for people and for programs that read notes.

use std::collections::HashMap;

use crate::model::{Conversation, Memory, Message, MessageId};
use crate::text::collapse_whitespace;

/// A conversation as one readable document: a head with what is known about it, the branch that is shown, and the
/// other branches behind it. Texts stand as they are, so their own Markdown holds.
pub fn conversation(conversation: &Conversation, messages: &[Message]) -> String {
    let title = conversation.title.as_deref().unwrap_or("Untitled");
    let mut text = front_matter(&[
        ("title", Some(title.to_owned())),
        ("id", Some(conversation.id.to_string())),
        ("project", conversation.project.clone()),
        ("client", conversation.client.as_ref().map(|client| client.name.clone())),
        ("model", conversation.model.clone()),
        ("created", Some(conversation.created_at.to_string())),
        ("updated", Some(conversation.updated_at.to_string())),
    ]);
    text.push_str(&format!("\n# {}\n", collapse_whitespace(title)));
    let (shown, others): (Vec<&Message>, Vec<&Message>) = parted(conversation, messages);
    for message in shown {
        text.push_str(&section(message, "##"));
    }
    if !others.is_empty() {
        text.push_str("\n---\n\n## Other branches\n");
        for message in others {
            text.push_str(&section(message, "###"));
        }
    }
    text
}

/// Memories as one document, an entry each.
pub fn memories(memories: &[Memory]) -> String {
    let mut text = String::from("# Memories\n\n");
    for memory in memories {
        let mut about = vec![memory.kind.clone(), memory.updated_at.day()];
        about.extend(memory.project.clone());
        if memory.superseded_by.is_some() {
            about.push("superseded".into());
        }
        let content = memory.content.trim().replace('\n', "\n  ");
        text.push_str(&format!("- {content}  \n  *{}*\n", collapse_whitespace(&about.join(" · "))));
    }
    text
}

/// A name for the file of a conversation: the day, the title, and so much of the id that no two are the same.
pub fn file_name(conversation: &Conversation) -> String {
    let title = conversation.title.as_deref().unwrap_or("untitled");
    let mut words = String::new();
    for c in title.chars() {
        match c {
            c if c.is_alphanumeric() => words.extend(c.to_lowercase()),
            _ if words.is_empty() || words.ends_with('-') => {}
            _ => words.push('-'),
        }
    }
    let words = &words[..words.floor_char_boundary(60)];
    let id = conversation.id.to_string();
    // the end of an id is random, its beginning is the time
    let id = id.get(24..).unwrap_or(&id);
    format!("{}-{}-{id}.md", conversation.created_at.day(), words.trim_matches('-'))
}

fn front_matter(members: &[(&str, Option<String>)]) -> String {
    let mut text = String::from("---\n");
    for (name, value) in members {
        if let Some(value) = value {
            // a JSON string is a YAML string too
            let value = serde_json::Value::from(value.as_str());
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    text + "---\n"
}

/// The branch that ends in the head, and everything else in the order of arrival. Without a head all is shown.
fn parted<'a>(conversation: &Conversation, messages: &'a [Message]) -> (Vec<&'a Message>, Vec<&'a Message>) {
    let by_id: HashMap<MessageId, &Message> = messages.iter().map(|message| (message.id, message)).collect();
    let mut on_the_way = std::collections::HashSet::new();
    let mut next = conversation.head_message_id.filter(|head| by_id.contains_key(head));
    if next.is_none() {
        return (messages.iter().collect(), Vec::new());
    }
    while let Some(id) = next.filter(|id| on_the_way.insert(*id)) {
        next = by_id.get(&id).and_then(|message| message.parent_id);
    }
    messages.iter().partition(|message| on_the_way.contains(&message.id))
}

fn section(message: &Message, level: &str) -> String {
    let speaker = message.author.as_deref().unwrap_or(message.role.name());
    let time = message.created_at.to_string();
    let time = time.get(..16).unwrap_or(&time).replace('T', " ");
    let model = message
        .model
        .as_deref()
        .map(|model| format!(" · {}", collapse_whitespace(model)))
        .unwrap_or_default();
    format!("\n{level} {} · {time}{model}\n\n{}\n", collapse_whitespace(speaker), message.content.trim_end())
}

#[cfg(test)]
mod tests {
    use super::super::sample::{conversation as sample, message};
    use super::*;
    use crate::model::Role;

    #[test]
    fn a_conversation_reads_as_it_was_held() {
        let messages = [
            message(1, None, Role::User, "What is\n\n```sh\nls\n```\n"),
            message(2, Some(1), Role::Assistant, "A list"),
            message(3, Some(1), Role::Assistant, "Files"),
        ];
        let held = Conversation { head_message_id: Some(messages[2].id), ..sample(Some("On \"ls\""), 3) };
        let text = conversation(&held, &messages);
        let expected = "---\ntitle: \"On \\\"ls\\\"\"\nid: \"018bcfe5-6800-7000-8000-000000000000\"\nproject: \"/p\"\ncreated: \"2023-11-14T22:13:20.000Z\"\nupdated: \"2023-11-14T22:15:00.000Z\"\n---\n\n# On \"ls\"\n\n## user · 2023-11-14 22:13\n\nWhat is\n\n```sh\nls\n```\n\n## assistant · 2023-11-14 22:13 · m\n\nFiles\n\n---\n\n## Other branches\n\n### assistant · 2023-11-14 22:13 · m\n\nA list\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn names_of_files_are_safe_and_differ() {
        let name = |title: Option<&str>| file_name(&sample(title, 0));
        assert_eq!(name(Some("Plano: Ação / 2!")), "2023-11-14-plano-ação-2-000000000000.md");
        assert_eq!(name(Some("../../etc")), "2023-11-14-etc-000000000000.md");
        assert_eq!(name(None), "2023-11-14-untitled-000000000000.md");
        assert!(name(Some(&"ç".repeat(500))).len() < 100);
    }
}
