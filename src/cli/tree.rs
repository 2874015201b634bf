//! How the messages of all branches of a conversation hang together, said where it does not go without saying.

use std::collections::{HashMap, HashSet};

use super::text::{self, Words};
use crate::model::{Message, MessageId};

/// What is said about each message, in their order: what it answers where that is not the one before it, and that it is
/// not on the branch that ends in `head`.
pub fn notes(messages: &[Message], head: Option<MessageId>, words: &Words) -> Vec<Vec<String>> {
    let places: HashMap<MessageId, usize> =
        messages.iter().enumerate().map(|(place, message)| (message.id, place)).collect();
    let mut shown = HashSet::new();
    let mut next = head.and_then(|head| places.get(&head));
    while let Some(place) = next {
        // a circle cannot be stored; if one came nevertheless, it ends here
        next = match shown.insert(*place) {
            true => messages[*place].parent_id.and_then(|parent| places.get(&parent)),
            false => None,
        };
    }
    let note = |(place, message): (usize, &Message)| {
        let before = place.checked_sub(1);
        let parent = message.parent_id.and_then(|parent| places.get(&parent)).copied();
        let answers = (parent != before).then(|| match parent {
            Some(parent) => text::fill(words.answers_message, &[&(parent + 1)]),
            None => words.begins_branch.to_owned(),
        });
        let is_elsewhere = !shown.is_empty() && !shown.contains(&place);
        answers.into_iter().chain(is_elsewhere.then(|| words.on_other_branch.to_owned())).collect()
    };
    messages.iter().enumerate().map(note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::text::ENGLISH;

    fn check(parents: &[Option<u128>], head: Option<u128>, expected: &[&str]) {
        let id = |n: u128| MessageId::from_bytes(n.to_be_bytes());
        let message = |(place, parent): (usize, &Option<u128>)| {
            serde_json::from_value(serde_json::json!({
                "id": id(place as u128 + 1), "conversationId": id(99), "parentId": parent.map(id),
                "seq": place as u64 + 1, "role": "user", "content": "x", "createdAt": "2024-03-14T00:00:00Z",
            }))
            .unwrap()
        };
        let messages: Vec<Message> = parents.iter().enumerate().map(message).collect();
        let found: Vec<String> =
            notes(&messages, head.map(id), &ENGLISH).iter().map(|notes| notes.join(", ")).collect();
        assert_eq!(found, expected, "{parents:?}");
    }

    #[test]
    fn only_what_does_not_follow_is_said() {
        check(&[None, Some(1), Some(2)], Some(3), &["", "", ""]);
        check(
            &[None, Some(1), Some(1), None],
            Some(3),
            &["", "on another branch", "answers 1", "begins anew, on another branch"],
        );
        check(&[None, Some(1)], None, &["", ""]);
        check(&[Some(2), Some(1)], Some(1), &["answers 2", ""]);
        check(&[None, Some(77)], Some(2), &["on another branch", "begins anew"]);
    }
}
