//! A benchmark as data: conversations to store, and questions with the messages that answer them.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::random::Random;
use crate::model::{Role, Timestamp};

/// A file's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Long chats of two people, evidence by turn.
    Locomo,
    /// Paragraphs and questions about each.
    Squad,
    /// A history of user-assistant sessions for every question.
    LongMemEval,
    /// Very long user-assistant chats, evidence by message id.
    Beam,
}

/// What a file, or several of one name, hold. A unit is a message as the evidence names it, a session a conversation;
/// both are numbered from 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The shape it was read from.
    pub format: Format,
    /// What is stored.
    pub conversations: Vec<Conversation>,
    /// What is asked.
    pub questions: Vec<Question>,
    /// The session of each unit.
    pub session_of: Vec<usize>,
    /// Questions that the file gives no evidence for, which nothing can be measured with.
    pub n_without_evidence: usize,
}

/// A conversation to store.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// Its name among all conversations of the set.
    pub key: String,
    /// What a question about one conversation at a time is filtered by.
    pub project: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// What it says.
    pub messages: Vec<Message>,
}

/// A message to store.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The unit that it is, or is a copy of.
    pub unit: usize,
    /// Who speaks.
    pub role: Role,
    /// The name of who speaks.
    pub author: Option<String>,
    /// The text.
    pub content: String,
    /// When it was said.
    pub created_at: Timestamp,
}

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// As it is asked.
    pub text: String,
    /// Its kind, as the file names it.
    pub category: String,
    /// Whether it belongs to the total; kinds that have no right passage are told separately.
    pub counted: bool,
    /// The project that answers it.
    pub project: Option<String>,
    /// The units that answer it: never none, each once.
    pub evidence: Vec<usize>,
}

impl Dataset {
    /// One that holds nothing yet.
    pub fn new(format: Format) -> Self {
        Self { format, conversations: vec![], questions: vec![], session_of: vec![], n_without_evidence: 0 }
    }

    /// A new unit of a session.
    pub fn unit(&mut self, session: usize) -> usize {
        self.session_of.push(session);
        self.session_of.len() - 1
    }

    /// Adds a question; one without evidence is counted only.
    pub fn ask(&mut self, mut question: Question) {
        let mut seen = HashSet::new();
        question.evidence.retain(|unit| seen.insert(*unit));
        match question.evidence.is_empty() || question.text.trim().is_empty() {
            true => self.n_without_evidence += 1,
            false => self.questions.push(question),
        }
    }

    /// Messages, copies included.
    pub fn n_messages(&self) -> usize {
        self.conversations.iter().map(|it| it.messages.len()).sum()
    }

    /// Whether there is more than one conversation in a session's sense: with one message each, sessions say nothing
    /// that messages do not.
    pub fn has_sessions(&self) -> bool {
        self.conversations.iter().any(|it| it.messages.len() > 1)
    }

    /// Adds what another file of the same benchmark holds.
    pub fn append(&mut self, other: Self) {
        let (units, sessions) =
            (self.session_of.len(), self.session_of.iter().max().map_or(0, |last| last + 1));
        self.session_of.extend(other.session_of.into_iter().map(|session| session + sessions));
        self.conversations.extend(other.conversations.into_iter().map(|mut conversation| {
            conversation.messages.iter_mut().for_each(|message| message.unit += units);
            conversation
        }));
        self.questions.extend(other.questions.into_iter().map(|mut question| {
            question.evidence.iter_mut().for_each(|unit| *unit += units);
            question
        }));
        self.n_without_evidence += other.n_without_evidence;
    }

