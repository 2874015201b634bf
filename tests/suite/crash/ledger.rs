//! A client that writes as fast as it can and remembers what was acknowledged, and what was in doubt when the daemon
//! went away.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::world::Random;
use crate::support::wire::{Client, Gone};

/// Words of the longest memory: twelve bytes each, and a memory has 64 KiB at most.
const LONGEST_MEMORY: u64 = 5_000;

/// What a client knows to be stored: text by id. Ids that are not here are not in the store.
pub type Known = BTreeMap<String, String>;

/// One client with a conversation of its own.
pub struct Ledger {
    pub conversation: String,
    pub messages: Known,
    pub memories: Known,
    /// How many calls were acknowledged.
    pub acknowledged: usize,
    /// The call of which no answer came.
    in_doubt: Option<Step>,
    random: Random,
    /// Words of a text at most.
    longest: u64,
}

/// One call that changes something.
#[derive(Clone)]
enum Step {
    Append(Vec<(String, String)>),
    Add(String, String),
    Update(Place, String, String),
    Delete(Place, String),
}

#[derive(Clone, Copy)]
enum Place {
    Message,
    Memory,
}

impl Ledger {
    /// Makes its conversation.
    pub fn new(socket: &Path, seed: u64, longest: u64) -> Self {
        let mut random = Random(seed);
        let conversation = random.id();
        let mut client = Client::connect(socket).unwrap();
        client.call("conversation.create", &json!({"id": conversation, "title": "load"})).unwrap().unwrap();
        let (messages, memories) = (Known::new(), Known::new());
        Self { conversation, messages, memories, acknowledged: 0, in_doubt: None, random, longest }
    }

    /// Writes until the daemon goes away, or refuses.
    pub fn write(&mut self, socket: &Path) -> Result<Value, Gone> {
        let mut client = Client::connect(socket)?;
        loop {
            let step = self.choose();
            if let Err(refusal) = self.take(&mut client, step)? {
                return Ok(refusal);
            }
        }
    }

    /// Appends one message.
    pub fn append(&mut self, client: &mut Client, content: &str) -> Result<Result<String, Value>, Gone> {
        let id = self.random.id();
        let step = Step::Append(vec![(id.clone(), content.to_owned())]);
        Ok(self.take(client, step)?.map(|()| id))
    }

    /// Sends the call in doubt again. A part of it must not have been done, and it must succeed now.
    pub fn retry(&mut self, socket: &Path) {
        let Some(step) = self.in_doubt.take() else { return };
        let mut client = Client::connect(socket).unwrap();
        if let Step::Append(messages) = &step {
            let mut is_there = |id: &String| client.call("message.get", &json!({"id": id})).unwrap().is_ok();
            let n = messages.iter().filter(|(id, _)| is_there(id)).count();
            assert!(
                n == 0 || n == messages.len(),
                "{n} of {} messages of one append are there",
                messages.len()
            );
        }
        if let Err(refusal) = self.take(&mut client, step).unwrap() {
            panic!("a retry was refused: {refusal}");
        }
    }

    /// Everything that was acknowledged is in the daemon byte for byte, once, and nothing else is.
    pub fn check(&self, socket: &Path) {
        let mut client = Client::connect(socket).unwrap();
        let stored = list(&mut client, "message.list", json!({"conversationId": self.conversation}));
        equal("messages", &self.messages, &stored);
        let stored = list(&mut client, "memory.list", json!({"project": self.conversation}));
        equal("memories", &self.memories, &stored);
    }

    fn choose(&mut self) -> Step {
        let place = if self.random.below(4) == 0 { Place::Memory } else { Place::Message };
        let known = match place {
            Place::Message => &self.messages,
            Place::Memory => &self.memories,
        };
        let longest = match place {
            Place::Memory => self.longest.min(LONGEST_MEMORY),
            Place::Message => self.longest,
        };
        let what = if known.len() < 3 { 0 } else { self.random.below(10) };
        let any = known.keys().nth(self.random.below(known.len().max(1) as u64) as usize).cloned();
        match (what, any) {
            (6..=7, Some(id)) => Step::Update(place, id, self.random.text(longest)),
            (8, Some(id)) => Step::Delete(place, id),
            _ => match place {
                Place::Memory => Step::Add(self.random.id(), self.random.text(longest)),
                Place::Message => {
                    let n = 1 + self.random.below(3);
                    Step::Append((0..n).map(|_| (self.random.id(), self.random.text(longest))).collect())
                }
            },
        }
    }

