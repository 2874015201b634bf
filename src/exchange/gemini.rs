//! The Gemini CLI: a session is a file of JSON lines that change what came before, or in old versions one document.

use std::collections::HashMap;
use std::io::{BufRead, Read};

use serde_json::{Map, Value};

use super::claude_code::MAX_LINE_BYTES;
use super::lines::{Line, lines};
use super::told::{Parent, Part, Said, Told};
use super::{Readout, blocks, convert, json, reading};
use crate::api::data::{ImportFormat, Refused};
use crate::error::Result;
use crate::model::{Role, Timestamp};

/// Reads a session.
pub(super) fn read_from(
    reader: &mut dyn BufRead,
    name: Option<&str>,
    now: Timestamp,
    each: &mut dyn FnMut(Readout) -> Result<()>,
) -> Result<()> {
    let (first, is_lines) = reading::first_line(reader)?;
    let mut whole = first.as_slice().chain(reader);
    if !is_lines {
        return reading::document(&mut whole, now, each, |bytes| {
            let (value, is_mended) = json::parse(bytes)?;
            let Value::Object(mut document) = value else { return Err("is no object".into()) };
            let messages = json::take_list(&mut document, "messages").ok_or("has no list 'messages'")?;
            let mut session = Session::new();
            session.set(&document);
            for (at, message) in messages.into_iter().enumerate() {
                if let Err(reason) = session.record(message) {
                    session.told.refuse(at + 1, reason);
                }
            }
            Ok((session.finished(name), is_mended))
        });
    }
    let mut session = Session::new();
    let mut mended = 0;
    lines(&mut whole, MAX_LINE_BYTES, |number, line| {
        let read = match line {
            Line::Whole(line) => json::parse(line),
            Line::TooLong => Err(format!("takes more than {MAX_LINE_BYTES} bytes")),
        };
        let done = read.and_then(|(value, is_mended)| {
            mended += u64::from(is_mended);
            session.record(value)
        });
        if let Err(reason) = done {
            session.told.refused.push(Refused { place: format!("line {number}"), reason });
        }
        Ok(())
    })?;
    let mut readout = convert::records(session.finished(name), "", now);
    readout.mended += mended;
    each(readout)
}

struct Session {
    told: Told,
    /// The ids of the branch that is being written, with their places among the messages.
    branch: Vec<String>,
    places: HashMap<String, usize>,
}

impl Session {
    fn new() -> Self {
        Self { told: Told::new(ImportFormat::Gemini, None), branch: Vec::new(), places: HashMap::new() }
    }

    /// Whatever a line may be.
    fn record(&mut self, value: Value) -> Result<(), String> {
        let Value::Object(mut members) = value else { return Err("is no object".into()) };
        if let Some(id) = json::id(&members, &["$rewindTo"]) {
            // the message of this id and what followed are taken back; the next one answers what came before
            let kept = self.branch.iter().position(|known| *known == id).unwrap_or(0);
            self.branch.truncate(kept);
            self.told.ignore("rewind");
        } else if let Some(changes) = json::take_object(&mut members, "$set") {
            self.set(&changes);
            self.told.ignore("change of the session");
        } else if members.contains_key("sessionId") && members.contains_key("projectHash") {
            self.set(&members);
        } else {
            return self.message(members);
        }
        Ok(())
    }

    fn set(&mut self, members: &Map<String, Value>) {
        let told = &mut self.told;
        told.id = told.id.take().or(json::id(members, &["sessionId"]));
        told.created = json::time(members, &["startTime"]).or(told.created);
        told.updated = json::time(members, &["lastUpdated"]).or(told.updated);
        told.title = json::name(members, &["summary"]).or(told.title.take());
        let folder = members.get("directories").and_then(|folders| folders.get(0)?.as_str());
        told.project = folder.map(|folder| json::shortened(folder, 1024)).or(told.project.take());
        if let Some(hash) = json::text(members, &["projectHash"]) {
            told.metadata.insert("projectHash".into(), hash.into());
        }
    }

