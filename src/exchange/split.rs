//! Cuts a large history into small ones while it is read, so that a file of any size can be imported.

use std::cell::RefCell;
use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, Kind, Result};

/// A part of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// A JSON document that [`super::history::read`] takes.
    pub document: String,
    /// How many conversations came before it, for what is said about places.
    pub conversations_before: u64,
}

/// Reads the history in `reader` and gives `each` parts of at least one conversation and at most about
/// `max_bytes`; a conversation that is larger comes alone. Only one part is in memory at a time. Gives the number
/// of conversations.
///
/// Errors: `Invalid` for broken JSON (the parts before it were given), `Storage` where reading fails, and what
/// `each` answers.
pub fn split(reader: impl Read, max_bytes: usize, each: impl FnMut(Part) -> Result<()>) -> Result<u64> {
    let state = RefCell::new(State { each, max_bytes, open: None, n_before: 0, n_open: 0, failed: None });
    let mut json = serde_json::Deserializer::from_reader(std::io::BufReader::new(reader));
    let done = Document { state: &state, is_nested: false }.deserialize(&mut json).and_then(|()| json.end());
    let mut state = state.into_inner();
    if let Some(error) = state.failed {
        return Err(error);
    }
    if let Err(error) = done {
        return Err(match error.is_io() {
            true => Error::new(Kind::Storage, format!("read the history: {error}")).caused_by(error),
            false => Error::invalid(format!("the history is no JSON: {error}")).hint(
                "check that the file is complete; what stands before that place can be imported already",
            ),
        });
    }
    state.flush()?;
    Ok(state.n_before)
}

struct State<F> {
    each: F,
    max_bytes: usize,
    /// The document that is being filled, without its last bracket, and that bracket.
    open: Option<(String, char)>,
    n_before: u64,
    n_open: u64,
    /// What `each` answered; serde's errors cannot carry it.
    failed: Option<Error>,
}

impl<F: FnMut(Part) -> Result<()>> State<F> {
    fn add(&mut self, key: Option<&str>, json: &str) -> Result<()> {
        let entry = match key {
            Some(key) => format!("{}:{json}", serde_json::Value::from(key)),
            None => json.to_owned(),
        };
        let brackets = if key.is_some() { ('{', '}') } else { ('[', ']') };
        let is_full = |(text, last): &(String, char)| {
            *last != brackets.1 || text.len() + entry.len() + 2 > self.max_bytes
        };
        if self.open.as_ref().is_some_and(is_full) {
            self.flush()?;
        }
        match &mut self.open {
            Some((text, _)) => {
                text.push(',');
                text.push_str(&entry);
            }
            None => self.open = Some((format!("{}{entry}", brackets.0), brackets.1)),
        }
        self.n_open += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let Some((mut document, last)) = self.open.take() else { return Ok(()) };
        document.push(last);
        let part = Part { document, conversations_before: self.n_before };
        self.n_before += self.n_open;
        self.n_open = 0;
        (self.each)(part)
    }
}

/// Reads the outermost value, or what stands under `conversations`.
struct Document<'a, F> {
    state: &'a RefCell<State<F>>,
    is_nested: bool,
}

impl<F: FnMut(Part) -> Result<()>> Document<'_, F> {
    fn add<E: serde::de::Error>(&self, key: Option<&str>, json: &str) -> Result<(), E> {
        let mut state = self.state.borrow_mut();
        state.add(key, json).map_err(|error| {
            let text = E::custom(&error);
            state.failed = Some(error);
            text
        })
    }
}

impl<'de, F: FnMut(Part) -> Result<()>> DeserializeSeed<'de> for Document<'_, F> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Part) -> Result<()>> Visitor<'de> for Document<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of conversations or an object of them")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let mut messages: Vec<Box<RawValue>> = Vec::new();
        while let Some(value) = values.next_element::<Box<RawValue>>()? {
            // a bare list of messages is one conversation, which must stay whole
            if !holds_messages(value.get()) && value.get().contains("\"role\"") {
                messages.push(value);
            } else {
                self.add(None, value.get())?;
            }
        }
        if messages.is_empty() {
            return Ok(());
        }
        let list: Vec<&str> = messages.iter().map(|message| message.get()).collect();
        self.add(None, &format!("{{\"messages\":[{}]}}", list.join(",")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut others: Vec<(String, Box<RawValue>)> = Vec::new();
        let mut has_list = false;
        while let Some(key) = members.next_key::<String>()? {
            if key == "conversations" && !self.is_nested {
                has_list = true;
                members.next_value_seed(Document { state: self.state, is_nested: true })?;
                continue;
            }
            let value = members.next_value::<Box<RawValue>>()?;
            match holds_messages(value.get()) {
                true => self.add(Some(&key), value.get())?,
                false => others.push((key, value)),
            }
        }
        if has_list || !others.iter().any(|(key, _)| key == "messages") {
            return Ok(());
        }
        // a single conversation
        let entries: Vec<String> = others
            .iter()
            .map(|(key, value)| format!("{}:{}", serde_json::Value::from(key.as_str()), value.get()))
            .collect();
        self.add(None, &format!("{{{}}}", entries.join(",")))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Err(E::custom("the history is empty"))
    }
}

fn holds_messages(json: &str) -> bool {
    json.starts_with('{') && json.contains("\"messages\"")
}