    /// Sends one call. What is refused was not done.
    fn take(&mut self, client: &mut Client, step: Step) -> Result<Result<(), Value>, Gone> {
        let (method, params) = step.request(&self.conversation);
        self.in_doubt = Some(step.clone());
        let answer = client.call(method, &params)?;
        self.in_doubt = None;
        match answer {
            Ok(result) => {
                step.compare(&result);
                self.acknowledged += 1;
                step.note(&mut self.messages, &mut self.memories);
                Ok(Ok(()))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }
}

impl Step {
    fn request(&self, conversation: &str) -> (&'static str, Value) {
        match self {
            Step::Append(messages) => {
                let message =
                    |(id, content): &(String, String)| json!({"id": id, "role": "user", "content": content});
                let messages: Vec<Value> = messages.iter().map(message).collect();
                ("message.append", json!({"conversationId": conversation, "messages": messages}))
            }
            Step::Add(id, content) => {
                ("memory.add", json!({"id": id, "content": content, "project": conversation}))
            }
            Step::Update(Place::Message, id, content) => {
                ("message.update", json!({"id": id, "content": content}))
            }
            Step::Update(Place::Memory, id, content) => {
                ("memory.update", json!({"id": id, "content": content}))
            }
            Step::Delete(Place::Message, id) => ("message.delete", json!({"id": id})),
            Step::Delete(Place::Memory, id) => ("memory.delete", json!({"id": id})),
        }
    }

    /// The answer says what was asked for.
    fn compare(&self, answer: &Value) {
        match self {
            Step::Append(messages) => {
                for ((id, content), stored) in messages.iter().zip(answer["messages"].as_array().unwrap()) {
                    assert_eq!((&stored["id"], &stored["content"]), (&json!(id), &json!(content)));
                }
            }
            Step::Add(id, content) | Step::Update(_, id, content) => {
                assert_eq!((&answer["id"], &answer["content"]), (&json!(id), &json!(content)));
            }
            Step::Delete(..) => assert!(answer["deleted"].is_boolean(), "{answer}"),
        }
    }

    fn note(self, messages: &mut Known, memories: &mut Known) {
        match self {
            Step::Append(appended) => messages.extend(appended),
            Step::Add(id, content) | Step::Update(Place::Memory, id, content) => {
                memories.insert(id, content);
            }
            Step::Update(Place::Message, id, content) => {
                messages.insert(id, content);
            }
            Step::Delete(Place::Message, id) => {
                messages.remove(&id);
            }
            Step::Delete(Place::Memory, id) => {
                memories.remove(&id);
            }
        }
    }
}

fn list(client: &mut Client, method: &str, mut params: Value) -> Known {
    let mut stored = Known::new();
    params["limit"] = json!(200);
    loop {
        let page = client.call(method, &params).unwrap().unwrap();
        for item in page["items"].as_array().unwrap() {
            let text = |name: &str| item[name].as_str().unwrap().to_owned();
            assert!(stored.insert(text("id"), text("content")).is_none(), "twice: {}", item["id"]);
        }
        match &page["nextCursor"] {
            Value::Null => return stored,
            cursor => params["cursor"] = cursor.clone(),
        }
    }
}

/// Compares without printing all of it.
pub fn equal(what: &str, expected: &Known, stored: &Known) {
    for (id, content) in expected {
        let found = stored.get(id).unwrap_or_else(|| panic!("{what}: {id} was acknowledged and is lost"));
        assert!(found == content, "{what}: {id} is not what was acknowledged");
    }
    for id in stored.keys() {
        assert!(expected.contains_key(id), "{what}: {id} is there and should not be");
    }
}