    fn message(&mut self, members: Map<String, Value>) -> Result<(), String> {
        let kind = json::text(&members, &["type"]).ok_or("has no type")?;
        let role = match kind {
            "user" => Role::User,
            "gemini" | "model" | "assistant" => Role::Assistant,
            // what the program told the person: updates, warnings, cancelled requests
            "info" | "error" | "warning" => {
                self.told.ignore(kind);
                return Ok(());
            }
            other => {
                let other = other.to_owned();
                self.told.ignore(&other);
                return Ok(());
            }
        };
        let mut parts = Vec::new();
        match members.get("content") {
            Some(Value::Array(all)) => all.iter().for_each(|part| parts.extend(content_part(role, part))),
            Some(content) => parts.extend(content_part(role, content)),
            None => {}
        }
        for call in members.get("toolCalls").and_then(Value::as_array).into_iter().flatten() {
            let name = call.get("name").and_then(Value::as_str).unwrap_or("tool");
            parts.push(Part::call(name, call.get("args").unwrap_or(&Value::Null)));
            let result = call.get("result").filter(|result| !result.is_null()).or(call.get("resultDisplay"));
            parts.push(Part::noise(Role::Tool, result.map(tool_result).unwrap_or_default()));
        }
        let mut said = Said::of(parts).at(json::time(&members, &["timestamp"]));
        said.id = json::id(&members, &["id"]);
        said.model = json::name(&members, &["model"]);
        let tokens = members.get("tokens").and_then(Value::as_object);
        said.usage = tokens.and_then(|tokens| json::usage(tokens, "input", "output"));
        let thoughts = members.get("thoughts").and_then(Value::as_array).into_iter().flatten();
        let thoughts = thoughts.filter_map(|thought| {
            let thought = thought.as_object()?;
            let text = |name: &str| json::text(thought, &[name]);
            Some([text("subject"), text("description")].into_iter().flatten().collect::<Vec<_>>().join(": "))
        });
        said.thinking(&thoughts.collect::<Vec<_>>().join("\n"));
        self.add(said);
        Ok(())
    }

    /// A message that was written before and is on the branch still is changed; any other goes behind the last.
    fn add(&mut self, said: Said) {
        let Some(id) = said.id.clone() else {
            let parent = self.last();
            return self.told.messages.push(said.after(parent));
        };
        match self.places.get(&id) {
            Some(place) if self.branch.contains(&id) => {
                let parent = self.told.messages[*place].parent.clone();
                self.told.messages[*place] = said.after(parent);
            }
            _ => {
                let parent = self.last();
                self.places.insert(id.clone(), self.told.messages.len());
                self.branch.push(id);
                self.told.messages.push(said.after(parent));
            }
        }
    }

    fn last(&self) -> Parent {
        self.branch.last().map_or(Parent::Nobody, |id| Parent::Of(id.clone()))
    }

    fn finished(mut self, name: Option<&str>) -> Told {
        self.told.id = self.told.id.take().or(name.map(str::to_owned));
        self.told.current = self.branch.pop();
        if self.told.title.is_none() {
            let mut parts = self.told.messages.iter().flat_map(|said| &said.parts);
            let first = parts.find(|part| part.role == Role::User);
            self.told.title = first.and_then(|question| json::title_from(&question.text));
        }
        self.told
    }
}

fn content_part(role: Role, part: &Value) -> Option<Part> {
    if let Some(call) = part.get("functionCall") {
        let name = call.get("name").and_then(Value::as_str).unwrap_or("tool");
        return Some(Part::call(name, call.get("args").unwrap_or(&Value::Null)));
    }
    if part.get("functionResponse").is_some() {
        return Some(Part::noise(Role::Tool, tool_result(part)));
    }
    if part.get("inlineData").is_some() || part.get("fileData").is_some() {
        return Some(Part::said(role, "[file]"));
    }
    json::text_of(part).map(|text| Part::said(role, text))
}

/// What a tool answered: the output that its response wraps, or whatever text there is.
fn tool_result(result: &Value) -> String {
    let all = match result {
        Value::Array(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    let text = |one: &Value| {
        let response = one.get("functionResponse").and_then(|response| response.get("response"));
        match response.and_then(|response| response.get("output").or(response.get("error"))) {
            Some(output) => blocks::result_text(output),
            None => blocks::result_text(response.unwrap_or(one)),
        }
    };
    all.iter().map(text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}