    /// Keeps at most `limit` questions, the same ones every time, in their order.
    pub fn sample(&mut self, limit: usize) {
        if self.questions.len() <= limit {
            return;
        }
        let mut random = Random::new();
        let mut places: Vec<usize> = (0..self.questions.len()).collect();
        for place in 0..limit {
            let other = place + random.below(places.len() - place);
            places.swap(place, other);
        }
        let kept: HashSet<usize> = places[..limit].iter().copied().collect();
        let mut place = 0;
        self.questions.retain(|_| {
            place += 1;
            kept.contains(&(place - 1))
        });
        // there every question has a history of its own, which nobody else asks about
        if self.format == Format::LongMemEval {
            let asked: HashSet<_> = self.questions.iter().map(|question| question.project.clone()).collect();
            self.conversations.retain(|conversation| asked.contains(&conversation.project));
        }
    }

    /// Types the questions as people without an accent key do.
    pub fn unaccent(&mut self) {
        for question in &mut self.questions {
            question.text = question.text.nfd().filter(|c| !is_combining_mark(*c)).nfc().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(text: &str, project: &str, evidence: &[usize]) -> Question {
        Question {
            text: text.into(),
            category: "a".into(),
            counted: true,
            project: Some(project.into()),
            evidence: evidence.into(),
        }
    }

    fn conversation(project: &str, units: &[usize]) -> Conversation {
        let message = |unit: &usize| Message {
            unit: *unit,
            role: Role::User,
            author: None,
            content: "x".into(),
            created_at: Timestamp::from_millis(0),
        };
        Conversation {
            key: project.into(),
            project: Some(project.into()),
            title: None,
            messages: units.iter().map(message).collect(),
        }
    }

    fn dataset(format: Format, n: usize) -> Dataset {
        let mut set = Dataset::new(format);
        for number in 0..n {
            let unit = set.unit(number);
            set.conversations.push(conversation(&number.to_string(), &[unit]));
            set.ask(question(&format!("q{number}"), &number.to_string(), &[unit]));
        }
        set
    }

    #[test]
    fn a_sample_is_the_same_every_time_and_in_order() {
        let sampled = |limit| {
            let mut set = dataset(Format::Squad, 50);
            set.sample(limit);
            assert_eq!(set.conversations.len(), 50, "what is not asked for stays to be confused with");
            set.questions.into_iter().map(|question| question.evidence[0]).collect::<Vec<_>>()
        };
        let ten = sampled(10);
        assert_eq!(ten.len(), 10);
        assert!(ten.is_sorted() && ten != (0..10).collect::<Vec<_>>(), "{ten:?}");
        assert_eq!(ten, sampled(10));
        assert_eq!(sampled(50).len(), 50);
        assert_eq!(sampled(0).len(), 0);
    }

    #[test]
    fn histories_that_nobody_asks_about_are_not_stored() {
        let mut set = dataset(Format::LongMemEval, 20);
        set.sample(3);
        let asked: Vec<_> = set.questions.iter().map(|question| question.project.clone()).collect();
        let stored: Vec<_> =
            set.conversations.iter().map(|conversation| conversation.project.clone()).collect();
        assert_eq!(asked, stored);
    }

    #[test]
    fn accents_are_left_out_of_questions_only() {
        let mut set = dataset(Format::Squad, 1);
        set.questions[0].text = "São três reuniões à tarde, não é? Ça 한국".into();
        set.unaccent();
        assert_eq!(set.questions[0].text, "Sao tres reunioes a tarde, nao e? Ca 한국");
    }

    #[test]
    fn files_of_one_benchmark_become_one() {
        let mut set = dataset(Format::Beam, 2);
        set.append(dataset(Format::Beam, 3));
        assert_eq!(set.session_of, [0, 1, 2, 3, 4]);
        assert_eq!(set.conversations[4].messages[0].unit, 4);
        assert_eq!(set.questions[4].evidence, [4]);
        assert_eq!(set.n_messages(), 5);
    }

    #[test]
    fn a_question_has_evidence_and_each_unit_once() {
        let mut set = Dataset::new(Format::Beam);
        set.ask(question("what?", "a", &[]));
        set.ask(question(" ", "a", &[1]));
        set.ask(question("what?", "a", &[3, 1, 3]));
        assert_eq!((set.n_without_evidence, set.questions.len()), (2, 1));
        assert_eq!(set.questions[0].evidence, [3, 1]);
    }
}
